"""How long each launch takes at best, by a board's figures: products at its peak rate, memory at its bandwidth, and
what starting a kernel costs (S. Williams, A. Waterman and D. Patterson, Roofline, CACM 2009).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....boards import Board
from ....graph import OptionError
from .runtime.plan import Launch, Plan
from .simulation import read_project

OVERHEAD = {"cuda": 2e-6, "opencl": 10e-6, "metal": 5e-6, "webgpu": 10e-6}
"""Seconds from one launch to the next where kernels have little to do: assumed, not measured (CUDA: as one graph)."""
REACHED = 0.2
"""The share of a peak that a slow kernel is assumed to reach: where the band ends."""
WORD = 4
"""Products of bytes that one instruction of a lane does."""


@dataclass(frozen=True)
class Peaks:
    """Products a second on a board, by how they are made; ``bandwidth`` in bytes a second; None: not known."""

    floats: float | None
    bytes: float | None
    tensors: float | None
    bandwidth: float | None
    units: int | None

    def of(self, kind: str) -> float | None:
        """Products a second of a kind: "float", "dp4a", "tensor core" or "integer"."""
        half = None if self.floats is None else self.floats / 2
        return {"float": self.floats, "dp4a": self.bytes, "tensor core": self.tensors, "integer": half}[kind]


@dataclass(frozen=True)
class Bound:
    """A launch: ``least`` seconds for products or memory, which of both (``bound``), how its products are made."""

    launch: Launch
    least: float
    bound: str
    kind: str


@dataclass(frozen=True)
class Estimate:
    """Seconds of each launch, with a band, and of all together."""

    bounds: tuple[Bound, ...]
    seconds: tuple[float, ...]
    overhead: float
    whole: bool
    """Whether the peak of every product is known."""

    @property
    def total(self) -> float:
        """All launches, one after the other."""
        return sum(self.seconds)

    @property
    def low(self) -> float:
        """Half the cost of a launch, and the roofline."""
        return sum(self.overhead / 2 + b.least for b in self.bounds)

    @property
    def high(self) -> float:
        """Twice the cost of a launch, and a fifth of the peaks."""
        return sum(2 * self.overhead + b.least / REACHED for b in self.bounds)


def peaks_of(board: Board) -> Peaks:
    """Give a board's figures. Raises OptionError for a board that has neither peaks nor bandwidth."""

    def gops(format: str, *, tensor: bool) -> float | None:
        dense = [p for p in board.peaks if p.format == format and not p.sparse]
        return max((p.gops.value for p in dense if ("tensor" in p.unit.lower()) == tensor), default=None)

    floats, whole = gops("fp32", tensor=False), gops("int8", tensor=False)
    tensors = gops("int8", tensor=True)
    if whole is None and floats is not None:
        whole = floats * WORD / 2  # four products an instruction, on half of the lanes
    speeds = [m.bandwidth_gb_s.value for m in board.memories if m.bandwidth_gb_s is not None]
    if floats is None and not speeds:
        what = "neither the peaks nor the bandwidth of its graphics processor are known"
        raise OptionError(f"cannot be estimated: {what}", where=board.name, hint="profile it where the device is")
    units = board.gpu.compute_units.value if board.gpu is not None and board.gpu.compute_units is not None else None
    rates = [None if g is None else g * 1e9 / 2 for g in (floats, whole, tensors)]
    return Peaks(rates[0], rates[1], rates[2], max(speeds) * 1e9 if speeds else None, units)


def bounds(plan: Plan, sources: Mapping[str, str], peaks: Peaks) -> tuple[Bound, ...]:
    """Give what the roofline leaves to each launch. Few blocks leave part of the processor without work."""
    kinds = {name: _kind(k.arguments, _body(sources[k.source], k.entry)) for name, k in plan.kernels.items()}
    found = []
    for launch in plan.launches:
        kind = kinds[launch.kernel.name]
        blocks = launch.blocks[0] * launch.blocks[1] * launch.blocks[2]
        busy = min(1.0, blocks / peaks.units) if peaks.units else 1.0
        rate = peaks.of(kind)
        products = launch.macs / (rate * busy) if rate else 0.0
        memory = launch.bytes / peaks.bandwidth if peaks.bandwidth else 0.0
        found.append(Bound(launch, max(products, memory), "products" if products > memory else "memory", kind))
    return tuple(found)


def estimate(plan: Plan, sources: Mapping[str, str], board: Board) -> Estimate:
    """Estimate a plan on a board. Raises OptionError where too little is known of it."""
    overhead = OVERHEAD[plan.language]
    peaks = peaks_of(board)
    found = bounds(plan, sources, peaks)
    whole = all(peaks.of(b.kind) is not None for b in found if b.launch.macs)
    return Estimate(found, tuple(overhead + b.least for b in found), overhead, whole)


def costs(project: Mapping[str, bytes], board: Board) -> dict[str, Any]:
    """Give what is known of a project's cost without running it, as the manifest has it; no time for a board of which
    too little is known.
    """
    plan, sources, _ = read_project(project)
    sizes = {"arena_bytes": ("arena", "tensors in memory at once"), "constants_bytes": ("constants", "weights, tables")}
    memory = {key: figure(plan.sizes[name], plan.sizes[name], plan.sizes[name], "bytes", "exact", source)
              for key, (name, source) in sizes.items()}  # fmt: skip
    try:
        found = estimate(plan, sources, board)
    except OptionError:
        return {"memory": memory}
    told = described(found, board)
    return {"latency_s": figure(found.total, found.low, found.high, "s", "estimated", told), "memory": memory}


def described(found: Estimate, board: Board) -> str:
    """Say what an estimate is made of."""
    rest = "" if found.whole else "; the peak of its arithmetic is not known: memory and launches alone"
    return f"roofline of {board.name}, {found.overhead * 1e6:g} us a launch assumed, as is the band{rest}"


def figure(value: float, low: float, high: float, unit: str, kind: str, source: str) -> dict[str, Any]:
    """Give a figure as the manifest has it."""
    return {"value": value, "low": low, "high": high, "unit": unit, "kind": kind, "source": source}


def _body(text: str, entry: str) -> str:
    """Give the text of a kernel, up to the next one."""
    found = re.search(rf"\b{re.escape(entry)}\s*\([^;{{]*\)\s*{{", text)
    if found is None:
        return ""
    end = re.search(r"^}", text[found.end() :], re.MULTILINE)
    return text[found.end() : found.end() + end.start()] if end else text[found.end() :]


def _kind(arguments: Sequence[str], body: str) -> str:
    if re.search(r"mma|multiply_(pieces|quarters)", body):
        return "tensor core"
    if re.search(r"dp4a|dot4", body):
        return "dp4a"
    return "float" if any(a.startswith("float") for a in arguments) else "integer"


__all__ = ["Bound", "Estimate", "Peaks", "bounds", "costs", "described", "estimate", "figure", "peaks_of"]

"""What a library costs, as the manifest tells it: time with its band, instructions, memory, layer by layer."""

from collections.abc import Mapping
from typing import Any

from ...backends.loops.machine import GROUP, Dot, Machine
from ...backends.loops.program import Block, Program
from ...backends.loops.tiles import PRODUCTS, WORD
from ...boards import Board
from ...graph import Node, op_name
from ..figures import Figure, Kind, exact
from .cores import Core
from .estimate import CallEstimate, Estimate, estimate
from .micro import Kind as Work

MEASURED = ("zen5",)
"""Cores on which estimates were compared with measured times."""
BANDS = {"measured": (0.85, 1.3), "out of order": (0.6, 1.8), "in order": (0.5, 2.2)}
"""What a time may be of its estimate. The first holds all 21 networks of ``benchmarks.processors`` above 2 us on such a
core (they lay between 0.90 and 1.22 of it); the others are wider by judgement, as nothing was measured there.
"""
SHORT, SHORT_BAND = 2e-6, (0.5, 1.2)
"""Seconds below which calls and first misses are much of a time, and what that does to a band."""
CLOCK = (0.7, 1.35)
"""Where a board does not say its clock: what the true one may do to a time."""
WORKS: Mapping[Dot, Work] = {
    Dot.VNNI: "dot", Dot.AMX: "tile", Dot.AMX_BF16: "tile", Dot.SDOT: "dot", Dot.MMLA: "dot", Dot.PAIRS: "dot",
    Dot.WIDE: "vmul", Dot.LONG: "vmul", Dot.FLOAT: "fma",
}  # fmt: skip


def cost_of_program(program: Program, assembly: str, board: Board, prefix: str, library: int | None) -> dict[str, Any]:
    """Give ``cost`` of the manifest. ``assembly``: LLVM's text of the kernels, whose names begin with ``prefix``;
    ``library``: bytes of the shared library, None where there is none.
    """
    found = estimate(program, assembly, board, prefix)
    source = f"roofline of the machine code on {found.core.title} at {found.mhz:,.0f} MHz"
    low, high, why = band(found)
    if found.seconds < SHORT:
        low, high, why = low * SHORT_BAND[0], high * SHORT_BAND[1], f"{why}, and wider as it is below 2 us"
    cycles = Figure(found.cycles, found.cycles * low, found.cycles * high, "cycles", "estimated", f"{source}; {why}")
    if found.assumed:
        low, high = low * CLOCK[0], high * CLOCK[1]
        why += "; the board does not say its clock, which is assumed"
    seconds = Figure(found.seconds, found.seconds * low, found.seconds * high, "s", "estimated", f"{source}; {why}")
    return {
        "latency_cycles": cycles.as_dict(), "latency_s": seconds.as_dict(), "instructions": _instructions(found),
        "memory": memory_of(program, library), "processor": _processor(found, program, low, high),
    }  # fmt: skip


def band(found: Estimate) -> tuple[float, float, str]:
    """Give what a time may be of its estimate, and why."""
    core = found.core
    if core.name in MEASURED:
        return *BANDS["measured"], "band of networks that were measured on such a core (docs/estimates.md)"
    kind = "in order" if core.in_order else "out of order"
    return *BANDS[kind], f"no network was measured on this core, which works {kind}: a wide band by judgement"


def _instructions(found: Estimate) -> dict[str, Any]:
    kind: Kind = "simulated" if found.exact else "estimated"
    source = "LLVM's assembly of the kernels, each block as often as it runs; calls of the C library count as one"
    if not found.exact:
        source += "; some branches depend on data"
    return exact(found.instructions, "count", source, kind).as_dict()


def memory_of(program: Program, library: int | None) -> dict[str, Any]:
    """Give the bytes of working memory, of constants, of the library."""
    found = {
        "arena_bytes": exact(max(program.arena, 1), "bytes", "placed by the lifetimes of tensors"),
        "constants_bytes": exact(len(program.constants), "bytes", "weights, biases and tables as they are packed"),
    }
    if library is not None:
        found["library_bytes"] = exact(library, "bytes", "the shared library, constants included")
    return {name: figure.as_dict() for name, figure in found.items()}


def _processor(found: Estimate, program: Program, low: float, high: float) -> dict[str, Any]:
    names = program.graph.names
    tick = 1 / found.mhz / 1e6
    return {
        "core": found.core.title, "clock_mhz": found.mhz, "clock_assumed": found.assumed,
        "sources": list(found.core.sources),
        "layers": [_layer(c, found.core, program.machine, names, tick) for c in found.calls],
        "blocks": lifetimes(program), "steps": len(found.calls),
    }  # fmt: skip


def _layer(call: CallEstimate, core: Core, machine: Machine, names: Mapping[Node, str], tick: float) -> dict[str, Any]:
    """One call; ``roofline``: the share of its time that its products or its memory take at the core's peak."""
    least = max(call.macs / peak(call, core, machine) if call.macs else 0.0, call.memory)
    moved = {name.replace(" ", ""): round(size * call.count) for name, size in call.moved.items() if size}
    return {
        "name": names.get(call.node, ""), "source": call.node.where, "op": op_name(call.node.op),
        "shape": list(call.node.shape), "kernel": call.kernel, "turns": call.count, "macs": call.macs * call.count,
        "instructions": call.instructions * call.count, "latency_s": _six(call.cycles * call.count * tick),
        "cycles": _six(call.cycles * call.count), "moved": moved,
        "roofline": _six(min(least / call.cycles, 1.0) if call.cycles else 1.0), "bound": call.bound,
    }  # fmt: skip


def _six(value: float) -> float:
    return float(f"{value:.6g}")


def peak(call: CallEstimate, core: Core, machine: Machine) -> float:
    """Products a cycle that a core does at most in the way that a call does them."""
    kind = call.kind or Dot.FLOAT
    work = core.kinds[WORKS[kind]]
    if kind in (Dot.AMX, Dot.AMX_BF16):
        return len(work.pipes) * PRODUCTS * GROUP[kind] / WORD / work.busy
    lanes = max(min(machine.vector_bits // 8, core.vector_bytes * 2) // (8 if kind is Dot.LONG else 4), 1)
    return len(work.pipes) * lanes * GROUP[kind] / work.busy


def lifetimes(program: Program) -> list[dict[str, int]]:
    """Give the blocks of the arena: where each stands, how large it is, from which step to which."""
    used = [b for b in program.blocks if b.last >= 0]
    return [
        {"offset": b.offset, "bytes": b.bytes, "first": max(b.first, 0), "last": b.last}
        for b in sorted(used, key=_order)
    ]


def _order(block: Block) -> tuple[int, int]:
    return block.first, block.offset


__all__ = ["band", "cost_of_program", "lifetimes", "memory_of", "peak"]

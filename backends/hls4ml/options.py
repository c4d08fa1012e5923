"""What a user can ask of the hls4ml back end, checked before hls4ml is called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any, Protocol

from ...boards import Board, HlsBackend
from ...graph import OptionError, unknown

TOOLS: dict[str, HlsBackend] = {
    "vitis": "Vitis", "vivado": "Vivado", "oneapi": "oneAPI", "quartus": "Quartus", "catapult": "Catapult", "libero":
    "Libero",
}  # fmt: skip
"""The HLS tools by the name that a user writes, with hls4ml's name of each."""

VERIFIABLE = ("vitis", "vivado")
"""The tools whose C simulation compiles without the vendor's software."""

IOS = ("parallel", "stream")
STRATEGIES = ("latency", "resource", "distributed_arithmetic")
TYPES = ("lean", "vendor")
UNROLL_LIMIT = 4096
"""Multiplications that one layer may do at once: beyond it the tools refuse or run out of memory on a fully unrolled
layer (array
partitions of over 4,096 elements, see ``maximum_size`` in hls4ml's project.tcl)."""


class LayerRule(Protocol):
    """Overrides for the layers whose name matches a pattern (the configuration's ``[[layer]]`` tables)."""

    @property
    def pattern(self) -> str:
        """Shell wildcards on the layer's name."""

    @property
    def values(self) -> Mapping[str, Any]:
        """What to change: ``strategy`` and ``reuse_factor`` are read here."""


@dataclass(frozen=True)
class Override:
    """Another strategy or reuse factor for the layers whose name matches ``pattern``."""

    pattern: str
    strategy: str | None = None
    reuse_factor: int | None = None

    def __post_init__(self) -> None:
        _check_strategy(self.strategy, self.pattern)
        _check_reuse(self.reuse_factor, self.pattern)

    def matches(self, names: Iterable[str]) -> bool:
        """Whether the pattern fits one of a layer's names."""
        return any(fnmatchcase(name, self.pattern) for name in names)


@dataclass(frozen=True)
class Options:
    """How a project is written. ``clock_ns`` is the period in nanoseconds.

    ``strategy`` None chooses by size: ``latency`` where a layer's multiplications can all be unrolled, else
    ``resource``.
    ``reuse_factor`` None chooses the least that does. ``namespace`` puts the generated code into a C++ namespace.
    ``fifo_depths``: other depths than hls4ml's for streams, by tensor.
    Raises OptionError for what does not exist or cannot be.
    """

    part: str
    clock_ns: float = 5.0
    tool: str = "vitis"
    io: str = "parallel"
    strategy: str | None = None
    reuse_factor: int | None = None
    types: str = "lean"
    overrides: tuple[Override, ...] = ()
    namespace: str = ""
    fifo_depths: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for kind, value, known in (("HLS tool", self.tool, TOOLS), ("io", self.io, IOS), ("types", self.types, TYPES)):
            if value not in known:
                raise unknown(kind, str(value), known)
        _check_strategy(self.strategy, "")
        _check_reuse(self.reuse_factor, "")
        if not isinstance(self.clock_ns, (int, float)) or not 0.1 <= self.clock_ns <= 10000:
            raise OptionError(f"a clock of {self.clock_ns} ns", hint="0.1 to 10000 ns")
        if self.tool == "libero" and self.stream:
            raise OptionError("hls4ml 1.3.0 cannot write libero projects with io stream", hint="--io parallel")
        if "distributed_arithmetic" in {self.strategy, *(o.strategy for o in self.overrides)}:
            _check_distributed(self.reuse_factor, self.tool)

    @property
    def stream(self) -> bool:
        """Whether tensors travel through FIFOs."""
        return self.io == "stream"

    @property
    def verifiable(self) -> bool:
        """Whether the C simulation can be compiled without the vendor's tools."""
        return self.tool in VERIFIABLE

    @property
    def backend(self) -> HlsBackend:
        """hls4ml's name of the tool."""
        return TOOLS[self.tool]

    def strategy_of(self, *names: str) -> str | None:
        """Give the strategy asked for a layer of these names (the source's, ours); the last override that matches
        counts.
        """
        found = [o.strategy for o in self.overrides if o.strategy and o.matches(names)]
        return found[-1] if found else self.strategy

    def reuse_of(self, *names: str) -> int | None:
        """Give the reuse factor asked for a layer of these names; the last override that matches counts."""
        found = [o.reuse_factor for o in self.overrides if o.reuse_factor and o.matches(names)]
        return found[-1] if found else self.reuse_factor

    def as_dict(self) -> dict[str, Any]:
        """Give the options as plain values, under the names that a user writes."""
        return {
            "hls": self.tool, "part": self.part, "clock_ns": self.clock_ns, "io": self.io,
            "strategy": self.strategy, "reuse_factor": self.reuse_factor, "types": self.types,
            **({"fifo_depths": dict(self.fifo_depths)} if self.fifo_depths else {}),
        }  # fmt: skip


def read_options(values: Mapping[str, Any]) -> Options:
    """Give the options that a manifest tells: what ``as_dict`` gave, and the configuration's rules by layer.

    Raises OptionError for what cannot be.
    """
    if "part" not in values:
        raise OptionError("the directory holds no HLS project", hint="compile for a board with an FPGA")
    rules = [{k: v for k, v in rule.items() if k in ("strategy", "reuse_factor")} for rule in values.get("layer", ())]
    overrides = tuple(
        Override(table["name"], **rule) for table, rule in zip(values.get("layer", ()), rules, strict=True) if rule
    )
    kept = {k: values[k] for k in ("clock_ns", "io", "strategy", "reuse_factor", "types") if k in values}
    depths = tuple(sorted(values.get("fifo_depths", {}).items()))
    return Options(values["part"], tool=values.get("hls", "vitis"), overrides=overrides, fifo_depths=depths, **kept)


def make_options(
    board: Board,
    rules: Iterable[LayerRule] = (),
    *,
    hls: str | None = None,
    io: str = "parallel",
    strategy: str | None = None,
    reuse_factor: int | None = None,
    clock_ns: float | None = None,
    types: str = "lean",
) -> Options:
    """Build the options for a board: its part as the tool names it, its default clock unless another is asked.

    ``hls`` None takes the first tool of ``TOOLS`` that knows the board. Raises OptionError for a board that is no FPGA
    or that the tool does not know.
    """
    if hls is not None and hls not in TOOLS:
        raise unknown("HLS tool", hls, TOOLS)
    if board.fpga is None:
        raise OptionError("the board has no FPGA", where=board.name, hint="choose one of kind fpga (gatewright boards)")
    known = [tool for tool, name in TOOLS.items() if name in board.fpga.hls]
    if not known:
        hint = "choose a board of another family (gatewright boards), or host for the integer graph alone"
        raise OptionError("no HLS tool of hls4ml's knows this board", where=board.name, hint=hint)
    if hls is not None and hls not in known:
        raise OptionError(f"{hls} does not know this board", where=board.name, hint=f"--hls: {', '.join(known)}")
    hls = hls or known[0]
    overrides = tuple(
        Override(rule.pattern, rule.values.get("strategy"), rule.values.get("reuse_factor"))
        for rule in rules
        if {"strategy", "reuse_factor"} & set(rule.values)
    )
    period = clock_ns if clock_ns is not None else board.fpga.clock.period_ns
    part = board.fpga.part_for(TOOLS[hls])
    return Options(part, period, hls, io, strategy, reuse_factor, types, overrides)


def _check_strategy(strategy: object, where: str) -> None:
    if strategy is not None and strategy not in STRATEGIES:
        raise unknown("strategy", str(strategy), STRATEGIES, where=where)


def _check_reuse(factor: object, where: str) -> None:
    if factor is not None and (not isinstance(factor, int) or isinstance(factor, bool) or factor < 1):
        raise OptionError(f"a reuse factor of {factor!r}", where=where, hint="a whole number from 1 on")


def _check_distributed(reuse_factor: int | None, tool: str) -> None:
    if tool not in ("vitis", "vivado"):
        raise OptionError(f"{tool} has no strategy distributed_arithmetic", hint="vitis and vivado have")
    if find_spec("da4ml") is None:
        hint = "pip install 'gatewright[distributed-arithmetic]'"
        raise OptionError("the strategy distributed_arithmetic needs the package da4ml", hint=hint)
    if reuse_factor not in (None, 1):
        raise OptionError(
            f"distributed_arithmetic with a reuse factor of {reuse_factor}",
            hint="it is fully unrolled: leave --reuse-factor out",
        )

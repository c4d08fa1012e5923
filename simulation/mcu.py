"""Cycles and energy of a microcontroller, from the instructions that an emulated core has counted.

A core's time is the sum over the classes of its instructions, each with the cycles that the core's manual gives, times
a factor that public results of boards were fitted to (``benchmarks.mcu_cycles``), plus the wait states of flash for
every line that its cache had to fetch.

Sources of the tables: the instruction timings of the Technical Reference Manuals of Cortex-M0+ (DDI 0484), M3
(DDI 0337) and M4 (DDI 0439); M33, M7 and M55 have none that is public: their tables follow from their pipelines (what
is issued at once, latencies of the manuals' overviews), and the factor carries what these leave out. Hazard3: its
documentation, "instruction cycle counts".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..backends.firmware.emulator import Mix
from ..boards import Board
from ..graph import OptionError, UnsupportedError
from .figures import Figure


@dataclass(frozen=True)
class Timing:
    """Cycles of one instruction of each class.

    ``load`` of a single load that another load or store goes before, ``load_first`` of others; ``several`` of one that
    moves several registers, without the ``word`` that each takes. ``factor``: what the whole is multiplied with;
    ``hidden``: the share of the fewer of vector arithmetic and vector memory that the other runs beside. ``fetch`` and
    ``read``: the share of the wait states that a line costs, for instructions and for what is loaded;
    ``error``: half of the band, as a share, which covered what was held back.
    """

    name: str
    alu: float
    multiply: float
    multiply_long: float
    multiply_pairs: float
    divide: float
    load: float
    load_first: float
    store: float
    several: float
    word: float
    taken: float
    not_taken: float
    branch: float
    call: float
    back: float
    float_: float = 1
    float_multiply_add: float = 3
    float_divide: float = 14
    vector: float = 2
    vector_memory: float = 2
    hidden: float = 0
    factor: float = 1
    fetch: float = 1
    read: float = 1
    error: float = 0.3
    source: str = ""


M4 = Timing(
    "Cortex-M4", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=7, load=1, load_first=2, store=1,
    several=1, word=1, taken=3, not_taken=1, branch=3, call=3, back=3,
    fetch=0.1, read=0.75, source="Cortex-M4 TRM, instruction timings",
)  # fmt: skip
TIMINGS: Mapping[str, Timing] = {
    "cortex-m0": Timing(
        "Cortex-M0", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=1, load=2, load_first=2, store=2,
        several=1, word=1, taken=3, not_taken=1, branch=3, call=4, back=3, source="Cortex-M0 TRM, instruction timings",
    ),
    "cortex-m0plus": Timing(
        "Cortex-M0+", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=1, load=2, load_first=2, store=2,
        several=1, word=1, taken=2, not_taken=1, branch=2, call=3, back=2,
        fetch=0.3, error=0.4, source="Cortex-M0+ TRM, instruction timings, single-cycle multiplier",
    ),
    "cortex-m3": Timing(
        "Cortex-M3", alu=1, multiply=1.5, multiply_long=5, multiply_pairs=1, divide=7, load=1, load_first=2, store=1,
        several=1, word=1, taken=3, not_taken=1, branch=3, call=3, back=3,
        fetch=0.1, read=0.75, source="Cortex-M3 TRM, instruction timings",
    ),
    "cortex-m4": M4,
    "cortex-m33": Timing(
        "Cortex-M33", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=6, load=1, load_first=1.5, store=1,
        several=0, word=1, taken=2, not_taken=1, branch=2, call=2, back=2,
        fetch=0.1, read=0.75, factor=1.1,
        source="pipeline of the Cortex-M33: three stages, pairs of 16-bit instructions at once",
    ),
    "cortex-m7": Timing(
        "Cortex-M7", alu=0.5, multiply=1, multiply_long=1, multiply_pairs=1, divide=7, load=0.5, load_first=1, store=1,
        several=0.5, word=0.5, taken=1, not_taken=0.5, branch=1, call=1, back=1,
        fetch=0.1, read=0.75, factor=1,
        source="pipeline of the Cortex-M7: two instructions at once, one of them a multiplication, 64 bits loaded",
    ),
    "cortex-m55": Timing(
        "Cortex-M55", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=6, load=1, load_first=1.5, store=1,
        several=0, word=1, taken=2, not_taken=1, branch=2, call=2, back=2, vector=2, vector_memory=2, hidden=0.5,
        error=0.5,
        source="Armv8-M Architecture Reference Manual (DDI 0553, beats and overlap) and Cortex-M55 TRM: two of a vector"
        " instruction's four beats a cycle, arithmetic beside loads half of the time; no public results to check it",
    ),
    "cortex-m85": Timing(
        "Cortex-M85", alu=0.6, multiply=1, multiply_long=1, multiply_pairs=1, divide=6, load=0.7, load_first=1,
        store=1, several=0.5, word=0.5, taken=1, not_taken=0.6, branch=1, call=1, back=1, vector=2, vector_memory=1,
        error=0.5, source="pipeline of the Cortex-M85; public results of one board, by kernels that are not known",
    ),
    "generic-rv32": Timing(
        "Hazard3", alu=1, multiply=1, multiply_long=1, multiply_pairs=1, divide=18, load=1, load_first=1.5, store=1,
        several=0, word=1, taken=2, not_taken=1, branch=2, call=2, back=2, error=0.4,
        source="Hazard3 documentation, instruction cycle counts (fast multiplier); no public results to check it",
    ),
}  # fmt: skip
"""Cycles by what LLVM calls the core."""


def core_cycles(mix: Mix, timing: Timing) -> float:
    """Give the cycles that a core takes for a mix, memories without wait states."""
    singles = mix.loads - mix.loads_multiple
    stores = mix.stores - mix.stores_multiple
    words = mix.words_loaded - singles + mix.words_stored - stores
    t = timing
    total = (
        t.alu * (mix.alu + mix.system) + t.multiply * mix.multiply + t.multiply_long * mix.multiply_long
        + t.multiply_pairs * mix.multiply_pairs + t.divide * mix.divide
        + t.load * (singles - mix.loads_first) + t.load_first * mix.loads_first + t.store * stores
        + t.several * (mix.loads_multiple + mix.stores_multiple) + t.word * words
        + t.taken * mix.branches_taken + t.not_taken * mix.branches_not_taken
        + t.branch * (mix.branches + mix.indirect) + t.call * mix.calls + t.back * mix.returns
        + t.float_ * mix.floats + t.float_multiply_add * mix.float_multiply_adds + t.float_divide * mix.float_divides
        + t.vector * mix.vectors + t.vector_memory * mix.vector_memory
    )  # fmt: skip
    return t.factor * (total - _hidden(mix, timing))


def _hidden(mix: Mix, timing: Timing) -> float:
    """Give the cycles of vector instructions that run beside others: the last beats of an arithmetic one with the first
    of a load, and the other way round.
    """
    return timing.hidden * min(timing.vector * mix.vectors, timing.vector_memory * mix.vector_memory)


def wait_cycles(mix: Mix, timing: Timing, board: Board) -> float:
    """Give the cycles that a core waits for flash, by the lines that its caches had to fetch."""
    flash = next((r for r in board.regions if r.kind == "flash" and r.wait_states), None)
    if flash is None or flash.wait_states is None:
        return 0.0
    return flash.wait_states.value * (timing.fetch * mix.fetch_misses + timing.read * mix.read_misses)


def timing_of(board: Board) -> Timing:
    """Give the timing of a board's core. Raises UnsupportedError for one that has none."""
    told = board.compiler
    if told is None or told.cpu not in TIMINGS:
        what = f"the cycles of {board.cores[0].name} are not known"
        raise UnsupportedError(what, where=f"board {board.name}", hint=f"known: {', '.join(TIMINGS)}")
    return TIMINGS[told.cpu]


def cycles(mix: Mix, board: Board) -> Figure:
    """Estimate the cycles of a mix on a board; the band is what the error of boards that were held back covered."""
    timing = timing_of(board)
    value = core_cycles(mix, timing) + wait_cycles(mix, timing, board)
    source = f"instructions counted on an emulated core; {timing.source}; MLPerf Tiny results"
    return Figure(value, value * (1 - timing.error), value * (1 + timing.error), "cycles", "estimated", source)


def latency(mix: Mix, board: Board) -> Figure:
    """Estimate the seconds that a mix takes on a board. Raises OptionError for a board without a clock."""
    clock = board.cores[0].clock_mhz
    if clock is None:
        raise OptionError(f"board {board.name} has no clock", hint="a board file with clock_mhz in [[cores]]")
    return cycles(mix, board).scaled(1e-6 / clock.value, "s")


def energy(mix: Mix, board: Board) -> Figure | None:
    """Estimate the joules that a mix takes on a board; None where the board does not say what a cycle takes.

    The band is that of the cycles: what a cycle takes varied by 20 % between the tools whose results it is from.
    """
    cost = board.cores[0].nj_per_cycle
    if cost is None:
        return None
    found = cycles(mix, board).scaled(cost.value * 1e-9, "J")
    return Figure(
        found.value, found.low * (1 - SPREAD), found.high * (1 + SPREAD), "J", "estimated",
        f"{found.source}; {cost.value:g} nJ a cycle ({cost.source})",
    )  # fmt: skip


SPREAD = 0.2


def costs(mix: Mix, board: Board) -> dict[str, Any]:
    """Give the figures of the manifest's ``cost`` for the instructions of one inference."""
    count = float(mix.instructions)
    found = {"instructions": Figure(count, count, count, "instructions", "simulated", "emulated core")}
    found["latency_cycles"] = cycles(mix, board)
    if board.cores[0].clock_mhz is not None:
        found["latency_s"] = latency(mix, board)
    if (joules := energy(mix, board)) is not None:
        found["energy_j"] = joules
    return {name: figure.as_dict() for name, figure in found.items()}


GROUPS: Mapping[str, Iterable[str]] = {
    "multiply": ("multiply", "multiply_long", "multiply_pairs", "divide", "float_multiply_adds", "vectors"),
    "memory": ("loads", "loads_multiple", "loads_first", "words_loaded", "stores", "stores_multiple",
               "words_stored", "vector_memory"),
    "branch": ("branches_taken", "branches_not_taken", "branches", "calls", "returns", "indirect"),
}  # fmt: skip


def _parts(mix: Mix, timing: Timing) -> dict[str, float]:
    """Split the cycles of a mix, memories without wait states, by what the instructions do."""
    parts = {
        name: core_cycles(Mix(**{field: getattr(mix, field) for field in fields}), timing)
        for name, fields in GROUPS.items()
    }
    parts["memory"] -= timing.factor * _hidden(mix, timing)
    return {**parts, "other": core_cycles(mix, timing) - sum(parts.values())}


def limits(mix: Mix, board: Board) -> dict[str, float]:
    """Give the shares of the cycles that multiplications, memory, branches, waiting for flash and the rest take."""
    timing = timing_of(board)
    parts = {**_parts(mix, timing), "wait": wait_cycles(mix, timing, board)}
    total = sum(parts.values())
    return {name: part / total if total else 0.0 for name, part in parts.items()}


def bound_by(mix: Mix, cpu: str) -> str | None:
    """Say what most cycles of a mix do: "multiply", "memory", "branch" or "other", on a core by LLVM's name, memories
    without wait states; None for a core whose cycles nobody knows.
    """
    if cpu not in TIMINGS:
        return None
    parts = _parts(mix, TIMINGS[cpu])
    return max(parts, key=lambda name: parts[name])


__all__ = [
    "TIMINGS", "Timing", "bound_by", "core_cycles", "costs", "cycles", "energy", "latency", "limits", "timing_of",
    "wait_cycles",
]  # fmt: skip

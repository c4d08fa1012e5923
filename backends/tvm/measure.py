"""How long each call of a network takes on a machine, and what bounds it.

The roofline (S. Williams, A. Waterman and D. Patterson, Roofline: an insightful visual performance model for multicore
architectures, CACM 2009) is measured too: products of the network's own kind with everything in registers, and memory
of the size that the network works on, read in vectors.
"""

from dataclasses import dataclass

from ...graph import Graph, Node
from ...graph.ops import Input
from ..loops.builder import make_program, summed_as
from ..loops.code import Code, Function, Parameter, Run, const, function, maximum, spread
from ..loops.kernels.products import ACCUMULATOR, dot
from ..loops.machine import GROUP, Dot, Machine
from ..loops.program import Block, Call, Pointer, Program, calls_of
from ..loops.schedule import Tiles
from ..loops.tiles import CONFIGURE, PRODUCTS, ROW_BYTES, SUMS, WORD, Cut, dot_name, shapes
from ..loops.tiles import ROWS as ROWS_OF_TILE
from ..loops.widths import WIDTHS
from .clock import Device, Local, measuring_library

TURNS = 30
"""Runs of the network of which the fastest time of each call counts."""
ROOF_TURNS = 7
"""The same of what measures the roofline."""

ROWS = 8
"""Rows of operands that the measurement of products goes round."""
APART = (Dot.PAIRS, Dot.WIDE, Dot.LONG)
"""Products that may be a multiplication and an addition of integers."""


@dataclass(frozen=True)
class Timed:
    """A call: ``seconds`` for all its ``count`` turns in one inference; ``macs`` and ``bytes`` of one turn.

    ``bound_s``: the least time that the roofline leaves for it, and ``bound``: "products" or "memory".
    """

    node: Node
    kernel: str
    seconds: float
    count: int
    macs: int
    bytes: int
    bound_s: float
    bound: str


@dataclass(frozen=True)
class Profile:
    """``seconds``: the fastest whole run; ``peaks``: products a second by their kind; ``bandwidth``: bytes a second.

    ``arena`` and ``constants``: bytes of working memory and of weights and tables.
    """

    seconds: float
    calls: tuple[Timed, ...]
    peaks: dict[str, float]
    bandwidth: float
    arena: int
    constants: int


def profile(
    graph: Graph, machine: Machine, *, tiles: Tiles | None = None, device: Device | None = None, turns: int = TURNS
) -> Profile:
    """Measure a network on this machine, or on a ``device``. Inputs are zeros: no kernel's time depends on its data.

    Raises MeasuringError for what crashes, and what the device raises.
    """
    program = make_program(graph, machine, tiles)
    calls = calls_of(program.statements)
    found = {c.node: kind for c, _ in calls if (kind := summed_as(c, machine)) is not None}
    kinds = sorted(set(found.values()))
    roofs = [
        _memory(graph, machine, program.arena + len(program.constants)),
        *(_products(graph, machine, k) for k in kinds),
    ]
    library = measuring_library([program, *(r.program for r in roofs)])
    with (device or Local()).open(library, machine) as meter:
        *ticks, whole = meter.measure(0, turns, clocked=True)
        bandwidth, *rates = [r.count / meter.measure(i, ROOF_TURNS, clocked=True)[-1] for i, r in enumerate(roofs, 1)]
    peaks = dict(zip(kinds, rates, strict=True))
    timed = [
        _timed(call, count, seconds, peaks.get(found.get(call.node, Dot.FLOAT)), bandwidth)
        for (call, count), seconds in zip(calls, ticks, strict=True)
    ]
    names = {str(k): v for k, v in peaks.items()}
    return Profile(whole, tuple(timed), names, bandwidth, program.arena, len(program.constants))


def _timed(call: Call, count: int, seconds: float, peak: float | None, bandwidth: float) -> Timed:
    least = {"products": call.macs / peak if call.macs and peak else 0.0, "memory": call.bytes / bandwidth}
    bound = max(least, key=least.__getitem__)
    return Timed(
        call.node, call.kernel, seconds * count, count, call.macs, call.bytes, least[bound] * count, bound
    )  # fmt: skip


def peak(machine: Machine, kind: Dot, device: Device | None = None) -> float:
    """Measure products a second with everything in registers."""
    roof = _products(Graph((), ()), machine, kind)
    with (device or Local()).open(measuring_library([roof.program]), machine) as meter:
        return roof.count / meter.measure(0, ROOF_TURNS, clocked=True)[-1]


@dataclass(frozen=True, eq=False)
class _Roof:
    """A program that does ``count`` of something and nothing else."""

    program: Program
    count: int


def _products(graph: Graph, machine: Machine, kind: Dot) -> _Roof:
    """Products with everything in registers: 24 (or as many as fit) sums side by side.

    Where an addition follows a multiplication one operand is read anew, as LLVM takes products that do not change, and
    then whole sums, out of the loop.
    """
    if kind in (Dot.AMX, Dot.AMX_BF16):
        return _tiles(graph, machine, kind)
    lanes = max(machine.lanes // (2 if kind is Dot.LONG else 1), 1)
    dtype = ACCUMULATOR[kind]
    apart = kind in APART and not (kind is Dot.PAIRS and machine.has("avx512vnni"))
    sums, turns = max(4, machine.registers - 8), 20_000
    code = Code()
    x, y, out = (Parameter.pointer(n, dtype) for n in ("x", "y", "out"))
    assert x.memory is not None
    assert y.memory is not None
    assert out.memory is not None
    held = [code.local(dtype, lanes, "sum") for _ in range(sums)]
    for one in held:
        code.store(one, 0, const(0, dtype, lanes))
    a, b = code.let(x.memory.load(0, lanes)), code.let(y.memory.load(0, lanes))
    with code.loop(turns) as turn:
        for i, one in enumerate(held):
            other = x.memory.load((turn % ROWS + i) * lanes, lanes) if apart else a
            code.store(one, 0, dot(kind, machine, one.load(0, lanes), other, b))
    for i, one in enumerate(held):
        code.store(out.memory, i * lanes, one.load(0, lanes))
    kernel = function([x, y, out], code)
    return _Roof(
        _alone(graph, machine, kernel, (sums + ROWS) * lanes * WIDTHS[dtype] // 8), sums * lanes * GROUP[kind] * turns
    )


def _tiles(graph: Graph, machine: Machine, kind: Dot) -> _Roof:
    """Products of whole tiles, four sums side by side."""
    cut, turns = Cut(2 * ROWS_OF_TILE, ROW_BYTES), 20_000
    name = dot_name(*(("uint8", "int8") if kind is Dot.AMX else ("bfloat16", "bfloat16")))
    code = Code()
    x, y, out = (Parameter.pointer(n, "int32") for n in ("x", "y", "out"))
    assert out.memory is not None
    said = code.local("uint8", 64, "shapes")
    for i, byte in enumerate(shapes(cut, 2)):
        code.store(said, i, const(int(byte), "uint8"))
    code.add(Run(CONFIGURE, (said,)))
    for tile in range(8):
        code.add(Run("tile_zero", (const(tile),)))
    with code.loop(turns):
        for u in range(2):
            for v in range(2):
                code.add(Run(name, (const(2 * u + v), const(4 + u), const(6 + v))))
    for tile in range(SUMS):
        code.add(Run("tile_store", (const(tile), out.memory, const(tile * 256), const(ROW_BYTES))))
    code.add(Run("tile_release"))
    count = SUMS * PRODUCTS * GROUP[kind] // WORD * turns
    return _Roof(_alone(graph, machine, function([x, y, out], code), SUMS * 1024), count)


def _memory(graph: Graph, machine: Machine, size: int) -> _Roof:
    """Reads of ``size`` bytes, over and over: what a network reads most are weights."""
    lanes, side = machine.lanes, 8
    count = max(size // (4 * lanes * side), 2)
    turns = max(1, (32 << 20) // (4 * count * lanes * side))
    code = Code()
    x, y, out = (Parameter.pointer(n, "int32") for n in ("x", "y", "out"))
    assert x.memory is not None
    assert out.memory is not None
    held = [code.local("int32", lanes, "most") for _ in range(side)]
    for one in held:
        code.store(one, 0, const(0, "int32", lanes))
    with code.loop(turns) as turn, code.loop(count) as i:  # no turn can be left out: each reads other numbers
        for k, one in enumerate(held):
            read = x.memory.load((i * side + k) * lanes, lanes) ^ spread(turn, lanes)
            code.store(one, 0, maximum(one.load(0, lanes), read))
    for k, one in enumerate(held):
        code.store(out.memory, k * lanes, one.load(0, lanes))
    read_bytes = 4 * count * lanes * side
    return _Roof(_alone(graph, machine, function([x, y, out], code), read_bytes), read_bytes * turns)


def _alone(graph: Graph, machine: Machine, kernel: Function, size: int) -> Program:
    """Make a program of one kernel with three operands of ``size`` bytes; it has the ports of a graph."""
    step = -(-size // 64) * 64
    blocks = [Block(step, offset=i * step) for i in range(3)]
    call = Call("roof", tuple(map(Pointer, blocks)), 0, Node(Input("roof", (1,))))
    return Program(graph, machine, {"roof": kernel}, [call], blocks=blocks, arena=3 * step)

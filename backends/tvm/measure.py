"""How long each call of a network takes on this machine, and what bounds it.

The driver is built once more with a clock around every call. The roofline (S. Williams, A. Waterman and D. Patterson,
Roofline: an insightful visual performance model for multicore architectures, CACM 2009) is measured too: products of
the network's own kind with everything in registers, and memory of the size that the network works on, read in
vectors.
"""

import ctypes
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...graph import Graph, Node
from ..loops.code import Code, Function, Parameter, const, function, maximum, spread
from ..loops.contract import Contraction, contraction
from ..loops.kernels.products import ACCUMULATOR, dot
from ..loops.layout import interface_type
from ..loops.machine import GROUP, Dot, Machine
from ..loops.names import library_name
from ..loops.program import Call, Loop, Program, Statement, make_program
from ..loops.widths import WIDTHS
from ..zig import zig
from .build import FLAGS, compiled, kernels_object, lay_out
from .driver import Lines, prototypes
from .simulation import ALIGNMENT
from .targets import platform

TURNS = 30
"""Runs of the network of which the fastest time of each call counts."""

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


def profile(graph: Graph, machine: Machine, *, turns: int = TURNS) -> Profile:
    """Measure a network on this machine. Inputs are zeros: no kernel's time depends on its data."""
    program = make_program(graph, machine)
    name = library_name(graph)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        library = _with_clock(program, name, Path(folder))
        ticks, whole = _run(library, program, name, turns)
    kinds = {c.node: found.dot for c, _ in _calls(program.statements) if (found := _product(c, machine))}
    peaks = {kind: peak(machine, kind) for kind in sorted(set(kinds.values()))}
    bandwidth = _bandwidth(machine, program.arena + len(program.constants))
    calls = []
    for (call, count), seconds in zip(_calls(program.statements), ticks, strict=True):
        size = call.bytes
        kind = kinds.get(call.node, Dot.FLOAT)
        least = {
            "products": call.macs / peaks[kind] if call.macs and kind in peaks else 0.0,
            "memory": size / bandwidth,
        }
        bound = max(least, key=least.__getitem__)
        calls.append(
            Timed(call.node, call.kernel, seconds * count, count, call.macs, size, least[bound] * count, bound)
        )
    rates = {str(k): v for k, v in peaks.items()}
    return Profile(whole, tuple(calls), rates, bandwidth, program.arena, len(program.constants))


def _product(call: Call, machine: Machine) -> Contraction | None:
    """Describe the product that a call begins with."""
    node: Node | None = call.node
    while node is not None:
        if (found := contraction(node, machine)) is not None:
            return found
        node = next((i for i in node.inputs if i.shape == node.shape and i.inputs), None)
    return None


def _calls(statements: Sequence[Statement], count: int = 1) -> list[tuple[Call, int]]:
    """List the calls with how often one inference makes them."""
    found: list[tuple[Call, int]] = []
    for s in statements:
        if isinstance(s, Loop):
            found += _calls(s.body, count * s.steps)
        elif isinstance(s, Call):
            found.append((s, count))
    return found


class _Clocked(Lines):
    """Statements with a clock around every call."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(program, name)
        self.count = 0

    def call(self, s: Call, parallel: bool) -> list[str]:
        number, self.count = self.count, self.count + 1
        return ["begin = __builtin_readcyclecounter();", *super().call(s, False), f"note(ticks + {number}, begin);"]


def _with_clock(program: Program, name: str, folder: Path) -> ctypes.CDLL:
    """Build the library again with an entry that measures."""
    lay_out(compiled(program, name), folder)
    clocked = _Clocked(program, name)
    body = "\n        ".join(clocked.statements(program.statements, parallel=False))
    ins, outs = len(program.graph.inputs), len(program.graph.outputs)
    ports = [f"void *const in{i} = p[{i}];" for i in range(ins)] + [
        f"void *const out{i} = p[{ins + i}];" for i in range(outs)
    ]
    text = f"""#include <stdint.h>
#include <string.h>
extern const unsigned char {name}_constants[];
{chr(10).join(prototypes(program, name))}
static void note(uint64_t *least, uint64_t begin)
{{
    uint64_t spent = __builtin_readcyclecounter() - begin;
    if (spent < *least) *least = spent;
}}
uint64_t network_clock(void) {{ return __builtin_readcyclecounter(); }}
void network_profile(void *const *p, int turns, uint64_t *ticks)
{{
    {" ".join(ports)}
    unsigned char *const a = p[{ins + outs}], *const w = (unsigned char *){name}_constants;
    int32_t status[1] = {{0}};
    uint64_t begin;
    (void)a; (void)w; (void)status;
    for (int turn = 0; turn < turns; turn++) {{
        uint64_t start = __builtin_readcyclecounter();
        {body}
        note(ticks + {clocked.count}, start);
    }}
}}
"""
    (folder / "clocked.c").write_text(text)
    target = platform(program.machine.triple)
    common = ["cc", "-target", target.zig, *FLAGS, "-isystem", "shims", "-shared", "-nostdlib"]
    zig([*common, "clocked.c", "constants.S", "kernels.o", "-o", "clocked.so"], folder)
    return ctypes.CDLL(str(folder / "clocked.so"))


def _run(library: ctypes.CDLL, program: Program, name: str, turns: int) -> tuple[list[float], float]:
    sizes = [n.type.size * WIDTHS[interface_type(n)] // 8 for n in (*program.graph.inputs, *program.graph.outputs)]
    blocks = [np.zeros(size + ALIGNMENT, np.uint8) for size in (*sizes, max(program.arena, 1))]
    pointers = (ctypes.c_void_p * len(blocks))(*(b.ctypes.data + -b.ctypes.data % ALIGNMENT for b in blocks))
    count = len(_calls(program.statements))
    ticks = (ctypes.c_uint64 * (count + 1))(*([2**64 - 1] * (count + 1)))
    library.network_profile(pointers, turns, ticks)
    unit = _second(library)
    return [t / unit for t in ticks[:count]], ticks[count] / unit


def _second(library: ctypes.CDLL) -> float:
    """How many ticks of the processor's counter a second has."""
    library.network_clock.restype = ctypes.c_uint64
    begin, start = library.network_clock(), time.perf_counter()
    while time.perf_counter() - start < 0.05:
        pass
    return float((library.network_clock() - begin) / (time.perf_counter() - start))


def peak(machine: Machine, kind: Dot) -> float:
    """Measure products a second with everything in registers: 24 (or as many as fit) sums side by side.

    Where an addition follows a multiplication one operand is read anew, as LLVM takes products that do not change, and
    then whole sums, out of the loop.
    """
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
    seconds = _timed(function([x, y, out], code), machine, (sums + ROWS) * lanes, dtype)
    return sums * lanes * GROUP[kind] * turns / seconds


def _timed(kernel: Function, machine: Machine, size: int, dtype: str) -> float:
    """Compile one function and give the fastest of its runs."""
    program = Program(Graph((), ()), machine, {"peak": kernel})
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        (Path(folder) / "peak.o").write_bytes(kernels_object(program, "network"))
        target = platform(machine.triple)
        zig(["cc", "-target", target.zig, "-shared", "-nostdlib", "peak.o", "-o", "peak.so"], Path(folder))
        library = ctypes.CDLL(str(Path(folder) / "peak.so"))
    blocks = [np.zeros(size, dtype) for _ in range(3)]
    operands = [ctypes.c_void_p(b.ctypes.data) for b in blocks]
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        library.network_peak(*operands)
        best = min(best, time.perf_counter() - start)
    return best


def _bandwidth(machine: Machine, size: int) -> float:
    """Measure bytes read a second from ``size`` bytes, over and over: what a network reads most are weights."""
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
    seconds = _timed(function([x, y, out], code), machine, count * lanes * side, "int32")
    return 4 * count * lanes * side * turns / seconds

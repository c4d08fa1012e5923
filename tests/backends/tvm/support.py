"""Compile graphs for this machine, run them in guarded memory, and compare with ``evaluate``."""

import ctypes
import mmap
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.loops.program import make_program
from gatewright.backends.loops.schedule import Tile
from gatewright.backends.tvm.build import build
from gatewright.graph import Array, Format, Graph, Node, Op, Tensor, evaluate
from gatewright.graph.evaluate.run import surface_shape
from gatewright.graph.ops import Constant, Input, Output

ARENA_FILL = 0xAA
RELATIVE = 1e-5
"""How far real numbers may be off, of the greatest in a tensor; each of its own where they are compared one by one."""
SMALLEST = 2e-6
"""How far those may be off that are compared one by one and are nearly zero."""
Operand = Node | tuple[tuple[int, ...], Format] | Constant


def host() -> Machine:
    """What this machine is."""
    c = gatewright.boards()["host"].compiler
    assert c is not None
    return Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi)


def machines() -> dict[str, Machine]:
    """This machine, and those with fewer features whose code it runs too."""
    own = host()
    found = {"host": own, "scalars": replace(own, vector_bits=0)}
    if own.is_x86:
        found["v2"] = Machine("x86_64-linux-gnu", "x86-64-v2", (), 128)
        if own.cpu in ("x86-64-v3", "x86-64-v4"):
            found["v3"] = Machine("x86_64-linux-gnu", "x86-64-v3", (), 256)
    return found


MACHINES = machines()
each_machine = pytest.mark.parametrize(
    ("machine", "share"),
    [pytest.param("host", 3, id="host")]
    + [pytest.param(m, 1, id=f"{m}-all", marks=pytest.mark.slow) for m in MACHINES],
)
"""On this machine one case in three; by hand (``-m slow``) all of them on each. ``test_drawn`` tries some on each."""


class Guarded:
    """Memory between two pages that nobody may touch: it starts where the first ends, or ends where the second starts.

    Gaps up to the other page are zero, and stay so.
    """

    def __init__(self, size: int, *, at_end: bool) -> None:
        page = mmap.PAGESIZE
        length = max(-(-size // page), 1) * page
        self._memory = mmap.mmap(-1, length + 2 * page)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        library = ctypes.CDLL(None, use_errno=True)
        for start in (base, base + page + length):
            assert library.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(page), 0) == 0
        before = length - size if at_end else 0
        inside = np.frombuffer(self._memory, np.uint8, length, page)
        self.bytes = inside[before : before + size]
        self._gaps = inside[:before], inside[before + size :]
        self.address = base + page + before

    def untouched(self) -> bool:
        """Whether nothing was written into the gaps."""
        return not any(gap.any() for gap in self._gaps)


class Library:
    """A graph compiled for a machine, and loaded."""

    def __init__(self, graph: Graph, machine: Machine | None = None, tiles: Mapping[str, Tile] | None = None) -> None:
        self.graph = graph
        self.program = make_program(graph, machine or host(), tiles)
        name = library_name(graph)
        files = build(self.program, name).files
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"lib{name}.so"
            path.write_bytes(files[path.name])
            self._library = ctypes.CDLL(str(path))
        self._run = getattr(self._library, f"{name}_run_bound")
        self._run.argtypes = [ctypes.c_void_p]
        self._run.restype = ctypes.c_int

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
        """Feed stored numbers [batch, *shape] in the source's layout; give those of the outputs, and each status."""
        batch = len(inputs[0])
        pairs = zip(self.graph.inputs, inputs, strict=True)
        fed = [np.ascontiguousarray(v.astype(interface_type(n))) for n, v in pairs]
        made = [np.zeros((batch, *surface_shape(n)), interface_type(n)) for n in self.graph.outputs]
        ports = [[Guarded(v[0].nbytes, at_end=end) for v in (*fed, *made)] for end in (True, False)]
        arena = Guarded(self.program.arena, at_end=True)
        statuses = []
        for k in range(batch):
            own = ports[k % 2]
            arena.bytes[:] = ARENA_FILL
            for port, v in zip(own, fed, strict=False):
                port.bytes[:] = v[k : k + 1].reshape(-1).view(np.uint8)
            addresses = [*(p.address for p in own), arena.address]
            pointers = (ctypes.c_void_p * len(addresses))(*addresses)
            statuses.append(self._run(ctypes.addressof(pointers)))
            for port, v in zip(own[len(fed) :], made, strict=True):
                v[k : k + 1].reshape(-1).view(np.uint8)[:] = port.bytes
            for port, v in zip(own, fed, strict=False):
                assert np.array_equal(port.bytes, v[k : k + 1].reshape(-1).view(np.uint8)), "an input was written"
        assert all(p.untouched() for p in (*ports[0], *ports[1], arena)), "written outside of a tensor"
        return made, statuses


def stored(rng: np.random.Generator, tensor: Tensor, count: int) -> np.ndarray:
    """Draw stored integers [count, *shape]: the whole range, the extremes, and numbers near 0; or real numbers."""
    if not tensor.is_integer:
        return rng.normal(0, 2, (count, *tensor.shape)).astype(np.float32)
    low, high = (np.broadcast_to(b, tensor.shape) for b in tensor.quantized.bounds)
    drawn = rng.integers(low, high, (count, *tensor.shape), endpoint=True)
    zero = np.asarray(getattr(tensor.quantized.zero, "data", tensor.quantized.zero))
    near = np.clip(np.clip(rng.integers(-9, 9, drawn.shape) + zero, low, high), low, high)
    kind = rng.integers(0, 8, drawn.shape)
    return np.select([kind == 0, kind == 1, kind == 2], [low, high, near], drawn).astype(np.int64)


def in_source_layout(node: Node, v: np.ndarray) -> np.ndarray:
    """Bring [batch, *shape] of an input to the layout of the source."""
    op = node.op
    assert isinstance(op, Input)
    return v if op.axes is None else v.transpose(0, *(np.argsort(op.axes) + 1))


def vectors(graph: Graph, count: int, seed: int = 0) -> list[np.ndarray]:
    """Draw what the inputs are fed with, in the source's layout."""
    rng = np.random.default_rng(seed)
    return [in_source_layout(n, stored(rng, n.type, count)) for n in graph.inputs]


def expected(graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give what the outputs have to be."""
    found = evaluate(graph, inputs[0] if len(inputs) == 1 else list(inputs), integers=True)
    assert not isinstance(found, dict)
    return list(found) if isinstance(found, tuple) else [found]


def differences(
    graph: Graph, inputs: Sequence[np.ndarray], got: Sequence[np.ndarray], *, each: bool = False
) -> list[str]:
    """Say which outputs differ from ``evaluate``: integers at all, real numbers beyond rounding."""
    found = []
    for node, right, mine in zip(graph.outputs, expected(graph, inputs), got, strict=True):
        wrong = mine != right if node.type.is_integer else ~_near(mine, right, each)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            source, name = node.inputs[0], getattr(node.op, "name", "")
            formats = ", ".join(str(i.type) for i in source.inputs)
            what = f"{name}: {source.op} of {formats} -> {source.type}"
            where = f"{int(wrong.sum())} of {wrong.size} differ, first at {at}: {mine[at]}, not {right[at]}"
            found.append(f"{what}: {where}")
    return found


def _near(mine: np.ndarray, right: np.ndarray, each: bool) -> np.ndarray:
    """Whether real numbers are equal up to rounding; what is no number, or infinite, has to be so in both."""
    finite = np.isfinite(right)
    bound = RELATIVE * np.abs(right) + SMALLEST if each else RELATIVE * np.abs(right[finite]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return np.where(finite, np.abs(mine - right) <= bound, (mine == right) | (np.isnan(mine) & np.isnan(right)))


def check(
    graph: Graph, machine: Machine | str | None = None, *, inputs: Sequence[np.ndarray] | None = None, count: int = 8,
    seed: int = 0, each: bool = False, tiles: Mapping[str, Tile] | None = None,
) -> Library:
    """Compile, run and compare; ``inputs`` in the source's layout, drawn where they are not given.

    ``each``: real numbers are compared one by one, not as parts of a tensor; ``tiles``: by the description of a layer.
    """
    library = Library(graph, MACHINES[machine] if isinstance(machine, str) else machine, tiles)
    fed = list(inputs) if inputs is not None else vectors(graph, count, seed)
    got, statuses = library.run(fed)
    assert not any(statuses), statuses
    wrong = differences(graph, fed, got, each=each)
    assert not wrong, f"{len(wrong)} of {len(got)} outputs differ:\n" + "\n".join(wrong[:20])
    return library


@dataclass(frozen=True)
class Case:
    """One operation with a name, its inputs among ``inputs``."""

    name: str
    node: Node
    inputs: tuple[Node, ...]


def case(name: str, op: Op, *operands: Operand) -> Case:
    """Build one operation: each operand is a node, (shape, format) of an input, or a constant."""
    nodes = []
    for i, o in enumerate(operands):
        made = o if isinstance(o, Node) else Node(o if isinstance(o, Constant) else Input(f"{name}_x{i}", *o))
        nodes.append(made)
    return of(name, Node(op, tuple(nodes), where=name))


def of(name: str, node: Node) -> Case:
    """Build a case of all that a node is computed from."""
    found = Graph((), (Node(Output("y"), (node,)),)).nodes
    return Case(name, node, tuple(n for n in found if isinstance(n.op, Input)))


def sampled(cases: Iterable[Case], share: int) -> list[Case]:
    """Pick one case in ``share``, always the same ones."""
    found = list(cases)
    return found if share == 1 else [found[i] for i in np.random.default_rng(share).permutation(len(found))[::share]]


def joined(cases: Iterable[Case], name: str = "cases") -> Graph:
    """Put cases into one graph, each with inputs and an output of its own."""
    cases = list(cases)
    inputs = dict.fromkeys(i for c in cases for i in c.inputs)
    return Graph(tuple(inputs), tuple(Node(Output(c.name), (c.node,)) for c in cases), name)


def graphs_joined(graphs: Iterable[Graph], name: str = "graphs") -> Graph:
    """Put graphs side by side into one."""
    inputs: list[Node] = []
    outputs: list[Node] = []
    for k, graph in enumerate(graphs):
        new = {n: Node(replace(n.op, name=f"g{k}_{n.op.name}"), (), n.where) for n in graph.inputs}  # type: ignore[call-arg,attr-defined]
        for n in graph.nodes:
            if n not in new:
                new[n] = replace(n, inputs=tuple(new[i] for i in n.inputs))
        inputs += [new[n] for n in graph.inputs]
        outputs += [replace(new[o], op=replace(o.op, name=f"g{k}_{o.op.name}")) for o in graph.outputs]  # type: ignore[call-arg,attr-defined]
    return Graph(tuple(inputs), tuple(outputs), name)


def constant(values: object, format: Format) -> Constant:
    """Give a constant of stored integers."""
    return Constant(Array(np.asarray(values, np.int64)), format)


def real(values: object) -> Constant:
    """Give a constant of float32."""
    return Constant(Array(np.asarray(values, np.float32)))


def drawn(rng: np.random.Generator, shape: tuple[int, ...], format: Format) -> Constant:
    """Give a constant of any integers of a format."""
    low, high = format.bounds  # type: ignore[union-attr]
    return constant(rng.integers(np.broadcast_to(low, shape), np.broadcast_to(high, shape), endpoint=True), format)

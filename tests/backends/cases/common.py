"""What is put to the test on every back end for processors: cases in graphs, their inputs, what they must give."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.backends.loops.halves import fill, port_type
from gatewright.graph import Array, Format, Graph, Node, Op, Tensor, evaluate
from gatewright.graph.ops import Constant, Input, Output

RELATIVE = 1e-5
"""How far real numbers may be off, of the greatest in a tensor; each of its own where they are compared one by one."""
SMALLEST = 2e-6
"""How far those may be off that are compared one by one and are nearly zero."""
Operand = Node | tuple[tuple[int, ...], Format] | Constant


EDGE = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""How far apart, at most, neighbouring floats of 16 bits are, of their own size: rounding may end at either."""


def stored(rng: np.random.Generator, tensor: Tensor, count: int) -> np.ndarray:
    """Draw stored integers [count, *shape]: the whole range, the extremes, and numbers near 0; or real numbers."""
    if not tensor.is_integer:
        return tensor.format.rounded(rng.normal(0, 2, (count, *tensor.shape)))  # type: ignore[union-attr]
    low, high = (np.broadcast_to(b, tensor.shape) for b in tensor.quantized.bounds)
    drawn = rng.integers(low, high, (count, *tensor.shape), endpoint=True)
    zero = np.asarray(getattr(tensor.quantized.zero, "data", tensor.quantized.zero))
    near = np.clip(np.clip(rng.integers(-9, 9, drawn.shape) + zero, low, high), low, high)
    kind = rng.integers(0, 8, drawn.shape)
    return np.select([kind == 0, kind == 1, kind == 2], [low, high, near], drawn).astype(np.int64)


def in_memory(v: np.ndarray, dtype: str) -> np.ndarray:
    """Give stored numbers as they stand in memory of a type."""
    held = np.zeros(v.shape, port_type(dtype))
    fill(held, v, dtype)
    return held


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
        wrong = mine != right if node.type.is_integer else ~_near(mine, right, each, EDGE.get(str(node.type.format), 0))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            source, name = node.inputs[0], getattr(node.op, "name", "")
            formats = ", ".join(str(i.type) for i in source.inputs)
            what = f"{name}: {source.op} of {formats} -> {source.type}"
            where = f"{int(wrong.sum())} of {wrong.size} differ, first at {at}: {mine[at]}, not {right[at]}"
            found.append(f"{what}: {where}")
    return found


def _near(mine: np.ndarray, right: np.ndarray, each: bool, edge: float) -> np.ndarray:
    """Whether real numbers are equal up to rounding; what is no number, or infinite, has to be so in both."""
    finite = np.isfinite(right)
    bound = RELATIVE * np.abs(right) + SMALLEST if each else RELATIVE * np.abs(right[finite]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(mine - right) <= bound + (edge * np.abs(right) if edge else 0)
        return np.where(finite, near, (mine == right) | (np.isnan(mine) & np.isnan(right)))


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


@dataclass(frozen=True)
class Trial:
    """A graph and what it is fed with (None: ``count`` vectors are drawn); ``each``: see ``wrong``."""

    graph: Graph
    inputs: Sequence[np.ndarray] | None = None
    count: int = 8
    each: bool = False

    @property
    def fed(self) -> list[np.ndarray]:
        """What the inputs are fed with, in the source's layout."""
        return vectors(self.graph, self.count) if self.inputs is None else list(self.inputs)

    def wrong(self, got: Sequence[np.ndarray]) -> list[str]:
        """Say which outputs differ. ``each``: real numbers are compared one by one, not as parts of a tensor."""
        return differences(self.graph, self.fed, got, each=self.each)


ONCE: dict[str, Callable[[], Trial]] = {}
"""Trials that one machine is enough for."""
EVERYWHERE: dict[str, Callable[[int, int], Trial]] = {}
"""Trials for every machine: of one case in ``share``, drawn for the machine of a number."""
MANY: dict[str, tuple[Callable[[int], Trial], range]] = {}
"""Trials for whoever has time, and their seeds."""


def once(made: Callable[[], Trial]) -> Callable[[], Trial]:
    """Register a trial by its name."""
    assert made.__name__ not in ONCE
    ONCE[made.__name__] = made
    return made


def everywhere(made: Callable[[int, int], Trial]) -> Callable[[int, int], Trial]:
    """Register a trial by its name."""
    assert made.__name__ not in EVERYWHERE
    EVERYWHERE[made.__name__] = made
    return made


def many(seeds: range) -> Callable[[Callable[[int], Trial]], Callable[[int], Trial]]:
    """Register a trial by its name."""

    def registered(made: Callable[[int], Trial]) -> Callable[[int], Trial]:
        assert made.__name__ not in MANY
        MANY[made.__name__] = made, seeds
        return made

    return registered

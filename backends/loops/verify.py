"""The proof: an artefact's outputs against the graph's, integer by integer; floats within a tolerance."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ...graph import GatewrightError, Graph, NDArray, Node, evaluate
from ...graph.node import bodies
from ...graph.ops import Cast, Constant, Input, Output

TOLERANCE = 1e-5
"""Of the largest value of an output, in float32."""
SHORT = 1e-2
"""The same where floats of 16 bits are among what is computed: a value between two of them may fall to either."""
MIXED = 5e-2
"""The same where integers follow on floats: a value on the edge of two steps may fall to either side."""

MOVED = 2.0**-22
"""How far inputs are moved, of their largest value (1 at least), to see how much a graph amplifies rounding."""
AMPLIFIED = 8
"""How often what such moves change may lie between a graph and its artefact."""
FEW = 16
"""One vector in so many may be measured so: what differs on more of them is no matter of rounding."""


class Simulation(Protocol):
    """What runs an artefact: ``run`` as ``verify`` gives vectors; ``engine`` says what it is."""

    @property
    def engine(self) -> str:
        """Name it for reports."""
        ...

    def run(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Run on stored integers (or float32) [count, *shape] an input, in the graph's own layout; give the outputs."""
        ...


Again = Callable[[Graph], Simulation]
"""Compiles a graph as the one that is verified was compiled."""


def verify(
    graph: Graph, simulation: Simulation, vectors: Sequence[NDArray], again: Again | None = None
) -> dict[str, Any]:
    """Compare on ``vectors``: stored integers or float32 [count, *shape] an input, in the graph's own layout.

    With ``again`` the first layer that differs is found and named. Gives the manifest's entry: status exact or failed
    for integer outputs, close or failed for floats. Where a graph amplifies rounding on a few vectors (it divides by
    the deviation of numbers that are all alike), floats may differ by as much as small moves of its inputs change.
    """
    own = _in_own_layout(graph)
    wanted = _expected(own, vectors)
    got = simulation.run(vectors)
    entry: dict[str, Any] = {
        "status": "exact", "engine": simulation.engine, "vectors": len(vectors[0]), "mismatches": 0,
        "first_mismatch": None,
    }  # fmt: skip
    mixed = _mixed(graph)
    tolerance = MIXED if mixed else SHORT if _short(graph) else TOLERANCE
    for i, (node, a, b) in enumerate(zip(graph.outputs, wanted, got, strict=True)):
        if node.type.is_integer and not mixed:
            wrong = a != b
        else:
            away = _distance(a, b)
            worst = float(away[np.isfinite(away)].max(initial=0.0))
            entry |= {"status": "close", "tolerance": tolerance, "difference": max(worst, entry.get("difference", 0.0))}
            wrong = away > tolerance
            if wrong.any() and not (node.type.is_integer or graph.states):
                wrong &= away > tolerance + AMPLIFIED * _amplified(own, vectors, i, a, wrong)
        entry["mismatches"] += int(wrong.sum())
        if entry["first_mismatch"] is None and wrong.any():
            entry["first_mismatch"] = _located(graph, node, a, b, wrong, vectors, again)
    if entry["mismatches"]:
        entry["status"] = "failed"
    return entry


def _distance(wanted: NDArray, got: NDArray) -> NDArray:
    """How far numbers are apart, as a share of the largest that is finite; NaN and infinite values are equal to
    themselves and infinitely far from all else.
    """
    a, b = wanted.astype(np.float64), got.astype(np.float64)
    size = max(float(np.abs(a[np.isfinite(a)]).max(initial=0.0)), 1e-30)
    with np.errstate(invalid="ignore"):
        away = np.where(np.isfinite(a) & np.isfinite(b), np.abs(a - b) / size, np.inf)
    return np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, away)


def _amplified(own: Graph, vectors: Sequence[NDArray], output: int, wanted: NDArray, wrong: NDArray) -> NDArray:
    """How far small moves of the inputs move an output [count, 1, ...], as a share of its largest value; 0 for vectors
    on which nothing is wrong, and for all where they are many.
    """
    worst = np.zeros((len(wanted), *(1,) * (wanted.ndim - 1)))
    chosen = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(chosen) * FEW > len(wanted):
        return worst
    rng = np.random.default_rng(0)
    size = max(float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)), 1e-30)
    for _ in range(4):
        moved = [_moved(v[chosen], node.type.is_integer, rng) for v, node in zip(vectors, own.inputs, strict=True)]
        away = np.abs(_expected(own, moved)[output].astype(np.float64) - wanted[chosen]) / size
        most = np.where(np.isfinite(away), away, 0.0).reshape(len(chosen), -1).max(axis=1)
        worst[chosen] = np.maximum(worst[chosen], most.reshape(-1, *worst.shape[1:]))
    return worst


def _moved(values: NDArray, whole: bool, rng: np.random.Generator) -> NDArray:
    """Move real numbers by ``MOVED``, to either side; integers stay."""
    if whole or not values.size:
        return values
    step = MOVED * max(1.0, float(np.abs(values).max()))
    moved: NDArray = (values + rng.uniform(-step, step, values.shape)).astype(values.dtype)
    return moved


def _mixed(graph: Graph) -> bool:
    """Whether integers are made of computed floats somewhere."""
    return any(
        n.type.is_integer and not isinstance(n.op, Input)
        and any(not i.type.is_integer and not isinstance(i.op, Input | Constant) for i in n.inputs)
        for n in graph.nodes
    ) or any(_mixed(b) for n in graph.nodes for b in bodies(n.op))  # fmt: skip


def _short(graph: Graph) -> bool:
    """Whether floats are rounded to 16 bits somewhere."""
    return any(isinstance(n.op, Cast) or any(map(_short, bodies(n.op))) for n in graph.nodes)


def _in_own_layout(graph: Graph) -> Graph:
    """The same graph without the source's order of axes."""
    new: dict[Node, Node] = {
        n: replace(n, op=replace(n.op, axes=None)) if isinstance(n.op, Input) else n for n in graph.inputs
    }
    for node in graph.nodes:
        if node not in new:
            op = replace(node.op, axes=None) if isinstance(node.op, Output) else node.op
            new[node] = replace(node, op=op, inputs=tuple(new[i] for i in node.inputs))
    return graph.renewed(new)


def expected(graph: Graph, vectors: Sequence[NDArray]) -> list[NDArray]:
    """Give what a graph computes of stored integers or float32 [count, *shape] an input, all in its own layout."""
    return _expected(_in_own_layout(graph), vectors)


def _expected(own: Graph, vectors: Sequence[NDArray]) -> list[NDArray]:
    result = evaluate(own, list(vectors) if len(vectors) > 1 else vectors[0], integers=True)
    return list(result) if isinstance(result, tuple) else [np.asarray(result)]


def _located(
    graph: Graph, node: Node, a: NDArray, b: NDArray, wrong: NDArray, vectors: Sequence[NDArray], again: Again | None
) -> dict[str, Any]:
    """Name the first operation, in order, that differs on the first vector that does; the output where none does."""
    place = [int(i) for i in np.argwhere(wrong)[0]]
    vector = place[0]
    begin = 0 if graph.states else vector
    found = _first_layer(graph, [v[begin : vector + 1] for v in vectors], again) if again is not None else None
    if found is not None:
        return {"vector": vector, **found}
    at = tuple(place)
    return {
        "layer": node.where or graph.names[node], "vector": vector, "index": place[1:], "expected": _plain(a[at]),
        "got": _plain(b[at]),
    }  # fmt: skip


def _first_layer(graph: Graph, vectors: Sequence[NDArray], again: Again) -> dict[str, Any] | None:
    """Compile the network again with every operation's result as an output, and look which differs first on the last
    of some vectors.
    """
    shown = [n for n in graph.nodes if n.type.is_integer and not isinstance(n.op, Input | Constant | Output)]
    if not shown:
        return None
    own = _in_own_layout(replace(graph, outputs=tuple(Node(Output(f"n{i}"), (n,)) for i, n in enumerate(shown))))
    for node, wanted, got in zip(shown, _expected(own, vectors), again(own).run(vectors), strict=True):
        a, b = wanted[-1:], got[-1:]
        places = np.argwhere(a != b)
        if len(places):
            at = tuple(int(i) for i in places[0])
            layer = node.where or graph.names[node]
            return {"layer": layer, "index": list(at[1:]), "expected": _plain(a[at]), "got": _plain(b[at])}
    return None


def _plain(value: Any) -> int | float | str:
    """Give a number as JSON has it: NaN and infinite values as text."""
    if np.issubdtype(np.asarray(value).dtype, np.integer):
        return int(value)
    return float(value) if np.isfinite(value) else str(float(value))


STATUS = {
    1: ("an index lies outside of what it picks from", "check the samples"),
    2: ("divides whole numbers by zero", "keep zeros out of the samples, or add 1 to them"),
    3: ("the processor has no AMX, or the system does not let this process use it", "compile for x86-avx512"),
}
"""What a network's status means: the problem, and what to try."""


def own_axes(values: NDArray, port: Node) -> NDArray:
    """Undo the order of axes of a port: an input's values come in the source's layout, an output's in the graph's."""
    op = port.op
    assert isinstance(op, Input | Output)
    return values if op.axes is None else values.transpose(0, *(int(i) + 1 for i in np.argsort(op.axes)))


Once = Callable[[Sequence[NDArray]], tuple[Sequence[NDArray], int]]
"""Runs a network once on stored numbers [*shape] an input, in the source's layout; gives the outputs and the status."""


def run_each(graph: Graph, vectors: Sequence[NDArray], once: Once) -> list[NDArray]:
    """Run a network on stored numbers [count, *shape] an input, in the graph's own layout; give its outputs.

    Raises GatewrightError where the network says that something was wrong with its operands.
    """
    ins = [own_axes(v, n) for v, n in zip(vectors, graph.inputs, strict=True)]
    rows: list[list[NDArray]] = [[] for _ in graph.outputs]
    for k in range(len(ins[0])):
        outputs, status = once([v[k] for v in ins])
        if status:
            raise GatewrightError(STATUS[status][0], hint=STATUS[status][1])
        for row, output in zip(rows, outputs, strict=True):
            row.append(output.copy())
    found = [own_axes(np.stack(row), n) for row, n in zip(rows, graph.outputs, strict=True)]
    return [v.astype(np.int64) if n.type.is_integer else v for v, n in zip(found, graph.outputs, strict=True)]

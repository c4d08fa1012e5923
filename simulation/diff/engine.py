"""A graph against something that runs it: the compiled C simulation of its project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from ...graph import Graph, NDArray, Node, op_name, values_of
from ...graph.ops import Constant, Input, Output
from .difference import Difference, Statistics, TensorDifference, one_channel
from .sides import Side, apply, run_graph


@dataclass(frozen=True, eq=False)
class Traced:
    """What an engine gave: stored integers [samples, *shape] of the outputs, and of those nodes that it shows."""

    graph: Graph
    nodes: Mapping[Node, NDArray]


def compare_engine(graph: Graph, found: Traced, fed: Sequence[NDArray]) -> Difference:
    """Compare an engine with the graph that it runs, on ``fed`` (as in ``compare``): every bit.

    What an operation introduces is its result against the graph's operation on the engine's own operands.
    """
    side = run_graph(graph, fed)
    shown: dict[Node, NDArray] = {}
    tensors: list[TensorDifference] = []
    for node in graph.nodes:
        if isinstance(node.op, (Input, Constant)):
            shown[node] = side.stored[node]
            continue
        made = apply(node, [shown[i] for i in node.inputs])
        if node in found.nodes:
            tensors.append(_entry(node, side, made, found.nodes[node], _hidden(node, found)))
        shown[node] = found.nodes.get(node, made)
    left_out = tuple(
        n.where or graph.names[n]
        for n in side.computed
        if n not in found.nodes and not isinstance(n.op, (Input, Output))
    )
    return Difference(tuple(tensors), left_out, len(fed[0]))


def _hidden(node: Node, found: Traced) -> list[str]:
    """Name the operations before one whose results the engine does not show: the fault may be in any of them."""
    names: list[str] = []
    for i in node.inputs:
        if i not in found.nodes and not isinstance(i.op, (Input, Constant)):
            names += [*_hidden(i, found), f"{i.where} ({op_name(i.op)})"]
    return list(dict.fromkeys(names))


def _entry(node: Node, side: Side, made: NDArray, got: NDArray, hidden: list[str]) -> TensorDifference:
    should, found = (np.asarray(values_of(node, v), np.float64) for v in np.broadcast_arrays(made, got))
    apart = made != got
    shares = ((found - should) ** 2).reshape(-1, found.shape[-1]).mean(axis=0)
    place = tuple(int(i) for i in np.unravel_index(int(np.abs(found - should).argmax()), found.shape))
    differs = bool(np.any(apart))
    source = node.inputs[0] if isinstance(node.op, Output) else node
    name = source.where or side.graph.names[node]
    return TensorDifference(
        name=name, op=op_name(source.op), reference=name, shape=node.shape,
        formats=(str(node.type.format), str(node.type.format)),
        total=Statistics.of(side.real(node), found), introduced=Statistics.of(should, found),
        excess=inf if differs else 0.0, differs=differs,
        channel=one_channel(shares, shares > 0) if differs and node.shape else None,
        place=place, values=(float(should[place]), float(found[place])),
        why=(f"made in one step with {', '.join(hidden)}",) if differs and hidden else (),
    )  # fmt: skip

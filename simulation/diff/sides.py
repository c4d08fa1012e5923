"""One of the two graphs, run: the stored numbers of every node, and the same as real values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...graph import Graph, NDArray, Node, Quantized, ShapeError, Stream, Tensor, values_of
from ...graph.evaluate.kernel import Value, run
from ...graph.formats import Overflow, Rounding
from ...graph.numerics import quantize, requantize
from ...graph.ops import Constant, Input, Output


@dataclass(frozen=True, eq=False)
class Side:
    """A graph with the stored numbers of each node: [samples, *shape], or [1, *shape] for what reads no input."""

    graph: Graph
    stored: dict[Node, NDArray]

    def real(self, node: Node) -> NDArray:
        """The values of a node, float64."""
        return np.asarray(values_of(node, self.stored[node]), np.float64)

    @cached_property
    def computed(self) -> tuple[Node, ...]:
        """The nodes whose values depend on an input."""
        known: set[Node] = {*self.graph.inputs, *(s.entry for s in self.graph.states)}
        for node in self.graph.nodes:
            if any(i in known for i in node.inputs):
                known.add(node)
        return tuple(n for n in self.graph.nodes if n in known)


def run_graph(graph: Graph, fed: Sequence[NDArray]) -> Side:
    """Run a graph on one array [samples, *shape] an input: stored integers where it has an integer format, in the
    graph's own layout; the samples of a graph with states are steps.
    """
    if graph.states:
        return Side(graph, Stream(graph).nodes([v[None] for v in fed]))
    stored: dict[Node, NDArray] = dict(zip(graph.inputs, fed, strict=True))
    for node in graph.nodes:
        if node not in stored:
            stored[node] = apply(node, [stored[i] for i in node.inputs])
    return Side(graph, stored)


def apply(node: Node, operands: Sequence[NDArray]) -> NDArray:
    """Run one operation on stored numbers."""
    if isinstance(node.op, Output):
        return operands[0]
    with np.errstate(all="ignore"):
        return run(node.op, node.type, *(Value(i.type, v) for i, v in zip(node.inputs, operands, strict=True)))


def feed_both(a: Graph, b: Graph, fed: Sequence[NDArray]) -> list[NDArray]:
    """Give the inputs of B from those of A, in the graphs' own layout. Raises ShapeError where they do not fit."""
    if len(a.inputs) != len(b.inputs):
        raise ShapeError(f"A has {len(a.inputs)} inputs, B has {len(b.inputs)}", hint="compare versions of one network")
    names = [op.name for op in a.input_ops]
    places = {name: i for i, name in enumerate(names)}
    if sorted(op.name for op in b.input_ops) != sorted(names):
        places = {op.name: i for i, op in enumerate(b.input_ops)}
    result = []
    for node, op in zip(b.inputs, b.input_ops, strict=True):
        source = a.inputs[places[op.name]]
        if source.shape != node.shape:
            raise ShapeError(f"input {op.name!r} has shape {source.shape} in A, {node.shape} in B")
        result.append(entered(source, fed[places[op.name]], node, op))
    return result


def entered(source: Node, stored: NDArray, node: Node, op: Input) -> NDArray:
    """Bring the stored numbers of one input to the format of another."""
    if not node.type.is_integer:
        return np.asarray(values_of(source, stored)).astype(np.float32)
    if source.type.is_integer:
        if source.type.format == node.type.format:
            return stored
        centred, scale = source.type.quantized.centre(stored), source.type.quantized.scale
        return requantize(centred, scale, node.type.quantized, op.rounding, op.overflow)
    return quantize(stored, node.type.quantized, op.rounding, op.overflow)


def in_format(source: Tensor, stored: NDArray, target: Tensor) -> NDArray:
    """Bring stored numbers of one tensor to the format of another, to the nearest, within what the other can hold."""
    if not target.is_integer:
        real = source.quantized.centre(stored).astype(np.float64) if source.is_integer else stored
        return (real * _scales(source) if source.is_integer else real).astype(np.float32)
    if source.is_integer:
        if source.format == target.format:
            return within(target, stored)
        centred, scale = source.quantized.centre(stored), source.quantized.scale
        return within(target, requantize(centred, scale, target.quantized, Rounding.RND, Overflow.SAT))
    finite = np.nan_to_num(stored, nan=0.0, posinf=3e38, neginf=-3e38)
    return within(target, quantize(finite, target.quantized, Rounding.RND, Overflow.SAT))


def _scales(tensor: Tensor) -> NDArray:
    from ...graph.arrays import as_array

    return as_array(tensor.quantized.scale).astype(np.float64)


def within(tensor: Tensor, stored: NDArray) -> NDArray:
    """Bring stored integers into the proved interval of a tensor, on which the operations that read it rely."""
    low, high = tensor.interval
    centred = tensor.quantized.centre(stored)
    kept = np.clip(centred, low, high)
    return stored if np.array_equal(kept, centred) else _uncentred(tensor.quantized, kept)


def _uncentred(format: Quantized, centred: NDArray) -> NDArray:
    """Undo ``format.centre``."""
    from ...graph.arrays import as_array
    from ...graph.formats import Fixed

    if isinstance(format, Fixed):
        return np.asarray(centred >> (format.common_fraction - as_array(format.fraction)))
    return np.asarray(centred + as_array(format.zero_point))


def is_source(node: Node) -> bool:
    """Whether a node computes nothing."""
    return isinstance(node.op, (Input, Constant))

"""Feed a graph, run it in order, give its outputs in the source's layout."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..arrays import Ints, NDArray, as_array
from ..errors import GatewrightError, RangeError, ShapeError
from ..formats import HALF, Float, Quantized
from ..node import Graph, Node
from ..numerics import dequantize, quantize, requantize
from ..ops import Input, Output, Scan
from . import choose, linear, rest, scan, softmax  # noqa: F401 - they register the rules
from .kernel import Value, run

Inputs = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
Outputs = NDArray | tuple[NDArray, ...] | dict[str, NDArray]
CHUNK_BYTES = 64 << 20


def outputs_of(graph: Graph, fed: Sequence[NDArray]) -> list[NDArray]:
    """Compute the outputs of a graph without states: stored numbers [batch, *shape], fed as ``feed`` gives them."""
    batch, chunk = len(fed[0]), _chunk(graph)
    entries = [dict(zip(graph.inputs, (v[i : i + chunk] for v in fed), strict=True)) for i in range(0, batch, chunk)]
    parts = [ends_of(graph, given, graph.outputs, len(given[graph.inputs[0]])) for given in entries]
    return [np.concatenate([p[k] for p in parts]) for k in range(len(graph.outputs))]


def values_of(node: Node, stored: NDArray) -> NDArray:
    """Stored integers of a node -> real values (float64); floats stay as they are."""
    return dequantize(stored, node.type.quantized) if node.type.is_integer else stored


def feed(graph: Graph, x: Inputs, *, integers: bool = False) -> list[NDArray]:
    """Bring what a user passed to one array [batch, *shape] an input, in the graph's layout.

    Stored integers where the input has an integer format, else float32, rounded to its format. Raises ShapeError.
    """
    return fed_of(graph, by_input(graph, x), integers=integers)


def fed_of(graph: Graph, given: Sequence[npt.ArrayLike], *, integers: bool = False) -> list[NDArray]:
    """Do what ``feed`` does for arrays in the order of the inputs."""
    arrays = [
        _to_input(n, op, v, integers) for n, op, v in zip(graph.inputs, graph.input_ops, given, strict=True)
    ]
    batches = {len(a) for a in arrays}
    if len(batches) != 1:
        raise ShapeError(
            f"the inputs have batches of {sorted(batches)}", hint="give every input the same number of samples"
        )
    if not len(arrays[0]):
        raise ShapeError("no samples", hint="the first axis is the batch; it has length 0")
    return arrays


def by_input(graph: Graph, x: Inputs) -> list[npt.ArrayLike]:
    """Give what a user passed as one array an input, in order. Raises ShapeError."""
    names = [op.name for op in graph.input_ops]
    if isinstance(x, Mapping):
        if set(x) != set(names):
            raise ShapeError(f"inputs are called {', '.join(names)}; got {', '.join(map(str, x))}")
        return [x[name] for name in names]
    if len(names) == 1:
        return [_unwrapped(x, len(graph.inputs[0].shape) + 1)]
    if not isinstance(x, (list, tuple)) or len(x) != len(names):
        raise ShapeError(f"the model has {len(names)} inputs: {', '.join(names)}", hint="pass a list or {name: array}")
    return list(x)


def _unwrapped(x: Any, rank: int) -> npt.ArrayLike:
    """Give the one array [batch, *shape] of a sequence, or ``x`` where it is such an array itself."""
    try:
        wrapped = isinstance(x, (list, tuple)) and len(x) == 1 and np.ndim(x[0]) == rank
    except ValueError:  # ragged; what is wrong with it is said later
        wrapped = False
    return cast(npt.ArrayLike, x[0] if wrapped else x)


def _to_input(node: Node, op: Input, x: npt.ArrayLike, integers: bool) -> NDArray:
    shape = source_shape(op.shape, op.axes)
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"input {op.name!r} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"input {op.name!r} has type {array.dtype}", hint="give numbers")
    if not array.ndim or array.shape[1:] != shape:
        raise ShapeError(
            f"input {op.name!r} has shape {array.shape}, the model reads {('batch', *shape)}",
            hint=_missing_batch(op) if array.shape == shape else "",
        )
    if op.axes is not None:
        array = array.transpose(0, *(a + 1 for a in op.axes))
    if isinstance(op.format, Float):
        with np.errstate(over="ignore"):
            return op.format.rounded(array)
    if not integers:
        return _to_integers(op, op.format, array)
    low, high = op.format.bounds
    if array.dtype.kind == "f" or (array < low).any() or (array > high).any():
        raise ShapeError(
            f"input {op.name!r} is not integers of {op.format}", hint="leave integers=True out to pass real values"
        )
    return array.astype(np.int64)


def _missing_batch(op: Input) -> str:
    if op.whole:
        return "the model has no batch axis: a sample is its whole input; put an axis before it, x[None]"
    return "one sample needs a batch axis of length 1"


def _to_integers(op: Input, format: Quantized, array: NDArray) -> Ints:
    """Round real numbers, and whole ones exactly, to the format of an input; a strict one takes what it holds only."""
    where = f"input {op.name!r}"
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, which quantize refuses
            real = array.astype(np.float32)
        stored = quantize(real, format, op.rounding, op.overflow, where=where)
    elif array.size and int(array.max()) >= 2**63:
        raise RangeError("numbers of 64 bits without a sign", where=where, hint="numbers up to 2^63 - 1 can be fed")
    else:
        stored = requantize(array.astype(np.int64), Fraction(1), format, op.rounding, op.overflow)
    if op.strict and not np.array_equal(dequantize(stored, format), array):
        hint = "the model reads whole numbers; give numbers of that format"
        raise RangeError(f"numbers that {format} does not hold", where=where, hint=hint)
    return stored


def source_shape(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> tuple[int, ...]:
    """Give the shape in the source's layout of an input whose shape inside is ``shape``."""
    if axes is None:
        return shape
    return tuple(shape[axes.index(i)] for i in range(len(axes)))


def surface_shape(node: Node) -> tuple[int, ...]:
    """Give the shape of an input or output in the source's layout."""
    op = node.op
    assert isinstance(op, Input | Output)
    if isinstance(op, Input):
        return source_shape(node.shape, op.axes)
    return node.shape if op.axes is None else tuple(node.shape[a] for a in op.axes)


def give(graph: Graph, stored: Sequence[NDArray], asked: Inputs = (), *, integers: bool = False) -> Outputs:
    """Turn stored outputs (graph layout) into what a user gets: real values (or integers) in the source's layout."""
    results = []
    for node, op, value in zip(graph.outputs, graph.output_ops, stored, strict=True):
        value = value if integers else as_real(node, value)
        results.append(value.transpose(0, *(a + 1 for a in op.axes)) if op.axes is not None else value)
    if isinstance(asked, Mapping):
        return {op.name: r for op, r in zip(graph.output_ops, results, strict=True)}
    return results[0] if len(results) == 1 else tuple(results)


def as_real(node: Node, stored: NDArray) -> NDArray:
    """Real values: float16 where that is the format, float32 where it holds them all exactly, else float64."""
    if isinstance(node.type.format, Float):
        return stored.astype(np.float16) if node.type.format == HALF else stored
    width = int(as_array(node.type.quantized.width).max())
    return values_of(node, stored).astype(np.float32 if width <= 24 else np.float64)


def ends_of(graph: Graph, entries: Mapping[Node, NDArray], ends: Sequence[Node], batch: int) -> list[NDArray]:
    """Compute some ``Output`` nodes from the values of all ``Input`` nodes: [batch, *shape] each."""
    kept: dict[Node, NDArray] = {}
    left = {node: len(users) for node, users in graph.users.items()}
    live: dict[Node, NDArray] = {}
    for node, value in _steps(graph, entries, live):
        live[node] = value
        if isinstance(node.op, Output):
            kept[node] = value
        for i in set(node.inputs):
            left[i] -= 1
            if not left[i]:
                del live[i]
    return [np.broadcast_to(kept[o], (batch, *o.shape)) for o in ends]


def all_of(graph: Graph, entries: Mapping[Node, NDArray], batch: int) -> dict[Node, NDArray]:
    """Compute every node from the values of all ``Input`` nodes: [batch, *shape] each."""
    values: dict[Node, NDArray] = {}
    live: dict[Node, NDArray] = {}
    for node, value in _steps(graph, entries, live):
        live[node] = value
        values[node] = np.broadcast_to(value, (batch, *node.shape)) if value.shape[0] == 1 else value
    return values


def _steps(
    graph: Graph, entries: Mapping[Node, NDArray], live: Mapping[Node, NDArray]
) -> Iterator[tuple[Node, NDArray]]:
    for node in graph.nodes:
        if node in entries:
            yield node, entries[node]
            continue
        operands = [Value(i.type, live[i]) for i in node.inputs]
        try:
            yield node, run(node.op, node.type, *operands)
        except GatewrightError as error:
            raise type(error)(error.what, where=error.where or node.where, hint=error.hint) from None


def _chunk(graph: Graph) -> int:
    """How many samples to run at once so that a convolution's windows stay within CHUNK_BYTES."""
    return max(1, min(4096, CHUNK_BYTES // max(_largest(graph), 1)))


def _largest(graph: Graph) -> int:
    """Bytes of the largest array that one sample needs."""
    inside = [_largest(node.op.body) for node in graph.nodes if isinstance(node.op, Scan)]
    return max(*inside, *(8 * node.type.size * _taps(node) for node in graph.nodes))


def _taps(node: Node) -> int:
    """Elements of the window that one output position reads, relative to its channels."""
    if type(node.op).__name__ != "Conv":
        return 1
    weights = node.inputs[1].shape
    return max(1, int(np.prod(weights[:-1])) * getattr(node.op, "groups", 1) // weights[-1])

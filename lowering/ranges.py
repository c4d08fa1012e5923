"""What values a graph takes: seen on samples, beside what is proved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..graph import Graph, Inputs, NDArray, Node, Quantized, ShapeError, Stream, values_of
from ..graph.arrays import as_array
from ..graph.evaluate.kernel import Value
from ..graph.evaluate.scan import steps_of
from ..graph.ops import Input, Quantize, Scan

CHUNK = 64


@dataclass(frozen=True)
class Seen:
    """The least and greatest value of a tensor over the samples; how many saturated or wrapped, of how many."""

    low: float
    high: float
    clipped: int = 0
    count: int = 0

    def join(self, other: "Seen") -> "Seen":
        """Both together."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Seen(low, high, self.clipped + other.clipped, self.count + other.count)


def observe(graph: Graph, x: Inputs) -> dict[Node, Seen]:
    """Run samples (real values, batch first) and give for each node what was seen, in real values. The samples of a
    graph with states are steps, as ``evaluate`` takes them.
    """
    table: dict[Node, Seen] = {}
    for stream, part in _parts(graph, _arrays(graph, x)):
        with np.errstate(all="ignore"):  # who uses what was seen asks whether it is finite
            values = stream.trace(part)
        for node in values:
            _add(table, node, _seen(node, values, part))
            if isinstance(node.op, Scan):
                _inside(table, node.op, [Value(i.type, values[i]) for i in node.inputs])
    return table


def _parts(graph: Graph, samples: Mapping[str, NDArray]) -> Iterator[tuple[Stream, dict[str, NDArray]]]:
    """Give samples part by part, and what runs them: one that remembers for each stream."""
    ranks = [len(n.shape) + 2 for n in graph.inputs]
    several = bool(graph.states) and all(v.ndim == r for v, r in zip(samples.values(), ranks, strict=True))
    count = len(next(iter(samples.values())))
    for one in [{name: v[i] for name, v in samples.items()} for i in range(count)] if several else [dict(samples)]:
        stream = Stream(graph)
        for start in range(0, len(next(iter(one.values()))), CHUNK):
            yield stream, {name: v[start : start + CHUNK] for name, v in one.items()}


def _add(table: dict[Node, Seen], node: Node, seen: Seen) -> None:
    table[node] = table[node].join(seen) if node in table else seen


def _inside(table: dict[Node, Seen], op: Scan, operands: list[Value]) -> None:
    """Add what the nodes of a body take in any of its steps."""
    for _, values in steps_of(op, operands):
        for node in values:
            _add(table, node, _seen(node, values))
            if isinstance(node.op, Scan):
                _inside(table, node.op, [Value(i.type, values[i]) for i in node.inputs])


def _arrays(graph: Graph, x: Inputs) -> dict[str, NDArray]:
    """Check samples against the inputs and give one array an input, by name, in the source's layout."""
    for op, fed in zip(graph.input_ops, Stream(graph).feed(x), strict=True):
        if not np.isfinite(fed).all():
            raise ShapeError(f"samples of {op.name!r} hold NaN or infinite values", hint="leave those samples out")
    return _by_name(graph, x)


def _by_name(graph: Graph, x: Inputs) -> dict[str, NDArray]:
    names = [op.name for op in graph.input_ops]
    if isinstance(x, Mapping):
        return {name: np.asarray(x[name]) for name in names}
    if len(names) > 1:
        return dict(zip(names, map(np.asarray, x), strict=True))  # type: ignore[arg-type]
    array = np.asarray(x)
    wrapped = isinstance(x, (list, tuple)) and array.ndim == len(graph.inputs[0].shape) + 2
    return {names[0]: array[0] if wrapped and len(array) == 1 else array}


def _seen(node: Node, values: dict[Node, NDArray], samples: Mapping[str, NDArray] | None = None) -> Seen:
    real = values_of(node, values[node])
    low, high = float(real.min()), float(real.max())
    if not node.type.is_integer:
        return Seen(low, high)
    if isinstance(node.op, Input) and samples is not None and node.op.name in samples:
        fed = samples[node.op.name]
        before = fed if node.op.axes is None else fed.transpose(0, *(a + 1 for a in node.op.axes))
    elif isinstance(node.op, Quantize):
        source = node.inputs[0]
        before = values_of(source, values[source])
    else:
        return Seen(low, high)
    return Seen(low, high, _beyond(before, node.type.quantized), int(real.size))


def _beyond(before: NDArray, format: Quantized) -> int:
    """Count the values that lie more than half a unit outside of what the format holds: those that overflow changes."""
    scale = as_array(format.scale).astype(np.float64)
    low, high = (scale * format.centre(b) for b in format.bounds)
    return int(((before < low - scale / 2) | (before > high + scale / 2)).sum())

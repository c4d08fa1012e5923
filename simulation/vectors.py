"""Test vectors: what a project is verified on."""

import numpy as np

from ..graph import Graph, Inputs, NDArray, Node, Stream
from ..graph.arrays import as_array
from ..graph.ops import (
    Broadcast,
    Gather,
    GatherND,
    Input,
    Quotient,
    Remainder,
    Reshape,
    ScatterND,
    Slice,
    Take,
    TakeAlong,
    Transpose,
    Upsample,
)

SHARE_OF_SAMPLES = 2
"""One vector in so many may be a sample of the user's; the rest probe the whole input format."""


def make_vectors(graph: Graph, count: int = 512, *, samples: Inputs | None = None, seed: int = 0) -> list[NDArray]:
    """Give ``count`` test vectors an input: stored integers int64 [count, *shape] in the graph's own layout.

    In order: the extremes and zero, constant inputs, one-hot inputs (for several inputs together), up to half of all
    from ``samples`` (real
    values, batch first), and random integers over the whole input format. The same arguments give the same vectors.
    """
    given = Stream(graph).feed(samples) if samples is not None else None
    limits, below = index_limits(graph), divisors(graph)
    made = [
        _vectors(node, limits[node], count, None if given is None else given[k], np.random.default_rng([seed, k]))
        for k, node in enumerate(graph.inputs)
    ]
    return [_without_zeros(node, v) if node in below else v for node, v in zip(graph.inputs, made, strict=True)]


def divisors(graph: Graph) -> set[Node]:
    """Find the inputs of integers that something is divided by as they are: zero is none of their values."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, Quotient | Remainder) and node.type.is_integer:
            found.add(node.inputs[1])
        elif node in found and isinstance(node.op, MOVES):
            found.add(node.inputs[0])
    return {n for n in graph.inputs if n in found and n.type.is_integer}


def input_ranges(graph: Graph) -> list[tuple[int, int] | None]:
    """Give for each input the least and the greatest integer that all of its elements may be; None: real numbers."""
    limits, below = index_limits(graph), divisors(graph)
    return [_range(node, limits[node], node in below) for node in graph.inputs]


def _range(node: Node, limit: int | None, divides: bool) -> tuple[int, int] | None:
    if not node.type.is_integer:
        return None if limit is None else (0, limit - 1)
    format = node.type.quantized
    low, high = int(np.max(format.bounds[0])), int(np.min(format.bounds[1]))
    if limit is not None:
        low, high = max(low, 0), min(high, limit - 1)
    if not divides:
        return low, high
    least, greatest = int(np.min(as_array(format.zero))), int(np.max(as_array(format.zero)))
    return (greatest + 1, high) if greatest < high else (low, least - 1)


MOVES = (Reshape, Transpose, Slice, Gather, Broadcast, Upsample)


def _without_zeros(node: Node, vectors: NDArray) -> NDArray:
    """Put the least number above zero in the place of zeros, or the one below where there is none."""
    format = node.type.quantized
    zero = np.broadcast_to(as_array(format.zero), node.shape)
    other = np.where(zero < format.bounds[1], zero + 1, zero - 1)
    return np.where(vectors == zero, other, vectors)


def index_limits(graph: Graph) -> dict[Node, int | None]:
    """Give for each input the length of the shortest axis that it is an index of, None where it is no index.

    Whatever is between the input and the axis counts, unless it proves that its result is a place of the axis.
    """
    limits: dict[Node, int | None] = dict.fromkeys(graph.nodes)
    for node in reversed(graph.nodes):
        own = limits[node]
        for i, operand in enumerate(node.inputs):
            limit = _length(node) if i == 1 and isinstance(node.op, INDEXED) else own
            if limit is not None and not _proved(operand, limit):
                limits[operand] = min(limit, limits[operand] or limit)
    return {node: limits[node] for node in graph.inputs}


INDEXED = (Take, TakeAlong, GatherND, ScatterND)
"""Operations whose second operand holds places of the first."""


def _length(node: Node) -> int:
    axis = getattr(node.op, "axis", None)
    shape = node.inputs[0].shape
    return min(shape) if axis is None else shape[axis]


def _proved(node: Node, length: int) -> bool:
    if not node.type.is_integer:
        return False
    low, high = node.type.real_range or (0.0, 0.0)
    return low >= 0 and high < length


def _vectors(node: Node, limit: int | None, count: int, samples: NDArray | None, rng: np.random.Generator) -> NDArray:
    assert isinstance(node.op, Input)
    shape = node.shape
    if not node.type.is_integer:
        return _reals(shape, limit, count, samples, rng)
    low, high = (np.broadcast_to(b, shape).astype(np.int64) for b in node.type.quantized.bounds)
    if limit is not None:
        low, high = np.clip(low, 0, limit - 1), np.clip(high, 0, limit - 1)
    zero = np.clip(np.zeros(shape, np.int64), low, high)
    parts = [np.stack([low, high, zero]), _constants(low, high), _one_hot(low, high, count // 8, rng)]
    if samples is not None:
        parts.append(samples[: max(1, count // SHARE_OF_SAMPLES)])
    fixed = np.concatenate(parts)[:count]
    missing = max(0, count - len(fixed))
    random = rng.integers(low, high, size=(missing, *shape), dtype=np.int64, endpoint=True)
    return np.concatenate([fixed, random])


def _reals(
    shape: tuple[int, ...], limit: int | None, count: int, samples: NDArray | None, rng: np.random.Generator
) -> NDArray:
    """Zeros, ones, samples, and numbers of a normal distribution; whole ones where they are indices."""
    parts = [np.zeros((1, *shape)), np.ones((1, *shape))]
    if samples is not None:
        parts.append(samples[: max(1, count // SHARE_OF_SAMPLES)])
    fixed = np.concatenate(parts)[:count]
    rest = (max(0, count - len(fixed)), *shape)
    drawn = rng.standard_normal(rest) if limit is None else rng.integers(0, limit, rest)
    return np.concatenate([fixed, drawn]).astype(np.float32)


def _constants(low: NDArray, high: NDArray) -> NDArray:
    """The same value everywhere: the powers of two, up and down."""
    steps = [1 << k for k in range(0, 62, 3)]
    return np.stack(
        [np.clip(sign * step, low, high) for step in steps for sign in (1, -1) if step <= max(int(high.max()), 1)]
    )


def _one_hot(low: NDArray, high: NDArray, limit: int, rng: np.random.Generator) -> NDArray:
    """One element at its extreme, all others zero, at up to ``limit`` places."""
    places = np.arange(low.size) if low.size <= limit else np.sort(rng.choice(low.size, limit, replace=False))
    vectors = np.zeros((len(places), low.size), np.int64)
    ends = np.where(places % 2 == 0, high.ravel()[places], low.ravel()[places])
    vectors[np.arange(len(places)), places] = ends
    return vectors.reshape(len(places), *low.shape)

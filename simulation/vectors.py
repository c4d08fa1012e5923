"""Test vectors: what a project is verified on."""

import numpy as np

from ..graph import Graph, Inputs, NDArray, Node
from ..graph.evaluate import feed
from ..graph.ops import Input

SHARE_OF_SAMPLES = 2
"""One vector in so many may be a sample of the user's; the rest probe the whole input format."""


def make_vectors(graph: Graph, count: int = 512, *, samples: Inputs | None = None, seed: int = 0) -> list[NDArray]:
    """Give ``count`` test vectors an input: stored integers int64 [count, *shape] in the graph's own layout.

    In order: the extremes and zero, constant inputs, one-hot inputs (for several inputs together), up to half of all
    from ``samples`` (real
    values, batch first), and random integers over the whole input format. The same arguments give the same vectors.
    """
    given = feed(graph, samples) if samples is not None else None
    return [
        _vectors(node, count, None if given is None else given[k], np.random.default_rng([seed, k]))
        for k, node in enumerate(graph.inputs)
    ]


def _vectors(node: Node, count: int, samples: NDArray | None, rng: np.random.Generator) -> NDArray:
    assert isinstance(node.op, Input)
    shape = node.shape
    low, high = (np.broadcast_to(b, shape).astype(np.int64) for b in node.type.quantized.bounds)
    zero = np.zeros(shape, np.int64)
    parts = [np.stack([low, high, zero]), _constants(low, high), _one_hot(low, high, count // 8, rng)]
    if samples is not None:
        parts.append(samples[: max(1, count // SHARE_OF_SAMPLES)])
    fixed = np.concatenate(parts)[:count]
    missing = max(0, count - len(fixed))
    random = rng.integers(low, high, size=(missing, *shape), dtype=np.int64, endpoint=True)
    return np.concatenate([fixed, random])


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

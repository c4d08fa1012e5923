"""Attention as networks write it: scores of queries and keys, what is done to them, softmax, values."""

from collections.abc import Iterator

import numpy as np

from gatewright.graph import Node
from gatewright.graph.ops import (
    Add,
    Broadcast,
    Compare,
    Comparison,
    Gather,
    Input,
    MatMul,
    Mul,
    Relu,
    Reshape,
    Select,
    Slice,
    Softmax,
    Transpose,
)

from .common import Case, Trial, everywhere, joined, of, real, sampled


def heads(x: Node, count: int, *axes: int) -> Node:
    """Cut [token, channel] into heads."""
    tokens, width = x.shape
    return Node(Transpose(axes), (Node(Reshape((tokens, count, width // count)), (x,)),))


def merged(x: Node) -> Node:
    """Put heads [head, token, depth] side by side."""
    count, tokens, depth = x.shape
    return Node(Reshape((tokens, count * depth)), (Node(Transpose((1, 0, 2)), (x,)),))


def softened(scores: Node, values: Node, depth: int) -> Node:
    """Scale scores, and weigh values by their softmax."""
    scaled = Node(Mul(), (scores, Node(real(0.25 / depth))))
    return Node(MatMul(), (Node(Softmax(len(scores.shape) - 1), (scaled,)), values))


def fused(tokens: int, count: int, depth: int) -> Node:
    """Queries, keys and values are parts of one tensor; a bias for each head."""
    x = Node(Relu(), (Node(Input(f"fused{tokens}", (tokens, 3 * count * depth))),))
    parts = Node(Reshape((tokens, 3, count, depth)), (x,))
    q, k, v = (Node(Reshape((tokens, count, depth)), (Node(Gather(1, (i,)), (parts,)),)) for i in range(3))
    q, k, v = (Node(Transpose(axes), (n,)) for n, axes in ((q, (1, 0, 2)), (k, (1, 2, 0)), (v, (1, 0, 2))))
    q = Node(Mul(), (q, Node(real(0.2 / depth))))
    bias = Node(real(np.random.default_rng(0).normal(0, 1, (count, tokens, tokens))))
    scores = Node(Add(), (Node(MatMul(), (q, k)), bias))
    return merged(Node(MatMul(), (Node(Softmax(2), (scores,)), v)))


def separate(tokens: int, keys: int, count: int, depth: int, across: int) -> Node:
    """A tensor each; a mask of keys that is computed."""
    name = f"s{tokens}x{keys}x{depth}"
    q, k, v = (
        Node(Input(f"{name}{n}", shape))
        for n, shape in (("q", (tokens, count * depth)), ("k", (keys, count * depth)), ("v", (keys, count * across)))
    )
    mask = Node(Select(), (Node(Compare(Comparison.LESS), (Node(Input(f"{name}m", (1, keys))), Node(real(0)))),
                           Node(real(-1e9)), Node(real(0))))  # fmt: skip
    scores = Node(Add(), (Node(MatMul(), (heads(q, count, 1, 0, 2), heads(k, count, 1, 2, 0))), mask))
    return Node(Relu(), (softened(scores, heads(v, count, 1, 0, 2), depth),))


def causal(tokens: int, depth: int) -> Node:
    """No heads; later keys are left out by a choice."""
    q, k, v = (Node(Input(f"causal{n}{tokens}", (tokens, depth))) for n in "qkv")
    scores = Node(MatMul(), (q, Node(Transpose((1, 0)), (k,))))
    later = Node(real(np.triu(np.ones((tokens, tokens)), 1)))
    kept = Node(Select(), (Node(Compare(Comparison.LESS), (later, Node(real(0.5)))), scores, Node(real(-1e30))))
    return softened(kept, v, depth)


def causal_bias(tokens: int, keys: int, depth: int) -> Node:
    """Earlier keys than queries; later ones have a bias that leaves nothing of them."""
    name = f"bias{tokens}x{keys}"
    q, k, v = (Node(Input(f"{name}{n}", (count, depth))) for n, count in (("q", tokens), ("k", keys), ("v", keys)))
    scores = Node(Mul(), (Node(MatMul(), (q, Node(Transpose((1, 0)), (k,)))), Node(real(0.05))))
    later = Node(real(np.where(np.tri(tokens, keys, keys - tokens), 0.0, -1e9)))
    return Node(MatMul(), (Node(Softmax(1), (Node(Add(), (scores, later)),)), v))


def shared_keys(tokens: int, count: int, depth: int) -> Node:
    """One head of keys and values for all of queries."""
    q = Node(Input("sharedq", (count, tokens, depth)))
    k, v = (Node(Input(f"shared{n}", (1, tokens, depth))) for n in "kv")
    return softened(Node(MatMul(), (q, Node(Transpose((0, 2, 1)), (k,)))), v, depth)


def far_apart(tokens: int, depth: int, apart: int) -> Node:
    """Rows of keys and values share lines of a cache."""
    x = Node(Relu(), (Node(Input("apart", (tokens, apart))),))
    q, k, v = (
        Node(Slice((0, i * depth), (tokens, (i + 1) * depth), (1, 1)), (x,)) for i in range(3)
    )  # fmt: skip
    return softened(Node(MatMul(), (q, Node(Transpose((1, 0)), (k,)))), v, depth)


def read_twice(tokens: int, depth: int) -> Iterator[Node]:
    """The softmax is a result as well."""
    q, v = (Node(Input(f"twice{n}", (tokens, depth))) for n in "qv")
    scores = Node(MatMul(), (q, Node(Transpose((1, 0)), (q,))))
    softmax = Node(Softmax(1), (Node(Mul(), (scores, Node(real(0.1)))),))
    yield softmax
    yield Node(MatMul(), (softmax, v))


def repeated(tokens: int, count: int, depth: int) -> Node:
    """Keys that are repeated for each head, and values that are not moved at all."""
    q, v = (Node(Input(f"repeated{n}", (count, tokens, depth))) for n in "qv")
    k = Node(Broadcast((count, depth, tokens)), (Node(Input("repeatedk", (depth, tokens))),))
    return softened(Node(MatMul(), (q, k)), v, depth)


def cases() -> Iterator[Case]:
    """Shapes that fill blocks and tiles, and that do not."""
    for tokens, count, depth in ((37, 3, 8), (64, 2, 10), (9, 1, 3), (3, 2, 4)):
        yield of(f"fused{tokens}", fused(tokens, count, depth))
    for tokens, keys, count, depth, across in ((16, 16, 2, 16, 16), (21, 5, 2, 4, 19), (33, 70, 1, 7, 8)):
        yield of(f"separate{tokens}", separate(tokens, keys, count, depth, across))
    for tokens in (8, 25):
        yield of(f"causal{tokens}", causal(tokens, 12))
    for tokens, keys in ((40, 40), (17, 50)):
        yield of(f"causal_bias{tokens}", causal_bias(tokens, keys, 8))
    yield of("shared_keys", shared_keys(18, 4, 8))
    yield of("far_apart", far_apart(20, 8, 4096))
    yield of("repeated", repeated(17, 2, 9))
    for i, node in enumerate(read_twice(19, 5)):
        yield of(f"read_twice{i}", node)


@everywhere
def attention(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(), share)), count=3)

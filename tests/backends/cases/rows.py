"""Rows that are normalised, weighed and folded; what follows a product in registers; what a product's readers read."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Fixed, Node, Rounding
from gatewright.graph.ops import (
    Activation,
    Add,
    Dense,
    Div,
    Gather,
    Input,
    MatMul,
    Mul,
    Quantize,
    Reduce,
    Reduction,
    Reshape,
    Slice,
    Softmax,
    Sub,
    Transpose,
)

from .common import Trial, everywhere, joined, of, once, real, sampled
from .common import constant as stored

BYTES = Affine(8, True, Fraction(1, 16), 3)


def normalised(x: Node, rng: np.random.Generator) -> Node:
    """Layer normalisation as exporters write it."""
    n, last = x.shape[-1], (len(x.shape) - 1,)
    d = Node(Sub(), (x, Node(Reduce(Reduction.MEAN, last, True), (x,))))
    var = Node(Reduce(Reduction.MEAN, last, True), (Node(Mul(), (d, d)),))
    root = Node(Activation("rsqrt"), (Node(Add(), (var, Node(real(1e-3)))),))
    scale, shift = (Node(real(rng.normal(0, 1, n))) for _ in range(2))
    return Node(Add(), (Node(Mul(), (Node(Mul(), (d, root)), scale)), shift))


def log_softmax(x: Node) -> Node:
    """x - max - log(sum(exp(x - max)))."""
    last = (len(x.shape) - 1,)
    d = Node(Sub(), (x, Node(Reduce(Reduction.MAX, last, True), (x,))))
    total = Node(Reduce(Reduction.SUM, last, True), (Node(Activation("exp"), (d,)),))
    return Node(Sub(), (d, Node(Activation("log"), (total,))))


def in_parts(x: Node) -> Node:
    """Each row by the greatest of its sizes, and weighed: a group with a softmax behind another fold."""
    last = (len(x.shape) - 1,)
    most = Node(Reduce(Reduction.MAX, last, True), (Node(Activation("abs"), (x,)),))
    found = Node(Softmax(last[0]), (Node(Div(), (x, Node(Add(), (most, Node(real(0.5)))))),))
    return Node(Mul(), (found, Node(Activation("tanh"), (found,))))


@everywhere
def groups(share: int, number: int) -> Trial:
    rng, cases = np.random.default_rng(4), []
    for i, shape in enumerate([(5, 17), (3, 4, 33), (2, 300), (9, 16), (1, 7), (4, 2), (2, 3, 2, 64)]):
        x = Node(Input(f"x{i}", shape))
        whole = Node(Input(f"w{i}", shape, BYTES))
        cases += [
            of(f"norm{i}", normalised(x, rng)), of(f"twice{i}", Node(Add(), (normalised(x, rng), x))),
            of(f"weighed{i}", Node(Mul(), (Node(Softmax(len(shape) - 1), (x,)), Node(real(3.0))))),
            of(f"of_integers{i}", Node(Mul(), (Node(Softmax(len(shape) - 1), (whole,)), Node(real(3.0))))),
            of(f"log{i}", log_softmax(x)), of(f"parts{i}", in_parts(x)),
        ]  # fmt: skip
    graph = joined(sampled(cases, share))
    fed = [
        rng.normal(0, 2, (3, *n.shape)).astype(np.float32) if not n.type.is_integer
        else rng.integers(-128, 128, (3, *n.shape)) for n in graph.inputs
    ]  # fmt: skip
    return Trial(graph, inputs=fed)


@everywhere
def rejoined(share: int, number: int) -> Trial:
    """Operations that read a product twice, and meet again behind it."""
    rng, cases = np.random.default_rng(5), []
    for i, (rows, deep, wide) in enumerate([(1, 7, 9), (20, 16, 33), (37, 40, 64), (2, 3, 4)]):
        x = Node(Input(f"x{i}", (rows, deep)))
        w, b = Node(real(rng.normal(0, 0.4, (deep, wide)))), Node(real(rng.normal(0, 1, wide)))
        y = Node(Add(), (Node(Dense(), (x, w)), b))
        half = Node(Mul(), (y, Node(real(0.70710677))))
        more = Node(Add(), (Node(Activation("erf"), (half,)), Node(real(1.0))))
        gelu = Node(Mul(), (Node(Mul(), (y, more)), Node(real(0.5))))
        silu = Node(Mul(), (y, Node(Activation("sigmoid"), (y,))))
        cube = Node(Add(), (Node(Mul(), (Node(Mul(), (silu, silu)), silu)), silu))
        cases += [of(f"gelu{i}", gelu), of(f"silu{i}", silu), of(f"cube{i}", cube)]
    graph = joined(sampled(cases, share))
    return Trial(graph, inputs=[rng.normal(0, 1, (3, *n.shape)).astype(np.float32) for n in graph.inputs])


def weights(rng: np.random.Generator, shape: tuple[int, ...], scale: Fraction) -> Node:
    return Node(stored(rng.integers(-127, 128, shape), Affine(8, True, scale)))


def heads(rng: np.random.Generator, number: int, tokens: int, count: int, depth: int) -> Iterator[Node]:
    """Query, key and value of one product, picked apart, turned and multiplied, all of integers."""
    x = Node(Input(f"tokens{number}", (tokens, 24), BYTES, Rounding.RND_CONV))
    w = weights(rng, (24, 3 * count * depth), Fraction(1, 512))
    each = Node(Reshape((tokens, 3, count, depth)), (Node(Dense(), (x, w)),))
    picked = [Node(Reshape((tokens, count, depth)), (Node(Gather(1, (i,)), (each,)),)) for i in range(3)]
    formats = [Affine(8, True, Fraction(1, 7), zero) for zero in (0, -4, 9)]
    q, k, v = (Node(Quantize(f), (p,)) for f, p in zip(formats, picked, strict=True))
    scores = Node(MatMul(), (Node(Transpose((1, 0, 2)), (q,)), Node(Transpose((1, 2, 0)), (k,))))
    shares = Node(Quantize(Affine(8, False, Fraction(1, 2), 0)), (scores,))
    found = Node(MatMul(), (shares, Node(Transpose((1, 0, 2)), (v,))))
    turned = Node(Reshape((tokens, count * depth)), (Node(Transpose((1, 0, 2)), (found,)),))
    yield scores
    yield Node(Quantize(Affine(8, True, Fraction(40), 1)), (turned,))


@everywhere
def heads_of_integers(share: int, number: int) -> Trial:
    rng, cases = np.random.default_rng(6), []
    for i, (tokens, count, depth) in enumerate([(20, 2, 16), (33, 3, 64), (17, 1, 5), (40, 2, 70), (3, 2, 8)]):
        cases += [of(f"heads{i}_{j}", n) for j, n in enumerate(heads(rng, i, tokens, count, depth))]
    return Trial(joined(sampled(cases, share)), count=3)


@once
def filters_that_are_read_apart() -> Trial:
    """Slices of a product: some of its filters, all of them, filters that two read, rows, filters in another order."""
    rng, cases = np.random.default_rng(7), []
    cuts = [((0, 16), (16, 48)), ((0, 40),), ((0, 20), (10, 48)), ((0, 48), (0, 16)), ((3, 20), (30, 47))]
    for i, parts in enumerate(cuts):
        x = Node(Input(f"x{i}", (18, 9), BYTES))
        y = Node(Dense(), (x, weights(rng, (9, 48), Fraction(1, 64))))
        for j, (begin, end) in enumerate(parts):
            part = Node(Slice((0, begin), (18, end), (1, 1)), (y,))
            cases.append(of(f"part{i}_{j}", Node(Quantize(Fixed(8, 5), Rounding.RND_CONV), (part,))))
        if i == 4:
            cases.append(of("rows", Node(Slice((2, 0), (9, 48), (1, 1)), (y,))))
    x = Node(Input("turned", (18, 9), BYTES))
    y = Node(Reshape((18, 16, 3)), (Node(Dense(), (x, weights(rng, (9, 48), Fraction(1, 64)))),))
    cases += [of(f"every{i}", Node(Gather(2, (i,)), (y,))) for i in range(3)]
    return Trial(joined(cases), count=4)

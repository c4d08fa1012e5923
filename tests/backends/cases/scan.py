"""Recurrences: forwards, backwards, the last emission alone, one within another; of integers and of floats."""

from itertools import product

import numpy as np

from gatewright.graph import Affine, Fixed, Format, Graph, Node
from gatewright.graph.ops import (
    Activation,
    Add,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Mul,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Scan,
    Sub,
)
from gatewright.lowering import lower

from ...graph.test_scan import drawn as drawn_scan
from ...recurrent import lstm
from .common import Case, Trial, constant, drawn, everywhere, graphs_joined, joined, of, once, real, sampled

TURNS = list(product((False, True), (False, True)))


def entry(name: str, shape: tuple[int, ...], format: Format | None) -> Node:
    return Node(Input(name, shape) if format is None else Input(name, shape, format))


def brought(node: Node, format: Format | None) -> Node:
    return node if format is None else Node(Quantize(format), (node,))  # type: ignore[arg-type]


def swapped(name: str, shape: tuple[int, ...], format: Format | None, reverse: bool, last: bool) -> Case:
    """States that change places, one of them with the sequence added; the emission is a state."""
    x, a, b = (entry(n, shape, format) for n in "xab")
    total = brought(Node(Add(), (a, x)), format)
    body = Graph((x, a, b), (Node(Output("a"), (b,)), Node(Output("b"), (total,)), Node(Output("y"), (a,))))
    operands = entry(f"{name}_x", (5, *shape), format), *(entry(f"{name}_{n}", shape, format) for n in "ab")
    return of(name, Node(Scan(body, 5, 1, 2, reverse, last), operands))


def one_for_all(name: str, format: Format | None, reverse: bool, last: bool) -> Case:
    """The next state, a second one and the emission are the same tensor, which is computed from all operands."""
    x, a, b = (entry(n, (3,), format) for n in "xab")
    every = entry("every", (2, 3), format)
    weights = Node(real(np.random.default_rng(1).normal(0, 1, (3, 3))) if format is None
                   else drawn(np.random.default_rng(1), (3, 3), Fixed(4, 1)))  # fmt: skip
    summed = Node(Add(), (Node(Dense(), (x, weights)), Node(Reduce(Reduction.SUM, (0,)), (every,))))
    new = brought(Node(Relu(), (Node(Sub(), (Node(Add(), (summed, a)), b)),)), format)
    body = Graph((x, a, b, every), tuple(Node(Output(f"o{i}"), (new,)) for i in range(3)))
    operands = [entry(f"{name}_{i}", n.shape, format) for i, n in enumerate(body.inputs)]
    operands[0] = entry(f"{name}_0", (4, 3), format)
    return of(name, Node(Scan(body, 4, 1, 2, reverse, last), tuple(operands)))


def nested(name: str, reverse: bool, last: bool) -> Case:
    """A scan over rows in each step of a scan over images, with a convolution in both."""
    rng, format = np.random.default_rng(2), Fixed(8, 4)
    row, state = entry("row", (4, 3), format), entry("state", (4, 3), format)
    filtered = Node(Conv((1,), ((1, 1),), (1,)), (row, Node(drawn(rng, (3, 3, 3), Fixed(4, 1)))))
    new = brought(Node(Add(), (filtered, state)), format)
    inner = Graph((row, state), (Node(Output("s"), (new,)), Node(Output("y"), (new,))))
    image, outer = entry("image", (3, 4, 3), format), entry("outer", (4, 3), format)
    rows = Node(Scan(inner, 3, 1, 1, not reverse, False), (image, outer))
    pooled = Node(MaxPool((3, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)), (rows,))
    after = brought(Node(Add(), (Node(Reduce(Reduction.MAX, (0,)), (pooled,)), outer)), format)
    body = Graph((image, outer), (Node(Output("s"), (after,)), Node(Output("y"), (Node(Concat(0), (rows, pooled)),))))
    operands = entry(f"{name}_images", (2, 3, 4, 3), format), Node(drawn(rng, (4, 3), format))
    scan = Node(Scan(body, 2, 1, 1, reverse, last), operands)
    shape = scan.shape[-3:]
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1))
    if last:  # the convolution reads what the scan gives, with a border around it
        scan = Node(op, (scan, Node(drawn(rng, (3, 3, shape[-1], 2), Fixed(4, 1)))))
    return of(name, scan)


def plain(name: str, reverse: bool, last: bool) -> list[Case]:
    """No sequence, no state, single numbers, emissions that never change."""
    one = entry("s", (), Fixed(9, 7))
    new = brought(Node(Add(), (one, Node(constant(3, Fixed(4, 4))))), Fixed(9, 7))
    turns = Graph((one,), (Node(Output("s"), (new,)), Node(Output("y"), (Node(Mul(), (new, new)),))))
    x = entry("x", (2,), Affine(8, True, Fixed(1, 1).scale / 3, 5))
    each = Graph((x,), (Node(Output("y"), (Node(Relu(), (x,)),)),))
    same = Graph((x,), (Node(Output("y"), (Node(constant([1, -2, 3], Fixed(4, 4))),)),))
    operand = entry(f"{name}_x", (3, 2), x.type.quantized)
    return [
        of(f"{name}_turns", Node(Scan(turns, 6, 0, 1, reverse, last), (entry(f"{name}_s", (), Fixed(9, 7)),))),
        of(f"{name}_each", Node(Scan(each, 3, 1, 0, reverse, last), (operand,))),
        of(f"{name}_same", Node(Scan(same, 3, 1, 0, reverse, last), (operand,))),
        of(f"{name}_once", Node(Scan(each, 1, 1, 0, reverse, last), (entry(f"{name}_o", (1, 2), x.type.quantized),))),
    ]


def cases() -> list[Case]:
    found = []
    for i, (reverse, last) in enumerate(TURNS):
        for j, format in enumerate((Fixed(8, 4), Affine(8, True, Fixed(1, 1).scale / 3, -7), None, Fixed(40, 20))):
            for k, shape in enumerate(((), (1,), (17,), (2, 3))):
                found.append(swapped(f"swapped_{i}_{j}_{k}", shape, format, reverse, last))
            found.append(one_for_all(f"one_{i}_{j}", format if j != 3 else Fixed(12, 6), reverse, last))
        found += [nested(f"nested_{i}", reverse, last), *plain(f"plain_{i}", reverse, last)]
    return found


@everywhere
def scans(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(), share)), count=4)


@everywhere
def lowered_networks(share: int, number: int) -> Trial:
    """Gates of recurrent layers, as floats and as integers."""
    floats = [lstm(5, 3, 4, reverse=r, last=last) for r, last in TURNS]
    return Trial(graphs_joined([*floats, *(lower(g, precision="fixed<12,4>") for g in floats[::3])]), count=4)


@once
def drawn_scans() -> Trial:
    return Trial(graphs_joined([drawn_scan(seed)[0] for seed in range(30)]), count=4)


@once
def a_float_body_reads_integers() -> Trial:
    x, s = entry("x", (3,), None), entry("s", (3,), None)
    new = Node(Activation("tanh"), (Node(Add(), (x, s)),))
    body = Graph((x, s), (Node(Output("s"), (new,)), Node(Output("y"), (new,))))
    operands = entry("xs", (4, 3), Fixed(8, 3)), entry("start", (3,), Affine(8, True, Fixed(1, 1).scale / 3, 5))
    return Trial(joined([of("mixed", Node(Scan(body, 4, 1, 1), operands))]))

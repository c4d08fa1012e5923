"""Recurrences in C++: states, sequences and emissions of every shape, as arrays and as streams."""

import numpy as np
import pytest

from gatewright.backends.hls4ml.kernel import KERNEL_RULES
from gatewright.graph import Array, Fixed, Graph, Node
from gatewright.graph.ops import Add, Concat, Constant, Dense, Input, Mul, Output, Quantize, Reduce, Reduction, Scan
from gatewright.lowering import lower

from ...graph.drawn import Draw
from ...graph.test_scan import drawn
from ...recurrent import lstm
from .hls_driver import Case, Program, check, needs_gxx

pytestmark = needs_gxx


def of_graph(name: str, graph: Graph, node: Node) -> Case:
    """A case of the one scan in a graph, with nothing around it."""
    inputs = tuple(dict.fromkeys(i for i in node.inputs if isinstance(i.op, Input)))
    assert all(isinstance(i.op, (Input, Constant)) for i in node.inputs)
    return Case(name, Graph(inputs, (Node(Output("y"), (node,)),)), node, KERNEL_RULES[Scan](node))


def drawn_cases() -> list[Case]:
    found = []
    for seed in range(40):
        graph, scan = drawn(seed)
        if not graph.is_integer:
            continue
        if isinstance(scan.inputs[1].op, Quantize):  # a folded start
            start = Draw(seed).constant((3,), scan.inputs[1].type.quantized)
            scan = Node(scan.op, (scan.inputs[0], start, *scan.inputs[2:]))
        found.append(of_graph(f"drawn {seed}", graph, scan))
    return found


def lowered() -> list[Case]:
    found = []
    for reverse in (False, True):
        for last in (False, True):
            graph = lower(lstm(5, 3, 4, reverse=reverse, last=last), precision="fixed<12,4>")
            scan = next(n for n in graph.nodes if isinstance(n.op, Scan))
            found.append(of_graph(f"lstm {reverse} {last}", graph, scan))
    return found


def numbers(reverse: bool, last: bool) -> Case:
    """A sequence of single numbers, a state that is one number, an emission that is one number."""
    x, s = Node(Input("x", (), Fixed(5, 3))), Node(Input("s", (), Fixed(9, 7)))
    new = Node(Quantize(Fixed(9, 7)), (Node(Add(), (x, s)),))
    body = Graph((x, s), (Node(Output("s"), (new,)), Node(Output("y"), (Node(Mul(), (new, x)),))))
    sequence, start = Node(Input("x", (6,), Fixed(5, 3))), Node(Input("s", (), Fixed(9, 7)))
    scan = Node(Scan(body, 6, 1, 1, reverse, last), (sequence, start), "numbers")
    return of_graph(f"numbers {reverse} {last}", Graph((sequence, start), (Node(Output("y"), (scan,)),)), scan)


def images() -> Case:
    """Two sequences of matrices, one of them known; an emission that does not change, and one state less than that."""
    format = Fixed(4, 2)
    a, b = Node(Input("a", (2, 3), format)), Node(Input("b", (2, 3), format))
    s = Node(Input("s", (3,), Fixed(8, 6)))
    total = Node(Reduce(Reduction.SUM, (0,)), (Node(Mul(), (a, b)),))
    new = Node(Quantize(Fixed(8, 6)), (Node(Add(), (s, total)),))
    known = Node(Constant(Array(np.arange(6).reshape(2, 3)), Fixed(4, 4)))
    emitted = Node(Concat(0), (a, known))
    body = Graph((a, b, s), (Node(Output("s"), (new,)), Node(Output("y"), (emitted,))))
    draw = Draw(5)
    sequence = Node(Input("a", (4, 2, 3), format))
    operands = (sequence, draw.constant((4, 2, 3), format), draw.constant((3,), Fixed(8, 6)))
    scan = Node(Scan(body, 4, 2, 1), operands, "images")
    return of_graph("images", Graph((sequence,), (Node(Output("y"), (scan,)),)), scan)


def no_sequence() -> Case:
    """A fixed number of turns on a state."""
    s = Node(Input("s", (4,), Fixed(8, 3)))
    new = Node(Quantize(Fixed(8, 3)), (Node(Dense(), (s, Draw(1).constant((4, 4), Fixed(4, 1)))),))
    body = Graph((s,), (Node(Output("s"), (new,)), Node(Output("y"), (s,))))
    start = Node(Input("s", (4,), Fixed(8, 3)))
    scan = Node(Scan(body, 3, 0, 1), (start,), "turns")
    return of_graph("turns", Graph((start,), (Node(Output("y"), (scan,)),)), scan)


def test_scans(tmp_path_factory: pytest.TempPathFactory) -> None:
    cases = [*drawn_cases(), *lowered(), images(), no_sequence()]
    cases += [numbers(reverse, last) for reverse in (False, True) for last in (False, True)]
    program = Program(cases, tmp_path_factory.mktemp("scan"))
    rng = np.random.default_rng(0)
    for index in range(len(cases)):
        check(program, index, rng)

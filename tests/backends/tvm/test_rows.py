"""Which reductions, layers and moves are one step, and what quantizes behind them."""

from fractions import Fraction

import numpy as np
import pytest

from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.program import Program, calls_of
from gatewright.graph import Affine, Graph, Node, op_name
from gatewright.graph.formats import FLOAT
from gatewright.graph.ops import (
    Activation,
    Add,
    Dense,
    Div,
    Gather,
    Input,
    Mul,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Reshape,
    Softmax,
    Sub,
)

from ..cases import rows
from ..cases.common import expected, real
from .support import MACHINES, Library

AVX2 = Machine("x86_64-linux-gnu", "x86-64-v3", (), 256)
BYTES = Affine(8, True, Fraction(1, 16), 3)


def graph_of(*nodes: Node) -> Graph:
    found = Graph((), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(nodes)))
    return Graph(tuple(n for n in found.nodes if isinstance(n.op, Input)), found.outputs)


def steps(made: Program) -> list[str]:
    return [op_name(call.node.op) for call, _ in calls_of(made.statements)]


def test_a_normalised_row_is_one_step() -> None:
    x, rng = Node(Input("x", (5, 40))), np.random.default_rng(0)
    made = make_program(graph_of(Node(Quantize(BYTES), (rows.normalised(x, rng),))), AVX2)
    assert steps(made) == ["quantize"]
    assert made.arena == 0


def test_a_group_behind_many_short_cuts_is_found_at_once() -> None:
    """A softmax spelt out, and a sum that meets again, behind 60 sums that each read what is before them twice."""
    x = Node(Input("x", (4, 24)))
    for _ in range(60):
        x = Node(Add(), (x, Node(Mul(), (x, Node(real(0.5))))))
    largest = Node(Reduce(Reduction.MAX, (1,), True), (x,))
    power = Node(Activation("exp"), (Node(Sub(), (x, largest)),))
    share = Node(Div(), (power, Node(Reduce(Reduction.SUM, (1,), True), (power,))))
    y = Node(Dense(), (share, Node(real(np.eye(24)))))
    made = make_program(graph_of(Node(Add(), (Node(Mul(), (y, y)), Node(Mul(), (y, x))))), AVX2)
    assert steps(made)[-2:] == ["div", "add"]


def test_rows_that_others_read_are_ends() -> None:
    x, rng = Node(Input("x", (5, 40))), np.random.default_rng(0)
    norm = rows.normalised(x, rng)
    assert steps(make_program(graph_of(norm, Node(Mul(), (norm, Node(real(2.0))))), AVX2)) == ["add", "mul", "add"]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("end", ["norm", "softmax", "integers", "gelu"])
def test_what_is_quantized_behind_rows_is_a_step_off_at_most(machine: str, end: str) -> None:
    rng = np.random.default_rng(1)
    x = Node(Input("x", (20, 72), BYTES if end == "integers" else FLOAT))
    made = rows.normalised(x, rng) if end == "norm" else _gelu(x, rng) if end == "gelu" else Node(Softmax(1), (x,))
    graph = graph_of(Node(Quantize(BYTES if end in ("norm", "gelu") else Affine(8, False, Fraction(1, 256))), (made,)))
    shape = (4, 20, 72)
    fed = rng.integers(-128, 128, shape) if end == "integers" else rng.normal(0, 2, shape).astype(np.float32)
    (got,), statuses = Library(graph, MACHINES[machine]).run([fed])
    (wanted,) = expected(graph, [fed])
    assert not any(statuses)
    away = np.abs(np.asarray(got, np.int64) - np.asarray(wanted, np.int64))
    assert away.max() <= 1
    assert (away > 0).mean() < 1e-3


def _gelu(x: Node, rng: np.random.Generator) -> Node:
    y = Node(Add(), (Node(Dense(), (x, Node(real(rng.normal(0, 0.2, (72, 48)))))), Node(real(rng.normal(0, 1, 48)))))
    more = Node(Add(), (Node(Activation("erf"), (Node(Mul(), (y, Node(real(0.7071)))),)), Node(real(1.0))))
    return Node(Mul(), (Node(Mul(), (y, more)), Node(real(0.5))))


def test_a_product_that_is_read_in_parts_is_cut() -> None:
    """Each part is quantized where it is summed; the tensor of all filters is never there."""
    x = Node(Input("x", (32, 24), BYTES))
    w = rows.weights(np.random.default_rng(2), (24, 96), Fraction(1, 64))
    each = Node(Reshape((32, 3, 32)), (Node(Dense(), (x, w)),))
    parts = [Node(Quantize(BYTES), (Node(Reshape((32, 32)), (Node(Gather(1, (i,)), (each,)),)),)) for i in range(3)]
    made = make_program(graph_of(*parts), AVX2)
    macs = [call.macs for call, _ in calls_of(made.statements) if call.macs]
    assert macs == [32 * 24 * 32] * 3
    assert all(step in ("quantize", "reshape", "input") for step in steps(made))
    assert made.arena < 32 * 96 * 4


def test_heads_are_packed_where_they_are_computed() -> None:
    """No step but products, and what packs their operands."""
    made = make_program(graph_of(*rows.heads(np.random.default_rng(3), 0, 33, 3, 64)), AVX2)
    assert set(steps(made)) <= {"input", "quantize", "mat_mul", "reshape", "transpose"}
    assert steps(made).count("transpose") == 0

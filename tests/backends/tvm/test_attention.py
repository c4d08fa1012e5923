"""Which products and softmax are one step, and what stands in memory then."""

from gatewright.backends.loops.attention import attentions
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.program import Program, calls_of
from gatewright.graph import Graph, Node, op_name
from gatewright.graph.ops import Input, Output

from ..cases import attention

AVX2 = Machine("x86_64-linux-gnu", "x86-64-v3", (), 256)


def program(*nodes: Node) -> Program:
    found = Graph((), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(nodes)))
    inputs = tuple(n for n in found.nodes if isinstance(n.op, Input))
    return make_program(Graph(inputs, found.outputs), AVX2)


def steps(made: Program) -> list[str]:
    return [op_name(call.node.op) for call, _ in calls_of(made.statements)]


def test_heads_of_one_tensor_are_read_and_merged_without_a_move() -> None:
    made = program(attention.fused(256, 3, 16))
    assert steps(made) == ["relu", "reshape"]
    assert made.arena < 3 * 256 * 256 * 4  # what the scores alone would take


def test_rows_that_share_lines_of_a_cache_are_moved() -> None:
    assert steps(program(attention.far_apart(20, 8, 4096)))[1:-1] == ["transpose", "slice"]
    assert len(steps(program(attention.far_apart(20, 8, 4096 + 16)))) == 2


def test_scores_that_others_read_and_few_queries_stay_apart() -> None:
    assert "softmax" in steps(program(*attention.read_twice(19, 5)))
    assert "softmax" in steps(program(attention.fused(7, 1, 4)))
    assert "softmax" not in steps(program(attention.fused(8, 1, 4)))


def test_masks_of_later_keys_are_seen() -> None:
    def causal(node: Node) -> bool:
        (found,) = attentions(Graph((), (Node(Output("y"), (node,)),)), AVX2).values()
        return found.causal

    assert causal(attention.causal_bias(40, 40, 8))
    assert causal(attention.causal_bias(17, 50, 8))
    assert not causal(attention.causal_bias(50, 17, 8))  # the first queries have no key
    assert not causal(attention.fused(37, 3, 8))

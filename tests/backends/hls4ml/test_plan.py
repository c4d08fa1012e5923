"""Which layers a graph becomes: complete tables, merged quantizers, forked streams, refusals by name."""

import numpy as np
import pytest

from gatewright.backends.hls4ml import Options, kernels, missing
from gatewright.backends.hls4ml.kernel import KERNEL_RULES
from gatewright.backends.hls4ml.layers import NATIVE
from gatewright.backends.hls4ml.linear import linear
from gatewright.backends.hls4ml.plan import REASONS, STRUCTURE, Plan, make_plan
from gatewright.graph import (
    Array,
    Fixed,
    GatewrightError,
    Graph,
    ManyErrors,
    Node,
    Overflow,
    Rounding,
    UnsupportedError,
)
from gatewright.graph.ops import (
    OPS,
    Activation,
    Add,
    Constant,
    Conv,
    Dense,
    Input,
    Quantize,
    Relu,
    Reshape,
    Softmax,
)

from .networks import Draw, graph, jet_tagger

assert kernels


def plan(graph: Graph, **asked: object) -> Plan:
    return make_plan(graph, Options("xc7z020clg400-1", **asked))  # type: ignore[arg-type]


def kinds(found: Plan) -> list[str]:
    return [layer.kernel.function if layer.kernel else layer.kind for layer in found.layers]


def test_each_operation_has_a_rule_or_a_reason() -> None:
    ruled = set(NATIVE) | set(KERNEL_RULES) | set(STRUCTURE)
    assert not ruled & set(REASONS)
    assert ruled | set(REASONS) == set(OPS.values())
    assert all(REASONS.values())


def test_quantizers_become_the_result_types() -> None:
    found = plan(jet_tagger())
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("fc0", "Dense"), ("relu0", "Activation"), ("fc1", "Dense"), ("relu1", "Activation"), ("fc2", "Dense"),
        ("relu2", "Activation"), ("fc3", "Dense"),
    ]  # fmt: skip
    relu = found.layers[1].output.type
    assert (relu.format, relu.rounding, relu.overflow) == (Fixed(6, 0, False), Rounding.RND_CONV, Overflow.SAT)
    dense = found.layers[0]
    assert dense.types["accum"] == dense.output.type
    assert dense.types["weight"].format == Fixed(6, 1)


def test_a_tensor_with_two_readers_keeps_its_quantizers() -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    relu = Node(Relu(), (x,), "relu")
    q = [Node(Quantize(Fixed(w, 2)), (relu,), f"q{w}") for w in (3, 4)]
    assert kinds(plan(graph([x], q))).count("Activation") == 1
    assert len(plan(graph([x], q)).layers) == 3


def test_weights_are_carried_without_their_common_zeros() -> None:
    x = Node(Input("x", (2,), Fixed(8, 3)), (), "x")
    w = Node(Constant(Array(np.array([[8, -16], [24, 0]])), Fixed(8, 2)))
    b = Node(Constant(Array(np.array([3, 1])), Fixed(16, 4)))
    found = linear(Node(Dense(), (x, w, b), "dense"))
    assert found is not None
    assert found.matrix.type.format == Fixed(3, 0)
    assert found.matrix.reals.tolist() == [[0.125, -0.25], [0.375, 0.0]]
    assert found.bias.reals.tolist() == [3 / 4096, 1 / 4096]
    assert found.accumulator.fraction == 12


def test_a_view_takes_no_quantizer() -> None:
    x = Node(Input("x", (4,), Fixed(8, 3)), (), "x")
    view = Node(Reshape((2, 2)), (x,), "view")
    found = plan(graph([x], [Node(Quantize(Fixed(5, 1)), (view,), "q")]))
    assert [(layer.kind, layer.output.type.format) for layer in found.layers] == [
        ("Reshape", Fixed(8, 3)), ("GatewrightKernel", Fixed(5, 1)),
    ]  # fmt: skip
    kept = plan(graph([x], [Node(Quantize(Fixed(5, 1)), (view,), "q")]), io="stream")
    assert [layer.output.type.format for layer in kept.layers] == [Fixed(5, 1)]


@pytest.mark.parametrize(("readers", "forks"), [(1, 0), (2, 1), (4, 1), (5, 2), (9, 3)])
def test_streams_are_forked_and_arrays_only_between_processes(readers: int, forks: int) -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    outputs = [Node(Dense(), (x, Draw(i).constant((3, 2))), f"d{i}") for i in range(readers)]
    found = plan(graph([x], outputs), io="stream")
    assert kinds(found).count("fork") == forks
    read = [wire.name for layer in found.layers for wire in layer.inputs]
    assert len(read) == len(set(read))
    assert kinds(plan(graph([x], outputs), io="parallel")).count("fork") == 0
    looped = plan(graph([x], outputs), io="parallel", strategy="resource")
    assert looped.dataflow
    assert kinds(looped).count("fork") == forks


def test_a_sum_of_a_tensor_with_itself_is_forked() -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    assert kinds(plan(graph([x], [Node(Add(), (x, x), "twice")]), io="stream")) == ["fork", "Merge"]


def grouped(channels: int) -> Graph:
    """A convolution that hls4ml has not: in groups of four channels."""
    op = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), groups=channels // 4)
    x = Node(Input("x", (4, 4, channels), Fixed(8, 3)), (), "x")
    return graph([x], [Node(op, (x, Draw(1).constant((3, 3, 4, channels))), "conv")])


def test_kernels_have_reuse_factors_too() -> None:
    small, large = grouped(8), grouped(256)
    assert plan(small, io="stream").schedules["conv"].reuse_factor == 1
    assert not plan(small, io="stream").notes
    found = plan(large, io="stream")
    assert found.schedules["conv"].reuse_factor == 3  # 3 * 3 * 4 * 256 = 9,216 products
    assert "9,216 products are too many to unroll, reuse factor 3" in found.notes[0]
    assert plan(large, io="stream", reuse_factor=6).schedules["conv"].reuse_factor == 6
    assert plan(large, io="parallel").schedules["conv"].reuse_factor == 9  # of 2 * 2 places at once
    assert plan(large, io="parallel").dataflow
    assert not plan(small, io="parallel").dataflow


def test_outputs_have_variables_of_their_own() -> None:
    x = Node(Input("x", (4,), Fixed(8, 3)), (), "x")
    relu, shaped = Node(Relu(), (x,), "relu"), Node(Reshape((2, 2)), (x,), "shaped")
    for io in ("parallel", "stream"):
        found = plan(graph([x], [x, relu, relu, shaped]), io=io)
        names = [wire.name for wire in found.outputs]
        assert len(set(names)) == 4
        assert not {wire.name for layer in found.layers for wire in layer.inputs} & set(names)


def test_names_fit_into_cpp_and_into_hls4ml() -> None:
    """Keywords, names of generated variables, and names that differ in case only."""
    x = Node(Input("while", (2,), Fixed(8, 3)), (), "while")
    y = Node(Input("w2", (2,), Fixed(8, 3)), (), "w2")
    a = Node(Relu(), (x,), "Same")
    b = Node(Relu(), (y,), "same")
    c = Node(Add(), (a, b), "int")
    found = plan(graph([x, y], [c]))
    assert [w.name for w in found.inputs] == ["while_in", "w2_in"]
    assert [layer.name for layer in found.layers] == ["Same", "same_2", "int_layer"]


def test_what_lowering_should_have_removed_is_refused_with_the_reason() -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    y = Node(Softmax(0), (Node(Activation("tanh"), (x,), "act"),), "soft")
    with pytest.raises(ManyErrors, match="lower the graph first"):
        plan(graph([x], [y]))
    found = list(missing(graph([x], [y]), None, Options("p")))
    assert [e.where for e in found] == ["act", "soft"]
    assert "tables" in str(found[0])


@pytest.mark.parametrize("computed", [False, True])
def test_an_output_without_an_input_is_refused(computed: bool) -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    constant = Draw(0).constant((3,))
    output = Node(Relu(), (constant,), "still") if computed else constant
    with pytest.raises(UnsupportedError, match="constants only"):
        plan(graph([x], [output, Node(Relu(), (x,), "relu")]))


def test_constants_that_a_double_cannot_hold_are_refused() -> None:
    x = Node(Input("x", (2,), Fixed(8, 3)), (), "x")
    wide = Node(Constant(Array(np.array([2**54 + 1, 1])), Fixed(56, 56)))
    with pytest.raises(UnsupportedError, match="53 bits"):
        plan(graph([x], [Node(Add(), (x, wide), "add")]))


def test_other_tools_get_what_hls4ml_has_there() -> None:
    assert kinds(plan(jet_tagger(), tool="oneapi")) == kinds(plan(jet_tagger()))
    assert {s.strategy for s in plan(jet_tagger(), tool="quartus").schedules.values()} == {"resource"}


def test_other_tools_refuse_what_needs_a_kernel() -> None:
    x = Node(Input("x", (6, 6, 4), Fixed(8, 3)), (), "x")
    op = Conv((1, 1), ((0, 0), (0, 0)), (2, 2), 2)
    a = Node(op, (x, Draw(0).constant((2, 2, 2, 4))), "grouped")
    b = Node(op, (a, Draw(0).constant((2, 2, 2, 4))), "grouped_too")
    with pytest.raises(ManyErrors) as error:
        plan(graph([x], [b]), tool="catapult")
    assert [e.where for e in error.value.errors] == ["grouped", "grouped_too"]
    assert "vitis" in str(error.value)


def test_tools_without_one_bit_formats_refuse_them() -> None:
    x = Node(Input("x", (6,), Fixed(1, 1, False)), (), "x")
    network = graph([x], [Node(Dense(), (x, Draw(0).constant((6, 2))), "dense")])
    assert plan(network)
    with pytest.raises(GatewrightError, match="one bit"):
        plan(network, tool="oneapi")

"""Each operator against onnx's evaluator, in its oldest and newest form, and with an attribute that nobody knows."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gatewright.frontend.onnx import from_object
from gatewright.frontend.onnx.registry import OPERATORS, REFUSED
from gatewright.graph import UnsupportedError, evaluate

from .cases import NEWEST, Case, In, check, close, floats, ints, model, ours, reference
from .operators import CASES as REAL
from .operators import VECTOR
from .quantized import OPERATORS as QUANTIZED
from .whole_numbers import CASES as WHOLE
from .whole_numbers import MORE

CASES = REAL | WHOLE
RECURRENT = {"RNN", "GRU", "LSTM", "If", "Loop", "Scan"}
"""test_recurrent.py, test_control.py"""
SEQUENCES = {
    "SplitToSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
    "SequenceLength", "ConcatFromSequence",
}  # fmt: skip
"""test_sequences.py"""

NOT_COMPUTED = ("Constant", "Shape", "Size")
"""They give constants; tested in test_shapes.py."""


def test_every_operator_has_a_case() -> None:
    assert set(CASES) | QUANTIZED | RECURRENT | SEQUENCES == set(OPERATORS)


@pytest.mark.parametrize("op", sorted(set(CASES) - set(NOT_COMPUTED) - {"Upsample", "Scatter", "GlobalLpPool"}))
def test_newest(op: str) -> None:
    check(CASES[op])


def test_scatter_is_scatter_elements() -> None:
    case = WHOLE["Scatter"]
    x = case.samples()["x0"]
    expected = x.copy()
    expected[0, [1, 3]] = case.operands[2]
    check(case, expected=expected)


def test_hardmax_before_13_takes_the_axes_together() -> None:
    case = Case("Hardmax", (In((5, 6)),), opset=11)
    flat = case.samples()["x0"].reshape(3, 30)
    check(case, expected=(np.arange(30) == flat.argmax(axis=1)[:, None]).astype(np.float32).reshape(3, 5, 6))


@pytest.mark.parametrize("case", MORE, ids=lambda c: c.op)
def test_whole_numbers(case: Case) -> None:
    check(case)


OLD = [
    Case("Add", (In((4, 5)), floats(5)), opset=7),
    Case("PRelu", (In((4, 5)), floats(1, 5)), opset=7),
    Case("Clip", (VECTOR,), {"min": -0.5, "max": 0.75}, opset=7),
    Case("Clip", (VECTOR,), {"max": 0.75}, opset=10),
    Case("Clip", (VECTOR, None, np.float32(0.25)), opset=11),
    Case("Clip", (VECTOR, np.float32(0.0)), opset=13),
    Case("Split", (In((7, 2)),), {"axis": 1, "split": [2, 5]}, opset=7, outputs=2),
    Case("Split", (In((6, 2)),), {"axis": -2}, opset=11, outputs=3),
    Case("Split", (In((6, 2)),), {"axis": 1}, opset=13, outputs=2),
    Case("Split", (In((7, 2)),), {"axis": 1, "num_outputs": 3}, opset=18, outputs=3),
    Case("Slice", (In((7, 6)),), {"starts": [1, -3], "ends": [5, 100], "axes": [1, 2]}, opset=7),
    Case("Slice", (In((7, 6)), ints(0, 0, 4), ints(2**31 - 1, 6, 1), None, ints(1, 4, -2)), opset=10),
    Case("Slice", (In((7, 6)), ints(5), ints(-(2**63)), ints(1), ints(-2)), opset=13),
    Case("Pad", (In((7, 6)),), {"pads": [0, 1, 2, 0, 3, 0], "value": 1.5}, opset=7),
    Case("Pad", (In((7, 6)), ints(1, 2, 0, 3), np.float32(-1), ints(-1, 1)), opset=18),
    Case("Squeeze", (In((1, 5, 1)),), {"axes": [1, -1]}, opset=11),
    Case("Squeeze", (In((1, 5, 1)),), opset=7),
    Case("Squeeze", (In((1, 5, 1)),), opset=13),
    Case("Unsqueeze", (In((5,)),), {"axes": [1, 3]}, opset=7),
    Case("Reshape", (In((4, 6)), ints(-1, 24)), opset=7),
    Case("Flatten", (In((4, 6)),), {"axis": -2}, opset=11),
    Case("Dropout", (VECTOR,), {"ratio": 0.4}, opset=7),
    Case(
        "BatchNormalization",
        (VECTOR, floats(6), floats(6), floats(6), np.abs(floats(6))),
        {"training_mode": 0},
        opset=14,
    ),
    Case("Gemm", (VECTOR, floats(6, 3), np.float32([2.0])), opset=7),
    Case("Gemm", (VECTOR, floats(6, 3)), opset=11),
    Case("Gemm", (VECTOR, floats(6, 3), floats(1, 3)), {"beta": 0.5}, opset=11),
    Case("Gemm", (VECTOR, floats(6, 3), In((3,))), {"beta": 0.5}, opset=11),
    Case("Gemm", (VECTOR, floats(6, 3), In((1,))), opset=11),
    Case("Upsample", (In((3, 4, 5)),), {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 3.0]}, opset=7),
    CASES["Upsample"],
    Case("ReduceSum", (In((3, 4)),), {"axes": [1], "keepdims": 1}, opset=11),
    Case("ReduceMean", (In((3, 4)),), {"axes": [-1, 1], "keepdims": 0}, opset=13),
    Case("ReduceSum", (In((3, 4)), None), {"noop_with_empty_axes": 1}, opset=13),
    Case("ReduceSum", (In((3, 4)), ints(2)), {"keepdims": 0}, opset=13),
    Case("ReduceMax", (In((3, 4)), ints(2)), {"noop_with_empty_axes": 1}, opset=20),
    Case("GroupNormalization", (In((4, 3, 2)), floats(4), floats(4)), {"num_groups": 4, "epsilon": 0.01}),
]


@pytest.mark.parametrize("case", OLD, ids=lambda c: f"{c.op}-{c.opset}")
def test_older_forms(case: Case) -> None:
    if case.op == "Upsample":  # the evaluator knows no opset below 9 and no linear mode
        x = case.samples()["x0"]
        graph = from_object(case.model())
        close(ours(graph, {"x0": x}), [x.repeat(2, axis=2).repeat(3, axis=3)])
    else:
        check(case)


@pytest.mark.parametrize(("opset", "attributes"), [(7, {"spatial": 1}), (9, {"momentum": 0.5})])
def test_batch_normalization_before_14_uses_its_statistics(opset: int, attributes: dict[str, float]) -> None:
    """With one output it is inference, by definition; the evaluator takes the samples' own statistics, or fails."""
    scale, bias, mean, variance = (np.abs(floats(4, seed=i)) for i in range(4))
    case = Case("BatchNormalization", (In((4, 3)), scale, bias, mean, variance), attributes, opset)
    x = case.samples()["x0"]
    column = [v[:, None] for v in (scale, bias, mean, variance)]
    check(case, expected=(x - column[2]) / np.sqrt(column[3] + 1e-5) * column[0] + column[1])


@pytest.mark.parametrize("space", [(5,), (3, 4, 2)])
def test_global_max_pool_of_any_rank(space: tuple[int, ...]) -> None:
    """The evaluator takes the maximum over the wrong axes unless there are two spatial ones."""
    case = Case("GlobalMaxPool", (In((4, *space)),))
    check(case, expected=case.samples()["x0"].max(axis=tuple(range(2, len(space) + 2)), keepdims=True))


def test_l1_normalization() -> None:
    """By its definition over magnitudes, and 0 for a norm of 0; the evaluator adds the values with their signs."""
    case = Case("LpNormalization", (In((4, 3)),), {"p": 1, "axis": 1})
    x = case.samples()["x0"]
    check(case, expected=x / np.abs(x).sum(axis=1, keepdims=True))
    for p in (1, 2):
        graph = from_object(Case("LpNormalization", (In((4,)),), {"p": p}).model())
        np.testing.assert_array_equal(evaluate(graph, np.zeros((2, 4), np.float32)), np.zeros((2, 4)))


def test_negative_padding_cuts() -> None:
    """Which numpy.pad, and with it the evaluator, does not know."""
    case = Case("Pad", (In((5, 6)), ints(0, -1, 2, 0, 1, -3), np.float32(0.5)))
    x = case.samples()["x0"]
    expected = np.pad(x[:, 1:, :3], ((0, 0), (0, 1), (2, 0)), constant_values=0.5)
    check(case, expected=expected)


def test_group_normalization_18_scales_groups() -> None:
    """The evaluator has only the later form, in which there is a scale for each channel."""
    scale, bias = floats(2), floats(2, seed=2)
    case = Case("GroupNormalization", (In((4, 3, 2)), scale, bias), {"num_groups": 2}, opset=18)
    x = case.samples()["x0"].reshape(3, 2, -1)
    even = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    close(
        ours(from_object(case.model()), case.samples()), [(even * scale[:, None] + bias[:, None]).reshape(3, 4, 3, 2)]
    )


@pytest.mark.parametrize("op", sorted(CASES))
def test_unknown_attribute_is_refused(op: str) -> None:
    proto = CASES[op].model(florp=3)
    with pytest.raises(UnsupportedError) as caught:
        from_object(proto)
    message = str(caught.value)
    assert "florp" in message
    assert "3" in message
    assert f"{op} 'it'" in message
    assert caught.value.hint


@pytest.mark.parametrize("op", ["Add", "Concat", "Transpose", "Sqrt", "Cast"])
def test_unknown_attribute_of_folded_operator_is_refused(op: str) -> None:
    case = CASES[op]
    known = Case(op, tuple(floats(1, 4, 5, 6) if isinstance(o, In) else o for o in case.operands), case.attributes)
    with pytest.raises(UnsupportedError, match="florp"):
        from_object(known.model(florp=3))


@pytest.mark.parametrize("op", sorted(set(CASES) - {"Constant"}))
def test_too_many_inputs_are_refused(op: str) -> None:
    case = CASES[op]
    extra = Case(op, (*case.operands, *[floats(1)] * 8), case.attributes, case.opset, case.outputs)
    if op in ("Sum", "Mean", "Max", "Min", "Concat"):
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its kind is what is asserted
        from_object(extra.model())
    assert type(caught.value).__module__.startswith("gatewright")


@pytest.mark.parametrize("op", sorted(REFUSED))
def test_refused_by_name(op: str) -> None:
    node = helper.make_node(op, ["x"], ["y"], name="it")
    proto = model([node], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])], ["y"])
    with pytest.raises(Exception) as caught:  # noqa: PT011
        from_object(proto)
    assert type(caught.value).__module__.startswith("gatewright")
    assert op in str(caught.value)


@pytest.mark.parametrize(("domain", "hint"), [("qonnx.custom_op.general", "QONNX"), ("com.acme", "docs/models.md")])
def test_other_domains(domain: str, hint: str) -> None:
    case = Case("Quux", (VECTOR,), domain=domain)
    proto = case.model()
    proto.opset_import.append(helper.make_opsetid(domain, 1))
    with pytest.raises(UnsupportedError, match=domain) as caught:
        from_object(proto)
    assert hint in caught.value.hint


@pytest.mark.parametrize("opset", [6, NEWEST + 1])
def test_opset_range(opset: int) -> None:
    proto = CASES["Relu"].model()
    proto.opset_import[0].version = opset
    with pytest.raises(UnsupportedError, match="7 to"):
        from_object(proto)


@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
def test_a_network_in_every_opset(opset: int) -> None:
    """Operators whose form never changed, under every opset number."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Add", ["r", "x"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v", "d"], ["y"], transB=1),
    ]
    stored = {"w": floats(4, 4, 3, 3), "b": floats(4), "v": floats(2, 4), "d": floats(2)}
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 6, 5])]
    proto = model(nodes, inputs, ["y"], [onnx.numpy_helper.from_array(v, k) for k, v in stored.items()], opset)
    x = {"x": floats(3, 4, 6, 5, seed=9)}
    close(ours(from_object(proto), x), reference(proto, x))

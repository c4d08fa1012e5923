"""Constants, arithmetic on shapes, and what counts as the batch."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object
from gatewright.graph import FileError, Graph, NDArray, ShapeError, UnsupportedError

from .cases import Case, In, check, close, floats, ints, model, ours, reference

make = helper.make_node


def network(nodes: list[onnx.NodeProto], shape: list[Any], opset: int = 17, **stored: NDArray) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    return model(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], ["y"], tensors, opset)


def same(proto: onnx.ModelProto, *shape: int) -> Graph:
    """Import, and compare for samples of ``shape``, the batch included."""
    graph, x = from_object(proto), {"x": floats(*shape, seed=5)}
    close(ours(graph, x), reference(proto, x))
    return graph


def test_flatten_as_pytorch_writes_it() -> None:
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Gather", ["s", "zero"], ["n"], axis=0),
        make("Unsqueeze", ["n", "first"], ["n1"]),
        make("Concat", ["n1", "rest"], ["t"], axis=0),
        make("Reshape", ["x", "t"], ["y"]),
    ]
    stored = {"zero": np.array(0, np.int64), "first": ints(0), "rest": ints(-1)}
    graph = same(network(nodes, ["N", 2, 3, 4], **stored), 3, 2, 3, 4)
    assert [type(n.op).__name__ for n in graph.nodes] == ["Input", "Reshape", "Output"]


def test_flatten_as_tf2onnx_writes_it() -> None:
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Cast", ["s"], ["i"], to=TensorProto.INT32),
        make("Slice", ["i", "a", "b", "a"], ["n"]),
        make("Concat", ["n", "rest"], ["t"], axis=0),
        make("Cast", ["t"], ["u"], to=TensorProto.INT64),
        make("Reshape", ["x", "u"], ["y"]),
    ]
    same(network(nodes, ["N", 2, 6], a=ints(0), b=ints(1), rest=np.array([4, 3], np.int32)), 5, 2, 6)


def test_sizes_from_arithmetic() -> None:
    """x.view(x.size(0), x.size(1) // 2, -1), and a Resize to twice the size."""
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Split", ["s"], ["n", "c", "hw"], split=[1, 1, 2]),
        make("Mul", ["hw", "two"], ["big"]),
        make("Concat", ["n", "c", "big"], ["sizes"], axis=0),
        make("Resize", ["x", "", "", "sizes"], ["r"], mode="nearest"),
        make("Div", ["c", "two"], ["half"]),
        make("Concat", ["n", "half", "left"], ["t"], axis=0),
        make("Reshape", ["r", "t"], ["y"]),
    ]
    nodes[1] = make("Split", ["s", "parts"], ["n", "c", "hw"])
    same(network(nodes, ["N", 4, 3, 2], two=ints(2), left=ints(-1), parts=ints(1, 1, 2)), 3, 4, 3, 2)


def test_tensor_made_for_every_sample() -> None:
    """torch.zeros(x.size(0), 3) joined to x: the same for each sample, so a constant."""
    nodes = [
        make("Shape", ["x"], ["s"], end=1),
        make("Concat", ["s", "three"], ["t"], axis=0),
        make("ConstantOfShape", ["t"], ["z"], value=numpy_helper.from_array(np.float32([0.5]))),
        make("Concat", ["x", "z"], ["c"], axis=1),
        make("Expand", ["k", "t"], ["e"]),
        make("Add", ["z", "e"], ["f"]),
        make("Concat", ["c", "f"], ["y"], axis=1),
    ]
    same(network(nodes, ["N", 4], three=ints(3), k=floats(1, 3)), 2, 4)


def test_values_that_depend_on_the_batch_are_refused() -> None:
    nodes = [make("Size", ["x"], ["s"]), make("Cast", ["s"], ["f"], to=1), make("Mul", ["x", "f"], ["y"])]
    with pytest.raises(UnsupportedError, match="length of the batch"):
        from_object(network(nodes, ["N", 4]))
    same(network(nodes, [2, 4]), 2, 4)


def test_folding() -> None:
    nodes = [
        make("Range", ["a", "b", "c"], ["r"]),
        make("Cast", ["r"], ["f"], to=1),
        make("Unsqueeze", ["f", "a1"], ["u"]),
        make("Where", ["m", "u", "w"], ["v"]),
        make("Trilu", ["v"], ["t"], upper=1),
        make("Sqrt", ["t"], ["q"]),
        make("MatMul", ["x", "q"], ["y"]),
    ]
    zero, four, one = (np.array(n, np.int64) for n in (0, 4, 1))
    mask = np.eye(4, dtype=bool)
    graph = same(network(nodes, ["N", 4], a=zero, b=four, c=one, a1=ints(0), m=mask, w=np.abs(floats(4, 4))), 3, 4)
    assert [type(n.op).__name__ for n in graph.nodes] == ["Input", "Constant", "Dense", "Output"]


CONSTANTS: list[dict[str, Any]] = [
    {"value": numpy_helper.from_array(floats(4))},
    {"value_float": 2.5},
    {"value_floats": [1.0, 2.0, 3.0, 4.0]},
    {
        "sparse_value": helper.make_sparse_tensor(
            numpy_helper.from_array(floats(2)), numpy_helper.from_array(ints(1, 3)), [4]
        )
    },
]


@pytest.mark.parametrize("value", CONSTANTS, ids=lambda v: next(iter(v)))
def test_constants(value: dict[str, Any]) -> None:
    proto = network([make("Constant", [], ["c"], **value), make("Mul", ["x", "c"], ["y"])], ["N", 4])
    x = {"x": floats(3, 4)}
    constant = {"sparse_value": np.zeros(4, np.float32)}.get(next(iter(value)))
    if constant is None:
        close(ours(from_object(proto), x), reference(proto, x))
    else:
        constant[[1, 3]] = floats(2)
        close(ours(from_object(proto), x), [x["x"] * constant])


@pytest.mark.parametrize("value", [{"value_int": 1}, {"value_ints": [1]}])
def test_whole_constants(value: dict[str, Any]) -> None:
    nodes = [make("Constant", [], ["c"], **value), make("Cast", ["c"], ["f"], to=1), make("Add", ["x", "f"], ["y"])]
    same(network(nodes, ["N", 4]), 3, 4)


@pytest.mark.parametrize(
    "value", [{"value_string": "a"}, {"value_strings": ["a"]}, {}, {"value_int": 1, "value_float": 1.0}]
)
def test_constants_refused(value: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="constant"):
        from_object(network([make("Constant", [], ["c"], **value), make("Mul", ["x", "c"], ["y"])], ["N", 4]))


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        ((-1, 12), (12,)),
        ((0, -1), (12,)),
        ((0, 0, 4), (3, 4)),
        ((1, 12), (12,)),
        ((1, 4, 3), (4, 3)),
        ((-1, 3, 2, 2), (3, 2, 2)),
        ((0, 4, -1), (4, 3)),
        ((0, 1, 12, 1), (1, 12, 1)),
    ],
)
def test_reshapes_that_keep_the_batch(target: tuple[int, ...], shape: tuple[int, ...]) -> None:
    graph = same(network([make("Reshape", ["x", "t"], ["y"])], ["N", 3, 4], t=ints(*target)), 1, 3, 4)
    assert graph.outputs[0].shape == shape


@pytest.mark.parametrize("batch", ["N", None, 0, 1, 4])
def test_axis_0_is_the_batch_whatever_it_says(batch: str | int | None) -> None:
    proto = network(
        [make("Reshape", ["x", "t"], ["r"]), make("MatMul", ["r", "w"], ["y"])],
        [batch, 2, 3],
        t=ints(-1, 6),
        w=floats(6, 2),
    )
    length = batch if isinstance(batch, int) and batch else 3
    same(proto, length, 2, 3)


def test_open_axes_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="width"):
        from_object(network([make("Relu", ["x"], ["y"])], ["N", 3, 8, "width"]))


def test_batches_that_disagree() -> None:
    inputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in (("a", [2, 3]), ("b", [4, 3]))]
    with pytest.raises(ShapeError, match="2 and 4"):
        from_object(model([make("Add", ["a", "b"], ["y"])], inputs, ["y"]))


def test_functions_of_the_model_are_inlined() -> None:
    opsets = [helper.make_opsetid("", 17)]
    body = [make("Mul", ["a", "a"], ["b"]), make("Tanh", ["b"], ["c"])]
    function = helper.make_function("mine", "Square", ["a"], ["c"], body, opsets)
    node = make("Square", ["x"], ["y"], domain="mine")
    proto = network([node], ["N", 4])
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    same(proto, 3, 4)


def test_unused_extra_outputs_are_no_problem_used_ones_are() -> None:
    node = make("MaxPool", ["x"], ["y", "i"], kernel_shape=[2])
    same(network([node], ["N", 2, 6]), 3, 2, 6)
    used = network([node, make("Identity", ["i"], ["z"])], ["N", 2, 6])
    used.graph.output.append(helper.make_tensor_value_info("z", TensorProto.INT64, None))
    with pytest.raises(UnsupportedError, match="indices"):
        from_object(used)


def test_several_inputs_and_outputs() -> None:
    nodes = [make("Add", ["b", "a"], ["s"]), make("Sub", ["b", "a"], ["d"])]
    inputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["N", 3]) for k in "ab"]
    proto = model(nodes, inputs, ["s", "d", "a"])
    x = {"a": floats(2, 3), "b": floats(2, 3, seed=3)}
    graph = from_object(proto)
    close(ours(graph, x), reference(proto, x))
    assert [n.where for n in graph.inputs] == ["a", "b"]


def test_names_are_unique() -> None:
    nodes = [make("Relu", ["x"], ["a"], name="same"), make("Exp", ["a"], ["y"], name="same")]
    graph = from_object(network(nodes, ["N", 3]))
    assert [n.where for n in graph.nodes][1:3] == ["same", "same_1"]


def test_statistics_of_a_transposed_vector() -> None:
    """An early Keras exporter normalized [features, batch]; it is read as it was meant, and said so."""
    gamma, beta, mean, variance = (np.abs(floats(4, seed=i)) for i in range(4))
    nodes = [
        make("Transpose", ["x"], ["t"]),
        make("BatchNormalization", ["t", "g", "b", "m", "v"], ["n"]),
        make("Transpose", ["n"], ["y"]),
    ]
    graph = from_object(network(nodes, [1, 4], g=gamma, b=beta, m=mean, v=variance))
    x = floats(1, 4)
    close(ours(graph, {"x": x}), [(x - mean) / np.sqrt(variance + 1e-5) * gamma + beta])
    assert "features" in graph.notes[0]


def test_all_problems_at_once() -> None:
    nodes = [
        make("LogSoftmax", ["x"], ["a"], axis=0, name="one"),
        make("Relu", ["a"], ["b"]),
        make("Softmax", ["x"], ["c"], axis=0, name="two"),
    ]
    with pytest.raises(Exception, match="one") as caught:
        from_object(network([*nodes, make("Add", ["b", "c"], ["y"])], ["N", 2, 3]))
    assert "two" in str(caught.value)
    assert len(caught.value.errors) == 2  # type: ignore[attr-defined]


def test_declared_output_shape_must_be_right() -> None:
    proto = Case("Relu", (In((3,)),)).model()
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", TensorProto.FLOAT, ["N", 4]))
    with pytest.raises(ShapeError, match="the file says"):
        from_object(proto)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_power_with_an_exponent_of_more_elements_grows(dtype: type) -> None:
    check(Case("Pow", (In((1, 4), 0.2, 2.0), np.full((3, 4), 2, dtype))))
    check(Case("Pow", (In((3, 4)), np.full((1, 1, 4), 2, dtype))))


def test_a_power_whose_exponent_meets_the_batch_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="batch"):
        from_object(Case("Pow", (In((4,)), np.full((3, 1), 2.0, np.float32))).model())


def test_parts_of_a_split_without_a_name_count() -> None:
    proto = network([make("Split", ["x"], ["y", "", "c"], axis=1)], ["N", 6], opset=13)
    x = floats(2, 6)
    close(ours(from_object(proto), {"x": x}), [x[:, :2]])


def test_two_outputs_of_one_name_are_refused() -> None:
    proto = network([make("Relu", ["x"], ["y"])], ["N", 6])
    proto.graph.output.append(proto.graph.output[0])
    with pytest.raises(FileError, match="two outputs are called 'y'"):
        from_object(proto)


def test_automatic_padding_where_windows_leave_cells_out() -> None:
    weights = floats(2, 3, 1, 1)
    check(Case("Conv", (In((3, 6, 6)), weights), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}))
    with pytest.raises(UnsupportedError, match="auto_pad"):
        from_object(Case("Conv", (In((3, 6, 6)), weights), {"auto_pad": "SAME_UPPER", "strides": [3, 1]}).model())

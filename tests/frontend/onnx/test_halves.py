"""Models that compute in float16 and bfloat16: each operator's result is rounded, as onnx's evaluator has it."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gatewright.frontend.onnx import from_object
from gatewright.graph import Graph, evaluate
from gatewright.graph.formats import BFLOAT, FLOAT, FLOATS, HALF
from gatewright.graph.ops import Cast, Conv, Dense
from gatewright.lowering import lower

KINDS = {"float16": (TensorProto.FLOAT16, np.float16), "bfloat16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16)}


def network(kind: str) -> onnx.ModelProto:
    """A convolution, a residual sum, a product and a softmax, all in one type."""
    element, dtype = KINDS[kind]
    rng = np.random.default_rng(4)
    shapes = {"k": (8, 3, 3, 3), "b": (8,), "k2": (8, 8, 1, 1), "w": (8, 5), "c": (5,)}
    stored = {n: (rng.normal(0, 1, s) / np.sqrt(np.prod(s[1:]) or 1)).astype(dtype) for n, s in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "k2"], ["s"]), helper.make_node("Add", ["s", "r"], ["t"]),
        helper.make_node("GlobalAveragePool", ["t"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "c"], ["g"]), helper.make_node("Softmax", ["g"], ["y"]),
    ]  # fmt: skip
    made = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", element, ["N", 3, 6, 6])],
        [helper.make_tensor_value_info("y", element, ["N", 5])],
        [numpy_helper.from_array(v, n) for n, v in stored.items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def casts(graph: Graph) -> list[str]:
    return [str(n.op.format) for n in graph.nodes if isinstance(n.op, Cast)]


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_the_sources(kind: str) -> None:
    graph = from_object(network(kind))
    x = np.random.default_rng(0).normal(0, 1, (4, 3, 6, 6)).astype(np.float32)
    y = np.asarray(evaluate(graph, x))
    assert y.dtype == (np.float16 if kind == "float16" else np.float32)
    assert np.array_equal(FLOATS[kind].rounded(y), y.astype(np.float32))
    if kind == "float16":
        wanted = ReferenceEvaluator(network(kind)).run(None, {"x": x.astype(np.float16)})[0]
        np.testing.assert_allclose(y.astype(np.float32), wanted.astype(np.float32), atol=2e-3 * wanted.max())
    wide = network("float16")  # the evaluator has no convolution in bfloat16: the same weights in float32
    for tensor in wide.graph.initializer:
        rounded = numpy_helper.to_array(tensor).astype(KINDS[kind][1]).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    for info in (*wide.graph.input, *wide.graph.output):
        info.type.tensor_type.elem_type = TensorProto.FLOAT
    close = ReferenceEvaluator(wide).run(None, {"x": FLOATS[kind].rounded(x)})[0]
    assert np.abs(y - close).max() < 1e-2 * np.abs(close).max()


@pytest.mark.parametrize("kind", KINDS)
def test_every_result_has_the_models_type(kind: str) -> None:
    graph = from_object(network(kind))
    assert set(casts(graph)) == {kind}
    assert len(casts(graph)) >= 6
    for node in graph.nodes:
        if isinstance(node.op, Conv | Dense):
            assert all(str(i.type.format) == kind for i in node.inputs[:2])
    assert str(graph.inputs[0].type.format) == kind
    assert any(f"is {kind}" in note for note in graph.notes)


def test_a_cast_rounds_once() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["h"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["w"], ["y"], to=TensorProto.BFLOAT16),
    ]
    ports = [helper.make_tensor_value_info(n, k, ["N", 3]) for n, k in (("x", TensorProto.FLOAT), ("y", 16))]
    graph = from_object(helper.make_model(helper.make_graph(nodes, "net", ports[:1], ports[1:]), ir_version=10))
    x = np.array([[1.0009765, 65519.0, 1e-7]], np.float32)
    assert casts(graph) == ["float16", "bfloat16"]
    np.testing.assert_array_equal(evaluate(graph, x), BFLOAT.rounded(HALF.rounded(x)))


def test_fixed_point_takes_the_place_of_their_rounding() -> None:
    integer = lower(from_object(network("float16")), board="host", precision="fixed<24,8>")
    assert integer.is_integer
    assert any("float16 become fixed point" in note for note in integer.notes)
    assert integer.inputs[0].type.format != FLOAT

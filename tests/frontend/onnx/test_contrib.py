"""The quantized operators of ONNX Runtime against itself: it computes them in float32, so one step may differ."""

from typing import Any

import numpy as np
import pytest

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray, evaluate

from ...processor import needs_whole_sums
from .quantized import RANGES, Builder

MICROSOFT = "com.microsoft"


def runtime(model: Any, x: dict[str, NDArray]) -> NDArray:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, x)[0])


def tensor(b: Builder, shape: tuple[int, ...], dtype: str, scale: float, zero: int) -> tuple[str, str, str]:
    return b.input(shape, dtype), b.const(scale), b.const(zero, dtype)


def build(op: str, dtype: str) -> Any:
    b = Builder(20)
    x = tensor(b, (4, 6, 6), dtype, 0.031, 7)
    y = (b.const(0.043), b.const(3, dtype))
    match op:
        case "QLinearAdd" | "QLinearMul":
            out = b.op(op, *x, *tensor(b, (4, 6, 6), dtype, 0.017, 2), *y, domain=MICROSOFT)
        case "QLinearConcat":
            out = b.op(op, *y, *x, *tensor(b, (4, 6, 6), dtype, 0.017, 2), domain=MICROSOFT, axis=1)
        case "QLinearAveragePool":
            out = b.op(op, *x, *y, domain=MICROSOFT, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 1, 0, 1])
        case "QLinearLeakyRelu":
            out = b.op(op, *x, *y, domain=MICROSOFT, alpha=0.2)
        case "QLinearSoftmax":
            out = b.op(op, *x, b.const(1 / 256), b.const(RANGES[dtype][0], dtype), domain=MICROSOFT, axis=-1, opset=13)
        case "QGemm":
            b = Builder(20)
            x = tensor(b, (6,), dtype, 0.031, 7)
            w = np.random.default_rng(1).integers(-128, 128, (5, 6))
            parts = [b.const(w, "int8"), b.const(np.linspace(0.01, 0.02, 5)), b.const(np.zeros(5), "int8")]
            bias = b.const(np.arange(5) * 100, "int32")
            out = b.op(op, *x, *parts, bias, b.const(0.043), b.const(3, dtype), domain=MICROSOFT, transB=1, alpha=1.0)
        case _:
            out = b.op(op, *x, *y, domain=MICROSOFT)
    model = b.model(out, types={out: dtype})
    model.ir_version = 9
    return model


OPS = [
    "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSigmoid",
    "QLinearLeakyRelu", "QGemm", "QLinearSoftmax",
]  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("op", OPS)
def test_against_the_runtime(op: str, dtype: str) -> None:
    if op == "QGemm" and dtype == "uint8":
        needs_whole_sums()
    model = build(op, dtype)
    rng = np.random.default_rng(0)
    low, high = RANGES[dtype]
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim][1:] for i in model.graph.input}
    data = {name: rng.integers(low, high + 1, (20, *shape)) for name, shape in shapes.items()}
    got = evaluate(from_object(model), data, integers=True)
    assert isinstance(got, dict)
    (mine,) = got.values()
    expected = runtime(model, {name: v.astype(dtype) for name, v in data.items()}).astype(np.int64)
    assert np.abs(mine - expected).max() <= 1
    assert (mine != expected).mean() < 0.01


@pytest.mark.parametrize("op", OPS)
def test_imported(op: str) -> None:
    graph = from_object(build(op, "int8"))
    if op == "QLinearSoftmax":
        assert str(graph.outputs[0].type.format) == "int8(scale=0.00390625, zero=-128)"
        return
    assert str(graph.outputs[0].type.format) == "int8(scale=0.043, zero=3)"


def of_a_constant(op: str, picked: bool) -> Any:
    b = Builder(20)
    factor = [b.const(np.array(100), "uint8"), b.const(0.01), b.const(3, "uint8")]
    if picked:
        table = b.const(np.arange(20).reshape(5, 4), "uint8")
        x = [b.op("Gather", table, b.input((3,), "int64")), b.const(0.1), b.const(2, "uint8")]
    else:
        x = [*tensor(b, (3, 4), "uint8", 0.1, 2)]
    out = b.op(op, *x, *factor, b.const(0.05), b.const(9, "uint8"), domain=MICROSOFT)
    model = b.model(out, types={out: "uint8"})
    model.ir_version = 9
    return model


@pytest.mark.parametrize("picked", [False, True], ids=["computed", "picked"])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_an_operand_may_be_one_number(op: str, picked: bool) -> None:
    x = np.array([[[0, 3, 4]], [[1, 2, 0]]]) if picked else np.arange(24).reshape(2, 3, 4)
    x = x[:, 0] if picked else x
    got = np.asarray(evaluate(from_object(of_a_constant(op, picked)), x, integers=True))
    real = 0.1 * ((np.arange(20).reshape(5, 4)[x] if picked else x) - 2.0)
    wanted = np.clip(np.rint((real + 0.97 if op == "QLinearAdd" else real * 0.97) / 0.05) + 9, 0, 255)
    assert np.abs(got - wanted).max() <= 1


def test_constants_alone_are_refused() -> None:
    b = Builder(20)
    x = [b.const(np.arange(4), "uint8"), b.const(0.1), b.const(2, "uint8")]
    out = b.op("QLinearAdd", *x, *x, b.const(0.05), b.const(9, "uint8"), domain=MICROSOFT)
    real = b.op("DequantizeLinear", out, b.const(0.05), b.const(9, "uint8"))
    with pytest.raises(GatewrightError, match="constant"):
        from_object(b.model(b.op("Add", b.input((4,)), real)))


def test_other_operators_are_refused_by_name() -> None:
    b = Builder(20)
    out = b.op("QAttention", b.input((4,)), domain=MICROSOFT)
    with pytest.raises(GatewrightError, match="QAttention"):
        from_object(b.model(out))

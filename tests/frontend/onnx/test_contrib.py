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


def test_other_operators_are_refused_by_name() -> None:
    b = Builder(20)
    out = b.op("QAttention", b.input((4,)), domain=MICROSOFT)
    with pytest.raises(GatewrightError, match="QAttention"):
        from_object(b.model(out))

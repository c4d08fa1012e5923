"""A network of many operators, quantized by ONNX Runtime in every way that it has: import, lower, compare with it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gatewright import lower
from gatewright.frontend.onnx import from_object
from gatewright.graph import NDArray, evaluate

from ...processor import needs_whole_sums
from .mlperf import quantized
from .quantized import Builder

pytestmark = [pytest.mark.live, pytest.mark.slow]
STEP = 1 / 255


def network() -> onnx.ModelProto:
    """Depthwise convolutions, squeeze and excite, resize, joins, a transposed convolution, a split, products."""
    rng = np.random.default_rng(0)
    b = Builder(17)

    def conv(x: str, filters: int, channels: int, kernel: int, groups: int = 1, stride: int = 1) -> str:
        taps = channels // groups * kernel * kernel
        w = b.const(rng.normal(size=(filters, channels // groups, kernel, kernel)) * (1.5 / np.sqrt(taps)))
        more = {"group": groups, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
        return b.op("Conv", x, w, b.const(rng.normal(size=filters) * 0.1), **more)

    x = b.input((3, 16, 16))
    x = b.op("Clip", conv(x, 8, 3, 3, 1, 2), b.const(0.0), b.const(6.0))
    x = b.op("Add", x, conv(b.op("LeakyRelu", conv(x, 8, 8, 3, 8), alpha=0.1), 8, 8, 1))
    gate = b.op("Sigmoid", conv(b.op("Relu", conv(b.op("GlobalAveragePool", x), 4, 8, 1)), 8, 4, 1))
    x = b.op("Mul", x, gate)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    up = b.op("Resize", x, "", b.const([1.0, 1.0, 2.0, 2.0]), **how)
    x = b.op("Concat", x, b.op("MaxPool", up, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    x = b.op(
        "ConvTranspose", b.op("HardSwish", conv(x, 8, 16, 1)), b.const(rng.normal(size=(8, 4, 2, 2))), strides=[2, 2]
    )
    x = b.op("Transpose", b.op("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4]), perm=[0, 2, 3, 1])
    x = b.op("Split", b.op("Reshape", x, b.const([0, -1], "int64")), axis=1, outputs=2)
    x = b.op("Sub", x, b.nodes[-1].output[1])
    x = b.op("Gemm", x, b.const(rng.normal(size=(32, 6)) * 0.1), b.const(rng.normal(size=6) * 0.1))
    return b.model(b.op("Softmax", b.op("MatMul", x, b.const(rng.normal(size=(6, 5)) * 0.3)), axis=-1))


WAYS: list[tuple[str, str, str, bool, dict[str, Any]]] = [
    ("QDQ", "QUInt8", "QInt8", False, {}),
    ("QDQ", "QInt8", "QInt8", True, {}),
    ("QDQ", "QUInt8", "QUInt8", False, {}),
    ("QDQ", "QInt16", "QInt8", True, {}),
    ("QDQ", "QInt8", "QInt8", True, {"ActivationSymmetric": True, "AddQDQPairToWeight": True}),
    ("QDQ", "QUInt8", "QInt4", True, {}),
    ("QDQ", "QInt8", "QInt8", False, {"DedicatedQDQPair": True}),
    ("QOperator", "QUInt8", "QInt8", True, {}),
    ("QOperator", "QInt8", "QInt8", False, {}),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda w: "-".join(map(str, (*w[:4], *w[4]))))
def test_static_quantization(way: tuple[str, str, str, bool, dict[str, Any]], tmp_path: Path) -> None:
    q = pytest.importorskip("onnxruntime.quantization")
    form, values, weights, per_channel, extra = way
    if (form, values, weights) == ("QOperator", "QUInt8", "QInt8"):
        needs_whole_sums()
    x = np.random.default_rng(1).normal(size=(30, 3, 16, 16)).astype(np.float32)
    model = quantized(
        network(),
        x[:20],
        tmp_path,
        quant_format=q.QuantFormat[form],
        activation_type=q.QuantType[values],
        weight_type=q.QuantType[weights],
        per_channel=per_channel,
        extra_options=extra,
    )
    graph = from_object(model)
    expected, got = runtime(model, x), np.asarray(evaluate(graph, x))
    assert np.abs(got - expected).max() <= 3 * STEP
    assert (np.abs(got - expected) > STEP / 2).mean() <= 0.25
    lowered = lower(graph)
    assert lowered.is_integer
    assert np.abs(np.asarray(evaluate(lowered, x)) - got).max() <= 1.01 * STEP  # the softmax before its quantizer


def runtime(model: onnx.ModelProto, x: NDArray) -> NDArray:
    """ONNX Runtime without its fusions."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {session.get_inputs()[0].name: v[None]})[0] for v in x])

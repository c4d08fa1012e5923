"""What ONNX Runtime's ``quantize_dynamic`` writes, against onnx's evaluator and the runtime itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gatewright import GatewrightError, evaluate, load, lower
from gatewright.graph import NDArray, UnsupportedError

from .dynamic import each
from .quantized import Builder
from .test_dynamic import session

quantization = pytest.importorskip("onnxruntime.quantization")
pytestmark = pytest.mark.filterwarnings("ignore")


def normal(seed: int, *shape: int, scale: float = 0.4) -> NDArray:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def dense(b: Builder, x: str, seed: int, *shape: int) -> str:
    return b.op("Add", b.op("MatMul", x, b.const(normal(seed, *shape))), b.const(normal(seed + 50, shape[1])))


def perceptron(b: Builder) -> tuple[str, tuple[int, ...]]:
    x = b.op("Relu", dense(b, b.input((16,)), 1, 16, 24))
    x = b.op("Relu", b.op("Gemm", x, b.const(normal(2, 12, 24)), b.const(normal(3, 12)), transB=1))
    return dense(b, x, 4, 12, 5), (16,)


def convolutions(b: Builder) -> tuple[str, tuple[int, ...]]:
    x = b.input((3, 8, 8))
    x = b.op("Relu", b.op("Conv", x, b.const(normal(1, 6, 3, 3, 3)), b.const(normal(2, 6)), pads=[1, 1, 1, 1]))
    x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.op("Relu", b.op("Conv", x, b.const(normal(3, 6, 1, 3, 3)), group=6, strides=[2, 2]))
    return dense(b, b.op("Flatten", x), 4, 6, 4), (3, 8, 8)


PERMUTATIONS = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])


def attention(b: Builder) -> tuple[str, tuple[int, ...]]:
    """A transformer's block: layer norm, two heads, feed forward, residual sums."""
    x = b.input((6, 16))
    z = b.op("LayerNormalization", x, b.const(np.ones(16)), b.const(np.zeros(16)), axis=-1)
    split = [b.op("Reshape", dense(b, z, s, 16, 16), b.const([0, 6, 2, 8], "int64")) for s in (1, 2, 3)]
    q, k, v = (b.op("Transpose", t, perm=p) for t, p in zip(split, PERMUTATIONS, strict=True))
    scores = b.op("Softmax", b.op("Mul", b.op("MatMul", q, k), b.const(8**-0.5)), axis=-1)
    heads = b.op("Transpose", b.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    x = b.op("Add", x, dense(b, b.op("Reshape", heads, b.const([0, 6, 16], "int64")), 4, 16, 16))
    return b.op("Add", x, dense(b, b.op("Relu", dense(b, x, 5, 16, 32)), 6, 32, 16)), (6, 16)


NETWORKS: dict[str, Callable[[Builder], tuple[str, tuple[int, ...]]]] = {
    f.__name__: f for f in (perceptron, convolutions, attention)
}
KINDS = {
    "int8": {"weight_type": "QInt8"},
    "uint8": {"weight_type": "QUInt8"},
    "per channel": {"weight_type": "QInt8", "per_channel": True},
    "reduced": {"weight_type": "QInt8", "reduce_range": True},
    "computed products": {"weight_type": "QInt8", "extra_options": {"MatMulConstBOnly": False}},
}


def quantized(network: str, kind: str, folder: Path) -> tuple[Path, tuple[int, ...]]:
    b = Builder(17)
    y, shape = NETWORKS[network](b)
    model = b.model(y)
    model.ir_version = 8
    onnx.save(model, folder / "float.onnx")
    more: dict[str, Any] = dict(KINDS[kind])
    more["weight_type"] = getattr(quantization.QuantType, more["weight_type"])
    quantization.quantize_dynamic(str(folder / "float.onnx"), str(folder / "dynamic.onnx"), **more)
    return folder / "dynamic.onnx", shape


def compare(got: NDArray, expected: NDArray, *, exact: bool) -> None:
    """Equal in every bit; behind a softmax a last bit may bring a value to the other side of a tie, rarely."""
    if exact:
        np.testing.assert_array_equal(got, expected)
        return
    axes = tuple(range(1, got.ndim))
    off = np.abs(got - expected) / (np.abs(expected).max(axis=axes, keepdims=True) + 1e-30)
    assert off.max() < 0.02
    assert (off > 1e-5).mean() < 0.02


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", NETWORKS)
def test_quantized_networks(network: str, kind: str, tmp_path: Path) -> None:
    path, shape = quantized(network, kind, tmp_path)
    model = onnx.load(path)
    assert "DynamicQuantizeLinear" in {n.op_type for n in model.graph.node}
    graph = load(path)
    sizes = 3.0 ** np.arange(-12, 12).reshape(-1, *(1,) * len(shape))
    x = (normal(7, 24, *shape, scale=1.0) * sizes).astype(np.float32)
    x[0] = 0
    got = np.asarray(evaluate(graph, x))
    compare(got, each(model, x)[0], exact=network != "attention")
    if kind in ("uint8", "reduced"):  # with others some processors' kernels saturate sums of two products
        compare(got, each(model, x, run=session)[0], exact=network != "attention")
    with pytest.raises(GatewrightError, match="DynamicQuantizeLinear takes its scale from the data"):
        lower(graph, precision="fixed<16,8>")


def test_a_recurrent_network_is_refused_by_name(tmp_path: Path) -> None:
    b = Builder(17)
    x = b.input((4, 3), batch=5)
    b.op("LSTM", x, b.const(normal(1, 1, 32, 3)), b.const(normal(2, 1, 32, 8)), hidden_size=8, outputs=2)
    model = b.model(b.nodes[-1].output[0])
    model.ir_version = 8
    onnx.save(model, tmp_path / "float.onnx")
    quantization.quantize_dynamic(str(tmp_path / "float.onnx"), str(tmp_path / "dynamic.onnx"))
    with pytest.raises(UnsupportedError, match="DynamicQuantizeLSTM"):
        load(tmp_path / "dynamic.onnx")

"""Quantized ONNX models all the way: compiled for a board, the C simulation equals the graph in every bit."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import gatewright as gw

from .frontend.onnx.quantized import Builder

DATA = Path(__file__).parent / "data" / "qonnx"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")]


def exact(model: onnx.ModelProto, **options: str) -> None:
    verification = gw.compile(model, board="pynq-z2", **options).verify()
    assert verification["status"] == "exact", verification


def residual() -> onnx.ModelProto:
    """Convolutions with weights per filter, a residual addition, both pools, a sigmoid, a softmax, zero points."""
    rng = np.random.default_rng(0)
    b = Builder(21)

    def conv(x: str, scale: float, filters: int, channels: int) -> str:
        scales = rng.uniform(0.002, 0.01, filters).astype(np.float32)
        w = b.weights(rng.integers(-128, 128, (filters, channels, 3, 3)), scales, axis=0)
        bias = b.weights(rng.integers(-900, 900, filters), scales * np.float32(scale), "int32", axis=0)
        return b.op("Conv", x, w, bias, pads=[1, 1, 1, 1])

    x = b.qdq(b.input((2, 8, 8)), 0.021, 120)
    x = b.qdq(b.op("Relu", conv(x, 0.021, 4, 2)), 0.013)
    x = b.qdq(b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.013)
    y = b.qdq(conv(x, 0.013, 4, 4), 0.03, 3, "int8")
    y = b.qdq(b.op("Add", y, x), 0.041, -5, "int8")
    y = b.qdq(b.op("Sigmoid", y), 1 / 256, -128, "int8")
    y = b.qdq(b.op("GlobalAveragePool", y), 0.0033, -100, "int8")
    scales = rng.uniform(0.002, 0.01, 5)
    w = b.weights(rng.integers(-128, 128, (5, 4)), scales, axis=0)
    y = b.qdq(b.op("Gemm", b.op("Flatten", y), w, b.const(rng.normal(size=5) * 0.2), transB=1), 0.02, 0, "int8")
    return b.model(b.op("Softmax", y), y)


def test_qdq() -> None:
    exact(residual())


@pytest.mark.parametrize(
    ("network", "export"), [("mlp", "qonnx"), ("cnn", "qonnx"), ("residual", "qcdq"), ("binary", "qonnx")]
)
def test_brevitas(network: str, export: str) -> None:
    with zipfile.ZipFile(DATA / f"{network}.zip") as archive:
        exact(onnx.load(io.BytesIO(archive.read(f"{export}.onnx"))))

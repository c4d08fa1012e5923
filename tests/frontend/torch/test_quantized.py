"""PT2E models as torchao converted them: loaded, evaluated, lowered to integers, against PyTorch's own outputs."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph.ops import Constant, Conv, Dense, Quantize

from ...backends.hls4ml.hls_driver import needs_gxx

DATA = Path(__file__).parents[2] / "data" / "torch" / "quantized.zip"
NAMES = ("mobile", "perceptron", "residual")


def recorded(name: str, tmp_path: Path) -> tuple[gw.Graph, np.ndarray, np.ndarray]:
    with zipfile.ZipFile(DATA) as archive:
        path = tmp_path / f"{name}.pt2"
        path.write_bytes(archive.read(f"{name}.pt2"))
        arrays = np.load(BytesIO(archive.read(f"{name}.npz")))
        return gw.load(path), arrays["x0"], arrays["y0"]


def steps_off(ours: np.ndarray, theirs: np.ndarray, step: float) -> float:
    return float(np.abs(ours - theirs).max()) / step


def last_step(graph: gw.Graph) -> float:
    """The size of one step of the last quantizer, seen through the layer behind it."""
    quantizers = [n for n in graph.nodes if isinstance(n.op, Quantize)]
    layer = next(n for n in reversed(graph.nodes) if isinstance(n.op, Dense))
    weights = layer.inputs[1].op
    assert isinstance(weights, Constant)
    largest = float(np.abs(weights.value.data).max()) * float(np.max(np.vectorize(float)(scales(weights))))
    return float(quantizers[-1].type.quantized.scale) * largest


def scales(op: Constant) -> np.ndarray:
    scale = op.format.scale
    return getattr(scale, "data", np.array(scale, object))


@pytest.mark.parametrize("name", NAMES)
def test_is_what_pytorch_computes(name: str, tmp_path: Path) -> None:
    """PyTorch rounds in float32 what is exact here: at most a few values lie on the other side of a half."""
    graph, x, y = recorded(name, tmp_path)
    got = gw.evaluate(graph, x)
    assert got.shape == y.shape
    assert steps_off(got, y, last_step(graph)) < 1.01
    assert np.median(np.abs(got - y)) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_weights_stay_the_integers_of_the_file(name: str, tmp_path: Path) -> None:
    graph, _, _ = recorded(name, tmp_path)
    for node in graph.nodes:
        if isinstance(node.op, Conv | Dense):
            assert node.inputs[0].type.is_integer, node.where
            assert node.inputs[1].type.is_integer, node.where
            assert np.abs(node.inputs[1].type.value.data).max() <= 128
            assert node.type.is_integer, node.where


@pytest.mark.parametrize("name", NAMES)
def test_lowers_to_the_same_integers(name: str, tmp_path: Path) -> None:
    graph, x, y = recorded(name, tmp_path)
    integer = gw.lower(graph, board="pynq-z2")
    assert integer.is_integer
    got = gw.evaluate(integer, x)
    # what PT2E leaves in floats (a sum before a mean, a sigmoid) goes through formats of the default precision, 2^-10
    assert np.abs(got - y).max() < 2.0**-9 + last_step(graph)


@needs_gxx
@pytest.mark.parametrize(
    ("name", "io"),
    [
        ("perceptron", "parallel"),
        pytest.param("residual", "stream", marks=pytest.mark.slow),
        pytest.param("mobile", "stream", marks=pytest.mark.slow),
    ],
)
def test_compiles_exactly(name: str, io: str, tmp_path: Path) -> None:
    graph, _, _ = recorded(name, tmp_path)
    assert gw.compile(graph, board="pynq-z2", io=io).verify()["status"] == "exact"

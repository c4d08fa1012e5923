"""Networks that Brevitas exports, as QONNX and as QDQ (QCDQ), against recorded answers of qonnx and of onnx."""

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from gatewright import lower
from gatewright.frontend.onnx import from_object
from gatewright.graph import Graph, NDArray, evaluate
from gatewright.graph.ops import Conv, Dense

DATA = Path(__file__).parents[2] / "data" / "qonnx"
NETWORKS = ["mlp", "cnn", "residual", "binary"]
EXPORTS = [(n, e) for n in NETWORKS for e in ("qonnx", "qcdq") if (n, e) != ("binary", "qcdq")]


@cache
def recorded(network: str, export: str) -> tuple[onnx.ModelProto, NDArray, NDArray]:
    with zipfile.ZipFile(DATA / f"{network}.zip") as archive:
        model = onnx.load_model_from_string(archive.read(f"{export}.onnx"))
        with np.load(io.BytesIO(archive.read("answers.npz"))) as answers:
            return model, answers["x"], answers[export]


def mismatch(graph: Graph, network: str, export: str) -> float:
    """The greatest difference, relative to the greatest output: float32 sums are behind it, no quantizer differs."""
    _, x, expected = recorded(network, export)
    got = np.asarray(evaluate(graph, x))
    return float(np.abs(got - expected).max()) / float(np.abs(expected).max())


@pytest.mark.parametrize(("network", "export"), EXPORTS)
def test_imported(network: str, export: str) -> None:
    graph = from_object(recorded(network, export)[0])
    assert mismatch(graph, network, export) <= 1e-6


@pytest.mark.parametrize(("network", "export"), EXPORTS)
def test_products_are_of_integers(network: str, export: str) -> None:
    graph = from_object(recorded(network, export)[0])
    products = [n for n in graph.nodes if isinstance(n.op, (Dense, Conv))]
    assert products
    assert all(n.inputs[0].type.is_integer and n.inputs[1].type.is_integer for n in products)


@pytest.mark.parametrize(("network", "export"), EXPORTS)
def test_lowered(network: str, export: str) -> None:
    graph = lower(from_object(recorded(network, export)[0]))
    assert graph.is_integer
    assert mismatch(graph, network, export) <= 1e-6

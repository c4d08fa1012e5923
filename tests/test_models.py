"""Real trained networks from beginning to end: those in examples/, and those of the models folder beside the repository where it is there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

ROOT = Path(__file__).parents[1]
MODELS = ROOT.parent / "shared/models"
here = pytest.mark.skipif(not MODELS.is_dir(), reason="the models folder is not beside the repository")


@dataclass(frozen=True)
class Case:
    """A model, how it is compiled, and on how many vectors and samples it is compared."""

    model: str
    weights: str | None = None
    io: str = "parallel"
    strategy: str | None = None
    vectors: int = 128
    samples: int = 1000
    board: str = "alveo-u250"

    @property
    def path(self) -> Path:
        return ROOT / self.model if self.model.startswith("examples/") else MODELS / self.model


EXAMPLES = (
    Case("examples/digits_qkeras.h5"),
    Case("examples/digits_cnn.keras", io="stream"),
    Case("examples/jet_tagger.h5"),
    Case("examples/jet_tagger.onnx"),
)
HLS4ML = "hls4ml_examples"
SMALL = (
    Case(f"{HLS4ML}/KERAS_3layer.json", f"{HLS4ML}/KERAS_3layer_weights.h5"),
    Case(f"{HLS4ML}/KERAS_3layer_batch_norm.json", f"{HLS4ML}/KERAS_3layer_batch_norm_weights.h5"),
    Case(f"{HLS4ML}/keras_bnn.json", f"{HLS4ML}/keras_bnn_weights.h5"),
    Case(f"{HLS4ML}/three_layer_bn_keras.onnx"),
    Case(f"{HLS4ML}/qkeras_3layer.json", f"{HLS4ML}/qkeras_3layer_weights.h5"),
    Case(f"{HLS4ML}/qkeras-v3_3layer.keras"),
)
LARGE = (
    Case(f"{HLS4ML}/qkeras_mnist_cnn.json", f"{HLS4ML}/qkeras_mnist_cnn_weights.h5", "stream", "resource", 64),
    Case("mlperf_tiny/ad01.h5", io="stream", strategy="resource", vectors=64),
    Case("mlperf_tiny/resnet8.h5", io="stream", strategy="resource", vectors=64),
    Case("mlperf_tiny/vww_96.h5", io="stream", strategy="resource", vectors=32, samples=1000),
)


def samples(graph: gw.Graph, count: int) -> np.ndarray:
    """Inputs on a grid of 1/256, where QKeras's float32 is exact."""
    shape = graph.inputs[0].shape
    return (np.random.default_rng(5).integers(0, 257, (count, *shape)) / 256).astype(np.float32)


def compile_and_compare(case: Case) -> None:
    """Compile, then run the artefact and the graph on the samples: equal in every bit."""
    weights = None if case.weights is None else MODELS / case.weights
    project = gw.compile(
        case.path, weights=weights, board=case.board, io=case.io, strategy=case.strategy, vectors=case.vectors
    )
    verification = project.manifest["verification"]
    assert verification["status"] == "exact", verification
    x = samples(project.graph, case.samples)
    np.testing.assert_array_equal(project.predict(x), gw.evaluate(project.graph, x))


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda c: c.model)
def test_examples(case: Case) -> None:
    compile_and_compare(case)


@here
@pytest.mark.parametrize("case", SMALL, ids=lambda c: c.model)
def test_small_models(case: Case) -> None:
    compile_and_compare(case)


@here
@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE, ids=lambda c: c.model)
def test_large_models(case: Case) -> None:
    compile_and_compare(case)


@here
@pytest.mark.parametrize("case", (*SMALL, *LARGE), ids=lambda c: c.model)
def test_integers_follow_the_float_graph(case: Case) -> None:
    """Without a back end: the lowered graph gives the float graph's class, and its file gives it back."""
    weights = None if case.weights is None else MODELS / case.weights
    graph = gw.load(case.path, weights=weights)
    x = samples(graph, 50)
    low = gw.lower(graph, board="host", samples=x)
    want, got = np.asarray(gw.evaluate(graph, x)), np.asarray(gw.evaluate(low, x))
    assert np.abs(want - got).max() < 0.02 * max(1.0, np.abs(want).max())

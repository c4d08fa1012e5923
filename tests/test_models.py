"""Real trained networks from beginning to end.

Those in examples/, and those of the models folder beside the repository where it is there.
"""

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
@pytest.mark.parametrize("case", [*SMALL, *LARGE], ids=lambda c: c.model)
def test_integers_follow_the_float_graph(case: Case) -> None:
    """Without a back end: the lowered graph gives the float graph's class, and its file gives it back."""
    weights = None if case.weights is None else MODELS / case.weights
    graph = gw.load(case.path, weights=weights)
    x = samples(graph, 50)
    low = gw.lower(graph, board="host", samples=x)
    want, got = np.asarray(gw.evaluate(graph, x)), np.asarray(gw.evaluate(low, x))
    assert np.abs(want - got).max() < 0.02 * max(1.0, np.abs(want).max())


def check_against_qkeras(model: Path, weights: Path | None, x: np.ndarray, logits: np.ndarray) -> None:
    """The integers before the softmax are qkeras's on every sample, and the class after it is the same."""
    graph = gw.load(model, weights=weights)
    np.testing.assert_array_equal(gw.evaluate(gw.lower(graph, board="host", output="logits"), x), logits)
    probabilities = np.asarray(gw.evaluate(gw.lower(graph, board="host"), x))
    np.testing.assert_array_equal(probabilities.argmax(1), logits.argmax(1))


def test_integers_equal_qkeras_on_digits() -> None:
    with np.load(ROOT / "tests/data/examples/digits_qkeras.npz") as recorded:
        x, logits = recorded["inputs"], recorded["layers/logits"]
    check_against_qkeras(ROOT / "examples/digits_qkeras.h5", None, x, logits)


@here
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("qkeras_3layer.json", "qkeras_3layer"),
        ("qkeras_mnist_cnn.json", "qkeras_mnist_cnn"),
        ("qkeras-v3_3layer.keras", "qkeras_3layer"),
    ],
)
def test_integers_equal_qkeras(file: str, name: str) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("qkeras_examples", ROOT / "tests/record/qkeras_examples.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = MODELS / HLS4ML
    weights = folder / f"{name}_weights.h5" if file.endswith(".json") else None
    with np.load(ROOT / "tests/data/qkeras/examples.npz") as recorded:
        logits = recorded[name]
    shape = gw.load(folder / file, weights=weights).inputs[0].shape
    check_against_qkeras(folder / file, weights, script.samples(shape, script.COUNTS[name]), logits)

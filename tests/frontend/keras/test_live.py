"""Keras 3 and tf-keras themselves on TensorFlow: drawn models against the importer, live objects, recordings."""

import io
import os
import sys
import warnings
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gatewright.frontend import load
from gatewright.graph import UnsupportedError, evaluate

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]
TESTS = Path(__file__).parents[2]


sys.path.insert(0, str(TESTS / "record"))
MODELS = import_module("keras_models")
sys.path.pop(0)


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def framework(request: pytest.FixtureRequest) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(request.param, exc_type=ImportError)


def drawn(k: Any, kind: str, data: st.DataObject, seed: int) -> Any:
    """Draw a model that the framework accepts, with random weights."""
    k.backend.clear_session()
    try:
        model = MODELS.KINDS[kind](k, lambda options: data.draw(st.sampled_from(list(options))))
        MODELS.refuse_ambiguous(model)
        MODELS.randomize(model, seed)
        MODELS.answers(model, MODELS.samples(model, seed))
    except Exception as error:
        if type(error).__module__.startswith("hypothesis"):
            raise
        if isinstance(error, AttributeError) and "layers" in str(error):
            pytest.skip(f"the framework has no such layer: {error}")
        assume(False)
    return model


def agree(model: Any, graph: Any, seed: int) -> None:
    """Compare the framework's answers with the graph's, within 1e-5 of the largest value."""
    xs = MODELS.samples(model, seed, batch=3)
    results = evaluate(graph, xs)
    expected = MODELS.answers(model, xs)
    for a, b in zip(results if isinstance(results, tuple) else (results,), expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(np.abs(b).max(initial=1.0)))


EXAMPLES = int(os.environ.get("GATEWRIGHT_EXAMPLES", "8"))


@pytest.mark.parametrize("kind", sorted(MODELS.KINDS))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 1000))
def test_live_models(framework: Any, kind: str, data: st.DataObject, seed: int) -> None:
    model = drawn(framework, kind, data, seed)
    agree(model, load(model), seed)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".json", ".weights"])
@pytest.mark.parametrize("kind", ["chain", "nested", "shared", "time_distributed"])
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 1000))
def test_files(
    framework: Any, kind: str, suffix: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int
) -> None:
    model = drawn(framework, kind, data, seed)
    folder = tmp_path_factory.mktemp("files")
    if suffix in (".keras", ".h5"):
        model.save(folder / f"m{suffix}")
        graph = load(folder / f"m{suffix}")
    else:
        weights = folder / ("m.weights.h5" if suffix == ".weights" else "m.h5")
        (folder / "m.json").write_text(model.to_json())
        model.save_weights(weights) if suffix == ".weights" else model.save(weights)
        graph = load(folder / "m.json", weights=weights)
    agree(model, graph, seed)


def test_recordings_are_still_what_the_framework_says(framework: Any, tmp_path: Path) -> None:
    name = "keras3" if framework.__name__ == "keras" else "tf_keras"
    with zipfile.ZipFile(TESTS / "data" / "keras" / f"{name}.zip") as archive:
        table = np.load(io.BytesIO(archive.read("answers.npz")))
        members = [m for m in archive.namelist() if m != "answers.npz" and not m.startswith("shared_between")]
        for member in members[::5]:
            (tmp_path / member).write_bytes(archive.read(member))
            model = framework.models.load_model(tmp_path / member, compile=False)
            case = member.partition(".")[0]
            xs = [table[f"{case}/x{i}"] for i in range(9) if f"{case}/x{i}" in table]
            for i, y in enumerate(MODELS.answers(model, xs)):
                np.testing.assert_allclose(y, table[f"{case}/y{i}"], rtol=1e-5, atol=1e-5)


def test_live_objects_that_are_no_models_are_refused(framework: Any) -> None:
    with pytest.raises(UnsupportedError, match="not a model"):
        load(framework.layers.Dense(2))

    class Own(framework.Model):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(UnsupportedError):
        load(Own())


def test_the_importer_does_not_import_a_framework(tmp_path: Path) -> None:
    import subprocess

    names = "('tensorflow', 'keras', 'tf_keras')"
    code = f"import sys, gatewright.frontend.keras as k; print([m for m in {names} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_layers_and_functions_of_your_own_with_names_of_keras_are_refused(framework: Any) -> None:
    class Dense(framework.layers.Dense):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    def relu(x: Any) -> Any:
        return -x

    for layer in (Dense(2), framework.layers.Dense(2, activation=relu)):
        with pytest.raises(UnsupportedError, match=r"your own called Dense|not of Keras"):
            load(framework.Sequential([framework.Input((3,)), layer]))

"""Models of one operator each, drawn once, against what TensorFlow's reference kernels gave: integers exactly.

``tests/record/tflite_functions.py`` writes the archive.
"""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import GatewrightError, Graph
from gatewright.graph.file import load as load_graph
from tests.record.tflite_refused import REFUSED, SAYS

ARCHIVE = Path(__file__).parents[2] / "data" / "tflite" / "functions.zip"


def names(prefix: str = "") -> list[str]:
    with ZipFile(ARCHIVE) as archive:
        found = [n.removesuffix(".tflite") for n in archive.namelist() if n.endswith(".tflite")]
    return [n for n in found if n.startswith("refused/") == bool(prefix)]


def read(name: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    with ZipFile(ARCHIVE) as archive:
        path = folder / "model.tflite"
        path.write_bytes(archive.read(f"{name}.tflite"))
        if name.startswith("refused/"):
            return path, {}
        with np.load(BytesIO(archive.read(f"{name}.npz"))) as arrays:
            return path, dict(arrays)


def outputs(graph: Graph, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The graph's answers to the recorded inputs, in the recorded shapes."""
    fed = [arrays[f"x{i}"].reshape(-1, *n.shape) for i, n in enumerate(graph.inputs)]
    made = gw.evaluate(graph, dict(zip([op.name for op in graph.input_ops], fed, strict=True)), integers=True)
    assert isinstance(made, dict)
    return [y.reshape(arrays[f"y{i}"].shape) for i, y in enumerate(made.values())]


@pytest.mark.parametrize("name", names())
def test_recorded(name: str, tmp_path: Path) -> None:
    path, arrays = read(name, tmp_path)
    graph = gw.load(path)
    made = outputs(graph, arrays)
    assert len(made) == sum(k.startswith("y") for k in arrays)
    for i, y in enumerate(made):
        wanted = arrays[f"y{i}"]
        if wanted.dtype == np.float32:
            reach = float(np.abs(wanted).max(initial=0.0))
            np.testing.assert_allclose(np.asarray(y, np.float32), wanted, rtol=1e-4, atol=1e-5 * (1 + reach))
        else:
            np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("name", [n for n in names() if n.endswith("-0")])
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    path, arrays = read(name, tmp_path)
    graph = gw.load(path)
    graph.save(tmp_path / "graph.gw")
    again = load_graph(tmp_path / "graph.gw")
    assert str(again) == str(graph)
    for y, z in zip(outputs(again, arrays), outputs(graph, arrays), strict=True):
        np.testing.assert_array_equal(y, z)


@pytest.mark.parametrize("name", names("refused/"))
def test_refused(name: str, tmp_path: Path) -> None:
    path, _ = read(name, tmp_path)
    with pytest.raises(GatewrightError) as caught:
        gw.load(path)
    text = str(caught.value)
    assert SAYS[name.removeprefix("refused/")] in text
    assert "model.tflite" in text


def test_everything_that_is_to_be_refused_is_recorded() -> None:
    assert set(REFUSED) == set(SAYS) == {n.removeprefix("refused/") for n in names("refused/")}

"""Files with a fault against the good ones, and the compiled artefact against its graph: in Python and on the command
line.
"""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import gatewright as gw
from gatewright.cli import app
from gatewright.graph import values_of
from gatewright.output import write_directory
from gatewright.simulation import make_vectors
from gatewright.simulation.diff import compare

from .planted import negated, off_zero, plant, rescaled, scaled

EXAMPLES = Path(__file__).parents[2] / "examples"
JET, DIGITS = EXAMPLES / "jet_test_x.npy", EXAMPLES / "digits_test_x.npy"
run = CliRunner()


def faulty_onnx(path: Path, layer: str, channel: int | None) -> None:
    """The jet tagger with other weights in one layer."""
    model = onnx.load(EXAMPLES / "jet_tagger.onnx")
    node = next(n for n in model.graph.node if layer in n.name or layer in n.output[0])
    tensor = next(t for t in model.graph.initializer if t.name in node.input and len(t.dims) == 2)
    values = numpy_helper.to_array(tensor).copy()
    axis = next(i for i, n in enumerate(values.shape) if n != 16)
    if channel is None:
        values *= 1.5
    else:
        values.swapaxes(0, axis)[channel] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)


def faulty_keras(path: Path, dataset: str, channel: int) -> None:
    """The digits network with one negated filter."""
    with zipfile.ZipFile(EXAMPLES / "digits_cnn.keras") as z:
        members = {n: z.read(n) for n in z.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        file[dataset][..., channel] *= -1
    members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)


@pytest.mark.parametrize("reference", ["jet_tagger.onnx", "jet_tagger.h5"])
def test_an_onnx_file_with_a_fault(reference: str, tmp_path: Path) -> None:
    for layer in ("fc1", "fc2", "fc3", "probabilities"):
        faulty_onnx(tmp_path / "bad.onnx", layer, None)
        first = gw.diff(EXAMPLES / reference, tmp_path / "bad.onnx", np.load(JET)).first
        assert first is not None
        assert first.name.startswith(layer)
        assert any("factor of 1.5" in text for text in first.why)


@pytest.mark.parametrize("channel", [0, 3, 7])
def test_a_keras_file_with_a_fault(channel: int, tmp_path: Path) -> None:
    faulty_keras(tmp_path / "bad.keras", "layers/conv2d/vars/0", channel)
    first = gw.diff(EXAMPLES / "digits_cnn.keras", tmp_path / "bad.keras", np.load(DIGITS)).first
    assert first is not None
    assert (first.name, first.channel) == ("conv1", channel)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled network, and beside it the same with one other weight in its project."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWRIGHT_CACHE", str(folder / "cache"))
        project = gw.compile(EXAMPLES / "digits_qkeras.h5", board="pynq-z2", verify=False, vectors=8)
        project.write(folder / "good")
        files = dict(project.files)
        name = next(n for n in sorted(files) if "/weights/w" in n and n.endswith(".txt") and b"0.5" in files[n])
        values = files[name].decode().split(", ")
        at = next(i for i, v in enumerate(values) if float(v) == 0.5)
        values[at] = "-0.5"
        text = files[name].decode()
        assert text != ", ".join(values)
        write_directory(folder / "bad", {**files, name: ", ".join(values).encode()})
    return folder


def test_an_artefact_with_a_fault(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(directory / "cache"))
    x = np.load(DIGITS)
    good = gw.open(directory / "good")
    assert not gw.diff(EXAMPLES / "digits_qkeras.h5", good, x)
    assert not gw.diff(directory / "good", directory / "good", x, engine="artefact")
    bad = gw.open(directory / "bad", force=True)
    found = gw.diff(good.graph, bad, x)
    first = found.first
    assert first is not None
    assert first.name == "conv_relu (artefact)"  # the simulation shows the two as one
    assert first.why == ("made in one step with conv (conv)",)
    assert first.channel is not None
    assert first.excess == float("inf")
    assert [t.name for t in found.tensors if t.differs] == ["conv_relu (artefact)"]


def test_the_command_line(directory: Path, tmp_path: Path) -> None:
    arguments = ["diff", str(EXAMPLES / "digits_qkeras.h5"), str(directory / "good"), "--inputs", str(DIGITS)]
    done = run.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "no difference beyond quantization" in done.output
    faulty_keras(tmp_path / "bad.keras", "layers/conv2d/vars/0", 2)
    script = tmp_path / "case.py"
    arguments = [
        "diff",
        str(EXAMPLES / "digits_cnn.keras"),
        str(tmp_path / "bad.keras"),
        "--bisect",
        str(script),
        "--json",
    ]
    done = run.invoke(app, arguments)
    assert done.exit_code == 1, done.output
    document = json.loads(done.output)
    assert document["status"] == "different"
    assert (document["first"]["name"], document["first"]["channel"]) == ("conv1", 2)
    assert document["files"] == [str(script), str(script.with_suffix(".npz"))]
    assert script.is_file()
    assert {"introduced", "total", "excess", "why"} <= set(document["tensors"][0])


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--engine", "x"], "engine"), (["--samples", "0"], "samples"), (["--inputs", "no.npy"], "no such")],
)
def test_options_that_make_no_sense(more: list[str], message: str) -> None:
    done = run.invoke(app, ["diff", str(EXAMPLES / "jet_tagger.h5"), str(EXAMPLES / "jet_tagger.onnx"), *more])
    assert done.exit_code == 1
    assert message in done.output


MLPERF = Path(__file__).parents[3] / "shared" / "models" / "mlperf_tiny"


@pytest.mark.skipif(not MLPERF.is_dir(), reason="the models are not beside the repository")
def test_an_int8_network_against_its_float_original() -> None:
    """What a converter made of ResNet-8 differs by rounding only; what it clips in the autoencoder is named."""
    a, b = (gw.load(MLPERF / f"resnet8_{kind}.tflite") for kind in ("fp32", "int8"))
    found = gw.diff(a, b, samples=4)
    assert not found, str(found)
    assert len(found.tensors) > 25
    a, b = (gw.load(MLPERF / f"ad01_{kind}.tflite") for kind in ("fp32", "int8"))
    first = gw.diff(a, b).first  # random inputs leave the range that the converter saw
    assert first is not None
    assert "of A's values are beyond" in first.why[-1]


@pytest.mark.skipif(not MLPERF.is_dir(), reason="the models are not beside the repository")
@pytest.mark.parametrize("name", ["ad01", pytest.param("resnet8", marks=pytest.mark.slow)])
def test_faults_in_int8_networks_are_named(name: str) -> None:
    """Against the good int8 file, exactly: also a wrong change of scale."""
    graph = gw.load(MLPERF / f"{name}_int8.tflite")
    (x,) = make_vectors(graph, 2, seed=1)
    for seed in range(20):
        fault = plant(
            graph, np.random.default_rng(seed), [from_stored(graph, x)], (scaled, negated, off_zero, rescaled)
        )
        first = compare(graph, fault.graph, [x]).first
        assert first is not None, f"{seed}: {fault.kind} in {fault.node.where}"
        assert first.name == fault.node.where, f"{seed}: {fault.kind} in {fault.node.where}: {first}"
        assert fault.channel in (None, first.channel)


def from_stored(graph: gw.Graph, stored: np.ndarray) -> np.ndarray:
    """Real values of the input."""
    return np.asarray(values_of(graph.inputs[0], stored), np.float32)

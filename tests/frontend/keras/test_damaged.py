"""Hostile and damaged files: one clear error each, soon, without much memory."""

import io
import json
import random
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import FileError, GatewrightError, ShapeError, UnsupportedError, evaluate

DENSE: dict[str, Any] = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "linear"}}
INPUT: dict[str, Any] = {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 3]}}
MODEL: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, DENSE]}}


def fill_new(file: h5py.File) -> None:
    """Weights in the layout of Keras 3."""
    file["layers/dense/vars/0"] = np.ones((3, 2), np.float32)
    file["layers/dense/vars/1"] = np.zeros(2, np.float32)


def fill_old(file: h5py.File) -> None:
    """Weights in the layout of Keras 2."""
    file.attrs["layer_names"] = ["i", "d"]
    file.create_group("i").attrs["weight_names"] = np.array([], "S1")
    file.create_group("d").attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
    file["d/d/kernel:0"] = np.ones((3, 2), np.float32)
    file["d/d/bias:0"] = np.zeros(2, np.float32)


def h5(fill: Callable[[h5py.File], Any]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def keras(path: Path, config: Any = MODEL, weights: bytes | None = None, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(config))
        archive.writestr("model.weights.h5", h5(fill_new) if weights is None else weights)
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
    return path


def whole(path: Path, config: str, fill: Callable[[h5py.File], Any] = fill_old) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs.create("model_config", config, dtype=h5py.string_dtype())
        fill(file.create_group("model_weights"))
    return path


def refused(
    path: Path, *, weights: Path | None = None, kind: type[GatewrightError] = FileError, match: str | None = None
) -> None:
    with pytest.raises(kind, match=match) as caught:
        load(path, weights=weights)
    error = caught.value
    assert error.what
    assert path.name in error.where or (weights and weights.name in error.where)


def test_the_undamaged_files_import(tmp_path: Path) -> None:
    x = np.array([[1.0, 2.0, 4.0]])
    for path in (keras(tmp_path / "m.keras"), whole(tmp_path / "m.h5", json.dumps(MODEL))):
        np.testing.assert_array_equal(evaluate(load(path), x), [[7.0, 7.0]])
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    for i, fill in enumerate((fill_new, fill_old)):
        (tmp_path / f"{i}.h5").write_bytes(h5(fill))
        np.testing.assert_array_equal(
            evaluate(load(tmp_path / "m.json", weights=tmp_path / f"{i}.h5"), x), [[7.0, 7.0]]
        )


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".json"])
@pytest.mark.parametrize(
    "content", [None, b"", b"\0" * 5000, b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{}", b"[1]", b"null"]
)
def test_files_that_are_no_models(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    path = tmp_path / f"model{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GatewrightError) as caught:
        load(path)
    assert str(path) in caught.value.where


def test_directories_and_unknown_suffixes(tmp_path: Path) -> None:
    for name in ("a.keras", "a.h5", "a.json"):
        (tmp_path / name).mkdir()
        with pytest.raises(GatewrightError):
            load(tmp_path / name)
    (tmp_path / "a.txt").write_text("")
    refused(tmp_path / "a.txt", match="not a kind of model")
    refused(tmp_path / "gone.xyz", match="no such file")
    with pytest.raises(UnsupportedError, match="cannot import"):
        load(42)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_every_truncation_is_one_error(tmp_path: Path, suffix: str) -> None:
    good = keras(tmp_path / "m.keras") if suffix == ".keras" else whole(tmp_path / "m.h5", json.dumps(MODEL))
    data = good.read_bytes()
    for length in range(0, len(data) - 1, 211):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(data[:length])
        with pytest.raises(GatewrightError):
            load(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_changed_bytes_give_an_error_or_a_model(tmp_path: Path, suffix: str) -> None:
    good = keras(tmp_path / "m.keras") if suffix == ".keras" else whole(tmp_path / "m.h5", json.dumps(MODEL))
    generator = random.Random(1)
    for _ in range(150):
        data = bytearray(good.read_bytes())
        for _ in range(generator.choice([1, 1, 4, 16])):
            data[generator.randrange(len(data))] = generator.randrange(256)
        path = tmp_path / f"changed{suffix}"
        path.write_bytes(data)
        try:
            load(path)
        except GatewrightError as error:
            assert str(error)  # noqa: PT017 - either outcome is right, a traceback is not


def test_a_zip_bomb(tmp_path: Path) -> None:
    refused(keras(tmp_path / "text.keras", b" " * (200 << 20)), match="unpacks to|over")
    refused(keras(tmp_path / "data.keras", weights=b"\0" * (300 << 20)), match="unpacks to")


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    path = keras(tmp_path / "m.keras", b"{" + b" " * (20 << 20) + b"}")
    data = path.read_bytes()
    true, lie = ((20 << 20) + 2).to_bytes(4, "little"), (100).to_bytes(4, "little")
    path.write_bytes(data.replace(true, lie))
    with pytest.raises(GatewrightError):
        load(path)


def test_a_dataset_that_declares_more_than_the_file_holds(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))
        file["layers/dense/vars/1"] = np.zeros(2, np.float32)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(keras(tmp_path / "m.keras", weights=h5(fill)), match="far more than the file holds")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("depth", [500, 200_000])
@pytest.mark.parametrize("opening", ['{"config":', "[", '{"class_name": "Sequential", "config": {"layers": ['])
def test_json_nested_deep(tmp_path: Path, depth: int, opening: str) -> None:
    closing = "".join({"{": "}", "[": "]"}[c] for c in reversed(opening) if c in "{[")
    text = opening * depth + "1" + closing * depth
    refused(keras(tmp_path / "m.keras", text), match="nested|JSON")
    (tmp_path / "m.json").write_text(text)
    refused(tmp_path / "m.json", match="nested|JSON")
    if depth < 1000:
        refused(whole(tmp_path / "m.h5", text), match="nested|JSON")


def link_soft(file: h5py.File) -> None:
    fill_new(file)
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense/vars/1")


def link_external(file: h5py.File) -> None:
    fill_new(file)
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file: h5py.File) -> None:
    fill_new(file)
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (3, 2), "f4", external=[("/etc/passwd", 0, 24)])


def virtual(file: h5py.File) -> None:
    fill_new(file)
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (3, 2))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def strings(file: h5py.File) -> None:
    fill_new(file)
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = [["a", "b"]] * 3


def dataset_for_group(file: h5py.File) -> None:
    file["layers"] = np.zeros(3)


@pytest.mark.parametrize("fill", [link_soft, link_external, external_storage, virtual, strings, dataset_for_group])
def test_h5_that_points_elsewhere_or_holds_no_numbers(tmp_path: Path, fill: Callable[[h5py.File], Any]) -> None:
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        fill(file)
    with pytest.raises(GatewrightError) as caught:
        load(tmp_path / "m.json", weights=tmp_path / "w.h5")
    assert "w.h5" in caught.value.where or "m.json" in caught.value.where


def test_a_group_that_holds_itself(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        fill_new(file)
        for i in range(8):
            file[f"layers/loop{i}"] = file["layers"]

    graph = load(keras(tmp_path / "m.keras", weights=h5(fill)))
    np.testing.assert_array_equal(evaluate(graph, [[1.0, 2.0, 4.0]]), [[7.0, 7.0]])


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf):

        def fill(file: h5py.File, bad: float = bad) -> None:
            fill_new(file)
            file["layers/dense/vars/1"][0] = bad

        with pytest.raises(ShapeError, match="NaN or infinite") as caught:
            load(keras(tmp_path / "m.keras", weights=h5(fill)))
        assert "d (Dense)" in caught.value.where or "d/bias" in caught.value.where


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    def shape(file: h5py.File) -> None:
        file["layers/dense/vars/0"] = np.ones((4, 2))
        file["layers/dense/vars/1"] = np.zeros(2)

    def count(file: h5py.File) -> None:
        file["layers/dense/vars/0"] = np.ones((3, 2))

    def more(file: h5py.File) -> None:
        fill_new(file)
        file["layers/conv2d/vars/0"] = np.ones(3)

    refused(keras(tmp_path / "a.keras", weights=h5(shape)), kind=ShapeError, match=r"kernel.*\(4, 2\)")
    refused(keras(tmp_path / "b.keras", weights=h5(count)), kind=ShapeError, match="1 weights")
    refused(keras(tmp_path / "c.keras", weights=h5(more)), match="conv2d")
    refused(keras(tmp_path / "d.keras", weights=h5(lambda f: None)), kind=ShapeError, match="0 weights")


def test_old_weights_that_do_not_fit(tmp_path: Path) -> None:
    def stranger(file: h5py.File) -> None:
        fill_old(file)
        file.attrs["layer_names"] = ["i", "d", "e"]
        file["e"] = file["d"]

    def missing(file: h5py.File) -> None:
        fill_old(file)
        file.attrs["layer_names"] = ["i"]

    def dangling(file: h5py.File) -> None:
        fill_old(file)
        file["d"].attrs["weight_names"] = [b"d/kernel:0", b"nowhere"]

    text = json.dumps(MODEL)
    refused(whole(tmp_path / "a.h5", text, stranger), match="'e'")
    refused(whole(tmp_path / "b.h5", text, missing), kind=ShapeError, match="no weights")
    refused(whole(tmp_path / "c.h5", text, dangling), match="nowhere")


def functional(*layers: dict[str, Any], outputs: Any = (("d", 0, 0),)) -> dict[str, Any]:
    entries = [{**INPUT, "name": "i", "inbound_nodes": []}, *layers]
    config = {
        "name": "f",
        "layers": entries,
        "input_layers": [["i", 0, 0]],
        "output_layers": [list(o) for o in outputs],
    }
    return {"class_name": "Functional", "config": config}


def called(*sources: Any, name: str = "d") -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": 2}, "inbound_nodes": list(sources)}


FORMS = [
    functional(called([["gone", 0, 0, {}]])),
    functional(called([["i", 5, 0, {}]])),
    functional(called([["i", 0, 7, {}]])),
    functional(called([["i", -1, 0, {}]])),
    functional(called([["d", 0, 0, {}]])),
    functional(called([["e", 0, 0, {}]]), called([["d", 0, 0, {}]], name="e")),
    functional(called([["i", 0, 0, {}]]), outputs=[["gone", 0, 0]]),
    functional(called([["i", 0, 0, {}]]), outputs=[["d", 3, 0]]),
    functional(called([["i", 0, 0, {}]]), outputs=[["d", 0, 1]]),
    functional(called([["i", 0, 0, {}]]), outputs=[]),
    functional(called([["i", 0, 0, {}]]), called([["i", 0, 0, {}]])),
    functional(called([])),
    functional(called([["i", "0", 0, {}]])),
    functional(called(["_CONSTANT_VALUE", -1, 3.0, {}])),
    functional(called({"args": 3, "kwargs": {}})),
    functional(called({"args": [], "kwargs": {}})),
    functional(called({"args": [3.0], "kwargs": {}})),
    functional(called({"args": [{"class_name": "__keras_tensor__", "config": {}}]})),
    functional(called("i")),
    functional(called(7)),
    {"class_name": "Functional", "config": {"layers": []}},
    {"class_name": "Functional", "config": {"layers": [INPUT], "input_layers": [["gone", 0, 0]], "output_layers": []}},
    {"class_name": "Sequential", "config": {"name": "s"}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": []}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [3]}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": {"a": 1}}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [DENSE]}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, {"config": {}}]}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, {**DENSE, "config": None}]}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, {**DENSE, "config": {"name": 5}}]}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, {**DENSE, "surprise": 1}]}},
    {"class_name": "Sequential", "config": {"name": "s", "surprise": 1, "layers": [INPUT, DENSE]}},
    {"class_name": "Sequential", "config": 7},
    {"class_name": 7, "config": {}},
    DENSE,
    *(
        {
            "class_name": "Sequential",
            "config": {"name": "s", "layers": [{**INPUT, "config": {"batch_shape": s}}, DENSE]},
        }
        for s in ([None, None], [None, -3], [None, 0], [None, "3"], "abc", [], [None, 1 << 40, 1 << 40], [None, 3.5], 4)
    ),
]


@pytest.mark.parametrize("form", range(len(FORMS)))
def test_configurations_of_a_wrong_form(tmp_path: Path, form: int) -> None:
    with pytest.raises(GatewrightError) as caught:
        load(keras(tmp_path / "m.keras", FORMS[form]))
    assert "m.keras" in str(caught.value)


def test_json_with_numbers_that_are_none(tmp_path: Path) -> None:
    refused(keras(tmp_path / "m.keras", '{"class_name": NaN}'), match="NaN")
    refused(keras(tmp_path / "n.keras", '{"class_name": ' + "9" * 9000 + "}"))
    refused(keras(tmp_path / "o.keras", b"\xff\xfe{}\x00"))


def test_members_that_are_missing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(MODEL))
    refused(tmp_path / "m.keras", match=r"model\.weights\.h5")
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        archive.writestr("readme", "")
    refused(tmp_path / "n.keras", match=r"config\.json")


def test_weights_without_the_model_and_the_model_without_weights(tmp_path: Path) -> None:
    (tmp_path / "w.h5").write_bytes(h5(fill_old))
    refused(tmp_path / "w.h5", match="weights only")
    (tmp_path / "m.json").write_text(json.dumps(MODEL))
    refused(tmp_path / "m.json", match="without weights")
    refused(tmp_path / "m.json", weights=tmp_path / "gone.h5", match="no such file")
    with pytest.raises(UnsupportedError, match="weights="):
        load(keras(tmp_path / "m.keras"), weights=tmp_path / "w.h5")


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    layer = {"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAAA=", None, None]}}
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": [INPUT, layer]}}
    with pytest.raises(UnsupportedError, match="Lambda") as caught:
        load(keras(tmp_path / "m.keras", model))
    assert "never run" in caught.value.hint

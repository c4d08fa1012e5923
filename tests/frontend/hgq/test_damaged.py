"""Files of HGQ2 whose numbers or configurations are damaged: typed errors, or graphs; nothing else."""

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import FileError, GatewrightError, Graph, ShapeError

DATA = Path(__file__).parents[2] / "data" / "hgq"


def parts(case: str) -> tuple[dict[str, Any], bytes, bytes]:
    kind = case.rpartition("_")[0]
    with (
        zipfile.ZipFile(DATA / "hgq2" / f"{kind}.zip") as archive,
        zipfile.ZipFile(io.BytesIO(archive.read(case))) as model,
    ):
        names = "config.json", "metadata.json", "model.weights.h5"
        config, metadata, weights = (model.read(name) for name in names)
    return json.loads(config), metadata, weights


def written(folder: Path, config: Any, metadata: bytes, weights: bytes) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", metadata)
        file.writestr("model.weights.h5", weights)
    return path


def changed(weights: bytes, change: Callable[[h5py.File], None]) -> bytes:
    buffer = io.BytesIO(weights)
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def arrays(file: h5py.File, among: str = "") -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, thing: found.append(name) if hasattr(thing, "shape") and among in name else None)
    return found


def put(file: h5py.File, name: str, value: Any) -> None:
    kind = file[name].dtype
    del file[name]
    file[name] = np.asarray(value).astype(kind if np.asarray(value).dtype.kind in "iu" else np.float32)


def attempt(path: Path) -> Graph | None:
    said = str(path)
    try:
        return load(path)
    except GatewrightError as error:
        said = str(error)
    assert str(path) in said
    return None


BROKEN: dict[str, Callable[[np.ndarray], Any]] = {
    "not a number": lambda a: np.full(a.shape, np.nan),
    "infinite": lambda a: np.full(a.shape, np.inf),
    "huge": lambda a: np.full(a.shape, 1e30),
    "200 bits": lambda a: np.full(a.shape, 200.0),
    "another shape": lambda a: np.zeros((3, 1, 7)),
    "one axis more": lambda a: a[None],
    "a scalar": lambda a: np.float32(3),
    "nothing": lambda a: np.zeros((0,)),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("case", ["dense_0.keras", "softmax_0.keras", "attention_0.keras"])
def test_broken_bits(case: str, what: str, tmp_path: Path) -> None:
    config, metadata, weights = parts(case)
    with h5py.File(io.BytesIO(weights)) as file:
        names = [n for n in arrays(file, "quantizer/vars") if file[n].shape]
    wrong = 0
    for name in names[::7]:

        def change(file: h5py.File, name: str = name) -> None:
            put(file, name, BROKEN[what](file[name][()]))

        path = written(tmp_path, config, metadata, changed(weights, change))
        wrong += attempt(path) is None
    assert wrong or what == "a scalar"
    if what in ("not a number", "infinite", "huge", "nothing"):
        assert wrong >= len(names[::7]) / 2  # k is kept as bytes, where these are other numbers


@pytest.mark.parametrize("case", ["dense_1.keras", "conv_0.keras", "attention_1.keras", "jet_tagger_0.keras"])
def test_missing_and_foreign_arrays(case: str, tmp_path: Path) -> None:
    config, metadata, weights = parts(case)
    with h5py.File(io.BytesIO(weights)) as file:
        names = arrays(file)
    for name in names[::12]:
        less = changed(weights, lambda file, name=name: file.__delitem__(name))  # type: ignore[misc]
        with pytest.raises((ShapeError, FileError)):
            load(written(tmp_path, config, metadata, less))

    def more(file: h5py.File) -> None:
        file[f"{names[0].rpartition('/')[0]}/99"] = np.zeros(3, np.float32)

    with pytest.raises((ShapeError, FileError)):
        load(written(tmp_path, config, metadata, changed(weights, more)))


VALUES = (None, True, -1, 0, 1e9, "", "WRAP_SM", "x", [], [1, 2, 3], {}, {"class_name": "x", "config": {}})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from places(child)


@pytest.mark.parametrize("case", ["dense_0.keras", "conv_1.keras", "merge_0.keras", "softmax_1.keras",
                                  "attention_2.keras", "jet_tagger_0.keras", "lut_0.keras"])  # fmt: skip
def test_damaged_configurations(case: str, tmp_path: Path) -> None:
    original, metadata, weights = parts(case)
    rng, loaded = np.random.default_rng(5), 0
    for _ in range(24):
        config = copy.deepcopy(original)
        spots = list(places(config["config"]["layers"]))
        holder, key = spots[int(rng.integers(len(spots)))]
        if isinstance(holder, dict) and rng.random() < 0.3:
            del holder[key]
        else:
            holder[key] = VALUES[int(rng.integers(len(VALUES)))]
        loaded += attempt(written(tmp_path, config, metadata, weights)) is not None
    assert loaded < 24


def test_flipped_bytes(tmp_path: Path) -> None:
    config, metadata, weights = parts("einsum_dense_0.keras")
    whole = written(tmp_path, config, metadata, weights).read_bytes()
    rng, path = np.random.default_rng(6), tmp_path / "model.keras"
    for _ in range(24):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data if rng.random() < 0.8 else data[: int(rng.integers(len(data)))])
        attempt(path)


def edited(tmp_path: Path, case: str, **changes: Any) -> Path:
    config, metadata, weights = parts(case)
    layer = config["config"]["layers"][-1]["config"]
    for key, value in changes.items():
        target = layer
        *way, last = key.split("__")
        for step in way:
            target = target[step]
        target[last] = value
    return written(tmp_path, config, metadata, weights)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iq_conf__config__q_type": "float"}, "no integer form"),
        ({"iq_conf__config__overflow_mode": "WRAP_SM"}, "WRAP_SM"),
        ({"iq_conf__config__round_mode": "ROUND"}, "ROUND"),
        ({"iq_conf__config__scaler": 0.3}, "a power of two"),
        ({"iq_conf__config__scaler": 0}, "scaler"),
        ({"iq_conf__config__affine": [1.0]}, "two numbers"),
        ({"iq_conf__config__bw_mapper": {"registered_name": "mine>Mapper"}}, "bw_mapper"),
        ({"iq_conf__config__news": 1}, "news"),
        ({"iq_conf__class_name": "MyConfig"}, "MyConfig"),
        ({"quantization_config": {"a": 1}}, "quantization_config"),
        ({"mine": 1}, "mine"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    mode = changes.pop("iq_conf__config__overflow_mode", None)
    if mode:
        changes["iq_conf__config__overflow_mode"] = mode
    with pytest.raises(GatewrightError) as caught:
        load(edited(tmp_path, "dense_0.keras", **changes))
    assert said in str(caught.value)


def test_ranges_of_the_first_hgq_are_not_in_its_files() -> None:
    with pytest.raises(GatewrightError, match="trace_minmax"):
        load(DATA / "untraced.h5")


def test_the_older_layout_is_refused(tmp_path: Path) -> None:
    config, _, _ = parts("dense_0.keras")
    layer = config["config"]["layers"][-1]["config"]["name"]
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "3.15.1"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.encode()]
        inner = group.create_group(layer)
        inner.attrs["weight_names"] = [b"kernel"]
        inner["kernel"] = np.zeros((5, 3), np.float32)
    with pytest.raises(GatewrightError, match=r"\.keras"):
        load(path)

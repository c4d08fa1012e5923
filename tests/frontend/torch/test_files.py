"""Files that are no programs, that are damaged, or that mean harm: always a typed error, and no pickle ever runs."""

import json
import pickle
import random
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

DATA = Path(__file__).parents[2] / "data" / "torch" / "operators.zip"
RAN: list[str] = []


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (RAN.append, ("a pickle ran",))


def program(name: str = "linear") -> bytes:
    with zipfile.ZipFile(DATA) as archive:
        return archive.read(f"{name}.pt2")


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def packed(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def load(data: bytes, tmp_path: Path, name: str = "model.pt2") -> gw.Graph:
    path = tmp_path / name
    path.write_bytes(data)
    return gw.load(path)


def changed(tmp_path: Path, name: str, change: object) -> gw.Graph:
    """Load the program with one entry replaced: by bytes, by a function of its JSON, or taken out (None)."""
    files = entries(program())
    key = next(k for k in files if k.endswith(name))
    if change is None:
        del files[key]
    elif callable(change):
        document = json.loads(files[key])
        change(document)
        files[key] = json.dumps(document).encode()
    else:
        assert isinstance(change, bytes)
        files[key] = change
    return load(packed(files), tmp_path)


def test_packed_again_it_is_the_same(tmp_path: Path) -> None:
    assert str(load(packed(entries(program())), tmp_path)) == str(load(program(), tmp_path))


def test_missing_file() -> None:
    with pytest.raises(gw.FileError, match=r"nowhere\.pt2"):
        gw.load("nowhere.pt2")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip file at all" * 10])
def test_no_archive(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(gw.FileError, match=r"archive of torch\.export\.save"):
        load(data, tmp_path)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pt2"])
def test_pickled_modules_are_refused_and_do_not_run(suffix: str, tmp_path: Path) -> None:
    data = packed({"archive/data.pkl": pickle.dumps(Hostile()), "archive/version": b"3"})
    with pytest.raises(gw.UnsupportedError, match="pickle") as error:
        load(data, tmp_path, f"model{suffix}")
    assert "torch.export.save" in error.value.hint
    with pytest.raises(gw.FileError, match=r"torch\.export\.save"):
        load(pickle.dumps(Hostile()), tmp_path, f"model{suffix}")
    assert not RAN


def test_torchscript_is_refused(tmp_path: Path) -> None:
    data = packed({"m/data.pkl": b"", "m/constants.pkl": b"", "m/code/__torch__.py": b""})
    with pytest.raises(gw.UnsupportedError, match="TorchScript"):
        load(data, tmp_path)


def older(state: bytes) -> bytes:
    """The program as PyTorch 2.5 laid it out, with this for its weights."""
    files = entries(program())
    model = next(v for k, v in files.items() if k.endswith("models/model.json"))
    names = {"serialized_exported_program.json": model, "serialized_state_dict.pt": state}
    return packed(names | {"serialized_constants.pt": b"", "version": b"8.2"})


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_hostile_weights_do_not_run(protocol: int, tmp_path: Path) -> None:
    inner = packed({"archive/data.pkl": pickle.dumps({"weight": Hostile()}, protocol), "archive/byteorder": b"little"})
    with pytest.raises(gw.GatewrightError):
        load(older(inner), tmp_path)
    assert not RAN


def test_older_files_give_the_same(tmp_path: Path) -> None:
    """Weights in a pickled dictionary of tensors, read without running it."""
    with zipfile.ZipFile(DATA.with_name("older.zip")) as archive:
        graph = load(archive.read("linear_2_5.pt2"), tmp_path)
        newer = load(archive.read("linear_2_13.pt2"), tmp_path)
        between = load(archive.read("linear_2_8.pt2"), tmp_path)
    assert str(graph) == str(newer) == str(between)


def test_two_programs(tmp_path: Path) -> None:
    files = entries(program())
    key = next(k for k in files if k.endswith("models/model.json"))
    with pytest.raises(gw.UnsupportedError, match="2 programs: model, other"):
        load(packed(files | {key.replace("model.json", "other.json"): files[key]}), tmp_path)


def test_pickled_tensors_are_refused(tmp_path: Path) -> None:
    def pickled(config: dict[str, dict[str, dict[str, bool]]]) -> None:
        next(iter(config["config"].values()))["use_pickle"] = True

    with pytest.raises(gw.UnsupportedError, match="pickled object"):
        changed(tmp_path, "model_weights_config.json", pickled)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "weight_0/../weight_0", ""])
def test_weights_are_entries_of_the_archive_only(path: str, tmp_path: Path) -> None:
    def away(config: dict[str, dict[str, dict[str, str]]]) -> None:
        next(iter(config["config"].values()))["path_name"] = path

    with pytest.raises(gw.FileError, match="no entry"):
        changed(tmp_path, "model_weights_config.json", away)


def test_names_that_lead_elsewhere_are_never_written(tmp_path: Path) -> None:
    load(packed(entries(program()) | {"../outside": b"x", "/absolute": b"x"}), tmp_path)
    assert not (tmp_path.parent / "outside").exists()


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    files = entries(program())
    key = next(k for k in files if k.endswith("weight_0"))
    with pytest.raises(gw.FileError, match="unpacks to"):
        load(packed(files | {key: b"\0" * (1 << 26)}, zipfile.ZIP_DEFLATED), tmp_path)


@pytest.mark.parametrize("number", [1, 4, 9, 700])
def test_unknown_versions_are_refused(number: int, tmp_path: Path) -> None:
    with pytest.raises(gw.UnsupportedError, match=f"version {number}"):
        changed(tmp_path, "models/model.json", lambda d: d["schema_version"].update(major=number))


def test_weights_that_are_too_short(tmp_path: Path) -> None:
    with pytest.raises(gw.FileError, match="bytes do not hold shape"):
        changed(tmp_path, "weight_0", b"\0" * 4)


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(gw.FileError, match="no entry"):
        changed(tmp_path, "weight_0", None)


def test_damaged_files_are_typed_errors(tmp_path: Path) -> None:
    """Bits, bytes and lengths of whole files, and of the program's JSON."""
    draw = random.Random(4)
    sources = [program(n) for n in ("linear", "conv2d", "batch_norm2d.core", "lstm", "cat_constant")]
    path = tmp_path / "damaged.pt2"
    for _ in range(400):
        data = bytearray(draw.choice(sources))
        if draw.random() < 0.5:
            files = entries(bytes(data))
            key = draw.choice([k for k in files if k.endswith(".json")])
            files[key] = bytes(_hurt(draw, bytearray(files[key])))
            data = bytearray(packed(files))
        else:
            data = _hurt(draw, data)
        path.write_bytes(bytes(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                run(gw.load(path))
            except gw.GatewrightError:
                continue


def run(graph: gw.Graph) -> None:
    shapes = [
        tuple(op.shape[op.axes.index(i)] if op.axes else n for i, n in enumerate(op.shape)) for op in graph.input_ops
    ]
    gw.evaluate(graph, [np.ones((1, *shape), np.float32) for shape in shapes])


def _hurt(draw: random.Random, data: bytearray) -> bytearray:
    for _ in range(draw.choice([1, 1, 2, 8])):
        at = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at] = draw.randrange(256)
            case 2:
                del data[at : at + draw.randrange(1, 40)]
            case _:
                data[at:at] = bytes(draw.randrange(32, 127) for _ in range(draw.randrange(1, 8)))
        if not data:
            data = bytearray(b"x")
    return data

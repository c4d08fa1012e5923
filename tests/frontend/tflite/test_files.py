"""Files that no converter writes: refused by what is wrong with them, or read as the format says."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatewright as gw
from gatewright.frontend.tflite.registry import OPERATORS
from gatewright.frontend.tflite.schema import SCHEMA, options_of
from gatewright.graph import FileError, GatewrightError, ShapeError, UnsupportedError

from .write import Options, Tables, file, model, tensor


def load(tables: Tables, folder: Path) -> gw.Graph:
    (folder / "odd.tflite").write_bytes(file(tables))
    return gw.load(folder / "odd.tflite")


def relu(**more: Any) -> Tables:
    return model([tensor((1, 4)), tensor((1, 4))], [{"op": "RELU", "inputs": [0], "outputs": [1]}], [0], [1], **more)


def padded(data: bytes, type: str = "INT32", **more: Any) -> Tables:
    """A PAD whose table of widths is a constant of these bytes."""
    tensors = [tensor((1, 4)), tensor((2, 2), type, None, buffer=1), tensor((1, 6))]
    step = {"op": "PAD", "inputs": [0, 1], "outputs": [2], "options": {}}
    return model(tensors, [step], [0], [2], buffers=[{"data": np.frombuffer(data, np.uint8)}], **more)


WIDTHS = np.array([[0, 0], [1, 1]], np.int32).tobytes()


def test_the_writer_writes_what_is_read(tmp_path: Path) -> None:
    graph = load(relu(), tmp_path)
    y = gw.evaluate(graph, np.array([[-128, -1, 1, 127]], np.int8), integers=True)
    assert np.asarray(y).tolist() == [[0, 0, 1, 127]]
    graph = load(padded(WIDTHS), tmp_path)
    assert np.asarray(gw.evaluate(graph, np.ones((1, 4), np.int8), integers=True)).tolist() == [[0, 1, 1, 1, 1, 0]]


def test_data_beside_the_tables(tmp_path: Path) -> None:
    """Large files keep constants after the tables, by offset and size."""
    tables = padded(WIDTHS)
    size = len(file({**tables, "buffers": [{}, {"offset": 8, "size": len(WIDTHS)}]}))
    data = file({**tables, "buffers": [{}, {"offset": size, "size": len(WIDTHS)}]}) + WIDTHS
    (tmp_path / "big.tflite").write_bytes(data)
    y = gw.evaluate(gw.load(tmp_path / "big.tflite"), np.ones((1, 4), np.int8), integers=True)
    assert np.asarray(y).tolist() == [[0, 1, 1, 1, 1, 0]]
    (tmp_path / "big.tflite").write_bytes(data[:-1])
    with pytest.raises(FileError, match="outside of the file"):
        gw.load(tmp_path / "big.tflite")


def with_tensor(i: int, **more: Any) -> Tables:
    tables = relu()
    tables["subgraphs"][0]["tensors"][i] |= more
    return tables


def with_graph(**more: Any) -> Tables:
    tables = relu()
    tables["subgraphs"][0] |= more
    return tables


def with_step(**more: Any) -> Tables:
    tables = relu()
    tables["subgraphs"][0]["operators"][0] |= more
    return tables


def with_code(**more: Any) -> Tables:
    tables = relu()
    tables["operator_codes"][0] |= more
    return tables


def quantized(**more: Any) -> Tables:
    return with_tensor(0, quantization={"scale": [0.5], "zero_point": [0], **more})


def by_channel(count: int, axis: int) -> Tables:
    return quantized(scale=[1.0] * count, zero_point=[0] * count, quantized_dimension=axis)


CASES: dict[str, tuple[Tables, type[GatewrightError], str]] = {
    "version": (relu() | {"version": 2}, UnsupportedError, "version 2 of the format"),
    "no subgraph": (relu() | {"subgraphs": []}, UnsupportedError, "0 subgraphs"),
    "two subgraphs": (relu() | {"subgraphs": relu()["subgraphs"] * 2}, UnsupportedError, "2 subgraphs"),
    "newer table": (relu() | {"field 12": 1}, UnsupportedError, "field 12"),
    "newer tensor": (with_tensor(0, **{"field 15": 7}), UnsupportedError, "'t0' has field 15"),
    "newer operator": (with_code(builtin_code=300), UnsupportedError, "number 300"),
    "newer version": (with_code(version=4), UnsupportedError, "version 4 of RELU is newer than 3"),
    "custom": (with_code(builtin_code=32, deprecated_builtin_code=32, custom_code="Mine"), UnsupportedError, "'Mine'"),
    "no such code": (with_step(opcode_index=1), FileError, "code 1 of 1"),
    "no such tensor": (with_step(inputs=[2]), FileError, "tensor 2 of 2"),
    "negative tensor": (with_step(outputs=[-1]), FileError, "tensor -1"),
    "too many inputs": (with_step(inputs=[0, 0]), UnsupportedError, "input 1 is not one that Gatewright knows"),
    "too few inputs": (with_step(inputs=[]), ShapeError, "input 0 is missing"),
    "left out": (with_step(inputs=[-1]), ShapeError, "input 0 is missing"),
    "no outputs": (with_step(outputs=[]), gw.ManyErrors, "makes nothing"),
    "made twice": (with_step(outputs=[0]), FileError, "made twice"),
    "two inputs": (with_graph(inputs=[0, 0]), FileError, "one tensor is two inputs"),
    "not made": (with_graph(inputs=[]), FileError, "nothing before it makes"),
    "nothing out": (with_graph(outputs=[]), FileError, "no outputs"),
    "second options": (with_step(builtin_options_2_type=18), UnsupportedError, "builtin_options_2"),
    "negative shape": (with_tensor(0, shape=[1, -4]), FileError, "shape"),
    "huge shape": (with_tensor(0, shape=[1, 1 << 30]), FileError, "shape"),
    "empty": (with_tensor(0, shape=[1, 0]), UnsupportedError, "is empty"),
    "open axis": (with_tensor(0, shape_signature=[-1, -1]), UnsupportedError, "axis 1"),
    "other shape": (with_tensor(1, shape=[1, 5]), ShapeError, "the file says its shape is"),
    "type": (with_tensor(0, type=99), FileError, "type 99"),
    "text": (with_tensor(0, type=5), UnsupportedError, "STRING"),
    "complex": (with_tensor(0, type=8), UnsupportedError, "COMPLEX64"),
    "bfloat": (with_tensor(0, type=18), UnsupportedError, "BFLOAT16"),
    "sparse": (with_tensor(0, sparsity=Options("MulOptions")), UnsupportedError, "sparse"),
    "other file": (with_tensor(0, external_buffer=1), UnsupportedError, "in another file"),
    "no buffer": (with_tensor(0, buffer=9), FileError, "buffer 9 of 1"),
    "scale 0": (quantized(scale=[0.0]), FileError, "not above zero"),
    "scale nan": (quantized(scale=[float("nan")]), FileError, "not above zero"),
    "scale inf": (quantized(scale=[float("inf")]), FileError, "not above zero"),
    "zero point": (quantized(zero_point=[1 << 40]), FileError, "zero point"),
    "no zero point": (quantized(zero_point=[]), FileError, "1 scales and 0 zero points"),
    "scales": (by_channel(3, 1), FileError, "3 scales along axis 1"),
    "axis": (by_channel(4, 7), FileError, "axis 7"),
    "by channel": (by_channel(4, 1), UnsupportedError, "one scale"),
    "blocks": (quantized(details_type=2, details=Options("MulOptions")), UnsupportedError, "by blocks"),
    "data too short": (padded(WIDTHS[:-4]), FileError, "has 12 bytes, not 16"),
    "data too long": (padded(WIDTHS + WIDTHS), FileError, "has 32 bytes, not 16"),
    "external": (relu() | {"external_buffers": Options("MulOptions")}, UnsupportedError, "files of their own"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path) -> None:
    tables, kind, what = CASES[name]
    with pytest.raises(kind, match=r"odd\.tflite") as found:
        load(tables, tmp_path)
    assert what in str(found.value)


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    relu = {"op": "RELU", "inputs": [0], "outputs": [1], "version": 9}
    steps = [relu, {"op": "UNIQUE", "inputs": [0], "outputs": [2]}]
    with pytest.raises(gw.ManyErrors, match="UNIQUE") as found:
        load(model([tensor((1, 4)) for _ in range(3)], steps, [0], [1, 2]), tmp_path)
    assert len(found.value.errors) == 2


WITH_OPTIONS = sorted(name for name in OPERATORS if options_of(name) and SCHEMA[options_of(name)])


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_every_option_is_read(name: str, tmp_path: Path) -> None:
    """No operator leaves an option of its table unread: whatever comes out, it is not the complaint about that.

    An option of a newer version of the format is refused.
    """
    kind = options_of(name)
    tensors = [tensor((1, 4, 4, 2), "FLOAT32", None) for _ in range(5)]
    for extra in ({}, {"field 30": 1}):
        step = {"op": name, "inputs": [0], "outputs": [1], "options": Options(kind, **extra)}
        with pytest.raises(GatewrightError) as found:
            load(model(tensors, [step, {"op": "UNIQUE", "inputs": [0], "outputs": [2]}], [0], [1, 2]), tmp_path)
        assert ("field 30" in str(found.value)) <= bool(extra)
        lines = [line for line in str(found.value).splitlines() if "one that Gatewright knows" in line]
        assert not [f.name for f in SCHEMA[kind] if any(f"attribute {f.name!r} = " in line for line in lines)]


def test_a_file_is_read_by_its_suffix(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no such file|cannot read"):
        gw.load(tmp_path / "none.tflite")


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    at = int(rng.integers(len(out)))
    match int(rng.integers(4)):
        case 0:
            out[at] ^= 1 << int(rng.integers(8))
        case 1:
            out = out[:at]
        case 2:
            out[at : at + 8] = rng.integers(0, 256, 8).astype(np.uint8).tobytes()
        case 3:
            out[at & ~3 : (at & ~3) + 4] = struct.pack("<I", int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, len(out)])))
    return bytes(out)


def sources() -> list[Callable[[], bytes]]:
    return [lambda: file(relu()), lambda: file(padded(WIDTHS))]


@pytest.mark.parametrize("seed", range(300))
def test_damage_is_a_typed_error_or_a_model(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    data = sources()[seed % 2]()
    (tmp_path / "bad.tflite").write_bytes(damaged(data, rng))
    said = "bad.tflite"
    try:
        gw.load(tmp_path / "bad.tflite")
    except GatewrightError as error:
        said = str(error)
    assert "bad.tflite" in said

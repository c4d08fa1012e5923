"""Damage: what can happen to bytes, and what somebody can write into a file on purpose. Steps are plain JSON."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Step = dict[str, Any]
WORDS = (
    0, 1, 2, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x00010000, 0x01000000, 0xFFFF, 0xFFFFFFFE, 0x3F800000, 0x7FC00000,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, 0, 1, -1, 2, 3, 1 << 31, 1 << 63, -(1 << 63), 10**30, 0.5, 1e308, -1e-30, "", "x", "same", True, False, [],
    {}, [1], [0], [-1], [1, 2, 3, 4, 5, 6], [None], {"a": 1}, "../../../etc/passwd", "\0", [[[[[]]]]], float("inf"),
    float("nan"), 10**6, "relu", "softmax", {"class_name": "Lambda", "config": {}},
    {"module": "os", "class_name": "system"},
)  # fmt: skip
ONLY = {".directory": ("member",)}
"""What is done to files that only the tests have."""
PLAIN = ("flip", "cut", "fill", "zero", "drop", "insert", "word", "splice")
INNER = {
    ".keras": ("member",) * 16,
    ".gw": ("member",) * 16,
    ".pt2": ("member",) * 16,
    ".h5": ("attribute",),
    ".onnx": ("field", "field", "field"),
    ".tflite": ("word", "word", "word", "word"),
    ".json": ("json", "json", "json"),
}


def draw(rng: np.random.Generator, suffix: str) -> list[Step]:
    """Draw one to three steps for a file of a format."""
    return [_step(rng, suffix) for _ in range(int(rng.choice([1, 1, 1, 2, 3])))]


def _step(rng: np.random.Generator, suffix: str) -> Step:
    kinds = ONLY.get(suffix) or (*PLAIN, *INNER.get(suffix, ()))
    step: Step = {
        "kind": kinds[int(rng.integers(len(kinds)))],
        "at": int(rng.integers(1 << 30)),
        "length": int(rng.choice([1, 1, 2, 4, 8, 16, 64, 256, 4096])),
        "value": int(rng.integers(1 << 16)),
    }
    if step["kind"] == "splice":
        step["other"] = int(rng.integers(1 << 16))
    if step["kind"] == "member":
        inner = ("json", "json", "word", "flip", "fill", "cut", "drop", "attribute", "member")
        step["steps"] = [{**_step(rng, ""), "kind": inner[int(rng.integers(len(inner)))], "steps": [_step(rng, "")]}]
    return step


def damaged(data: bytes, steps: list[Step], others: list[bytes]) -> bytes:
    """Apply the steps in turn. ``others``: files that regions are spliced in from."""
    for step in steps:
        data = _apply(data, step, others)
    return data


def _apply(data: bytes, step: Step, others: list[bytes]) -> bytes:
    match step["kind"]:
        case "member":
            return _structured(data, lambda: _member(data, step, others))
        case "json":
            return _structured(data, lambda: _json(data, step))
        case "attribute":
            return _structured(data, lambda: _attribute(data, step))
        case "field":
            return _structured(data, lambda: _field(data, step))
    return _bytes(bytearray(data), step, others)


def _structured(data: bytes, change: Callable[[], bytes]) -> bytes:
    """Change a file by its structure; one that has it no longer stays as it is."""
    try:
        return change()
    except Exception:
        return data


def _bytes(data: bytearray, step: Step, others: list[bytes]) -> bytes:
    size = max(len(data), 1)
    at, length = step["at"] % size, step["length"]
    rng = np.random.default_rng(step["value"])
    match step["kind"]:
        case "flip" if data:
            data[at] ^= 1 << (step["value"] % 8)
        case "cut":
            del data[at:]
        case "fill":
            data[at : at + length] = rng.bytes(length)
        case "zero":
            data[at : at + length] = bytes(length)
        case "drop":
            del data[at : at + length]
        case "insert":
            data[at:at] = rng.bytes(length)
        case "word":
            data[at & ~3 : (at & ~3) + 4] = struct.pack("<I", WORDS[step["value"] % len(WORDS)])
        case "splice" if others:
            other = others[step["other"] % len(others)]
            start = step["value"] * 7 % max(len(other), 1)
            data[at : at + length] = other[start : start + length]
    return bytes(data)


def _member(data: bytes, step: Step, others: list[bytes]) -> bytes:
    """Damage one member of a zip file, and write a sound archive around it."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        names = [i.filename for i in z.infolist()]
        members = {i.filename: (i, z.read(i)) for i in z.infolist()}
    chosen = names[step["at"] % len(names)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        for name in names:
            info, content = members[name]
            inner = damaged(content, step["steps"], [v for _, v in members.values()]) if name == chosen else content
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), inner, info.compress_type)
    return buffer.getvalue()


def _json(data: bytes, step: Step) -> bytes:
    """Put an odd value in the place of one in a JSON text, or leave the place out."""
    document = json.loads(data)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            places.append((node, key))
            walk(inner)

    walk(document)
    node, key = places[step["at"] % len(places)]
    if step["value"] % 7 == 0:
        del node[key]
    elif step["value"] % 7 == 1 and isinstance(node[key], (int, float)) and not isinstance(node[key], bool):
        node[key] = node[key] + (1 if step["value"] % 2 else -1)
    else:
        node[key] = VALUES[step["value"] % len(VALUES)]
    return json.dumps(document).encode()


def _attribute(data: bytes, step: Step) -> bytes:
    """Damage the configuration in an attribute of an HDF5 file, or one number of a dataset."""
    import h5py

    from gatewright.frontend.keras.heap import heaps_end

    if not heaps_end(data):
        return data  # the library would not come back
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        if "model_config" in file.attrs:
            text = file.attrs["model_config"]
            text = text.encode() if isinstance(text, str) else bytes(text)
            file.attrs.create("model_config", _json(text, step).decode(), dtype=h5py.string_dtype())
        else:
            found: list[Any] = []
            file.visititems(lambda _, v: found.append(v) if isinstance(v, h5py.Dataset) and v.size else None)
            chosen = found[step["at"] % len(found)]
            values = chosen[()]
            np.atleast_1d(values).flat[0] = (np.nan, np.inf, 1e38, -1)[step["value"] % 4]
            chosen[...] = values
    return buffer.getvalue()


def _field(data: bytes, step: Step) -> bytes:
    """Change a field of an ONNX model: attributes, names, shapes, types, operators."""
    import onnx

    model = onnx.load_from_string(data)
    graph, value = model.graph, step["value"]
    number = (0, 1, -1, 2, 7, 1 << 31, (1 << 62), -(1 << 62))[value % 8]
    node = graph.node[step["at"] % len(graph.node)]
    match value % 9:
        case 0 if node.attribute:
            attribute = node.attribute[value % len(node.attribute)]
            attribute.i = number
            if attribute.ints:
                attribute.ints[value % len(attribute.ints)] = number
        case 1 if graph.initializer:
            tensor = graph.initializer[value % len(graph.initializer)]
            if tensor.dims:
                tensor.dims[value % len(tensor.dims)] = number
        case 2 if graph.initializer:
            graph.initializer[value % len(graph.initializer)].data_type = value % 24
        case 3 if node.input:
            names = [n for other in graph.node for n in (*other.input, *other.output)]
            node.input[value % len(node.input)] = names[step["at"] % len(names)]
        case 4 if node.output:
            node.output[0] = graph.node[value % len(graph.node)].output[0]
        case 5:
            kinds = [
                "Conv",
                "Gemm",
                "Softmax",
                "Concat",
                "Reshape",
                "LSTM",
                "Loop",
                "If",
                "Gather",
                "Resize",
                "Nothing",
            ]
            node.op_type = kinds[value % len(kinds)]
        case 6:
            del graph.node[step["at"] % len(graph.node)]
        case 7:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[value % len(dims)].dim_value = number
        case _:
            model.opset_import[0].version = number
    return bytes(model.SerializeToString())

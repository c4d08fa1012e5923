"""Files written table by table from our own list of fields, so that they can hold what no converter writes."""

from typing import Any

import numpy as np

from gatewright.frontend.tflite.flatbuffer import SCALARS
from gatewright.frontend.tflite.schema import BUILTIN, SCHEMA, TYPES, UNION, options_of

Tables = dict[str, Any]


class Options(dict[str, Any]):
    """The options of one operator; ``kind`` names their table. A key ``field N`` is one that no schema has."""

    def __init__(self, kind: str, **values: Any) -> None:
        super().__init__(values)
        self.kind = kind


def file(model: Tables) -> bytes:
    """Give the file of a ``Model``."""
    data = bytearray(b"\0\0\0\0TFL3")
    data[0:4] = _table(data, "Model", model).to_bytes(4, "little")
    return bytes(data)


def _table(data: bytearray, kind: str, values: Tables) -> int:
    """Write a table and give where it starts."""
    slots = {f.name: (i, f.kind) for i, f in enumerate(SCHEMA[kind])}
    slots |= {key: (int(key[6:]), "u32") for key in values if key.startswith("field ")}
    given = {slots[key]: value for key, value in values.items() if value is not None}
    count = max((i for i, _ in given), default=-1) + 1
    _align(data)
    vtable = len(data)
    data += (4 + 2 * count).to_bytes(2, "little") + (4 + 8 * count).to_bytes(2, "little")
    data += b"".join((4 + 8 * i if any(s == i for s, _ in given) else 0).to_bytes(2, "little") for i in range(count))
    _align(data)
    start = len(data)
    data += (start - vtable).to_bytes(4, "little") + bytes(8 * count)
    for (slot, field), value in given.items():
        at = start + 4 + 8 * slot
        if field in SCALARS:
            raw = np.array(value, SCALARS[field]).tobytes()
            data[at : at + len(raw)] = raw
        else:
            data[at : at + 4] = (_child(data, field, value) - at).to_bytes(4, "little")
    return start


def _child(data: bytearray, kind: str, value: Any) -> int:
    if kind == "union":
        return _table(data, value.kind, value)
    if kind == "str":
        return _vector(data, value.encode(), len(value.encode()))
    if kind[0] != "[":
        return _table(data, kind, value)
    inner = kind[1:-1]
    if inner in SCALARS:
        array = np.asarray(value, SCALARS[inner])
        return _vector(data, array.tobytes(), array.size)
    start = _vector(data, bytes(4 * len(value)), len(value))
    for i, item in enumerate(value):
        at = start + 4 + 4 * i
        data[at : at + 4] = (_child(data, inner, item) - at).to_bytes(4, "little")
    return start


def _vector(data: bytearray, content: bytes, length: int) -> int:
    _align(data)
    start = len(data)
    data += length.to_bytes(4, "little") + content
    return start


def _align(data: bytearray) -> None:
    data += bytes(-len(data) % 8)


def tensor(shape: tuple[int, ...], type: str = "INT8", scale: float | None = 0.5, zero: int = 0, **more: Any) -> Tables:
    """A tensor, quantized by one scale unless that is None."""
    q = {} if scale is None else {"quantization": {"scale": [scale], "zero_point": [zero]}}
    return {"shape": list(shape), "type": TYPES.index(type), "buffer": 0, "name": "t", **q, **more}


def model(tensors: list[Tables], operators: list[Tables], inputs: list[int], outputs: list[int], **more: Any) -> Tables:
    """A model of one subgraph; each operator: {op, inputs, outputs, options, version, custom, ...}."""
    for i, t in enumerate(tensors):
        t["name"] = f"t{i}"
    codes, steps = [], []
    for o in operators:
        number = o["op"] if isinstance(o["op"], int) else BUILTIN.index(o["op"])
        version, custom = o.get("version", 1), o.get("custom")
        codes.append({"deprecated_builtin_code": min(number, 127), "builtin_code": number, "version": version,
                      "custom_code": custom})  # fmt: skip
        step = {"opcode_index": len(codes) - 1, "inputs": o["inputs"], "outputs": o["outputs"], **o.get("more", {})}
        if o.get("options") is not None:
            kind = o["options"].kind if isinstance(o["options"], Options) else options_of(o["op"])
            step |= {"builtin_options": Options(kind, **o["options"]), "builtin_options_type": UNION.index(kind) + 1}
        steps.append(step)
    subgraph = {"tensors": tensors, "inputs": inputs, "outputs": outputs, "operators": steps, "name": "main"}
    buffers = more.pop("buffers", [])
    return {"version": 3, "operator_codes": codes, "subgraphs": [subgraph], "buffers": [{}, *buffers], **more}

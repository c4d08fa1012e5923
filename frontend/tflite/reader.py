"""From the bytes of a file to a checked ``Model``."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import FileError, UnsupportedError
from .flatbuffer import DAMAGED, SCALARS, Reader, Table
from .model import MAX_ELEMENTS, Model, Operator, Tensor
from .schema import BUILTIN, IDENTIFIER, SCHEMA, TYPES, UNION, options_of

SIGNATURES = "leave one: tf.lite.TFLiteConverter.from_concrete_functions([f]) with a single function"


def read_model(path: Path) -> Model:
    """Read a ``.tflite`` file. Raises FileError, and UnsupportedError for what is sound but not supported."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror}", where=str(path)) from None
    return parse(data, str(path))


def parse(data: bytes, where: str) -> Model:
    """Read the bytes of a file; ``where`` names it in errors."""
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise FileError("is not a TFLite file: its first bytes are not those of one", where=where, hint=DAMAGED)
    reader = Reader(data, SCHEMA, where)
    return _Parser(reader, reader.table(reader.root(), "Model")).model()


class _Parser:
    def __init__(self, reader: Reader, head: dict[str, Any]) -> None:
        self.reader, self.head, self.where = reader, head, reader.where

    def model(self) -> Model:
        head = self.head
        if head["version"] != 3:
            raise self.unsupported(f"version {head['version']} of the format", "Gatewright reads version 3")
        if head["external_buffer_groups"] is not None or head["external_buffers"] is not None:
            raise self.unsupported("weights in files of their own", "convert the model with its weights inside")
        subgraphs = head["subgraphs"] or []
        parts = [self.subgraph(g) for g in subgraphs]
        operators = parts[0].operators if parts else ()
        once = {o.options.get("init_subgraph_index") for o in operators if o.name == "CALL_ONCE"}
        if not parts or not set(range(1, len(parts))) <= once:
            raise self.unsupported(f"{len(parts)} subgraphs (control flow, or several signatures)", SIGNATURES)
        main, *others = parts
        if not main.outputs:
            raise self.damaged("it has no outputs")
        return replace(main, initializers=dict(enumerate(others, 1)))

    def subgraph(self, graph: dict[str, Any]) -> Model:
        known = {f.name for name in ("Model", "SubGraph") for f in SCHEMA[name]}
        self.refuse_unknown({**self.head, **graph}, known, "the model")
        tensors = tuple(self.tensor(i, t) for i, t in enumerate(graph["tensors"] or []))
        operators = tuple(self.operator(i, o, len(tensors)) for i, o in enumerate(graph["operators"] or []))
        inputs, outputs = (self.indices(graph[key], len(tensors), key) for key in ("inputs", "outputs"))
        return Model(self.where, graph["name"] or "", tensors, operators, inputs, outputs)

    def damaged(self, what: str) -> FileError:
        return self.reader.damaged(what)

    def unsupported(self, what: str, hint: str) -> UnsupportedError:
        return UnsupportedError(f"{what}: not supported", where=self.where, hint=hint)

    def refuse_unknown(self, values: Mapping[str, Any], known: set[str], what: str) -> None:
        """Refuse fields that this version of the schema does not have: nobody knows what they change."""
        strange = [key for key in values if key not in known]
        if strange:
            raise self.unsupported(f"{what} has {strange[0]}", "convert it with TensorFlow 2.21 or older")

    def indices(self, values: Any, count: int, what: str) -> tuple[int, ...]:
        found = tuple(int(v) for v in ([] if values is None else values))
        if any(not 0 <= i < count for i in found):
            raise self.damaged(f"{what} names tensor {max(found)} of {count}")
        return found

    def tensor(self, index: int, t: dict[str, Any]) -> Tensor:
        name = t["name"] or f"tensor {index}"
        self.refuse_unknown(t, {f.name for f in SCHEMA["Tensor"]}, f"tensor {name!r}")
        shape = tuple(int(n) for n in (t["shape"] if t["shape"] is not None else ()))
        if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS or len(shape) > 8:
            raise self.damaged(f"tensor {name!r} has shape {shape}")
        if not 0 <= t["type"] < len(TYPES):
            raise self.damaged(f"tensor {name!r} has type {t['type']}")
        signature = t["shape_signature"]
        open_axes = () if signature is None else tuple(i for i, n in enumerate(signature) if n < 0)
        scales, zeros, axis, problem = self.quantization(t["quantization"], shape, name)
        if t["sparsity"] is not None:
            problem = "it is sparse; convert it without sparsity (DENSIFY)"
        if t["variant_tensors"] is not None or t["external_buffer"]:
            problem = "it has variants, or its data are in another file"
        data = self.buffer(t["buffer"], name)
        kind, variable = TYPES[t["type"]], bool(t["is_variable"])
        return Tensor(index, name, shape, kind, scales, zeros, axis, open_axes, variable, data, problem)

    def quantization(
        self, q: dict[str, Any] | None, shape: tuple[int, ...], name: str
    ) -> tuple[tuple[float, ...], tuple[int, ...], int, str]:
        """Give scales, zero points, their axis, and what of the quantization is not supported."""
        if q is None or q["scale"] is None or not len(q["scale"]):
            return (), (), 0, "" if q is None or not q["details_type"] else DETAILS
        known = {f.name for f in SCHEMA["QuantizationParameters"]}
        self.refuse_unknown(q, known, f"the quantization of tensor {name!r}")
        scales = tuple(float(s) for s in q["scale"])
        zeros = tuple(int(z) for z in (q["zero_point"] if q["zero_point"] is not None else ()))
        axis = int(q["quantized_dimension"])
        if len(zeros) != len(scales):
            raise self.damaged(f"tensor {name!r} has {len(scales)} scales and {len(zeros)} zero points")
        if len(scales) > 1 and (not 0 <= axis < len(shape) or shape[axis] != len(scales)):
            raise self.damaged(f"tensor {name!r} of shape {shape} has {len(scales)} scales along axis {axis}")
        if any(not -(2**31) <= z < 2**31 for z in zeros):
            raise self.damaged(f"tensor {name!r} has a zero point of {max(zeros, key=abs)}")
        return scales, zeros, axis, DETAILS if q["details_type"] else ""

    def buffer(self, index: int, name: str) -> memoryview | None:
        """Give the bytes of a constant; None for a tensor that is computed."""
        buffers = self.head["buffers"] or []
        if index >= len(buffers):
            raise self.damaged(f"tensor {name!r} is in buffer {index} of {len(buffers)}")
        buffer = buffers[index]
        self.refuse_unknown(buffer, {f.name for f in SCHEMA["Buffer"]}, f"the data of tensor {name!r}")
        start, size = int(buffer["offset"]), int(buffer["size"])
        if start > 1 and size:
            if start + size > len(self.reader.data):
                raise self.damaged(f"the data of tensor {name!r} lie outside of the file")
            return memoryview(self.reader.data)[start : start + size]
        data = buffer["data"]
        return None if data is None or not len(data) else memoryview(data)

    def operator(self, index: int, o: dict[str, Any], tensors: int) -> Operator:
        self.refuse_unknown(o, {f.name for f in SCHEMA["Operator"]}, f"operator {index}")
        codes = self.head["operator_codes"] or []
        if o["opcode_index"] >= len(codes):
            raise self.damaged(f"operator {index} has code {o['opcode_index']} of {len(codes)}")
        code = codes[o["opcode_index"]]
        number = max(int(code["deprecated_builtin_code"]), int(code["builtin_code"]))
        if not 0 <= number < len(BUILTIN):
            raise self.unsupported(f"operator {index} is number {number}, newer than Gatewright", "use TensorFlow 2.21")
        name = BUILTIN[number]
        inputs = tuple(None if i == -1 else int(i) for i in (o["inputs"] if o["inputs"] is not None else ()))
        self.indices([i for i in inputs if i is not None], tensors, f"operator {index} ({name})")
        outputs = self.indices(o["outputs"], tensors, f"operator {index} ({name})")
        intermediates = self.indices(o["intermediates"], tensors, f"operator {index} ({name})")
        options = self.options(index, name, o)
        custom = (code["custom_code"] or "") if name == "CUSTOM" else ""
        return Operator(index, name, int(code["version"]), inputs, outputs, options, custom, intermediates)

    def options(self, index: int, name: str, o: dict[str, Any]) -> dict[str, Any]:
        """Give the options by name; all zero where there are none, as the runtime takes it."""
        wanted, number, table = options_of(name), int(o["builtin_options_type"]), o["builtin_options"]
        if number > len(UNION):
            raise self.damaged(f"operator {index} ({name}) has options of kind {number}")
        got = UNION[number - 1] if number else ""
        values: dict[str, Any] = {}
        if isinstance(table, Table) and got == wanted and wanted:
            values = self.reader.table(table, wanted)
        elif got and got != wanted and wanted:
            raise self.damaged(f"operator {index} ({name}) has options of {got}")
        elif wanted:
            kinds = {f.name: f.kind for f in SCHEMA[wanted] if f.kind != "-"}
            values = {key: _zero(kind) for key, kind in kinds.items()}
        if o["builtin_options_2"] is not None or o["builtin_options_2_type"]:
            values["builtin_options_2"] = "there"
        if o["mutating_variable_inputs"] is not None and np.any(o["mutating_variable_inputs"]):
            values["mutating_variable_inputs"] = o["mutating_variable_inputs"].tolist()
        return {key: v.tolist() if isinstance(v, np.ndarray) else v for key, v in values.items()}


DETAILS = "its quantization is custom or by blocks"


def _zero(kind: str) -> Any:
    if kind == "bool":
        return False
    return None if kind not in SCALARS else 0.0 if kind == "f32" else 0


__all__ = ["parse", "read_model"]

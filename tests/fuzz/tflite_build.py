"""TFLite files written field by field, with TensorFlow's classes of the schema; and what its reference kernels give."""

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatewright.frontend.tflite.schema import BUILTIN, TYPES, UNION, options_of

DTYPES = {
    "FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16,
    "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_,
}  # fmt: skip


@dataclass
class Spec:
    """A tensor. ``data``: of a constant."""

    shape: tuple[int, ...]
    type: str
    scales: Sequence[float] = ()
    zeros: Sequence[int] = ()
    axis: int = 0
    data: np.ndarray | None = None
    variable: bool = False
    name: str = ""

    @property
    def scale(self) -> float:
        return float(self.scales[0]) if self.scales else 1.0

    @property
    def zero(self) -> int:
        return int(self.zeros[0]) if self.zeros else 0


@dataclass
class Step:
    """An operator: the numbers of its tensors (-1: left out), and its options, by their names in the schema."""

    op: str
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    custom: str = ""
    intermediates: list[int] = field(default_factory=list)


@dataclass
class ModelSpec:
    """A model: its tensors by number."""

    tensors: list[Spec] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def add(self, spec: Spec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1


def to_bytes(model: ModelSpec) -> bytes:
    """Give the file."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    out = schema.ModelT()
    out.version, out.description = 3, "drawn"
    out.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(schema, i, t, out.buffers) for i, t in enumerate(model.tensors)]
    graph.inputs, graph.outputs = list(model.inputs), list(model.outputs)
    codes = list(dict.fromkeys((s.op, s.version, s.custom) for s in model.steps))
    out.operatorCodes = [_code(schema, *code) for code in codes]
    graph.operators = [_operator(schema, s, codes.index((s.op, s.version, s.custom))) for s in model.steps]
    graph.name = "main"
    out.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(out.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, number: int, spec: Spec, buffers: list[Any]) -> Any:
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(spec.shape), TYPES.index(spec.type)
    tensor.name, tensor.isVariable = spec.name or f"t{number}", spec.variable
    tensor.buffer = 0
    if spec.data is not None:
        buffer = schema.BufferT()
        data = np.ascontiguousarray(spec.data)
        if spec.type == "INT4":
            flat = np.append(data.ravel(), np.int8(0))[: data.size + data.size % 2].astype(np.int8)
            data = (flat[0::2] & 15) | (flat[1::2] << 4)
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        tensor.buffer = len(buffers)
        buffers.append(buffer)
    if len(spec.scales):
        q = schema.QuantizationParametersT()
        q.scale, q.zeroPoint = [float(s) for s in spec.scales], [int(z) for z in spec.zeros]
        q.quantizedDimension = spec.axis
        tensor.quantization = q
    return tensor


def _code(schema: Any, op: str, version: int, custom: str) -> Any:
    code = schema.OperatorCodeT()
    number = BUILTIN.index(op)
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    code.customCode = custom or None
    return code


def _operator(schema: Any, step: Step, code: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, list(step.inputs), list(step.outputs)
    if step.intermediates:
        operator.intermediates = list(step.intermediates)
    name = options_of(step.op)
    if name and step.options is not None:
        options = getattr(schema, f"{name}T")()
        for key, value in step.options.items():
            setattr(options, re.sub(r"_(\w)", lambda m: m.group(1).upper(), key), value)
        operator.builtinOptions, operator.builtinOptionsType = options, UNION.index(name) + 1
    return operator


def quiet() -> None:
    """Keep TensorFlow from talking."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Reference:
    """TensorFlow's interpreter with the reference kernels. Raises RuntimeError or ValueError for what it refuses."""

    def __init__(self, data: bytes, *, keep: bool = False) -> None:
        quiet()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow as tf

            kind = tf.lite.experimental.OpResolverType.BUILTIN_REF
            self.interpreter = tf.lite.Interpreter(
                model_content=data, experimental_op_resolver_type=kind, experimental_preserve_all_tensors=keep
            )
            self.interpreter.allocate_tensors()

    def __call__(self, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run samples one batch after the other: arrays [n, *shape of the model] in, the same out."""
        inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        rows: list[list[np.ndarray]] = [[] for _ in outputs]
        for number in range(len(samples[0])):
            self.interpreter.reset_all_variables()
            for detail, x in zip(inputs, samples, strict=True):
                self.interpreter.set_tensor(detail["index"], x[number])
            self.interpreter.invoke()
            for row, detail in zip(rows, outputs, strict=True):
                row.append(self.interpreter.get_tensor(detail["index"]).copy())
        return [np.stack(row) for row in rows]

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape that the interpreter gives a tensor."""
        details = {d["index"]: d for d in self.interpreter.get_tensor_details()}
        return tuple(int(n) for n in details[number]["shape"])

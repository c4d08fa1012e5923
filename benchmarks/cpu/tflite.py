"""The same networks as TensorFlow Lite files, which LiteRT reads: written from the ONNX files, integers and all.

Networks of convolutions and dense layers only: what there is no rule for, or no counterpart, raises ``KeyError``.
Tensors are u8 in the ONNX files and s8 here, the same numbers less 128; a softmax gives steps of 1 / 256, as TensorFlow
Lite wants it, where onnxruntime's tools write 1 / 255.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from .build import same

VERSIONS = {"FULLY_CONNECTED": 5, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "SOFTMAX": 2, "ADD": 2, "MEAN": 2, "PAD": 2}
FUSED = {"Relu": "RELU", "Clip": "RELU6"}


class Writer:
    """Turns one ONNX model into a TensorFlow Lite one, channels last."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.graph = onnx.shape_inference.infer_shapes(model).graph
        self.stored = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        told = [*self.graph.input, *self.graph.output, *self.graph.value_info]
        self.shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in told}
        self.uses = Counter(name for node in self.graph.node for name in node.input)
        self.alias: dict[str, str] = {}
        """What a dequantized tensor, or one whose activation is fused, was made from."""
        self.formats: dict[str, tuple[NDArray[Any], int]] = {}
        """Scale and zero point by the tensor that is quantized."""
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: list[str] = []
        self.places: dict[str, int] = {}

    # -- reading ------------------------------------------------------------------------------------------------------

    def source(self, name: str) -> str:
        """The tensor that a name stands for."""
        while name in self.alias:
            name = self.alias[name]
        return name

    def constant(self, name: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """A stored array, and its scales where it is quantized."""
        for node in self.graph.node:
            if node.output[0] == name and node.op_type == "DequantizeLinear":
                return self.stored[node.input[0]], np.atleast_1d(self.stored[node.input[1]])
        return self.stored[name], None

    def look(self) -> None:
        """Find formats and what is fused."""
        made = {n.output[0]: n for n in self.graph.node}
        for node in self.graph.node:
            first = node.input[0]
            if node.op_type == "QuantizeLinear":
                self.alias[node.output[0]] = first
                zero = int(self.stored[node.input[2]]) - 128
                maker = made.get(first)
                softmax = maker is not None and maker.op_type == "Softmax"
                scale = np.float32(1 / 256) if softmax else self.stored[node.input[1]]
                self.formats[first] = (np.atleast_1d(scale), -128 if softmax else zero)
            elif node.op_type == "DequantizeLinear" and first not in self.stored:
                self.alias[node.output[0]] = first
        for node in self.graph.node:
            # onnxruntime's tools leave it in float, XNNPACK moves integers as they are
            if node.op_type == "DepthToSpace" and self.source(node.input[0]) in self.formats:
                self.formats[node.output[0]] = self.formats[self.source(node.input[0])]

    # -- writing ------------------------------------------------------------------------------------------------------

    def tensor(self, name: str, shape: Sequence[int], data: NDArray[Any] | None = None, *, like: str = "") -> int:
        """Add a tensor; of ``like``'s format."""
        made = self.schema.TensorT()
        made.name, made.shape = name, [int(n) for n in shape]
        made.type = self.schema.TensorType.FLOAT32
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            made.type = getattr(self.schema.TensorType, str(data.dtype).upper())
            self.buffers.append(buffer)
            made.buffer = len(self.buffers) - 1
        elif like in self.formats:
            made.type = self.schema.TensorType.INT8
            self.quantization(made, *self.formats[like])
        self.tensors.append(made)
        return len(self.tensors) - 1

    def quantization(self, tensor: Any, scales: NDArray[Any], zero: int = 0, axis: int = 0) -> None:
        """Set a tensor's scales."""
        told = self.schema.QuantizationParametersT()
        told.scale, told.zeroPoint = scales.astype(np.float32), np.full(scales.size, zero, np.int64)
        told.quantizedDimension = axis
        tensor.quantization = told

    def value(self, name: str) -> int:
        """The tensor of an activation."""
        name = self.source(name)
        if name not in self.places:
            self.places[name] = self.tensor(name, last(self.shapes[name]), like=name)
        return self.places[name]

    def step(self, code: str, inputs: Sequence[int], output: int, options: str = "", **fields: Any) -> None:
        """Append an operator."""
        made = self.schema.OperatorT()
        if code not in self.codes:
            self.codes.append(code)
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = list(inputs), [output]
        if options:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, options + "T")()
            for name, x in fields.items():
                setattr(made.builtinOptions, name, x)
        self.operators.append(made)

    def weights(self, name: str, axes: Sequence[int], axis: int) -> tuple[int, NDArray[Any] | None]:
        """A kernel with its axes in TensorFlow Lite's order, and its scales."""
        array, scales = self.constant(name)
        array = array.transpose(axes)
        place = self.tensor(name, array.shape, array)
        if scales is not None:
            self.quantization(self.tensors[place], scales, axis=axis)
        return place, scales

    def bias(self, name: str, x: str, scales: NDArray[Any] | None) -> int:
        """A bias, in steps of the products where it is quantized."""
        array, _ = self.constant(name)
        place = self.tensor(name, array.shape, array)
        if scales is not None:
            self.quantization(self.tensors[place], scales * self.formats[self.source(x)][0])
        return place

    def result(self, node: onnx.NodeProto) -> tuple[int, int]:
        """The tensor of what a node gives after the activation that follows it alone, and that activation's number."""
        name, kind = node.output[0], "NONE"
        if self.uses[name] == 1 and name not in self.formats:
            after = next(n for n in self.graph.node if name in n.input)
            if after.op_type in FUSED:
                name, kind = after.output[0], FUSED[after.op_type]
                self.alias[node.output[0]] = name
        return self.value(name), getattr(self.schema.ActivationFunctionType, kind)

    # -- operators ----------------------------------------------------------------------------------------------------

    def conv(self, node: onnx.NodeProto) -> None:
        """Conv, its padding as a tensor of its own where it is neither "same" nor none."""
        fields = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        depthwise = fields["group"] > 1
        x, size = self.value(node.input[0]), self.shapes[self.source(node.input[0])][2:]
        pads, strides, kernel = fields["pads"], fields["strides"], fields["kernel_shape"]
        sides = list(zip(pads[:2], pads[2:], strict=True))
        is_same = sides == [same(n, k, s) for n, k, s in zip(size, kernel, strides, strict=True)]
        if any(pads) and not is_same:
            x = self.pad(node, x, sides)
        kind, axes, axis = ("DepthwiseConv2D", (1, 2, 3, 0), 3) if depthwise else ("Conv2D", (0, 2, 3, 1), 0)
        w, scales = self.weights(node.input[1], axes, axis)
        b = self.bias(node.input[2], node.input[0], scales)
        y, act = self.result(node)
        padding = self.schema.Padding.SAME if is_same else self.schema.Padding.VALID
        extra = {"depthMultiplier": 1} if depthwise else {}
        self.step(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x, w, b], y, f"{kind}Options", padding=padding,
            strideH=strides[0], strideW=strides[1], fusedActivationFunction=act, **extra,
        )  # fmt: skip

    def pad(self, node: onnx.NodeProto, x: int, sides: Sequence[tuple[int, int]]) -> int:
        """A tensor with a border of zeros."""
        wide = [n + sum(s) for n, s in zip(self.tensors[x].shape, [(0, 0), *sides, (0, 0)], strict=True)]
        y = self.tensor(f"{node.name}_padded", wide, like=self.source(node.input[0]))
        borders = np.array([(0, 0), *sides, (0, 0)], np.int32)
        self.step("PAD", [x, self.tensor(f"{node.name}_pads", (4, 2), borders)], y, "PadOptions")
        return y

    def gemm(self, node: onnx.NodeProto) -> None:
        """Gemm with the units first."""
        x = self.value(node.input[0])
        w, scales = self.weights(node.input[1], (0, 1), 0)
        b = self.bias(node.input[2], node.input[0], scales)
        y, act = self.result(node)
        self.step("FULLY_CONNECTED", [x, w, b], y, "FullyConnectedOptions", fusedActivationFunction=act)

    def add(self, node: onnx.NodeProto) -> None:
        """The sum of two activations."""
        x = [self.value(name) for name in node.input]
        y, act = self.result(node)
        self.step("ADD", x, y, "AddOptions", fusedActivationFunction=act)

    def mean(self, node: onnx.NodeProto) -> None:
        """GlobalAveragePool."""
        x, axes = self.value(node.input[0]), self.tensor(f"{node.name}_axes", (2,), np.array([1, 2], np.int32))
        self.step("MEAN", [x, axes], self.value(node.output[0]), "ReducerOptions", keepDims=True)

    def flatten(self, node: onnx.NodeProto) -> None:
        """Flatten of one pixel, where the order of axes does not matter."""
        if self.shapes[self.source(node.input[0])][2:] != [1, 1]:
            raise KeyError(node.op_type)
        self.step("RESHAPE", [self.value(node.input[0])], self.value(node.output[0]), "ReshapeOptions",
                  newShape=self.shapes[node.output[0]])  # fmt: skip

    def softmax(self, node: onnx.NodeProto) -> None:
        """Softmax of the last axis."""
        self.step("SOFTMAX", [self.value(node.input[0])], self.value(node.output[0]), "SoftmaxOptions", beta=1.0)

    def depth_to_space(self, node: onnx.NodeProto) -> None:
        """DepthToSpace to one channel, where both orders are one."""
        if self.shapes[node.output[0]][1] != 1:
            raise KeyError(node.op_type)
        block = next(a.i for a in node.attribute if a.name == "blocksize")
        x, y = self.value(node.input[0]), self.value(node.output[0])
        self.step("DEPTH_TO_SPACE", [x], y, "DepthToSpaceOptions", blockSize=block)

    def quantize(self, node: onnx.NodeProto) -> None:
        """Of an input; other tensors are made in their format."""
        name = node.input[0]
        if name in (i.name for i in self.graph.input):
            stored = self.value(name)
            self.places[f"{name} given"] = self.tensor(f"{name}_given", last(self.shapes[name]))
            self.step("QUANTIZE", [self.places[f"{name} given"]], stored, "QuantizeOptions")

    def known(self, node: onnx.NodeProto) -> None:
        """DequantizeLinear, which ``look`` has seen."""

    def fused(self, node: onnx.NodeProto) -> None:
        """An activation that the operator before it does."""
        if self.source(node.input[0]) != node.output[0]:
            raise KeyError(node.op_type)

    def write(self) -> bytes:
        """The file."""
        import flatbuffers

        rules = {
            "Conv": self.conv, "Gemm": self.gemm, "Add": self.add, "GlobalAveragePool": self.mean,
            "Flatten": self.flatten, "Softmax": self.softmax, "DepthToSpace": self.depth_to_space,
            "QuantizeLinear": self.quantize, "DequantizeLinear": self.known, "Relu": self.fused,
            "Clip": self.fused,
        }  # fmt: skip
        self.look()
        for node in self.graph.node:
            rules[node.op_type](node)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model().Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def model(self) -> Any:
        """The whole in the schema's classes."""
        graph, model = self.schema.SubGraphT(), self.schema.ModelT()
        graph.inputs = [self.places.get(f"{i.name} given", self.value(i.name)) for i in self.graph.input]
        graph.outputs = [self.real(o.name) for o in self.graph.output]
        graph.tensors, graph.operators = self.tensors, self.operators
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = [self.code(name) for name in self.codes]
        return model

    def real(self, name: str) -> int:
        """An output, in float."""
        if self.source(name) not in self.formats:
            return self.value(name)
        made = self.tensor(f"{name}_real", last(self.shapes[name]))
        self.step("DEQUANTIZE", [self.value(name)], made, "DequantizeOptions")
        return made

    def code(self, name: str) -> Any:
        """An operator's number."""
        made = self.schema.OperatorCodeT()
        made.builtinCode = getattr(self.schema.BuiltinOperator, name)
        made.deprecatedBuiltinCode, made.version = min(made.builtinCode, 127), VERSIONS.get(name, 1)
        return made


def last(shape: Sequence[int]) -> list[int]:
    """An image's shape with the channels last."""
    return [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else list(shape)


def convert(source: Path, target: Path) -> None:
    """Write a TensorFlow Lite file of an ONNX one; needs the package ai-edge-litert."""
    target.write_bytes(Writer(onnx.load(source)).write())

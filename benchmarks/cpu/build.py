"""Writes ONNX files layer by layer, channels first, with drawn weights; batch 1 and static shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
GAINS = {"relu": 2.0, "relu6": 2.0, "gelu": 1.7, "tanh": 1.3}
"""What a layer's weights are scaled by, so that the variance survives the activation that follows (He et al. 2015)."""


class Value(NamedTuple):
    """A tensor of the network under way."""

    name: str
    shape: tuple[int, ...]


Operand = Value | NDArray[Any] | np.generic


class Builder:
    """Makes nodes one after the other; every weight comes from one generator, so a seed gives one file."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, *shape: int, dtype: int = TensorProto.FLOAT) -> Value:
        """Add an input of the network."""
        name = f"x{len(self.inputs)}" if self.inputs else "x"
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return Value(name, shape)

    def constant(self, array: NDArray[Any]) -> str:
        """Store an array."""
        name = f"c{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def op(self, kind: str, operands: Sequence[Operand], shape: Sequence[int], **attributes: Any) -> Value:
        """Append a node; arrays among the operands are stored."""
        names = [x.name if isinstance(x, Value) else self.constant(np.asarray(x)) for x in operands]
        made = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [made], name=f"{kind}_{made}", **attributes))
        return Value(made, tuple(shape))

    def weights(self, *shape: int, fan_in: int, gain: float = 1.0) -> NDArray[np.float32]:
        """Normally distributed, of variance ``gain / fan_in``."""
        return (self.rng.standard_normal(shape) * math.sqrt(gain / fan_in)).astype(np.float32)

    def bias(self, *shape: int) -> NDArray[np.float32]:
        """Small normally distributed numbers."""
        return (self.rng.standard_normal(shape) * 0.1).astype(np.float32)

    # -- layers -------------------------------------------------------------------------------------------------------

    def conv(
        self, x: Value, filters: int, kernel: int | tuple[int, int], stride: int = 1, *, depthwise: bool = False,
        act: str = "", pads: int | str = "same", gain: float = 1.0,
    ) -> Value:  # fmt: skip
        """Convolution, the batch normalization of a trained network folded into it; ``"same"`` as TensorFlow pads."""
        _, channels, *size = x.shape
        taps = (kernel, kernel) if isinstance(kernel, int) else kernel
        depth = 1 if depthwise else channels
        w = self.weights(filters, depth, *taps, fan_in=depth * taps[0] * taps[1], gain=gain * GAINS.get(act, 1.0))
        sides = [same(n, k, stride) if pads == "same" else (int(pads),) * 2 for n, k in zip(size, taps, strict=True)]
        out = [(n + sum(p) - k) // stride + 1 for n, k, p in zip(size, taps, sides, strict=True)]
        y = self.op(
            "Conv", [x, w, self.bias(filters)], [1, filters, *out], kernel_shape=list(taps), strides=[stride] * 2,
            pads=[p[0] for p in sides] + [p[1] for p in sides], group=channels if depthwise else 1,
        )  # fmt: skip
        return self.activation(y, act)

    def dense(self, x: Value, units: int, act: str = "", gain: float = 1.0) -> Value:
        """A fully connected layer: Gemm on vectors, MatMul and Add on sequences."""
        *lead, depth = x.shape
        w = self.weights(units, depth, fan_in=depth, gain=gain * GAINS.get(act, 1.0))
        shape = [*lead, units]
        if len(lead) == 1:
            y = self.op("Gemm", [x, w, self.bias(units)], shape, transB=1)
        else:
            y = self.op("Add", [self.op("MatMul", [x, w.T], shape), self.bias(units)], shape)
        return self.activation(y, act)

    def activation(self, x: Value, act: str) -> Value:
        """An activation by its name, none for an empty one."""
        match act:
            case "":
                return x
            case "relu6":
                return self.op("Clip", [x, np.float32(0), np.float32(6)], x.shape)
            case "gelu":
                inner = self.op("Erf", [self.op("Div", [x, np.float32(math.sqrt(2))], x.shape)], x.shape)
                scaled = self.op("Mul", [x, self.op("Add", [inner, np.float32(1)], x.shape)], x.shape)
                return self.op("Mul", [scaled, np.float32(0.5)], x.shape)
            case _:
                return self.op(act.capitalize(), [x], x.shape)

    def softmax(self, x: Value) -> Value:
        """Softmax of the last axis."""
        return self.op("Softmax", [x], x.shape, axis=-1)

    def add(self, a: Value, b: Operand) -> Value:
        """Sum of two tensors, or of a tensor and a constant, in the first one's shape."""
        return self.op("Add", [a, b], a.shape)

    def norm(self, x: Value, epsilon: float = 1e-6) -> Value:
        """Layer normalization of the last axis."""
        units = x.shape[-1]
        return self.op(
            "LayerNormalization", [x, 1 + self.bias(units), self.bias(units)], x.shape, axis=-1, epsilon=epsilon
        )

    def reshape(self, x: Value, *shape: int) -> Value:
        """The same elements in another shape."""
        return self.op("Reshape", [x, np.array(shape, np.int64)], shape)

    def transpose(self, x: Value, *axes: int) -> Value:
        """Axes in another order."""
        return self.op("Transpose", [x], [x.shape[i] for i in axes], perm=list(axes))

    def pick(self, x: Value, index: int, axis: int) -> Value:
        """One slice of an axis, which goes."""
        return self.op("Gather", [x, np.array(index, np.int64)], [*x.shape[:axis], *x.shape[axis + 1 :]], axis=axis)

    def pool(self, x: Value) -> Value:
        """Mean of each channel, as a vector."""
        channels = x.shape[1]
        return self.op("Flatten", [self.op("GlobalAveragePool", [x], [1, channels, 1, 1])], [1, channels])

    def depth_to_space(self, x: Value, block: int) -> Value:
        """Channels to pixels, as PyTorch's pixel shuffle orders them."""
        _, channels, height, width = x.shape
        shape = [1, channels // block**2, height * block, width * block]
        return self.op("DepthToSpace", [x], shape, blocksize=block, mode="CRD")

    def roll(self, x: Value, shift: int, axis: int) -> Value:
        """Move an axis round by ``shift``, negative to the front, as torch.roll is exported."""
        size = x.shape[axis]
        cut = -shift % size

        def part(start: int, stop: int) -> Value:
            shape = [*x.shape[:axis], stop - start, *x.shape[axis + 1 :]]
            bounds = (np.array([n], np.int64) for n in (start, stop, axis))
            return self.op("Slice", [x, *bounds], shape)

        return self.op("Concat", [part(cut, size), part(0, cut)], x.shape, axis=axis)

    def model(self, *outputs: Value) -> onnx.ModelProto:
        """The finished, checked model."""
        told = [helper.make_tensor_value_info(y.name, TensorProto.FLOAT, y.shape) for y in outputs]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, told, self.stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return model


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding "same" of one axis, before and behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2

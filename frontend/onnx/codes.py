"""Integer tensors on their way: as inputs of the model, and through operators that only move or compare values."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ...graph import Affine, NDArray, Node
from ...graph.arrays import Grid
from ...graph.ops import Input
from .coding import INTEGERS, Coding, numbers
from .fold import MOVES
from .formats import quantized_format, ratio, units, whole
from .registry import Build, Call, Coded, Flow, Known, Scaled, Value, listed

INPUTS = ("int8", "uint8", "int16", "uint16", "int4", "uint4")
"""Types of the model's inputs that are read as integers."""

MOVERS = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Max", "Min", "Pad", "Reshape",
    "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "GlobalMaxPool", "Resize",
}  # fmt: skip
"""Operators that give some of their operands' elements: on stored integers or on what they mean, it is the same."""

JOINS = ("Concat", "Max", "Min")
"""Those that read several tensors, or constants, of one type."""

READERS = {
    "DequantizeLinear": {0: (1, 2)},
    "QLinearConv": {0: (1, 2)},
    "QLinearMatMul": {0: (1, 2), 3: (4, 5)},
}
"""Which inputs hold the scale and the zero point of which input."""


def coded_input(graph: Any, info: Any, shape: tuple[int, ...], known: Mapping[str, Value | None]) -> Coded | None:
    """Give an input of the model whose type is one of integers, None for others.

    It has the scale and zero point with which everything reads it, where that is the same; else its numbers are
    themselves.
    """
    import onnx

    names = {getattr(onnx.TensorProto, n.upper()): n for n in INPUTS}
    dtype = names.get(info.type.tensor_type.elem_type)
    if dtype is None:
        return None
    scale, zero = _read_with(graph, info.name, known)
    coding = Coding(dtype, scale, zero)
    format = quantized_format(*INTEGERS[dtype], scale, zero)
    return Coded(Node(Input(info.name, shape, format), (), info.name), dtype, ratio(coding.scale), whole(coding.zero))


def _read_with(graph: Any, name: str, known: Mapping[str, Value | None]) -> tuple[Any, Any]:
    """Give the one scale and zero point with which operators read a tensor, else 1 and 0."""
    found = set()
    for node in graph.node:
        for i, read in enumerate(node.input):
            if read == name:
                found.add(_numbers_of(graph, node, READERS.get(node.op_type, {}).get(i), known))
    plain = (np.array(1.0), np.array(0, np.int64))
    pair = found.pop() if len(found) == 1 else None
    return plain if pair is None else (np.array(pair[0]), np.array(pair[1], np.int64))


def _numbers_of(
    graph: Any, node: Any, places: tuple[int, int] | None, known: Mapping[str, Value | None]
) -> tuple[float, int] | None:
    if places is None or len(node.input) <= places[0]:
        return None
    arrays = [_stored(graph, node.input[i], known) if i < len(node.input) and node.input[i] else 0 for i in places]
    if not all(isinstance(a, int) or (isinstance(a, np.ndarray) and a.size == 1) for a in arrays):
        return None
    scale, zero = (float(np.asarray(a).astype(np.float64).ravel()[0]) for a in arrays)
    return (scale, int(zero)) if np.isfinite(scale) and scale > 0 else None


def _stored(graph: Any, name: str, known: Mapping[str, Value | None]) -> NDArray | None:
    """Give a tensor that the file stores, as an initializer or in a Constant."""
    import onnx

    value = known.get(name)
    if isinstance(value, Known):
        return value.variants[0]
    found = [n for n in graph.node if n.op_type == "Constant" and name in n.output]
    tensors = [a.t for n in found for a in n.attribute if a.name == "value" and a.t.data_location == 0]
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensors[0])) if len(tensors) == 1 else None
    except Exception:  # a damaged tensor; the Constant itself is refused later
        return None


def moves_codes(call: Call, op: str) -> bool:
    """Whether an operator only moves or picks elements, and one of its operands is a computed tensor of integers."""
    return op in MOVERS and any(isinstance(v, Coded) for v in call.inputs)


def move_codes(call: Call, build: Build) -> list[Value]:
    """Do to integers what ``build`` does to real values, and keep the scale and the zero point."""
    codes = [v for v in call.inputs if isinstance(v, Coded)]
    first = codes[0]
    constants = any(isinstance(v, Known) and v.variants[0].dtype.name == first.dtype for v in call.inputs)
    pads = call.op == "Pad" and (constants or codes[0].zero != 0)
    joins = call.op in JOINS and (constants or any((c.scale, c.zero) != (first.scale, first.zero) for c in codes))
    if pads or joins:  # constants of the tensor's own type are whole numbers, in that unit
        one: Any = Fraction(1)
        codes = [Coded(numbers(call, c), c.dtype, one, 0, c.lead) for c in codes]
    scale, zero = codes[0].scale, codes[0].zero
    left = iter(codes)
    call.inputs = [_operand(call, v, next(left) if isinstance(v, Coded) else codes[0]) for v in call.inputs]
    return [_coded(call, r, first.dtype, scale, zero) for r in listed(build(call))]


def _operand(call: Call, value: Value | None, code: Coded) -> Value | None:
    """Give a coded operand as the real values, and a constant of its own type as the real value it means."""
    if isinstance(value, Coded):
        return Flow(code.node, lead=code.lead)
    if isinstance(value, Known) and value.variants[0].dtype.name == code.dtype:
        if len(value.variants) > 1:
            raise call.refuse("a constant depends on the length of the batch", "export with a fixed batch of 1")
        stored = value.variants[0].astype(np.int64)
        return Scaled((stored.astype(np.float32),), stored, np.ones(()), np.zeros((), np.int64))
    return value


def _coded(call: Call, result: Node | Value, dtype: str, scale: Any, zero: Any) -> Value:
    node = result if isinstance(result, Node) else result.node if isinstance(result, Flow) else None
    if node is None:
        assert not isinstance(result, Node)
        return result
    if isinstance(scale, Grid) or isinstance(zero, Grid):
        if call.op not in MOVES or not node.type.is_integer:
            raise call.refuse("it moves integers whose scale differs by channel", "put the DequantizeLinear before it")
        format = node.type.quantized  # its scales and zero points have moved along
        return Coded(node, dtype, units(format), format.zero_point if isinstance(format, Affine) else 0)
    if not node.type.is_integer:
        raise call.refuse(f"it computes on {dtype} what is not an integer", "put a DequantizeLinear before it")
    return Coded(node, dtype, scale, zero, call.lead)

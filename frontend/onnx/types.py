"""Element types: which tensors are integers, in which format, and what type the result of an operator has."""

from fractions import Fraction
from typing import Any

import numpy as np

from ...graph import Fixed, Format, NDArray, Node, UnsupportedError
from ...graph.formats import BFLOAT, FLOAT, HALF, Overflow, Rounding
from ...graph.ops import Cast, Quantize

SHORT: dict[str, tuple[int, int, float]] = {
    "float16": (10, -14, 65504.0),
    "bfloat16": (7, -126, float(np.ldexp(255.0, 120))),
    "float8e4m3fn": (3, -6, 448.0),
    "float8e4m3fnuz": (3, -7, 240.0),
    "float8e5m2": (2, -14, 57344.0),
    "float8e5m2fnuz": (2, -15, 57344.0),
    "float4e2m1": (1, 0, 6.0),
}
"""Types of fewer bits than float32: bits of the mantissa, least exponent of a normal number, largest number."""

FLOATS = ("float32", "float64", *SHORT)
"""Types of real numbers; everything is computed in float32."""

KEPT_FLOATS = {str(f): f for f in (HALF, BFLOAT)}
"""Those that results are rounded to, one operator after the other."""

WHOLE: dict[str, tuple[int, bool]] = {
    "bool": (1, False),
    **{f"int{n}": (n, True) for n in (2, 4, 8, 16, 32, 64)},
    **{f"uint{n}": (n, False) for n in (2, 4, 8, 16, 32, 64)},
}
"""Types of whole numbers: their bits, and whether they have a sign."""

READ_AS = {"int64": Fixed(32, 32), "uint64": Fixed(31, 31, signed=False)}
"""Inputs of 64 bits are read in fewer, so that sums and products of them fit into 63; larger numbers are refused."""

NAMES = {"float": "float32", "double": "float64"}
"""What ONNX calls otherwise than numpy."""


def type_name(element: int) -> str:
    """Give numpy's name of an element type of a ``TensorProto``; an empty one for what is no number."""
    import onnx

    name = str({number: text for text, number in onnx.TensorProto.DataType.items()}.get(element, "")).lower()
    return NAMES.get(name, name)


def type_of(array: NDArray) -> str:
    """Give the name of a constant's type."""
    return array.dtype.name.replace("float8_", "float8").replace("float4_", "float4").replace("e2m1fn", "e2m1")


def storage(name: str) -> Format | None:
    """Give the format of an input of a type; None where there is none."""
    if name in FLOATS:
        return KEPT_FLOATS.get(name, FLOAT)
    if name in READ_AS:
        return READ_AS[name]
    return Fixed(WHOLE[name][0], WHOLE[name][0], WHOLE[name][1]) if name in WHOLE else None


def result_types(proto: Any, opset: int, given: list[str | None]) -> list[str | None]:
    """Give the type of each output of an operator of ONNX by its definition; None where that leaves it open.

    Raises UnsupportedError where the operator is not defined for the types that it is given.
    """
    import onnx

    schema = onnx.defs.get_schema(proto.op_type, opset, "")
    bound: dict[str, str] = {}
    for i, name in enumerate(given):
        formal = schema.inputs[min(i, len(schema.inputs) - 1)]
        if name is None:
            continue
        if name not in FLOATS and _text(name) not in formal.types:
            raise UnsupportedError(f"input {i} is {name}, for which {proto.op_type} is not defined in opset {opset}")
        first = bound.setdefault(formal.type_str, name)
        if first != name and (first in FLOATS) != (name in FLOATS) and formal.is_homogeneous:
            raise UnsupportedError(f"its operands are {first} and {name}")
    outputs = [schema.outputs[min(i, len(schema.outputs) - 1)] for i in range(len(proto.output))]
    return [bound.get(o.type_str) or _only(o) for o in outputs]


def _text(name: str) -> str:
    """Spell a type as the definitions do."""
    back = {ours: theirs for theirs, ours in NAMES.items()}
    return f"tensor({back.get(name, name)})"


def _only(formal: Any) -> str | None:
    """Give the one type that an output can have; None where there are several."""
    if len(formal.types) != 1:
        return None
    name = str(next(iter(formal.types))).removeprefix("tensor(").removesuffix(")")
    return NAMES.get(name, name)


def as_type(node: Node, name: str) -> Node:
    """Give a result as its type has it: whole numbers wrapped around, floats of 16 bits rounded to the nearest."""
    if name in WHOLE:
        return kept(node, name)
    format = KEPT_FLOATS.get(name)
    return node if format is None or node.type.format == format else Node(Cast(format), (node,), node.where)


def kept(node: Node, name: str) -> Node:
    """Give a result as its type of whole numbers has it: what does not fit wraps around, as the source's does.

    Raises UnsupportedError where the result is not exact, or wraps in a type that the graph has not.
    """
    width, signed = WHOLE[name]
    if not node.type.is_integer:
        reason = getattr(node.type.format, "note", "") or "this operation has no exact integer form"
        raise UnsupportedError(f"a result of {name} is not computed exactly: {reason}", hint="use a smaller type")
    scale = node.type.quantized.scale
    if not isinstance(scale, Fraction) or scale.denominator != 1:
        raise UnsupportedError(f"a result of {name} is not whole", hint="cast to float before the division")
    low, high = (int(np.min(node.type.interval[0])) * int(scale), int(np.max(node.type.interval[1])) * int(scale))
    least, most = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if least <= low and high <= most:
        return node
    if name == "bool" or width + (not signed) > 64:
        raise UnsupportedError(f"a result of {name} may lie anywhere in {low}..{high}", hint="use a smaller type")
    return Node(Quantize(Fixed(width, width, signed), Rounding.TRN, Overflow.WRAP), (node,), node.where)


__all__ = [
    "FLOATS", "KEPT_FLOATS", "READ_AS", "SHORT", "WHOLE", "as_type", "kept", "result_types", "storage", "type_name",
    "type_of",
]  # fmt: skip

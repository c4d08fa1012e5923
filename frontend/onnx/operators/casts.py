"""Changes of the element type."""

import numpy as np

from ....graph import Fixed, NDArray, Node
from ....graph.formats import Overflow, Rounding
from ....graph.ops import Activation, Compare, Comparison, Quantize, Select, Sub
from ..registry import Call, Flow, Known, operator
from ..types import FLOATS, KEPT_FLOATS, SHORT, WHOLE, as_type, kept, type_name


@operator("Cast")
def cast(call: Call) -> Flow | Known:
    """Change the element type: integers wrap around, real numbers lose what is after the point."""
    target = type_name(call.attributes.integer("to"))
    if target not in FLOATS and target not in WHOLE:
        raise call.refuse(f"a cast to {target or 'no type of numbers'}", "cast to a type of numbers")
    return _cast(call, target)


@operator("CastLike")
def cast_like(call: Call) -> Flow | Known:
    """Change the element type to that of another tensor."""
    target = call.type(1)
    call.value(1)
    if target not in FLOATS and target not in WHOLE:
        raise call.refuse(f"a cast to {target}", "cast to a type of numbers")
    return _cast(call, target)


def _cast(call: Call, target: str) -> Flow | Known:
    saturate = call.attributes.boolean("saturate", 1)
    call.attributes.ignore("round_mode", why="it acts on casts to float8e8m0 alone")
    value, source = call.value(0), call.type()
    if isinstance(value, Known):  # cast to the type of a computed tensor
        return Known(tuple(_constant(call, v, target) for v in value.variants))
    x = value.node
    if target in WHOLE:
        return Flow(_to_whole(call, x, source, target), target, call.lead)
    if target in SHORT and source != target and not (source in SHORT and _contains(target, source)):
        if target in KEPT_FLOATS:
            return Flow(as_type(x, target), target, call.lead)
        bits, exponent, largest = SHORT[target]
        if target.startswith("float8") and not saturate:
            raise call.attributes.refusal("saturate", 0, "numbers out of range would become NaN")
        short = call.node(Activation("round_float", (float(bits), float(exponent), largest, 1.0)), x)
        if target == "float4e2m1":  # has no NaN: 0 instead
            number = call.node(Compare(Comparison.EQUAL), x, x)
            short = call.node(Select(), number, short, call.constant(np.float32(0)))
        x = short
    return Flow(x, target, call.lead)


def _constant(call: Call, value: NDArray, target: str) -> NDArray:
    if target not in ("float32", "float64", *WHOLE) and target not in ("float16", "bfloat16"):
        raise call.refuse(f"a constant is cast to {target}", "fold constants where the model is exported")
    if target == "bfloat16":
        return value.astype(np.float32)
    if target in WHOLE and WHOLE[target][0] < 8 and target != "bool":
        raise call.refuse(f"a constant is cast to {target}", "fold constants where the model is exported")
    return value.astype(np.dtype(target))


def _contains(wide: str, narrow: str) -> bool:
    """Whether each number of one type is one of another."""
    (bits, least, most), (bits_n, least_n, most_n) = SHORT[wide], SHORT[narrow]
    return bits_n <= bits and least_n - bits_n >= least - bits and most_n <= most


def _to_whole(call: Call, x: Node, source: str, target: str) -> Node:
    if target == "bool":
        if source == "bool":
            return x
        zero = call.node(Compare(Comparison.EQUAL), x, call.number(0))
        return call.node(Sub(), call.constant(1), zero)
    if source in WHOLE:
        return kept(x, target)
    width, signed = WHOLE[target]
    if width + (not signed) > 64:
        raise call.refuse(f"a cast of {source} to {target}", "use int64")
    overflow = Overflow.WRAP if width <= 4 else Overflow.SAT  # beyond the range of 8 bits and more it is undefined
    return call.node(Quantize(Fixed(width, width, signed), Rounding.TRN_ZERO, overflow), x)

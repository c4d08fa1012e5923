"""What makes constants of shapes, and operators that change nothing at inference."""

import numpy as np

from ....graph import Fixed, Overflow, Rounding
from ....graph.ops import Mul, Quantize
from ..fold import filled, without_layout
from ..program import Dtype
from ..registry import REAL, WHOLE, Call, Results, operator
from ..values import Flow, Known
from .logic import truth

WIDTHS = {"int64": 32, "int32": 32, "int16": 16, "int8": 8, "uint8": 8}
"""Of casts from real numbers; what is beyond is undefined in C, and saturates here."""


@operator("sym_size")
def sym_size(call: Call) -> Known:
    """Give the length of an axis, the batch as one of the lengths that are tried."""
    x, dim = call.value("self"), call.integer("dim")
    shapes = [_shape(x, i, n) for i, n in enumerate(call.batch.lengths)]
    axis = call.position(dim, len(shapes[0]))
    return Known.of([np.array(s[axis], np.int64) for s in shapes], "int64")


@operator("sym_numel")
def sym_numel(call: Call) -> Known:
    """Count the elements."""
    x = call.value("self")
    counts = [np.prod(_shape(x, i, n), dtype=np.int64) for i, n in enumerate(call.batch.lengths)]
    return Known.of([np.asarray(c) for c in counts], "int64")


def _shape(x: Flow | Known, i: int, length: int) -> tuple[int, ...]:
    return x.shape(length) if isinstance(x, Flow) else x.at(i).shape


@operator(
    "clone", "contiguous", "detach", "alias", "lift_fresh_copy", "lift_fresh", "positive", "real",
    "resolve_conj", "resolve_neg", "conj",
)  # fmt: skip
def identity(call: Call) -> Results:
    """Give the input."""
    without_layout(call)
    value = call.value("self" if "self" in call.arguments else "input")
    return value


@operator("_to_copy", "to", "type_as", "float", "double")
def cast(call: Call) -> Results:
    """Round to floats of 16 bits, where the result's type is one; accept casts to types that hold the same numbers."""
    without_layout(call)
    x = call.value("self")
    call.arguments.ignore("other", why="the result's type is the one that the program gives")
    dtype = call.arguments.take("dtype", None)
    assert isinstance(x, Flow)
    to = call.dtypes[0] if call.dtypes else x.dtype
    if dtype is not None and not isinstance(dtype, Dtype):
        raise call.arguments.refusal("dtype", dtype)
    if to == x.dtype or (to in REAL and x.dtype in REAL):
        return x
    if to in REAL:  # whole numbers enter real arithmetic as they are
        return x.on(call.node(Mul(), x.node, call.constant(np.float32(1.0))))
    if to == "bool":
        return truth(call, x, "self")
    if x.dtype in WHOLE:
        return x
    width = WIDTHS[to]
    whole = Fixed(width, width, to != "uint8")
    return x.on(call.node(Quantize(whole, Rounding.TRN_ZERO, Overflow.SAT), x.node))


@operator("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def dropout(call: Call) -> Results:
    """Do nothing, as at inference. Raises UnsupportedError in training mode."""
    p = call.arguments.real("p")
    if call.arguments.boolean("train") and p:
        raise call.arguments.refusal("train", True, "export the model for inference: model.eval()")
    return call.value("input")


@operator("native_dropout")
def native_dropout(call: Call) -> Results:
    """Do nothing, as at inference."""
    p = call.arguments.real("p")
    if call.arguments.take("train", None) and p:
        raise call.arguments.refusal("train", True, "export the model for inference: model.eval()")
    return [call.flow("input")]


@operator("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
def like(call: Call) -> Results:
    """A constant with the shape of a tensor, or a shape of its own."""
    x = call.value("self")
    new = call.op.startswith("new_")
    sizes = call.sizes("size") if new else [_shape(x, i, n) for i, n in enumerate(call.batch.lengths)]
    full = call.op in ("full_like", "new_full")
    value = call.value("fill_value") if full else Known((np.asarray(float("ones" in call.op)),))
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    without_layout(call)
    return filled(call, sizes, value)


@operator("fill")
def fill(call: Call) -> Results:
    """A constant with the shape of a tensor."""
    x = call.value("self")
    return filled(call, [_shape(x, i, n) for i, n in enumerate(call.batch.lengths)], call.value("value"))

"""What makes constants of shapes, and operators that change nothing at inference."""

import numpy as np

from ..fold import filled, without_layout
from ..program import Dtype
from ..registry import REAL, Call, Results, operator
from ..values import Flow, Known


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
    """Accept casts between types that hold the same numbers; everything is computed in float32."""
    without_layout(call)
    x = call.value("self")
    call.arguments.ignore("other", why="the result's type is the one that the program gives")
    dtype = call.arguments.take("dtype", None)
    assert isinstance(x, Flow)
    to = call.dtypes[0] if call.dtypes else x.dtype
    if dtype is not None and not isinstance(dtype, Dtype):
        raise call.arguments.refusal("dtype", dtype)
    if to == x.dtype or to in REAL:  # whole numbers and truth values are kept as real numbers
        return x
    if x.dtype == "bool" or (x.dtype in ("uint8", "int8", "int16", "int32") and to in ("int32", "int64")):
        return x
    if x.dtype == "int64" and to == "int32":
        return x
    raise call.refuse(f"a cast from {x.dtype} to {to}", "quantizers are not written as casts; stay in float32")


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

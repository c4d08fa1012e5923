"""Resize and Upsample: nearest by picking, linear and cubic by constant matrices, axis by axis."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ....graph import Node
from ....graph.ops import Add, MatMul, Mul, Reshape, Upsample
from ...interpolation import COORDINATES, NEAREST, Line, Method, matrix, nearest_indices, outside
from ..registry import MAX_ELEMENTS, Call, Flow, operator
from .moves import taken
from .windows import channels_first, channels_last

MAX_LENGTH = 1 << 14
"""Of an axis after it; an interpolation matrix has this number of rows."""


@operator("Upsample")
def upsample(call: Call) -> Node:
    """Scale every axis (opsets 7 to 9): positions are ``index / scale``, rounded down for ``nearest``."""
    mode = call.attributes.choice("mode", "nearest", "linear", default="nearest")
    scales = call.attributes.take("scales") if call.opset < 9 else call.array(1).tolist()
    return _resized(call, Method(mode, "asymmetric", "floor"), _lines_by_scale(call, scales, None))


@operator("Resize")
def resize(call: Call) -> Node:
    """Scale axes, or bring them to given lengths."""
    method = _method(call)
    if call.opset == 10:
        return _resized(call, method, _lines_by_scale(call, call.array(1).tolist(), None))
    rank = len(call.flow().shape) + call.lead
    axes = call.attributes.take("axes", None)
    axes = None if axes is None else [call.axis(int(a), rank) for a in axes]
    roi = call.optional(1)  # which only one mode reads
    scales, sizes = call.known(2), call.optional(3)
    policy = call.attributes.choice(
        "keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller", default="stretch"
    )
    if (scales is not None and scales.size > 0) == (sizes is not None):
        raise call.misfit("it needs either scales or sizes")
    if sizes is None:
        lines = _lines_by_scale(call, [] if scales is None else scales.astype(np.float32).tolist(), axes)
    else:
        lines = _lines_by_size(call, _sizes(call, axes), policy, axes)
    if method.coordinates == "tf_crop_and_resize":
        if roi is None:
            raise call.misfit("tf_crop_and_resize needs roi")
        lines = _with_roi(call, lines, call.array(1).tolist(), axes)
    return _resized(call, method, lines)


def _method(call: Call) -> Method:
    attributes = call.attributes
    modes = ("nearest", "linear") if call.opset == 10 else ("nearest", "linear", "cubic")
    mode = attributes.choice("mode", *modes, default="nearest")
    if call.opset == 10:  # no more attributes, and the meaning of Upsample
        return Method(mode, "asymmetric", "floor")  # the ceiling where an axis shrinks: _one_axis
    method = Method(
        mode,
        attributes.choice("coordinate_transformation_mode", *COORDINATES, default="half_pixel"),
        attributes.choice("nearest_mode", *NEAREST, default="round_prefer_floor"),
        attributes.real("cubic_coeff_a", -0.75),
        attributes.boolean("exclude_outside", 0),
        attributes.boolean("antialias", 0),
        attributes.real("extrapolation_value", 0.0),
    )
    if mode == "nearest" and (method.exclude_outside or method.antialias):
        raise call.refuse("exclude_outside and antialias go with linear and cubic", "take them out")
    return method


def _lines_by_scale(call: Call, scales: Sequence[float], axes: list[int] | None) -> list[Line]:
    shape = call.flow().shape
    lines = [Line(n, n, 1.0) for n in shape]
    for axis, scale in _along(call, scales, axes):
        if not 0 < scale < MAX_ELEMENTS:
            raise call.misfit(f"a scale of {scale}")
        if axis < call.lead and scale != 1:
            raise call.refuse("it scales axis 0, the batch", "scale other axes")
        if axis >= call.lead:
            n = shape[axis - call.lead]
            lengths = {int(np.float32(n) * np.float32(scale)), int(n * float(scale))}
            if len(lengths) > 1 or not max(lengths):
                raise call.refuse(
                    f"a scale of {scale} makes {n} elements {sorted(lengths)}", "give sizes instead of scales"
                )
            lines[axis - call.lead] = Line(n, lengths.pop(), float(scale))
    return lines


def _sizes(call: Call, axes: list[int] | None) -> list[int]:
    """Read the sizes; the batch, where it is among them, has to keep its length (0 stands for it)."""
    value = call.value(3)
    if isinstance(value, Flow):
        raise call.refuse("the sizes are computed from values", "make them constants where the model is exported")
    variants = [list(call.whole(v)) for v in value.variants]
    where = 0 if axes is None else axes.index(0) if 0 in axes else None
    if not call.lead:
        return variants[0]
    for i, length in enumerate(call.batch.lengths):
        sizes = variants[i % len(variants)]
        if where is not None and where < len(sizes):
            if sizes[where] not in ((length, 1) if call.batch.is_open else (length,)):
                raise call.refuse("it resizes axis 0, the batch", "resize other axes")
            sizes[where] = 0
    if any(v != variants[0] for v in variants):
        raise call.refuse("the sizes depend on the length of the batch", "export the model with a fixed batch of 1")
    return variants[0]


def _lines_by_size(call: Call, sizes: list[int], policy: str, axes: list[int] | None) -> list[Line]:
    shape = call.flow().shape
    wanted = {axis - call.lead: int(size) for axis, size in _along(call, sizes, axes) if axis >= call.lead}
    if any(not 0 < s < MAX_ELEMENTS for s in wanted.values()):
        raise call.misfit(f"sizes {sizes}")
    if policy == "stretch":
        return [Line(n, wanted.get(i, n), wanted.get(i, n) / n) for i, n in enumerate(shape)]
    if len(wanted) < len(sizes):
        raise call.refuse(f"keep_aspect_ratio_policy = {policy} with the batch among the axes", "give axes without 0")
    scale = (min if policy == "not_larger" else max)(size / shape[i] for i, size in wanted.items())
    return [
        Line(n, max(int(scale * n + 0.5), 1), scale) if i in wanted else Line(n, n, 1.0) for i, n in enumerate(shape)
    ]


def _along(call: Call, values: Sequence[float], axes: list[int] | None) -> list[tuple[int, float]]:
    rank = len(call.flow().shape) + call.lead
    along = list(range(rank)) if axes is None else axes
    if len(values) != len(along) or len(set(along)) != len(along):
        raise call.misfit(f"{list(values)} for axes {along}")
    return list(zip(along, values, strict=True))


def _with_roi(call: Call, lines: list[Line], roi: list[float], axes: list[int] | None) -> list[Line]:
    half = len(roi) // 2
    starts, ends = _along(call, roi[:half], axes), dict(_along(call, roi[half:], axes))
    result = list(lines)
    for axis, start in starts:
        if axis < call.lead and (start, ends[axis]) != (0.0, 1.0):
            raise call.refuse("roi cuts axis 0, the batch", "cut other axes")
        if axis >= call.lead:
            at = axis - call.lead
            result[at] = replace(lines[at], roi=(start, ends[axis]))
    return result


def _resized(call: Call, method: Method, lines: list[Line]) -> Node:
    """Resize axis by axis, with the channels last, where rows and columns are matrix axes without a transpose."""
    x = call.flow()
    if (
        prod(line.resized for line in lines) > MAX_ELEMENTS
        or max((line.resized for line in lines), default=1) > MAX_LENGTH
    ):
        raise call.misfit(f"a result of shape {[line.resized for line in lines]}")
    for line in lines:
        width = line.scale * line.length
        if method.coordinates == "align_corners" and line.resized > 1 and width - line.resized > 1e-4:
            raise call.refuse(
                f"align_corners where a scale of {line.scale:g} makes {line.length} elements {width:g}:"
                f" onnx's evaluator aligns that, ONNX Runtime {line.resized}",
                "give sizes instead of scales",
            )
    moving = [line.resized != line.length or _moves(method, line) for line in lines]
    if not any(moving):
        return x
    order = [*range(1, len(lines)), 0]
    result = channels_last(call, x)
    for axis, source in enumerate(order):
        if moving[source]:
            result = _one_axis(call, method, result, axis, lines[source])
    return channels_first(call, result)


def _moves(method: Method, line: Line) -> bool:
    """Whether an axis that keeps its length changes all the same."""
    if method.coordinates == "tf_crop_and_resize":
        return line.roi != (0.0, 1.0)
    return line.scale != 1.0


def _one_axis(call: Call, method: Method, x: Node, axis: int, line: Line) -> Node:
    if method.mode == "nearest":
        result = _picked(call, x, axis, _nearest(call, method, line))
    else:
        shape = (prod(x.shape[:axis]), line.length, prod(x.shape[axis + 1 :]))
        weights = call.constant(matrix(method, line).astype(np.float32), "weight")
        product = call.node(MatMul(), weights, call.node(Reshape(shape), x))
        result = call.node(Reshape((*x.shape[:axis], line.resized, *x.shape[axis + 1 :])), product)
    return _extrapolated(call, method, result, axis, outside(method, line).astype(np.float32))


def _nearest(call: Call, method: Method, line: Line) -> list[int]:
    """Give the elements to pick. Refuses where a position is so near to a tie that it depends on the float's length."""
    if call.op == "Resize" and call.opset == 10 and line.scale < 1:  # as its test cases and ONNX Runtime have it
        method = replace(method, nearest="ceil")
    indices = nearest_indices(method, line)
    if (indices != nearest_indices(method, line, np.float32)).any():
        raise call.refuse(
            f"a scale of {line.scale:g} puts elements of {line.length} between two others, on which runtimes differ",
            "give sizes instead of scales, or another coordinate_transformation_mode",
        )
    return [int(i) for i in indices]


def _picked(call: Call, x: Node, axis: int, indices: list[int]) -> Node:
    n = x.shape[axis]
    factor = len(indices) // n
    if factor > 1 and indices == np.repeat(np.arange(n), factor).tolist():
        factors = [factor if i == axis else 1 for i in range(len(x.shape))]
        if isinstance(x.op, Upsample):  # rows and columns in one operation
            factors, x = [a * b for a, b in zip(factors, x.op.factors, strict=True)], x.inputs[0]
        return call.node(Upsample(tuple(factors)), x)
    return taken(call, x, axis, indices)


def _extrapolated(
    call: Call, method: Method, x: Node, axis: int, mask: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
) -> Node:
    """Put the extrapolation value where ``mask`` is 1."""
    if not mask.any():
        return x
    mask = mask.reshape((-1,) + (1,) * (len(x.shape) - 1 - axis))
    kept = call.node(Mul(), x, call.constant(1.0 - mask))
    return call.node(Add(), kept, call.constant(mask * method.extrapolation)) if method.extrapolation else kept

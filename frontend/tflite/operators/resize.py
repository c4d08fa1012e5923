"""Resizing of pictures. Kernels: ``reference/resize_nearest_neighbor.h``, ``reference/resize_bilinear.h``."""

from fractions import Fraction

import numpy as np

from ....graph import Affine, NDArray, Node, Overflow, Rounding
from ....graph.ops import Gather, Quantize
from ..arithmetic import raw
from ..registry import Call, operator
from .moves import Inside, copied
from .reduction import along

f32 = np.float32
UNITS = 1 << 10
"""Positions of integer kernels are counted in 1/1024 of a pixel."""


def _options(call: Call) -> tuple[tuple[int, int], bool, bool]:
    """Read the size, and how positions are counted."""
    shape, size = call.info(0).shape, call.integers(1)
    if len(shape) != 4 or len(size) != 2 or min(size) < 1:
        raise call.misfit(f"a size of {size} for shape {shape}")
    corners, half = (call.attributes.boolean(name, False) for name in ("align_corners", "half_pixel_centers"))
    return (size[0], size[1]), corners, half


@operator("RESIZE_NEAREST_NEIGHBOR", versions=4)
def nearest(call: Call) -> Node:
    """The pixel at the position of each, computed in float32 and rounded down, or to nearest with ``align_corners``."""
    size, corners, half = _options(call)
    x = call.flow(0)
    for axis, (old, new) in enumerate(zip(x.shape[:2], size, strict=True)):
        picks = _nearest(old, new, corners=corners, half=half)
        if picks != tuple(range(old)):
            x = call.node(Gather(axis, picks), x)
    return copied(call, x, 0)


def _nearest(old: int, new: int, *, corners: bool, half: bool) -> tuple[int, ...]:
    scale = f32(old - 1) / f32(new - 1) if corners and new > 1 else f32(old) / f32(new)
    at = (np.arange(new).astype(f32) + f32(0.5 if half else 0.0)) * scale
    places = np.floor(at.astype(np.float64) + 0.5) if corners else np.floor(at)
    return tuple(int(p) for p in np.clip(places, 0 if half else None, old - 1))


@operator("RESIZE_BILINEAR", versions=4)
def bilinear(call: Call) -> Node:
    """Straight lines between pixels; of integers with weights of ten bits, one rounding, halves away from zero."""
    size, corners, half = _options(call)
    info, x = call.info(0), call.flow(0)
    if corners and half:
        raise call.refuse("align_corners with half_pixel_centers", "the kernel refuses it too; set one of them")
    if info.is_float:
        for axis, (old, new) in enumerate(zip(x.shape[:2], size, strict=True)):
            x = along(call, Inside(x, 0), axis, _lines(old, new, corners=corners, half=half))
        return copied(call, x, 0)
    if info.type not in ("INT8", "INT16"):
        hint = "int8, int16 and float are supported; the kernel of uint8 computes in float32, in an order of its own"
        raise call.refuse(info.type, hint)
    x = raw(call, x)
    scale = x.type.quantized.scale
    for axis, (old, new) in enumerate(zip(x.shape[:2], size, strict=True)):
        weights = _whole_lines(old, new, corners=corners, half=half)
        matrix = call.stored(weights, Affine(32, True, Fraction(1, UNITS)), f"axis {axis}")
        x = along(call, Inside(x, 0), axis, weights, matrix)
    assert isinstance(scale, Fraction)
    return copied(call, call.node(Quantize(Affine(18, True, scale), Rounding.RND_INF, Overflow.SAT), x), 0)


def _lines(old: int, new: int, *, corners: bool, half: bool) -> NDArray:
    """Weights [new, old] of a floating-point kernel."""
    scale = f32(old - 1) / f32(new - 1) if corners and new > 1 else f32(old) / f32(new)
    at = np.arange(new).astype(f32)
    at = (at + f32(0.5)) * scale - f32(0.5) if half else at * scale
    lower = np.maximum(np.floor(at), 0).astype(np.int64)
    upper = np.minimum(np.ceil(at), old - 1).astype(np.int64)
    return _matrix(lower, upper, at - lower.astype(f32), 1.0, old)


def _whole_lines(old: int, new: int, *, corners: bool, half: bool) -> NDArray:
    """Weights [new, old] of an integer kernel, in 1/1024."""
    scale = (UNITS * old + new // 2) // new
    if corners and new > 1:
        scale = (UNITS * (old - 1) + (new - 1) // 2) // (new - 1)
    at = np.arange(new) * scale + (scale // 2 - UNITS // 2 if half else 0)
    lower = np.maximum(np.trunc(at / UNITS).astype(np.int64), 0)
    upper = np.minimum(np.trunc((at + UNITS - 1) / UNITS).astype(np.int64), old - 1)
    return _matrix(lower, upper, at - UNITS * lower, UNITS, old)


def _matrix(lower: NDArray, upper: NDArray, part: NDArray, one: float, old: int) -> NDArray:
    matrix = np.zeros((len(lower), old), part.dtype)
    rows = np.arange(len(lower))
    np.add.at(matrix, (rows, lower), one - part)
    np.add.at(matrix, (rows, upper), part)
    return matrix

"""Interpolation: nearest, linear and cubic, along each axis of space.

How PyTorch places the elements: aten/src/ATen/native/UpSample.h (area_pixel_compute_scale, nearest_idx).
"""

from typing import Any

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Upsample
from ...interpolation import Line, Method, matrix
from ..registry import Build, Call, Results, operator
from ..values import MAX_ELEMENTS
from .moves import taken
from .pooling import along
from .windows import channels_last, first, spatial

MAX_LENGTH = 1 << 14
AXES = {1: ("",), 2: ("_h", "_w"), 3: ("_d", "_h", "_w")}


def _scales(call: Call, rank: int) -> list[float | None]:
    """Read the scale of each axis; None where only the size is given."""
    if "scale_factors" in call.arguments:
        given = call.arguments.take("scale_factors")
        return [None] * rank if given is None else [float(v) for v in given]
    found: list[Any] = [call.arguments.take(f"scales{axis}", None) for axis in AXES[rank]]
    return [None if v is None else float(v) for v in found]


def _lines(call: Call, space: tuple[int, ...], *, corners: bool) -> list[Line]:
    """Give each axis: its lengths, and new length / old as PyTorch uses it (the scale that was asked for, if any)."""
    rank = len(space)
    scales = _scales(call, rank)
    given = call.arguments.take("output_size", None)
    if given is None:
        if any(s is None or not 0 < s < MAX_LENGTH for s in scales):
            raise call.misfit("neither a size nor a scale")
        sizes = [int(np.floor(n * s)) for n, s in zip(space, scales, strict=True) if s is not None]
    else:
        call.arguments.ignore("output_size", why="read as a whole")
        sizes = list(call.sizes("output_size")[0])
    if len(sizes) != rank or any(not 0 < m <= MAX_LENGTH for m in sizes) or np.prod(sizes) > MAX_ELEMENTS:
        raise call.misfit(f"a result of {sizes}")
    used = [m / n if s is None or s <= 0 or corners else s for n, m, s in zip(space, sizes, scales, strict=True)]
    return [Line(n, m, s) for n, m, s in zip(space, sizes, used, strict=True)]


def _nearest(rank: int, *, exact: bool) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow("input" if "input" in call.arguments else "self"), rank)
        lines = _lines(call, x.node.shape[1:], corners=False)
        node = channels_last(call, x.node)
        for axis, line in enumerate(lines):
            node = _picked(call, node, axis, _indices(line, exact))
        return first(call, node)

    return build


def _indices(line: Line, exact: bool) -> list[int]:
    """Give the element that each element of the result repeats, in float32 as PyTorch computes it."""
    inverse = np.float32(1.0 / line.scale)
    at = np.arange(line.resized, dtype=np.float32)
    at = (at + np.float32(0.5)) * inverse if exact else at * inverse
    return [int(i) for i in np.minimum(np.floor(at).astype(np.int64), line.length - 1)]


def _picked(call: Call, x: Node, axis: int, indices: list[int]) -> Node:
    n = x.shape[axis]
    factor = len(indices) // n
    if factor > 1 and indices == np.repeat(np.arange(n), factor).tolist():
        factors = [factor if i == axis else 1 for i in range(len(x.shape))]
        if isinstance(x.op, Upsample):  # rows and columns in one operation
            factors, x = [a * b for a, b in zip(factors, x.op.factors, strict=True)], x.inputs[0]
        return call.node(Upsample(tuple(factors)), x)
    return taken(call, x, axis, indices)


def _interpolated(rank: int, mode: str, *, antialias: bool = False) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow("input" if "input" in call.arguments else "self"), rank)
        corners = call.arguments.boolean("align_corners")
        node = channels_last(call, x.node)
        for axis, line in enumerate(_lines(call, x.node.shape[1:], corners=corners)):
            if line.length != line.resized or line.scale != 1.0:
                node = along(call, node, axis, _weights(line, mode, corners, antialias))
        return first(call, node)

    return build


def _weights(line: Line, mode: str, corners: bool, antialias: bool) -> NDArray:
    """Give the weights [resized, original]; linear positions below 0 are moved to 0, cubic ones are not."""
    if antialias:
        return _antialiased(line, mode, corners)
    coordinates = "align_corners" if corners else "half_pixel"
    method = Method(mode, coordinates, cubic=-0.75)
    return matrix(method, line).astype(np.float32)


def _antialiased(line: Line, mode: str, corners: bool) -> NDArray:
    """Weights of a kernel that grows with the reduction (aten/src/ATen/native/cpu/UpSampleKernel.cpp)."""
    size = 4 if mode == "cubic" else 2
    step = (line.length - 1) / (line.resized - 1) if corners and line.resized > 1 else 1.0 / line.scale
    support = size / 2 * max(step, 1.0)
    inverse = 1.0 / step if step >= 1.0 else 1.0
    weights = np.zeros((line.resized, line.length))
    for i, row in enumerate(weights):
        centre = step * (i + 0.5)
        low = max(int(centre - support + 0.5), 0)
        high = min(int(centre + support + 0.5), line.length)
        taps = np.arange(low, high)
        values = _kernel((taps - centre + 0.5) * inverse, mode)
        row[low:high] = values / values.sum()
    return weights.astype(np.float32)


def _kernel(x: NDArray, mode: str) -> NDArray:
    d = np.abs(x)
    if mode == "linear":
        return np.clip(1.0 - d, 0.0, None)
    a = -0.5
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


for _rank in (1, 2, 3):
    operator(f"upsample_nearest{_rank}d")(_nearest(_rank, exact=False))
    operator(f"_upsample_nearest_exact{_rank}d")(_nearest(_rank, exact=True))
operator("upsample_linear1d")(_interpolated(1, "linear"))
operator("upsample_bilinear2d")(_interpolated(2, "linear"))
operator("upsample_trilinear3d")(_interpolated(3, "linear"))
operator("upsample_bicubic2d")(_interpolated(2, "cubic"))
operator("_upsample_bilinear2d_aa")(_interpolated(2, "linear", antialias=True))
operator("_upsample_bicubic2d_aa")(_interpolated(2, "cubic", antialias=True))

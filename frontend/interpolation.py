"""Interpolation along one axis as a matrix [resized, original]: what ONNX's Resize and Keras's UpSampling2D mean.

Formulas: the definition of Resize (opset 19); the cubic kernel is equation (4) of Keys, "Cubic convolution
interpolation for digital image processing" (1981), with coefficient ``a``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import NDArray

COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
)  # fmt: skip
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Method:
    """How to interpolate: the attributes of Resize."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation: float = 0.0


@dataclass(frozen=True)
class Line:
    """One axis: its lengths before and after, the scale between them, and the part looked at (``roi``)."""

    length: int
    resized: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)


def positions(method: Method, line: Line, dtype: type[np.floating[Any]] = np.float64) -> NDArray:
    """Give the position in the original axis of each element of the resized one, [resized], computed in ``dtype``."""
    scale: NDArray = np.asarray(line.scale, dtype)
    x, n, m = np.arange(line.resized, dtype=dtype), line.length, line.resized
    width = scale * n
    match method.coordinates:
        case "asymmetric":
            return x / scale
        case "align_corners":
            return x * (n - 1) / (width - 1) if width != 1 else np.zeros(m)
        case "tf_crop_and_resize":
            start, end = line.roi
            if m == 1:
                return np.array([0.5 * (start + end) * (n - 1)])
            return x * ((end - start) * (n - 1)) / (m - 1) + start * (n - 1)
        case "pytorch_half_pixel" if m == 1:
            return np.zeros(1)
        case "half_pixel_symmetric":
            return (n - m / scale) / 2 + ((x + 0.5) / scale - 0.5)
        case _:
            return (x + 0.5) / scale - 0.5


def outside(method: Method, line: Line) -> NDArray:
    """Tell for each element of the resized axis whether it gets the extrapolation value, [resized]."""
    at = positions(method, line)
    return (at < 0) | (at > line.length - 1) if method.coordinates == "tf_crop_and_resize" else np.zeros(at.shape, bool)


def nearest_indices(method: Method, line: Line, dtype: type[np.floating[Any]] = np.float64) -> NDArray:
    """Give the index of the nearest element for each element of the resized axis, [resized]."""
    at = positions(method, line, dtype)
    rounded = {
        "round_prefer_floor": np.ceil(at - 0.5),
        "round_prefer_ceil": np.floor(at + 0.5),
        "floor": np.floor(at),
        "ceil": np.ceil(at),
    }[method.nearest]
    return np.clip(rounded, 0, line.length - 1).astype(np.int64)


def matrix(method: Method, line: Line) -> NDArray:
    """Give the weights of each original element in each resized one, [resized, original]; rows add up to 1."""
    shrink = min(line.scale, 1.0) if method.antialias else 1.0
    radius = int(np.ceil((2 if method.mode == "cubic" else 1) / shrink))
    weights = np.zeros((line.resized, line.length))
    for row, at in zip(weights, positions(method, line), strict=True):
        taps = np.arange(int(np.floor(at)) - radius, int(np.floor(at)) + radius + 2)
        values = _kernel(method, (taps - at) * shrink)
        if method.exclude_outside:
            values = np.where((taps >= 0) & (taps < line.length), values, 0.0)
        np.add.at(row, np.clip(taps, 0, line.length - 1), values / values.sum())
    return weights


def _kernel(method: Method, distance: NDArray) -> NDArray:
    d, a = np.abs(distance), method.cubic
    if method.mode == "linear":
        return np.clip(1.0 - d, 0.0, 1.0)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))

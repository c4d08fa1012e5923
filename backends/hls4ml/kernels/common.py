"""What the rules share: operands in the unit of the result, tables of constants, maps from places to places."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ....graph import Array, Fixed, Grid, Node, Tensor
from ....graph.arrays import Ints, NDArray, compress
from ....graph.errors import RangeError
from ....graph.formats import bits_for
from ....graph.numerics import Ratio, divide, whole
from ..kernel import DOUBLE_BITS, Numbers, is_constant, refuse

Config = dict[str, "int | bool | Fixed"]
Constants = dict[str, Numbers]
MAX_AXES = 8
"""How many axes ``x_map`` and ``y_map`` of the templates have."""


def channels(shape: tuple[int, ...]) -> int:
    """Give the length of the last axis: what one pack of a stream holds."""
    return shape[-1] if shape else 1


def operands(node: Node) -> tuple[Node, ...]:
    """Give the inputs of a node that are computed; the others are constants."""
    return tuple(i for i in node.inputs if not is_constant(i))


def zero_of(node: Node, x: Tensor) -> int:
    """Give the stored integer that means 0. Raises UnsupportedError where it differs by channel, or is none that can be
    stored: the kernels subtract it in the operand's own type.
    """
    zero = x.quantized.zero
    low, high = x.quantized.bounds
    if isinstance(zero, Grid):
        raise refuse(node, "arithmetic on zero points that differ by channel", "quantize to one zero point before it")
    if not (low <= zero).all() or not (zero <= high).all():
        raise refuse(node, f"arithmetic on {x.quantized}, which cannot store its zero point", "quantize before it")
    return zero


def index_config(node: Node, indices: Node) -> Config:
    """Give what makes a coordinate of a stored index. Raises UnsupportedError for indices that are known."""
    scale = indices.type.quantized.scale
    if is_constant(indices) or not isinstance(scale, Fraction):
        raise refuse(node, "places that are known, or of several formats", "make it a gather or a slice")
    return {"index_zero": zero_of(node, indices.type), "index_factor": int(scale)}


def factors_of(node: Node, x: Tensor, scale: Ratio) -> Ints:
    """Give the integers that bring centred integers of ``x`` into units of ``scale``; [] or a shape that broadcasts."""
    try:
        return compress(whole(divide(x.quantized.scale, scale)))
    except RangeError as error:
        raise refuse(node, f"an alignment of scales: {error.what}", error.hint) from None


def aligned(node: Node, pair: tuple[Node, Node], scale: Ratio) -> Config:
    """Give zero points and factors of two operands, and how many bits hold them, scaled, and the result."""
    factors = [one_factor(node, i.type, scale) for i in pair]
    ends = [int(v) for bound in node.type.interval for v in (bound.min(), bound.max())]
    for operand, factor in zip(pair, factors, strict=True):
        ends += [int(v) * factor for bound in operand.type.interval for v in (bound.min(), bound.max())]
    config: Config = {
        "work_width": bits_for(min(*ends, -1), max(ends)) + 1, "factor_width": max(bits_for(-1, f) for f in factors)
    }  # fmt: skip
    for name, operand, factor in zip("xy", pair, factors, strict=True):
        zero, factor = (0, 1) if is_constant(operand) else (zero_of(node, operand.type), factor)  # tables are scaled
        config |= {f"{name}_zero": zero, f"{name}_factor": factor}
    return config


def one_factor(node: Node, x: Tensor, scale: Ratio) -> int:
    """As ``factors_of``, where the template has room for one factor. Raises UnsupportedError for several."""
    factor = factors_of(node, x, scale)
    if factor.ndim:
        raise refuse(node, "scales that differ by channel here", "quantize to one scale before it")
    return int(factor)


def integers(node: Node, values: NDArray) -> Numbers:
    """Give integers in the narrowest format that holds them. Raises UnsupportedError beyond what a double holds."""
    data = np.asarray(values)
    low, high = int(data.min()), int(data.max())
    width = bits_for(low, high)
    if width - (low < 0) > DOUBLE_BITS:
        raise refuse(node, f"constants of {width} bits", f"use formats of at most {DOUBLE_BITS} bits")
    return Numbers(Array(data.astype(np.int64)), Fixed(width, width, low < 0))


def periodic(values: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Give one period [P] of ``values`` over a tensor of ``shape``, row-major; P is 1 or the size of last axes."""
    small = compress(np.asarray(values))
    if small.ndim == 0:
        return small.reshape(1)
    return np.broadcast_to(small, shape[len(shape) - small.ndim :]).reshape(-1)


def over_period(values: NDArray, shape: tuple[int, ...], period: int, fold: Callable[[NDArray], NDArray]) -> NDArray:
    """Fold what a tensor of ``shape`` holds into one period: ``fold`` reduces axis 0 of [repeats, period]."""
    if values.ndim == 0:
        return np.broadcast_to(values, (period,))
    return fold(np.broadcast_to(values, shape).reshape(-1, period))


@dataclass(frozen=True)
class Map:
    """Places as an affine function of a row-major index: an offset, and (length, stride) of each axis."""

    offset: int
    axes: tuple[tuple[int, int], ...]

    def config(self, name: str) -> Config:
        """Give the members that the template ``<name>_map`` reads."""
        padded = ((1, 0),) * (MAX_AXES - len(self.axes)) + self.axes
        axes = {f"{name}_{kind}{i}": axis[k] for i, axis in enumerate(padded) for k, kind in enumerate("ns")}
        return {f"{name}_offset": self.offset, **axes}


def places(shape: tuple[int, ...]) -> Ints:
    """Give the row-major index of each element of a tensor."""
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)


def affine(where: Ints) -> Map | None:
    """Find the map that gives ``where[i]`` for row-major index i; None where it is not affine or has too many axes."""
    origin = int(where[(0,) * where.ndim])
    strides = [int(where.take([min(1, n - 1)], axis=a).flat[0]) - origin for a, n in enumerate(where.shape)]
    line = [
        np.arange(n).reshape((-1,) + (1,) * (where.ndim - 1 - a)) * s
        for a, (n, s) in enumerate(zip(where.shape, strides, strict=True))
    ]
    if not np.array_equal(origin + sum(line, np.zeros((), np.int64)), where):
        return None
    axes = merge([(n, s) for n, s in zip(where.shape, strides, strict=True) if n > 1])
    return Map(origin, axes) if len(axes) <= MAX_AXES else None


def merge(axes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join neighbouring axes that one stride walks through."""
    joined: list[tuple[int, int]] = []
    for n, s in axes:
        if joined and joined[-1][1] == n * s:
            joined[-1] = (joined[-1][0] * n, s)
        else:
            joined.append((n, s))
    return tuple(joined)


def affine_or_refuse(node: Node, where: Ints) -> Map:
    """As ``affine``, where only the number of axes can stand in the way."""
    found = affine(where)
    if found is None:
        raise refuse(node, f"places over more than {MAX_AXES} axes", "reshape to fewer axes before it")
    return found


def split(name: str, values: Mapping[int, int] | Sequence[int]) -> dict[str, list[int]]:
    """Split whole numbers into ``<name>_high`` * 2^48 + ``<name>_low``: what the templates put together again."""
    numbers = list(values)
    return {f"{name}_high": [v >> 48 for v in numbers], f"{name}_low": [v & (2**48 - 1) for v in numbers]}

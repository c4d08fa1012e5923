"""The type of a tensor: shape, format, and the exact interval of the integers that it can hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from .arrays import Array, Grid, Ints, NDArray, as_array, compress
from .errors import RangeError, ShapeError
from .formats import FLOAT, FLOATS, Affine, Fixed, Float, Format, Quantized, narrowest
from .numerics import LIMIT, Ratio, common_scale, divide, whole


@dataclass(frozen=True, eq=False)
class Tensor:
    """What is known of a tensor before any value is.

    ``shape`` leaves the batch axis out. ``low`` and ``high`` bound the *centred* integers (units of ``format.scale``,
    see ``formats``) and broadcast to ``shape`` from the right; they are None for ``Float``. ``value`` holds the
    stored integers (or floats) of a constant.
    """

    shape: tuple[int, ...]
    format: Format
    low: Ints | None = field(default=None, repr=False)
    high: Ints | None = field(default=None, repr=False)
    value: Array | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """How many elements one sample has."""
        return prod(self.shape)

    @property
    def quantized(self) -> Quantized:
        """The integer format. Only for tensors of integers."""
        assert not isinstance(self.format, Float)
        return self.format

    @property
    def interval(self) -> tuple[Ints, Ints]:
        """``low, high``. Only for tensors of integers."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    @property
    def is_integer(self) -> bool:
        """Whether the tensor holds integers."""
        return not isinstance(self.format, Float)

    @property
    def real_range(self) -> tuple[float, float] | None:
        """The least and greatest value that is possible; None for floating point."""
        if self.low is None or self.high is None:
            return None
        scale = as_array(self.quantized.scale).astype(np.float64)
        return float((self.low * scale).min()), float((self.high * scale).max())

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape)) or 'scalar'} {self.format}"


Bounded = tuple[Ratio, NDArray, NDArray]
"""A scale, and the least and greatest centred integers in units of it."""


MAX_ELEMENTS = 2**31


def check_size(shape: tuple[int, ...]) -> None:
    """Raise ShapeError for a tensor without elements, or with more than a graph may have (2^31)."""
    if any(n < 1 for n in shape):
        raise ShapeError(f"a tensor of shape {shape} has no elements")
    if prod(shape) > MAX_ELEMENTS:
        raise ShapeError(f"a tensor of shape {shape} has over {MAX_ELEMENTS} elements")


def check_grids(format: Format, shape: tuple[int, ...]) -> None:
    """Raise ShapeError where a format that differs by channel or element does not broadcast to ``shape``."""
    for grid in grids(format):
        try:
            fits_shape = np.broadcast_shapes(grid.data.shape, shape) == shape
        except ValueError:
            fits_shape = False
        if not fits_shape:
            raise ShapeError(f"a format for each of {grid.data.shape} elements does not fit shape {shape}")


def grids(format: Format) -> list[Grid]:
    """List those parts of a format that differ by channel or element."""
    match format:
        case Fixed():
            parts: tuple[object, ...] = (format.width, format.integer, format.signed)
        case Affine():
            parts = (format.scale, format.zero_point)
        case Float():
            parts = ()
    return [part for part in parts if isinstance(part, Grid)]


def floats(shape: tuple[int, ...], note: str = "") -> Tensor:
    """Give the type of a float32 tensor; ``note`` says why it is not one of integers."""
    return Tensor(shape, Float(32, note))


def picked(shape: tuple[int, ...], *operands: Tensor, note: str = "") -> Tensor:
    """Give the type of values of which each is one of the operands', which are not all integers."""
    format = operands[0].format
    if isinstance(format, Float):
        same = all(t.format == format for t in operands)
        return Tensor(shape, FLOATS[str(format)] if same else FLOAT)
    return floats(shape, note)


def full(shape: tuple[int, ...], format: Format) -> Tensor:
    """Give the type of a tensor that can hold all that its format can."""
    if isinstance(format, Float):
        return Tensor(shape, format)
    low, high = (compress(np.asarray(format.centre(b), np.int64)) for b in format.bounds)
    return Tensor(shape, format, low, high)


def exact(shape: tuple[int, ...], scale: Ratio, low: NDArray, high: NDArray) -> Tensor:
    """Give the narrowest type for exact results between ``low`` and ``high`` in units of ``scale``.

    Falls back to floating point, with the reason, where 63 bits do not hold them; lowering then refuses the graph.
    """
    if not fits(low, high):
        bits = int(np.ceil(np.log2(max(np.abs(low.astype(float)).max(), np.abs(high.astype(float)).max())))) + 1
        return floats(shape, f"exact integers would need {bits} bits")
    low, high = compress(low.astype(np.int64)), compress(high.astype(np.int64))
    return Tensor(shape, narrowest(scale, int(low.min(initial=0)), int(high.max(initial=0))), low, high)


def align(a: Bounded, b: Bounded) -> tuple[Ratio, Bounded, Bounded] | None:
    """Bring two operands to their common scale; each comes back with its integer factor's bounds. None beyond 63
    bits.
    """
    scale = common_scale(a[0], b[0])
    try:
        factors = [whole(divide(v[0], scale)) for v in (a, b)]
    except RangeError:
        return None
    ends = [
        end.astype(np.float64) * f.astype(np.float64) for v, f in zip((a, b), factors, strict=True) for end in v[1:]
    ]
    if not fits(*(2 * e for e in ends)):
        return None
    first, second = ((scale, v[1] * f, v[2] * f) for v, f in zip((a, b), factors, strict=True))
    return scale, first, second


def sum_type(shape: tuple[int, ...], a: Bounded, b: Bounded) -> Tensor:
    """Give the type of the exact sum of two operands of any scales."""
    if (aligned := align(a, b)) is None:
        return floats(shape, "the two scales have no common unit within 63 bits")
    scale, (_, low_a, high_a), (_, low_b, high_b) = aligned
    return exact(shape, scale, low_a + low_b, high_a + high_b)


def constant(value: Array, format: Format) -> Tensor:
    """Give the type of a constant: its interval is the value itself."""
    shape = value.data.shape
    if isinstance(format, Float):
        return Tensor(shape, format, value=value)
    centred = format.centre(value.data.astype(np.int64))
    return Tensor(shape, format, centred, centred, value)


def moved(x: Tensor, fn: Callable[[NDArray], NDArray]) -> Tensor:
    """Give the type after a shape operation; ``fn`` does to an array of ``x.shape`` what the operation does to one
    sample.
    """
    probe = fn(np.broadcast_to(np.int8(0), x.shape))
    low, high = (None if v is None else _move(v, x.shape, fn) for v in (x.low, x.high))
    return Tensor(probe.shape, x.format.map(x.shape, fn), low, high)


def _move(values: Ints, shape: tuple[int, ...], fn: Callable[[NDArray], NDArray]) -> Ints:
    if values.ndim == 0:
        return values
    return compress(fn(np.broadcast_to(values, shape)))


def fits(*bounds: NDArray) -> bool:
    """Whether every bound is under 2^63 (decided in float64, with a margin that covers its rounding)."""
    return all(b.size == 0 or float(np.abs(b.astype(np.float64)).max()) < LIMIT for b in bounds)

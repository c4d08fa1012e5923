"""Number formats: what the integers of a tensor mean.

A value is ``scale * (q - zero_point)`` with ``q`` the integer that is stored. Three formats: ``Fixed`` (the scale is
a power of two, per tensor, per channel or per element), ``Affine`` (any rational scale, with a zero point) and
``Float``. Scales are exact rationals (``fractions.Fraction``): every float32 is one, so nothing about a format is
ever rounded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

import numpy as np

from .arrays import Grid, Ints, NDArray, Number, as_array, reshape_grid
from .errors import OptionError, RangeError

MAX_BITS = 63
MAX_FRACTION = 512
"""Scales stay well within float64, so that nothing under- or overflows on the way from and to real values."""


class Rounding(StrEnum):
    """How digits are dropped; the names are those of ap_fixed (Xilinx UG902, "Quantization Modes")."""

    TRN = "TRN"
    """toward minus infinity"""
    TRN_ZERO = "TRN_ZERO"
    """toward zero"""
    RND = "RND"
    """to nearest, halves toward plus infinity"""
    RND_ZERO = "RND_ZERO"
    """to nearest, halves toward zero"""
    RND_INF = "RND_INF"
    """to nearest, halves away from zero"""
    RND_MIN_INF = "RND_MIN_INF"
    """to nearest, halves toward minus infinity"""
    RND_CONV = "RND_CONV"
    """to nearest, halves to even"""


class Overflow(StrEnum):
    """What happens out of range; the names are those of ap_fixed (Xilinx UG902, "Overflow Modes")."""

    WRAP = "WRAP"
    """drop the upper bits"""
    SAT = "SAT"
    """the nearest value that exists"""
    SAT_SYM = "SAT_SYM"
    """the nearest of [-max, max]"""
    SAT_ZERO = "SAT_ZERO"
    """zero"""


@dataclass(frozen=True)
class Float:
    """Binary floating point of ``bits`` bits, ``exponent`` of them for the exponent.

    ``FLOAT`` and ``HALF`` are those of IEEE 754, ``BFLOAT`` is the upper half of the former. ``note`` says why a value
    that could be integers is not.

    Values of 16 bits are kept and computed with as the float32 numbers that they are.
    """

    bits: int = 32
    note: str = field(default="", compare=False)
    exponent: int = 8

    def __post_init__(self) -> None:
        if (self.bits, self.exponent) not in FLOAT_NAMES:
            what = f"floating point of {self.bits} bits, {self.exponent} of them for the exponent"
            raise OptionError(what, hint=f"there is {', '.join(FLOAT_NAMES.values())}")

    def rounded(self, x: NDArray) -> NDArray:
        """Give the nearest numbers of the format, halves to even, in float32; infinite beyond the largest."""
        with np.errstate(over="ignore"):
            if self == HALF:
                return x.astype(np.float16).astype(np.float32)
            wide = x.astype(np.float32)
        return wide if self == FLOAT else _upper_half(wide)

    def map(self, shape: tuple[int, ...], fn: Callable[[NDArray], NDArray]) -> "Float":
        """Follow a shape operation: nothing to do."""
        return self

    def __str__(self) -> str:
        return FLOAT_NAMES[self.bits, self.exponent]


FLOAT_NAMES = {(32, 8): "float32", (16, 5): "float16", (16, 8): "bfloat16"}
"""What the formats in floating point are called, by their bits and those of the exponent."""


def _upper_half(x: NDArray) -> NDArray:
    """Round float32 to its upper 16 bits, halves to even; what is no number stays so."""
    bits = x.view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), kept.view(np.float32))


@dataclass(frozen=True)
class Fixed:
    """Fixed point as ``ap_fixed<width, integer>``: ``width`` bits in all, ``integer`` of them (the sign included)
    before the point.

    Each of the three may be a ``Grid``: one number per channel or per element.
    """

    width: int | Grid
    integer: int | Grid
    signed: bool | Grid = True

    def __post_init__(self) -> None:
        width = as_array(self.width)
        if (
            width.min() < 1
            or width.max() > MAX_BITS + 1
            or bool(np.any(~as_array(self.signed).astype(bool) & (width > MAX_BITS)))
        ):
            raise OptionError(
                f"a fixed-point format of {self.width} bits", hint="1 to 64 bits; 63 where it has no sign"
            )
        fraction = as_array(self.fraction)
        if np.abs(fraction).max() > MAX_FRACTION:
            raise OptionError(f"a format of {self.fraction} fraction bits", hint=f"at most {MAX_FRACTION} either way")
        signed = as_array(self.signed).astype(np.int64)
        if fraction.ndim and (width - signed + fraction.max() - fraction).max() > MAX_BITS:
            raise RangeError("formats that differ by element have no common unit within 64 bits")

    @cached_property
    def fraction(self) -> "int | Grid":
        """Bits after the point; negative where the last bits before it are left out."""
        if isinstance(self.width, int) and isinstance(self.integer, int):
            return self.width - self.integer
        return _whole(Grid.of(as_array(self.width) - as_array(self.integer)))

    @cached_property
    def common_fraction(self) -> int:
        """The most fraction bits that any element has: centred integers count in units of 2^-common_fraction."""
        return int(as_array(self.fraction).max())

    @property
    def scale(self) -> "Fraction":
        """The value of one unit of a centred integer."""
        return power_of_two(-self.common_fraction)

    @cached_property
    def bounds(self) -> tuple[Ints, Ints]:
        """The least and the greatest stored integer, as arrays that broadcast."""
        width, signed = as_array(self.width), as_array(self.signed).astype(np.int64)
        top = ((np.int64(1) << (width - signed - 1).clip(0)) - 1) * 2 + 1  # in two steps: 2^63 does not exist
        top = np.where(width - signed == 0, 0, top)
        return np.where(signed == 1, -top - 1, 0), top

    @property
    def zero(self) -> int:
        """The stored integer that means 0."""
        return 0

    def centre(self, q: Ints) -> Ints:
        """Stored integers -> integers in units of ``scale``."""
        shift = self.common_fraction - as_array(self.fraction)
        return q if not shift.any() else q << shift

    def map(self, shape: tuple[int, ...], fn: Callable[[NDArray], NDArray]) -> "Fixed":
        """Give the format of the tensor after a shape operation ``fn`` on a tensor of ``shape``."""
        if not any(isinstance(v, Grid) for v in (self.width, self.integer, self.signed)):
            return self
        width, integer, signed = (reshape_grid(v, shape, fn) for v in (self.width, self.integer, self.signed))
        return Fixed(_whole(width), _whole(integer), signed if isinstance(signed, Grid) else bool(signed))

    def __str__(self) -> str:
        kind = "fixed" if isinstance(self.signed, Grid) or self.signed else "ufixed"
        return f"{kind}<{self.width},{self.integer}>"


@dataclass(frozen=True)
class Affine:
    """``scale * (q - zero_point)`` with any rational scale; both may be a ``Grid`` (per channel)."""

    width: int
    signed: bool
    scale: Fraction | Grid
    zero_point: int | Grid = 0

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_BITS + self.signed:
            raise OptionError(f"an integer format of {self.width} bits", hint="1 to 64 bits; 63 where it has no sign")
        if min(as_array(self.scale).ravel().tolist()) <= 0:
            raise OptionError("a scale is not positive", hint="scales of quantized tensors are above zero")
        low, high = (int(b) for b in self.bounds)
        zero = as_array(self.zero_point)
        if high - int(zero.min()) >= 2**63 or low - int(zero.max()) < -(2**63):
            raise RangeError(f"{self.width} bits and a zero point of {self.zero_point} exceed 64 bits")

    @property
    def bounds(self) -> tuple[Ints, Ints]:
        """The least and the greatest stored integer."""
        top = (1 << (self.width - self.signed)) - 1
        return np.array(-top - 1 if self.signed else 0, np.int64), np.array(top, np.int64)

    @property
    def zero(self) -> "int | Grid":
        """The stored integer that means 0."""
        return self.zero_point

    def centre(self, q: Ints) -> Ints:
        """Stored integers -> integers in units of ``scale``."""
        return q if isinstance(self.zero_point, int) and self.zero_point == 0 else q - as_array(self.zero_point)

    def map(self, shape: tuple[int, ...], fn: Callable[[NDArray], NDArray]) -> "Affine":
        """Give the format of the tensor after a shape operation ``fn`` on a tensor of ``shape``."""
        scale, zero = reshape_grid(self.scale, shape, fn), reshape_grid(self.zero_point, shape, fn)
        return Affine(self.width, self.signed, scale if isinstance(scale, Grid) else Fraction(scale), _whole(zero))

    def __str__(self) -> str:
        scale = self.scale if isinstance(self.scale, Grid) else f"{float(self.scale):g}"
        zero = "" if self.zero_point == 0 else f", zero={self.zero_point}"
        return f"{'' if self.signed else 'u'}int{self.width}(scale={scale}{zero})"


FLOAT, HALF, BFLOAT = Float(), Float(16, exponent=5), Float(16)
FLOATS = {str(f): f for f in (FLOAT, HALF, BFLOAT)}
"""The formats in floating point by their names."""
Quantized = Fixed | Affine
Format = Float | Fixed | Affine


def power_of_two(exponent: int) -> Fraction:
    """2 to the ``exponent``, exactly."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def exponent_of(scale: Fraction) -> int | None:
    """Give ``e`` where ``scale`` is 2^e, else None."""
    n, d = scale.numerator, scale.denominator
    if n & (n - 1) or d & (d - 1):
        return None
    return n.bit_length() - d.bit_length()


def bits_for(low: int, high: int) -> int:
    """Fewest bits (with the sign where ``low`` is negative) that hold every integer from ``low`` to ``high``."""
    if low >= 0:
        return max(high.bit_length(), 1)
    return max((~low).bit_length(), max(high, 0).bit_length()) + 1


def narrowest(scale: "Fraction | Grid", low: int, high: int) -> Quantized:
    """Give the smallest format that holds the centred integers ``low`` to ``high`` in units of ``scale``."""
    width, signed = bits_for(low, high), low < 0
    exponent = exponent_of(scale) if isinstance(scale, Fraction) else None
    if exponent is not None:
        return Fixed(width, width + exponent, signed)
    return Affine(width, signed, scale)


def _whole(value: "Number | Grid") -> "int | Grid":
    return value if isinstance(value, Grid) else int(value)


def parse_fixed(text: str, *, where: str = "") -> tuple[Fixed, Rounding, Overflow]:
    """Read ``fixed<W,I[,rounding[,overflow]]>`` or ``ufixed<...>``, with or without the prefix ``ap_``.

    Rounds (RND) and saturates (SAT) where the text does not say. Raises OptionError.
    """
    name, _, rest = text.replace(" ", "").removeprefix("ap_").partition("<")
    parts = rest.removesuffix(">").split(",")
    bad = OptionError(
        f"{text!r} is not a fixed-point format", where=where, hint="write fixed<16,6>, ufixed<8,0,RND_CONV,SAT>, ..."
    )
    if name not in ("fixed", "ufixed") or not rest.endswith(">") or not 2 <= len(parts) <= 4:
        raise bad
    try:
        kind = Fixed(int(parts[0]), int(parts[1]), name == "fixed")
        rounding = Rounding((parts[2] if len(parts) > 2 else "RND").removeprefix("AP_"))
        overflow = Overflow((parts[3] if len(parts) > 3 else "SAT").removeprefix("AP_"))
    except ValueError:
        raise bad from None
    except OptionError as error:
        raise OptionError(error.what, where=where, hint=error.hint) from None
    return kind, rounding, overflow

"""An independent meaning of numbers: Python's integers and fractions, one element at a time, no arithmetic of numpy."""

from fractions import Fraction
from math import floor

from gatewright.graph import Affine, Fixed, Overflow, Rounding
from gatewright.graph.arrays import Grid

HALF = Fraction(1, 2)


def round_to_integer(v: Fraction, rounding: Rounding) -> int:
    """By the definitions of UG902: the two neighbours, and which of them wins."""
    below = floor(v)
    rest = v - below
    if rest == 0:
        return below
    above = below + 1
    match rounding:
        case Rounding.TRN:
            return below
        case Rounding.TRN_ZERO:
            return below if v > 0 else above
    if rest != HALF:
        return above if rest > HALF else below
    match rounding:
        case Rounding.RND:
            return above
        case Rounding.RND_MIN_INF:
            return below
        case Rounding.RND_ZERO:
            return below if v > 0 else above
        case Rounding.RND_INF:
            return above if v > 0 else below
    return below if below % 2 == 0 else above


def bounds(width: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)


def keep_in_range(v: int, width: int, signed: bool, mode: Overflow, zero: int = 0) -> int:
    low, high = bounds(width, signed)
    match mode:
        case Overflow.SAT:
            return max(low, min(high, v))
        case Overflow.SAT_SYM:
            return max(-high if signed else 0, min(high, v))
        case Overflow.SAT_ZERO:
            return v if low <= v <= high else max(low, min(high, zero))
    v %= 2**width
    return v - 2**width if signed and v >= 2 ** (width - 1) else v


def at(part: object, index: tuple[int, ...], shape: tuple[int, ...]) -> object:
    """One element of a number or a grid that broadcasts to ``shape`` from the right."""
    if not isinstance(part, Grid):
        return part
    cells = part.data
    own = index[len(index) - cells.ndim :]
    return cells[tuple(0 if n == 1 else i for i, n in zip(own, cells.shape, strict=True))]


def parts(
    format: Fixed | Affine, index: tuple[int, ...] = (), shape: tuple[int, ...] = ()
) -> tuple[int, bool, Fraction, int]:
    """Width, sign, scale of a stored integer, and zero point, at one element."""
    if isinstance(format, Affine):
        scale, zero = at(format.scale, index, shape), at(format.zero_point, index, shape)
        return format.width, format.signed, Fraction(scale), int(zero)
    width, integer, signed = (int(at(p, index, shape)) for p in (format.width, format.integer, format.signed))
    return width, bool(signed), Fraction(2) ** (integer - width), 0


def value(q: int, format: Fixed | Affine, index: tuple[int, ...] = (), shape: tuple[int, ...] = ()) -> Fraction:
    _, _, scale, zero = parts(format, index, shape)
    return scale * (int(q) - zero)


def quantized(
    v: Fraction, format: Fixed | Affine, rounding: Rounding, mode: Overflow,
    index: tuple[int, ...] = (), shape: tuple[int, ...] = (),
) -> int:  # fmt: skip
    """The stored integer of a real value."""
    width, signed, scale, zero = parts(format, index, shape)
    return keep_in_range(round_to_integer(v / scale, rounding) + zero, width, signed, mode, zero)

"""Changes of scale on Helium: the upper word of a product, and a shift that rounds.

VQRDMULH gives (2 v m + 2^31) >> 32, VMULH (v m) >> 32, VRSHL (v + 2^(n - 1)) >> n. Floors nest, so a change of scale
that adds a half, or a half before each of two shifts, is one of the first two and the last one; of any other the carry
of the lower word is computed too.
"""

from dataclasses import dataclass

import numpy as np

from ...graph.arrays import NDArray
from .code import Value, select, spread, wrapped
from .scope import Place, ScalarsOnly, Scope

INT32 = 1 << 31


def scaled(
    scope: Scope, value: Value, at: Place, m: NDArray, c: NDArray, s: NDArray, correction: NDArray | None, reach: int
) -> Value:
    """Give ``(value * m + c) >> s`` for four lanes, as ``wide.scaled`` does. Raises ScalarsOnly where numbers leave
    their words.
    """
    part = np.zeros(1, np.int64) if correction is None else correction
    m, c, s, part = (np.atleast_1d(a).astype(object) for a in np.broadcast_arrays(m, c, s, part))
    change = _Change(scope, value, at, m, c, s, np.where(m == 0, 0, part), reach)
    return change.of_two_halves() or change.of_one_half() or change.of_any()


@dataclass(frozen=True, eq=False)
class _Change:
    """``(value * m + c - (part where the product is negative)) >> s``; each of Python's integers, by channel."""

    scope: Scope
    value: Value
    at: Place
    m: NDArray
    c: NDArray
    s: NDArray
    part: NDArray
    reach: int

    @property
    def live(self) -> NDArray:
        """Which channels depend on the value."""
        found: NDArray = self.m != 0
        return found

    def column(self, numbers: NDArray) -> Value:
        """Give a number for each channel, modulo 2^32."""
        words = np.vectorize(lambda n: wrapped(int(n), "int32"), otypes=[np.int64])(numbers)
        return self.scope.constant(words, self.at, "int32")

    def shifted(self, name: str, value: Value, by: NDArray) -> Value:
        """Shift, each channel by its own number: up where that is positive."""
        return _call(name, value, self.column(by)) if by.any() else value

    def raised(self, up: NDArray) -> Value:
        """Shift the value up."""
        return self.shifted("gw_shifted4", self.value, up)

    def fits(self, up: NDArray) -> bool:
        """Whether the value can be shifted up by so much."""
        return self.reach << int(up.max()) < INT32

    def of_two_halves(self) -> Value | None:
        """Round twice, ``y = (v m + 2^(r - 1)) >> r`` and ``(y + 2^(d - 1)) >> d``, or once; None where that is not so.

        With ``part`` (2^r) halves of the second shift go away from zero: TensorFlow Lite's
        MultiplyByQuantizedMultiplier.
        """
        firsts = [_first_shift(*row) for row in zip(self.c.flat, self.s.flat, strict=True)]
        right = np.where(self.live, np.array(firsts, object).reshape(self.c.shape), 31)
        down, up = np.where(self.live, self.s - right, 0), 31 - right
        dead = self.live | (self.c >> self.s == 0)
        if not dead.all() or (right < 1).any() or (right > 31).any() or (down > 31).any() or not self.fits(up):
            return None
        away = np.where(down > 0, 1 << right, 0)
        if self.part.any() and (self.part != away).any():
            return None
        once = _call("gw_doubled4", self.raised(up), self.column(self.m))
        name = "gw_rounded4" if not self.part.any() else "gw_rounded_away4" if down.all() else "gw_rounded_some4"
        return self.shifted(name, once, -down)

    def of_one_half(self) -> Value | None:
        """Round once, by 33 and more: the half stands in the upper word. None where that is not so."""
        up = np.where(self.live, np.maximum(33 - self.s, 0), 0)
        half = np.where(self.live, (1 << self.s) >> 1 == self.c, self.c >> self.s == 0)
        if not half.all() or self.part.any() or not self.fits(up) or int(self.s.max()) > 63:
            return None
        upper = _call("gw_upper4", self.raised(up), self.column(self.m))
        return self.shifted("gw_rounded4", upper, -np.where(self.live, self.s + up - 32, 0))

    def of_any(self) -> Value:
        """Add any number before the shift. Raises ScalarsOnly where numbers leave their words."""
        up = np.maximum(32 - self.s, 0)
        c, part, by = self.c << up, self.part << up, self.s + up - 32
        most = abs(c) + part + (self.reach << up) * self.m
        if not self.fits(up) or int(by.max()) > 31 or most.max() >= 1 << 63:
            raise ScalarsOnly
        v, factor = self.scope.code.let(self.raised(up)), self.column(self.m)
        high, low = self.column(c >> 32), self.column(c & 0xFFFFFFFF)
        if not part.any() and low.known == 0:
            return self.shifted("gw_shifted4", _call("gw_upper4", v, factor) + high, -by)
        if part.any():
            negative = v < 0
            high = select(negative, self.column(c - part >> 32), high)
            low = select(negative, self.column(c - part & 0xFFFFFFFF), low)
        return self.shifted("gw_shifted4", _call("gw_scaled4", v, factor, high, low), -by)


def _call(name: str, value: Value, *more: Value) -> Value:
    lanes = value.lanes
    return Value("extern", (name, (value, *(spread(v, lanes) for v in more))), "int32", lanes)


def _first_shift(c: int, s: int) -> int:
    """Give r of ``c = 2^(r - 1)``, where s is r, or ``c = 2^(r - 1) + 2^(s - 1)``, where s is more; 0 for others."""
    rest = c - (1 << s >> 1)
    if rest == 0:
        return s
    return rest.bit_length() if rest > 0 and not rest & rest - 1 and rest.bit_length() < s else 0

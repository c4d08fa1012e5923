"""Immutable arrays that can stand in a frozen dataclass: compared by content, hashed, printed short."""

from collections.abc import Callable
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

NDArray = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Number = int | Fraction


class Array:
    """A read-only array with value semantics. ``data`` is the numpy array; it cannot be written.

    Integers (and booleans) are int64, whatever they came as, so that equal numbers are equal.
    """

    __slots__ = ("_digest", "data")

    def __init__(self, data: npt.ArrayLike) -> None:
        own = np.array(data, order="C")
        if own.dtype.kind in "iub" and own.dtype != np.uint64:
            own = own.astype(np.int64, copy=False)
        own.flags.writeable = False
        self.data: NDArray = own
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of a hash over type, shape and content."""
        if self._digest is None:
            head = f"{self.data.dtype.str}{self.data.shape}".encode()
            body = repr(self.data.tolist()).encode() if self.data.dtype == object else self.data.tobytes()
            self._digest = blake2b(head + body, digest_size=6).hexdigest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"#{self.digest}"


class Grid(Array):
    """Numbers that differ by channel or element: an array whose shape broadcasts, from the right, to a tensor's shape.

    ``Grid.of`` gives the plain number back where all are equal, so that one value has one spelling.
    """

    @staticmethod
    def of(values: npt.ArrayLike) -> "Number | Grid":
        """Return the number that all of ``values`` are, or the smallest grid that holds them."""
        small = compress(np.asarray(values))
        if small.ndim == 0:
            item = small.item() if small.dtype != object else small[()]
            return item if isinstance(item, Fraction) else int(item)
        return Grid(small)

    def __repr__(self) -> str:
        flat = self.data.ravel().tolist()
        low, high = min(flat), max(flat)
        text = (lambda v: f"{float(v):g}") if self.data.dtype == object else str
        return f"[{text(low)}..{text(high)}]"


def compress(values: NDArray) -> NDArray:
    """Shrink each axis along which nothing changes to length 1, and drop leading axes of length 1."""
    for axis in range(values.ndim):
        if values.shape[axis] > 1:
            first = values.take([0], axis)
            if bool(np.all(values == first)):
                values = first
    while values.ndim and values.shape[0] == 1:
        values = values.reshape(values.shape[1:])  # indexing would give a bare Fraction in the end
    return values


def as_array(value: "Number | Grid") -> NDArray:
    """Give a number or a grid as an array that broadcasts (shape [] for a number)."""
    if isinstance(value, Grid):
        return value.data
    return np.array(value, dtype=object if isinstance(value, Fraction) else np.int64)


def reshape_grid(value: "Number | Grid", shape: tuple[int, ...], fn: Callable[[NDArray], NDArray]) -> "Number | Grid":
    """Move a grid of a tensor of ``shape`` as the shape operation ``fn`` moves the tensor's elements."""
    return Grid.of(fn(np.broadcast_to(value.data, shape))) if isinstance(value, Grid) else value

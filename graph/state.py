"""What a network remembers: a tensor that one inference leaves to the next."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .arrays import Array, NDArray
from .errors import ShapeError
from .formats import FLOAT, Float, Format, Overflow, Rounding
from .numerics import dequantize, quantize

if TYPE_CHECKING:
    from .node import Node


@dataclass(frozen=True, eq=False)
class State:
    """``entry``, an ``Input`` node, gives what the inference before left; ``next``, an ``Output`` node, what this one
    leaves. ``initial`` is what the first inference finds: float32 or stored integers of the entry's format [*shape].

    Both ends have one shape and one format; an entry of float32 takes any format, by its real values.
    Raises ShapeError for what does not fit.
    """

    entry: "Node"
    next: "Node"
    initial: Array

    def __post_init__(self) -> None:
        before, after = self.entry.type, self.next.type
        kept = before.format == FLOAT or before.format == after.format
        if before.shape != after.shape or not kept:
            what = f"state {self.name!r} is read as {before}, its next value is {after}"
            raise ShapeError(what, where=self.next.where, hint="both need one shape and one format")
        if self.initial.data.shape != before.shape:
            what = f"state {self.name!r} of shape {before.shape} begins with an array of {self.initial.data.shape}"
            raise ShapeError(what, where=self.entry.where)
        if not isinstance(before.format, Float):
            low, high = before.format.bounds
            if (self.initial.data < low).any() or (self.initial.data > high).any():
                raise ShapeError(f"state {self.name!r} begins outside of {before.format}", where=self.entry.where)

    @property
    def name(self) -> str:
        """What the state is called."""
        return str(getattr(self.entry.op, "name", ""))

    def renewed(self, entry: "Node", next: "Node") -> "State":
        """Give the state of nodes that have taken the place of its own: its initial value in their format."""
        return State(entry, next, converted(self.initial, self.entry.type.format, entry.type.format))


def converted(stored: Array, old: Format, new: Format) -> Array:
    """Bring stored numbers of a format to another: rounded half up, saturated."""
    if old == new:
        return stored
    real = stored.data if isinstance(old, Float) else dequantize(stored.data, old)
    return Array(in_format(real, new))


def in_format(real: NDArray, format: Format) -> NDArray:
    """Give real values as they are stored in a format: rounded half up, saturated; floats as float32 numbers."""
    if isinstance(format, Float):
        return format.rounded(np.asarray(real))
    return quantize(np.asarray(real, np.float64), format, Rounding.RND, Overflow.SAT)


__all__ = ["State", "converted", "in_format"]

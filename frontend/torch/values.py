"""What flows through an exported program: computed tensors, known ones, and where the batch is in each.

Inside a graph a tensor is one sample, without the batch. PyTorch programs move the batch: attention puts it behind the
sequence, then folds it together with the heads. ``Place`` follows it, so that whatever mixes samples is found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Self

import numpy as np

from ...graph import NDArray, Node

MAX_ELEMENTS = 1 << 28
"""No tensor may be larger (per sample): 1 GiB of float32."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """The source's axis ``axis`` is ``outer * batch * inner`` long, in this order; the batch alone where both are 1."""

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def pure(self) -> bool:
        """Whether the axis is the batch and nothing else, so that a sample does not have it."""
        return self.outer == self.inner == 1


@dataclass(frozen=True, eq=False)
class Flow:
    """A tensor that depends on an input of the model: ``node`` is one sample of it.

    ``place`` says where the batch is in the source's tensor; None for a constant that is being folded. ``dtype`` is
    the source's name of the element type.
    """

    node: Node
    place: Place | None
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        """The number of axes in the source, the batch among them."""
        return len(self.node.shape) + (self.place is not None and self.place.pure)

    def shape(self, batch: int) -> Shape:
        """Give the shape in the source for a batch of this length."""
        shape = self.node.shape
        if self.place is None:
            return shape
        at = self.place.axis
        if self.place.pure:
            return (*shape[:at], batch, *shape[at:])
        if batch == 1:
            return shape
        return (*shape[:at], shape[at] * batch, *shape[at + 1 :])

    def on(self, node: Node) -> Self:
        """Give another node with the same axes in the same order."""
        return replace(self, node=node)

    @property
    def from_right(self) -> int:
        """The place of the batch counted from the last axis, which is 1; 0 where there is no batch."""
        return 0 if self.place is None else self.rank - self.place.axis


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor or a number that depends on no input's values, as the source has it, with the batch where it has one.

    Where the batch is open there is a variant for each length that is tried, if they differ.
    """

    variants: tuple[NDArray, ...]
    dtype: str = "float32"

    @staticmethod
    def of(variants: Sequence[NDArray], dtype: str = "float32") -> "Known":
        """Make one variant of several that are equal."""
        first = variants[0]
        same = all(v is first or (v.shape == first.shape and np.array_equal(v, first)) for v in variants[1:])
        return Known((first,) if same else tuple(variants), dtype)

    def at(self, i: int) -> NDArray:
        """Give the variant for the ``i``-th length."""
        return self.variants[i % len(self.variants)]


@dataclass(frozen=True, eq=False)
class Scaled(Known):
    """Constant integers with a scale and a zero point: ``scale * (stored - zero)``, of which ``variants`` has float32.

    ``scale`` (float64, exact) and ``zero`` broadcast to ``stored``. What does not care for them reads the variant.
    """

    stored: NDArray = field(default_factory=lambda: np.zeros(()))
    scale: NDArray = field(default_factory=lambda: np.ones(()))
    zero: NDArray = field(default_factory=lambda: np.zeros((), np.int64))

    def map(self, move: Callable[[NDArray], NDArray]) -> "Scaled":
        """Move the elements."""
        scale, zero = (move(np.broadcast_to(v, self.stored.shape)) for v in (self.scale, self.zero))
        return Scaled((move(self.variants[0]),), self.dtype, move(self.stored), scale, zero)


@dataclass(frozen=True, eq=False)
class Coded:
    """Small integers ``q`` of ``dtype`` that depend on an input: ``flow`` has the numbers ``scale * (q - zero)``."""

    flow: Flow
    dtype: str
    scale: NDArray
    zero: NDArray


@dataclass(frozen=True)
class Absent:
    """A result that is not computed; reading it is an error that says ``why``."""

    why: str


Value = Flow | Known | Coded | Absent


@dataclass(frozen=True)
class Batch:
    """The lengths that the batch is taken to have: the program's, or two primes, to tell it from other numbers."""

    lengths: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Whether the program leaves the length open."""
        return len(self.lengths) > 1

    @property
    def is_one(self) -> bool:
        """Whether the program was exported for single samples."""
        return self.lengths == (1,)


OPEN_BATCH = Batch((1009, 1013))


def placed(shapes: Sequence[Shape], batch: Batch, outer: int, inner: int, old: int) -> Place | None:
    """Find the batch in a shape into which ``outer * batch * inner`` elements in a row were brought.

    ``shapes``: one for each length of the batch; ``old``: the axis that it was. None where it is torn across axes. With
    a batch of 1 there may be several places. Each is right; the one is taken where models put it.
    """
    found: list[set[Place]] = []
    for shape, length in zip(shapes, batch.lengths, strict=True):
        places = set()
        for axis, n in enumerate(shape):
            after = prod(shape[axis + 1 :])
            if after and inner % after == 0 and n % (length * (inner // after)) == 0:
                place = Place(axis, n // (length * (inner // after)), inner // after)
                if place.outer * prod(shape[:axis]) == outer:
                    places.add(place)
        found.append(places)
    common = set.intersection(*found)
    return min(common, key=lambda p: (not p.pure, p.outer != 1, p.axis != old, p.axis)) if common else None

"""How near to each other a kernel's operand and result may stand: the distances that its loops prove.

With x at an address and y at another, a kernel is right where every byte that it stores into y destroys a byte of x
that it does not load later. For a store that ends at byte b of y, with a the least byte of x that is loaded after it,
x has to be more than b - a bytes above y; the most of that over all stores is the least distance. The same from the
other side. (Compare the diagonal memory optimisation of A. Marshall, Efficient Neural Network Deployment for
Microcontroller, 2020; here the order of the loops that are really run is looked at.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....graph.arrays import NDArray
from ...loops.code import Function, Variable
from ...loops.program import Block, Call
from .space import Space
from .walk import LOAD, STORE, Events, Tensor, TooManyError, Walk


@dataclass(frozen=True)
class Distance:
    """Where x may stand relative to y: at least ``above`` bytes above it, or at least ``below`` bytes below it."""

    above: int
    below: int


def apart(x: int, y: int) -> Distance:
    """Give the distances of tensors of so many bytes that share nothing."""
    return Distance(y, x)


def distance(call: Call, function: Function, arrays: Mapping[int, NDArray], x: Block, y: Block) -> Distance:
    """Give the least distances between a block that a call reads and one that it writes."""
    found = events(call, function, arrays, x, y)
    return apart(x.bytes, y.bytes) if found is None else least([found], x, y)


def events(call: Call, function: Function, arrays: Mapping[int, NDArray], x: Block, y: Block) -> Events | None:
    """Give what a call loads from x and stores into y, in order; None where that cannot be told."""
    memories = [p.memory for p in function.parameters if p.memory is not None]
    pairs = list(zip(memories, call.arguments, strict=True))
    of_x = Tensor({m: a.offset for m, a in pairs if a.block is x}, x.bytes)
    of_y = Tensor({m: a.offset for m, a in pairs if a.block is y}, y.bytes)
    moving = any(a.loop is not None for _, a in pairs if a.block is x or a.block is y)
    if moving or function.written & of_x.places.keys():
        return None
    numbers = [p.variable for p in function.parameters if p.memory is None]
    own: dict[Variable, NDArray | int] = dict(zip(numbers, (0, call.parts), strict=False))
    tables = {m: arrays[a.offset] for m, a in pairs if a.block is None and a.offset in arrays}
    tables = {m: t.ravel() for m, t in tables.items() if str(t.dtype) == m.dtype}
    try:
        return Walk(of_x, of_y).events(function.body, Space(1, own=own, tables=tables))
    except TooManyError:
        return None


def least(parts: Sequence[Events], x: Block, y: Block) -> Distance:
    """Give the least distances of two blocks from all that happens to them, in order, while both hold something."""
    kind, low, high = (np.concatenate([getattr(p, name) for p in parts]) for name in ("kind", "low", "high"))
    return _least(kind, low, high, apart(x.bytes, y.bytes))


def _least(kind: NDArray, low: NDArray, high: NDArray, most: Distance) -> Distance:
    loads, stores = kind == LOAD, kind == STORE
    if not stores.any() or not loads.any():
        return Distance(-most.below, -most.above)
    none = 1 << 40
    first = np.where(loads, low, none)
    last = np.where(loads, high, -none)
    least = np.minimum.accumulate(first[::-1])[::-1]  # of this and all later events; a store is none of them
    greatest = np.maximum.accumulate(last[::-1])[::-1]
    above = int((high - least)[stores].max())
    below = int((greatest - low)[stores].max())
    return Distance(max(min(above, most.above), -most.below), max(min(below, most.below), -most.above))

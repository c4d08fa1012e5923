"""How near to each other a kernel's operand and result may stand: the distances that its loops prove.

With x at an address and y at another, a kernel is right where every byte that it stores into y destroys a byte of x
that it does not load later. For a store that ends at byte b of y, with a the least byte of x that is loaded after it,
x has to be more than b - a bytes above y; the most of that over all stores is the least distance. The same from the
other side. (Compare the diagonal memory optimisation of A. Marshall, Efficient Neural Network Deployment for
Microcontroller, 2020; here the order of the loops that are really run is looked at.)
"""

from collections.abc import Mapping
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
    memories = [p.memory for p in function.parameters if p.memory is not None]
    pairs = list(zip(memories, call.arguments, strict=True))
    if any(a.loop is not None for _, a in pairs):
        return apart(x.bytes, y.bytes)
    of_x = Tensor({m: a.offset for m, a in pairs if a.block is x}, x.bytes)
    of_y = Tensor({m: a.offset for m, a in pairs if a.block is y}, y.bytes)
    if function.written & of_x.places.keys():
        return apart(x.bytes, y.bytes)
    numbers = [p.variable for p in function.parameters if p.memory is None]
    own: dict[Variable, NDArray | int] = dict(zip(numbers, (0, call.parts), strict=False))
    tables = {m: arrays[a.offset] for m, a in pairs if a.block is None and a.offset in arrays}
    tables = {m: t.ravel() for m, t in tables.items() if str(t.dtype) == m.dtype}
    try:
        events = Walk(of_x, of_y).events(function.body, Space(1, own=own, tables=tables))
    except TooManyError:
        return apart(x.bytes, y.bytes)
    return _least(events, apart(x.bytes, y.bytes))


def _least(events: Events, most: Distance) -> Distance:
    loads, stores = events.kind == LOAD, events.kind == STORE
    if not stores.any() or not loads.any():
        return Distance(-most.below, -most.above)
    none = 1 << 40
    low = np.where(loads, events.low, none)
    high = np.where(loads, events.high, -none)
    least = np.minimum.accumulate(low[::-1])[::-1]  # of this and all later events; a store is none of them
    greatest = np.maximum.accumulate(high[::-1])[::-1]
    above = int((events.high - least)[stores].max())
    below = int((greatest - events.low)[stores].max())
    return Distance(max(min(above, most.above), -most.below), max(min(below, most.below), -most.above))

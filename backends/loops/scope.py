"""One kernel being written: what it reads, its constants, and the value of any node at any index."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import singledispatch
from itertools import pairwise
from math import prod

import numpy as np

from ...graph import Node, Op, UnsupportedError, op_name
from ...graph.arrays import NDArray
from ...graph.ops import (
    Broadcast,
    Concat,
    Constant,
    Gather,
    GatherND,
    Pad,
    Reshape,
    Slice,
    Take,
    TakeAlong,
    Transpose,
    Upsample,
)
from .code import Code, Index, Lanes, Memory, Parameter, Value, cast, const, index, wrapped
from .halves import bits_of
from .layout import Layout, float_type, narrow, stored_ends, working_type
from .machine import Machine
from .schedule import Free
from .widths import HALVES, WIDTHS, is_float

Place = tuple[Index, ...]
MOVING = (Reshape, Transpose, Slice, Gather, Broadcast, Upsample, Pad, Take, TakeAlong, GatherND, Concat)
"""Operations whose operand is read at another index than their own."""


class ScalarsOnly(Exception):  # noqa: N818 - a signal: write the kernel again, one element at a time
    """An element's index cannot be followed by several lanes at once."""


class NotFlat(Exception):  # noqa: N818 - a signal: write the kernel again with a loop for each axis
    """Something differs along an axis that was taken together with others."""


@singledispatch
def element(op: Op, scope: "Scope", node: Node, at: Place) -> Value:
    """Give the stored integer (or float32) of ``node`` at an index; the rules stand in ``elements``."""
    raise UnsupportedError(f"{op_name(op)} is not written for CPUs", where=node.where)


@dataclass(eq=False)
class Scope:
    """One kernel: its code, the machine, and where the tensors stand that it may read.

    What it does read, its constants and other arguments are noted as they are asked for, in that order. ``flat``: how
    many of the last axes have an index of their own; the others are one. ``whole``: the shape whose axes before the
    last one are one, where that has to be looked at.
    """

    machine: Machine
    layouts: Mapping[Node, Layout]
    code: Code = field(default_factory=Code)
    flat: int = 99
    whole: tuple[int, ...] = ()
    given: dict[Node, Callable[[Place], Value]] = field(default_factory=dict)
    reads: dict[Node, Parameter] = field(default_factory=dict)
    views: list[tuple[Node, Parameter]] = field(default_factory=list)
    constants: dict[bytes, tuple[NDArray, Parameter]] = field(default_factory=dict)
    status: Parameter | None = None
    range: tuple[Parameter, Parameter, int] | None = None
    free: Free | None = None
    scratches: list[tuple[int, tuple[Parameter, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.code.reciprocals = self.machine.reciprocals

    def at(self, node: Node, at: Place) -> Value:
        """Give the stored value of a node: int32 or int64 as its interval needs, or float32."""
        if node in self.given:
            return self.given[node](at)
        if self.whole:
            self._check_flat(node)
        if node in self.layouts:
            return self.load(node, at)
        if isinstance(node.op, Constant):
            return self._constant_of(node, at)
        return self.code.let(element(node.op, self, node, at))

    def load(self, node: Node, at: Place) -> Value:
        """Read a tensor from memory."""
        layout = self.layouts[node]
        if node not in self.reads:
            self.reads[node] = Parameter.pointer(f"x{len(self.reads)}", layout.dtype)
        memory = self.reads[node].memory
        assert memory is not None
        held = memory.load(place(layout, at))
        if is_float(held.dtype):
            return self.code.let(cast(held, "float32"))
        low, high = stored_ends(node)
        return self.code.let(cast(held, working_type(low, high)) + layout.base)

    def _check_flat(self, node: Node) -> None:
        """Raise NotFlat where the index of axes that are taken together does not lead to a node's elements."""
        lead = node.shape[:-1]
        if isinstance(node.op, Constant) or prod(lead) == 1:  # constants are looked at where they are read
            return
        moved = isinstance(node.op, MOVING) and node not in self.layouts
        if moved or lead != self.whole[:-1] or (node in self.layouts and not rows_follow(self.layouts[node])):
            raise NotFlat

    def view(self, node: Node, dtype: str) -> Memory:
        """Give a tensor's memory as elements of another type."""
        parameter = Parameter.pointer(f"view{len(self.views)}", dtype)
        self.views.append((node, parameter))
        assert parameter.memory is not None
        return parameter.memory

    @property
    def flag(self) -> Memory:
        """Where a kernel says that something was wrong with its operands: 1 an index, 2 a divisor."""
        if self.status is None:
            self.status = Parameter.pointer("status", "int32")
        assert self.status.memory is not None
        return self.status.memory

    def scratch(self, size: int, *dtypes: str) -> list[Memory]:
        """Ask for memory of the arena that is the kernel's own: ``size`` elements of the first type; the others are the
        same memory as elements of theirs.
        """
        number = len(self.scratches)
        parameters = tuple(Parameter.pointer(f"scratch{number}{'abc'[i]}", d) for i, d in enumerate(dtypes))
        self.scratches.append((size * WIDTHS[dtypes[0]] // 8, parameters))
        return [p.memory for p in parameters if p.memory is not None]

    @contextmanager
    def outer(self, extent: int, *, split: bool) -> Iterator[Value]:
        """Loop over independent parts; with ``split`` the caller says which of them."""
        if not split or extent == 1 or self.range is not None:
            with self.code.loop(extent) as i:
                yield i
            return
        begin, end = Parameter.number("begin"), Parameter.number("end")
        self.range = (begin, end, extent)
        with self.code.loop(end.value - begin.value, begin.value) as i:
            yield i

    def _constant_of(self, node: Node, at: Place) -> Value:
        assert isinstance(node.op, Constant)
        data = node.op.value.data
        if not node.type.is_integer:
            return self.constant(data.astype(np.float32), at, "float32", float_type(node))
        low, high = stored_ends(node)
        return self.constant(data, at, working_type(low, high))

    def constant(self, data: NDArray, at: Place, dtype: str, held: str | None = None) -> Value:
        """Read an array that broadcasts, from the right, to the place's shape; integers modulo the type's range.

        ``held``: as what it stands in memory, where that is not the narrowest type that there is for it.
        """
        if data.size == 1 or (data == data.flat[0]).all():
            return const(data.flat[0].item() if is_float(dtype) else wrapped(int(data.flat[0]), dtype), dtype)
        memory = self.table(data, held)
        where: Index = index(0)
        step = 1
        for axis in reversed(range(data.ndim)):
            if data.shape[axis] > 1:
                if data.ndim - axis > self.flat:
                    raise NotFlat
                where = plus(at[len(at) - data.ndim + axis] * step, where)
            step *= data.shape[axis]
        return self.code.let(cast(memory.load(where), dtype))

    def table(self, data: NDArray, dtype: str | None = None) -> Memory:
        """Give the memory of an array of constants, in row-major order; equal arrays stand there once."""
        if dtype is None:
            dtype = narrow(int(data.min()), int(data.max())) if data.dtype.kind in "iub" else str(data.dtype)
        dtype = self.machine.held(dtype) if dtype in HALVES else dtype
        packed = bits_of(data, dtype) if dtype in HALVES else np.ascontiguousarray(data, dtype)
        key = dtype.encode() + packed.tobytes()
        if key not in self.constants:
            self.constants[key] = (packed, Parameter.pointer(f"constant{len(self.constants)}", dtype))
        memory = self.constants[key][1].memory
        assert memory is not None
        return memory


def rows_follow(layout: Layout) -> bool:
    """Whether all axes but the last follow each other without gaps between their rows."""
    long = [(s, n) for s, n in zip(layout.strides[:-1], layout.shape[:-1], strict=True) if n > 1]
    return all(a[0] == b[0] * b[1] for a, b in pairwise(long))


def place(layout: Layout, at: Place) -> Index:
    """Give where an element stands."""
    where: Index = index(layout.offset)
    for i, stride, length in zip(at, layout.strides, layout.shape, strict=True):
        if length > 1 and stride:
            where = plus(i * stride, where)
    return where


def plus(a: Index, b: Index) -> Index:
    """Add two indices."""
    if isinstance(b, Value):
        return a + b
    if isinstance(a, Value):
        return b + a
    if a.lanes != b.lanes:
        raise ScalarsOnly
    return Lanes(a.base + b.base, a.lanes, a.stride + b.stride)


def aligned(at: Place, shape: tuple[int, ...]) -> Place:
    """Give the place in an operand that broadcasts, from the right, to a result's place."""
    own = at[len(at) - len(shape) :] if shape else ()
    return tuple(index(0) if n == 1 else i for i, n in zip(own, shape, strict=True))


def scalar(i: Index) -> Value:
    """Give an index that is one number. Raises ScalarsOnly for one that differs by lane."""
    if isinstance(i, Lanes):
        raise ScalarsOnly
    return i

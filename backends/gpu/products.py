"""Dense layers and convolutions on graphics processors: implicit products of matrices, and one thread a result where
each channel has a filter of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np

from ...graph import Node
from ..loops.code import Memory, Parameter, Value, cast, const, function, index, select, wrapped
from ..loops.contract import Contraction
from ..loops.kernels.frame import arguments, attempt, axes
from ..loops.kernels.products import Frame
from ..loops.layout import Layout
from ..loops.machine import GROUP, Dot
from ..loops.scope import Scope, scalar
from .gemm import Product
from .grid import GridCode
from .machine import THREADS, GpuMachine
from .schedules import write
from .threads import Kernel, threaded
from .tiles import Tile, tile_for


def product(machine: GpuMachine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Kernel:
    """Write a product of known weights, with the operations from it up to ``end``."""
    if c.depthwise:
        return depthwise(machine, layouts, c, end, out)
    code = GridCode()
    scope = Scope(machine, layouts, code)
    result = Parameter.pointer("y", out.dtype)
    assert result.memory is not None
    group = GROUP[c.dot]
    depth = c.taps * -(-(c.channels // c.groups) // group)
    tile = tile_for(prod(c.space), c.filters // c.groups, depth, c.groups, c.dot, machine)
    made = _Implicit(scope, c, end, out, result.memory, tile)
    write(made)
    across, down = made.blocks
    whole = function((*arguments(scope), result), code)
    return Kernel(whole, scope, (across, down, c.groups), tile.threads, code.indices)


class _Implicit(Product):
    """A convolution as a product: its rows are positions, its steps taps and channels."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory, tile: Tile) -> None:
        self.c, self.frame = c, Frame(scope, c, end, out, memory, 1, {})
        group = GROUP[c.dot]
        self.inner = -(-(c.channels // c.groups) // group)
        self.filters = c.filters // c.groups
        super().__init__(scope, c.dot, prod(c.space), self.filters, c.taps * self.inner, tile)
        frame = self.frame
        x = c.node.inputs[0]
        self.operand = scope.view(x, "int32" if group > 1 else frame.x.dtype)
        self.packed = self._pack()
        self.first = scope.table(frame.start, frame.dtype)
        self.number = self.code.block(2) if c.groups > 1 else index(0)
        self.window = Window(frame)
        self.kept = 1 + len(self.window.padded)

    def _pack(self) -> Memory:
        """Put the weights in the order in which blocks bring them: [group, column of tiles, step, column] words; for
        tensor cores [group, column of tiles, turn, column, step].
        """
        c, t, g = self.c, self.tile, self.group
        across, _ = self.blocks
        steps = -(-self.depth // t.steps) * t.steps
        w = self.frame.weights.reshape(c.taps, c.channels // c.groups, c.groups, self.filters)
        whole = np.zeros((c.taps, self.inner * g, c.groups, across * t.columns), w.dtype)
        whole[:, : w.shape[1], :, : self.filters] = w
        parts = whole.reshape(self.depth, g, c.groups, across, t.columns).transpose(2, 3, 0, 4, 1)
        data = np.zeros((c.groups, across, steps, t.columns, g), w.dtype)
        data[:, :, : self.depth] = parts
        if t.warps:
            data = data.reshape(c.groups, across, -1, t.steps, t.columns, g).swapaxes(3, 4)
        self.group_size = data[0].size // g
        self.tile_size = data[0, 0].size // g
        if c.dot is Dot.SDOT:
            return self.scope.table(data.astype(np.int8).view(np.int32).ravel(), "int32")
        if c.dot is Dot.FLOAT:
            return self.scope.table(data.ravel(), self.frame.weight_type)
        return self.scope.table(data.ravel())

    def space(self, row: Value) -> list[Value]:
        """Give the position that a row stands for."""
        shape = self.c.space
        found = []
        for i, n in enumerate(shape):
            inner = prod(shape[i + 1 :])
            place = row // inner
            found.append(index(0) if n == 1 else self.code.let(place % n if prod(shape[:i]) > 1 else place))
        return found

    def row_starts(self, row: Value) -> tuple[Value, ...]:
        at = self.space(row)
        channel = self.number * self.inner if self.c.groups > 1 else index(0)
        start = self.frame.base(at[:-1], at[-1], channel, self.group)
        return (start, *(self.window.begin(axis, at[axis]) for axis in self.window.padded))

    def left(self, starts: tuple[Value, ...], step: Value) -> Value:
        start, *begins = starts
        taps, away = self._tap(step)
        inside = None
        for axis, begin in zip(self.window.padded, begins, strict=True):
            own = self.window.inside(axis, begin + taps[axis] * self.c.dilation[axis])
            inside = own if inside is None else inside & own
        return self.window.load(self.operand, start + away, inside, self.group, self.dtype)

    def _tap(self, step: Value) -> tuple[list[Value], Value]:
        """Give the tap of a step, and how far it and its channel stand from the first ones."""
        c = self.c
        if c.taps == 1:
            return [index(0)] * len(c.kernel), step
        tap, away = self.code.let(step // self.inner), step % self.inner
        found = []
        for i, (n, s) in enumerate(zip(c.kernel, self.frame.taps(), strict=True)):
            place = index(0) if n == 1 else tap // prod(c.kernel[i + 1 :])
            found.append(self.code.let(place % n if n > 1 and prod(c.kernel[:i]) > 1 else place))
            away = away + found[-1] * (s // self.group)
        return found, self.code.let(away)

    def right(self, place: Value, step: Value, column: Value) -> Value:
        base = self.number * self.group_size + self.code.block(0) * self.tile_size
        return cast(self.packed.load(base + place), self.dtype)

    def start(self, column: Value) -> Value:
        return self.first.load(self.number * self.filters + column)

    def finish(self, row: Value, column: Value, total: Value) -> None:
        *lead, last = self.space(row)
        filters = self.code.let(self.number * self.filters + column)
        self.frame.finish(self.frame.place(lead, last, filters), total)


class Window:
    """What a convolution reads beyond the edges of its operand."""

    def __init__(self, frame: Frame) -> None:
        c, self.frame = frame.c, frame
        self.code, self.length = frame.code, c.node.inputs[0].shape[:-1] or (1,)
        ends = zip(c.space, c.strides, c.kernel, c.dilation, c.padding, self.length, strict=True)
        self.padded = tuple(
            axis
            for axis, (o, s, k, d, (before, _), n) in enumerate(ends)
            if before or (o - 1) * s + (k - 1) * d - before >= n
        )
        """Axes along which something is read beyond an edge."""

    def begin(self, axis: int, position: Value) -> Value:
        """Give where a position's first tap stands on an axis."""
        c = self.frame.c
        return position * c.strides[axis] - c.padding[axis][0]

    def inside(self, axis: int, place: Value) -> Value:
        """Say whether a place on an axis is within the operand."""
        place = self.code.let(place)
        return (place >= 0) & (place < self.length[axis])

    @property
    def zero(self) -> int:
        """The number in memory that means zero."""
        x = self.frame.c.node.inputs[0]
        if not x.type.is_integer or self.frame.dtype == "float32":
            return 0
        return int(x.type.quantized.zero) - self.frame.x.base  # type: ignore[arg-type]

    def load(self, operand: Memory, place: Value, inside: Value | None, group: int, dtype: str) -> Value:
        """Read an element (or a word of ``group`` bytes), or what means zero where it is outside."""
        if inside is None:
            return cast(operand.load(place), dtype)
        zero = wrapped((self.zero & 255) * 0x01010101, "int32") if group > 1 else self.zero
        found = cast(operand.load(self.code.let(select(inside, place, 0))), dtype)
        return select(inside, found, const(zero, dtype))


MOST_SIDE = 8
"""Neighbouring positions that one thread of a depthwise convolution computes, at most."""


def depthwise(machine: GpuMachine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Kernel:
    """Write a convolution with a filter for each channel: a thread computes some positions of one channel."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Channels(scope, c, end, out, memory, 1, {}).write()

    made = attempt(machine, layouts, out, build, (99,))
    assert made is not None, "a kernel with one lane can always be written"
    return threaded(made)


class _Channels(Frame):
    """The loops of a depthwise convolution, channels innermost: neighbouring threads read neighbouring bytes."""

    def write(self) -> None:
        c, scope, code = self.c, self.scope, self.code
        self.operand = scope.view(c.node.inputs[0], self.x.dtype)
        self.packed = scope.table(self.weights, self.weight_type)
        self.first = scope.table(self.start, self.dtype)
        positions, machine = self.space[-1], scope.machine
        assert isinstance(machine, GpuMachine)
        threads = c.node.type.size
        sides = [n for n in range(1, min(MOST_SIDE, positions) + 1) if positions % n == 0]
        side = max((n for n in sides if threads // n >= machine.units * THREADS), default=1)
        with axes(code, (*self.space[:-1], positions // side, c.filters)) as at:
            *lead, tile, channel = (scalar(i) for i in at)
            self._one(lead, tile * side, channel, side)

    def _one(self, lead: Sequence[Value], first: Value, channel: Value, side: int) -> None:
        """Write the sums of neighbouring positions of a channel."""
        code, c, window = self.code, self.c, Window(self)
        starts = {axis: code.let(window.begin(axis, (*lead, first)[axis])) for axis in window.padded}
        step, last = self.steps()[-1], len(c.kernel) - 1
        base = self.base(lead, first, channel)
        sums = code.local(self.dtype, side, "sums")
        with code.loop(side, unrolled=True) as i:
            code.store(sums, i, self.first.load(channel))
        with self._taps(c.kernel) as tap:
            flat = sum((k * prod(c.kernel[a + 1 :]) for a, k in enumerate(tap)), index(0))
            w = code.let(cast(self.packed.load(channel + flat * c.filters), self.dtype))
            away = code.let(sum((k * s for k, s in zip(tap, self.taps(), strict=True)), base))
            with code.loop(side, unrolled=True) as i:
                inside = None
                for axis, start in starts.items():
                    further = tap[axis] * c.dilation[axis] + (i * c.strides[axis] if axis == last else 0)
                    own = window.inside(axis, start + further)
                    inside = own if inside is None else inside & own
                x = window.load(self.operand, away + i * step, inside, 1, self.dtype)
                code.store(sums, i, sums.load(i) + x * w)
        with code.loop(side, unrolled=True) as i:
            self.finish(self.place(lead, first + i, channel), code.let(sums.load(i)))

    @contextmanager
    def _taps(self, kernel: Sequence[int]) -> Iterator[list[Value]]:
        """Loop over the taps of a window."""
        if not kernel:
            yield []
            return
        with self.code.loop(kernel[0], unrolled=True) as k, self._taps(kernel[1:]) as others:
            yield [k, *others]

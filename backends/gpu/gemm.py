"""Products of matrices by tiles: what convolutions, dense layers and products of two computed matrices have in common.

A block brings ``steps`` columns of its left operand and as many rows of its right one into shared memory; each thread
holds its part of the result in registers. A row of the left operand in shared memory is one element longer than it has
to be: threads that bring neighbouring steps write to different banks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ..loops.code import Memory, Value, const, minimum, select
from ..loops.machine import GROUP, Dot
from ..loops.scope import Scope
from .grid import GridCode, call
from .tiles import Tile

TYPES = {Dot.SDOT: "int32", Dot.WIDE: "int32", Dot.LONG: "int64", Dot.FLOAT: "float32"}
"""Type of an element in shared memory (of four bytes in a word), and of a sum."""


class Product(ABC):
    """One kernel: ``rows`` by ``columns`` results, each a sum of ``depth`` elements (words of four bytes each)."""

    kept = 1
    """How many numbers ``row_starts`` gives."""

    def __init__(self, scope: Scope, kind: Dot, rows: int, columns: int, depth: int, tile: Tile) -> None:
        assert isinstance(scope.code, GridCode)
        self.scope, self.code, self.kind, self.tile = scope, scope.code, kind, tile
        self.rows, self.columns, self.depth = rows, columns, depth
        self.group, self.dtype = GROUP[kind], TYPES[kind]

    @property
    def blocks(self) -> tuple[int, int]:
        """How many tiles there are, along columns and along rows."""
        return -(-self.columns // self.tile.columns), -(-self.rows // self.tile.rows)

    @abstractmethod
    def row_starts(self, row: Value) -> tuple[Value, ...]:
        """Give what is computed once for a row of the left operand (int32): where it begins."""

    @abstractmethod
    def left(self, starts: tuple[Value, ...], step: Value) -> Value:
        """Give an element of the left operand; ``starts`` is what ``row_starts`` gave for its row."""

    @abstractmethod
    def right(self, place: Value, step: Value, column: Value) -> Value:
        """Give an element of the right operand: ``place`` counts those of this column of tiles, step by step."""

    def start(self, column: Value) -> Value:
        """Give what the sum of a column begins with."""
        return const(0, self.dtype)

    @abstractmethod
    def finish(self, row: Value, column: Value, total: Value) -> None:
        """Take a sum."""

    def write(self) -> None:
        """Write the kernel."""
        code, t = self.code, self.tile
        self.me = code.thread()
        across = t.columns // t.wide
        self.down, self.along = code.let(self.me // across), code.let(self.me % across)
        self.row0 = code.let(code.block(1) * t.rows)
        self.column0 = code.let(code.block(0) * t.columns)
        self.a = code.shared(self.dtype, t.steps * (t.rows + 1), "left")
        self.b = code.shared(self.dtype, t.steps * t.columns, "right")
        sums = code.local(self.dtype, t.high * t.wide, "sums")
        starts = self._starts()
        with code.loop(t.wide, unrolled=True) as j:
            first = code.let(self.start(self._column(j)))
            with code.loop(t.high, unrolled=True) as i:
                code.store(sums, i * t.wide + j, first)
        with code.loop(-(-self.depth // t.steps)) as turn:
            first = code.let(turn * t.steps)
            self._bring_left(first, starts)
            self._bring_right(first)
            code.barrier()
            with code.loop(t.steps, unrolled=True) as k:
                self._sum(sums, k)
            code.barrier()
        self._finish(sums)

    def _column(self, j: Value) -> Value:
        """Give the column of a thread's sums: neighbouring threads have neighbouring columns."""
        return minimum(self.column0 + self.along + j * (self.tile.columns // self.tile.wide), self.columns - 1)

    def _each(self, count: int, body: Callable[[Value, Value], None]) -> None:
        """Share ``count`` places among the threads: the turn and the place of each."""
        code, threads = self.code, self.tile.threads
        turns = -(-count // threads)
        with code.loop(turns, unrolled=True) as i:
            place = code.let(i * threads + self.me)
            if count % threads:
                with code.when(place < count):
                    body(i, place)
            else:
                body(i, place)

    def _starts(self) -> list[Memory]:
        """Compute where the rows that a thread brings begin."""
        t, code = self.tile, self.code
        held = [code.local("int32", -(-t.steps * t.rows // t.threads), "starts") for _ in range(self.kept)]

        def one(i: Value, place: Value) -> None:
            found = self.row_starts(code.let(minimum(self.row0 + place // t.steps, self.rows - 1)))
            for memory, value in zip(held, found, strict=True):
                code.store(memory, i, value)

        self._each(t.steps * t.rows, one)
        return held

    def _bring_left(self, first: Value, starts: Sequence[Memory]) -> None:
        t, code = self.tile, self.code

        def one(i: Value, place: Value) -> None:
            r, k = place // t.steps, code.let(place % t.steps)
            start = tuple(code.let(s.load(i)) for s in starts)
            step = code.let(first + k)
            if self.depth % t.steps == 0:
                found = self.left(start, step)
            else:  # what is beyond the end counts as zero
                inside = code.let(minimum(step, self.depth - 1))
                found = select(step < self.depth, self.left(start, inside), const(0, self.dtype))
            code.store(self.a, k * (t.rows + 1) + r, found)

        self._each(t.steps * t.rows, one)

    def _bring_right(self, first: Value) -> None:
        t, code = self.tile, self.code

        def one(i: Value, place: Value) -> None:
            step = minimum(first + place // t.columns, self.depth - 1)
            column = minimum(self.column0 + place % t.columns, self.columns - 1)
            whole = code.let(first * t.columns + place)
            code.store(self.b, place, self.right(whole, code.let(step), code.let(column)))

        self._each(t.steps * t.columns, one)

    def _sum(self, sums: Memory, k: Value) -> None:
        """Add one step to all sums of a thread."""
        t, code = self.tile, self.code
        across = t.columns // t.wide
        right = code.local(self.dtype, t.wide, "w")
        with code.loop(t.wide, unrolled=True) as j:
            code.store(right, j, self.b.load(k * t.columns + self.along + j * across))
        with code.loop(t.high, unrolled=True) as i:
            x = code.let(self.a.load(k * (t.rows + 1) + self.down * t.high + i))
            with code.loop(t.wide, unrolled=True) as j:
                place = i * t.wide + j
                code.store(sums, place, multiplied(self.kind, sums.load(place), x, right.load(j)))

    def _finish(self, sums: Memory) -> None:
        t, code = self.tile, self.code
        across = t.columns // t.wide
        with code.loop(t.high, unrolled=True) as i, code.loop(t.wide, unrolled=True) as j:
            row = code.let(self.row0 + self.down * t.high + i)
            column = code.let(self.column0 + self.along + j * across)
            inside = (row < self.rows) & (column < self.columns)
            with code.when(inside):
                self.finish(row, column, code.let(sums.load(i * t.wide + j)))


def multiplied(kind: Dot, total: Value, x: Value, w: Value) -> Value:
    """Add a product to a sum: of words of four signed bytes, or of numbers."""
    if kind is Dot.SDOT:
        return call("dot4", "int32", x, w, total)
    return total + x * w


def packed(code: GridCode, parts: list[Value]) -> Value:
    """Put four bytes (given as int32) into a word, the first one lowest."""
    word = parts[0] & 255
    for i, part in enumerate(parts[1:], 1):
        word = word | ((part & 255) << 8 * i)
    return code.let(word)

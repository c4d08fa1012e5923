"""Products of matrices by tiles: what convolutions, dense layers and products of two computed matrices have in common.

A block brings ``steps`` columns of its left operand and as many rows of its right one into shared memory, the next ones
while it multiplies; each thread holds its part of the result in registers. What is multiplied, and what becomes of the
sums, a ``Product`` says; how the sums are made, a ``Sums``: by each thread for itself (here) or by tensor cores
(``warps``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from ..loops.code import Value, const, index, minimum, select
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
        """Give an element of the right operand: ``place`` counts those of this column of tiles, in the order in which
        a block brings them.
        """

    def start(self, column: Value) -> Value:
        """Give what the sum of a column begins with."""
        return const(0, self.dtype)

    @abstractmethod
    def finish(self, row: Value, column: Value, total: Value) -> None:
        """Take a sum."""

    def write(self, sums: "Callable[[Product], Sums]") -> None:
        """Write the kernel."""
        code, t = self.code, self.tile
        self.me = code.thread()
        self.row0, self.column0 = code.let(code.block(1) * t.rows), code.let(code.block(0) * t.columns)
        made = sums(self)
        left, right = _Left(self, made), _Right(self, made)
        turns = -(-self.depth // t.steps)
        made.begin()
        for side in (left, right):
            side.fetch(index(0))
        with code.loop(turns) as turn:
            for side in (left, right):
                side.put()
            code.barrier()
            if turns > 1:
                with code.when(turn < turns - 1):
                    further = code.let((turn + 1) * t.steps)
                    for side in (left, right):
                        side.fetch(further)
            made.add()
            if turns > 1:
                code.barrier()
        made.end()

    def put(self, row: Value, column: Value, total: Value) -> None:
        """Hand a sum on, where there is such a result."""
        with self.code.when((row < self.rows) & (column < self.columns)):
            self.finish(row, column, self.code.let(total))


class _Side(ABC):
    """One operand on its way to shared memory: each thread reads its elements into registers while the ones before are
    multiplied, and writes them when all threads are done with those.
    """

    def __init__(self, product: Product, made: "Sums", count: int) -> None:
        self.product, self.made, self.code, self.tile = product, made, product.code, product.tile
        self.count = count
        self.turns = -(-count // self.tile.threads)
        self.held = self.code.local(product.dtype, self.turns, "held")

    def each(self, body: Callable[[Value, Value], None]) -> None:
        """Do something for each of a thread's elements: their number, and the place among those of all."""
        code, threads = self.code, self.tile.threads
        with code.loop(self.turns, unrolled=True) as i:
            place = code.let(i * threads + self.product.me)
            if self.count % threads:
                with code.when(place < self.count):
                    body(i, place)
            else:
                body(i, place)

    def fetch(self, first: Value) -> None:
        """Read the elements from a step on."""
        self.each(lambda i, place: self.code.store(self.held, i, self.read(first, i, place)))

    @abstractmethod
    def read(self, first: Value, i: Value, place: Value) -> Value:
        """Read an element."""

    @abstractmethod
    def put(self) -> None:
        """Write the elements to shared memory."""


class _Left(_Side):
    def __init__(self, product: Product, made: "Sums") -> None:
        super().__init__(product, made, product.tile.steps * product.tile.rows)
        code, steps = self.code, self.tile.steps
        self.starts = [code.local("int32", self.turns, "starts") for _ in range(product.kept)]

        def one(i: Value, place: Value) -> None:
            row = code.let(minimum(product.row0 + place // steps, product.rows - 1))
            for memory, value in zip(self.starts, product.row_starts(row), strict=True):
                code.store(memory, i, value)

        self.each(one)

    def read(self, first: Value, i: Value, place: Value) -> Value:
        p, code = self.product, self.code
        own = tuple(code.let(s.load(i)) for s in self.starts)
        step = code.let(first + place % self.tile.steps)
        if p.depth % self.tile.steps == 0:
            return p.left(own, step)
        inside = code.let(minimum(step, p.depth - 1))  # what is beyond the end counts as zero
        return select(step < p.depth, p.left(own, inside), const(0, p.dtype))

    def put(self) -> None:
        steps = self.tile.steps

        def one(i: Value, place: Value) -> None:
            self.code.store(self.made.a, self.made.left_place(place // steps, place % steps), self.held.load(i))

        self.each(one)


class _Right(_Side):
    def __init__(self, product: Product, made: "Sums") -> None:
        super().__init__(product, made, product.tile.steps * product.tile.columns)

    def read(self, first: Value, i: Value, place: Value) -> Value:
        p, code = self.product, self.code
        k, n = self.made.right_order(place)
        step = code.let(minimum(first + k, p.depth - 1))
        column = code.let(minimum(p.column0 + n, p.columns - 1))
        return p.right(code.let(first * self.tile.columns + place), step, column)

    def put(self) -> None:
        def one(i: Value, place: Value) -> None:
            self.code.store(self.made.b, self.made.right_place(*self.made.right_order(place)), self.held.load(i))

        self.each(one)


class Sums(ABC):
    """The sums of a block: both operands in shared memory (``a``, ``b``), and what each thread holds."""

    def __init__(self, product: Product) -> None:
        self.product, self.code, self.tile = product, product.code, product.tile
        self.a = self.code.shared(product.dtype, self.tile.left, "left")
        self.b = self.code.shared(product.dtype, self.tile.right, "right")
        self.sums = self.code.local(product.dtype, self.tile.results, "sums")

    @abstractmethod
    def left_place(self, row: Value, step: Value) -> Value:
        """Say where an element of the left operand stands in shared memory."""

    @abstractmethod
    def right_place(self, step: Value, column: Value) -> Value:
        """Say where an element of the right operand stands in shared memory."""

    @abstractmethod
    def right_order(self, place: Value) -> tuple[Value, Value]:
        """Give step and column of the elements of the right operand in the order in which they are brought."""

    @abstractmethod
    def begin(self) -> None:
        """Give every sum its start."""

    @abstractmethod
    def add(self) -> None:
        """Add the products of what is in shared memory."""

    @abstractmethod
    def end(self) -> None:
        """Hand the sums on."""


class Registers(Sums):
    """Each thread sums for itself.

    A row of the left operand in shared memory is one element longer than it has to be: threads that bring neighbouring
    steps write to different banks.
    """

    def __init__(self, product: Product) -> None:
        super().__init__(product)
        self.across = self.tile.columns // self.tile.wide
        self.down = self.code.let(product.me // self.across)
        self.along = self.code.let(product.me % self.across)

    def left_place(self, row: Value, step: Value) -> Value:
        """Step by step."""
        return step * (self.tile.rows + 1) + row

    def right_place(self, step: Value, column: Value) -> Value:
        """Step by step."""
        return step * self.tile.columns + column

    def right_order(self, place: Value) -> tuple[Value, Value]:
        """Step by step."""
        return place // self.tile.columns, place % self.tile.columns

    def begin(self) -> None:
        """Give every sum of a column the same start."""
        t, code, p = self.tile, self.code, self.product
        with code.loop(t.wide, unrolled=True) as j:
            first = code.let(p.start(code.let(minimum(self._column(j), p.columns - 1))))
            with code.loop(t.high, unrolled=True) as i:
                code.store(self.sums, i * t.wide + j, first)

    def _column(self, j: Value) -> Value:
        """Give the column of a sum: neighbouring threads have neighbouring columns."""
        return self.product.column0 + self.along + j * self.across

    def add(self) -> None:
        """Take a column of the left operand and a row of the right one into registers, step by step."""
        t, code, p = self.tile, self.code, self.product
        right = code.local(p.dtype, t.wide, "w")
        with code.loop(t.steps, unrolled=True) as k:
            with code.loop(t.wide, unrolled=True) as j:
                code.store(right, j, self.b.load(self.right_place(k, self.along + j * self.across)))
            with code.loop(t.high, unrolled=True) as i:
                x = code.let(self.a.load(self.left_place(self.down * t.high + i, k)))
                with code.loop(t.wide, unrolled=True) as j:
                    place = i * t.wide + j
                    code.store(self.sums, place, multiplied(p.kind, self.sums.load(place), x, right.load(j)))

    def end(self) -> None:
        """Hand the sums on."""
        t, code, p = self.tile, self.code, self.product
        with code.loop(t.high, unrolled=True) as i, code.loop(t.wide, unrolled=True) as j:
            row, column = code.let(p.row0 + self.down * t.high + i), code.let(self._column(j))
            p.put(row, column, self.sums.load(i * t.wide + j))


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

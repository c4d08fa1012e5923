"""Sums by tensor cores: the 32 threads of a warp multiply pieces of 16 by 32 and 32 by 8 bytes together.

Which thread holds which element of a piece is fixed by the instruction (PTX ISA, "Matrix Fragments for mma.m16n8k32"):
thread ``4 g + t`` has words t and t + 4 of rows g and g + 8 of the left piece, words t and t + 4 of column g of the
right one, and columns 2 t and 2 t + 1 of rows g and g + 8 of the result. Processors of sm_75 multiply pieces of 8 by
16 and 16 by 8 ("Matrix Fragments for mma.m8n8k16"): the thread has word t of row g and of column g, and the same two
columns of row g. Four of them are the larger piece, with every element where it is.
"""

from ..loops.code import Value, minimum
from .gemm import Product, Sums
from .machine import GpuMachine
from .tiles import PAD, WORDS


class Warps(Sums):
    """The sums of a block by tensor cores: a warp has ``high`` by ``wide`` pieces."""

    def __init__(self, product: Product) -> None:
        super().__init__(product)
        code, t, me = self.code, self.tile, product.me
        across = t.columns // (8 * t.wide)
        warp, lane = code.let(me // 32), code.let(me % 32)
        self.row, self.column = code.let(warp // across * (16 * t.high)), code.let(warp % across * (8 * t.wide))
        machine = product.scope.machine
        assert isinstance(machine, GpuMachine)
        self.multiply = "multiply_pieces" if machine.whole_pieces else "multiply_quarters"
        self.g, self.t = code.let(lane // 4), code.let(lane % 4)

    def left_place(self, row: Value, step: Value) -> Value:
        """Row by row."""
        return row * (self.tile.steps + PAD) + step

    def right_place(self, step: Value, column: Value) -> Value:
        """Column by column."""
        return column * (self.tile.steps + PAD) + step

    def right_order(self, place: Value) -> tuple[Value, Value]:
        """Column by column."""
        return place % self.tile.steps, place // self.tile.steps

    def _result(self, i: Value, j: Value, part: Value | int) -> tuple[Value, Value]:
        """Give row and column, within the block, of one of the four results of a piece that a thread has."""
        row = self.row + i * 16 + self.g + 8 * (part // 2)
        return row, self.column + j * 8 + self.t * 2 + part % 2

    def begin(self) -> None:
        """Give every sum of a column the same start."""
        t, code, p = self.tile, self.code, self.product
        with code.loop(t.wide, unrolled=True) as j:
            for part in (0, 1):
                _, column = self._result(j, j, part)
                first = code.let(p.start(code.let(minimum(p.column0 + column, p.columns - 1))))
                with code.loop(t.high, unrolled=True) as i:
                    for own in (part, part + 2):
                        code.store(self.sums, (i * t.wide + j) * 4 + own, first)

    def add(self) -> None:
        """Multiply all pieces of a warp, ``WORDS`` steps at a time."""
        t, code = self.tile, self.code
        right = code.local("int32", 2 * t.wide, "w")
        with code.loop(t.steps // WORDS, unrolled=True) as turn:
            k = code.let(turn * WORDS + self.t)
            with code.loop(t.wide, unrolled=True) as j:
                for half in (0, 1):
                    place = self.right_place(k + 4 * half, self.column + j * 8 + self.g)
                    code.store(right, j * 2 + half, self.b.load(place))
            with code.loop(t.high, unrolled=True) as i:
                row = code.let(self.row + i * 16 + self.g)
                corners = ((0, 0), (8, 0), (0, 4), (8, 4))
                xs = [code.let(self.a.load(self.left_place(row + r, k + s))) for r, s in corners]
                with code.loop(t.wide, unrolled=True) as j:
                    ws = (code.let(right.load(j * 2)), code.let(right.load(j * 2 + 1)))
                    code.run(self.multiply, self.sums, (i * t.wide + j) * 4, *xs, *ws)

    def end(self) -> None:
        """Hand the sums on."""
        t, code, p = self.tile, self.code, self.product
        down, across, parts = (code.loop(n, unrolled=True) for n in (t.high, t.wide, 4))
        with down as i, across as j, parts as part:
            row, column = self._result(i, j, part)
            total = self.sums.load((i * t.wide + j) * 4 + part)
            p.put(code.let(p.row0 + row), code.let(p.column0 + column), total)

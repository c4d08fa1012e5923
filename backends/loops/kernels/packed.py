"""Products with weights of at most four bits on cores without vectors: several to a word, taken apart in registers.

A weight is ``least + step * code``, so that any two, four or sixteen evenly spaced numbers take codes of one, two or
four bits without a sign: a mask takes them out of a word. What ``least`` adds, a sum over the column, is the same for
every filter. Words hold the codes in the order in which a tile multiplies them:

cores with SMLAD    the halves of a word hold what is multiplied at once, so that a shifted AND gives a pair
operands of bytes   the halves hold two filters: one product with a byte is those of both, as long as the sums of
                    products fit into 16 bits, after which they are taken apart
others              one code after the other
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ..code import Memory, Run, Value, cast, const, extern
from ..contract import Contraction
from ..layout import Layout, stored_ends
from ..machine import Machine
from ..scope import Scope
from . import columns
from .columns import WHOLE, flats, pair_of, widening
from .frame import Written, written
from .products import centred_weights

BITS = (1, 2, 4)
WORTH = 128
"""Bytes that packing has to save: below, what takes weights apart takes as many."""
MOST_AT_ONCE = 32
"""Products that are written out after each other."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Weights [taps * channels, filters] as ``least + step * codes``, of ``bits`` bits each."""

    codes: NDArray
    bits: int
    least: NDArray
    step: NDArray


def coded(weights: NDArray, *, alike: bool = False) -> Codes | None:
    """Give weights as codes: ``least`` and ``step`` [filters] are the same for all filters where that takes no more
    bits than one for each, or where they have to be ``alike``. None where they need more than four bits.
    """
    low, high = weights.min(axis=0), weights.max(axis=0)
    common = np.full_like(low, low.min()), np.full_like(low, _step(weights - low.min()))
    own = low, np.array([_step(column) for column in (weights - low).T], low.dtype)
    bits = [_bits((high - least) // step) for least, step in (common, own)]
    least, step = common if alike or bits[0] <= bits[1] else own
    found = bits[0] if alike else min(bits)
    return None if found > BITS[-1] else Codes((weights - least) // step, found, least, step)


def _step(distances: NDArray) -> int:
    return gcd(*map(int, np.unique(distances))) or 1


def _bits(most: NDArray) -> int:
    return next((b for b in BITS if int(most.max()) < 1 << b), 8)


def product(machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Written:
    """Write a product of known weights as ``columns.product`` does; with packed weights, where the machine has them and
    they are narrow.
    """
    known = codes_of(c) if machine.packed else None
    if known is None:
        return columns.product(machine, layouts, c, end, out)
    codes, way = known, PACKED[columns.kind(c, layouts[c.node.inputs[0]])]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        way(scope, c, end, out, memory, codes).write()

    return written(machine, layouts, out, build, flats(c, out))


def codes_of(c: Contraction, *, alike: bool = False) -> Codes | None:
    """Give the weights of a product of integers as codes; None where they are not narrow, or few."""
    if not c.node.type.is_integer:
        return None
    weights = centred_weights(c.node).reshape(-1, c.filters)
    if weights.size < WORTH:
        return None
    found = coded(weights, alike=alike)
    return None if found is None or weights.size * (8 - found.bits) // 8 < WORTH else found


class _Packed(columns.Columns):
    """One code after the other, for any numbers."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory, codes: Codes) -> None:
        self.codes = codes
        super().__init__(scope, c, end, out, memory)
        self.blank_rest()
        self.totals = self.code.local(self.dtype, self.across, "totals") if codes.least.any() else None

    # How codes stand in words

    def per_word(self, together: int) -> int:
        """Give how many steps of the sum of so many filters a word holds."""
        return 32 // self.step // self.codes.bits // together

    def shift(self, step: int, n: int, together: int) -> int:
        """Say where in a word (in its lower half, if two are multiplied at once) the code of a filter stands."""
        return (step * together + n) * self.codes.bits

    def words(self, together: int) -> int:
        """Give the words of a tile of so many filters."""
        return -(-self.steps_of_sum // self.per_word(together))

    @cached_property
    def sizes(self) -> list[int]:
        """How many filters the tiles of a group have codes for: powers of two."""
        return [_power(min(self.together, self.filters - f)) for f in range(0, self.filters, self.together)]

    @property
    def room(self) -> int:
        """Steps that the words of any tile hold."""
        return max(self.words(t) * self.per_word(t) for t in self.sizes)

    def pack(self) -> Memory:
        """Put the codes in the order in which they are read: [group][tile][word]."""
        c = self.c
        taps = self.codes.codes.reshape(c.taps, self.per_group, c.groups, self.filters)
        columns_of = taps.transpose(2, 0, 1, 3).reshape(c.groups, self.depth, self.filters)
        ordered = np.zeros((c.groups, self.room * self.step, len(self.sizes) * _power(self.together)), np.int64)
        ordered[:, : self.depth, : self.filters] = self.ordered(columns_of)
        tiles = [
            self.joined(one[:, i * self.together : i * self.together + t])
            for one in ordered for i, t in enumerate(self.sizes)
        ]  # fmt: skip
        return self.scope.table(np.concatenate(tiles).astype(np.uint32).view(np.int32), "int32")

    def ordered(self, codes: NDArray) -> NDArray:
        """Bring codes [group, depth, filter] in the order of the column."""
        return codes

    def joined(self, codes: NDArray) -> NDArray:
        """Join the codes [place in the column, filter] of a tile to words."""
        together = codes.shape[1]
        words, steps = self.words(together), self.per_word(together)
        shifts = [
            [[self.shift(j, n, together) + 16 * half for n in range(together)] for half in range(self.step)]
            for j in range(steps)
        ]
        parts = codes[: words * steps * self.step].reshape(words, steps, self.step, together)
        joined: NDArray = (parts << np.array(shifts)).sum(axis=(1, 2, 3))
        return joined

    # The sum

    def blank_rest(self) -> None:
        """Write zeros where the column ends before the words do."""
        for k in range(self.depth * self.across, self.room * self.across):
            self.code.store(self.column, k, const(0, self.column.dtype))

    def filled(self) -> None:
        """Sum the columns: what ``least`` is multiplied with."""
        if self.totals is None:
            return
        code = self.code
        for p in range(self.across):
            code.store(self.totals, p, const(0, self.dtype))
        with code.loop(self.steps_of_sum) as k:
            for p in range(self.across):
                code.store(self.totals, p, self.added(self.totals.load(p), k, p))
        if self.alike:
            for p in range(self.across):
                code.store(self.totals, p, self.totals.load(p) * int(self.codes.least[0]))

    @property
    def alike(self) -> bool:
        """Whether ``least`` is the same number for all filters."""
        return bool((self.codes.least == self.codes.least[0]).all())

    def added(self, total: Value, k: Value, p: int) -> Value:
        """Add a step of a column to its sum."""
        return total + cast(self.column.load(k * self.across + p), self.dtype)

    def sums(self, g: Value, f: Value, channel: Value, starts: Sequence[Value]) -> list[list[Value]]:
        """Sum products with codes, and make of them the sums of products with weights."""
        code, scope, dtype = self.code, self.scope, self.dtype
        begin = code.let(g * sum(map(self.words, self.sizes)) + f * self.words(self.together))
        factors = np.ones_like(self.codes.least) if self.alike else self.codes.least
        least, step = (
            [scope.constant(row, (channel + n,), dtype) for n in range(len(starts))]
            for row in (factors, self.codes.step)
        )
        begins = [
            [code.let(start + self.totals.load(p) * low) if self.totals else start for p in range(self.across)]
            for start, low in zip(starts, least, strict=True)
        ]
        if (self.codes.step == 1).all():
            return self.sums_of_codes(begins, begin)
        found = self.sums_of_codes([[const(0, dtype)] * self.across for _ in starts], begin)
        return [
            [code.let(start + total * factor) for start, total in zip(row, totals, strict=True)]
            for row, totals, factor in zip(begins, found, step, strict=True)
        ]

    def sums_of_codes(self, begins: list[list[Value]], begin: Value) -> list[list[Value]]:
        """Sum products with codes from beginnings [filter][position] on."""
        code, together = self.code, _power(len(begins))
        sums = [[code.local(self.dtype, 1, "sum") for _ in row] for row in begins]
        for row, values in zip(sums, begins, strict=True):
            for total, value in zip(row, values, strict=True):
                code.store(total, 0, value)
        steps = self.per_word(together)
        at_once = max(1, min(steps, MOST_AT_ONCE // (together * self.across)))
        word = code.local("int32", 1, "word")
        with code.loop(self.words(together)) as i:
            code.store(word, 0, self.packed.load(begin + i))
            with code.loop(steps // at_once) as turn:
                for j in range(at_once):
                    self.multiply(sums, word, j, i * steps + turn * at_once + j, together)
                if at_once < steps:
                    code.store(word, 0, word.load(0) >> self.codes.bits * together * at_once)
        return [[code.let(total.load(0)) for total in row] for row in sums]

    def multiply(self, sums: list[list[Memory]], word: Memory, j: int, step: Value, together: int) -> None:
        """Add the products of one step of a word."""
        xs = [self.operands(step, p)[0] for p in range(self.across)]
        for n, row in enumerate(sums):
            w = self.code.let(cast(word.load(0) >> self.shift(j, n, together) & self.mask, self.dtype))
            for total, x in zip(row, xs, strict=True):
                self.code.store(total, 0, self.add(total.load(0), x, w))

    @property
    def mask(self) -> int:
        """What takes the first code, or pair of codes, out of a word."""
        return ((1 << self.codes.bits) - 1) * (1 if self.step == 1 else 0x10001)

    def whole(self, name: str, begins: list[list[Value]], begin: Value, *more: Value) -> list[list[Value]] | None:
        """Let a function of the target sum a tile; None for a tile that it has no function for."""
        code, across, together = self.code, self.across, _power(len(begins))
        if (across, together) not in WHOLE:
            return None
        sums = code.local("int32", 4, "sums")
        for p in range(across):
            for n in range(together):
                code.store(sums, p * together + n, begins[n][p] if n < len(begins) else const(0))
        words = const(self.words(together))
        called = f"{name}{self.codes.bits}_{across}x{together}"
        code.add(Run(called, (self.column, self.packed, begin, words, *more, sums)))
        return [[code.let(sums.load(p * together + n)) for p in range(across)] for n in range(len(begins))]


class _Fields(_Packed):
    """Bytes without a sign, and codes of two filters in the halves of a word."""

    @cached_property
    def offset(self) -> int:
        """What is added to elements, so that none is negative."""
        return max(0, -self.ends[0])

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest number of the operand in memory, and around it."""
        low, high = (end - self.x.base for end in stored_ends(self.c.node.inputs[0]))
        return min(low, self.zero), max(high, self.zero)

    def make_room(self) -> None:
        """Ask for columns of words."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.column,) = self.scope.scratch(self.room * self.across, "int32")

    def put(self, k: Value, p: int, value: Value) -> None:
        """Write an element without its sign."""
        super().put(k, p, cast(value, "int32") + self.offset)

    def beginnings(self) -> NDArray:
        """Take off what the offset of the elements adds."""
        start: NDArray = self.start - self.offset * self.weights.sum(axis=0)
        return start.astype(np.int64).astype(np.int32)

    def shift(self, step: int, n: int, together: int) -> int:
        """Say where in a word the code of a filter stands: a tile of two has its filters 16 bits apart."""
        if together == 1:
            return step * self.codes.bits
        return 16 * (n % 2) + (step * (together // 2) + n // 2) * self.codes.bits

    def sums_of_codes(self, begins: list[list[Value]], begin: Value) -> list[list[Value]]:
        """Whole tiles have functions of their own."""
        most = const(self.words_at_once(_power(len(begins))))
        return self.whole("gw_fields", begins, begin, most) or super().sums_of_codes(begins, begin)

    def words_at_once(self, together: int) -> int:
        """Give how many words of products surely sum up to 16 bits."""
        largest = (self.ends[1] + self.offset) * int(self.codes.codes.max())
        return max(1, 0xFFFF // max(1, largest) // self.per_word(together))

    def multiply(self, sums: list[list[Memory]], word: Memory, j: int, step: Value, together: int) -> None:
        """Add the products of one step of a word."""
        assert together == 1 or self.per_word(together) <= MOST_AT_ONCE // (together * self.across)
        super().multiply(sums, word, j, step, together)


class _Pairs(_Packed, columns.Pairs):
    """Two products at once, of numbers that follow each other in the column."""

    step = 2

    def operands(self, step: Value, p: int) -> list[Value]:
        """Read two elements."""
        return [self.code.let(self.column.load(step + self.room * p))]

    def blank_rest(self) -> None:
        """Write zeros where the column ends before the words do."""
        for p in range(self.across):
            for k in range(self.depth, 2 * self.room):
                self.put(const(k), p, const(0, "int16"))

    def added(self, total: Value, k: Value, p: int) -> Value:
        """Add two elements of a column to its sum."""
        return extern("gw_smlad", self.operands(k, p)[0], pair_of(1), total)

    def sums_of_codes(self, begins: list[list[Value]], begin: Value) -> list[list[Value]]:
        """Whole tiles have functions of their own: those of two positions, whose columns are apart, and of one."""
        name, more = ("gw_apart", [const(self.room)]) if self.across > 1 else ("gw_pairs", [])
        return self.whole(name, begins, begin, *more) or super().sums_of_codes(begins, begin)


class _Quads(_Pairs, columns.Quads):
    """Bytes: elements 0 and 2 of four in one word of the column, 1 and 3 in the next one."""

    step = 2

    def make_room(self) -> None:
        """Ask for the columns: each word beside that of the other position."""
        (self.column,) = self.scope.scratch(self.room * self.across, "int32")
        self.source = self.scope.view(self.c.node.inputs[0], "int32")
        self.widen = widening(self.x)

    def ordered(self, codes: NDArray) -> NDArray:
        """Bring codes [group, depth, filter] in the order of the column."""
        quads = codes.reshape(len(codes), -1, 2, 2, codes.shape[-1])
        return quads.swapaxes(2, 3).reshape(codes.shape)

    def operands(self, step: Value, p: int) -> list[Value]:
        """Read two elements."""
        return [self.code.let(self.column.load(step * self.across + p))]

    def blank_rest(self) -> None:
        """Write zeros where the column ends before the words do."""
        for k in range(self.steps_of_sum * self.across, self.room * self.across):
            self.code.store(self.column, k, const(0))

    def sums_of_codes(self, begins: list[list[Value]], begin: Value) -> list[list[Value]]:
        """Whole tiles have functions of their own."""
        return self.whole("gw_pairs", begins, begin) or _Packed.sums_of_codes(self, begins, begin)


def _power(count: int) -> int:
    """Give the least power of two that is no less."""
    return 1 << (count - 1).bit_length()


PACKED: Mapping[type[columns.Columns], type[_Packed]] = {
    columns.Columns: _Packed, columns.Bytes: _Fields, columns.Pairs: _Pairs, columns.Quads: _Quads,
}  # fmt: skip
"""How products are computed with packed weights, by how they are without."""

"""Depthwise products with packed weights: those of a channel are taken apart once for each row of the result.

A window has few weights, and a row uses them at all of its positions, so that they stand unpacked on the stack.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ..code import Memory, Value, cast, extern, index
from ..contract import Contraction
from ..layout import Layout
from ..machine import Machine
from ..scope import Scope
from . import ring
from .columns import pair_of
from .frame import Written, tile_begin, written
from .packed import Codes, codes_of

MOST = 128
"""Words of the stack that weights may take unpacked."""
WRITTEN_OUT = 16
"""Weights up to which taking them apart is written out."""


def depthwise(machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Written:
    """Write a product with one filter a channel as ``ring.depthwise`` does; with packed weights, where the machine has
    them and they are narrow.
    """
    known = codes_of(c, alike=True) if machine.packed else None
    plain = next((k for k in ring.kinds(c, layouts[c.node.inputs[0]]) if k in PACKED), None)
    if known is None or plain is None or 2 * c.taps + c.kernel[-1] > MOST:
        return ring.depthwise(machine, layouts, c, end, out)
    codes, way = known, PACKED[plain]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        kernel = way(scope, c, end, out, memory)
        kernel.codes = codes
        if kernel.bytes <= ring.LARGEST:
            kernel.write()
        else:
            ring.Windows(scope, c, end, out, memory).write()

    return written(machine, layouts, out, build, (99,))


class _Ring(ring.Ring):
    """The codes of a channel in bytes."""

    codes: Codes

    halves = 1
    """Parts of a word that are multiplied at once."""

    def pack(self) -> Memory:
        """Join codes, and make room for the weights that are used at once."""
        words = self.joined()
        self.each, self.per_word = words.shape[1], words.dtype.itemsize * 8 // self.codes.bits // self.halves
        self.taken = self.code.local("int32", self.each * self.per_word, "taken")
        return self.scope.table(words)

    def joined(self) -> NDArray:
        """Give the codes as [channel, byte]."""
        return _joined(self.codes.codes.T[..., None], self.codes.bits, np.dtype(np.uint8))

    @property
    def used(self) -> int:
        """How many weights, or pairs of them, are used at once."""
        return self.c.taps

    def row(self, r: Value, bases: Sequence[Value]) -> None:
        """Compute a row of the result, the channels that are read at once after each other."""
        code = self.code
        with code.loop(self.cell) as q:
            self.take(q)
            with code.loop(-(-self.columns // self.across)) as tile:
                j = tile_begin(code, tile, self.across, self.columns)
                at = code.let(j * (self.strides[1] * self.cell) + q)
                self.cells_of(r, j, q, [code.let(b + at) for b in bases])

    def take(self, q: Value) -> None:
        """Take weights apart."""
        if self.used > WRITTEN_OUT:
            with self.code.loop(self.each) as i:
                self.take_word(q * self.each + i, i * self.per_word, self.per_word)
            return
        for number, begin in enumerate(range(0, self.each * self.per_word, self.per_word)):
            self.take_word(q * self.each + number, index(begin), min(self.per_word, self.used - begin))

    def take_word(self, at: Value, to: Value, count: int) -> None:
        """Take the weights of a word apart, or of a byte."""
        code, bits = self.code, self.codes.bits
        word, mask = code.let(cast(self.packed.load(at), "int32")), ((1 << bits) - 1) * (1, 0x10001)[self.halves - 1]
        for i in range(count):
            found = word >> i * bits & mask
            code.store(self.taken, to + i, self.least_added(found * int(self.codes.step[0])))

    def least_added(self, value: Value) -> Value:
        """Make a weight of a code that its step was multiplied with."""
        return value + int(self.codes.least[0])

    def weight(self, q: Value, tap: int) -> Value:
        """Read a weight."""
        return self.taken.load(tap)


class _Quads(_Ring, ring.Quads):
    """The codes of four channels in words, those of the weights that are multiplied at once in their halves."""

    halves = 2

    def joined(self) -> NDArray:
        """Give the codes as [four channels, word]."""
        pairs = self.arranged(self.codes.codes)
        return _joined(pairs.reshape(len(pairs), -1, 2), self.codes.bits, np.dtype(np.int32))

    @property
    def used(self) -> int:
        """How many pairs of weights are used at once."""
        return 2 * self.words

    def least_added(self, value: Value) -> Value:
        """Make two weights of codes that their step was multiplied with."""
        least = int(self.codes.least[0])
        return extern("gw_sadd16", value, pair_of(least)) if least else value

    def weights_of(self, q: Value, half: int) -> tuple[Memory, Value]:
        """Say where the weights of two of four channels begin."""
        return self.taken, index(half * self.words)


def _joined(codes: NDArray, bits: int, dtype: np.dtype[np.generic]) -> NDArray:
    """Join codes [count, place, half] to [count, word]; zeros fill up."""
    count, places, halves = codes.shape
    part = dtype.itemsize * 8 // halves
    padded = np.zeros((count, -(-places // (part // bits)) * (part // bits), halves), np.int64)
    padded[:, :places] = codes
    shifts = np.arange(part // bits)[:, None] * bits + np.arange(halves) * part
    words: NDArray = (padded.reshape(count, -1, part // bits, halves) << shifts).sum(axis=(2, 3))
    return words.astype(np.uint32).astype(dtype)


PACKED: Mapping[type[ring.Depthwise], type[_Ring]] = {ring.Ring: _Ring, ring.Quads: _Quads}
"""How products are computed with packed weights, by how they are without."""

"""How products are cut into tiles of a matrix unit (x86 AMX), and where that pays.

A tile holds up to 16 rows of up to 64 bytes. One instruction multiplies a tile of the left operand (rows are
positions, elements are channels) by one of the right operand (rows are groups of channels that fill a word, words are
filters) and adds to a tile of 32-bit sums. Elements are bytes, or floats of 16 bits (bfloat16). (Intel 64 and IA-32
Architectures Software Developer's Manual, volume 1, chapter 18.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ...graph import Node
from ...graph.arrays import NDArray
from .layout import centred_ends

ROWS, ROW_BYTES, WORD = 16, 64, 4
FILTERS = ROW_BYTES // WORD
"""Sums in a row of a tile."""
PRODUCTS = ROWS * FILTERS * ROW_BYTES
"""What one instruction multiplies."""
SUMS, TILES = 4, 8
"""Tiles that are summed in, of those that there are: the others hold operands."""
PRODUCT_CYCLES, LATENCY = 16, 52
"""From one product of tiles to the next, and to the use of its sums (Intel 64 and IA-32 Architectures Optimization
Reference Manual, volume 1, chapter on AMX)."""
LOAD_CYCLES, MOVE_CYCLES = 8, 24
"""To load a tile; to load what sums start from, and to store them."""
START_CYCLES = 230
"""To say how large the tiles are, and to give them back: LDTILECFG, TILERELEASE."""

CONFIGURE = "tile_configure"
"""With what every kernel that uses tiles begins: how large they are."""


@dataclass(frozen=True)
class Cut:
    """``positions`` in tiles of ``rows``, and ``length`` elements (of ``element`` bytes each) of a sum in ``chunks`` of
    ``step``, the last of which is shifted back so that it ends where they do.
    """

    positions: int
    length: int
    element: int = 1

    @property
    def tiles(self) -> int:
        """How many tiles cover the positions: one, or pairs."""
        least = -(-self.positions // ROWS)
        return least if least == 1 else least + least % 2

    @property
    def rows(self) -> int:
        """Positions of a tile."""
        return -(-self.positions // self.tiles)

    @property
    def group(self) -> int:
        """Elements in a word."""
        return WORD // self.element

    @property
    def chunks(self) -> int:
        """How many products of tiles cover the elements."""
        return -(-self.length * self.element // ROW_BYTES)

    @property
    def step(self) -> int:
        """Elements of a chunk: whole words."""
        return -(-self.length // self.chunks // self.group) * self.group

    @property
    def whole(self) -> int:
        """Elements of all chunks, where what they have beyond the end is zero."""
        return self.chunks * self.step

    def begins(self) -> list[int]:
        """Where each chunk begins."""
        return [min(k * self.step, self.length - self.step) for k in range(self.chunks)]


def pays(cut: Cut, runs: int, lines: int, filters: int) -> bool:
    """Whether tiles are faster than vectors, of which two are multiplied in a cycle: words of four bytes, or floats.

    ``runs``: how many pieces of ``cut.length`` elements a sum has; ``lines``: how many rows of positions there are.
    """
    by_lines = cut.tiles == 1 and lines > 1
    count, times, vectors = lines if by_lines else cut.tiles, 1 if by_lines else lines, -(-filters // FILTERS)
    own = START_CYCLES + times * cycles(count, vectors, runs * cut.chunks, *block(count, vectors, runs * cut.chunks))
    steps = cut.length if cut.element > 1 else -(-cut.length // WORD)
    return own < lines * cut.positions * vectors * runs * steps / 2


def cycles(tiles: int, vectors: int, products: int, down: int, across: int) -> float:
    """Estimate what ``tiles`` of positions by ``vectors`` of filters take, in blocks of ``down`` by ``across``; each
    sums ``products`` products of tiles. What waits for the sums of the product before, or for loads, is as slow as
    that.
    """

    def one(across: int) -> float:
        step = max(PRODUCT_CYCLES * down * across, LATENCY, LOAD_CYCLES * (down + across))
        return products * step + MOVE_CYCLES * down * across

    return -(-tiles // down) * (vectors // across * one(across) + (one(vectors % across) if vectors % across else 0))


def cut_of_matrices(node: Node) -> Cut:
    """Cut a product of two computed matrices."""
    *_, rows, depth = node.inputs[0].shape
    return Cut(rows, -(-depth // WORD) * WORD)


def types_of(node: Node) -> tuple[str, str]:
    """Give the types of two matrices of bytes, of whose integers the zero is taken away."""
    left, right = (byte_type(*centred_ends(x)) for x in node.inputs)
    assert left is not None
    assert right is not None
    return left, right


def suit(node: Node) -> bool:
    """Whether tiles multiply two computed matrices of integers, and whether that pays."""
    if any(byte_type(*centred_ends(x)) is None for x in node.inputs):
        return False
    return pays(cut_of_matrices(node), 1, prod(node.shape[:-2]), node.shape[-1])


def blocks(tiles: int, vectors: int) -> list[tuple[int, int]]:
    """List how many tiles of positions by vectors of filters can be summed at the same time."""
    shapes = [(d, a) for d in (1, 2) for a in range(1, SUMS // d + 1)]
    return [(d, a) for d, a in shapes if d <= tiles and a <= vectors]


def block(tiles: int, vectors: int, products: int) -> tuple[int, int]:
    """Choose how many are summed at the same time: enough of them that one product begins where another waits for its
    sums, and operands are used twice.
    """
    return min(blocks(tiles, vectors), key=lambda b: (cycles(tiles, vectors, products, *b), abs(b[0] - b[1])))


def shapes(cut: Cut, down: int) -> NDArray:
    """Give the 64 bytes that LDTILECFG reads: sums, ``down`` tiles of the left operand, the others of the right one."""
    left = range(SUMS, SUMS + down)
    row_bytes = [cut.step * cut.element if t in left else ROW_BYTES for t in range(TILES)]
    rows = [cut.rows if t < SUMS + down else cut.step // cut.group for t in range(TILES)]
    made = np.zeros(64, np.uint8)
    made[0] = 1  # the palette
    made[16:32] = np.array(row_bytes, "<u2").view(np.uint8)
    made[48 : 48 + TILES] = rows
    return made


def dot_name(left: str, right: str) -> str:
    """Name the product of tiles of two types ("int8", "uint8"; both "bfloat16")."""
    if left == "bfloat16":
        return "tile_dot_bf16"
    return f"tile_dot_{''.join('s' if t == 'int8' else 'u' for t in (left, right))}"


def byte_type(low: int, high: int) -> str | None:
    """Give the type of bytes that holds integers of an interval; None where there is none."""
    return "int8" if low >= -128 and high < 128 else "uint8" if low >= 0 and high < 256 else None


def chunked(weights: NDArray, cut: Cut) -> NDArray:
    """Cut ``weights`` [runs, length, filters] into chunks [runs, chunks, step, filters]; what two chunks both have
    counts in the first of them.
    """
    parts: list[NDArray] = []
    done = 0
    for begin in cut.begins():
        part = weights[:, begin : begin + cut.step].copy()
        part[:, : max(done - begin, 0)] = 0
        parts.append(part)
        done = begin + cut.step
    return np.stack(parts, axis=1)


def words(chunk_rows: NDArray, starts: Sequence[int], group: int) -> NDArray:
    """Put [..., step, filters] into the order of tiles of the right operand: [..., vector, step / G, 16, G], with
    ``group`` (G) elements in a word.
    """
    columns = np.stack([chunk_rows[..., s : s + FILTERS] for s in starts], axis=-3)
    *lead, length, filters = columns.shape
    return columns.reshape(*lead, length // group, group, filters).swapaxes(-1, -2)

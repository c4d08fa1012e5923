"""How a product is cut: what a block of threads computes, and what each of its threads."""

from dataclasses import dataclass, replace
from functools import cache

from ...graph import UnsupportedError
from ..loops.machine import Dot
from .machine import THREADS, WIDEST_GRID, GpuMachine


@dataclass(frozen=True)
class Tile:
    """A block computes ``rows`` by ``columns`` results, ``steps`` of the sum at a time; each of its threads ``high`` by
    ``wide`` of them.

    With ``warps`` tensor cores do it: each 32 threads together ``high`` by ``wide`` pieces of 16 by 8. With ``slices``
    so many threads each sum a part of a result.
    """

    rows: int
    columns: int
    steps: int
    high: int
    wide: int
    warps: bool = False
    slices: int = 0

    @property
    def threads(self) -> int:
        """Threads of a block."""
        if self.slices:
            return self.columns * self.slices
        if self.warps:
            return 32 * (self.rows // (16 * self.high)) * (self.columns // (8 * self.wide))
        return (self.rows // self.high) * (self.columns // self.wide)

    @property
    def results(self) -> int:
        """Sums that a thread holds."""
        return self.high * self.wide * (4 if self.warps else 1)

    @property
    def left(self) -> int:
        """Elements of the left operand in shared memory, those included that keep threads on banks of their own."""
        return self.rows * (self.steps + PAD) if self.warps else self.steps * (self.rows + 1)

    @property
    def right(self) -> int:
        """Elements of the right operand in shared memory."""
        return self.columns * (self.steps + PAD) if self.warps else self.steps * self.columns


PAD = 4
"""Elements between rows for tensor cores: eight rows of four neighbouring elements stand on 32 banks."""
TILES = (
    Tile(128, 128, 8, 8, 8), Tile(128, 64, 8, 8, 4), Tile(64, 128, 8, 4, 8), Tile(64, 64, 16, 4, 4),
    Tile(64, 32, 16, 4, 2), Tile(32, 64, 16, 2, 4), Tile(32, 32, 16, 2, 2), Tile(128, 16, 16, 4, 2),
    Tile(16, 128, 16, 2, 4), Tile(64, 8, 16, 2, 1), Tile(16, 64, 16, 1, 4), Tile(16, 16, 16, 1, 1),
    Tile(8, 32, 16, 1, 1), Tile(8, 8, 16, 1, 1),
)  # fmt: skip
WARP_TILES = (
    Tile(128, 128, 16, 4, 4, True), Tile(128, 64, 16, 2, 4, True), Tile(64, 128, 16, 2, 4, True),
    Tile(64, 64, 16, 2, 4, True), Tile(64, 32, 16, 1, 4, True), Tile(32, 64, 16, 1, 4, True),
    Tile(64, 16, 16, 1, 2, True), Tile(32, 32, 16, 1, 2, True), Tile(16, 64, 16, 1, 2, True),
)  # fmt: skip
WORDS = 8
"""Steps (words of four bytes) that tensor cores sum at once."""
BYTES = {Dot.LONG: 8}
"""Bytes of an element, where it is not a word."""
FEW_ROWS, FEW_STEPS = 4, 16
"""Products of at most so many rows, with at least so many steps, share the sums out to all threads."""
RESIDENT = 1024
"""Threads of one multiprocessor that keep it busy."""


@cache
def tile_for(rows: int, columns: int, depth: int, matrices: int, kind: Dot, machine: GpuMachine) -> Tile:
    """Choose the tile of ``matrices`` products [rows, depth] by [depth, columns]: the one of the least time."""
    if rows <= FEW_ROWS and depth >= FEW_STEPS:
        return _slices(rows, columns, depth, matrices, machine)
    tiles = [_shortened(t, depth) for t in TILES]
    if kind is Dot.SDOT and machine.tensor_cores and depth >= WORDS:
        tiles += WARP_TILES
    fits = [
        t for t in tiles
        if (t.left + t.right) * BYTES.get(kind, 4) <= machine.shared_bytes
        and max(-(-rows // t.rows), -(-columns // t.columns), matrices) <= WIDEST_GRID
    ]  # fmt: skip
    if not fits:
        what = f"{matrices} products of {rows} rows by {columns} columns are more blocks than a launch may have"
        raise UnsupportedError(what, hint="a smaller batch or image")
    return min(fits, key=lambda t: _time(t, rows, columns, depth, matrices, kind, machine))


def _slices(rows: int, columns: int, depth: int, matrices: int, machine: GpuMachine) -> Tile:
    """Let neighbouring threads read neighbouring words, as long as there are blocks for all multiprocessors."""
    wide = 32
    while wide > 8 and -(-columns // wide) * matrices < machine.units:
        wide //= 2
    slices = THREADS // wide
    while slices // 2 >= depth:
        slices //= 2
    return Tile(rows, wide, 1, rows, 1, slices=slices)


def _shortened(tile: Tile, depth: int) -> Tile:
    """Take no more steps at a time than there are."""
    steps = tile.steps
    while steps // 2 >= depth:
        steps //= 2
    return replace(tile, steps=steps)


def _time(t: Tile, rows: int, columns: int, depth: int, matrices: int, kind: Dot, machine: GpuMachine) -> float:
    """Estimate what a product takes, in cycles of a thread.

    It is what a thread does one after the other: for each step its products, the elements that it takes from shared
    memory, and its part of bringing them there. Blocks that do not fit on the processor together follow each other.
    """
    blocks = -(-rows // t.rows) * -(-columns // t.columns) * matrices
    waves = max(1.0, blocks * t.threads / (machine.units * RESIDENT))
    brought = (t.rows + t.columns) / t.threads
    if t.warps:
        products, taken = 0.75 * t.high * t.wide, (4 * t.high + 2 * t.wide) / WORDS
    else:
        products, taken = t.high * t.wide * (1.0 if kind is Dot.FLOAT else 2.0), t.high + t.wide
    step = products + 0.7 * taken + 2.0 * brought + 4.0 / t.steps
    return waves * (-(-depth // t.steps) * t.steps * step + 40.0 + 8.0 * t.results)

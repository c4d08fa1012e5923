"""How a product is cut: what a block of threads computes, and what each of its threads."""

from dataclasses import dataclass
from functools import cache

from .machine import GpuMachine

WORD = 4


@dataclass(frozen=True)
class Tile:
    """A block computes ``rows`` by ``columns`` results, ``steps`` of the sum at a time; each of its threads ``high`` by
    ``wide`` of them.
    """

    rows: int
    columns: int
    steps: int
    high: int
    wide: int

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return (self.rows // self.high) * (self.columns // self.wide)

    @property
    def shared(self) -> int:
        """Elements in shared memory: both operands, the left one with a column more (see ``gemm``)."""
        return self.steps * (self.rows + 1 + self.columns)


TILES = (
    Tile(128, 128, 8, 8, 8), Tile(128, 64, 8, 8, 4), Tile(64, 128, 8, 4, 8), Tile(64, 64, 16, 4, 4),
    Tile(64, 32, 16, 4, 2), Tile(32, 64, 16, 2, 4), Tile(32, 32, 16, 2, 2), Tile(128, 16, 16, 4, 2),
    Tile(16, 128, 16, 2, 4), Tile(64, 8, 16, 2, 1), Tile(16, 64, 16, 1, 4), Tile(16, 16, 16, 1, 1),
    Tile(8, 32, 16, 1, 1), Tile(8, 8, 16, 1, 1),
)  # fmt: skip
BYTES = 8
"""Bytes of the widest element."""


@cache
def tile_for(rows: int, columns: int, depth: int, matrices: int, machine: GpuMachine) -> Tile:
    """Choose the tile of ``matrices`` products [rows, depth] by [depth, columns].

    The time of a tile is what its threads do one after the other: for each step of the sum its products and the
    elements that it takes from shared memory, and its part of bringing them there. Blocks that do not fit on the
    processor together follow each other.
    """
    fits = [t for t in TILES if t.shared * BYTES <= machine.shared_bytes]

    def time(t: Tile) -> float:
        blocks = -(-rows // t.rows) * -(-columns // t.columns) * matrices
        waves = max(1.0, blocks * t.threads / (machine.units * 1024))
        brought = (t.rows + t.columns) / t.threads
        step = t.high * t.wide + 0.7 * (t.high + t.wide) + 2.0 * brought + 4.0 / t.steps
        return waves * (-(-depth // t.steps) * t.steps * step + 40.0 + 8.0 * t.high * t.wide)

    return min(fits, key=time)

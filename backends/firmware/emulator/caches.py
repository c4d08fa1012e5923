"""The caches between a core and its memories, as the hook simulates them."""

from dataclasses import dataclass

from ....boards import Board, Cache

FEW = 64
"""So many lines are looked through at once; more are kept in sets of two."""
LINE_BYTES = 16
"""Where a board does not say."""


@dataclass(frozen=True)
class CacheShape:
    """How many sets of how many lines of how many bytes."""

    sets: int
    ways: int
    line_bytes: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.sets * self.ways * self.line_bytes


@dataclass(frozen=True)
class Caches:
    """The cache of instructions, that of data, or one for both (``unified``); None: there is none.

    ``data``: whether loads from RAM go through it as well, as on the Cortex-M7; else only those from flash do.
    """

    fetched: CacheShape | None = None
    loaded: CacheShape | None = None
    unified: bool = False
    data: bool = False


def caches_of(board: Board) -> Caches:
    """Give the caches of a board. Those of the flash of an STM32 with a Cortex-M33 hold what is loaded from it too."""
    by_kind = {c.kind: _shape(c) for c in board.caches if c.level == 1}
    both = by_kind.get("unified")
    if both is None and "data" not in by_kind and board.cores[0].name == "Cortex-M33":
        both = by_kind.get("instruction")
    if both is not None:
        return Caches(both, both, unified=True)
    own = board.cores[0].name in ("Cortex-M7", "Cortex-M55", "Cortex-M85")
    return Caches(by_kind.get("instruction"), by_kind.get("data"), data=own)


def _shape(cache: Cache) -> CacheShape:
    line = cache.line_bytes.value if cache.line_bytes else LINE_BYTES
    lines = max(int(cache.size_kib.value * 1024) // line, 1)
    return CacheShape(1, lines, line) if lines <= FEW else CacheShape(lines // 2, 2, line)

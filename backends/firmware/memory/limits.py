"""How much memory a network may take: what the user asks for, and what the board has."""

from dataclasses import dataclass
from typing import Literal

from ....boards import Board
from ....boards.model import Region
from ....graph import OptionError, UnsupportedError

STACK = 4096
"""Bytes of RAM that are kept for the stack and what else the user's program has."""
UNITS = {"": 1, "b": 1, "k": 1024, "kib": 1024, "kb": 1000, "m": 1 << 20, "mib": 1 << 20, "mb": 1_000_000}
HINT = "fastest, smallest, or bytes: 40000, 40KiB"


@dataclass(frozen=True)
class Wish:
    """``fastest``: what runs in the least time; ``smallest``: the least arena; ``limit``: bytes that it must fit in."""

    goal: Literal["fastest", "smallest", "limit"]
    limit: int | None = None

    def __str__(self) -> str:
        return str(self.limit) if self.goal == "limit" else self.goal


def parse(text: str | int | None) -> Wish:
    """Read the option ``memory``: "fastest" (also None), "smallest", or a number of bytes. Raises OptionError."""
    if text is None or text in ("fastest", "smallest"):
        return Wish("smallest" if text == "smallest" else "fastest")
    number = _bytes(text)
    if number is None or not 1 <= number < 1 << 31:
        raise OptionError(f"memory = {text!r}", hint=HINT)
    return Wish("limit", number)


def _bytes(text: object) -> int | None:
    if isinstance(text, bool) or not isinstance(text, str | int):
        return None
    words = str(text).strip().lower().replace("_", "")
    digits = words.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = UNITS.get(words[len(digits) :].strip())
    return int(digits) * unit if digits.isdecimal() and unit is not None else None


@dataclass(frozen=True)
class Room:
    """The memory of a board that an arena can stand in: the name of its region, bytes without the stack."""

    name: str
    bytes: int


def room_of(board: Board) -> Room | None:
    """Give the largest RAM of a board (regions that follow each other are one), less what is kept for the stack; None
    where its file does not say.
    """
    found: list[tuple[str, str, int, int | None]] = []
    for region in sorted(_rams(board), key=lambda r: (r.address is None, r.address or 0)):
        size = int(region.size_kib.value * 1024)
        if found and found[-1][1] == region.kind == "ram" and found[-1][3] == region.address is not None:
            name, kind, before, _ = found.pop()
            found.append((name, kind, before + size, (region.address or 0) + size))
        else:
            end = None if region.address is None else region.address + size
            found.append((region.name, region.kind, size, end))
    if not found:
        return None
    name, _, size, _ = max(found, key=lambda f: f[2])
    return Room(name, max(size - STACK, 0))


def _rams(board: Board) -> list[Region]:
    return [r for r in board.regions if r.kind in ("ram", "dtcm")]


def require(wish: Wish, board: Board) -> int | None:
    """Give the bytes that the arena must fit in, as the user or else the board says; None where neither does."""
    room = room_of(board)
    own = None if room is None else room.bytes
    if wish.limit is not None and own is not None:
        return min(wish.limit, own)
    return wish.limit if own is None else own


__all__ = ["STACK", "OptionError", "Room", "UnsupportedError", "Wish", "parse", "require", "room_of"]

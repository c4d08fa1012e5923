"""How much memory a network may take: what the user asks for, and what the board has."""

from dataclasses import dataclass
from typing import Literal

from ....boards import Board
from ....graph import OptionError, UnsupportedError
from ..memory_map import STACK, memory_map
from .plan import Plan

UNITS = {"": 1, "b": 1, "k": 1024, "kib": 1024, "kb": 1000, "m": 1 << 20, "mib": 1 << 20, "mb": 1_000_000}
HINT = "fastest, smallest, or bytes: 40000, 40KiB"


@dataclass(frozen=True)
class Wish:
    """``fastest``: what runs in the least time; ``smallest``: the least arena; ``limit``: the fastest that takes no
    more bytes than ``most``.
    """

    goal: Literal["fastest", "smallest", "limit"]
    most: int | None = None


def parse(text: object) -> Wish:
    """Read the option ``memory``: "fastest" (also None), "smallest", or a number of bytes. Raises OptionError."""
    if text is None or text == "fastest":
        return Wish("fastest")
    if text == "smallest":
        return Wish("smallest")
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
    return int(digits) * unit if digits.isdecimal() and digits.isascii() and unit is not None else None


def too_much(found: Plan, wish: Wish, board: Board) -> UnsupportedError | None:
    """Say why a plan does not fit what the user asks for, or else the board; None where it does.

    Raises OptionError for a board whose file does not say what memory it has.
    """
    largest = found.largest
    where = largest.node.where or "a layer without a name"
    held = f"{largest.bytes:,} of them are held while {where} runs"
    if wish.most is not None and found.bytes > wish.most:
        return UnsupportedError(f"the arena takes {found.bytes:,} bytes, more than {wish.most:,}: {held}", where=where)
    try:
        memory_map(board, found.bytes)
    except UnsupportedError as error:
        return UnsupportedError(f"{error.what}: {held}", where=error.where, hint=larger(found.bytes))
    return None


def larger(arena: int) -> str:
    """Say what board an arena of so many bytes needs."""
    return f"a board with {-(-(arena + STACK) // 1024)} KiB of RAM"

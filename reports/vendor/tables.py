"""Tables of text reports: rows between bars, numbers as the tools spell them."""

import re
from collections.abc import Iterator
from math import isfinite


def rows(text: str) -> Iterator[list[str]]:
    """Give the cells of every line between bars."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("|") and stripped.endswith("|") and len(stripped) > 1:
            yield [cell.strip() for cell in stripped[1:-1].split("|")]


def number(text: str) -> float | None:
    """Read ``1,234``, ``12.5``, ``~ 0``, ``5.00 ns``; None for what is none (``-``, ``?``, ``undef``)."""
    found = re.match(r"~?\s*(-?\d[\d,]*\.?\d*(?:[eE][+-]?\d+)?)", text.strip())
    value = float(found[1].replace(",", "")) if found else float("inf")
    return value if isfinite(value) else None


def fact(text: str, name: str) -> str:
    """Give what stands behind ``* Name:`` or ``| Name :``; "" where it is not there."""
    found = re.search(rf"^[*|]?[ \t]*{name}[ \t]*:[ \t]*(.*?)[ \t\r]*\|?\r?$", text, re.MULTILINE)
    return found[1].strip() if found else ""


__all__ = ["fact", "number", "rows"]

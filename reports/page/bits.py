"""Bits of a fixed-point format, and a picture of those that are used."""

import re
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log2

CELL, TALL = 7, 14


@dataclass(frozen=True)
class Format:
    """``width`` bits, ``integer`` of them before the point (the sign included)."""

    width: int
    integer: int
    signed: bool


def parse(text: str) -> Format | None:
    """Read ``fixed<16,6>`` and ``ufixed<15,5>``; None for others (another scale, or one for each channel)."""
    found = re.fullmatch(r"(u?)fixed<(\d+),(-?\d+)>", text)
    return Format(int(found[2]), int(found[3]), not found[1]) if found else None


def needed(pair: tuple[float, float], *, signed: bool) -> int:
    """Bits before the point that hold a range, the sign included: 0..31.9 takes 5 (6 with a sign); 0..0.2 takes -2."""
    low, high = pair
    up = floor(log2(high)) + 1 if high > 0 else None
    down = ceil(log2(-low)) if low < 0 else None
    bits = [b for b in (up, down) if b is not None]
    return (max(bits) if bits else -1_000) + (1 if signed else 0)


def draw_bits(label: str, form: Format, idle: int, asleep: int | None) -> str:
    """Draw one cell a bit, the highest first: those that toggle, those that did not on samples, those that never do."""
    import svg

    sleeping = idle if asleep is None else asleep
    runs = ((0, idle, "never"), (idle, sleeping, "unseen"), (sleeping, form.width, "used"))
    cells: list[svg.Element] = [
        svg.Rect(x=CELL * a, y=2, width=CELL * (b - a), height=TALL - 4, class_=[name]) for a, b, name in runs if b > a
    ]
    grid: list[svg.PathData] = []
    for i in range(1, form.width):
        grid += [svg.MoveTo(CELL * i, 2), svg.VerticalLineTo(TALL - 2)]
    cells.append(svg.Path(d=grid, class_=["grid"]))
    if 0 <= form.integer <= form.width:
        cells.append(svg.Line(x1=CELL * form.integer, x2=CELL * form.integer, y1=0, y2=TALL, class_=["point"]))
    return svg.SVG(
        xmlns=None, class_=["bits"], width=CELL * form.width + 1, height=TALL, elements=cells,
        extra={"role": "img", "aria-label": escape(label)},
    ).as_str()  # fmt: skip

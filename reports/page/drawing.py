"""Small pictures that stand in rows of tables: their width is that of the cell, so everything across is in percent."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svg import Element, Length

HEIGHT = 16


def draw(label: str, elements: Sequence["Element"], *, height: float = HEIGHT, name: str = "bar") -> str:
    """Give the SVG text of a picture as wide as its cell; ``label`` is what it shows, in words."""
    import svg

    return svg.SVG(
        xmlns=None, class_=[name], width=svg.Length(100, "%"), height=height, elements=list(elements),
        extra={"role": "img", "aria-label": escape(label)},
    ).as_str()  # fmt: skip


def steps(label: str, across: Sequence[float], up: Sequence[float], *, top: float) -> str:
    """Give the SVG text of a count over time as a filled line; ``top`` is at the upper edge."""
    import svg

    wide, tall = 120.0, float(HEIGHT)
    first, span = across[0], max(across[-1] - across[0], 1)
    path: list[svg.PathData] = [svg.MoveTo(0, tall)]
    for x, y in zip(across, up, strict=True):
        path.append(svg.HorizontalLineTo(round(wide * (x - first) / span, 1)))
        path.append(svg.VerticalLineTo(round(tall * (1 - min(y / max(top, 1), 1.0)), 1)))
    path += [svg.HorizontalLineTo(wide), svg.VerticalLineTo(tall)]
    return svg.SVG(
        xmlns=None, class_=["steps"], width=wide, height=tall, elements=[svg.Path(d=path)],
        extra={"role": "img", "aria-label": escape(label)},
    ).as_str()  # fmt: skip


def box(left: float, right: float, name: str, *, top: float = 0, height: float = HEIGHT, title: str = "") -> "Element":
    """Draw a box from ``left`` to ``right`` (shares of the width) of the class ``name``."""
    import svg

    return svg.Rect(
        x=across(left), width=across(max(right - left, 0.0)), y=top, height=height, class_=[name],
        elements=[svg.Title(text=escape(title))] if title else None,
    )  # fmt: skip


def rule(at: float, name: str, *, top: float = 0, bottom: float = HEIGHT) -> "Element":
    """Draw a line down at a share of the width."""
    import svg

    return svg.Line(x1=across(at), x2=across(at), y1=top, y2=bottom, class_=[name])


def dot(at: float, name: str, *, middle: float = HEIGHT / 2) -> "Element":
    """Draw a mark at a share of the width."""
    import svg

    return svg.Circle(cx=across(at), cy=middle, r=3.5, class_=[name])


def across(share: float) -> "Length":
    """Give a share of the width in percent."""
    import svg

    percent = float(round(100 * min(max(share, 0.0), 1.0), 2))
    return svg.Length(int(percent) if percent.is_integer() else percent, "%")

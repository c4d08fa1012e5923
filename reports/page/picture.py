"""The graph as a picture: one box a layer of the source, tensors as edges with their formats, colour by cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from . import numbers
from .document import Group
from .layout import BOX, Layout, arrange
from .panel import Document

if TYPE_CHECKING:
    from svg import Element

TALL, STEP, MARGIN = 46.0, 86.0, 12.0
SHADES = 5


@dataclass(frozen=True)
class Box:
    """A box: ``weight`` is its cost over that of the dearest (0 to 1), ``shade`` the colour of it (0 to 4); ``below``:
    the format of the tensor that leaves it. ``link``: the anchor of its row.
    """

    key: str
    title: str
    text: str
    below: str
    about: str
    link: str = ""
    weight: float = 0.0
    port: bool = False

    @property
    def shade(self) -> int:
        """Colours are by the root of the weight, so that small parts differ too."""
        return min(int(SHADES * self.weight**0.5), SHADES - 1)


def boxes(
    document: Document, found: Sequence[Group], costs: Mapping[int, float], links: Mapping[int, str]
) -> list[Box]:
    """Give a box for each input, layer and output. ``costs``, ``links``: by the number of the group."""
    total, most = sum(costs.values()) or 1.0, max(costs.values(), default=0.0) or 1.0
    result = [_port(f"in{i}", "input", p) for i, p in enumerate(document.get("inputs", ()))]
    for group in found:
        own = costs.get(group.index, 0.0)
        steps = ", ".join(dict.fromkeys(str(s.get("op", "")) for s in group.steps))
        shape = numbers.shape_text(group.last.get("shape"))
        below = str(group.last.get("format", ""))
        about = f"{group.source}: {steps}; {shape} {below}; {numbers.percent(own / total)} of the cost"
        result.append(
            Box(
                f"g{group.index}", group.source, f"{_cut(steps, 20)}  {shape}", below, about,
                links.get(group.index, ""), own / most,
            )
        )  # fmt: skip
    return result + [_port(f"out{i}", "output", p) for i, p in enumerate(document.get("outputs", ()))]


def _port(key: str, kind: str, port: Mapping[str, object]) -> Box:
    shape, form = numbers.shape_text(port.get("shape")), str(port.get("format", ""))
    name = str(port.get("name", ""))
    below = form if kind == "input" else ""
    return Box(key, name, f"{kind}  {shape}", below, f"{kind} {name}: {shape} {form}", port=True)


def edges(document: Document, found: Sequence[Group]) -> list[tuple[str, str]]:
    """Give the edges between boxes, each once, in the order of the boxes that they lead to."""
    owner = {str(p.get("layer", p.get("name"))): f"in{i}" for i, p in enumerate(document.get("inputs", ()))}
    owner |= {str(step["name"]): f"g{group.index}" for group in found for step in group.steps}
    ends = [(i, f"g{group.index}") for group in found for step in group.steps for i in step.get("inputs", ())]
    ends += [(o.get("layer", _end(found)), f"out{i}") for i, o in enumerate(document.get("outputs", ()))]
    return list(dict.fromkeys((owner[str(i)], to) for i, to in ends if str(i) in owner and owner[str(i)] != to))


def _end(found: Sequence[Group]) -> str:
    return str(found[-1].last["name"]) if found else ""


def draw_graph(document: Document, made: Sequence[Box], found: Sequence[Group], label: str) -> str:
    """Give the SVG text of the graph."""
    import svg

    joins = edges(document, found)
    layout = arrange([box.key for box in made], joins)
    by_key = {box.key: box for box in made}
    rows = max(layout.rows.values(), default=0) + 1
    width, height = layout.width + 2 * MARGIN, rows * STEP - (STEP - TALL) + 2 * MARGIN
    lines = [_edge(layout, by_key[a], by_key[b], path) for (a, b), path in zip(joins, layout.paths, strict=True)]
    crossing = _segments(layout, joins)
    shapes = [e for box in made for e in _box(layout, box, crossing.get(layout.rows[box.key], ()))]
    return svg.SVG(
        xmlns=None, class_=["graph"], width=_round(width), height=_round(height), elements=[*lines, *shapes],
        viewBox=svg.ViewBoxSpec(0, 0, _round(width), _round(height)),
        extra={"role": "group", "aria-label": escape(label)},
    ).as_str()  # fmt: skip


def _edge(layout: Layout, a: Box, b: Box, path: Sequence[float]) -> "Element":
    """Draw an edge through its lanes: down the middle of each, bends between the rows."""
    import svg

    first = layout.rows[a.key]
    y = _top(first) + TALL
    d: list[svg.PathData] = [svg.MoveTo(_round(path[0] + MARGIN), _round(y))]
    for i, x in enumerate(path[1:], 1):
        to, before = _top(first + i), path[i - 1]
        if abs(x - before) < 0.5:
            d.append(svg.VerticalLineTo(_round(to)))
        else:
            half = _round((y + to) / 2)
            left, right = _round(before + MARGIN), _round(x + MARGIN)
            d.append(svg.CubicBezier(left, half, right, half, right, _round(to)))
        y = to
        if i < len(path) - 1:
            y = to + TALL
            d.append(svg.VerticalLineTo(_round(y)))
    skip = ["edge", "skip"] if len(path) > 2 else ["edge"]
    return svg.Path(d=d, class_=skip, elements=[svg.Title(text=escape(f"{a.title} to {b.title}: {a.below}"))])


def _segments(layout: Layout, joins: Sequence[tuple[str, str]]) -> dict[int, list[tuple[float, float]]]:
    """Give what runs between a row and the next, as places at both."""
    found: dict[int, list[tuple[float, float]]] = {}
    for (a, _), path in zip(joins, layout.paths, strict=True):
        for i, ends in enumerate(pairwise(path)):
            found.setdefault(layout.rows[a] + i, []).append(ends)
    return found


def _box(layout: Layout, box: Box, crossing: Sequence[tuple[float, float]]) -> list["Element"]:
    """Draw a box, and the format of what leaves it: to the right, or to the left where only there no edge crosses."""
    import svg

    x, y = _round(layout.places[box.key] + MARGIN - BOX / 2), _round(_top(layout.rows[box.key]))
    kind = "port" if box.port else f"shade{box.shade}"
    inner: list[svg.Element] = [
        svg.Title(text=escape(box.about)),
        svg.Rect(x=x, y=y, width=BOX, height=TALL, rx=6),
        svg.Text(x=x + 10, y=y + 19, class_=["name"], text=escape(_cut(box.title, 26))),
        svg.Text(x=x + 10, y=y + 36, class_=["what"], text=escape(_cut(box.text, 30))),
    ]
    attributes = {"href": f"#{box.link}"} if box.link else {}
    node: svg.Element = (
        svg.A(elements=inner, class_=["node", kind], extra=attributes) if box.link
        else svg.G(elements=inner, class_=["node", kind])
    )  # fmt: skip
    x_middle = layout.places[box.key]
    if not box.below or x_middle not in (a for a, _ in crossing):
        return [node]
    side, anchor = (-7, "end") if any(a != b and max(a, b) > x_middle for a, b in crossing) else (7, "start")
    at, text = _round(x + BOX / 2 + side), escape(_cut(box.below, 30))
    return [node, svg.Text(x=at, y=_round(y + TALL + 15), class_=["format", anchor], text=text)]


def _top(row: int) -> float:
    return MARGIN + row * STEP


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _round(number: float) -> float | int:
    rounded = round(number, 1)
    return int(rounded) if float(rounded).is_integer() else rounded

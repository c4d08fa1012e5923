"""The graph as a picture."""

from collections.abc import Mapping, Sequence

from ..document import NAMES, Group, Row, fitted, groups, rows
from ..panel import Document, Panel
from ..picture import SHADES, boxes, draw_graph
from ..template import fill
from .layers import anchor


def graph(document: Document) -> Panel | None:
    """Draw the layers in dataflow order, formats on the edges, colour by cost."""
    found, hardware = groups(document), rows(document)
    if not found:
        return None
    what, costs = _costs(document, found, hardware)
    links = _links(found, hardware)
    label = f"The graph: {len(found)} layers in dataflow order"
    picture = draw_graph(document, boxes(document, found, costs, links), found, label)
    html = fill("graph.html", picture=picture, what=what, shades=SHADES, count=len(found))
    return Panel("graph", "Graph", html, 100)


def _costs(document: Document, found: Sequence[Group], hardware: Sequence[Row]) -> tuple[str, dict[int, float]]:
    """Give what colours the boxes and how much of it each has: look-up tables where they are known, else MACs."""
    level, _ = fitted(document)
    taken = {row.name: figure.value for row in hardware if (figure := row.count(level, "lut")) is not None}
    if not any(taken.values()):
        return "multiply-accumulates", {group.index: float(group.macs) for group in found}
    places = _group_of(found)
    costs: dict[int, float] = {}
    for row in hardware:
        if (index := places.get(row.name, places.get(row.source))) is not None:
            costs[index] = costs.get(index, 0.0) + taken.get(row.name, 0.0)
    return NAMES["lut"], costs


def _group_of(found: Sequence[Group]) -> Mapping[str, int]:
    """Find a layer of the hardware by its step, else by its source."""
    steps = {str(step["name"]): group.index for group in found for step in group.steps}
    return {group.source: group.index for group in reversed(found)} | steps


def _links(found: Sequence[Group], hardware: Sequence[Row]) -> dict[int, str]:
    """Lead from each box to the first row of its layer that does its work."""
    places = _group_of(found)
    links: dict[int, str] = {}
    for row in sorted(hardware, key=lambda row: not row.macs):
        if (index := places.get(row.name, places.get(row.source))) is not None:
            links.setdefault(index, anchor(row))
    return links

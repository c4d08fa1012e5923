"""Panels: the parts of the page below its head. A back end adds a panel, not a page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]
"""A manifest."""


@dataclass(frozen=True)
class Panel:
    """One section of the page.

    ``name``: its anchor, unique on the page; ``title``: its heading; ``html``: its content, escaped already;
    ``order``: panels are shown by it (100 graph, 200 timeline, 300 resources, 400 layers, 500 FIFOs, 600 ranges,
    700 inserted, 800 vendor's reports, 900 sources); ``short``: the heading in the list of contents.
    """

    name: str
    title: str
    html: str
    order: int
    short: str = ""


Maker: TypeAlias = Callable[[Document], Panel | None]
"""Makes a panel of a manifest, or None where that has nothing to show."""

__all__ = ["Document", "Maker", "Panel"]

"""The page: one HTML file that opens offline and shows a manifest."""

from .panel import Document, Maker, Panel
from .panels import PANELS
from .render import page

__all__ = ["PANELS", "Document", "Maker", "Panel", "page"]

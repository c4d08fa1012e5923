"""The panels of the page, each a function of the manifest."""

from ..panel import Maker
from .fifos import fifos
from .graph import graph
from .inserted import inserted
from .layers import layers
from .processor import arena, processor
from .ranges import ranges
from .resources import resources
from .sources import sources
from .timeline import timeline
from .vendor import vendor

PANELS: tuple[Maker, ...] = (
    graph, timeline, processor, resources, arena, layers, fifos, ranges, inserted, vendor, sources,
)  # fmt: skip
"""What every page has where there is something to show; a back end's page gets its own beside them."""

__all__ = ["PANELS"]

"""Gatewright's own HLS kernels: C++ templates (``gw_*.h``) and the rules that configure them from a node of the graph.

Importing this package fills ``kernel.KERNEL_RULES``.
"""

from collections.abc import Mapping
from importlib import resources

from . import choose, linear, places, pointwise, pool, runtimes, scan, shape


def headers() -> Mapping[str, bytes]:
    """Give the templates by file name: what a project needs in its ``nnet_utils`` folder."""
    folder = resources.files(__name__)
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".h")}


__all__ = ["choose", "headers", "linear", "places", "pointwise", "pool", "runtimes", "scan", "shape"]

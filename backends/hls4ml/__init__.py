"""The hls4ml back end: integer graphs become HLS projects that hls4ml writes, with kernels of ours where it has none.

``emit`` gives the project, ``Simulation`` runs its C simulation, ``verify`` proves it equal to the graph, ``missing``
lists what
cannot be emitted, ``make_options`` checks what a user asks, ``read_options`` reads it from a manifest.
"""

from collections.abc import Iterator

from ...boards import Board
from ...graph import GatewrightError, Graph
from . import plan as _plan
from .compiler import CompileError
from .csim import Simulation, SimulationError
from .emit import emit
from .options import Options, make_options, read_options
from .verify import Mismatch, Verification, verify


def missing(graph: Graph, board: Board | None, options: Options) -> Iterator[GatewrightError]:
    """Give an error for each node of the graph that the back end cannot emit with these options."""
    return _plan.missing(graph, options)


__all__ = [
    "CompileError", "Mismatch", "Options", "Simulation", "SimulationError", "Verification", "emit", "make_options",
    "missing", "read_options", "verify",
]  # fmt: skip

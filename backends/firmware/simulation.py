"""Running firmware: the same C compiled for this machine."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...boards import Board
from ...graph import GatewrightError, Graph, NDArray
from ..loops.verify import STATUS, own_axes
from ..loops.verify import verify as compare
from .emit import emit, read_description
from .host import Network


class Simulation:
    """The firmware of a project, run on arrays of vectors."""

    engine = "firmware's C on this machine"

    def __init__(self, graph: Graph, project: Mapping[str, bytes]) -> None:
        self.graph, self.project = graph, project

    @cached_property
    def network(self) -> Network:
        """The compiled C."""
        return Network(self.project, read_description(self.project))

    def run(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Run on stored integers (or float32) [count, *shape] an input, in the graph's own layout; give the outputs."""
        ins = [own_axes(v, n) for v, n in zip(vectors, self.graph.inputs, strict=True)]
        results: list[list[NDArray]] = []
        for k in range(len(vectors[0])):
            outputs, status = self.network.run([v[k] for v in ins])
            if status:
                raise GatewrightError(STATUS[status][0], hint=STATUS[status][1])
            results.append(outputs)
        found = [own_axes(np.stack(r), n) for r, n in zip(zip(*results, strict=True), self.graph.outputs, strict=True)]
        return [
            v.astype(np.int64) if n.type.is_integer else v for v, n in zip(found, self.graph.outputs, strict=True)
        ]


def verify(
    graph: Graph, simulation: Simulation, vectors: Sequence[NDArray], board: Board | None = None
) -> dict[str, Any]:
    """Compare the firmware with the graph, as ``loops.verify.verify`` does."""
    again = None if board is None else lambda own: Simulation(own, emit(own, board).files)
    return compare(graph, simulation, vectors, again)

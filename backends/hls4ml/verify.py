"""The proof: the C simulation's outputs against the graph's, integer by integer; the first differing layer by name."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...graph import Graph, NDArray, Node, trace
from ..project import Project
from .csim import Simulation
from .emit import expected, in_own_layout
from .kernel import to_carried


@dataclass(frozen=True)
class Mismatch:
    """One differing integer: of ``layer``, for test vector ``vector``, at ``index`` of the tensor."""

    layer: str
    vector: int
    index: tuple[int, ...]
    expected: int
    got: int


@dataclass(frozen=True)
class Verification:
    """``mismatches`` counts differing integers of all outputs on all ``vectors``."""

    status: Literal["exact", "failed", "skipped"]
    engine: str
    vectors: int
    mismatches: int = 0
    first_mismatch: Mismatch | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        entry = asdict(self)
        if self.first_mismatch is not None:
            entry["first_mismatch"]["index"] = list(self.first_mismatch.index)
        return entry if self.reason else {k: v for k, v in entry.items() if k != "reason"}


def verify(
    graph: Graph, project: "Project | Simulation | Mapping[str, bytes] | Path", vectors: Sequence[NDArray]
) -> Verification:
    """Compare on ``vectors``: stored integers [count, *shape] an input, in the graph's own layout.

    Raises GatewrightError where the simulation cannot be compiled or run.
    """
    simulation = project if isinstance(project, Simulation) else Simulation(graph, project)
    wanted, got = expected(graph, vectors), simulation.run(vectors)
    count = sum(int((a != b).sum()) for a, b in zip(wanted, got, strict=True))
    total = len(vectors[0])
    if not count:
        return Verification("exact", simulation.engine, total)
    return Verification("failed", simulation.engine, total, count, first_mismatch(simulation, vectors, wanted, got))


def first_mismatch(
    simulation: Simulation, vectors: Sequence[NDArray], wanted: Sequence[NDArray], got: Sequence[NDArray]
) -> Mismatch:
    """Find the first layer, in order of execution, that differs on the first vector that does."""
    differing = [np.flatnonzero((a != b).reshape(len(a), -1).any(axis=1)) for a, b in zip(wanted, got, strict=True)]
    vector = min(int(d[0]) for d in differing if len(d))
    one = [v[vector : vector + 1] for v in vectors]
    graph = simulation.graph
    values = trace(in_own_layout(graph), one, integers=True)
    by_place: list[NDArray] = list(values.values())
    for port, found in simulation.trace(one)[1]:
        if port.node < 0:
            continue
        node = graph.nodes[port.node]
        should = to_carried(node.type, by_place[port.node][:1])
        if (at := _first(should, found.reshape(should.shape))) is not None:
            return Mismatch(_name(graph, node), vector, at[1:], int(should[at]), int(found.reshape(should.shape)[at]))
    return _in_outputs(graph, vector, wanted, got)


def _in_outputs(graph: Graph, vector: int, wanted: Sequence[NDArray], got: Sequence[NDArray]) -> Mismatch:
    for node, a, b in zip(graph.outputs, wanted, got, strict=True):
        if (at := _first(a[vector], b[vector])) is not None:
            return Mismatch(_name(graph, node), vector, at, int(a[vector][at]), int(b[vector][at]))
    raise AssertionError("nothing differs")


def _first(a: NDArray, b: NDArray) -> tuple[int, ...] | None:
    places = np.argwhere(a != b)
    return tuple(int(i) for i in places[0]) if len(places) else None


def _name(graph: Graph, node: Node) -> str:
    return node.where or graph.names[node]

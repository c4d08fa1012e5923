"""Graphs of integers: the C simulation of their HLS projects against ``evaluate``, bit for bit.

A recipe holds several graphs, compiled as one program, because most of a compilation is headers.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from shutil import which

import numpy as np

from gatewright.graph import GatewrightError, Graph, evaluate

from ...backends.hls4ml.networks import KINDS
from ...backends.hls4ml.networks import Draw as Small
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Wrong, reason_of
from ..graphs import packed, smaller_graphs, unpacked
from .graph import drawn, stored

PART = "xc7z020clg400-1"
VECTORS = 24
KIND = tuple(KINDS.values())


class HlsFuzzer(Fuzzer):
    """One way of moving data: ``io`` is parallel or stream."""

    needs = ("hls4ml",)
    live = False
    limit_s = 900.0

    def __init__(self, io: str, graphs: int = 10) -> None:
        self.name, self.io, self.graphs = f"hls4ml-{io}", io, graphs

    @property
    def missing(self) -> list[str]:
        return [*super().missing, *(() if which("g++") else ("g++",))]

    def draw(self, rng: np.random.Generator) -> Recipe:
        graphs = [drawn(rng, 7) if rng.random() < 0.8 else _small(rng) for _ in range(self.graphs)]
        resource = bool(rng.random() < 0.2)
        return {"graphs": [packed(g) for g in graphs], "resource": resource, "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> list[Outcome]:
        from gatewright.backends.hls4ml import Options, Simulation, emit
        from gatewright.backends.hls4ml.csim import compile_projects

        outcomes: list[Outcome] = []
        graphs, projects = [], []
        more = {"strategy": "resource", "reuse_factor": 2} if recipe["resource"] else {}
        for entry in recipe["graphs"]:
            graph = replace(unpacked(entry), name=f"net_{len(graphs)}")
            try:
                projects.append(emit(graph, None, Options(PART, io=self.io, namespace=f"n{len(graphs)}", **more)))
                graphs.append(graph)
            except GatewrightError as error:
                outcomes.append(Refused(reason_of(error)))
        if not graphs:
            return outcomes
        try:
            with _cache():
                library = compile_projects([p.files for p in projects])
                for i, (graph, project) in enumerate(zip(graphs, projects, strict=True)):
                    _compare(graph, Simulation(graph, project, library=library, index=i), recipe["seed"])
        except GatewrightError as error:
            raise RuntimeError(f"what was emitted does not compile or run: {error}") from error
        return outcomes + [Right()] * len(graphs)

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        entries = recipe["graphs"]
        if len(entries) > 1:
            half = len(entries) // 2
            for part in (entries[:half], entries[half:]):
                yield {**recipe, "graphs": part}
            return
        if recipe["resource"]:
            yield {**recipe, "resource": False}
        for graph in smaller_graphs(unpacked(entries[0])):
            yield {**recipe, "graphs": [packed(graph)]}

    def tell(self, recipe: Recipe) -> str:
        strategy = "resource" if recipe["resource"] else "latency"
        return "\n\n".join([f"io_{self.io}, {strategy}", *("\n".join(g["text"]) for g in recipe["graphs"])])


def _small(rng: np.random.Generator) -> Graph:
    """Draw one of the kinds of networks that hls4ml has layers for."""
    return KIND[int(rng.integers(len(KIND)))](Small(int(rng.integers(1 << 30))))


def _compare(graph: Graph, simulation: object, seed: int) -> None:
    vectors = stored(graph, seed, VECTORS)
    plain = replace(graph, outputs=tuple(replace(o, op=replace(o.op, axes=None)) for o in graph.outputs))
    wanted = evaluate(plain, dict(zip([op.name for op in graph.input_ops], vectors, strict=True)), integers=True)
    got = simulation.run(vectors)  # type: ignore[attr-defined]
    for node, a, b in zip(graph.outputs, wanted.values(), got, strict=True):  # type: ignore[union-attr]
        if not np.array_equal(a, b):
            at = tuple(int(i) for i in np.argwhere(a != b)[0])
            raise Wrong(f"{node.inputs[0].op}: {(a != b).sum()} of {a.size} differ, {at}: {b[at]}, should be {a[at]}")


@contextmanager
def _cache() -> Iterator[None]:
    """A place for the compiled programs that goes away."""
    before = os.environ.get("GATEWRIGHT_CACHE")
    with tempfile.TemporaryDirectory(prefix="gatewright-fuzz-") as folder:
        os.environ["GATEWRIGHT_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["GATEWRIGHT_CACHE"]
            else:
                os.environ["GATEWRIGHT_CACHE"] = before


FUZZERS = (HlsFuzzer("parallel"), HlsFuzzer("stream"))

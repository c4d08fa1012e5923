"""Graphs of integers: ``evaluate`` against exact fractions, element by element; and the file format there and back."""

from collections.abc import Iterator

import numpy as np

from gatewright.graph import Graph, Quantized, trace
from gatewright.graph.file import to_bytes

from ...graph import oracle
from ...graph.drawn import Draw
from ...graph.reference import interpret
from ..core import Fuzzer, Outcome, Recipe, Right, Wrong
from ..graphs import packed, smaller_graphs, unpacked


class Larger(Draw):
    """The graphs of the tests, with longer axes."""

    longest, most = 7, 160


def drawn(rng: np.random.Generator, steps: int = 9) -> Graph:
    """Draw a graph that has an operation."""
    while True:
        graph = Larger(rng).graph(int(rng.integers(1, steps + 1)))
        if len(graph.nodes) > 2 * len(graph.outputs):
            return graph


def stored(graph: Graph, seed: int, count: int) -> list[np.ndarray]:
    """Draw stored integers [count, *shape] an input: the ends first."""
    rng = np.random.default_rng(seed)
    return [_stored(rng, n.shape, n.type.quantized, count) for n in graph.inputs]


def _stored(rng: np.random.Generator, shape: tuple[int, ...], format: Quantized, count: int) -> np.ndarray:
    low, high = (np.broadcast_to(b, shape).astype(np.int64) for b in format.bounds)
    inner = rng.integers(low, high, (count, *shape), endpoint=True)
    ends = np.where(rng.random((count, *shape)) < 0.15, np.where(rng.random((count, *shape)) < 0.5, low, high), inner)
    return np.concatenate([low[None], high[None], ends])[:count].astype(np.int64)


class GraphFuzzer(Fuzzer):
    """Every operation that is exact on integers, on formats of every kind."""

    name = "graph"
    live = False

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {**packed(drawn(rng)), "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        graph = unpacked(recipe)
        if to_bytes(unpacked(packed(graph))) != to_bytes(graph):
            raise Wrong("the file format does not give the same graph back")
        samples = stored(graph, recipe["seed"], 4)
        traced = trace(graph, dict(zip([op.name for op in graph.input_ops], samples, strict=True)), integers=True)
        for number in range(len(samples[0])):
            for node, cells in interpret(graph, [s[number] for s in samples]).items():
                got = traced[node][number]
                low, high = node.type.interval
                centred = node.type.quantized.centre(got)
                if (centred < low).any() or (centred > high).any():
                    raise Wrong(f"{node.op} leaves its interval")
                for index in np.ndindex(*node.shape):
                    value = oracle.value(int(got[index]), node.type.quantized, index, node.shape)
                    if value != cells[index]:
                        raise Wrong(f"{node.op}{index}: {value}, exactly {cells[index]}")
        return Right()

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        for graph in smaller_graphs(unpacked(recipe)):
            yield {**packed(graph), "seed": recipe["seed"]}

    def tell(self, recipe: Recipe) -> str:
        return "\n".join(recipe["text"])


FUZZERS = (GraphFuzzer(),)

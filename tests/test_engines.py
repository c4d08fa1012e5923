"""One integer graph, every engine: what each back end makes of it gives the bytes that ``evaluate`` gives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gatewright
from gatewright.graph import Array, Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import Add, Constant, Conv, Dense, Input, MaxPool, Output, Quantize, Relu, Reshape

from .backends.cases.common import expected, vectors
from .models import tiny

EXAMPLES = Path(__file__).parents[1] / "examples"
VECTORS = 24


@dataclass(frozen=True)
class Engine:
    """``board``: whose back end makes the project that is run here; ``needs``: packages that it takes."""

    board: str
    needs: tuple[str, ...]


ENGINES = {
    "hls c simulation": Engine("pynq-z2", ("hls4ml", "ziglang")),
    "library": Engine("host", ("tvm", "ziglang")),
    "firmware": Engine("nucleo-l4r5zi", ("ziglang",)),
}
"""A further back end is one more row."""


def residual() -> Graph:
    """Convolutions with a skip around one of them, a pool, a dense layer: signed and unsigned, of several widths."""
    rng = np.random.default_rng(11)

    def weights(*shape: int, width: int) -> Node:
        half = 1 << (width - 1)
        return Node(Constant(Array(rng.integers(-half, half, shape)), Fixed(width, 1)), (), "weights")

    def conv(x: Node, filters: int, name: str) -> Node:
        kernel = weights(3, 3, x.shape[-1], filters, width=5)
        y = Node(Relu(), (Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (x, kernel), name),), name)
        return Node(Quantize(Fixed(7, 2, False), Rounding.RND_CONV, Overflow.SAT), (y,), name)

    x = Node(Input("image", (6, 6, 2), Fixed(8, 1)), (), "image")
    first = conv(x, 6, "first")
    both = Node(Add(), (first, conv(first, 6, "second")), "sum")
    pooled = Node(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), (both,), "pool")
    flat = Node(Reshape((54,)), (pooled,), "flat")
    y = Node(Dense(), (flat, weights(54, 5, width=6), weights(5, width=8)), "head")
    return Graph((x,), (Node(Output("y"), (y,)),), "residual")


def example(name: str, **options: str) -> Graph:
    """Read a shipped model."""
    return gatewright.lower(gatewright.load(EXAMPLES / name), board="host", **options)  # type: ignore[arg-type]


GRAPHS: dict[str, Callable[[], Graph]] = {
    "tiny": lambda: gatewright.lower(tiny(), board="host"),
    "residual": residual,
    "digits_qkeras": lambda: example("digits_qkeras.h5"),
    "jet_tagger": lambda: example("jet_tagger.h5"),
    "digits_cnn": lambda: example("digits_cnn.keras", precision="fixed<12,5>"),
    "jet_tagger_onnx": lambda: example("jet_tagger.onnx", precision="fixed<16,6>"),
}
QUICK = ("tiny", "residual", "digits_qkeras")
SLOW = pytest.mark.slow


@cache
def wanted(name: str) -> tuple[Graph, list[np.ndarray], list[np.ndarray]]:
    """Give a graph, vectors of stored integers for it, and what it makes of them."""
    graph = GRAPHS[name]()
    given = vectors(graph, VECTORS, seed=5)
    return graph, given, expected(graph, given)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=SLOW) for n in GRAPHS])
def test_engines_give_the_bytes_of_evaluate(name: str, engine: str) -> None:
    chosen = ENGINES[engine]
    if lacking := [p for p in chosen.needs if find_spec(p) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    graph, given, right = wanted(name)
    project = gatewright.compile(graph, board=chosen.board, verify=False)
    got = project.predict(given if len(given) > 1 else given[0], integers=True)
    for mine, theirs in zip(got if isinstance(got, tuple) else (got,), right, strict=True):
        assert mine.dtype == theirs.dtype
        assert np.asarray(mine).tobytes() == theirs.tobytes()

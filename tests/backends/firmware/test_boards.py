"""Whole networks on the emulated core of a board of each kind: their images equal the graph in every bit."""

from fractions import Fraction

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import Affine, Fixed, Graph, Node
from gatewright.graph.ops import Conv, Dense, Input, Reshape

from ..cases.common import drawn, joined, of
from .test_device import BOARDS
from .test_networks import NETWORKS, TINY, here

pytest.importorskip("unicorn", reason="emulated cores need the extra `firmware`")
TFLITE = ("ad01", "dscnn_kws", "resnet8", "vww_96")


def proved(graph: Graph, board: str, vectors: int = 64) -> None:
    project = gw.compile(graph, board=board, vectors=vectors)
    entry = project.manifest["verification"]
    assert (entry["status"], entry["vectors"], entry["mismatches"]) == ("exact", vectors, 0)
    assert f"4 vectors on an emulated {BOARDS[board]} too" in entry["engine"]
    memory = project.manifest["cost"]["memory"]
    symbols = project.simulation.device._emulator.image.symbols
    arena = next(s.size for n, s in symbols.items() if n.endswith("_arena"))
    assert arena == memory["arena_bytes"]["value"]


def narrow() -> Graph:
    """Convolutions and dense layers whose weights have 1 to 4 bits: tiles of every width, and of both shapes."""
    rng, made = np.random.default_rng(0), []
    for bits in (1, 2, 3, 4):
        x = Node(Input(f"x{bits}", (6, 5, 16), Affine(8, True, Fraction(1, 255), -9)))
        y = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (x, Node(drawn(rng, (3, 3, 16, 6), Fixed(bits, 1)))))
        flat = Node(Reshape((x.type.size,)), (x,))
        z = Node(Dense(), (flat, Node(drawn(rng, (x.type.size, 9), Fixed(bits, 1)))))
        made += [of(f"conv{bits}", y), of(f"dense{bits}", z)]
    return joined(made)


@pytest.mark.parametrize(
    "board", [pytest.param(b, marks=[] if b == "raspberry-pi-pico" else [pytest.mark.slow]) for b in BOARDS]
)
def test_narrow_weights(board: str) -> None:
    proved(narrow(), board, 4)


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["digits", "words", "block"])
def test_small_networks(name: str, board: str) -> None:
    proved(NETWORKS[name](), board)


@here
@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_resnet8_in_fixed_point(board: str) -> None:
    proved(NETWORKS["resnet8"](), board)


@here
@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", TFLITE)
def test_networks_of_a_benchmark(name: str, board: str) -> None:
    proved(gw.lower(gw.load(TINY / f"{name}_int8.tflite"), board="host"), board)

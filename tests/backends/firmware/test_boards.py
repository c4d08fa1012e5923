"""Whole networks on the emulated core of a board of each kind: their images equal the graph in every bit."""

import pytest

import gatewright as gw
from gatewright.graph import Graph

from .test_device import BOARDS
from .test_networks import NETWORKS, TINY, here

pytest.importorskip("unicorn", reason="emulated cores need the extra `firmware`")
TFLITE = ("ad01", "dscnn_kws", "resnet8", "vww_96")


def proved(graph: Graph, board: str) -> None:
    project = gw.compile(graph, board=board, vectors=64)
    entry = project.manifest["verification"]
    assert (entry["status"], entry["vectors"], entry["mismatches"]) == ("exact", 64, 0)
    assert f"4 vectors on an emulated {BOARDS[board]} too" in entry["engine"]
    memory = project.manifest["cost"]["memory"]
    symbols = project._simulation.device._emulator.image.symbols
    arena = next(s.size for n, s in symbols.items() if n.endswith("_arena"))
    assert arena == memory["arena_bytes"]["value"]


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

"""Libraries that remember: equal to the graph step by step, from the beginning, after a reset, as streams."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm")
pytest.importorskip("ziglang")

import gatewright as gw
from gatewright.backends.tvm import Simulation, emit
from gatewright.graph import Graph, NDArray

from ...streams import NETWORKS, by_hand, frames, recurrence, window


def check(got: Sequence[NDArray], wanted: Sequence[NDArray]) -> None:
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def compiled(graph: Graph) -> dict[str, bytes]:
    return dict(emit(graph, gw.boards()["host"]).files)


@pytest.mark.parametrize("build", NETWORKS)
def test_on_this_machine(build: Callable[[], Graph]) -> None:
    graph = build()
    x = frames(graph, 10)
    wanted = by_hand(graph, x)
    simulation = Simulation(graph, compiled(graph))
    check(simulation.run(x), wanted)
    check(simulation.run([v[:4] for v in x]), [v[:4] for v in wanted])
    check(simulation.step([v[4:] for v in x]), [v[4:] for v in wanted])


def test_a_network_is_a_stream_and_an_arena_is_its_memory() -> None:
    graph = recurrence()
    simulation = Simulation(graph, compiled(graph))
    assert b"void recurrence_init(void *arena);" in simulation.project["include/recurrence.h"]
    networks, streams = [simulation.loaded(), simulation.loaded()], [frames(graph, 6, seed)[0] for seed in (1, 2)]
    got: list[list[NDArray]] = [[], []]
    for k in range(6):
        for network, x, rows in zip(networks, streams, got, strict=True):
            network.inputs[0][...] = x[k]
            assert network.run() == 0
            rows.append(network.outputs[0].copy())
    for x, rows in zip(streams, got, strict=True):
        np.testing.assert_array_equal(np.stack(rows), by_hand(graph, [x])[0])


def test_the_package_for_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs numpy alone: ``run`` begins anew, a ``Network`` goes on."""
    graph = window()
    for path, data in compiled(graph).items():
        if path.startswith("python/window/"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path / "python")
    assert importlib.util.find_spec("window") is not None
    module = importlib.import_module("window")
    try:
        (x,) = frames(graph, 6)
        (y,) = by_hand(graph, [x])
        real = x * 2.0**-5
        for _ in range(2):
            np.testing.assert_array_equal(module.run(real), y * 2.0**-5)
        network = module.Network()
        for k in (0, 1, 2):
            network.inputs[0][...] = x[k]
            network.run()
        np.testing.assert_array_equal(network.outputs[0], y[2])
        network.reset()
        network.inputs[0][...] = x[0]
        network.run()
        np.testing.assert_array_equal(network.outputs[0], y[0])
    finally:
        sys.modules.pop("window", None)
        sys.modules.pop("window.runtime", None)


def test_a_module_goes_on_until_it_is_reset(tmp_path: Path) -> None:
    graph = window()
    gw.compile(graph, board="host", vectors=8).write(tmp_path / "out")
    module = gw.open(tmp_path / "out")
    assert module.manifest["verification"]["status"] == "exact"
    assert [(s["name"], s["initial"], s["from"]) for s in module.manifest["states"]] == [
        ("frames", "zero", "shift1"), ("rows", "given", "shift2"),
    ]  # fmt: skip
    (x,) = frames(graph, 8)
    (y,) = by_hand(graph, [x])
    got = [module(x[:3], integers=True), module(x[3:], integers=True)]
    np.testing.assert_array_equal(np.concatenate(got), y)
    module.reset()
    np.testing.assert_array_equal(module(x[:2], integers=True), y[:2])
    np.testing.assert_array_equal(module.predict(x[None], integers=True), y[None])
    with pytest.raises(gw.ShapeError, match="1 streams of 8 steps; a module is one stream"):
        module(x[None], integers=True)


@pytest.mark.parametrize("board", ["pynq-z2", "cuda-t4"])
def test_what_keeps_nothing_says_so(board: str) -> None:
    with pytest.raises(gw.UnsupportedError, match="keeps nothing between inferences: the states 'frames', 'rows'"):
        gw.compile(window(), board=board)

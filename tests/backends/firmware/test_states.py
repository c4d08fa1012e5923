"""Firmware that remembers: equal to the graph step by step, from its beginning, again after a reset, as two streams."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest

pytest.importorskip("ziglang", reason="the firmware is compiled by ziglang")

import gatewright as gw
from gatewright.backends.firmware import Simulation, complete, emit, verify
from gatewright.backends.firmware.emulator import core, find_qemu
from gatewright.backends.firmware.memory import plan
from gatewright.backends.firmware.memory.stripes import passages
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.plan import flat
from gatewright.backends.loops.prepare import prepare
from gatewright.backends.loops.program import Copy
from gatewright.graph import Graph, NDArray
from gatewright.simulation import input_ranges

from ...streams import NETWORKS, by_hand, exchange, frames, read_again, recurrence, spectrogram, window
from .support import MACHINES

BOARD = "nucleo-l4r5zi"


def files(graph: Graph, memory: str = "fastest") -> dict[str, bytes]:
    return dict(emit(graph, gw.boards()[BOARD], memory).files)


def check(got: Sequence[NDArray], wanted: Sequence[NDArray]) -> None:
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("build", NETWORKS)
def test_on_this_machine(build: Callable[[], Graph]) -> None:
    graph = build()
    x = frames(graph, 10)
    wanted = by_hand(graph, x)
    simulation = Simulation(graph, files(graph), emulated=False)
    check(simulation.run(x), wanted)
    check(simulation.run([v[:4] for v in x]), [v[:4] for v in wanted])
    check(simulation.step([v[4:] for v in x]), [v[4:] for v in wanted])


@pytest.mark.slow
@pytest.mark.skipif(find_qemu(core("cortex-m55")) is None, reason="QEMU is not installed")
def test_on_qemu() -> None:
    """Each run is a process: states go from one to the next."""
    graph = recurrence()
    project = complete(emit(graph, gw.boards()["corstone-300"]), graph, input_ranges(graph), ())
    simulation = Simulation(graph, project.files)
    assert simulation.device is not None
    x = frames(graph, 5)
    wanted = by_hand(graph, x)
    check(simulation.run([v[:2] for v in x]), [v[:2] for v in wanted])
    check(simulation.step([v[2:] for v in x]), [v[2:] for v in wanted])


def test_streams_take_turns_with_their_states() -> None:
    graph = recurrence()
    network = Simulation(graph, files(graph), emulated=False).network
    streams = [frames(graph, 6, seed)[0] for seed in (1, 2)]
    got: list[list[NDArray]] = [[], []]
    network.begin()
    kept = [network.save()] * 2
    for k in range(6):
        for i, x in enumerate(streams):
            network.restore(kept[i])
            got[i].append(network.run([x[k]])[0][0])
            kept[i] = network.save()
    for x, rows in zip(streams, got, strict=True):
        np.testing.assert_array_equal(np.stack(rows), by_hand(graph, [x])[0])


@pytest.mark.parametrize("build", [window, pytest.param(recurrence, marks=pytest.mark.slow),
                                   pytest.param(exchange, marks=pytest.mark.slow)])  # fmt: skip
def test_on_an_emulated_core(build: Callable[[], Graph]) -> None:
    pytest.importorskip("unicorn")
    graph = build()
    board = gw.boards()[BOARD]
    made = complete(emit(graph, board), graph, input_ranges(graph), ("cmake",))
    simulation = Simulation(graph, made.files)  # its self-test has passed, and let it begin anew
    x = frames(graph, 6)
    assert verify(graph, simulation, x, board)["status"] == "exact"
    assert simulation.device is not None
    wanted = by_hand(graph, x)
    check(simulation.run([v[:2] for v in x]), [v[:2] for v in wanted])
    check(simulation.step([v[2:] for v in x]), [v[2:] for v in wanted])


@pytest.mark.parametrize(("build", "copies"), [(window, 0), (recurrence, 0), (read_again, 0), (exchange, 1)])
def test_states_are_written_in_place_where_that_is_right(build: Callable[[], Graph], copies: int) -> None:
    """Of two that change places one is copied; no other tensor may ever lie over a state."""
    placed = plan(make_program(build(), MACHINES["m4"])).program
    assert sum(isinstance(s, Copy) for s in placed.statements) == copies
    kept = [b for b in placed.blocks if b.kept]
    others = [b for b in placed.blocks if not b.kept and b.last >= 0]
    for a in kept:
        for b in (*others, *kept):
            assert a is b or a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset


def test_the_header_says_what_is_kept() -> None:
    header = files(window())["src/window.h"].decode()
    assert " *   rows: 2x8 int8_t, value = q * 2^-5\n" in header
    assert "#define WINDOW_STATE_BYTES 34\n" in header
    source = files(window())["src/window.c"].decode()
    assert "gw_clear(window_arena" in source  # frames begin with zeros, rows do not
    assert "gw_copy(window_arena" in source.split("void window_init(void)")[1].split("}")[0]


def test_parts_may_be_cut_beside_what_only_becomes_a_state() -> None:
    graph = prepare(flat(spectrogram()))
    assert [n.where for _, n in passages(graph)][:3] == ["image", "conv0", "relu0"]


@pytest.mark.slow
def test_by_stripes() -> None:
    graph = spectrogram()
    sizes = []
    for memory in ("fastest", "smallest"):
        made = files(graph, memory)
        sizes.append(json.loads(made["network.json"])["arena_bytes"])
        x = frames(graph, 4)
        check(Simulation(graph, made, emulated=False).run(x), by_hand(graph, x))
    assert sizes[1] < sizes[0] / 2

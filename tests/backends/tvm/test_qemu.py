"""Libraries for other processors are proved under qemu-user, where it is installed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright as gw
from gatewright.backends.tvm import qemu
from gatewright.backends.tvm.qemu import command_for
from gatewright.graph import GatewrightError, Graph, Node, State
from gatewright.graph.arrays import Array
from gatewright.graph.ops import Add, Input, Output

from ..cases import moves
from .networks import small_cnn
from .support import host

BOARDS = {"raspberry-pi-5": "qemu-aarch64", "pixel-8": "qemu-aarch64", "armv7-neon": "qemu-arm",
          "riscv64-generic": "qemu-riscv64"}  # fmt: skip


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt install qemu-user")


@pytest.mark.parametrize("board", BOARDS)
def test_compile_proves_a_library_for_another_processor(board: str, tmp_path: Path) -> None:
    need(BOARDS[board])
    gw.compile(small_cnn(), board=board, vectors=8).write(tmp_path / "out")
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())["verification"]
    assert (found["status"], found["vectors"]) == ("exact", 8)
    assert found["engine"] == f"compiled library under {BOARDS[board]}"
    x = np.random.default_rng(0).uniform(-3, 3, (2, 9, 7, 3)).astype(np.float32)
    opened = gw.open(tmp_path / "out")
    np.testing.assert_array_equal(opened(x), gw.evaluate(small_cnn(), x))


def test_states_stay_between_calls() -> None:
    need("qemu-aarch64")
    x, entry = Node(Input("x", (3,))), Node(Input("kept", (3,)))
    total = Node(Add(), (x, entry))
    output, after = Node(Output("y"), (total,)), Node(Output("kept_next"), (total,))
    state = State(entry, after, Array(np.array([1, 2, 3], np.float32)))
    graph = Graph((x,), (output,), "sums", states=(state,))
    project = gw.compile(graph, board="raspberry-pi-5", vectors=3)
    assert project.verification["status"] == "close"
    simulation = project.simulation
    fed = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(simulation.run([fed])[0], [[2, 3, 4], [3, 4, 5]])
    np.testing.assert_array_equal(simulation.step([fed])[0], [[4, 5, 6], [5, 6, 7]])
    np.testing.assert_array_equal(simulation.run([fed])[0], [[2, 3, 4], [3, 4, 5]])


def test_without_qemu_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu.shutil, "which", lambda name: None)
    found = gw.compile(small_cnn(), board="raspberry-pi-5", vectors=2).verification
    assert found["status"] == "skipped"
    assert found["reason"].endswith("; with qemu-user installed, qemu-aarch64 does")
    assert "qemu" not in gw.compile(small_cnn(), board="iphone-15", vectors=2).verification["reason"]


def test_what_the_emulator_cannot_do_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    need("qemu-aarch64")
    monkeypatch.setattr(qemu, "START", qemu.START.replace("    for (;;) {{", "    for (;;) {{ __builtin_trap();"))
    found = gw.compile(small_cnn(), board="raspberry-pi-5", vectors=2).verification
    assert found["status"] == "skipped"
    assert "qemu-aarch64 ended with SIG" in found["reason"]


def test_what_a_network_says_of_its_operands_comes_through() -> None:
    need("qemu-aarch64")
    trial, statuses = moves.a_divisor_of_zero()
    assert any(statuses)
    project = gw.compile(trial.graph, board="raspberry-pi-5", verify=False)
    with pytest.raises(GatewrightError, match="divi"):
        project.simulation.run(trial.fed)


def test_this_machine_needs_no_emulator() -> None:
    assert command_for(host()) is None

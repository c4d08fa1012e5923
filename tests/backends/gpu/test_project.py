"""Projects for graphics processors: what is in them, and that it hangs together. Nothing is run here."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import gatewright as gw
from gatewright.backends.gpu import emit, machine_of
from gatewright.backends.gpu.tiles import tile_for
from gatewright.backends.loops.machine import Dot
from gatewright.graph import Graph

from ..tvm.networks import digits, large, small_cnn

BOARDS = ("cuda-h100", "opencl-mali-g715", "metal-a17", "webgpu-generic")
NETWORKS = {"digits": digits, "small": small_cnn, "large": large}
each_board = pytest.mark.parametrize("board", BOARDS)
each_network = pytest.mark.parametrize("network", NETWORKS)


def files(graph: Graph, board: str) -> dict[str, bytes]:
    return dict(emit(graph, gw.boards()[board]).files)


def plan(made: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made["src/plan.json"])
    return found


def kernels(made: dict[str, bytes]) -> str:
    """All sources, one behind the other."""
    return "".join(made[f"src/{name}"].decode() for name in {k["source"]: 0 for k in plan(made)["kernels"].values()})


@each_board
@each_network
def test_integer_networks_have_no_floats(board: str, network: str) -> None:
    text = kernels(files(NETWORKS[network](), board))
    assert not re.search(r"\b(float|double|half|f32|f16)\b|\d\.\d|precise::", text)


@each_board
def test_two_compiles_give_the_same_bytes(board: str) -> None:
    assert files(small_cnn(), board) == files(small_cnn(), board)


@each_board
@each_network
def test_the_plan_hangs_together(board: str, network: str) -> None:
    made = files(NETWORKS[network](), board)
    told = plan(made)
    text = kernels(made)
    sizes = {
        "arena": told["arena_bytes"], "constants": len(made["src/constants.bin"]), "status": 4,
        **{f"in{i}": p["bytes"] for i, p in enumerate(told["inputs"])},
        **{f"out{i}": p["bytes"] for i, p in enumerate(told["outputs"])},
    }  # fmt: skip
    written = set()
    for launch in told["launches"]:
        kernel = told["kernels"][launch["kernel"]]
        assert text.count(f" {kernel['entry']}(") == 1
        assert len(kernel["arguments"]) == len(kernel["writes"]) == len(launch["arguments"])
        for argument, writes in zip(launch["arguments"], kernel["writes"], strict=True):
            assert argument["offset"] % 256 == 0
            assert argument["offset"] + argument["bytes"] <= sizes[argument["buffer"]]
            written |= {argument["buffer"]} if writes else set()
    assert written <= {"arena", "status", *(f"out{i}" for i in range(len(told["outputs"])))}
    assert written >= {f"out{i}" for i in range(len(told["outputs"]))}


def test_the_target_is_named_and_the_macs_are_counted() -> None:
    project = gw.compile(large(), board="cuda-rtx-4090", vectors=1)
    assert project.target == "gpu-cuda"
    told = json.loads(project.artefact["src/plan.json"])
    assert (told["language"], told["arch"]) == ("cuda", "sm_89")
    assert sum(launch["macs"] for launch in told["launches"]) == large().macs


NVCC = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"


@pytest.mark.slow
@pytest.mark.skipif(not Path(NVCC).exists(), reason="nvcc is not installed")
@pytest.mark.parametrize("network", NETWORKS)
def test_nvcc_takes_the_kernels(network: str, tmp_path: Path) -> None:
    path = tmp_path / "kernels.cu"
    path.write_bytes(files(NETWORKS[network](), "cuda-h100")["src/kernels.cu"])
    command = [NVCC, "-arch=sm_90", "-cubin", "-Werror", "all-warnings", "-o", str(tmp_path / "k.cubin"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tiles_keep_to_what_a_launch_may_have() -> None:
    machine = machine_of(gw.boards()["webgpu-generic"])
    tile = tile_for(2_000_000, 8, 9, 1, Dot.WIDE, machine)
    assert 2_000_000 / tile.rows <= 65535
    with pytest.raises(gw.UnsupportedError, match="blocks"):
        tile_for(20_000_000, 8, 9, 1, Dot.WIDE, machine)

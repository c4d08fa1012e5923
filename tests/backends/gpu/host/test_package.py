"""The Python package of a project: real numbers in and out, without Gatewright; here against the stand-in's driver."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.gpu import emit
from gatewright.backends.gpu.host import read_project
from gatewright.backends.gpu.host.emulator import library_of
from gatewright.graph import Graph, NDArray

from ...tvm.networks import small_cnn
from .test_cuda import stand_in

__all__ = ["stand_in"]
PROGRAM = """
import sys
sys.modules["gatewright"] = None
import numpy as np, {name} as network
x = np.load("x.npy")
np.save("y.npy", network.run(x))
one = network.Network()
print(one.device.name, len(one.times(1)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is a library for Linux")
def test_runs_without_gatewright(stand_in: Path, tmp_path: Path) -> None:
    graph = small_cnn()
    made = emit(graph, gw.boards()["cuda-h100"])
    plan, sources, _ = read_project(made.files)
    for path, data in made.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    values = samples(graph)
    np.save(tmp_path / "python" / "x.npy", values)
    (stand_in.parent / "libnvrtc.so.13").write_bytes(stand_in.read_bytes())
    marks = ",".join(f"{k.entry}:{''.join(str(int(w)) for w in k.writes)}" for k in plan.kernels.values())
    driver = {
        "STAND_IN_KERNELS": str(library_of(plan, sources)), "STAND_IN_ENTRIES": marks, "STAND_IN_SM": "90",
        "LD_LIBRARY_PATH": str(stand_in.parent),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=plan.name)], cwd=tmp_path / "python", env={**os.environ, **driver},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"CUDA on Stand-in 90 {len(plan.launches)}\n"
    np.testing.assert_array_equal(np.load(tmp_path / "python" / "y.npy"), gw.evaluate(graph, values))


def samples(graph: Graph) -> NDArray:
    return np.random.default_rng(0).uniform(-1, 1, (3, *graph.inputs[0].shape)).astype(np.float32)


def test_an_opened_project_runs_emulated(tmp_path: Path) -> None:
    graph = small_cnn()
    gw.compile(graph, board="opencl-mali-g715", vectors=3).write(tmp_path / "out")
    module = gw.open(tmp_path / "out")
    assert module.manifest["verification"]["status"] == "exact"
    np.testing.assert_array_equal(module(samples(graph)), gw.evaluate(graph, samples(graph)))
    network = module.network()
    assert network.run() == 0
    with pytest.raises(gw.GatewrightError, match="threads = 2 on a graphics processor"):
        module.network(2)

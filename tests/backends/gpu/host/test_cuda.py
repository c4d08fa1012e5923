"""The loader for NVIDIA's driver, against a library that stands in for the driver and its compiler."""

import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.gpu.host import open_network, read_project
from gatewright.backends.gpu.host.emulator import library_of
from gatewright.backends.gpu.host.runtime import cuda, nvrtc
from gatewright.backends.gpu.host.runtime.device import DeviceError, open_device
from gatewright.backends.gpu.host.runtime.network import Network
from gatewright.backends.zig import zig

from .projects import expected, files, samples, texts

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is a library for Linux")


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    options = ["-x", "c++", "-O1", "-w", "-fPIC", "-shared", "-nostdinc++", "-fno-exceptions", "-fno-rtti"]
    zig(["cc", *options, str(HERE / "stand_in.cpp"), "-ldl", "-o", "libcuda.so.1"], folder)
    return folder / "libcuda.so.1"


def settings(sm: int = 90) -> dict[str, str]:
    """What the stand-in reads: where the kernels are, and which of their arguments are written to."""
    plan, sources, _ = read_project(files("cuda"))
    marks = ",".join(f"{k.entry}:{''.join(str(int(w)) for w in k.writes)}" for k in plan.kernels.values())
    return {"STAND_IN_KERNELS": str(library_of(plan, sources)), "STAND_IN_ENTRIES": marks, "STAND_IN_SM": str(sm)}


@pytest.fixture
def driver(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "LIBRARY", str(stand_in))
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter([str(stand_in)]))
    for name, value in settings().items():
        monkeypatch.setenv(name, value)


def check(network: Network) -> None:
    for x, y in zip(samples(3), expected(samples(3)), strict=True):
        network.inputs[0][...] = x
        assert network.run() == 0
        np.testing.assert_array_equal(network.outputs[0], y)


def test_runs_the_plan_as_one_graph(driver: None) -> None:
    network = open_network(files("cuda"))
    assert network.device.name == "CUDA on Stand-in 90"
    assert network.device._graph is not None  # type: ignore[attr-defined]
    check(network)
    assert network.times(2) == pytest.approx([0.25e-3, 0.25e-3])
    network.device.close()


def test_launches_one_by_one_where_there_are_no_graphs(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_NO_GRAPH", "1")
    network = open_network(files("cuda"), "device")
    assert network.device._graph is None  # type: ignore[attr-defined]
    check(network)


def opened() -> None:
    plan, _, constants = read_project(files("cuda"))
    open_device(plan, texts("cuda"), constants)


def test_says_why_there_is_no_device(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_SM", "80")
    with pytest.raises(DeviceError, match="the kernels are for sm_90, Stand-in 90 is sm_80"):
        opened()
    monkeypatch.setenv("STAND_IN_NO_DEVICE", "1")
    with pytest.raises(DeviceError, match="no CUDA-capable device is detected"):
        opened()
    monkeypatch.setattr(cuda, "LIBRARY", "libnone.so")
    with pytest.raises(DeviceError, match=r"no driver for CUDA.*\n.*install NVIDIA's driver"):
        opened()


def test_says_what_the_compiler_refuses(driver: None) -> None:
    plan, _, constants = read_project(files("cuda"))
    with pytest.raises(DeviceError, match="NVRTC refuses the kernels for sm_90: line 1: no __global__"):
        open_device(plan, {"kernels.cu": "int x;"}, constants)


def test_says_where_there_is_no_compiler(driver: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter(()))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="neither NVRTC nor nvcc"):
        opened()


def nvcc() -> str | None:
    from shutil import which

    return which("nvcc")


@pytest.mark.skipif(nvcc() is None, reason="nvcc is not installed")
def test_nvcc_takes_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter(()))
    assert nvrtc.compile_cuda(texts("cuda")["kernels.cu"], "sm_90").startswith(b"\x7fELF")
    with pytest.raises(DeviceError, match="nvcc refuses the kernels for sm_90"):
        nvrtc.compile_cuda("__global__ void f() { nonsense(); }", "sm_90")

"""The program in C++: it builds, and computes what the graph says, where the language's own headers are here."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.gpu.host.program import program

from .projects import LANGUAGES, expected, files, samples
from .test_cuda import settings, stand_in

__all__ = ["stand_in"]
CUDA = Path(os.environ.get("CUDA_PATH", "/usr/local/cuda")) / "include"
FLAGS = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def laid_out(language: str, folder: Path) -> None:
    sources = {name.removeprefix("src/"): data for name, data in files(language).items()}
    for name, data in (sources | program(sources)).items():
        (folder / name).write_bytes(data)
    (folder / "x.bin").write_bytes(samples(1).tobytes())


def built(folder: Path, *more: str) -> None:
    command = ["g++", *FLAGS, "host.cpp", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def linked(driver: Path) -> list[str]:
    return [f"-I{CUDA}", f"-L{driver.parent}", "-l:libcuda.so.1", f"-Wl,-rpath,{driver.parent}", "-o", "host"]


def ran(folder: Path, *more: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["./host", *more], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def check(folder: Path, **environment: str) -> str:
    done = ran(folder, "x.bin", "y.bin", "--repeat", "2", **environment)
    assert done.returncode == 0, done.stderr
    y = np.frombuffer((folder / "y.bin").read_bytes(), np.int8).reshape(1, 64, 64)
    np.testing.assert_array_equal(y, expected(samples(1)))
    assert [line.split()[-1] for line in done.stdout.splitlines()[1:3]] == ["dense", "dense_bias"]
    return done.stdout


@compiler
@pytest.mark.skipif(not (CUDA / "cuda.h").is_file(), reason="CUDA's headers are not installed")
def test_cuda(stand_in: Path, tmp_path: Path) -> None:
    laid_out("cuda", tmp_path)
    built(tmp_path, *linked(stand_in))
    (tmp_path / "kernels.cubin").write_text("STAND-IN CODE")
    assert check(tmp_path, **settings()).startswith("product: Stand-in 90\n      250.00 us  product_kernel dense\n")


def library(name: str) -> bool:
    import ctypes.util

    return ctypes.util.find_library(name) is not None


@compiler
@pytest.mark.skipif(not Path("/usr/include/CL/cl.h").is_file() or not library("OpenCL"), reason="no OpenCL here")
def test_opencl(tmp_path: Path) -> None:
    laid_out("opencl", tmp_path)
    built(tmp_path, "-l:libOpenCL.so.1", "-o", "host")
    if "no device" in ran(tmp_path, "x.bin", "y.bin").stderr:
        pytest.skip("no device for OpenCL")
    check(tmp_path)


def wgpu() -> Path | None:
    found = find_spec("wgpu")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    return next((p for f in folders if (p := Path(f) / "resources") and (p / "webgpu.h").is_file()), None)


@compiler
@pytest.mark.skipif(wgpu() is None, reason="the package wgpu is not installed")
def test_webgpu(tmp_path: Path) -> None:
    laid_out("webgpu", tmp_path)
    where, own = wgpu(), "libwgpu_native-release.so"
    built(tmp_path, f"-I{where}", f"-L{where}", f"-l:{own}", f"-Wl,-rpath,{where}", "-o", "host")
    if "no device" in ran(tmp_path, "x.bin", "y.bin").stderr:
        pytest.skip("no device for WebGPU")
    check(tmp_path)


SCRIPT = """
import { Network } from "./network.mjs";
try {
    const network = await Network.open();
    const [y] = await network.run([new Int8Array((await Deno.readFile("x.bin")).buffer)]);
    await Deno.writeFile("y.bin", new Uint8Array(y.buffer));
    await network.run([new Int8Array(3)]);
} catch (error) {
    console.log(error.message);
}
Deno.exit(0);
"""


@pytest.mark.skipif(shutil.which("deno") is None, reason="deno is not installed")
def test_webgpu_in_scripts(tmp_path: Path) -> None:
    laid_out("webgpu", tmp_path)
    (tmp_path / "script.mjs").write_text(SCRIPT)
    command = ["deno", "run", "-A", "--unstable-webgpu", "script.mjs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    if "no device" in done.stdout:
        pytest.skip("no device for WebGPU")
    assert done.stdout == "input x has 4096 elements, got 3\n", done.stderr
    y = np.frombuffer((tmp_path / "y.bin").read_bytes(), np.int8).reshape(1, 64, 64)
    np.testing.assert_array_equal(y, expected(samples(1)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_the_files_that_it_takes(language: str) -> None:
    sources = {name.removeprefix("src/"): data for name, data in files(language).items()}
    made = program(sources)
    own = {"metal": {"host.mm"}, "webgpu": {"host.cpp", "network.mjs", "index.html"}}.get(language, {"host.cpp"})
    assert set(made) == {"plan.h", "host.h", "CMakeLists.txt"} | own
    assert "build/host x.bin y.bin" in made["CMakeLists.txt"].decode()
    assert '{"product_kernel"' not in made["plan.h"].decode()
    assert made["plan.h"].decode().count('"product_kernel", {16, 16, 1}') == 1


@compiler
@pytest.mark.skipif(not (CUDA / "cuda.h").is_file(), reason="CUDA's headers are not installed")
def test_says_what_is_wrong(stand_in: Path, tmp_path: Path) -> None:
    laid_out("cuda", tmp_path)
    built(tmp_path, *linked(stand_in))
    done = ran(tmp_path, "x.bin", **settings())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("usage: ./host [--folder DIR] [--repeat N] x.bin y.bin")
    assert ran(tmp_path, "x.bin", "y.bin", **settings()).stderr == "cannot open ./kernels.cubin\n"
    (tmp_path / "kernels.cubin").write_text("STAND-IN CODE")
    (tmp_path / "x.bin").write_bytes(b"1")
    assert ran(tmp_path, "x.bin", "y.bin", **settings()).stderr == "x.bin has 1 bytes, x takes 4096\n"
    assert "no CUDA-capable device" in ran(tmp_path, "x.bin", "y.bin", STAND_IN_NO_DEVICE="1", **settings()).stderr

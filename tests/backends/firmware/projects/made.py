"""Networks, completed for boards, that the tests here share; and what compiles their C."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gatewright.backends.firmware import complete, emit
from gatewright.backends.firmware.build import machine_in
from gatewright.backends.firmware.emit import read_description
from gatewright.backends.firmware.memory_map import MemoryMap
from gatewright.backends.firmware.projects import KINDS, Details, project_files
from gatewright.backends.firmware.selftest import selftest
from gatewright.backends.firmware.toolchain import toolchain
from gatewright.backends.project import Project
from gatewright.backends.zig import zig_path
from gatewright.boards import load
from gatewright.graph import Graph
from gatewright.simulation import input_ranges

from ...tvm.networks import digits, small_cnn

GCC = shutil.which("arm-none-eabi-gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="arm-none-eabi-gcc is not installed")
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
NETWORKS = {"digits": digits, "small_cnn": small_cnn}


@cache
def completed(network: str, board: str) -> Project:
    """A small network with everything for a board."""
    graph = NETWORKS[network]()
    return made(graph, board)


def made(graph: Graph, board: str) -> Project:
    return complete(emit(graph, load(board)), graph, input_ranges(graph), tuple(KINDS))


@cache
def written_c(network: str, board: str) -> Project:
    """The C of a small network and its self-test, and what a bare core needs: nothing is built."""
    graph = NETWORKS[network]()
    project = emit(graph, load(board))
    found = described(project)
    files = dict(project.files)
    files[f"src/{found['name']}_selftest.c"] = selftest(graph, files, found, input_ranges(graph))
    return Project({**files, **project_files(details(project), ("bare",))})


def details(project: Project) -> Details:
    found = described(project)
    return Details(found, MemoryMap.from_dict(found["memory"]), toolchain(machine_in(found)))


def described(project: Project) -> dict[str, Any]:
    return read_description(project.files)


def host_selftest(project: Project) -> tuple[int, str]:
    """Compile network and self-test for this machine and run them: the code, and the layer that it names."""
    name = described(project)["name"]
    with tempfile.TemporaryDirectory() as folder:
        for path, data in project.files.items():
            if path.startswith("src/"):
                (Path(folder) / Path(path).name).write_bytes(data)
        flags = ["-O1", "-std=c99", "-fPIC", "-shared", "-nostdlib", "-Wall", "-Wextra", "-Werror", "-pedantic"]
        units = [f"{name}.c", f"{name}_selftest.c"]
        subprocess.run([zig_path(), "cc", *flags, *units, "-o", "test.so"], cwd=folder, check=True)
        library = ctypes.CDLL(str(Path(folder) / "test.so"))
    code, layer_name = library[f"{name}_selftest"](), library[f"{name}_layer_name"]
    layer_name.restype = ctypes.c_char_p
    return code, layer_name(code - 1).decode()


def empty_home(folder: Path) -> dict[str, str]:
    """An environment whose home is empty, with zig's cache where it always is."""
    from gatewright.backends.zig import _zig_cache

    home = folder / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "ZIG_GLOBAL_CACHE_DIR": _zig_cache(), "no_proxy": "*"}


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def changed(project: Project, path: str, at: int, bits: int = 1) -> bytes:
    """A file of a project with one byte changed."""
    data = bytearray(project.files[path])
    data[at] ^= bits
    return bytes(data)

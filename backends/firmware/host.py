"""The same C on this machine: what an emulated core would take minutes for runs here in the blink of an eye."""

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import NDArray
from ..zig import BuildError, zig_path

FLAGS = (
    "-O1", "-mcpu=baseline", "-fno-vectorize", "-fno-slp-vectorize", "-std=c99", "-fPIC", "-shared", "-nostdlib",
    "-fno-sanitize=all", "-w",
)  # fmt: skip
"""Every machine runs the same instructions: checksums of what the C leaves in the arena go into images. (With AVX-512
clang 22 stores whole vectors of 64 bits, narrowed with saturation, where a row ends within one.)"""
FILLED = 0xAA
"""What the arena holds before a run: a network may not count on zeros."""


class Network:
    """The C of a project, compiled for this machine: its arena, its ports."""

    def __init__(self, files: Mapping[str, bytes], description: Mapping[str, Any]) -> None:
        name = description["name"]
        with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
            library = _compiled(files, name, Path(temporary))
        self._init, self._run, self._step = (library[f"{name}_{word}"] for word in ("init", "run", "step"))
        self._constants = library[f"{name}_constants"]
        self._constants.restype = ctypes.c_void_p
        size = max(description["arena_bytes"], 1)
        self._arena = np.frombuffer((ctypes.c_ubyte * size).in_dll(library, f"{name}_arena"), np.uint8)
        self._library, self._name = library, name
        self._inputs = [self._port(p) for p in description["inputs"]]
        self._outputs = [self._port(p) for p in description["outputs"]]
        self._remembers = sum(state["bytes"] for state in description["states"])
        self.begin()

    def _port(self, port: Mapping[str, Any]) -> NDArray:
        kind = np.dtype(port["type"])
        size = int(np.prod(port["shape"], dtype=np.int64)) * kind.itemsize
        found: NDArray = self._arena[port["offset"] : port["offset"] + size].view(kind).reshape(port["shape"])
        return found

    def begin(self) -> None:
        """Fill the arena, and set the states to what they begin with."""
        self._arena[:] = FILLED
        self._init()

    def save(self) -> bytes:
        """Take the states out."""
        kept = ctypes.create_string_buffer(self._remembers)
        self._library[f"{self._name}_save"](kept)
        return kept.raw

    def restore(self, kept: bytes) -> None:
        """Put states back that were taken out."""
        self._library[f"{self._name}_restore"](kept)

    def run(self, inputs: Sequence[NDArray]) -> tuple[list[NDArray], int]:
        """Run once on stored numbers [*shape] an input; give the outputs and the network's status."""
        if not self._remembers:
            self.begin()
        for port, values in zip(self._inputs, inputs, strict=True):
            port[...] = values
        status = int(self._run())
        return [port.copy() for port in self._outputs], status

    def trace(self, inputs: Sequence[NDArray], zones: Sequence[tuple[int, int]]) -> list[bytes]:
        """Run step by step; give what stands in a part of the arena, from byte to byte, after each step."""
        self.begin()
        for port, values in zip(self._inputs, inputs, strict=True):
            port[...] = values
        found = []
        for i, (begin, end) in enumerate(zones):
            self._step(i)
            found.append(self._arena[begin:end].tobytes())
        return found

    def constants(self) -> list[bytes]:
        """Give the arrays of constants, in the order in which steps use them first."""
        found: list[bytes] = []
        size = ctypes.c_int32()
        while start := self._constants(len(found), ctypes.byref(size)):
            found.append(ctypes.string_at(start, size.value))
        return found


def _compiled(files: Mapping[str, bytes], name: str, folder: Path) -> ctypes.CDLL:
    """Compile with ziglang's C compiler; functions of the C library are those of this process."""
    for path, data in files.items():
        if path.startswith("src/"):
            (folder / Path(path).name).write_bytes(data)
    command = [zig_path(), "cc", *FLAGS, f"{name}.c", "-o", "network.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"zig cc refused the firmware: {done.stderr.strip()[-600:]}", hint="please report this")
    return ctypes.CDLL(str(folder / "network.so"))

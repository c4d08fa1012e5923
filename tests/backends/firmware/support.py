"""The firmware's C on this machine: strictly compiled, every undefined behaviour caught, in guarded memory."""

import ctypes
import mmap
import os
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ziglang", reason="the firmware is compiled by ziglang")

from gatewright.backends.firmware.emit import includes
from gatewright.backends.firmware.share import shared
from gatewright.backends.firmware.source import sources
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.halves import fill, from_port, port_type
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.zig import zig_path
from gatewright.graph import Graph, Node
from gatewright.graph.evaluate.run import surface_shape

from ..cases.common import Trial

MACHINES = {
    "m0": Machine("thumbv6m-none-eabi", "cortex-m0plus", (), 0, packed=True),
    "m4": Machine("thumbv7em-none-eabihf", "cortex-m4", ("+dsp",), 0, packed=True),
    "m55": Machine("thumbv8.1m.main-none-eabihf", "cortex-m55", ("+dsp", "+mve.fp"), 0, packed=True),
    "rv32": Machine("riscv32-none-elf", "generic-rv32", ("+m", "+c"), 0, packed=True),
}
HANDLERS = Path(__file__).parent / "handlers.c"
FLAGS = (
    "-O1", "-g", "-fPIC", "-shared", "-nostdlib", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic",
    "-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-trap=undefined,float-cast-overflow",
)  # fmt: skip
GUARDED = """\
#include "{name}_weights.h"
#undef GW_ALIGNED
#define GUARDED __attribute__((section("guarded"), aligned(8)))
#define GW_ALIGNED(n) GUARDED
__attribute__((section("guarded"), aligned({page}))) unsigned char {name}_before[{page} + {gap}] = {{1}};
#include "{name}.c"
GUARDED unsigned char {name}_after[{page}] = {{1}};
"""
"""The arena between a page that nobody may touch and a gap before it, and such a page right behind it."""


class Library:
    """A network's C, compiled and loaded. The same C is compiled once, whatever machine it was written for."""

    def __init__(self, graph: Graph, machine: Machine, *, small: bool = False) -> None:
        self.graph = graph
        made = make_program(graph, machine)
        self.program = shared(made) if small else made
        self.name = library_name(graph)
        files = sources(self.program, self.name).files
        self._library = _compiled(files, self.name, max(self.program.arena, 1))
        self.run_once = self._library[f"{self.name}_run"]
        self.undefined = self._library.undefined_behaviour
        self.undefined.restype = ctypes.c_char_p
        self.blocks = {b.port: b for b in self.program.blocks if b.port}
        self._guard()

    def _guard(self) -> None:
        """Lock the pages around the arena; what is left between page and arena is watched."""
        page, size = mmap.PAGESIZE, max(self.program.arena, 1)
        before, arena, after = (
            ctypes.addressof(ctypes.c_ubyte.in_dll(self._library, f"{self.name}_{part}"))
            for part in ("before", "arena", "after")
        )
        protect = ctypes.CDLL(None).mprotect
        for start in (before, after):
            assert start % page == 0
            assert protect(ctypes.c_void_p(start), ctypes.c_size_t(page), 0) == 0
        memory = np.frombuffer((ctypes.c_ubyte * (after - before - page)).from_address(before + page), np.uint8)
        first = arena - before - page
        assert 0 <= first < page
        self.gaps = memory[:first], memory[first + size :]
        assert self.gaps[1].size < 8, "the guard does not stand right behind the arena"
        self.arena = memory[first : first + size]

    def port(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Give an input or output as an array."""
        begin = self.blocks[name].offset
        size = int(np.prod(shape)) * port_type(dtype).itemsize
        assert begin + size <= self.arena.size
        return self.arena[begin : begin + size].view(port_type(dtype)).reshape(shape)

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
        """Feed stored numbers [batch, *shape] in the source's layout; give those of the outputs, and each status."""
        batch, rng = len(inputs[0]), np.random.default_rng(0)
        graph = self.graph
        made = [np.zeros((batch, *surface_shape(n)), _given(n)) for n in graph.outputs]
        statuses = []
        for gap in self.gaps:
            gap[:] = 0xA5
        for k in range(batch):
            self.arena[:] = rng.integers(0, 256, self.arena.size, np.uint8)
            for i, (node, v) in enumerate(zip(graph.inputs, inputs, strict=True)):
                fill(self.port(f"in{i}", surface_shape(node), interface_type(node)), v[k], interface_type(node))
            statuses.append(int(self.run_once()))
            for i, (node, v) in enumerate(zip(graph.outputs, made, strict=True)):
                v[k] = from_port(self.port(f"out{i}", surface_shape(node), interface_type(node)), interface_type(node))
        assert all((gap == 0xA5).all() for gap in self.gaps), "written outside of the arena"
        file, line = ctypes.c_char_p(), ctypes.c_uint32()
        found = self.undefined(ctypes.byref(file), ctypes.byref(line))
        assert not found, f"undefined behaviour: {found.decode()} in {file.value!r}, line {line.value}"
        return made, statuses


def _given(node: Node) -> str:
    """Name numpy's type for the stored numbers of an output."""
    return interface_type(node) if node.type.is_integer else "float32"


COMPILED: dict[str, ctypes.CDLL] = {}


def _compiled(files: dict[str, bytes], name: str, arena: int) -> ctypes.CDLL:
    digest = sha256(repr(sorted(files.items())).encode()).hexdigest()
    if digest not in COMPILED:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for path, data in {**includes(), **files}.items():
                (folder / path).write_bytes(data)
            gap = -arena % mmap.PAGESIZE // 8 * 8
            text = GUARDED.format(name=name, page=mmap.PAGESIZE, gap=gap)
            (folder / "guarded.c").write_text(text)
            command = [zig_path(), "cc", *FLAGS, "guarded.c", str(HANDLERS), "-o", "network.so"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if kept := os.environ.get("GATEWRIGHT_KEEP"):
                (Path(kept) / f"{name}.c").write_bytes(files[f"{name}.c"])
            assert done.returncode == 0, done.stderr[-4000:]
            COMPILED[digest] = ctypes.CDLL(str(folder / "network.so"))
    return COMPILED[digest]


def prove(trial: Trial, machine: str, *, small: bool = False) -> Library:
    """Compile, run and compare a trial. ``small``: layers that differ only in numbers share a function."""
    library = Library(trial.graph, MACHINES[machine], small=small)
    got, statuses = library.run(trial.fed)
    assert not any(statuses), statuses
    wrong = trial.wrong(got)
    assert not wrong, f"{len(wrong)} of {len(got)} outputs differ:\n" + "\n".join(wrong[:20])
    return library

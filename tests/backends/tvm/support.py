"""Compile graphs for this machine, run them in guarded memory, and compare with ``evaluate``."""

import ctypes
import mmap
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.halves import from_port, port_type
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.loops.schedule import Tile
from gatewright.backends.tvm.build import build
from gatewright.graph import Graph
from gatewright.graph.evaluate.run import surface_shape

from ..cases.common import Trial, differences, in_memory, vectors

ARENA_FILL = 0xAA


def host() -> Machine:
    """What this machine is."""
    c = gatewright.boards()["host"].compiler
    assert c is not None
    return Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi)


def machines() -> dict[str, Machine]:
    """This machine, and those with fewer features whose code it runs too."""
    own = host()
    found = {"host": own, "scalars": replace(own, vector_bits=0)}
    if own.is_x86:
        found["v2"] = Machine("x86_64-linux-gnu", "x86-64-v2", (), 128)
        if own.cpu in ("x86-64-v3", "x86-64-v4"):
            found["v3"] = Machine("x86_64-linux-gnu", "x86-64-v3", (), 256)
    return found


MACHINES = machines()


class Guarded:
    """Memory between two pages that nobody may touch: it starts where the first ends, or ends where the second starts.

    Gaps up to the other page are zero, and stay so.
    """

    def __init__(self, size: int, *, at_end: bool) -> None:
        page = mmap.PAGESIZE
        length = max(-(-size // page), 1) * page
        self._memory = mmap.mmap(-1, length + 2 * page)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        library = ctypes.CDLL(None, use_errno=True)
        for start in (base, base + page + length):
            assert library.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(page), 0) == 0
        before = length - size if at_end else 0
        inside = np.frombuffer(self._memory, np.uint8, length, page)
        self.bytes = inside[before : before + size]
        self._gaps = inside[:before], inside[before + size :]
        self.address = base + page + before

    def untouched(self) -> bool:
        """Whether nothing was written into the gaps."""
        return not any(gap.any() for gap in self._gaps)


class Library:
    """A graph compiled for a machine, and loaded."""

    def __init__(self, graph: Graph, machine: Machine | None = None, tiles: Mapping[str, Tile] | None = None) -> None:
        self.graph = graph
        self.program = make_program(graph, machine or host(), tiles)
        name = library_name(graph)
        files = build(self.program, name).files
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"lib{name}.so"
            path.write_bytes(files[path.name])
            self._library = ctypes.CDLL(str(path))
        self._run = getattr(self._library, f"{name}_run_bound")
        self._run.argtypes = [ctypes.c_void_p]
        self._run.restype = ctypes.c_int

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
        """Feed stored numbers [batch, *shape] in the source's layout; give those of the outputs, and each status."""
        batch = len(inputs[0])
        pairs = zip(self.graph.inputs, inputs, strict=True)
        fed = [in_memory(v, interface_type(n)) for n, v in pairs]
        made = [np.zeros((batch, *surface_shape(n)), port_type(interface_type(n))) for n in self.graph.outputs]
        ports = [[Guarded(v[0].nbytes, at_end=end) for v in (*fed, *made)] for end in (True, False)]
        arena = Guarded(self.program.arena, at_end=True)
        statuses = []
        for k in range(batch):
            own = ports[k % 2]
            arena.bytes[:] = ARENA_FILL
            for port, v in zip(own, fed, strict=False):
                port.bytes[:] = v[k : k + 1].reshape(-1).view(np.uint8)
            addresses = [*(p.address for p in own), arena.address]
            pointers = (ctypes.c_void_p * len(addresses))(*addresses)
            statuses.append(self._run(ctypes.addressof(pointers)))
            for port, v in zip(own[len(fed) :], made, strict=True):
                v[k : k + 1].reshape(-1).view(np.uint8)[:] = port.bytes
            for port, v in zip(own, fed, strict=False):
                assert np.array_equal(port.bytes, v[k : k + 1].reshape(-1).view(np.uint8)), "an input was written"
        assert all(p.untouched() for p in (*ports[0], *ports[1], arena)), "written outside of a tensor"
        return [from_port(v, interface_type(n)) for v, n in zip(made, self.graph.outputs, strict=True)], statuses


def check(
    graph: Graph, machine: Machine | str | None = None, *, inputs: Sequence[np.ndarray] | None = None, count: int = 8,
    seed: int = 0, each: bool = False, tiles: Mapping[str, Tile] | None = None,
) -> Library:
    """Compile, run and compare; ``inputs`` in the source's layout, drawn where they are not given.

    ``each``: real numbers are compared one by one, not as parts of a tensor; ``tiles``: by the description of a layer.
    """
    library = Library(graph, MACHINES[machine] if isinstance(machine, str) else machine, tiles)
    fed = list(inputs) if inputs is not None else vectors(graph, count, seed)
    got, statuses = library.run(fed)
    assert not any(statuses), statuses
    wrong = differences(graph, fed, got, each=each)
    assert not wrong, f"{len(wrong)} of {len(got)} outputs differ:\n" + "\n".join(wrong[:20])
    return library


def prove(trial: Trial, machine: str) -> None:
    """Compile, run and compare a trial."""
    check(trial.graph, machine, inputs=trial.inputs, count=trial.count, each=trial.each)

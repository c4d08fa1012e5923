"""Running a compiled library: on this machine, with buffers that are made once."""

import ctypes
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...boards import Board
from ...graph import FileError, GatewrightError, Graph, NDArray, OptionError
from ..loops.halves import fill, from_port
from ..loops.layout import interface_type
from ..loops.machine import Machine
from ..loops.verify import run_each
from ..loops.verify import verify as compare
from .emit import FILE, emit, not_here
from .memory import aligned
from .objects import check_whole, read
from .qemu import EmulatedNetwork, EmulatorError, command_for
from .targets import platform


class Network:
    """A library with memory for one call at a time: ``inputs``, ``outputs`` are arrays in the layout of the source
    model that ``run`` reads and writes. With ``threads`` above 1 large layers are shared by the threads of TVM's
    runtime, whose number the first network of a process decides. Raises OptionError where TVM is not installed.
    """

    def __init__(self, library: Path, threads: int = 1) -> None:
        description = _described((library.parent.parent / FILE).read_bytes())
        self._library = _loaded(library, description)
        self.inputs = [aligned(p["shape"], p["type"]) for p in description["inputs"]]
        self.outputs = [aligned(p["shape"], p["type"]) for p in description["outputs"]]
        self._arena = aligned([max(description["arena_bytes"], 1)], "uint8")
        name = description["name"]
        self._init = self._library[f"{name}_init"] if description["states"] else None
        self.reset()
        pointers = [a.ctypes.data for a in (*self.inputs, *self.outputs, self._arena)]
        if threads > 1:
            pool = ctypes.cast(self._library[f"{name}_parallel_for_tvm"], ctypes.c_void_p).value
            pointers += [int(pool or 0), _launch(threads)]
        self._pointers = (ctypes.c_void_p * len(pointers))(*pointers)
        run = self._library[f"{name}_run_bound_parallel" if threads > 1 else f"{name}_run_bound"]
        run.argtypes = [ctypes.c_void_p]
        self.run: Callable[[], int] = partial(run, ctypes.addressof(self._pointers))
        """Run once on what stands in ``inputs``; gives the network's status, 0 where nothing was wrong."""


    def reset(self) -> None:
        """Let the network begin anew, with its initial states."""
        if self._init is not None:
            self._init(ctypes.c_void_p(self._arena.ctypes.data))


def _launch(threads: int) -> int:
    """Give the address of the function of TVM's runtime that runs a task on its threads."""
    found = find_spec("tvm")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    library = next((p for f in folders for p in Path(f, "lib").glob("libtvm_runtime.*")), None)
    if library is None:
        raise OptionError("threads need TVM's runtime", hint="pip install 'gatewright[tvm]'")
    os.environ.setdefault("TVM_NUM_THREADS", str(threads))
    return int(ctypes.cast(ctypes.CDLL(str(library)).TVMBackendParallelLaunch, ctypes.c_void_p).value or 0)


def read_description(project: Mapping[str, bytes]) -> dict[str, Any]:
    """Read what a project says of its library. Raises FileError."""
    if FILE not in project:
        raise FileError("is not there", where=FILE, hint="compile again")
    return _described(project[FILE])


def _described(text: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
        machine_in(found)
        _ = found["name"], found["arena_bytes"], found["states"]
        _ = [(p["shape"], p["type"]) for p in found["inputs"] + found["outputs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"damaged: {error!r}", where=FILE, hint="compile again") from None
    return found


def machine_in(description: Mapping[str, Any]) -> Machine:
    """Give the machine that a library is compiled for, from the project's description."""
    features, abi = tuple(description["features"]), description.get("abi", "")
    return Machine(description["triple"], description["cpu"], features, description["vector_bits"], abi)


def _loaded(library: Path, description: Mapping[str, Any]) -> ctypes.CDLL:
    """Load a library, unless its instructions would end the process."""
    if (reason := not_here(machine_in(description))) is not None:
        raise GatewrightError(reason, where=library.name, hint="compile with --board host, or run it there")
    _check_machine(library, machine_in(description))
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        why = str(error).removeprefix(f"{library}: ")
        raise FileError(f"cannot be loaded: {why}", where=library.name, hint="compile again") from None


def _check_machine(library: Path, machine: Machine) -> None:
    """Raise FileError for a library that is damaged, or another machine's than its description says."""
    data = library.read_bytes()
    check_whole(data, library.name)
    made, said = read(data, library.name).machine, platform(machine.triple).machine
    if made != said:
        raise FileError(f"is for {made}, {FILE} says {said}", where=library.name, hint="compile again")


class Simulation:
    """The library of a project, run on arrays of vectors; that of another processor under qemu, where there is one."""

    def __init__(self, graph: Graph, project: Mapping[str, bytes]) -> None:
        self.graph, self.project = graph, project

    @cached_property
    def machine(self) -> Machine:
        """What the library is for."""
        return machine_in(read_description(self.project))

    @cached_property
    def command(self) -> tuple[str, ...] | None:
        """The command of qemu under which it runs; None for one that runs here by itself, or not at all."""
        return command_for(self.machine) if not_here(self.machine) is not None else None

    @cached_property
    def engine(self) -> str:
        """Name what runs, for reports."""
        return f"compiled library under {self.command[0]}" if self.command else "compiled library"

    @cached_property
    def network(self) -> "Network | EmulatedNetwork":
        """The loaded library."""
        if self.command is not None:
            return EmulatedNetwork(self.project, read_description(self.project), self.machine)
        return self.loaded()

    def loaded(self, threads: int = 1) -> Network:
        """Load the library once more into this process, with memory of its own."""
        name = next((n for n in self.project if n.startswith("lib/") and n.endswith((".so", ".dylib"))), None)
        if name is None:
            raise FileError("the project has no shared library", hint="compile again")
        read_description(self.project)
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:  # once loaded, the file is not needed
            for file in (name, FILE):
                target = Path(folder) / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.project[file])
            return Network(Path(folder) / name, threads)

    def reset(self) -> None:
        """Let the network begin anew, with its initial states."""
        self.network.reset()

    def run(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Run on stored integers (or float32) [count, *shape] an input, in the graph's own layout; give the outputs.
        A network with states begins anew.
        """
        self.reset()
        return self.step(vectors)

    def step(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Do the same, going on where the last run stopped."""
        network = self.network

        def once(given: Sequence[NDArray]) -> tuple[Sequence[NDArray], int]:
            for held, values, node in zip(network.inputs, given, self.graph.inputs, strict=True):
                fill(held, values, interface_type(node))
            status, ports = network.run(), zip(network.outputs, self.graph.outputs, strict=True)
            return [from_port(held, interface_type(node)) for held, node in ports], status

        return run_each(self.graph, vectors, once)


def verify(
    graph: Graph, simulation: Simulation, vectors: Sequence[NDArray], board: Board | None = None
) -> dict[str, Any]:
    """Compare the library with the graph, as ``loops.verify.verify`` does. What the emulator cannot run is skipped."""
    again = None if board is None else lambda own: Simulation(own, emit(own, board).files)
    try:
        return compare(graph, simulation, vectors, again)
    except EmulatorError as error:
        return {
            "status": "skipped", "engine": simulation.engine, "vectors": 0, "mismatches": 0, "first_mismatch": None,
            "reason": f"{error.what}: {error.hint}",
        }  # fmt: skip

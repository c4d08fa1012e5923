"""C simulation: projects compiled to a shared library, run on stored integers. No double stands between."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...graph import GatewrightError, Graph, NDArray, Node, ShapeError
from ..project import Project
from .bridge import simulation_source
from .compiler import CompileError, compile_library
from .description import Description, Port, read
from .kernel import from_carried, to_carried

HERE = Path(__file__).parent
LEAN = HERE / "include"
TIMEOUT = 1800.0
TOO_WIDE = "vendor's ap_types headers"
"""What the lean headers say where a type is beyond them."""


class SimulationError(GatewrightError):
    """The C simulation aborted, hung or cannot be run."""


@dataclass(frozen=True)
class Library:
    """Compiled projects: the folder in the cache, the fixed-point headers that were used."""

    folder: Path
    types: str

    def run(
        self, index: int, weights: str, data: NDArray, sizes: tuple[int, int], timeout: float
    ) -> tuple[NDArray, NDArray]:
        """Run one project on int64 [vectors, inputs]; give outputs and trace, [vectors, size] each. In a process of
        its own.
        """
        count = len(data)
        with tempfile.TemporaryDirectory(prefix="gatewright-run-") as folder:
            source, target = Path(folder) / "in", Path(folder) / "out"
            source.write_bytes(np.ascontiguousarray(data, "<i8").tobytes())
            arguments = [self.folder / "library.so", index, self.folder / weights, count, *sizes, source, target]
            command = [sys.executable, "-I", "-S", str(HERE / "worker.py"), *map(str, arguments)]
            _call(command, folder, timeout)
            found = np.frombuffer(target.read_bytes(), "<i8").astype(np.int64)
        out, trace = found[: count * sizes[0]], found[count * sizes[0] :]
        return out.reshape(count, sizes[0]), trace.reshape(count, sizes[1])


def _call(command: list[str], folder: str, timeout: float) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise SimulationError(f"the C simulation ran for over {timeout:.0f} s", hint="fewer vectors") from None
    except OSError as error:
        raise SimulationError(f"the C simulation does not start: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise SimulationError(f"the C simulation ended with status {done.returncode}: {said}")


def compile_projects(projects: Sequence[Mapping[str, bytes]]) -> Library:
    """Compile projects (their files) into one library; all but the first must be in namespaces of their own.

    The lean headers are used unless a project asks for the vendor's or has numbers that are too wide for them.
    """
    described = [read(files) for files in projects]
    lean = all(d.types == "lean" for d in described) and LEAN.is_dir()
    try:
        return _compile(projects, described, "lean" if lean else "vendor")
    except CompileError as error:
        if not lean or TOO_WIDE not in str(error):  # any other error would be a fault of ours, not to be hidden
            raise
        return _compile(projects, described, "vendor")


def _compile(projects: Sequence[Mapping[str, bytes]], described: Sequence[Description], types: str) -> Library:
    folders = [f"p{i}" for i in range(len(projects))]
    files: dict[str, bytes] = {"gw_port.h": (HERE / "templates" / "gw_port.h").read_bytes()}
    for folder, project in zip(folders, projects, strict=True):
        files |= {f"{folder}/{path}": data for path, data in project.items() if _needed(path, types, folder == "p0")}
    if types == "lean":
        files |= {f"lean/{p.relative_to(LEAN).as_posix()}": p.read_bytes() for p in sorted(LEAN.rglob("*.h"))}
    guards = [_guards(project) for project in projects]
    files["main.cpp"] = simulation_source(list(zip(folders, described, strict=True)), guards).encode()
    include = "lean" if types == "lean" else "p0/firmware/ap_types"
    return Library(compile_library(files, "main.cpp", (include, ".")), types)


def _needed(path: str, types: str, first: bool) -> bool:
    if path.startswith("firmware/ap_types/"):
        return types == "vendor" and first
    return path.startswith("firmware/")


def _guards(project: Mapping[str, bytes]) -> list[str]:
    """Find the include guards of the headers that are the network's own."""
    own = [p for p in project if re.fullmatch(r"firmware/([^/]+|weights/[^/]+)\.h", p)]
    own.append("firmware/nnet_utils/nnet_code_gen.h")
    found = (re.search(rb"#ifndef (\w+)\s+#define \1\s", project[p]) for p in own if p in project)
    return [m.group(1).decode() for m in found if m and m.group(1) != b"__SYNTHESIS__"]


class Simulation:
    """The compiled C simulation of a project: ``run`` gives its outputs, ``trace`` also every tensor inside.

    ``project``: a Project, its files, or the directory that it was written to. Compiled at the first run.
    """

    def __init__(
        self,
        graph: Graph,
        project: "Project | Mapping[str, bytes] | Path",
        *,
        library: Library | None = None,
        index: int = 0,
    ) -> None:
        if isinstance(project, Path):
            project = Project.read(project)
        self.graph = graph
        self.files = project.files if isinstance(project, Project) else project
        self.description = read(self.files)
        self.index = index
        self.timeout = TIMEOUT
        self._given = library
        nodes = len(graph.nodes)
        if any(
            p.node >= nodes for p in (*self.description.inputs, *self.description.outputs, *self.description.traced)
        ):
            raise SimulationError("the project is not one of this graph")

    @cached_property
    def library(self) -> Library:
        """The compiled library."""
        return self._given or compile_projects([self.files])

    @property
    def engine(self) -> str:
        """What runs, for reports: the same on every machine, so not the compiler."""
        return f"C simulation ({self.library.types} fixed-point types)"

    def run(self, inputs: Sequence[NDArray]) -> list[NDArray]:
        """Stored integers [vectors, *shape] an input, in the graph's layout -> stored integers [vectors, *shape] an
        output.
        """
        return self._call(inputs, traced=False)[0]

    def trace(self, inputs: Sequence[NDArray]) -> tuple[list[NDArray], list[tuple[Port, NDArray]]]:
        """Give the outputs, and in order of execution each tensor inside as carried integers [vectors, size]."""
        return self._call(inputs, traced=True)

    def _call(self, inputs: Sequence[NDArray], *, traced: bool) -> tuple[list[NDArray], list[tuple[Port, NDArray]]]:
        data = self._gathered(inputs)
        ports = self.description.traced if traced else ()
        sizes = (sum(p.size for p in self.description.outputs), sum(p.size for p in ports))
        out, trace = self.library.run(self.index, f"p{self.index}/firmware/weights", data, sizes, self.timeout)
        split = _split(out, self.description.outputs)
        return [_stored(n, v) for n, v in zip(self.graph.outputs, split, strict=True)], list(
            zip(ports, _split(trace, ports), strict=True)
        )

    def _gathered(self, inputs: Sequence[NDArray]) -> NDArray:
        if len(inputs) != len(self.graph.inputs):
            raise ShapeError(f"the network has {len(self.graph.inputs)} inputs, got {len(inputs)}")
        flat = []
        for node, values in zip(self.graph.inputs, inputs, strict=True):
            values = np.asarray(values)
            if values.shape[1:] != node.shape or values.dtype.kind not in "iu" or len(values) != len(inputs[0]):
                raise ShapeError(
                    f"an input of {values.shape} {values.dtype} for {node.shape} integers", where=node.where
                )
            flat.append(to_carried(node.type, values.astype(np.int64)).reshape(len(values), -1))
        return np.concatenate(flat, axis=1)


def _split(values: NDArray, ports: Sequence[Port]) -> list[NDArray]:
    if not ports:
        return []
    return np.split(values, np.cumsum([p.size for p in ports])[:-1], axis=1)


def _stored(node: Node, carried: NDArray) -> NDArray:
    return from_carried(node.type, carried.reshape(len(carried), *node.shape))

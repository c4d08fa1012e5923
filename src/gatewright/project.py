"""What compiling gives: a project in memory, or an output directory that is opened again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .boards import Board
from .boards import load as load_board
from .graph import Graph, Inputs, NDArray, Node, OptionError, Outputs, ShapeError, Stream, evaluate
from .graph.evaluate import run_streams, several
from .graph.file import load as load_graph
from .graph.file import to_bytes
from .lowering import Seen
from .manifest import build_manifest
from .output import check_unchanged, manifest_files, read_manifest, read_project, sha256, write_directory
from .simulation import make_vectors
from .targets import GPUS, TARGETS, TVM, back_end

if TYPE_CHECKING:
    from .backends.loops.machine import Machine
    from .backends.loops.schedule import Tiles
    from .backends.tvm.simulation import Network

Progress = Callable[[str], None]
SKIPPED: dict[str, Any] = {
    "status": "skipped", "engine": "none", "vectors": 0, "mismatches": 0, "first_mismatch": None,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Project:
    """A compiled model: ``graph`` is the integer graph, ``artefact`` the files of the target's project (path ->
    content).

    ``files`` is the whole output directory in memory, ``manifest`` what it says of itself.
    """

    graph: Graph
    board: Board
    target: str
    artefact: Mapping[str, bytes]
    created_from: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[Node, Seen] = field(default_factory=dict)
    verification: Mapping[str, Any] = field(default_factory=lambda: SKIPPED)
    notes: Sequence[str] = ()
    vectors: Sequence[NDArray] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Run the compiled artefact (its C simulation) on samples, batch first, in the layout of the source model; a
        target without one runs the graph. A network with states begins anew, as ``evaluate`` does.
        """
        if not self.artefact:
            return evaluate(self.graph, x, integers=integers)
        return run_streams(self.graph, x, self.simulation.run, integers=integers)

    @cached_property
    def simulation(self) -> Any:
        """What runs the artefact: the back end's ``Simulation``."""
        return back_end(self.target).Simulation(self.graph, self.artefact)

    def verify(self, x: Inputs | None = None, *, vectors: int = 512) -> dict[str, Any]:
        """Compare the artefact with the graph, integer by integer, on ``x`` (real values) or on test vectors; gives the
        manifest's entry.
        """
        if not self.artefact:
            return dict(self.verification)
        if vectors < 1:
            raise OptionError(f"vectors = {vectors}", hint="1 or more")
        given = Stream(self.graph).feed(x) if x is not None else list(self.vectors)
        chosen = given or make_vectors(self.graph, vectors)
        if self.target in TARGETS.values():
            found: dict[str, Any] = back_end(self.target).verify(self.graph, self.simulation, chosen, self.board)
            return found
        from .backends.hls4ml import verify

        result: dict[str, Any] = verify(self.graph, self.simulation, chosen).as_dict()
        return result

    def network(self, threads: int = 1) -> "Network":
        """Load the compiled library with arrays for its inputs and outputs: what takes least time to call. For a
        graphics processor its kernels, on the device or emulated.

        With ``threads`` above 1 large layers are shared. Raises OptionError where the target has no library.
        """
        if self.target != TVM and self.target not in GPUS.values():
            raise OptionError(f"a project for {self.target} has no library", hint="compile for a board of kind cpu")
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise OptionError(f"threads = {threads!r}", hint="1 or more")
        found: Network = self.simulation.loaded(threads)
        return found

    @cached_property
    def content(self) -> dict[str, bytes]:
        """Everything but the manifest, by path."""
        return {**to_bytes(self.graph), **{f"project/{name}": data for name, data in self.artefact.items()}}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What ``manifest.json`` holds."""
        return build_manifest(
            self.graph,
            created_from=self.created_from,
            board=self.board.name,
            target=self.target,
            options=self.options,
            seen=self.seen,
            verification=self.verification,
            notes=list(dict.fromkeys((*self.graph.notes, *self.notes))),
            cost=self.cost,
            hashes={name: sha256(data) for name, data in self.content.items()},
        )

    @property
    def files(self) -> dict[str, bytes]:
        """The output directory: path -> content."""
        return {**self.content, **manifest_files(self.manifest)}

    def write(self, directory: str | Path, *, force: bool = False) -> None:
        """Write the output directory, all or nothing. Raises FileError where something of the user's would be lost."""
        write_directory(Path(directory), self.files, force=force)


@dataclass(frozen=True, eq=False)
class Module:
    """An output directory, opened: call it on samples to run the compiled artefact (C simulation)."""

    graph: Graph
    manifest: Mapping[str, Any]
    artefact: Mapping[str, bytes]

    def __call__(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Run the artefact on samples, batch first, in the layout of the source model; where there is none, the graph.

        ``x`` and the result are as in ``evaluate``. A network with states goes on where the call before it stopped:
        a module is one stream, [steps, *shape]. ``reset`` begins anew.
        """
        if not self.graph.states:
            return self.predict(x, integers=integers)
        if several(self.graph, x):
            (fed, *_), streams = Stream(self.graph).streams(x, integers=integers)
            what = f"{streams} streams of {fed.shape[1]} steps; a module is one stream"
            raise ShapeError(what, hint="[steps, *shape] is one; predict takes several, each from the initial state")
        if not self.artefact:
            return self._stream(x, integers=integers)
        return run_streams(self.graph, x, self.simulation.step, integers=integers)

    def predict(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Run the artefact from the initial state, as ``Project.predict``; of several streams, each."""
        return self._project.predict(x, integers=integers)

    def reset(self) -> None:
        """Begin anew, with the initial states."""
        self._stream.reset()
        if self.graph.states and self.artefact:
            self.simulation.reset()

    @property
    def simulation(self) -> Any:
        """What runs the artefact: the back end's ``Simulation``."""
        return self._project.simulation

    @cached_property
    def _stream(self) -> Stream:
        return Stream(self.graph)

    def network(self, threads: int = 1) -> "Network":
        """Load the compiled library with arrays for its inputs and outputs, as ``Project.network``."""
        return self._project.network(threads)

    @property
    def machine(self) -> "Machine":
        """The processor that the library is compiled for. Raises FileError where the description is damaged."""
        from .backends.tvm.simulation import machine_in, read_description

        return machine_in(read_description(self.artefact))

    @property
    def tiles(self) -> "Tiles":
        """What the library was tuned to, {} where it was not. Raises FileError where the description is damaged."""
        from .backends.tvm.emit import TUNING
        from .backends.tvm.tuning import read_tuning

        return read_tuning(self.artefact[TUNING]).tiles if TUNING in self.artefact else {}

    def verify(self, x: Inputs | None = None, *, vectors: int | None = None) -> dict[str, Any]:
        """Compare the artefact with the graph again, as ``Project.verify`` does; on as many vectors as it was verified
        on when it was compiled.
        """
        before = self.manifest["verification"].get("vectors") or 512
        return self._project.verify(x, vectors=before if vectors is None else vectors)

    @cached_property
    def _project(self) -> Project:
        return Project(self.graph, load_board("host"), self.manifest["target"], self.artefact, {})


def open_module(directory: str | Path, *, force: bool = False) -> Module:
    """Open an output directory.

    Raises FileError where it is not one, is damaged, or (unless ``force``) has files that are not what its manifest
    says.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    if not force:
        check_unchanged(path, manifest)
    return Module(load_graph(path), manifest, read_project(path, manifest))

"""Tune: search how a compiled library is computed by measuring it, here or on a device."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .boards import Board
from .boards import load as load_board
from .compiling import tuned_options, usual_vectors
from .graph import FileError, GatewrightError, Graph, OptionError
from .output import check_replaceable, manifest_files, read_manifest, sha256, write_directory
from .processors import library_cost
from .project import Progress, Project, open_module
from .simulation import make_vectors
from .targets import TVM

if TYPE_CHECKING:
    from .backends.loops.machine import Machine
    from .backends.tvm.rpc import Remote
    from .backends.tvm.tuning import Tuning

TRIALS, MOST_TRIALS = 300, 1_000_000
DEVICE_VECTORS = 64
"""The most vectors that a library is verified on where each goes through a network."""


@dataclass(frozen=True, eq=False)
class Tuned:
    """What ``tune`` gives: the ``project``, compiled again where that made it faster (``changed``), and the ``tuning``,
    which ``compile`` takes too.
    """

    project: Project
    tuning: "Tuning"
    changed: bool

    def as_dict(self) -> dict[str, Any]:
        """Give what was found as JSON has it."""
        found = self.tuning.as_dict()
        del found["schema"]
        return {**found, "changed": self.changed, "verification": dict(self.project.verification)}


def tune(
    project: str | Path | Project,
    *,
    trials: int = TRIALS,
    device: "Remote | None" = None,
    journal: str | Path | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Progress = lambda text: None,
) -> Tuned:
    """Search the tiles of a library's layers by measuring ``trials`` of them, and compile it again with the best.

    ``project``: an output directory, which is replaced, all or nothing, or a Project. ``device``: where it is measured
    (``gatewright.backends.tvm.rpc.connect``), else on this machine. ``journal``: the file that keeps every trial
    (of a directory DIR: DIR.tuning.jsonl); a search that was stopped goes on from it. ``force``: tune a directory
    although files were changed. What is not faster outside of noise stays as the formula says, and what was compiled is
    compared with the graph again.
    Raises OptionError for what cannot be tuned or measured, FileError, MeasuringError where the network itself cannot
    be run, DeviceError, BuildError.
    """
    if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= MOST_TRIALS:
        raise OptionError(f"trials = {trials!r}", hint=f"1 to {MOST_TRIALS:,}")
    if isinstance(project, Project):
        return _of_project(project, trials, device, _file(journal, None), seed, progress)
    return _of_directory(Path(project), trials, device, _file(journal, Path(project)), seed, force, progress)


def _file(journal: str | Path | None, directory: Path | None) -> Path | None:
    """Give the journal's file. Raises FileError where it cannot be written."""
    if journal is None and directory is not None:
        full = directory.absolute()
        journal = full.parent / f"{full.name}.tuning.jsonl"
    if journal is not None and (Path(journal).is_dir() or not Path(journal).absolute().parent.is_dir()):
        raise FileError("no file can be written there", where=str(journal), hint="--journal FILE")
    return None if journal is None else Path(journal)


def _of_project(
    project: Project, trials: int, device: "Remote | None", journal: Path | None, seed: int, progress: Progress
) -> Tuned:
    if project.target != TVM:
        raise OptionError(f"a project for {project.target} has nothing that is tuned", hint="compile for a processor")
    from .backends.tvm import machine_of

    machine = machine_of(project.board)
    tuning = _search(project.graph, machine, project.artefact, trials, device, journal, seed, progress)
    done = _again(project, machine, tuning, device, progress)
    return Tuned(done or project, tuning, done is not None)


def _of_directory(
    directory: Path, trials: int, device: "Remote | None", journal: Path | None, seed: int, force: bool,
    progress: Progress,
) -> Tuned:  # fmt: skip
    check_replaceable(directory, force=force)
    manifest = read_manifest(directory)
    if manifest["target"] != TVM:
        what = f"a project for {manifest['target']} has nothing that is tuned"
        raise OptionError(what, where=str(directory), hint="compile for a board of kind cpu")
    module = open_module(directory, force=force)
    project = Project(
        module.graph, _board(manifest["board"], module.machine), TVM, module.artefact, manifest["created_from"],
        manifest["options"], verification=manifest["verification"], cost=manifest["cost"],
    )  # fmt: skip
    tuning = _search(module.graph, module.machine, module.artefact, trials, device, journal, seed, progress)
    done = _again(project, module.machine, tuning, device, progress)
    if done is None:
        return Tuned(project, tuning, False)
    progress("writing the directory")
    if read_manifest(directory) != manifest:
        raise FileError("was compiled again meanwhile", where=str(directory), hint="tune again: the trials are kept")
    _write(directory, done, manifest, force)
    return Tuned(done, tuning, True)


def _board(name: str, machine: "Machine") -> Board:
    """Give the board that a directory was compiled for; where its file is not known here, what its machine says."""
    from .backends.tvm import machine_of

    try:
        found = load_board(name)
        if found.compiler is not None and machine_of(found) == machine:
            return found
    except GatewrightError:
        pass
    return replace(load_board("host"), name=name, compiler=None)


def _write(directory: Path, done: Project, manifest: Mapping[str, Any], force: bool) -> None:
    """Replace an output directory; of its manifest only what tuning changes is new."""
    content = done.content
    files = [{"path": path, "sha256": sha256(content[path])} for path in sorted(content)]
    changed = {"options": done.options, "verification": done.verification, "cost": done.cost}
    new = {**manifest, **{name: dict(value) for name, value in changed.items()}, "files": files}
    write_directory(directory, {**content, **manifest_files(new)}, force=force)


def _told(tuning: "Tuning") -> dict[str, Any]:
    return tuned_options(tuning) if tuning.layers else {}


def _search(
    graph: Graph, machine: "Machine", artefact: Mapping[str, bytes], trials: int, device: "Remote | None",
    journal: Path | None, seed: int, progress: Progress,
) -> "Tuning":  # fmt: skip
    from .backends.tvm import not_here
    from .backends.tvm.emit import available, check_tvm

    if not available():
        raise OptionError("TVM is not installed", hint="pip install 'gatewright[tvm]'")
    check_tvm()
    if device is None and (reason := not_here(machine)) is not None:
        raise OptionError(f"cannot be measured: {reason}", hint="--rpc HOST:PORT measures on a device")
    from .backends.tvm.tuning import tune as search

    known = _known(artefact)
    tiles = known.tiles if known is not None and known.machine == machine else {}
    return search(
        graph, machine, trials=trials, device=device, journal=journal, known=tiles, seed=seed, say=progress
    )  # fmt: skip


def _known(artefact: Mapping[str, bytes]) -> "Tuning | None":
    """Give what a project was tuned to before."""
    from .backends.tvm.emit import TUNING
    from .backends.tvm.tuning import read_tuning

    return read_tuning(artefact[TUNING]) if TUNING in artefact else None


def _again(
    project: Project, machine: "Machine", tuning: "Tuning", device: "Remote | None", progress: Progress
) -> Project | None:
    """Compile with a tuning and compare with the graph; None where the project has these tiles already.

    Raises GatewrightError where it does not compute what the graph says.
    """
    graph, known = project.graph, _known(project.artefact)
    if tuning.tiles == (known.tiles if known is not None else {}):
        return None
    from .backends.tvm.build import FORMS
    from .backends.tvm.emit import emit_program, program_for

    progress("compiling the library")
    given = tuning if tuning.layers else None
    program = program_for(graph, machine, given)
    forms = [form for form in FORMS if f"src/kernels.{FORMS[form][1]}" in project.artefact]
    files = emit_program(graph, program, given, forms).files
    cost = library_cost(graph, project.board, program, files) if project.board.compiler is not None else {}
    options = {**{k: v for k, v in project.options.items() if k != "tuning"}, **_told(tuning)}
    verification = _verified(project, files, device, progress)
    return replace(project, artefact=files, options=options, verification=verification, cost=cost)


def _verified(
    project: Project, files: Mapping[str, bytes], device: "Remote | None", progress: Progress
) -> dict[str, Any]:
    """Compare a library with the graph, here or on the device that it was tuned on."""
    from .backends.tvm import Simulation, verify

    progress("comparing the library with the graph")
    count = project.verification["vectors"] or usual_vectors(project.graph, load_board("host"))
    if device is None:
        simulation = Simulation(project.graph, files)
    else:
        from .backends.tvm.rpc import OnDevice

        simulation, count = OnDevice(project.graph, files, device), min(count, DEVICE_VECTORS)
    found = verify(project.graph, simulation, make_vectors(project.graph, count))
    if found["status"] == "failed":
        what = f"the tuned library differs from the graph: {found['first_mismatch']}; nothing was written"
        raise GatewrightError(what, hint="please report this with the model")
    return found


def device_of(rpc: str | None, tracker: str | None, key: str | None, progress: Progress) -> "Remote | None":
    """Connect to the device that the options name; None where they name none.

    Raises OptionError for options that contradict each other, DeviceError where nothing answers.
    """
    if rpc is None and tracker is None and key is None:
        return None
    from .backends.tvm.emit import available, check_tvm

    if not available():
        raise OptionError("TVM, which talks to devices, is not installed", hint="pip install 'gatewright[tvm]'")
    check_tvm()
    from .backends.tvm.rpc import find_device

    progress("connecting to the device")
    return find_device(rpc, tracker, key)

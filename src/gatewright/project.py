"""Compile: model in, project out. The files are in memory until ``write``."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .boards import Board
from .boards import load as load_board
from .frontend import load
from .graph import (
    FileError,
    GatewrightError,
    Graph,
    Inputs,
    ManyErrors,
    NDArray,
    Node,
    OptionError,
    Outputs,
    evaluate,
    unknown,
)
from .graph.evaluate import feed, give
from .graph.file import archive, npy, to_bytes
from .graph.file import load as load_graph
from .graph.ops import Output
from .lowering import Config, Precision, Seen, lower, make_config, observe
from .manifest import build_manifest
from .output import MANIFEST, read_manifest, read_project, sha256, write_directory
from .simulation import make_vectors

Progress = Callable[[str], None]
SKIPPED: dict[str, Any] = {"status": "skipped", "vectors": 0, "mismatches": 0, "first_mismatch": None}


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
    verification: Mapping[str, Any] = field(default_factory=lambda: {**SKIPPED, "engine": "none"})
    notes: Sequence[str] = ()
    vectors: Sequence[NDArray] = ()

    def predict(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Run the compiled artefact (its C simulation) on samples, batch first, in the layout of the source model; a
        target without one runs the graph.
        """
        if not self.artefact:
            return evaluate(self.graph, x, integers=integers)
        return give(self.graph, self._simulation.run(feed(self.graph, x, integers=integers)), x, integers=integers)

    @cached_property
    def _simulation(self) -> Any:
        from .backends.hls4ml import Simulation

        return Simulation(self.graph, self.artefact)

    def verify(self, x: Inputs | None = None, *, vectors: int = 512) -> dict[str, Any]:
        """Compare the artefact with the graph, integer by integer, on ``x`` (real values) or on test vectors; gives the
        manifest's entry.
        """
        if not self.artefact:
            return dict(self.verification)
        from .backends.hls4ml import verify

        chosen = feed(self.graph, x) if x is not None else (list(self.vectors) or make_vectors(self.graph, vectors))
        result: dict[str, Any] = verify(self.graph, self._simulation, chosen).as_dict()
        return result

    @cached_property
    def _content(self) -> dict[str, bytes]:
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
            hashes={name: sha256(data) for name, data in self._content.items()},
        )

    @property
    def files(self) -> dict[str, bytes]:
        """The output directory: path -> content."""
        text = json.dumps(self.manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
        return {**self._content, MANIFEST: text.encode()}

    def write(self, directory: str | Path, *, force: bool = False) -> None:
        """Write the output directory, all or nothing. Raises FileError where something of the user's would be lost."""
        write_directory(Path(directory), self.files, force=force)


@dataclass(frozen=True, eq=False)
class Module:
    """An output directory, opened: call it on samples to run the compiled artefact."""

    graph: Graph
    manifest: Mapping[str, Any]
    artefact: Mapping[str, bytes]

    def __call__(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Run the artefact on samples, batch first, in the layout of the source model."""
        board = load_board("host")
        return Project(self.graph, board, "", self.artefact, {}).predict(x, integers=integers)


def open_module(directory: str | Path) -> Module:
    """Open an output directory. Raises FileError where it is not one, or is damaged."""
    path = Path(directory)
    manifest = read_manifest(path)
    return Module(load_graph(path), manifest, read_project(path))


def compile_model(
    model: Any,
    *,
    board: str | Board,
    weights: str | Path | None = None,
    precision: str | Precision | None = None,
    samples: Inputs | None = None,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    output: str = "model",
    hls: str = "vitis",
    io: str = "parallel",
    strategy: str | None = None,
    reuse_factor: int | None = None,
    clock_ns: float | None = None,
    types: str = "lean",
    vectors: int = 512,
    verify: bool = True,
    progress: Progress = lambda text: None,
) -> Project:
    """Compile a model for a board.

    ``model``: a file name, a live model or a Graph. ``precision``, ``samples``, ``config``, ``output``: see ``lower``.
    ``hls``: the HLS tool
    (vitis, vivado, oneapi, quartus, catapult, libero); ``io``: parallel or stream; ``strategy``: latency, resource or
    distributed_arithmetic; ``clock_ns``:
    the period, else the board's; ``types``: the fixed-point headers of the C simulation (lean or vendor); ``vectors``:
    how many to verify on.
    Raises GatewrightError for every problem that a user can cause.
    """
    target = board if isinstance(board, Board) else load_board(board)
    settings = make_config(precision, config)
    if vectors < 1:
        raise OptionError(f"vectors = {vectors}", hint="verify on one vector at least, or not at all (--no-verify)")
    if not isinstance(model, Graph):
        progress("reading the model")
    source = load(model, weights=weights)
    progress("lowering to fixed point")
    graph = lower(source, board=target, samples=samples, config=settings, output=output)
    seen = observe(graph, samples) if samples is not None else {}
    chosen = make_vectors(graph, vectors, samples=samples)
    asked = {
        "hls": hls, "io": io, "strategy": strategy, "reuse_factor": reuse_factor, "clock_ns": clock_ns, "types": types,
    }  # fmt: skip
    project = Project(
        graph, target, "graph", {}, _origin(model, weights, source),
        {**asked, "precision": _text(settings.precision), "output": output, "vectors": vectors}, seen,
        {**SKIPPED, "engine": "none", "reason": "the board takes no project: only the integer graph is written"},
        (), chosen,
    )  # fmt: skip
    if target.fpga is None:
        return project
    return _with_hls(project, settings, asked, verify=verify, progress=progress)


def _with_hls(
    project: Project, settings: Config, asked: Mapping[str, Any], *, verify: bool, progress: Progress
) -> Project:
    from .backends.hls4ml import emit, make_options

    options = make_options(project.board, settings.rules, **asked)
    progress("writing the HLS project")
    emitted = emit(project.graph, project.board, options, project.vectors)
    done = replace(
        project,
        target=f"hls4ml-{options.tool}",
        artefact=emitted.files,
        options={**project.options, **options.as_dict()},
        notes=emitted.notes,
    )
    if not verify:
        return replace(done, verification={**SKIPPED, "engine": "none", "reason": "not asked for (--no-verify)"})
    if not options.verifiable:
        reason = f"the C simulation of {options.tool} cannot be compiled without the vendor's tools"
        return replace(done, verification={**SKIPPED, "engine": "none", "reason": reason})
    progress("compiling the C simulation and comparing it with the graph")
    return replace(done, verification=done.verify())


def _text(precision: Precision) -> str:
    return f"{str(precision.format)[:-1]},{precision.rounding},{precision.overflow}>"


def _origin(model: Any, weights: str | Path | None, source: Graph) -> dict[str, Any]:
    """Where the model came from; names without folders, so that the place does not change the bytes."""
    if not isinstance(model, (str, Path)):
        return {"model": type(model).__name__, "sha256": None, "frontend": source.source or "graph"}
    path = Path(model)
    origin: dict[str, Any] = {
        "model": path.name,
        "sha256": _hash(path),
        "frontend": source.source or "graph",
    }
    if weights is not None:
        origin |= {"weights": Path(weights).name, "weights_sha256": _hash(Path(weights))}
    return origin


def _hash(path: Path) -> str:
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    return sha256(b"".join(f.read_bytes() for f in files))


def read_samples(path: str | Path, graph: Graph) -> Inputs:
    """Read samples from a ``.npy`` file (one input) or an ``.npz`` file (arrays by input name, or one array).

    Raises FileError.
    """
    file = Path(path)
    try:
        data = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise FileError(
            f"cannot read samples: {error}", where=str(file), hint="save them with numpy.save or numpy.savez"
        ) from None
    if isinstance(data, np.ndarray):
        return data
    with data:
        arrays = {name: np.asarray(data[name]) for name in data.files}
    names = {op.name for op in graph.input_ops}
    if set(arrays) != names and len(arrays) == 1 == len(names):
        return next(iter(arrays.values()))
    return arrays


def compile_file(
    model: str,
    *,
    board: str,
    weights: str | None = None,
    samples: Path | None = None,
    progress: Progress = lambda text: None,
    **options: Any,
) -> Project:
    """Compile a model file with samples from a file; the command line's way in.

    ``options`` are those of ``compile_model``.
    """
    target = load_board(board)
    progress("reading the model")
    graph = load(model, weights=weights)
    given = None if samples is None else read_samples(samples, graph)
    project = compile_model(graph, board=target, samples=given, progress=progress, **options)
    return replace(project, created_from=_origin(model, weights, graph))


def obstacles(
    model: Any,
    *,
    board: str | Board,
    weights: str | Path | None = None,
    precision: str | None = None,
    config: str | Path | None = None,
    hls: str = "vitis",
    io: str = "parallel",
    strategy: str | None = None,
) -> tuple[list[GatewrightError], Sequence[str]]:
    """List what stands between a model and a board, and the notes of the stages that it passed. Nothing is emitted."""
    notes: Sequence[str] = ()
    try:
        target = board if isinstance(board, Board) else load_board(board)
        settings = make_config(precision, config)
        graph = load(model, weights=weights)
        notes = graph.notes
        integer = lower(graph, board=target, config=settings)
        notes = integer.notes
        if target.fpga is None:
            return [], notes
        from .backends.hls4ml import make_options, missing

        options = make_options(target, settings.rules, hls=hls, io=io, strategy=strategy)
        return list(missing(integer, target, options)), notes
    except ManyErrors as error:
        return list(error.errors), notes
    except GatewrightError as error:
        return [error], notes


def simulate_directory(
    directory: Path, inputs: Path | None, outputs: Path | None, engine: str, progress: Progress
) -> dict[str, Any]:
    """Run an output directory's graph or artefact on a file of samples; write the outputs; give a summary of both."""
    if engine not in ("graph", "artefact"):
        raise unknown("engine", engine, ("graph", "artefact"))
    module = open_module(directory)
    if engine == "artefact" and not module.artefact:
        raise OptionError("there is no artefact, only the integer graph", where=str(directory), hint="--engine graph")
    x: Inputs
    if inputs is not None:
        x = read_samples(inputs, module.graph)
    else:
        x = dict(zip((op.name for op in module.graph.input_ops), _random_inputs(module.graph), strict=True))
    progress(f"running the {engine}")
    y = evaluate(module.graph, x) if engine == "graph" else module(x)
    arrays = _named(module.graph, y)
    if outputs is not None:
        _save(outputs, arrays)
    return {
        "engine": engine,
        "samples": len(next(iter(arrays.values()))),
        "outputs": {name: list(a.shape) for name, a in arrays.items()},
        "file": None if outputs is None else str(outputs),
    }


def _random_inputs(graph: Graph) -> list[NDArray]:
    """Test vectors as real values in the source's layout."""
    shown = Graph(
        graph.inputs,
        tuple(
            Node(Output(op.name, _inverse(op.axes)), (n,)) for n, op in zip(graph.inputs, graph.input_ops, strict=True)
        ),
    )
    real = give(shown, make_vectors(graph, 16))
    return list(real.values()) if isinstance(real, dict) else list(real) if isinstance(real, tuple) else [real]


def _inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if axes is None else tuple(int(i) for i in np.argsort(axes))


def _named(graph: Graph, y: Outputs) -> dict[str, NDArray]:
    if isinstance(y, dict):
        return y
    return dict(zip((op.name for op in graph.output_ops), y if isinstance(y, tuple) else (y,), strict=True))


def _save(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write outputs through a file beside the target, so that a failure leaves none."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as f:
            if len(arrays) == 1 and path.suffix != ".npz":
                np.save(f, next(iter(arrays.values())), allow_pickle=False)
            else:
                f.write(archive({f"{name}.npy": npy(a) for name, a in arrays.items()}))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileError(f"cannot write: {error.strerror}", where=str(path)) from None

"""Compile: model in, project out. The files are in memory until they are written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .boards import Board
from .frontend import load
from .frontend.attributes import raise_all
from .graph import FileError, Graph, Inputs, OptionError, Pairs, UnsupportedError
from .lowering import Config, Precision, keeps_floats, lower, make_config, narrowed, observe
from .microcontrollers import firmware_of, with_run
from .options import Choices, FirmwareChoices, LibraryChoices
from .output import sha256
from .project import SKIPPED, Progress, Project
from .rules import beyond_float16, unmatched, without_effect
from .samples import read_samples
from .simulation import make_vectors
from .targets import FIRMWARE, GPUS, TARGETS, TVM, WORDS, back_end, find_board, not_run_here, runs_emulated

if TYPE_CHECKING:
    from .backends.hls4ml import Options
    from .backends.project import Project as Files
    from .backends.tvm.tuning import Tuning

MOST_VECTORS = 1_000_000

VECTORS = 512

FEWEST_VECTORS = 8

MACS_TO_VERIFY = 8_000_000_000
"""What ``evaluate`` does in about a minute on two cores."""

MACS_TO_EMULATE = 2_000_000_000
"""What emulated kernels do in some seconds."""

ELEMENTS_TO_VERIFY = 1 << 25
"""Of all vectors' inputs and outputs together: they are drawn in a few seconds and take a quarter of a GiB."""


def compile_model(
    model: Any,
    *,
    board: str | Board,
    weights: str | Path | None = None,
    precision: str | Precision | None = None,
    samples: Inputs | str | Path | None = None,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    output: str = "model",
    hls: str | None = None,
    io: str | None = None,
    strategy: str | None = None,
    reuse_factor: int | None = None,
    clock_ns: float | None = None,
    types: str = "lean",
    vectors: int | None = None,
    verify: bool = True,
    strict: bool = False,
    integer_only: bool = False,
    float_format: str | None = None,
    tuning: "str | Path | Tuning | None" = None,
    memory: str | int | None = None,
    project: str | None = None,
    weight_storage: str | None = None,
    code: str | None = None,
    emit: Sequence[str] = (),
    states: Pairs | None = None,
    progress: Progress = lambda text: None,
) -> Project:
    """Compile a model for a board.

    ``model``: a file name, a live model or a Graph. ``precision``, ``samples`` (here also the name of a ``.npy`` or
    ``.npz`` file), ``config``, ``output``: see ``lower``.
    ``hls``: the HLS tool (vitis, vivado, oneapi, quartus, catapult, libero; the board's where None); ``io``: parallel
    or stream (parallel where neither this nor the configuration says); ``strategy``: latency, resource or
    distributed_arithmetic; ``reuse_factor``: uses of a multiplier per inference; ``clock_ns``: the period in
    nanoseconds, else the board's; ``types``: the fixed-point headers of the C simulation (lean or vendor);
    ``vectors``: how many to verify on (512; on processors fewer for large networks); ``verify``: whether to;
    ``strict``: refuse a design whose high estimate of a resource is over what the device has; ``integer_only``: on
    a processor too, compute in integers what the model leaves in floating point; ``float_format``: "fp16" or "bf16":
    there keep its weights and tensors so, and compute in float32; ``tuning``: what ``tune`` found for
    this kind of board, or its file (``project/tuning.json``); ``memory``: of firmware, what the arena is planned for:
    "fastest" (also None), "smallest", or the fastest in so many bytes; ``project``: of firmware, for which build
    systems: "cmake" (also None), "zephyr", "arduino", "platformio", "bare", several with commas between;
    ``weight_storage``: of firmware, whether weights of at most four bits stand "packed" (also None) in flash, or as
    "bytes"; ``code``: of firmware, "fastest" (also None) or "smallest"; ``emit``: on processors, texts of the kernels
    to put beside them ("asm", "llvm-ir"); ``states``: inputs that are what an output was in the inference before,
    {"h_in": "h_out"} (see ``load``); ``progress`` is told what is going on.
    Raises GatewrightError for every problem that a user can cause, ManyErrors for several.
    """
    choices = Choices(hls, io, strategy, reuse_factor, clock_ns, types)
    firmware = FirmwareChoices(memory, project, weight_storage, code)
    library = LibraryChoices(tuple(emit), integer_only, float_format)
    target = find_board(board)
    library.check(target)
    settings = make_config(precision, config)
    options = _checked(choices, firmware, target, settings, vectors)
    tuned = None if tuning is None else find_tuning(tuning, target)
    if not isinstance(model, Graph):
        progress("reading the model")
    source = load(model, weights=weights, states=states)
    raise_all(unmatched(settings, source))
    if isinstance(samples, (str, Path)):
        samples = read_samples(samples, source)
    floats = keeps_floats(source, target, settings, integer_only=integer_only)
    progress("simplifying" if floats else "lowering to fixed point")
    library.check_used(floats and not source.is_integer)
    graph = lower(
        source, board=target, samples=samples, config=settings, output=output, floats=floats, float_format=float_format
    )
    graph = narrowed(graph, target)
    count = vectors if vectors is not None else usual_vectors(graph, target)
    asked = {**described(settings), "output": output, **({"float": float_format} if float_format else {})}
    made = Project(
        graph, target, "graph", {}, _origin(model, weights, source), asked,
        observe(graph, samples) if samples is not None and not floats else {},
        _skipped("the board takes no project: only the integer graph is written"),
        tuple(without_effect(settings, source, graph)),
        make_vectors(graph, count, samples=samples),
    )  # fmt: skip
    unused = (*firmware.without_effect(target), *library.without_effect(target), *beyond_float16(graph, made.vectors))
    if options is None:
        notes = (*made.notes, *choices.without_effect(target, settings, strict=strict), *unused)
        return _compiled(replace(made, notes=notes), tuned, firmware, library, verify=verify, progress=progress)
    made = replace(made, notes=(*made.notes, *unused))
    asked = {**made.options, **choices.as_dict(), **options.as_dict(), "vectors": count}
    progress("estimating time and resources")
    cost = estimate(graph, options, target, strict=strict)
    return _with_hls(replace(made, options=asked, cost=cost), options, verify=verify, progress=progress)


def estimate(graph: Graph, options: "Options", board: Board | None, *, strict: bool = False) -> dict[str, Any]:
    """Give the manifest's ``cost``, {} for tools whose designs cannot be estimated.

    Raises UnsupportedError for what cannot be emitted; with ``strict`` for what may not fit the board's device.
    """
    if not options.verifiable:
        return {}
    from .simulation.cost import cost_of, too_large

    cost = cost_of(graph, options, board)
    if strict:
        raise_all([UnsupportedError(f.what, where=board.name if board else "", hint=f.hint) for f in too_large(cost)])
    return cost.as_dict()


def usual_vectors(graph: Graph, board: Board) -> int:
    """Say how many vectors a project is verified on: on processors, what the graph takes about a minute for at most,
    and what stands in memory beside other work.
    """
    if board.fpga is not None:
        return VECTORS
    emulated = runs_emulated(board)
    macs = MACS_TO_EMULATE if emulated or board.kind == "gpu" else MACS_TO_VERIFY
    elements = sum(node.type.size for node in (*graph.inputs, *graph.outputs))
    most = min(macs // max(graph.macs, 1), ELEMENTS_TO_VERIFY // max(elements, 1))
    return max(1 if emulated else FEWEST_VECTORS, min(VECTORS, most))


def _checked(
    choices: Choices, firmware: FirmwareChoices, board: Board, settings: Config, vectors: int | None
) -> "Options | None":
    """Look at everything that can be wrong before the model is read; give the back end's options, if it has one."""
    choices.check()
    wrong = isinstance(vectors, bool) or not isinstance(vectors, int) or not 1 <= vectors <= MOST_VECTORS
    if vectors is not None and wrong:
        hint = f"verify on 1 to {MOST_VECTORS:,} vectors, or not at all (--no-verify)"
        raise OptionError(f"vectors = {vectors!r}", hint=hint)
    firmware.check()
    if board.fpga is not None:
        return choices.options(board, settings)
    if board.compiler is not None:
        back_end(TARGETS.get(board.compiler.kind, TVM)).machine_of(board)
    elif board.kind == "mcu":
        back_end(FIRMWARE).machine_of(board)
    return None


def _with_hls(project: Project, options: "Options", *, verify: bool, progress: Progress) -> Project:
    """Add the HLS project and the proof."""
    from .backends.hls4ml import emit
    from .backends.hls4ml.compiler import find_compiler

    progress("writing the HLS project")
    with _disk():
        emitted = emit(project.graph, project.board, options, project.vectors)
        done = replace(
            project,
            target=f"hls4ml-{options.tool}",
            artefact=emitted.files,
            notes=(*project.notes, *emitted.notes),
            verification=_skipped("not asked for (--no-verify)"),
        )
        if not options.verifiable:
            reason = f"the C simulation of {options.tool} cannot be compiled without the vendor's tools"
            return replace(done, verification=_skipped(reason))
        if not verify:
            return done
        progress(f"compiling the C simulation ({find_compiler().name}) and comparing it with the graph")
        return replace(done, verification=done.verify())


@contextmanager
def _disk() -> Iterator[None]:
    """Tell what the disk refuses as a FileError."""
    try:
        yield
    except OSError as error:
        what = f"a temporary or cached file: {error.strerror or error}"
        raise FileError(what, where=str(error.filename or "")) from None


def find_tuning(tuning: "str | Path | Tuning", board: Board) -> "Tuning":
    """Read what was tuned, for a board. Raises OptionError where it is of another kind of machine, FileError."""
    if board.compiler is None or TARGETS.get(board.compiler.kind) != TVM:
        raise OptionError(f"board {board.name} has nothing that is tuned", where="tuning", hint="leave it out")
    from .backends.tvm import machine_of
    from .backends.tvm.tuning import Tuning, read_tuning

    if not isinstance(tuning, (str, Path, Tuning)):
        raise OptionError(f"tuning = {tuning!r}", hint="a file, or the tuning that gw.tune gives")
    where = "tuning" if isinstance(tuning, Tuning) else str(tuning)
    try:
        found = tuning if isinstance(tuning, Tuning) else read_tuning(Path(tuning).read_bytes(), where)
    except OSError as error:
        hint = "gatewright tune DIR writes DIR/project/tuning.json, where it finds something that is faster"
        raise FileError(f"cannot read: {error.strerror}", where=where, hint=hint) from None
    found.tiles_for(machine_of(board), where)
    return found


def tuned_options(tuning: "Tuning") -> dict[str, Any]:
    """Say in a manifest's options that a project was tuned, on what device, from what to what time."""
    found = tuning.as_dict()
    kept = {name: found[name] for name in ("device", "trials", "failed", "before_s", "after_s")}
    return {"tuning": {**kept, "layers": len(tuning.layers)}}


def _compiled(
    project: Project, tuning: "Tuning | None", firmware: FirmwareChoices, library: LibraryChoices, *, verify: bool,
    progress: Progress,
) -> Project:  # fmt: skip
    """Add what a compiler of tensor programs makes for a board, and the proof.

    Without TVM the board ``host`` keeps to the graph.
    """
    board = project.board
    if board.compiler is None:
        return project
    target = TARGETS.get(board.compiler.kind, "")
    if target == TVM and board.name == "host":
        from .backends.tvm.emit import available

        if not available():
            note = "TVM is not installed (pip install 'gatewright[tvm]'): only the graph is written"
            return replace(project, notes=(*project.notes, note))
    progress(f"compiling the {WORDS[target]}")
    with _disk():
        emitted, cost = _emitted(target, project, tuning, firmware, library)
        asked = {} if tuning is None else tuned_options(tuning)
        asked |= firmware.as_dict() if target == FIRMWARE else {}
        done = replace(
            project, target=target, artefact=emitted.files, notes=(*project.notes, *emitted.notes), cost=cost,
            options={**project.options, **asked}, verification=_skipped("not asked for (--no-verify)"),
        )  # fmt: skip
        if (reason := not_run_here(board)) is not None:
            return replace(done, verification=_skipped(reason))
        if not verify:
            return done
        progress(f"comparing the {WORDS[target]} with the graph")
        entry, notes = done.verify(), done.notes
        if target == FIRMWARE and entry["status"] != "failed":
            cost = with_run(cost, done.simulation, board, progress)
            notes = (*notes, *filter(None, [done.simulation.note]))
        return replace(done, verification=entry, cost=cost, notes=notes)


def _emitted(
    target: str, project: Project, tuning: "Tuning | None", firmware: FirmwareChoices, library: LibraryChoices
) -> tuple["Files", dict[str, Any]]:
    """Let a back end write its project, and say what that costs, where that is known."""
    if target == FIRMWARE:
        return firmware_of(project.graph, project.board, firmware)
    own = back_end(target)
    if target in GPUS.values():
        emitted = own.emit(project.graph, project.board)
        return emitted, own.costs(emitted.files, project.board)
    from .backends.tvm.emit import emit_program, program_for
    from .processors import library_cost

    program = program_for(project.graph, own.machine_of(project.board), tuning)
    written = emit_program(project.graph, program, tuning, library.emit)
    return written, library_cost(project.graph, project.board, program, written.files)


def _skipped(reason: str) -> dict[str, Any]:
    return {**SKIPPED, "reason": reason}


def described(settings: Config) -> dict[str, Any]:
    """Give a configuration as plain values, for the manifest."""
    rules = [{"name": rule.pattern, **rule.values} for rule in settings.rules]
    return {
        "precision": _text(settings.precision),
        "weights": None if settings.weights is None else _text(settings.weights),
        "table_bits": settings.table_bits,
        "layer": rules,
    }


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

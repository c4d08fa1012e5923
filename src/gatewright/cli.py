"""The command line. Heavy packages are imported inside the commands, so that help answers at once."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import wording
from .graph.errors import FileError, GatewrightError, ManyErrors

USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """The commands; what is wrong with the usage is a JSON document too where --json is asked for."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> Any:
        """Run one command, after remembering how to tell what is wrong."""
        self.as_json = "--json" in (sys.argv[1:] if args is None else args)
        return super().main(args, *rest, **named)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """Parse the options before the command."""
        with self._told():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's options and run it."""
        with self._told():
            return super().invoke(ctx)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except USAGE_ERROR as error:
            if self.as_json:
                what = str(getattr(error, "message", "")) or str(error)
                _json(_failure([{"kind": "UsageError", "what": what, "where": "command line", "hint": "--help"}]))
            raise


app = typer.Typer(
    cls=Commands,
    help="Compile trained networks to FPGA projects and to libraries for processors, proved against one integer graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    str,
    typer.Argument(
        help="A model: .keras, .h5, .json (with WEIGHTS), .onnx, .tflite, .pt2, .gw, or an output directory."
    ),
]
Weights = Annotated[str | None, typer.Argument(help="The weights (.h5) of a .json model.")]
BoardName = Annotated[
    str, typer.Option("--board", "-b", help="A board's name (see gatewright boards), a TOML file, or host.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output, nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Precision = Annotated[
    str | None, typer.Option(help="What the model does not quantize itself gets this format: 'fixed<16,6>'.")
]
Io = Annotated[
    str | None, typer.Option(help="How data moves between layers: parallel (arrays, the default) or stream (FIFOs).")
]
Strategy = Annotated[str | None, typer.Option(help="latency, resource or distributed_arithmetic.")]
Reuse = Annotated[int | None, typer.Option("--reuse-factor", help="How often each multiplier is used per inference.")]
Clock = Annotated[
    float | None, typer.Option("--clock-ns", help="Clock period in nanoseconds; the board's own if not given.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file with overrides per layer (docs/configuration.md).")
]
Samples = Annotated[
    Path | None, typer.Option(help="Representative inputs (.npy, .npz): ranges come from them, and test vectors.")
]
OutputKind = Annotated[str, typer.Option("--output", help="model, or logits to drop a softmax at the output.")]
Hls = Annotated[
    str | None, typer.Option("--hls", help="vitis, vivado, oneapi, quartus, catapult, libero; else the board's own.")
]
Types = Annotated[str, typer.Option(help="Fixed-point headers of the C simulation: lean (fast) or vendor.")]
Rpc = Annotated[
    str | None, typer.Option("--rpc", help="A device instead of this machine: HOST:PORT of TVM's RPC server there.")
]
Tracker = Annotated[
    str | None, typer.Option("--rpc-tracker", help="HOST:PORT of TVM's RPC tracker, which knows devices by --key.")
]
Key = Annotated[str | None, typer.Option("--key", help="With --rpc-tracker: what the device is registered as.")]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help="An input that is what an output was in the inference before: h_in=h_out, h_in=h_out:initial.npy (again "
        "for more; docs/streaming.md).",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(help="Of firmware: fastest, smallest, or the fastest that fits in so many bytes (40000, 40KiB)."),
]
WeightStorage = Annotated[
    str | None,
    typer.Option(help="Of firmware: packed (the default: weights of at most 4 bits stand several to a word) or bytes."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a design whose high estimate of a resource is over the device.")
]


@app.command(epilog="Example: gatewright check examples/digits_cnn.keras --board pynq-z2")
def check(
    model: Model,
    weights: Weights = None,
    board: BoardName = "host",
    precision: Precision = None,
    io: Io = None,
    strategy: Strategy = None,
    reuse_factor: Reuse = None,
    clock_ns: Clock = None,
    config: ConfigFile = None,
    samples: Samples = None,
    output: OutputKind = "model",
    hls: Hls = None,
    types: Types = "lean",
    strict: Strict = False,
    memory: Memory = None,
    weight_storage: WeightStorage = None,
    states: States = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List everything that stands between a model and a board, before any work. Exit status 1 where anything does."""
    with _errors(as_json, debug):
        from .check import obstacles
        from .graph import parse_pairs
        from .options import Choices

        choices = Choices(hls, io, strategy, reuse_factor, clock_ns, types)
        found = obstacles(
            model, board=board, weights=weights, precision=precision, config=config, samples=samples, output=output,
            choices=choices, strict=strict, memory=memory, weight_storage=weight_storage,
            states=parse_pairs(states or ()),
        )  # fmt: skip
        count = len(found.problems)
        document = {
            "status": "blocked" if count else "ok",
            "problems": [_as_dict(e) for e in found.problems],
            "notes": found.notes,
        }
        notes = [f"note: {note}" for note in found.notes]
        _print(document, as_json, lambda: _lines([*map(str, found.problems), *notes, wording.verdict(count, board)]))
        if count:
            raise typer.Exit(1)


@app.command(
    "compile", epilog="Example: gatewright compile examples/digits_qkeras.h5 --board pynq-z2 --out build/digits"
)
def compile_(
    model: Model,
    weights: Weights = None,
    board: BoardName = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option("--out", "-o", help="The directory to write.")] = ...,  # type: ignore[assignment]
    precision: Precision = None,
    io: Io = None,
    strategy: Strategy = None,
    reuse_factor: Reuse = None,
    clock_ns: Clock = None,
    config: ConfigFile = None,
    samples: Samples = None,
    output: OutputKind = "model",
    hls: Hls = None,
    types: Types = "lean",
    vectors: Annotated[
        int | None, typer.Option(help="How many vectors to verify on: 512; on processors fewer for large networks.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Run the artefact (C simulation, library) beside the graph."),
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an output directory that was changed since it was compiled.")
    ] = False,
    strict: Strict = False,
    integer_only: Annotated[
        bool,
        typer.Option("--integer-only", help="On a processor too, compute in integers what the model leaves in floats."),
    ] = False,
    float_format: Annotated[
        str | None,
        typer.Option("--float", help="On a processor: fp16 or bf16, what floats are kept in; sums stay in float32."),
    ] = None,
    tuning: Annotated[
        Path | None, typer.Option(help="What gatewright tune found for this kind of board: DIR/project/tuning.json.")
    ] = None,
    memory: Memory = None,
    weight_storage: WeightStorage = None,
    states: States = None,
    build_system: Annotated[
        str | None,
        typer.Option(
            "--project",
            help="Of firmware: cmake (the default), zephyr, arduino, platformio, bare; several with commas between.",
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Of firmware: fastest, or smallest: layers that are alike share a function.")
    ] = None,
    emit: Annotated[
        list[str] | None, typer.Option(help="On processors: the kernels as text, too: asm or llvm-ir (again for both).")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compile a model to a project for a board, and prove that it computes what the integer graph says."""
    with _errors(as_json, debug), _progress() as progress:
        from .compiling import compile_model
        from .graph import parse_pairs
        from .output import check_replaceable

        check_replaceable(out, force=force)
        project = compile_model(
            model, board=board, weights=weights, samples=samples, precision=precision, config=config, output=output,
            hls=hls, io=io, strategy=strategy, reuse_factor=reuse_factor, clock_ns=clock_ns, types=types,
            vectors=vectors, verify=verify, strict=strict, integer_only=integer_only, float_format=float_format,
            tuning=tuning, memory=memory, weight_storage=weight_storage, project=build_system, code=code,
            emit=emit or (), states=parse_pairs(states or ()), progress=progress,
        )  # fmt: skip
        project.write(out, force=force)
        _print(project.manifest, as_json, lambda: _lines(wording.summary(project.manifest, out)))
        if project.manifest["verification"]["status"] == "failed":
            raise typer.Exit(1)


@app.command(epilog="Example: gatewright simulate build/digits --inputs examples/digits_test_x.npy --engine artefact")
def simulate(
    directory: Annotated[Path, typer.Argument(help="An output directory of gatewright compile.")],
    inputs: Annotated[
        Path | None, typer.Option(help="Samples (.npy, .npz), batch first; random ones if not given.")
    ] = None,
    outputs: Annotated[Path | None, typer.Option(help="Where to write the outputs (.npy; .npz for several).")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="graph: the integer graph; artefact: the compiled C simulation or library, firmware on an emulated "
            "core. Without it: the artefact of firmware, else the graph."
        ),
    ] = None,
    integers: Annotated[
        bool, typer.Option("--integers", help="Samples and outputs are stored integers (int8 of an int8 model).")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run it although files were changed by hand.")] = False,
    timing: Annotated[
        bool, typer.Option("--timing", help="Run the schedule cycle by cycle instead: what waits for what.")
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(help="With --timing: write a trace for Perfetto or chrome://tracing (.json).")
    ] = None,
    frames: Annotated[int, typer.Option(help="With --timing: inferences back to back.")] = 3,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run an output directory: its integer graph or its compiled artefact on samples, or (--timing) its schedule."""
    with _errors(as_json, debug), _progress() as progress:
        if timing or trace is not None:
            from .timing import simulate_timing

            document, people = simulate_timing(directory, frames, trace, progress)
            _print(document, as_json, people)
            if document["status"] == "deadlock":
                raise typer.Exit(1)
            return
        from .simulating import simulate_directory

        document = simulate_directory(directory, inputs, outputs, engine, progress, force=force, integers=integers)
        _print(document, as_json, lambda: _lines(wording.run(document)))


@app.command(epilog="Example: gatewright report build/digits")
def report(
    directory: Annotated[Path, typer.Argument(help="An output directory.")],
    vendor: Annotated[
        list[Path] | None,
        typer.Option("--import", help="A report of the vendor's tool (csynth.xml, .rpt), or a folder of them."),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="The file that learns from imported reports; none: learn nothing.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Import although part or top function differ.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Make its report.html again.")] = False,
    onnx: Annotated[Path | None, typer.Option(help="Write the graph with its figures, for Netron (.onnx).")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Tell what was compiled: layers, formats, ranges, verification, cost, and where each figure comes from.

    The same as a page: report.html in the directory. --import puts a vendor's figures beside the estimates.
    """
    with _errors(as_json, debug):
        from .output import read_manifest, rewrite, write_onnx

        if vendor:
            from .vendor import import_reports

            for line in import_reports(directory, vendor, calibration, force=force):
                typer.echo(line, err=True)
        manifest = read_manifest(directory)
        written = [rewrite(directory, manifest)] if html else []
        written += [write_onnx(directory, manifest, onnx)] if onnx is not None else []

        def people() -> None:
            if written:
                _lines([f"written to {file}" for file in written])
                return
            from .report import NARROW, render, show, width

            show(render(manifest, narrow=width() < NARROW))

        _print(manifest, as_json, people)


@app.command(epilog="Example: gatewright diff model.keras build/model --inputs samples.npy")
def diff(
    a: Annotated[str, typer.Argument(help="The reference: a model, a graph (.gw) or an output directory.")],
    b: Annotated[str, typer.Argument(help="What is compared with it.")],
    inputs: Annotated[Path | None, typer.Option(help="Samples for A (.npy, .npz); random ones if not given.")] = None,
    bisect: Annotated[Path | None, typer.Option(help="Write a script that shows the first difference (.py).")] = None,
    engine: Annotated[str, typer.Option(help="artefact: run the C simulation of output directories, too.")] = "graph",
    samples: Annotated[int, typer.Option(help="How many samples.")] = 32,
    seed: Annotated[int, typer.Option(help="Of random samples.")] = 0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare two models tensor by tensor: the first that differs beyond quantization, and the worst. Status 1 then."""
    with _errors(as_json, debug):
        from .comparison import diff_files

        found, document, people = diff_files(a, b, inputs, bisect, engine, samples, seed)
        _print(document, as_json, people)
        if found:
            raise typer.Exit(1)


@app.command(epilog="Example: gatewright profile examples/digits_cnn.keras --board pynq-z2 --board alveo-u250")
def profile(
    model: Model,
    weights: Weights = None,
    board: Annotated[
        list[str] | None, typer.Option("--board", "-b", help="A board; given again, boards side by side.")
    ] = None,
    precision: Precision = None,
    io: Io = None,
    strategy: Strategy = None,
    reuse_factor: Reuse = None,
    clock_ns: Clock = None,
    config: ConfigFile = None,
    samples: Samples = None,
    output: OutputKind = "model",
    hls: Hls = None,
    rpc: Rpc = None,
    tracker: Tracker = None,
    key: Key = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Tell what a model costs on a board, layer by layer: latency, interval, clock, FIFOs, resources with bands.

    On a processor it is measured, on this machine or (--rpc) on a device.
    """
    with _errors(as_json, debug), _progress() as progress:
        from .options import Choices
        from .profile import profile as profiled
        from .tuning import device_of

        document = profiled(
            model, board or [], weights=weights, precision=precision, config=config, samples=samples, output=output,
            choices=Choices(hls, io, strategy, reuse_factor, clock_ns), device=device_of(rpc, tracker, key, progress),
            progress=progress,
        )  # fmt: skip

        def people() -> None:
            from .report import NARROW, show, width
            from .reports.profile import render

            show(render(document, narrow=width() < NARROW))

        _print(document, as_json, people)


@app.command(
    epilog="Example: gatewright explore examples/digits_cnn.keras --board pynq-z2 --samples examples/digits_test_x.npy "
    "--labels examples/digits_test_y.npy --objective latency,lut,accuracy --trials 60 --workers 2"
)
def explore(
    model: Model,
    weights: Weights = None,
    board: Annotated[
        list[str] | None, typer.Option("--board", "-b", help="A board; given again, the search may choose.")
    ] = None,
    samples: Annotated[Path, typer.Option(help="Inputs (.npy, .npz) on which designs are judged.")] = ...,  # type: ignore[assignment]
    labels: Annotated[Path | None, typer.Option(help="The class of each sample (.npy).")] = None,
    objective: Annotated[
        str, typer.Option(help="latency, interval, lut, ff, dsp, bram, uram, error, accuracy: several with commas.")
    ] = "latency,lut,error",
    trials: Annotated[int, typer.Option(help="How many designs to try now.")] = 60,
    workers: Annotated[str, typer.Option(help="Processes, or a Dask scheduler: dask://host:8786.")] = "1",
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the results and the study go.")] = Path("explore"),
    storage: Annotated[
        Path | None, typer.Option(help="The file that keeps the study (study.db in --out if not given).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    io: Io = None,
    clock_ns: Clock = None,
    hls: Hls = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Search strategies, reuse factors, io types and formats for the best designs; resumes where it was stopped."""
    with _errors(as_json, debug), _progress() as progress:
        from .exploring import explore as explored
        from .options import Choices

        document, people = explored(
            model, board or [], weights=weights, samples=samples, labels=labels, objective=objective, trials=trials,
            workers=workers, out=out, storage=storage, seed=seed, choices=Choices(hls, io, None, None, clock_ns),
            progress=progress,
        )  # fmt: skip
        _print(document, as_json, people)


@app.command(epilog="Example: gatewright compare build/a build/b")
def compare(
    a: Annotated[Path, typer.Argument(help="An output directory.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put two compiles side by side, differences first: options, cost with bands, formats and cycles of layers."""
    with _errors(as_json, debug):
        from .output import read_manifest
        from .reports.compare import compare as compared

        document = compared(read_manifest(a), read_manifest(b))

        def people() -> None:
            from .report import NARROW, show, width
            from .reports.compare import render

            show(render(document, (str(a), str(b)), narrow=width() < NARROW))

        _print(document, as_json, people)


@app.command(epilog="Example: gatewright fifo build/digits --apply")
def fifo(
    directory: Annotated[Path, typer.Argument(help="An output directory, compiled with --io stream.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write the depths into the project.")] = False,
    depths: Annotated[
        str, typer.Option(help="Which to write: stall-free, or deadlock-free (smaller, slower).")
    ] = "stall-free",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Find the smallest depths of the FIFOs without a stall, and without a deadlock."""
    with _errors(as_json, debug), _progress() as progress:
        from .timing import fifo_depths

        document, people = fifo_depths(directory, depths if apply else None, progress)
        _print(document, as_json, people)


@app.command(epilog="Example: gatewright tune build/digits_cpu --trials 300")
def tune(
    directory: Annotated[Path, typer.Argument(help="An output directory for a processor.")],
    trials: Annotated[int, typer.Option(help="How many tiles of layers to measure, earlier ones included.")] = 300,
    rpc: Rpc = None,
    tracker: Tracker = None,
    key: Key = None,
    journal: Annotated[
        Path | None, typer.Option(help="The file that keeps every trial (DIR.tuning.jsonl if not given).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Tune it although files were changed by hand.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure which tiles make each layer fastest, here or on a device, and compile the library again with them.

    Resumes where it was stopped; what is not faster for sure stays as it is.
    """
    with _errors(as_json, debug), _progress() as progress:
        from .tuning import device_of
        from .tuning import tune as tuned

        found = tuned(
            directory, trials=trials, device=device_of(rpc, tracker, key, progress), journal=journal, seed=seed,
            force=force, progress=progress,
        )  # fmt: skip
        document = found.as_dict()
        _print(document, as_json, lambda: _lines(wording.tuned(document, directory)))


@app.command(epilog="Example: gatewright boards pynq-z2")
def boards(
    name: Annotated[str | None, typer.Argument(help="A board, to see all that is known of it.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the boards, or show one in full, each figure with its source."""
    with _errors(as_json, debug):
        from .boards import boards as every
        from .boards import load

        if name is not None:
            board = load(name).as_dict()
            _print(board, as_json, lambda: _lines(wording.tree(board)))
            return
        found = every()

        def people() -> None:
            from .report import board_table, show

            show(board_table(found))

        _print({n: b.as_dict() for n, b in found.items()}, as_json, people)


@app.command(epilog="Example: gatewright doctor")
def doctor(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show versions, compilers, missing extras, and what each would enable."""
    with _errors(as_json, debug):
        from .doctor import examine

        found = examine()
        _print(found, as_json, lambda: _lines(wording.diagnosis(found)))
        if not found["ready"]:
            raise typer.Exit(1)


@contextmanager
def _errors(as_json: bool, debug: bool) -> Iterator[None]:
    """Turn errors into messages (or a JSON document) and exit status 1; a traceback is for --debug."""
    try:
        yield
    except KeyboardInterrupt:
        problem = {"kind": "Interrupted", "what": "interrupted; nothing was written", "where": "", "hint": ""}
        _tell([problem], as_json)
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        _tell([_as_dict(e) for e in _as_ours(error)], as_json)
        raise typer.Exit(1) from None


def _as_ours(error: Exception) -> Sequence[GatewrightError]:
    """Give the problems that an exception stands for."""
    if isinstance(error, GatewrightError):
        return error.errors if isinstance(error, ManyErrors) else (error,)
    if isinstance(error, OSError):
        return (FileError(error.strerror or str(error), where=str(error.filename or "")),)
    if isinstance(error, MemoryError):
        return (GatewrightError("there is not enough memory", hint="a smaller model, or fewer samples or vectors"),)
    what = f"an error in Gatewright itself: {type(error).__name__}: {error}"
    return (GatewrightError(what, hint="--debug shows where; please report it with the model"),)


def _tell(problems: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        _json(_failure(problems))
    for problem in problems if not as_json else ():
        place = f"{problem['where']}: " if problem["where"] else ""
        hint = f"\n  try: {problem['hint']}" if problem["hint"] else ""
        typer.echo(f"error: {place}{problem['what']}{hint}", err=True)


def _failure(problems: list[dict[str, str]]) -> dict[str, Any]:
    return {"status": "error", "problems": problems}


def _json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False, default=str))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Say on standard error what is going on: a spinner on a terminal, lines elsewhere."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda text: console.print(f"{text} ...")
        return
    with console.status("starting") as status:
        yield lambda text: status.update(f"{text} ...")


def _as_dict(error: GatewrightError) -> dict[str, str]:
    return {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}


def _print(document: Any, as_json: bool, people: Callable[[], None]) -> None:
    if as_json:
        _json(document)
    else:
        people()


def _lines(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)


def main() -> None:
    """Run the command line; interruptions and broken pipes end quietly, a request to end cleans up first."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app(prog_name="gatewright")
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()

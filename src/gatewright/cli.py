"""The command line. Heavy packages are imported inside the commands, so that help answers at once."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from .graph.errors import GatewrightError, ManyErrors

app = typer.Typer(
    help="Compile trained networks to FPGA projects that are proved bit-exact before any vendor tool runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    str, typer.Argument(help="A model: .keras, .h5, .json (with WEIGHTS), .onnx, .gw, or an output directory.")
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
Io = Annotated[str, typer.Option(help="How data moves between layers: parallel (arrays) or stream (FIFOs).")]
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
Hls = Annotated[str, typer.Option("--hls", help="HLS tool: vitis, vivado, oneapi, quartus, catapult or libero.")]
Types = Annotated[str, typer.Option(help="Fixed-point headers of the C simulation: lean (fast) or vendor.")]


@app.command(epilog="Example: gatewright check examples/digits_cnn.keras --board pynq-z2")
def check(
    model: Model,
    weights: Weights = None,
    board: BoardName = "host",
    precision: Precision = None,
    io: Io = "parallel",
    strategy: Strategy = None,
    config: ConfigFile = None,
    hls: Hls = "vitis",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List everything that stands between a model and a board, before any work. Exit status 1 where anything does."""
    with _errors(as_json, debug):
        from .project import obstacles

        found, notes = obstacles(
            model, board=board, weights=weights, precision=precision, config=config, hls=hls, io=io, strategy=strategy
        )
        document = {
            "status": "blocked" if found else "ok",
            "problems": [_as_dict(e) for e in found],
            "notes": list(notes),
        }
        _print(document, as_json, lambda: _lines([*(str(e) for e in found), *notes, _verdict(len(found), board)]))
        if found:
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
    io: Io = "parallel",
    strategy: Strategy = None,
    reuse_factor: Reuse = None,
    clock_ns: Clock = None,
    config: ConfigFile = None,
    samples: Samples = None,
    output: OutputKind = "model",
    hls: Hls = "vitis",
    types: Types = "lean",
    vectors: Annotated[int, typer.Option(help="How many vectors to verify on.")] = 512,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compile the C simulation and compare it with the graph.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an output directory that was changed since it was compiled.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compile a model to a project for a board, and prove that it computes what the integer graph says."""
    with _errors(as_json, debug), _progress() as progress:
        from .output import check_replaceable
        from .project import compile_file

        check_replaceable(out, force=force)
        project = compile_file(
            model, board=board, weights=weights, samples=samples, precision=precision, config=config, output=output,
            hls=hls, io=io, strategy=strategy, reuse_factor=reuse_factor, clock_ns=clock_ns, types=types,
            vectors=vectors, verify=verify, progress=progress,
        )  # fmt: skip
        project.write(out, force=force)
        _print(project.manifest, as_json, lambda: _lines(_summary(project.manifest, out)))
        if project.manifest["verification"]["status"] == "failed":
            raise typer.Exit(1)


@app.command(
    epilog="Example: gatewright simulate build/digits --inputs examples/digits_test_x.npy --engine artefact"
)
def simulate(
    directory: Annotated[Path, typer.Argument(help="An output directory of gatewright compile.")],
    inputs: Annotated[
        Path | None, typer.Option(help="Samples (.npy, .npz), batch first; random ones if not given.")
    ] = None,
    outputs: Annotated[Path | None, typer.Option(help="Where to write the outputs (.npy; .npz for several).")] = None,
    engine: Annotated[
        str, typer.Option(help="graph: the integer graph; artefact: the compiled C simulation.")
    ] = "graph",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run the integer graph of an output directory, or its compiled artefact, on samples."""
    with _errors(as_json, debug), _progress() as progress:
        from .project import simulate_directory

        document = simulate_directory(directory, inputs, outputs, engine, progress)
        _print(
            document,
            as_json,
            lambda: _lines([f"{document['samples']} samples through the {engine}: outputs {document['outputs']}"]),
        )


@app.command(epilog="Example: gatewright report build/digits")
def report(
    directory: Annotated[Path, typer.Argument(help="An output directory.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Tell what was compiled: layers, formats, ranges, verification, and where each figure comes from."""
    with _errors(as_json, debug):
        from .output import read_manifest

        manifest = read_manifest(directory)

        def people() -> None:
            from .report import render, show

            show(render(manifest))

        _print(manifest, as_json, people)


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
            _print(board, as_json, lambda: _lines(_tree(board)))
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
        _print(found, as_json, lambda: _lines(_diagnosis(found)))
        if not found["ready"]:
            raise typer.Exit(1)


@contextmanager
def _errors(as_json: bool, debug: bool) -> Iterator[None]:
    """Turn our errors into a message (or a JSON document) and exit status 1."""
    try:
        yield
    except GatewrightError as error:
        if debug:
            raise
        every = error.errors if isinstance(error, ManyErrors) else (error,)
        if as_json:
            typer.echo(
                json.dumps({"status": "error", "problems": [_as_dict(e) for e in every]}, indent=1, ensure_ascii=False)
            )
        else:
            for one in every:
                typer.echo(f"error: {one}", err=True)
        raise typer.Exit(1) from None


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
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False, default=str))
    else:
        people()


def _lines(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)


def _verdict(count: int, board: str) -> str:
    return f"nothing stands in the way of {board}" if not count else f"{count} problem{'s' if count > 1 else ''}"


def _summary(manifest: Mapping[str, Any], out: Path) -> list[str]:
    check = manifest["verification"]
    proof = {
        "exact": f"exact: {check['engine']} equals the graph on all {check['vectors']} vectors",
        "failed": f"FAILED: {check['mismatches']} values differ, first {check['first_mismatch']}",
        "skipped": f"not verified: {check.get('reason', '')}",
    }[check["status"]]
    inserted = sum(1 for e in (*manifest["inputs"], *manifest["layers"]) if e["inserted"])
    return [
        f"{manifest['created_from']['model']} for {manifest['board']} ({manifest['target']}): "
        f"{manifest['macs']:,} MACs, {manifest['parameters']:,} parameters",
        f"{inserted} quantizers inserted, the rest are the model's own"
        if inserted
        else "every quantizer is the model's own",
        *(f"note: {note}" for note in manifest["notes"]),
        proof,
        f"written to {out} (gatewright report {out})",
    ]


def _tree(value: Any, indent: int = 0) -> list[str]:
    """Nested data as indented lines; a figure on one line with its source."""
    pad = "  " * indent
    lines: list[str] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in items:
        if isinstance(entry, dict) and "value" in entry:
            doubt = "" if entry.get("verified", True) else " (not verified)"
            lines.append(f"{pad}{key}: {entry['value']}{doubt}   [{entry.get('source', '')}]")
        elif isinstance(entry, (dict, list)):
            lines += [f"{pad}{key}:", *_tree(entry, indent + 1)]
        else:
            lines.append(f"{pad}{key}: {entry}")
    return lines


def _diagnosis(found: Mapping[str, Any]) -> list[str]:
    lines = [f"Python {found['python']} on {found['platform']}"]
    for entry in (*found["packages"], *found["extras"]):
        state = entry["version"] or f"missing: {entry['install']}"
        lines.append(f"  {entry['name']:<12} {state:<34} {entry['enables']}")
    lines += [f"  {t['name']:<12} {t['path'] or 'not found':<34} {t['enables']}" for t in found["tools"]]
    return [*lines, "ready to compile and verify" if found["ready"] else "not ready: a compiler or hls4ml is missing"]


def main() -> None:
    """Run the command line; interruptions and broken pipes end quietly."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()

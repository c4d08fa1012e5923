"""Profile: what a model costs on a board, of an output directory or before anything is compiled, boards side by
side.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import microcontrollers
from .boards import Board
from .compiling import described
from .frontend import load
from .frontend.attributes import raise_all
from .graph import GatewrightError, Graph, ManyErrors, Node, OptionError, op_name
from .launches import launches_of
from .lowering import Config, keeps_floats, lower, make_config, narrowed
from .options import Choices
from .output import MANIFEST, read_manifest
from .processors import estimated
from .project import Progress, open_module
from .rules import unmatched
from .samples import read_samples
from .targets import FIRMWARE, GPUS, TVM, find_board

if TYPE_CHECKING:
    from .backends.loops.machine import Machine
    from .backends.loops.schedule import Tiles
    from .backends.tvm.rpc import Remote


def profile(
    model: str,
    boards: Sequence[str],
    *,
    weights: str | None = None,
    precision: str | None = None,
    samples: Path | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    output: str = "model",
    choices: Choices | None = None,
    device: "Remote | None" = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Give ``{"model", "designs": [{"board", "target", "options", "macs", "parameters", "cost"} or {"board",
    "problems"}]}``.

    An output directory is told as it was compiled; with ``boards`` its graph is profiled for these too. A board that
    cannot take the model is told with the reason, unless none can: then its errors are raised. Libraries are measured
    on this machine, or on a ``device``.
    """
    directory = Path(model)
    if (directory / MANIFEST).is_file() and not boards:
        return {"model": model, "designs": [_compiled(directory, device, progress)]}
    if not boards:
        raise OptionError("a model is profiled for a board", where=model, hint="--board NAME, once or several times")
    settings = make_config(precision, config)
    targets = [find_board(name) for name in dict.fromkeys(boards)]
    progress("reading the model")
    source = load(model, weights=weights)
    raise_all(unmatched(settings, source))
    given = read_samples(samples, source) if samples is not None else None
    designs: list[dict[str, Any]] = []
    failures: list[GatewrightError] = []
    for board in targets:
        progress(f"estimating {board.name}")
        try:
            floats = keeps_floats(source, board, settings)
            graph = lower(source, board=board, config=settings, samples=given, output=output, floats=floats)
            graph = narrowed(graph, board)
            if board.kind == "gpu":
                designs.append(launches_of(graph, board, progress=progress))
                continue
            if board.kind in ("cpu", "phone"):
                from .backends.tvm import machine_of

                designs.append(_processor(graph, board, machine_of(board), device, progress))
                continue
            if board.kind == "mcu":
                designs.append(microcontrollers.estimated(graph, board, progress))
                continue
            designs.append(_estimated(graph, board, settings, choices or Choices()))
        except GatewrightError as error:
            found = error.errors if isinstance(error, ManyErrors) else (error,)
            failures += found
            designs.append({"board": board.name, "problems": [_problem(e) for e in found]})
    if all("problems" in d for d in designs):
        raise_all(failures)
    return {"model": model, "designs": designs}


def _compiled(directory: Path, device: "Remote | None", progress: Progress) -> dict[str, Any]:
    manifest = read_manifest(directory)
    if manifest["target"] == TVM:
        from .backends.tvm import not_here

        module = open_module(directory)
        if device is None and not_here(module.machine) is not None and manifest["cost"]:
            return _told(manifest)
        return _measured(module.graph, manifest["board"], module.machine, device, progress, module.tiles)
    if device is None and manifest["target"] in GPUS.values():
        module = open_module(directory)
        return launches_of(module.graph, manifest["board"], module.artefact, progress=progress)
    if device is not None:
        what = f"has no library for a device, it is a project for {manifest['target']}"
        raise OptionError(what, where=str(directory), hint="compile for a board of kind cpu")
    if manifest["target"] == FIRMWARE:
        return microcontrollers.told(open_module(directory))
    if not manifest["cost"]:
        hint = "profile the model with --board NAME, or compile it for a board with an FPGA"
        raise OptionError("nothing is known of its cost", where=str(directory), hint=hint)
    return _told(manifest)


def _told(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("board", "target", "options", "macs", "parameters", "cost")
    return {name: manifest[name] for name in kept} | {"verification": manifest["verification"]["status"]}


def _processor(
    graph: Graph, board: Board, machine: "Machine", device: "Remote | None", progress: Progress
) -> dict[str, Any]:
    """Measure a network where it can be run, else estimate it."""
    from .backends.tvm import not_here

    if device is None and not_here(machine) is not None:
        return estimated(graph, board, progress)
    return _measured(graph, board.name, machine, device, progress)


def _measured(
    graph: Graph, board: str, machine: "Machine", device: "Remote | None", progress: Progress,
    tiles: "Tiles | None" = None,
) -> dict[str, Any]:  # fmt: skip
    """Run a network on this machine or a device, every layer beside what the machine could do at best."""
    from .backends.tvm import not_here
    from .backends.tvm.emit import check_tvm

    if device is None and (reason := not_here(machine)) is not None:
        raise OptionError(f"cannot be measured: {reason}", where=board, hint="--board host, or --rpc HOST:PORT")
    check_tvm()
    from .backends.tvm.measure import profile as measure

    progress(f"measuring on {device.name if device is not None else 'this machine'}")
    found = measure(graph, machine, tiles=tiles, device=device)
    layers = [
        {
            "name": graph_name(c.node), "op": op_name(c.node.op), "shape": list(c.node.shape), "macs": c.macs * c.count,
            "bytes": c.bytes * c.count, "seconds": c.seconds, "roofline": c.bound_s / c.seconds if c.seconds else 1.0,
            "bound": c.bound,
        }
        for c in found.calls
    ]  # fmt: skip
    return {
        "board": board, "target": TVM, "macs": graph.macs, "parameters": graph.parameters,
        "measured": {
            "on": device.name if device is not None else "this machine", "seconds": found.seconds,
            "peaks": found.peaks, "bandwidth": found.bandwidth, "arena_bytes": found.arena,
            "constant_bytes": found.constants, "layers": layers,
        },
    }  # fmt: skip


def graph_name(node: Node) -> str:
    """Name a layer as its source does."""
    return node.where or op_name(node.op)


def _estimated(graph: Graph, board: Board, settings: Config, choices: Choices) -> dict[str, Any]:
    from .simulation.cost import cost_of

    options = choices.options(board, settings)
    return {
        "board": board.name,
        "target": f"hls4ml-{options.tool}",
        "options": {**described(settings), **options.as_dict()},
        "macs": graph.macs,
        "parameters": graph.parameters,
        "cost": cost_of(graph, options, board).as_dict(),
    }


def _problem(error: GatewrightError) -> dict[str, str]:
    return {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}

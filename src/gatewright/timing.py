"""Timing of an output directory: a cycle-level run of its schedule, and the depths of its FIFOs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .boards import load as load_board
from .graph import FileError, GatewrightError, Graph, OptionError
from .graph.file import load as load_graph
from .output import (
    PROJECT,
    check_unchanged,
    manifest_files,
    read_manifest,
    read_project,
    sha256,
    write_directory,
)
from .project import Progress

if TYPE_CHECKING:
    from .backends.hls4ml import Options
    from .simulation.design import Design
    from .simulation.stream import Network, Sizing

People = Callable[[], None]
MOST_FRAMES = 1000
DEPTHS = ("stall-free", "deadlock-free")


def simulate_timing(
    directory: Path, frames: int, trace: Path | None, progress: Progress
) -> tuple[dict[str, Any], People]:
    """Run the schedule of an output directory for ``frames`` inferences; give a document, and what prints it.

    ``trace``: where to write a trace for Perfetto. Raises OptionError, FileError.
    """
    if not 1 <= frames <= MOST_FRAMES:
        raise OptionError(f"frames = {frames}", hint=f"1 to {MOST_FRAMES:,} inferences back to back")
    if trace is not None and (trace.is_dir() or not trace.parent.is_dir()):
        what = "is a directory" if trace.is_dir() else f"there is no directory {trace.parent}"
        raise FileError(what, where=str(trace), hint="--trace takes the name of a .json file")
    _, _, options, design = described(directory)
    if not design.stream:
        return _arrays(design, trace)
    from .simulation.schedule import network
    from .simulation.stream import simulate
    from .simulation.stream.trace import chrome_trace

    progress("running the schedule")
    run = simulate(network(design), frames)
    if trace is not None:
        trace.write_text(json.dumps(chrome_trace(run, options.clock_ns), separators=(",", ":")), encoding="utf-8")
    processes = []
    for process in run.network.processes:
        did = run.activity(process)
        processes.append({"name": process.name, **did.__dict__})
    document = {
        "status": "deadlock" if run.deadlock else "ok", "frames": frames, "clock_ns": options.clock_ns,
        "first_output": run.first_output, "latency": run.latency, "interval": run.interval,
        "is_steady": run.is_steady, "deadlock": str(run.deadlock or ""), "processes": processes,
        "fifos": [
            {"name": f.name, "depth": f.depth, "width": f.width, "most": run.most(f.name)} for f in run.network.fifos
        ],
        "trace": None if trace is None else str(trace),
    }  # fmt: skip
    return document, lambda: _show("run_table", document)


def described(directory: Path) -> tuple[dict[str, Any], Graph, "Options", "Design"]:
    """Open an output directory as a design: manifest, graph, options, description."""
    from .backends.hls4ml import read_options
    from .backends.hls4ml.plan import make_plan
    from .simulation.design import of_plan

    manifest = read_manifest(directory)
    check_unchanged(directory, manifest)
    options = read_options(manifest["options"])
    graph = load_graph(directory)
    return manifest, graph, options, of_plan(make_plan(graph, options), options)


def _arrays(design: "Design", trace: Path | None) -> tuple[dict[str, Any], People]:
    """Tell the schedule of a design of arrays, which nothing waits in: layer after layer."""
    from .simulation.schedule import timing

    if trace is not None:
        raise OptionError("a trace shows what waits for what in streams", hint="compile with --io stream")
    found = timing(design)
    document = {
        "status": "ok", "style": found.style, "clock_ns": design.clock_ns,
        "latency": found.latency.as_dict(), "interval": found.interval.as_dict(),
        "layers": [
            {"name": n, "latency": t.latency.as_dict(), "interval": t.interval.as_dict(), "note": t.note}
            for n, t in found.layers.items()
        ],
    }  # fmt: skip
    return document, lambda: _show("schedule_table", document)


def fifo_depths(directory: Path, apply: str | None, progress: Progress) -> tuple[dict[str, Any], People]:
    """Find the depths of the FIFOs of an output directory; ``apply`` (stall-free, deadlock-free) writes them into it.

    Raises OptionError for a directory without streams.
    """
    if apply is not None and apply not in DEPTHS:
        raise OptionError(f"depths = {apply!r}", hint=" or ".join(DEPTHS))
    manifest, graph, options, design = described(directory)
    if not design.stream:
        raise OptionError("arrays have no FIFOs", where=str(directory), hint="compile with --io stream")
    from .simulation.fifos import settle
    from .simulation.schedule import network

    progress("finding the depths")
    _, free, least = settle(design)
    document = _depths(network(design), design, free, least)
    if apply is not None:
        chosen = free if apply == "stall-free" else least
        ports = {*design.inputs, *design.outputs}
        depths = {name: depth for name, depth in chosen.depths.items() if name not in ports}
        progress("writing the project")
        _apply(directory, manifest, graph, replace(options, fifo_depths=tuple(sorted(depths.items()))))
        document["applied"] = apply
    return document, lambda: _show("fifo_table", document)


def _depths(built: "Network", design: "Design", free: "Sizing", least: "Sizing") -> dict[str, Any]:
    ports = {*design.inputs, *design.outputs}
    rows = []
    for fifo in built.fifos:
        name = fifo.name
        loss, stuck = free.losses[name], least.losses[name]
        proof = "the least there is" if loss.at_floor else f"with one less {loss.writer} waits in cycle {loss.cycle:,}"
        if loss.interval:
            proof = f"with one less frames follow each other in {loss.interval:,} cycles"
        if loss.deadlock is not None:
            proof = "with one less the design deadlocks"
        rows.append(
            {
                "name": name, "width": fifo.width, "depth": fifo.depth, "stall_free": free.depths[name],
                "deadlock_free": least.depths[name], "is_port": name in ports, "stall_proof": proof,
                "deadlock_proof": str(stuck.deadlock or "the least there is"),
            }
        )  # fmt: skip
    ends = {
        kind: {"latency": s.latency, "interval": s.interval}
        for kind, s in (("stall_free", free), ("deadlock_free", least))
    }
    unlimited = {"latency": free.free_latency, "interval": free.free_interval}
    return {"fifos": rows, "unlimited": unlimited, **ends, "applied": None}


def _apply(directory: Path, manifest: Mapping[str, Any], graph: Graph, options: "Options") -> None:
    """Write the depths into the generated code, the figures and hashes into the manifest; all or nothing."""
    from .backends.hls4ml.fifo import with_depths
    from .backends.hls4ml.plan import make_plan
    from .compiling import estimate

    files = read_project(directory, manifest)
    plan = make_plan(graph, options)
    top = next(n for n in files if n.startswith("firmware/") and n.endswith(".cpp") and n.count("/") == 1)
    files[top] = with_depths(files[top].decode(), plan, dict(options.fifo_depths)).encode()
    content = {e["path"]: (directory / e["path"]).read_bytes() for e in manifest["files"]}
    content[f"{PROJECT}{top}"] = files[top]
    board = load_board(manifest["board"]) if _is_known(manifest["board"]) else None
    changed = {
        **manifest,
        "options": {**manifest["options"], "fifo_depths": dict(options.fifo_depths)},
        "cost": estimate(graph, options, board),
        "files": [{"path": path, "sha256": sha256(data)} for path, data in sorted(content.items())],
    }
    write_directory(directory, {**content, **manifest_files(changed)}, force=True)


def _is_known(board: str) -> bool:
    try:
        load_board(board)
    except GatewrightError:
        return False
    return True


def _show(table: str, document: Mapping[str, Any]) -> None:
    from .report import show
    from .reports import timing

    show(getattr(timing, table)(document))

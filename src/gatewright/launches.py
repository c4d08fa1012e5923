"""What a project for a graphics processor costs: measured where the device is, else by the board's roofline."""

from collections.abc import Mapping
from typing import Any

from .backends.gpu import emit
from .backends.gpu.host import UnavailableError, open_network, read_project
from .backends.gpu.host.roofline import Bound, bounds, described, estimate, figure, peaks_of
from .backends.gpu.host.runtime.plan import Plan
from .boards import Board
from .boards import load as load_board
from .graph import GatewrightError, Graph, OptionError
from .project import Progress
from .targets import GPUS

TURNS = 50
"""Runs of which each launch's shortest time counts."""


def launches_of(
    graph: Graph, board: Board | str, artefact: Mapping[str, bytes] | None = None, *, progress: Progress
) -> dict[str, Any]:
    """Give ``{"board", "target", "macs", "parameters", "launches"}`` of a graph, or of a project made of it.

    Raises OptionError where there is no device and too little is known of the board.
    """
    known = board if isinstance(board, Board) else _named(board)
    if artefact is None:
        assert known is not None
        artefact = emit(graph, known).files
    plan, sources, _ = read_project(artefact)
    found = _measured(plan, sources, artefact, known, progress) or _estimated(plan, sources, known)
    name = board if isinstance(board, str) else board.name
    sizes = {"arena_bytes": plan.sizes["arena"], "constant_bytes": plan.sizes["constants"]}
    return {
        "board": name, "target": GPUS[plan.language], "macs": graph.macs, "parameters": graph.parameters,
        "launches": {**found, **sizes},
    }  # fmt: skip


def _named(board: str) -> Board | None:
    """The board that a project was compiled for, unless it was a file of the user's."""
    try:
        return load_board(board)
    except GatewrightError:
        return None


def _measured(
    plan: Plan, sources: Mapping[str, str], artefact: Mapping[str, bytes], board: Board | None, progress: Progress
) -> dict[str, Any] | None:
    """Measure on this machine's device; None where there is none."""
    try:
        network = open_network(artefact, "device")
    except UnavailableError:
        return None
    progress(f"measuring on {network.device.name}")
    seconds = network.times(TURNS)
    try:
        roofs: tuple[Bound, ...] | None = None if board is None else bounds(plan, sources, peaks_of(board))
    except OptionError:
        roofs = None
    total = sum(seconds)
    whole = figure(
        total, total, total, "s", "measured", f"{network.device.name}, launch by launch, shortest of {TURNS}"
    )
    notes = [f"measured on {network.device.name}; the roofline is that of {board.name}"] if board and roofs else []
    return {"seconds": whole, "layers": _layers(plan, seconds, roofs), "notes": notes}


def _estimated(plan: Plan, sources: Mapping[str, str], board: Board | None) -> dict[str, Any]:
    if board is None:
        raise OptionError("no device, and the board is not known by name", hint="profile the model with --board FILE")
    found = estimate(plan, sources, board)
    whole = figure(found.total, found.low, found.high, "s", "estimated", described(found, board))
    notes = ["the band: a fifth of the peaks to all of them; half to twice the cost of a launch"]
    return {"seconds": whole, "layers": _layers(plan, found.seconds, found.bounds), "notes": notes}


def _layers(
    plan: Plan, seconds: tuple[float, ...] | list[float], roofs: tuple[Bound, ...] | None
) -> list[dict[str, Any]]:
    found = []
    for i, (launch, time) in enumerate(zip(plan.launches, seconds, strict=True)):
        x, y, z = launch.blocks
        tx, ty, tz = launch.kernel.threads
        roof = roofs[i] if roofs is not None else None
        found.append({
            "name": launch.layer or launch.kernel.entry, "kernel": launch.kernel.entry, "blocks": x * y * z,
            "threads": tx * ty * tz, "macs": launch.macs, "bytes": launch.bytes, "seconds": time,
            "roofline": None if roof is None else min(1.0, roof.least / time) if time else 1.0,
            "bound": "" if roof is None else f"{roof.bound} ({roof.kind})" if roof.bound == "products" else roof.bound,
        })  # fmt: skip
    return found


__all__ = ["launches_of"]

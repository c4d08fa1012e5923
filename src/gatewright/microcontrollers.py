"""What firmware costs on a microcontroller: instructions counted on an emulated core, time and energy from those."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .boards import Board
from .graph import Graph, UnsupportedError
from .options import FirmwareChoices
from .simulation import input_ranges, make_vectors
from .targets import FIRMWARE

if TYPE_CHECKING:
    from .backends.firmware import Simulation
    from .backends.project import Project as Files
    from .project import Module, Progress


def firmware_of(graph: Graph, board: Board, choices: FirmwareChoices) -> tuple["Files", dict[str, Any]]:
    """Write a network for a board; give its project, and the manifest's ``cost`` as far as no run is needed."""
    from .backends import firmware

    made = firmware.compiled(
        graph, board, input_ranges(graph), choices.kinds, memory=choices.memory,
        weight_storage=choices.weight_storage, code=choices.code,
    )  # fmt: skip
    return made, firmware.costs(made.files)


def with_run(cost: Mapping[str, Any], simulation: "Simulation", board: Board, progress: "Progress") -> dict[str, Any]:
    """Add to a cost what a run takes: counted on an emulated core, which has run; time and energy estimated from
    that.
    """
    from .backends import firmware
    from .simulation.mcu import costs

    found = firmware.measured(simulation)
    if not found:
        return dict(cost)
    progress("counting its instructions")
    try:
        mix = firmware.inference(simulation, board)
        found = {**(costs(mix, board) if mix is not None else {}), **found}
    except UnsupportedError:  # nobody knows the cycles of this core
        pass
    return {**cost, **found, "memory": {**cost.get("memory", {}), **found["memory"]}}


def counted(simulation: "Simulation") -> dict[str, Any]:
    """Say what an emulated core, which has run, counted by layer; {} where there is none."""
    from .simulation.mcu import bound_by

    device = simulation.device
    if device is None:
        return {}
    bounds = [bound_by(mix, simulation.description["cpu"]) for mix in device.mixes()]
    return {
        "core": device.core.name, "instructions": device.instructions, "stack_bytes": device.stack_bytes,
        "arena_bytes": simulation.description["arena_bytes"],
        "layers": [
            {"name": c.name, "macs": c.macs, "instructions": c.instructions, **({"bound_by": b} if b else {})}
            for c, b in zip(device.layers(), bounds, strict=True)
        ],
    }  # fmt: skip


def estimated(graph: Graph, board: Board, progress: "Progress") -> dict[str, Any]:
    """Write a network for a board and run it once, for ``profile``. Raises what the back end raises."""
    from .backends import firmware

    progress(f"writing firmware for {board.name}, and counting its instructions")
    made, cost = firmware_of(graph, board, FirmwareChoices())
    simulation = firmware.Simulation(graph, made.files)
    _run_once(graph, simulation)
    return _design(graph, board.name, with_run(cost, simulation, board, lambda text: None), simulation)


def told(module: "Module") -> dict[str, Any]:
    """Run a project once, for ``profile``: its cost as its manifest has it, its layers as they are counted now."""
    _run_once(module.graph, module.simulation)
    return _design(module.graph, module.manifest["board"], module.manifest["cost"], module.simulation)


def _run_once(graph: Graph, simulation: "Simulation") -> None:
    """Run a vector on the emulated core, where there is one."""
    if simulation.device is not None:
        simulation.run(make_vectors(graph, 1))


def _design(graph: Graph, board: str, cost: Mapping[str, Any], simulation: "Simulation") -> dict[str, Any]:
    return {
        "board": board, "target": FIRMWARE, "options": {}, "macs": graph.macs, "parameters": graph.parameters,
        "cost": dict(cost), "counted": counted(simulation),
    }  # fmt: skip

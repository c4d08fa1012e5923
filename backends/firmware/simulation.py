"""Running firmware: its image on an emulated core, and the same C compiled for this machine."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...boards import Board
from ...graph import FileError, Graph, NDArray, UnsupportedError
from ..loops.verify import run_each
from ..loops.verify import verify as compare
from .device import BUDGET, MOST, Device, core_in, why_not
from .emit import emit, read_description
from .host import Network
from .qemu_device import QemuDevice

if TYPE_CHECKING:
    from .emulator import Mix


class Simulation:
    """The firmware of a project, run on arrays of vectors: on an emulated core where there is one."""

    def __init__(self, graph: Graph, project: Mapping[str, bytes], *, emulated: bool = True) -> None:
        self.graph, self.project, self.emulated = graph, project, emulated

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """What the project says of itself."""
        return read_description(self.project)

    @cached_property
    def network(self) -> Network:
        """The C, compiled for this machine."""
        return Network(self.project, self.description)

    @cached_property
    def device(self) -> Device | QemuDevice | None:
        """The image on an emulated core; None where that is not possible."""
        if not self.emulated or why_not(self.project, self.description) is not None:
            return None
        emulator = Device if core_in(self.description).model else QemuDevice
        return emulator(self.project, self.description)

    @property
    def note(self) -> str | None:
        """Say why an image does not run on an emulated core; None where it does, or where there is no image."""
        reason = why_not(self.project, self.description)
        imaged = f"image/{self.description['name']}.elf" in self.project
        return f"nothing runs on an emulated core: {reason}" if imaged and reason is not None else None

    @property
    def engine(self) -> str:
        """Name it for reports."""
        return "firmware's C on this machine" if self.device is None else self.device.engine

    def reset(self) -> None:
        """Let the network begin anew, with its initial states."""
        (self.device or self.network).begin()

    def run(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Run on stored integers (or float32) [count, *shape] an input, in the graph's own layout; give the outputs.
        A network with states begins anew.
        """
        self.reset()
        return self.step(vectors)

    def step(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Do the same, going on where the last run stopped."""
        return run_each(self.graph, vectors, (self.device or self.network).run)


def verify(
    graph: Graph, simulation: Simulation, vectors: Sequence[NDArray], board: Board | None = None
) -> dict[str, Any]:
    """Compare the firmware with the graph, as ``loops.verify.verify`` does: its C on this machine on all vectors, its
    image on an emulated core on some. Raises FileError where the self-test of one fails whose C is right.
    """

    def again(own: Graph) -> Simulation:
        assert board is not None
        return Simulation(own, emit(own, board).files)

    here = Simulation(graph, simulation.project, emulated=False)
    entry = compare(graph, here, vectors, again if board is not None else None)
    if entry["status"] == "failed":  # the self-test, which holds the graph's outputs, would fail too
        return entry
    try:
        device = simulation.device
    except FileError as error:
        what = f"{error.what}, though the same C is exact on this machine"
        hint = f"{error.hint}; where it fails again, please report this (--no-verify writes it as it is)"
        raise FileError(what, where=error.where, hint=hint) from None
    if device is None:
        return entry
    found = compare(graph, simulation, [v[:1] for v in vectors])
    more = min(MOST, len(vectors[0]), max(BUDGET // max(device.instructions, 1), 1))
    if found["status"] != "failed" and more > 1:
        found = compare(graph, simulation, [v[1:more] for v in vectors])
    if found["status"] == "failed":
        return found
    count = f"{more} vectors" if more > 1 else "1 vector"
    return {**entry, "engine": f"{entry['engine']} ({count} on an emulated {device.core.name} too)"}


def measured(simulation: Simulation) -> dict[str, Any]:
    """Give the manifest's figures of what ran on the emulated core: instructions of one inference, stack."""
    device = simulation.device
    if device is None or not device.inferences:
        return {}
    counted = {"value": device.instructions, "unit": "instructions", "kind": "simulated"}
    return {
        "instructions": {**counted, "source": device.counted},
        "memory": {"stack_bytes": _stack(device)},
    }


def _stack(device: Device | QemuDevice) -> dict[str, Any]:
    """Give the bound on the stack; what was written of it where the code's frames cannot be followed."""
    seen = device.stack_bytes
    written = f"{seen:,} bytes were written on an emulated {device.core.name}"
    try:
        bound = device.stack_bound
    except UnsupportedError as error:
        return {"value": seen, "unit": "bytes", "kind": "simulated", "source": f"{written}; no bound: {error.what}"}
    source = f"call graph of the image; {written}"
    return {"value": bound, "low": bound, "high": bound, "unit": "bytes", "kind": "exact", "source": source}


def inference(simulation: Simulation, board: Board) -> "Mix | None":
    """Count the instructions of one inference on a board, by class; None where nothing ran on an emulated core."""
    device = simulation.device
    if device is None or not device.inferences:
        return None
    return device.warm_mix(board)

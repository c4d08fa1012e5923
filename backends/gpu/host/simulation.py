"""Running a project for a graphics processor: on the device where there is one, else emulated on this machine's CPU."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from ....boards import Board
from ....graph import FileError, GatewrightError, Graph, NDArray, OptionError
from ...loops.halves import fill, from_port
from ...loops.layout import interface_type
from ...loops.verify import run_each
from ...loops.verify import verify as compare
from .emulator import Emulator
from .runtime.device import DeviceError, open_device
from .runtime.network import Network, check_constants
from .runtime.plan import LANGUAGES, PLAN, Plan, PlanError, read_plan

SOURCE = "src/"
Engine = Literal["auto", "device", "any", "emulator"]


class UnavailableError(GatewrightError):
    """There is no such device here, or it refuses the project."""


class Simulation:
    """The launch plan of a project, run on arrays of vectors.

    ``engine``: "auto" takes a graphics processor where there is one, else the emulator; "device" takes no emulator,
    "any" also what a driver offers a CPU as, "emulator" nothing else.
    """

    def __init__(self, graph: Graph, project: Mapping[str, bytes], engine: Engine = "auto") -> None:
        self.graph, self.project, self._wanted = graph, project, engine

    @property
    def engine(self) -> str:
        """What the numbers are computed on."""
        return self.network.device.name

    @cached_property
    def network(self) -> Network:
        """The plan on its device."""
        return self.loaded()

    def loaded(self, threads: int = 1) -> Network:
        """Load the plan once more, with memory of its own. Raises FileError, UnavailableError, BuildError."""
        if threads != 1:
            raise OptionError(f"threads = {threads} on a graphics processor", hint="1: its own threads are all used")
        return open_network(self.project, self._wanted)

    def run(self, vectors: Sequence[NDArray]) -> list[NDArray]:
        """Run on stored integers (or float32) [count, *shape] an input, in the graph's own layout; give the outputs."""
        network = self.network

        def once(given: Sequence[NDArray]) -> tuple[Sequence[NDArray], int]:
            for held, values, node in zip(network.inputs, given, self.graph.inputs, strict=True):
                fill(held, values, interface_type(node))
            status, ports = network.run(), zip(network.outputs, self.graph.outputs, strict=True)
            return [from_port(held, interface_type(node)) for held, node in ports], status

        return run_each(self.graph, vectors, once)


def verify(
    graph: Graph, simulation: Simulation, vectors: Sequence[NDArray], board: Board | None = None
) -> dict[str, Any]:
    """Compare the kernels with the graph, as ``loops.verify.verify`` does."""
    from ..emit import emit

    known = board is not None and board.compiler is not None and board.compiler.kind in LANGUAGES
    again = (lambda own: Simulation(own, emit(own, board).files)) if board is not None and known else None
    return compare(graph, simulation, vectors, again)


def open_network(project: Mapping[str, bytes], engine: Engine = "auto") -> Network:
    """Put a project's plan on a device. Raises FileError, UnavailableError, BuildError."""
    plan, sources, constants = read_project(project)
    if engine != "emulator":
        try:
            return Network(plan, open_device(plan, sources, constants, processors=engine == "any"))
        except DeviceError as error:
            if engine != "auto":
                raise UnavailableError(error.what, hint=error.hint or "the emulated kernels run everywhere") from None
    return Network(plan, Emulator(plan, sources, constants))


def read_project(project: Mapping[str, bytes]) -> tuple[Plan, dict[str, str], bytes]:
    """Give a project's plan, kernels by file name, and constants. Raises FileError."""
    try:
        plan = read_plan(_file(project, PLAN))
        sources = {name: _file(project, name).decode() for name in plan.sources}
        return plan, sources, check_constants(plan, _file(project, plan.constants))
    except (PlanError, UnicodeDecodeError) as error:
        raise FileError(str(error), where=f"project/{SOURCE}{PLAN}", hint="compile again") from None


def _file(project: Mapping[str, bytes], name: str) -> bytes:
    if SOURCE + name not in project:
        raise FileError("is not there", where=f"project/{SOURCE}{name}", hint="compile again")
    return project[SOURCE + name]


__all__ = ["Simulation", "UnavailableError", "open_network", "read_project", "verify"]

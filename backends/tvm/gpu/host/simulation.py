"""Running a project for a graphics processor: on the device where there is one, else emulated on this machine's CPU."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from .....graph import FileError, GatewrightError, Graph
from ...simulation import Simulation as Library
from .emulator import Emulator
from .runtime.device import DeviceError, open_device
from .runtime.network import Network, check_constants
from .runtime.plan import PLAN, Plan, PlanError, read_plan

SOURCE = "src/"
Engine = Literal["auto", "device", "any", "emulator"]


class Unavailable(GatewrightError):
    """There is no such device here, or it refuses the project."""


class Simulation(Library):
    """The launch plan of a project, run on arrays of vectors.

    ``engine``: "auto" takes a graphics processor where there is one, else the emulator; "device" takes no emulator,
    "any" also what a driver offers a CPU as, "emulator" nothing else.
    """

    def __init__(self, graph: Graph, project: Mapping[str, bytes], engine: Engine = "auto") -> None:
        super().__init__(graph, project)
        self._engine = engine

    @property
    def engine(self) -> str:  # type: ignore[override]
        """What the numbers were computed on."""
        return str(self.network.device.name)

    @cached_property
    def network(self) -> Any:
        """The loaded plan."""
        return self.loaded()

    def loaded(self, threads: int = 1) -> Any:
        """Load the plan once more, with memory of its own. Raises FileError, Unavailable, BuildError."""
        return open_network(self.project, self._engine)


def open_network(project: Mapping[str, bytes], engine: Engine = "auto") -> Network:
    """Put a project's plan on a device. Raises FileError, Unavailable, BuildError."""
    plan, sources, constants = read_project(project)
    if engine != "emulator":
        try:
            return Network(plan, open_device(plan, sources, constants, processors=engine == "any"))
        except DeviceError as error:
            if engine != "auto":
                raise Unavailable(error.what, hint=error.hint or "the emulated kernels run everywhere") from None
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


__all__ = ["Simulation", "Unavailable", "open_network", "read_project"]

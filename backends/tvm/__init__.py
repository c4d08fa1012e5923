"""The TVM back end: a graph becomes one C function for a CPU, with schedules of ours and no runtime.

``emit`` gives the project, ``Simulation`` runs its library, ``verify`` compares the two, ``missing`` lists what
cannot be compiled. Nothing here is imported before it is needed: TVM takes a second.
"""

from .emit import emit, machine_of, missing, not_here
from .qemu import emulated, emulator_of
from .simulation import Simulation, verify

__all__ = ["Simulation", "emit", "emulated", "emulator_of", "machine_of", "missing", "not_here", "verify"]

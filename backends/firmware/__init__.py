"""The firmware back end: a graph becomes C for microcontrollers, proved on an emulated core.

``emit`` gives the project, ``Simulation`` runs its C, ``verify`` compares the two, ``missing`` lists what cannot be
written.
"""

from .emit import emit, machine_of, missing
from .simulation import Simulation, verify

__all__ = ["Simulation", "emit", "machine_of", "missing", "verify"]

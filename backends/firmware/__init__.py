"""The firmware back end: a graph becomes C for microcontrollers, proved on an emulated core.

``emit`` gives the network in C, ``complete`` adds self-test, image and the files of build systems, ``costs`` says what
is known of its cost, ``Simulation`` runs it, ``verify`` compares the two, ``measured`` and ``inference`` say what was
counted, ``missing`` lists what cannot be written, ``parse`` and ``storage`` read what a user wishes.
"""

from .complete import compiled, complete
from .emit import costs, emit, machine_of, missing, not_here, storage
from .memory import parse
from .simulation import Simulation, inference, measured, verify
from .toolchain import OPTIMIZE

CODE = tuple(OPTIMIZE)
"""What code can be asked to be."""

__all__ = [
    "CODE", "Simulation", "compiled", "complete", "costs", "emit", "inference", "machine_of", "measured", "missing",
    "not_here", "parse", "storage", "verify",
]  # fmt: skip

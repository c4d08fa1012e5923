"""Time on processors: the machine code of the kernels counted, run on a model of the core, and its memory traffic."""

from .cost import cost_of_program
from .estimate import Estimate, estimate

__all__ = ["Estimate", "cost_of_program", "estimate"]

"""The neutral description of a design, from which time and resources are estimated."""

from .model import LEVELS, RESOURCES, Design, Io, LayerSpec, Level, Resource, Type, WeightStats, family_of
from .of_plan import of_plan
from .weights import csd_digits, odd_part, statistics

__all__ = [
    "LEVELS", "RESOURCES", "Design", "Io", "LayerSpec", "Level", "Resource", "Type", "WeightStats", "csd_digits",
    "family_of", "odd_part", "of_plan", "statistics",
]  # fmt: skip

"""The tuner: which of the tiles that a layer may have is the fastest, by measuring it within its network."""

from .result import Tuned, Tuning, read_tuning
from .tune import tune

__all__ = ["Tuned", "Tuning", "read_tuning", "tune"]

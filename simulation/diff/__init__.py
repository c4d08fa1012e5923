"""Two graphs side by side: which tensor is the first that differs beyond what quantization explains, and the worst."""

from .compare import compare
from .difference import Difference, Statistics, TensorDifference
from .engine import Traced, compare_engine
from .reproduce import reproducer

__all__ = ["Difference", "Statistics", "TensorDifference", "Traced", "compare", "compare_engine", "reproducer"]

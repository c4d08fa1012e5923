"""The meaning of a graph: a plain numpy interpreter. Every back end is compared with it, bit for bit."""

from .run import Inputs, Outputs, feed, give, values_of
from .stream import Stream, evaluate, run_streams, several, trace

__all__ = ["Inputs", "Outputs", "Stream", "evaluate", "feed", "give", "run_streams", "several", "trace", "values_of"]

"""The meaning of a graph: a plain numpy interpreter. Every back end is compared with it, bit for bit."""

from .run import Inputs, Outputs, evaluate, feed, give, trace, values_of

__all__ = ["Inputs", "Outputs", "evaluate", "feed", "give", "trace", "values_of"]

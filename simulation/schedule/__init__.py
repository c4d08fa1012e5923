"""The schedule of a design: latency and interval of each layer and of the whole, programs of streaming processes."""

from .model import LayerTiming, Style, Timing

__all__ = ["LayerTiming", "Style", "Timing"]

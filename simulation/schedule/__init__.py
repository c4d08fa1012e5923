"""The schedule of a design: latency and interval of each layer and of the whole, programs of streaming processes."""

from .model import LayerTiming, Style, Timing
from .network import fifo, network
from .programs import Program, program
from .whole import FRAMES, printed, timing

__all__ = ["FRAMES", "LayerTiming", "Program", "Style", "Timing", "fifo", "network", "printed", "program", "timing"]

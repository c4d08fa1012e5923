"""What the schedule of a design is: cycles of each layer and of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..figures import Figure

Style: TypeAlias = Literal["pipeline", "dataflow", "stream"]
"""One pipeline of all layers; processes that hand arrays over (ping-pong buffers); processes joined by FIFOs."""


@dataclass(frozen=True)
class LayerTiming:
    """Cycles of one layer by itself: ``latency`` from its start to its end, ``interval`` from start to next start.

    As the HLS tool's report counts them. ``note``: what decides them, in a few words.
    """

    latency: Figure
    interval: Figure
    note: str = ""


@dataclass(frozen=True)
class Timing:
    """Cycles of the whole design, and of its layers by name.

    ``latency``: from the first input to the last output of one inference, alone in the design. ``interval``: between
    inferences in steady state. ``hls_latency``, ``hls_interval``: what the HLS tool's report will say, which for
    streaming designs assumes that all stages run side by side, and for loops with conditions is a minimum and a maximum
    (the band).
    """

    style: Style
    latency: Figure
    interval: Figure
    hls_latency: Figure
    hls_interval: Figure
    layers: Mapping[str, LayerTiming]


__all__ = ["LayerTiming", "Style", "Timing"]

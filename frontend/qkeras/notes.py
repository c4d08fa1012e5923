"""What float32 makes of a quantized network that is not exact, so that `check` and the report can say it."""

import numpy as np

from ...graph import Affine, Float
from ...graph.arrays import NDArray
from ...graph.ops import Constant
from ..keras.registry import Layer
from .numbers import f32, real_values
from .quantizer import Quantizer


def note_weights(layer: Layer, name: str, constant: Constant, values: NDArray) -> None:
    """Note where qkeras, computing in float32, has other weights than those that its quantizer stands for.

    Its straight-through estimator gives x + (q - x), two roundings of float32, which may miss q by the last bit of x.
    """
    meant = real_values(constant)
    missed = int(np.count_nonzero(f32(values + f32(meant - values)) != meant))
    if isinstance(constant.format, Affine):
        text = "the scales are float32 numbers; qkeras rounds each product with them, the integers are exact"
        layer.notes.append(f"{layer.name}/{name}: {text}")
    if isinstance(constant.format, Float):
        layer.notes.append(f"{layer.name}/{name}: powers of two that span over 62 bits stay float32")
    if missed:
        text = f"qkeras's x + (q - x) rounds {missed} of {meant.size} weights off their level; not so here"
        layer.notes.append(f"{layer.name}/{name}: {text}")


def note_activation(layer: Layer, quantizer: Quantizer) -> None:
    """Note where an activation is a real function, which float32 and exact arithmetic may round apart."""
    if quantizer.inexact:
        layer.notes.append(f"{layer.name}: {quantizer.inexact}")

"""The operators, by family; importing this package fills the table in ``registry``."""

from . import (
    activations,
    attention,
    constants,
    convolution,
    linear,
    logic,
    moves,
    normalization,
    padding,
    pointwise,
    pooling,
    quantized,
    reduction,
    refused,
    resize,
    slicing,
)

__all__ = [
    "activations",
    "attention",
    "constants",
    "convolution",
    "linear",
    "logic",
    "moves",
    "normalization",
    "padding",
    "pointwise",
    "pooling",
    "quantized",
    "reduction",
    "refused",
    "resize",
    "slicing",
]

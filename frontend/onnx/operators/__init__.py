"""The operators, by family; importing this package fills the table in ``registry``."""

from . import (
    activations,
    constants,
    linear,
    moves,
    normalization,
    padding,
    pointwise,
    pooling,
    qdq,
    reduction,
    refused,
    resize,
    slicing,
)

__all__ = [
    "activations",
    "constants",
    "linear",
    "moves",
    "normalization",
    "padding",
    "pointwise",
    "pooling",
    "qdq",
    "reduction",
    "refused",
    "resize",
    "slicing",
]

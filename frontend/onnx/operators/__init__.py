"""The operators, by family; importing this package fills the table in ``registry``."""

from . import (
    activations,
    constants,
    contrib,
    linear,
    moves,
    normalization,
    padding,
    pointwise,
    pooling,
    qdq,
    qoperator,
    reduction,
    refused,
    resize,
    slicing,
)

__all__ = [
    "activations",
    "constants",
    "contrib",
    "linear",
    "moves",
    "normalization",
    "padding",
    "pointwise",
    "pooling",
    "qdq",
    "qoperator",
    "reduction",
    "refused",
    "resize",
    "slicing",
]

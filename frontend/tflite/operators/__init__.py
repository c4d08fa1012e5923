"""The operators, by kind; importing this package fills the table of ``registry``."""

from . import (
    functions,
    joining,
    linear,
    moves,
    padding,
    pointwise,
    pooling,
    quantization,
    shapes,
    softmax,
)

__all__ = [
    "functions",
    "joining",
    "linear",
    "moves",
    "padding",
    "pointwise",
    "pooling",
    "quantization",
    "shapes",
    "softmax",
]

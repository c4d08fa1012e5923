"""The operators, by kind; importing this package fills the table of ``registry``."""

from . import (
    functions,
    joining,
    linear,
    logic,
    matrix,
    moves,
    normalization,
    padding,
    pointwise,
    pooling,
    quantization,
    reduction,
    resize,
    shapes,
    softmax,
)

__all__ = [
    "functions",
    "joining",
    "linear",
    "logic",
    "matrix",
    "moves",
    "normalization",
    "padding",
    "pointwise",
    "pooling",
    "quantization",
    "reduction",
    "resize",
    "shapes",
    "softmax",
]

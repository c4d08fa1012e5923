"""The operators, by kind; importing this package fills the table of ``registry``."""

from . import joining, linear, padding, pointwise, pooling, quantization, shapes

__all__ = ["joining", "linear", "padding", "pointwise", "pooling", "quantization", "shapes"]

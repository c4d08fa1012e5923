"""The operators, by kind; importing this package fills the table of ``registry``."""

from . import linear, quantization, shapes

__all__ = ["linear", "quantization", "shapes"]

"""The layers of Keras, each a function that reads all attributes and gives nodes. Importing this fills the tables."""

from . import activations, advanced, binary, convolution, core, merging, normalization, pooling, reshaping, transposed

__all__ = [
    "activations", "advanced", "binary", "convolution", "core", "merging", "normalization", "pooling", "reshaping",
    "transposed",
]  # fmt: skip

"""The layers of Keras, each a function that reads all attributes and gives nodes. Importing this fills the tables."""

from . import (
    activations,
    advanced,
    applications,
    attention,
    binary,
    cells,
    convolution,
    core,
    function_moves,
    functions,
    grouped,
    images,
    indices,
    merging,
    normalization,
    pooling,
    projection,
    recurrent,
    reshaping,
    transposed,
)

__all__ = [
    "activations", "advanced", "applications", "attention", "binary", "cells", "convolution", "core", "function_moves",
    "functions", "grouped", "images", "indices", "merging", "normalization", "pooling", "projection",
    "recurrent", "reshaping", "transposed",
]  # fmt: skip

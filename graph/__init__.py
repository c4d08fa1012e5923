"""The contract: formats, operations, the graph, what it means, its file, the errors. Imports nothing of ours."""

from .arrays import Array, Grid, NDArray
from .errors import (
    FileError,
    GatewrightError,
    ManyErrors,
    OptionError,
    RangeError,
    ShapeError,
    UnsupportedError,
    unknown,
)
from .evaluate import Inputs, Outputs, Stream, evaluate, trace, values_of
from .formats import Affine, Fixed, Float, Format, Overflow, Quantized, Rounding, parse_fixed
from .node import Graph, Node, Op, bodies, describe, infer, op_name
from .pairs import Pairs, parse_pairs, with_states
from .state import State
from .tensor import Tensor

__all__ = [
    "Affine", "Array", "FileError", "Fixed", "Float", "Format", "GatewrightError", "Graph", "Grid", "Inputs",
    "ManyErrors", "NDArray", "Node", "Op", "OptionError", "Outputs", "Overflow", "Pairs", "Quantized", "RangeError",
    "Rounding", "ShapeError", "State", "Stream", "Tensor", "UnsupportedError", "bodies", "describe", "evaluate",
    "infer", "op_name", "parse_fixed", "parse_pairs", "trace", "unknown", "values_of", "with_states",
]  # fmt: skip

"""The operations, each with its type rule beside it. Few on purpose: importers decompose what is not here."""

from ..node import Op
from .elementwise import Activation, Add, Div, Maximum, Minimum, Mul, Power, Relu, Softmax, Sub
from .functions import FUNCTIONS, Function
from .interface import Constant, Input, Lookup, Output, Quantize, Step
from .linear import Conv, ConvTranspose, Dense, MatMul, window_shape
from .pool import AvgPool, MaxPool, Reduce, Reduction, pool_counts
from .scan import Scan
from .shape import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose, Upsample, mover, pad_value

OPS: dict[str, type[Op]] = {
    op.__name__: op
    for op in (
        Input, Constant, Output, Quantize, Lookup, Step,
        Dense, MatMul, Conv, ConvTranspose,
        MaxPool, AvgPool, Reduce,
        Add, Sub, Mul, Div, Power, Maximum, Minimum, Relu, Activation, Softmax,
        Reshape, Transpose, Slice, Gather, Broadcast, Upsample, Pad, Concat,
        Scan,
    )
}  # fmt: skip
"""Every operation by its class's name: what the file format and the backends' tables count on."""

__all__ = [
    "FUNCTIONS", "OPS", "Activation", "Add", "AvgPool", "Broadcast", "Concat", "Constant", "Conv", "ConvTranspose",
    "Dense", "Div", "Function", "Gather", "Input", "Lookup", "MatMul", "MaxPool", "Maximum", "Minimum", "Mul",
    "Output", "Pad", "Power", "Quantize", "Reduce", "Reduction", "Relu", "Reshape", "Scan", "Slice", "Softmax",
    "Step", "Sub", "Transpose", "Upsample", "mover", "pad_value", "pool_counts", "window_shape",
]  # fmt: skip

"""The operations, each with its type rule beside it. Few on purpose: importers decompose what is not here."""

from ..node import Op
from .choose import BOOLEAN, ArgMax, Compare, Comparison, Select, TopK, is_boolean
from .division import Quotient, Remainder
from .elementwise import Activation, Add, Div, Maximum, Minimum, Mul, Power, Relu, Softmax, Sub
from .functions import FUNCTIONS, Function
from .gather import GatherND, ScatterND, Take, TakeAlong
from .interface import Cast, Constant, DynamicScale, Input, Lookup, Output, Quantize, Step
from .linear import Conv, ConvTranspose, Dense, MatMul, window_shape
from .pool import AvgPool, MaxPool, Reduce, Reduction, pool_counts
from .rescale import MultiplyShift, Scaling, multiply_shift
from .scan import Scan
from .shape import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose, Upsample, mover, pad_value
from .softmax import FixedSoftmax

OPS: dict[str, type[Op]] = {
    op.__name__: op
    for op in (
        Input, Constant, Output, Cast, Quantize, MultiplyShift, Lookup, Step, DynamicScale,
        Dense, MatMul, Conv, ConvTranspose,
        MaxPool, AvgPool, Reduce,
        Add, Sub, Mul, Div, Power, Maximum, Minimum, Relu, Activation, Softmax, FixedSoftmax,
        Compare, Select, ArgMax, TopK, Quotient, Remainder, Take, TakeAlong, GatherND, ScatterND,
        Reshape, Transpose, Slice, Gather, Broadcast, Upsample, Pad, Concat,
        Scan,
    )
}  # fmt: skip
"""Every operation by its class's name: what the file format and the backends' tables count on."""

__all__ = [
    "BOOLEAN", "FUNCTIONS", "OPS", "Activation", "Add", "ArgMax", "AvgPool", "Broadcast", "Cast", "Compare",
    "Comparison", "Concat", "Constant", "Conv", "ConvTranspose", "Dense", "Div", "DynamicScale", "FixedSoftmax",
    "Function", "Gather", "GatherND", "Input", "Lookup", "MatMul", "MaxPool", "Maximum", "Minimum", "Mul",
    "MultiplyShift", "Output", "Pad", "Power", "Quantize", "Quotient", "Reduce", "Reduction", "Relu", "Remainder",
    "Reshape", "Scaling", "Scan", "ScatterND", "Select", "Slice", "Softmax", "Step", "Sub", "Take", "TakeAlong",
    "TopK", "Transpose", "Upsample", "is_boolean", "mover", "multiply_shift", "pad_value", "pool_counts",
    "window_shape",
]  # fmt: skip

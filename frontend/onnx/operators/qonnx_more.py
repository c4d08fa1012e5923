"""QONNX beside its quantizers: Trunc, MultiThreshold, the operators on channels-last tensors."""

from fractions import Fraction
from math import ceil, floor

import numpy as np

from ....graph import Array, NDArray, Node, Overflow, Rounding
from ....graph.formats import bits_for
from ....graph.ops import Add, Constant, Mul, Quantize, Step, Sub, Transpose
from ..formats import in_units_of, quantized_format
from ..registry import REFUSED, Build, Call, Flow, operator
from .linear import biases_of, convolve
from .normalization import batch_normalization
from .pooling import max_pool
from .qonnx import DOMAINS, MOST_BITS, Range, factor, in_units, integer_range, parameter, read_mode, rounded

CHANNELS_LAST = ("qonnx.custom_op.channels_last",)
WIDE = 40
"""Bits of the integers that a Trunc of floats reads: float32 has 24."""

REFUSED.update(
    {
        "FloatQuant": "small floats have no integer form; use Quant",
        "QuantAvgPool2d": "use AveragePool and Trunc",
        "XnorPopcountMatMul": "use MatMul of bipolar values",
        "Im2Col": "use Conv (the model before LowerConvsToMatMul)",
    }
)


@operator("Trunc", domains=DOMAINS)
def trunc(call: Call) -> Node:
    """Drop the lowest bits of integers: those of qonnx before 1.0 (5 inputs) and from then on (6 inputs)."""
    x, new = call.flow(), len(call.inputs) > 5
    scale, zero, bits = (parameter(call, i) for i in (1, 2, 3))
    mode = read_mode(call, "FLOOR")
    out_scale, out_bits = (parameter(call, 4), parameter(call, 5)) if new else (scale, parameter(call, 4))
    if zero.any():
        raise call.refuse("a zero point", "truncate values that are symmetric about zero")
    if any(v.size != 1 for v in (scale, bits, out_scale, out_bits)) or (scale <= 0).any() or (out_scale <= 0).any():
        raise call.refuse("scales and bit widths that differ by element", "one of each for the tensor, above zero")
    unit, result = (float(v.ravel()[0]) for v in (scale, out_scale))
    whole_bits = {int(v.ravel()[0]) for v in (bits, out_bits)}
    if any(v.ravel()[0] != np.rint(v.ravel()[0]) or not 1 <= v.ravel()[0] <= MOST_BITS for v in (bits, out_bits)):
        raise call.refuse(f"bit widths of {whole_bits}", f"whole numbers from 1 to {MOST_BITS}")
    drop = round(np.log2(result / unit)) if new else int(bits.ravel()[0]) - int(out_bits.ravel()[0])
    if new:
        signed, narrow = call.attributes.boolean("signed", 1), call.attributes.boolean("narrow", 0)
        within = integer_range(out_bits.reshape(()).astype(np.float64), signed, narrow, mode)
    else:
        within = _reach(call, x, unit * 2.0**drop)
    units = _whole(call, x, unit)
    y = rounded(call, units, np.array(unit * 2.0**drop), np.zeros(()), within, mode)
    last = Fraction(result) / (Fraction(unit) * Fraction(2) ** drop)
    return y if last == 1 else call.node(Mul(), y, factor(call, np.array(float(last))))


def _reach(call: Call, x: Node, unit: float) -> Range:
    """The integers that a tensor can hold in units of ``unit``; those of wide floats where it is not known."""
    ends = x.type.real_range
    if ends is None:
        return Range(np.array(-(1 << WIDE)), np.array((1 << WIDE) - 1))
    low, high = floor(ends[0] / unit) - 1, ceil(ends[1] / unit) + 1
    bits = max((~low).bit_length() if low < 0 else 0, high.bit_length())
    return Range(np.array(-(1 << bits) if low < 0 else 0), np.array((1 << bits) - 1))


def _whole(call: Call, x: Node, unit: float) -> Node:
    """Round to whole units: what is there already stays."""
    if x.type.is_integer and x.type.quantized.scale == Fraction(unit):
        return x
    reach = _reach(call, x, unit)
    format = quantized_format(reach.width, reach.signed, np.array(unit), np.zeros((), np.int64))
    return call.node(Quantize(format, Rounding.RND_CONV, Overflow.SAT), x)


@operator("MultiThreshold", domains=DOMAINS)
def multi_threshold(call: Call) -> Node:
    """``out_scale * k + out_bias`` with k the number of thresholds t for which ``x >= t``, per channel or for all."""
    x, thresholds = call.flow(), parameter(call, 1)
    call.attributes.ignore("out_dtype", why="it names the type of the result, which the thresholds decide")
    scale, bias = call.attributes.real("out_scale", 1.0), call.attributes.real("out_bias", 0.0)
    axis = _channel_axis(call, len(x.shape) + 1)
    if thresholds.ndim != 2 or not thresholds.size or thresholds.shape[0] not in (1, x.shape[axis]):
        raise call.misfit(f"thresholds of shape {thresholds.shape} for {x.shape[axis]} channels")
    if scale == 0:
        raise call.attributes.refusal("out_scale", scale, "give a factor other than 0")
    rows = np.sort(thresholds, axis=1)
    count = _count(call, x, rows[0]) if len(np.unique(rows, axis=0)) == 1 else _by_channel(call, x, rows, axis)
    result = count if scale == 1.0 else call.node(Mul(), count, factor(call, np.array(scale)))
    steps = bias / scale
    if not bias:
        return result
    offset = in_units(call, np.array(steps), np.array(abs(scale))) if steps == round(steps) and scale > 0 else None
    return call.node(Add(), result, call.constant(np.float32(bias)) if offset is None else offset)


def _channel_axis(call: Call, rank: int) -> int:
    layout = call.attributes.text("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "")
    axis = layout.index("C") if "C" in layout else 1
    if axis >= rank or (layout and len(layout) != rank):
        raise call.attributes.refusal("data_layout", layout, f"the tensor has {rank} axes")
    return call.sample_axis(axis, rank)


def _count(call: Call, x: Node, row: NDArray) -> Node:
    counts = in_units(call, np.arange(len(row) + 1), np.ones(()))
    return call.node(Step(), x, call.constant(row, "thresholds"), counts)


def _by_channel(call: Call, x: Node, rows: NDArray, axis: int) -> Node:
    """Compare with one threshold of each channel after the other, and count."""
    shape = (-1,) + (1,) * (len(x.shape) - 1 - axis)
    zero = np.zeros(1, np.float32)
    total: Node | None = None
    for column in rows.T:
        edge = _on_grid(call, x, column.reshape(shape))
        above = _count(call, call.node(Sub(), x, edge), zero)
        total = above if total is None else call.node(Add(), total, above)
    assert total is not None
    return total


def _on_grid(call: Call, x: Node, edges: NDArray) -> Node:
    """Give thresholds as they are, or as the least whole units of integers that reach them: the same comparisons."""
    scale = x.type.quantized.scale if x.type.is_integer else None
    if not isinstance(scale, Fraction) or np.abs(edges / float(scale)).max() >= 2.0**40:
        return call.constant(edges, "thresholds")
    counts = np.vectorize(lambda t: ceil(Fraction(float(t)) / scale), otypes=[np.int64])(edges)
    width = bits_for(min(int(counts.min()), -1), int(counts.max()))
    return Node(Constant(Array(counts), in_units_of(scale, width)), (), f"{call.name}/thresholds")


def _first(x: Node) -> tuple[int, ...]:
    rank = len(x.shape)
    return (rank - 1, *range(rank - 1))


def _last(x: Node) -> tuple[int, ...]:
    return (*range(1, len(x.shape)), 0)


def _wrapped(call: Call, build: Build) -> Node:
    """Compute channels first between two transposes."""
    x = call.flow()
    first = call.node(Transpose(_first(x)), x)
    call.inputs = [Flow(first), *call.inputs[1:]]
    built = build(call)
    value = built[0] if isinstance(built, list) else built
    node = value if isinstance(value, Node) else value.node if isinstance(value, Flow) else None
    assert node is not None
    return call.node(Transpose(_last(node)), node)


@operator("Conv", domains=CHANNELS_LAST)
def conv(call: Call) -> Node:
    """Convolve [batch, *space, channels] by [filters, *kernel, channels / group]."""

    def build(call: Call) -> Node:
        x, w = call.flow(), call.weights(1, lambda v: np.moveaxis(v, 0, -1))
        return convolve(call, x, w, lambda weights: biases_of(call, x, weights))

    return _wrapped(call, build)


operator("MaxPool", domains=CHANNELS_LAST)(lambda call: _wrapped(call, max_pool))
operator("MaxPoolNHWC", domains=DOMAINS[:2])(lambda call: _wrapped(call, max_pool))
operator("BatchNormalization", domains=CHANNELS_LAST)(lambda call: _wrapped(call, batch_normalization))

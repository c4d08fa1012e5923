"""Kernels that treat each element by itself: changes of format, tables, steps, arithmetic."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from ....graph import Array, Fixed, Float, Grid, Node, Op, Overflow, Rounding, Tensor
from ....graph.arrays import Ints, NDArray, as_array
from ....graph.formats import Quantized, bits_for
from ....graph.numerics import common_scale, divide
from ....graph.ops import Add, Compare, Comparison, Constant, Lookup, Maximum, Minimum, Mul, Quantize, Relu, Step, Sub
from ...division import Quotient, approximate, select
from ..kernel import Kernel, is_constant, is_plain, kernel_rule, numbers, refuse
from .common import (
    Config,
    Constants,
    affine_or_refuse,
    channels,
    factors_of,
    integers,
    operands,
    over_period,
    periodic,
    places,
    split,
    zero_of,
)

HEADER = "gw_pointwise.h"
ROUNDINGS = tuple(Rounding)
OVERFLOWS = tuple(Overflow)
"""Numbered as in the templates."""
MAX_PRODUCT = 126
"""Bits of the widest product: its sums still fit the 128 bits of the fast simulation types."""


@kernel_rule(Quantize)
def quantize(node: Node) -> Kernel:
    """Round into another format: a conversion of ap_fixed where both are one fixed-point format, else ``rescale``."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Quantize)
    # ap_fixed has no symmetric saturation for one bit: its -1 stays
    one_bit = op.overflow is Overflow.SAT_SYM and as_array(getattr(op.format, "width", 1)).min() == 1
    if not (is_plain(x) and is_plain(node.type)) or one_bit or _drops_all(x.quantized, op.format):
        return _rescale(node, op, x)
    format = node.type.quantized
    assert isinstance(format, Fixed)
    config = {
        "c_out": channels(node.shape),
        "width": int(as_array(format.width)),
        "integer_bits": int(as_array(format.integer)),
        "is_signed": bool(format.signed),
        "rounding": ROUNDINGS.index(op.rounding),
        "overflow": OVERFLOWS.index(op.overflow),
    }
    return Kernel("quantize", HEADER, operands(node), node, config)


def _drops_all(source: Quantized, target: Quantized) -> bool:
    """Whether rounding drops every digit that the source has: the vendor's conversion reads beyond them and aborts."""
    assert isinstance(source, Fixed)
    assert isinstance(target, Fixed)
    return bool(as_array(source.fraction) - as_array(target.fraction) >= as_array(source.width))


@dataclass(frozen=True)
class _Cells:
    """What differs over one period of the tensor, as flat lists of integers, and the quotients that serve them."""

    quotients: list[Quotient]
    x_zero: list[int]
    lift: list[int]
    zero: list[int]
    width: list[int]
    signed: list[int]
    low: list[int]
    high: list[int]


def _unit(format: Quantized) -> "Fraction | Grid":
    """Give the value of one unit of a stored integer, per element where they differ."""
    if isinstance(format, Fixed) and isinstance(format.fraction, Grid):
        return Grid(np.vectorize(lambda f: Fraction(2) ** -int(f), otypes=[object])(format.fraction.data))
    return format.scale


def _rescale(node: Node, op: Quantize, x: Tensor) -> Kernel:
    cells = _cells(node, op, x)
    mode: Config = {
        "c_out": channels(node.shape),
        "select": select(op.rounding),
        "overflow": OVERFLOWS.index(op.overflow),
        "shift": cells.quotients[0].shift,
        **_widths(node, cells),
    }
    if len(cells.quotients) == 1:
        return Kernel("rescale", HEADER, operands(node), node, mode | _scalars(cells))
    tables = {name: integers(node, np.array(v, dtype=object)) for name, v in _lists(cells).items()}
    return Kernel("rescale", HEADER, operands(node), node, mode | {"period": len(cells.quotients)}, tables)


def _cells(node: Node, op: Quantize, x: Tensor) -> _Cells:
    """Bring everything that may differ by element to one period, and find the quotients."""
    format, source = op.format, x.quantized
    ratio = as_array(divide(source.scale, _unit(format)))
    lift = format.common_fraction - as_array(format.fraction) if isinstance(format, Fixed) else np.array(0)
    signed = as_array(format.signed).astype(np.int64) if isinstance(format, Fixed) else np.array(int(format.signed))
    parts = [ratio, as_array(source.zero), lift, as_array(format.zero), as_array(format.width), signed]
    shape = np.broadcast_shapes(*(p.shape for p in parts))
    flat = [periodic(np.broadcast_to(p, shape), node.shape) for p in parts]
    period = max(len(p) for p in flat)
    ratios, x_zero, lifts, zero, width, sign = (
        np.broadcast_to(p, period) if len(p) == 1 else _full(p, period) for p in flat
    )
    low, high = (
        over_period(v, node.shape, period, fold) for v, fold in zip(x.interval, (_least, _greatest), strict=True)
    )
    ends = low.tolist(), high.tolist()
    if op.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        ends = _unsaturated(ratios.tolist(), *ends, *(v.tolist() for v in (width, sign, zero)))
    found = approximate(ratios.tolist(), op.rounding, *ends)
    if found is None:
        raise refuse(
            node, "a change of scale whose exact multiplier needs over 126 bits", "use fewer bits, or a coarser scale"
        )
    lists = (v.tolist() for v in (x_zero, lifts, zero, width, sign, low, high))
    return _Cells(found, *lists)


def _unsaturated(ratios: list[Fraction], *lists: list[int]) -> tuple[list[int], list[int]]:
    """Give the part of each interval that does not saturate, and its ends: beyond, what is monotone saturates too."""
    lows, highs = [], []
    for ratio, low, high, width, sign, zero in zip(ratios, *lists, strict=True):
        top = (1 << (width - sign)) - 1
        least, greatest = (-top - 1 if sign else 0) - zero - 1, top - zero + 1
        lows.append(max(low, min(high, floor(least / ratio))))
        highs.append(min(high, max(low, ceil(greatest / ratio))))
    return lows, highs


def _least(v: NDArray) -> NDArray:
    return np.asarray(v.min(axis=0))


def _greatest(v: NDArray) -> NDArray:
    return np.asarray(v.max(axis=0))


def _full(period: NDArray, length: int) -> NDArray:
    """Repeat a shorter period: periods are sizes of last axes, so each divides the longer ones."""
    return np.tile(period, length // len(period))


def _offsets(cells: _Cells) -> tuple[list[int], list[int]]:
    """Give the offsets for stored integers: (q - zero) * M + a is q * M + (a - zero * M)."""
    pairs = list(zip(cells.quotients, cells.x_zero, strict=True))
    return [q.offset - z * q.multiplier for q, z in pairs], [q.second - z * q.multiplier for q, z in pairs]


def _widths(node: Node, cells: _Cells) -> Config:
    """Give how many bits hold each multiplier, and everything on the way to the result."""
    first, second = _offsets(cells)
    ends = [0]
    for q, z, a, b, low, high in zip(cells.quotients, cells.x_zero, first, second, cells.low, cells.high, strict=True):
        products = [(v + z) * q.multiplier for v in (low, high)]
        ends += products + [p + o for p in products for o in (a, b)] + [a, b]
    results = [w + lift for w, lift in zip(cells.width, cells.lift, strict=True)]
    zeros = max(abs(z) for z in cells.zero).bit_length()
    width = max(bits_for(min(ends), max(ends)) + 1, max(results) + 2, zeros + 2)
    multiplier = max(bits_for(-1, q.multiplier) for q in cells.quotients)
    if width > MAX_PRODUCT or multiplier > 64:
        what = f"a change of scale with a multiplier of {multiplier} bits and products of {width}"
        raise refuse(node, what, "use fewer bits before it, or a coarser scale")
    return {"product_width": width, "multiplier_width": multiplier}


def _scalars(cells: _Cells) -> Config:
    first, second = _offsets(cells)
    halves = split("offset", first) | split("offset2", second)
    return {
        "multiplier": cells.quotients[0].multiplier,
        "pivot": cells.x_zero[0],
        "zero": cells.zero[0],
        "width": cells.width[0],
        "is_signed": bool(cells.signed[0]),
        **{name: v[0] for name, v in halves.items()},
    }


def _lists(cells: _Cells) -> dict[str, list[int]]:
    first, second = _offsets(cells)
    return {
        **split("multiplier", [q.multiplier for q in cells.quotients]),
        **split("offset", first),
        **split("offset2", second),
        "pivot": cells.x_zero,
        "zero": cells.zero,
        "width": cells.width,
        "is_signed": cells.signed,
        "lift": cells.lift,
    }


@kernel_rule(Lookup)
def lookup(node: Node) -> Kernel:
    """A table in memory, addressed by the stored integer."""
    op, (x, table) = node.op, node.inputs
    assert isinstance(op, Lookup)
    format = x.type.quantized
    # the template subtracts in the operand's own type: the table starts within its range
    first = max(op.offset, int(np.min(format.bounds[0])))
    config: Config = {"c_out": channels(node.shape), "offset": first, "period": 1}
    constants: Constants = {"table": numbers(_from(table, first - op.offset))}
    if isinstance(format, Fixed) and isinstance(format.fraction, Grid):
        down = periodic(format.common_fraction - as_array(format.fraction), node.shape)
        config["period"] = len(down)
        constants["down"] = integers(node, down)
    return Kernel("lookup", HEADER, operands(node), node, config, constants)


def _from(table: Node, skip: int) -> Node:
    """Leave out the first entries of a table."""
    if not skip or not isinstance(table.op, Constant):
        return table
    return Node(Constant(Array(table.op.value.data[skip:]), table.op.format), (), table.where)


@kernel_rule(Step)
def step(node: Node) -> Kernel:
    """A binary search over thresholds in the operand's stored integers: x >= t is q >= ceil(t / scale) + zero."""
    x, thresholds, values = node.inputs
    edges = _edges(node, x.type, thresholds.type)  # [P][n]
    levels = max(len(edges[0]), 1).bit_length()
    low, high = (int(v) for v in (x.type.interval[0].min(), x.type.interval[1].max()))
    zero = zero_of(node, x.type)
    room = 2**levels - 1
    full = [[min(max(t, low), high + 1) + zero for t in row] + [high + 1 + zero] * (room - len(row)) for row in edges]
    results = numbers(values)
    padded = np.concatenate(
        [results.values.data, np.repeat(results.values.data[-1:], room + 1 - len(results.values.data))]
    )
    constants = {"thresholds": integers(node, np.array(full, dtype=object).ravel()), "values": integers(node, padded)}
    config: Config = {"c_out": channels(node.shape), "levels": levels, "period": len(edges)}
    return Kernel("step", HEADER, operands(node), node, config, constants)


def _edges(node: Node, x: Tensor, thresholds: Tensor) -> list[list[int]]:
    """Give for each cell of a period of ``x`` the least centred integer that reaches each threshold."""
    assert thresholds.value is not None
    scales = periodic(as_array(x.quantized.scale), node.shape).tolist()
    data = thresholds.value.data.ravel()
    if isinstance(thresholds.format, Float):
        if not isinstance(x.format, Fixed):
            raise refuse(node, "real thresholds on a scale that is no power of two", "quantize the thresholds")
        reals = [Fraction(float(t)) for t in data]
    else:
        format = thresholds.quantized
        units = as_array(format.scale).ravel()
        reals = [Fraction(int(t)) * units[i % len(units)] for i, t in enumerate(format.centre(data.astype(np.int64)))]
    return [[-(-t.numerator * s.denominator // (t.denominator * s.numerator)) for t in reals] for s in scales]


@kernel_rule(Relu)
def relu(node: Node) -> Kernel:
    """The centred integer, or 0."""
    config: Config = {"c_out": channels(node.shape), "x_zero": zero_of(node, node.inputs[0].type)}
    return Kernel("relu", HEADER, operands(node), node, config)


OPERATIONS = (Add, Sub, Mul, Maximum, Minimum)
COMPARISONS = (Comparison.EQUAL, Comparison.LESS, Comparison.LESS_EQUAL)
"""Numbered as in the templates, comparisons after the others."""


@kernel_rule(*OPERATIONS, Compare)
def arithmetic(node: Node) -> Kernel:
    """Two operands in the unit of the result; shapes broadcast as numpy's do."""
    constant = [is_constant(i) for i in node.inputs]
    if all(constant):
        raise refuse(node, "arithmetic between two constants", "fold constants before")
    factors = [_factors(node, i.type) for i in node.inputs]
    config: Config = {
        "c_out": channels(node.shape),
        "operation": _operation(node.op),
        **_work(node, factors),
    }
    return _with_constant(node, config, factors) if any(constant) else _of_two(node, config, factors)


def _operation(op: Op) -> int:
    if isinstance(op, Compare):
        return len(OPERATIONS) + COMPARISONS.index(op.kind)
    return OPERATIONS.index(type(op))


def _factors(node: Node, x: Tensor) -> Ints:
    if isinstance(node.op, Mul):
        return np.array(1)
    scale = node.type.quantized.scale
    if isinstance(node.op, Compare):
        scale = common_scale(*(i.type.quantized.scale for i in node.inputs))
    return factors_of(node, x, scale)


def _work(node: Node, factors: list[Ints]) -> Config:
    """Give how many bits hold both operands, scaled, and the result."""
    ends = [
        e.astype(object) * f.astype(object) for i, f in zip(node.inputs, factors, strict=True) for e in i.type.interval
    ]
    ends += [e.astype(object) for e in node.type.interval]
    low, high = min(int(np.min(e)) for e in ends), max(int(np.max(e)) for e in ends)
    return {
        "work_width": bits_for(min(low, -1), high),
        "factor_width": max(bits_for(-1, int(f.max())) for f in factors),
    }


def _with_constant(node: Node, config: Config, factors: list[Ints]) -> Kernel:
    swapped = is_constant(node.inputs[0])
    (x, f), (k, g) = list(zip(node.inputs, factors, strict=True))[:: -1 if swapped else 1]
    assert k.type.value is not None
    centred = k.type.quantized.centre(k.type.value.data.astype(np.int64)) * g
    table = periodic(centred, node.shape)
    config |= {"swapped": swapped, "period": len(table), "x_zero": zero_of(node, x.type)}
    constants: Constants = {"constants": integers(node, table)}
    config |= _factor("x", node, f, constants)
    if x.shape == node.shape:
        return Kernel("elementwise_constant", HEADER, (x,), node, config, constants)
    config |= affine_or_refuse(node, np.broadcast_to(places(x.shape), node.shape)).config("x")
    return Kernel("elementwise_constant_broadcast", HEADER, (x,), node, config, constants)


def _factor(name: str, node: Node, factors: Ints, constants: Constants) -> Config:
    """Put one factor into the configuration, or several into a table."""
    cells = periodic(factors, node.shape)
    if len(cells) > 1:
        constants[f"{name}_factors"] = integers(node, cells)
    return {f"{name}_factor": int(cells[0]), f"{name}_period": len(cells)}


def _of_two(node: Node, config: Config, factors: list[Ints]) -> Kernel:
    x, y = node.inputs
    config |= {"x_zero": zero_of(node, x.type), "y_zero": zero_of(node, y.type)}
    constants: Constants = {}
    for name, f in zip("xy", factors, strict=True):
        config |= _factor(name, node, f, constants)
    if x.shape == y.shape == node.shape and not constants:
        return Kernel("elementwise", HEADER, (x, y), node, config)
    for name, i in (("x", x), ("y", y)):
        config |= affine_or_refuse(node, np.broadcast_to(places(i.shape), node.shape)).config(name)
    if constants:  # the template reads a table for each operand
        constants = {
            f"{n}_factors": integers(node, periodic(f, node.shape)) for n, f in zip("xy", factors, strict=True)
        }
    return Kernel("elementwise_broadcast", HEADER, (x, y), node, config, constants)

"""Kernels of the arithmetic that quantized runtimes define."""

from math import ldexp

import numpy as np

from ....graph import Node
from ....graph.formats import bits_for
from ....graph.ops import FixedSoftmax, MultiplyShift, Scaling
from ....graph.ops.rescale import factors_and_shifts, integer_factor
from ..kernel import Kernel, kernel_rule, numbers, refuse
from .common import Config, channels, integers, zero_of


@kernel_rule(FixedSoftmax)
def fixed_softmax(node: Node) -> Kernel:
    """One row of the last axis after the other: a table, a sum, a reciprocal, products."""
    op, (x, *tables) = node.op, node.inputs
    assert isinstance(op, FixedSoftmax)
    if op.axis != len(x.shape) - 1:
        raise refuse(node, f"a softmax along axis {op.axis} of {len(x.shape)}", "transpose that axis to the end")
    low, high = (int(b) for b in op.format.bounds)
    config: Config = {
        "c_out": channels(node.shape), "entries": tables[0].type.size, "width": op.format.width, "low": low,
        "high": high,
    }  # fmt: skip
    constants = dict(zip(("table", "reciprocals"), map(numbers, tables), strict=False))
    return Kernel("fixed_softmax", "gw_softmax.h", (x,), node, config, constants)


def _factors(op: MultiplyShift, reach: int) -> tuple[list[int], list[int], list[int]]:
    """Multipliers and shifts, one or one a channel: the operation's own, or integers that do as its real factors."""
    if op.scaling is not Scaling.REAL:
        multipliers, rights, downs = (v.ravel().tolist() for v in factors_and_shifts(op))
        return multipliers, rights, downs
    zero = op.format.zero
    assert isinstance(zero, int)
    most = max(abs(op.low - zero), abs(op.high - zero)) + 1
    factors = (ldexp(m, s - 31) for m, s in zip(op.multiplier, op.shift, strict=True))
    pairs = [integer_factor(f, reach, most) for f in factors]
    return [m for m, _ in pairs], [0] * len(pairs), [d for _, d in pairs]


@kernel_rule(MultiplyShift)
def multiply_shift(node: Node) -> Kernel:
    """One multiplication and a shift or two an element; several multipliers are tables by channel."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, MultiplyShift)
    low, high = (int(pick(v)) for pick, v in zip((np.min, np.max), x.type.interval, strict=True))
    multipliers, rights, downs = _factors(op, max(-low, high, 1))
    halves = [1 << max(r - 1, d - 1, 0) for r, d in zip(rights, downs, strict=True)]
    reach = [v * m + s * h for v in (low, high) for m, h in zip(multipliers, halves, strict=True) for s in (-1, 0, 1)]
    half = max(halves)
    zero = node.type.quantized.zero
    assert isinstance(zero, int)
    config: Config = {
        "c_out": channels(node.shape), "x_zero": zero_of(node, x.type), "zero": zero, "low": op.low, "high": op.high,
        "product_width": max(bits_for(min(*reach, -1), max(*reach, half)), 34),
        "multiplier_width": max(bits_for(-1, m) for m in multipliers),
    }  # fmt: skip
    if len(multipliers) == 1:
        config |= {"multiplier": multipliers[0], "right": rights[0], "down": downs[0]}
        return Kernel("multiply_shift", "gw_rescale.h", (x,), node, config)
    lists = {"multipliers": multipliers, "rights": rights, "downs": downs}
    tables = {name: integers(node, np.array(values)) for name, values in lists.items()}
    return Kernel("multiply_shift", "gw_rescale.h", (x,), node, config | {"period": len(multipliers)}, tables)

"""Constants of floats on the grid of the integers that they are added to or compared with."""

from fractions import Fraction

import numpy as np

from ..graph import Affine, Array, NDArray, Node, Overflow, Rounding, values_of
from ..graph.arrays import Grid, as_array
from ..graph.formats import bits_for, exponent_of
from ..graph.numerics import Ratio, multiply
from ..graph.ops import Constant, Conv, ConvTranspose, Dense, Quantize

UNIT = "the unit of what it is added to or compared with"
FINEST = 24
"""A constant's unit is at most 2^-24 of that of the integers it meets."""


def biased(old: Node, inputs: tuple[Node, ...], bits: int) -> tuple[Node, ...]:
    """Bring a float bias to the grid of its product, where that has no power of two as its scale."""
    if not isinstance(old.op, (Dense, Conv, ConvTranspose)) or len(inputs) < 3 or old.inputs[2].type.is_integer:
        return inputs
    x, w, bias = inputs
    if not (x.type.is_integer and w.type.is_integer):
        return inputs
    return (x, w, on_grid(old.inputs[2], bias, multiply(x.type.quantized.scale, w.type.quantized.scale), bits))


def beside(old: Node, inputs: tuple[Node, ...], bits: int, *, every: bool = False) -> tuple[Node, ...]:
    """Bring float constants (``every``: those of integers too) to the grid of the other operand, where its scale is no
    power of two.
    """
    computed = [i for i in inputs if not isinstance(i.op, Constant)]
    if len(inputs) != 2 or len(computed) != 1 or not isinstance(computed[0].type.format, Affine):
        return inputs
    unit = computed[0].type.format.scale
    floats = [isinstance(i.op, Constant) and (every or not i.type.is_integer) for i in old.inputs]
    triples = zip(floats, old.inputs, inputs, strict=True)
    return tuple(on_grid(a, b, unit, bits) if is_float else b for is_float, a, b in triples)


def aligned(inputs: tuple[Node, ...], bits: int) -> tuple[Node, ...]:
    """Bring one of two computed operands whose scales have no common unit to the unit of the other, the finer one.

    Rounds to half of that unit, of a part of it where ``bits`` bits allow that, or of a multiple of it where over
    ``bits`` and a byte would be needed.
    """
    if len(inputs) != 2 or not any(isinstance(i.type.format, Affine) for i in inputs):
        return inputs
    sizes = [float(np.max(as_array(i.type.quantized.scale).astype(np.float64))) for i in inputs]
    fine = sizes[1] < sizes[0]
    unit, other = inputs[fine].type.quantized.scale, inputs[1 - fine]
    if not _broadcasts(as_array(unit).shape, other.shape):
        return inputs
    ends = [e * as_array(other.type.quantized.scale).astype(np.float64) for e in other.type.interval]
    largest = max(float(np.abs(e / as_array(unit).astype(np.float64)).max()) for e in ends)
    reach = int(np.ceil(np.log2(max(largest, 1.0)))) + 2
    k = min(FINEST, max(0, bits - reach)) - max(0, reach - bits - 8)
    op = Quantize(Affine(reach + k, True, multiply(unit, Fraction(2) ** -k)), Rounding.RND, Overflow.SAT, UNIT)
    moved = Node(op, (other,), other.where)
    return (inputs[0], moved) if fine == 0 else (moved, inputs[1])


def on_grid(old: Node, new: Node, unit: Ratio, bits: int) -> Node:
    """Give a constant ``old`` as integers in units of ``unit / 2^k``, with k such that it has ``bits`` bits.

    ``new``, a constant in a fixed-point format, serves where the unit is a power of two or does not broadcast to it.
    """
    values = values_of(old, old.op.value.data) if isinstance(old.op, Constant) else None
    cells = as_array(unit)
    if values is None or isinstance(in_fixed(unit), int) or not _broadcasts(cells.shape, values.shape):
        return new
    units = np.vectorize(float, otypes=[np.float64])(cells)
    return Node(_constant(values.astype(np.float64), unit, units, bits), (), old.where)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def in_fixed(unit: Ratio) -> int | None:
    """Give the exponent of a unit that is one power of two, None for any other."""
    return None if isinstance(unit, Grid) else exponent_of(unit)


def _constant(values: NDArray, unit: Ratio, units: NDArray, bits: int) -> Constant:
    coarse = float(np.abs(values / units).max(initial=0.0))
    k = min(FINEST, max(0, bits - 1 - int(np.ceil(np.log2(coarse))))) if coarse else 0
    stored = np.rint(values / units * 2.0**k).astype(np.int64)
    low, high = int(stored.min()), int(stored.max())
    return Constant(Array(stored), Affine(bits_for(min(low, -1), high), True, multiply(unit, Fraction(1, 2**k))))

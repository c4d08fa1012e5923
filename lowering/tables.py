"""Real functions of one value as tables."""

from collections.abc import Callable

import numpy as np

from ..graph import Array, Fixed, Grid, NDArray, Node, Overflow, Rounding, UnsupportedError
from ..graph.formats import narrowest
from ..graph.numerics import quantize
from ..graph.ops import FUNCTIONS, Activation, Add, Constant, Function, Lookup, Minimum, Quantize
from ..graph.tensor import grids
from .config import Config

Real = Callable[[NDArray], NDArray]
STEEP = ("rsqrt", "reciprocal", "log", "sqrt")
OCTAVE = 4
MOST_OCTAVES = 6
INDEX = "index of a table"
WIDE = "result of a table, before the scale of each channel"


def table_rule(node: Node, config: Config) -> Node:
    """Replace ``quantize(activation(x))`` by a table that holds the quantized function at every integer that x can be.

    Where x has more bits than a table may (``table_bits``), x is quantized first, over the range where the function
    still changes.

    %2 = activation[sigmoid](%1) : 8 float32            %2 = quantize[inserted=index of a table](%1) : 8 fixed<12,5>
    %3 = quantize(%2) : 8 ufixed<8,0>             ->    %3 = lookup[offset=-2048](%2, table) : 8 ufixed<8,0>
    """
    if not isinstance(node.op, Quantize) or not isinstance(node.inputs[0].op, Activation):
        return node
    activation = node.inputs[0]
    x, op, where = activation.inputs[0], activation.op, activation.where or node.where
    assert isinstance(op, Activation)
    if not has_unit(x):
        raise UnsupportedError(f"{op.function} reads values whose scale differs by channel", where=where)

    def function(v: NDArray) -> NDArray:
        return FUNCTIONS[op.function].call(v, *op.parameters)

    if grids(node.op.format):  # one table of 32 bits, then the scale of each channel
        wide = Quantize(_wide(x, function), Rounding.RND_CONV, Overflow.SAT, WIDE)
        return Node(node.op, (table_rule(Node(wide, (activation,), node.where), config),), node.where)
    bits = config.table_bits_of(where)
    low, high = ends(x)
    if high - low < 2**bits:
        return lookup(_in_one_format(x, where), function, node.op, where)
    if op.function in STEEP and low >= 0 and isinstance(x.type.format, Fixed):
        return Node(node.op, (octaves(x, function, node.op, bits, where),), where)
    return lookup(narrow_index(x, FUNCTIONS[op.function], bits, where), function, node.op, where)


def _in_one_format(x: Node, where: str) -> Node:
    """Give a tensor whose format differs by channel in one that holds it exactly: a table reads stored integers."""
    if not grids(x.type.format):
        return x
    format = narrowest(x.type.quantized.scale, *ends(x))
    return Node(Quantize(format, Rounding.TRN, Overflow.SAT, INDEX), (x,), where)


def _wide(x: Node, function: Real) -> Fixed:
    """Give the signed format of 32 bits that holds a function over the proved range of its operand."""
    low, high = ends(x)
    reals = np.linspace(low, high, min(high - low + 1, 1 << 16)) * unit(x)
    largest = float(np.abs(_finite(function, reals)).max(initial=2.0**-20))
    return Fixed(32, int(np.ceil(np.log2(largest))) + 2, True)


def ends(x: Node) -> tuple[int, int]:
    """Give the least and greatest centred integer that a tensor can hold."""
    low, high = x.type.interval
    return int(low.min()), int(high.max())


def lookup(index: Node, function: Real, target: Quantize, where: str) -> Node:
    """Give ``function`` of an integer tensor, rounded into ``target``'s format, as a table over its proved range."""
    low, high = ends(index)
    reals = np.arange(low, high + 1).astype(np.float64) * unit(index)
    entries = quantize(_finite(function, reals), target.format, target.rounding, target.overflow, where=where)
    table = Node(Constant(Array(entries), target.format), (), where)
    zero = index.type.quantized.zero
    assert isinstance(zero, int)
    return Node(Lookup(low + zero), (index, table), where)


def has_unit(x: Node) -> bool:
    """Whether one scale serves all integers of a tensor."""
    return x.type.is_integer and not isinstance(x.type.quantized.scale, Grid)


def unit(x: Node) -> float:
    """Give the value of one unit of a tensor with one scale."""
    scale = x.type.quantized.scale
    assert not isinstance(scale, Grid)
    return float(scale)


def _finite(function: Real, reals: NDArray) -> NDArray:
    """Evaluate; at a pole the largest number stands for infinity, where the function has no value, 0."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.asarray(function(reals), np.float64), nan=0.0, posinf=2.0**60, neginf=-(2.0**60))


def narrow_index(x: Node, function: Function, bits: int, where: str) -> Node:
    """Bring an operand to ``bits`` bits over the part of its proved range where the function changes."""
    low, high = (end * unit(x) for end in ends(x))
    reach = (max(low, _end(function.low, -np.inf)), min(high, _end(function.high, np.inf)))
    return Node(Quantize(index_format(*reach, bits), Rounding.RND, Overflow.SAT, INDEX), (x,), where)


def _end(value: float | None, default: float) -> float:
    return default if value is None else value


def index_format(low: float, high: float, bits: int) -> Fixed:
    """Give the finest format of ``bits`` bits that reaches from ``low`` to ``high``."""
    signed = low < 0
    integer = int(np.ceil(np.log2(max(-low, high, 2.0**-20)))) + signed
    return Fixed(bits, integer, signed)


def octaves(x: Node, function: Real, target: Quantize, bits: int, where: str) -> Node:
    """Give a function, steep near 0, of values >= 0 as the sum of tables that are finer the nearer to 0 they lie.

    Table k covers 0 to 2^(n - 4k) in 2^bits steps and holds zeros where a finer one serves, so that one entry of the
    sum is not zero: the relative step is at most 2^(4 - bits) down to the finest table.
    """
    top = int(np.ceil(np.log2((ends(x)[1] + 1) * unit(x))))
    finest = int(np.log2(unit(x)))
    count = max(1, min(MOST_OCTAVES, -(-(top - finest - bits) // OCTAVE) + 1))
    total: Node | None = None
    for k in range(count):
        part = _octave(x, function, target, bits, top - OCTAVE * k, last=k == count - 1, where=where)
        total = part if total is None else Node(Add(), (total, part), where)
    assert total is not None
    return total


def _octave(x: Node, function: Real, target: Quantize, bits: int, top: int, *, last: bool, where: str) -> Node:
    """One table over 0 .. 2^top; everything above reads the entry at 2^top, which is 0 unless this is the coarsest."""
    end, step = 2.0**top, 2.0 ** (top - bits)
    bound = Node(Constant(Array(np.array(1)), Fixed(1, 1 + top, False)), (), where)
    index = Node(Minimum(), (x, bound), where)
    index = Node(Quantize(Fixed(bits + 1, top + 1, False), Rounding.TRN, Overflow.SAT, INDEX), (index,), where)
    middle = step / 2 if step > unit(x) else 0.0

    def part(v: NDArray) -> NDArray:
        served = (v < end) & ((v >= end / 2**OCTAVE) | last)
        return np.where(served, _finite(function, v + middle), 0.0)

    return lookup(index, part, target, where)

"""Turn real functions of one value into tables."""

import numpy as np

from ...graph import Array, Fixed, Graph, Node, Overflow, Rounding, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.numerics import quantize, requantize
from ...graph.ops import FUNCTIONS, Activation, Constant, Function, Lookup, Quantize
from ..config import Config
from ..rewrite import again, is_plain, rebuild

EXACT_BITS = 12


def make_tables(graph: Graph, config: Config) -> Graph:
    """Replace ``quantize(activation(x))`` by a table that holds the quantized function at every integer that x can be.

    Where x has more bits than a table may (``table_bits``), x is quantized first, over the range where the function still changes.

    %2 = activation[sigmoid](%1) : 8 float32            %2 = quantize[inserted=index of a table](%1) : 8 fixed<12,5>
    %3 = quantize(%2) : 8 ufixed<8,0>             ->    %3 = lookup[offset=-2048](%2, table) : 8 ufixed<8,0>
    """
    return rebuild(graph, lambda old, inputs: _table(again(old, inputs), config))


def _table(node: Node, config: Config) -> Node:
    if not isinstance(node.op, Quantize) or not isinstance(node.inputs[0].op, Activation):
        return node
    activation = node.inputs[0]
    x, op = activation.inputs[0], activation.op
    assert isinstance(op, Activation)
    if not x.type.is_integer:
        raise UnsupportedError(f"{op.function} reads values that have no fixed-point format", where=activation.where)
    index = narrow_index(x, FUNCTIONS[op.function], config.table_bits_of(activation.where), activation.where)
    return lookup(index, lambda v: FUNCTIONS[op.function].call(v, *op.parameters), node.op, activation.where or node.where)


def lookup(index: Node, function, target: Quantize, where: str) -> Node:  # type: ignore[no-untyped-def]
    """Give ``function`` of an integer tensor, rounded into ``target``'s format, as a table over the tensor's proved range."""
    low, high = (int(v) for v in (index.type.interval[0].min(), index.type.interval[1].max()))
    reals = np.arange(low, high + 1).astype(np.float64) * float(index.type.quantized.scale)
    entries = quantize(_finite(function, reals), target.format, target.rounding, target.overflow, where=where)
    table = Node(Constant(Array(entries), target.format), (), where)
    return Node(Lookup(low), (index, table), where)


def _finite(function, reals: NDArray) -> NDArray:  # type: ignore[no-untyped-def]
    """Evaluate; at a pole the largest number stands for infinity, where the function has no value, 0."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.asarray(function(reals), np.float64), nan=0.0, posinf=2.0**60, neginf=-(2.0**60))


def narrow_index(x: Node, function: Function, bits: int, where: str) -> Node:
    """Bring an operand to at most ``bits`` bits over the part of its proved range where the function changes."""
    low, high = (int(v) for v in (x.type.interval[0].min(), x.type.interval[1].max()))
    if is_plain(x.type.format) and high - low < 2**bits:
        return x
    scale = float(x.type.quantized.scale) if isinstance(x.type.format, Fixed) else 1.0
    ends = (max(low * scale, _end(function.low, -np.inf)), min(high * scale, _end(function.high, np.inf)))
    format = index_format(*ends, bits)
    reason = f"index of a table of {2**bits} entries"
    return Node(Quantize(format, Rounding.RND, Overflow.SAT, reason), (x,), where)


def _end(value: float | None, default: float) -> float:
    return default if value is None else value


def index_format(low: float, high: float, bits: int) -> Fixed:
    """Give the finest format of ``bits`` bits that reaches from ``low`` to ``high``."""
    signed = low < 0
    integer = int(np.ceil(np.log2(max(-low, high, 2.0**-20)))) + signed
    return Fixed(bits, integer, signed)


__all__ = ["EXACT_BITS", "index_format", "lookup", "make_tables", "narrow_index", "requantize"]

"""Drop what does nothing, and give functions that integers compute exactly in exact operations."""

import numpy as np

from ...graph import Float, Graph, Node
from ...graph.formats import Fixed, Overflow, Rounding
from ...graph.numerics import quantize
from ...graph.ops import (
    Activation,
    Add,
    Cast,
    Maximum,
    Minimum,
    Mul,
    Output,
    Quantize,
    Relu,
    Reshape,
    Step,
    Sub,
    Transpose,
)
from ..rewrite import again, integers, real, rebuild, value_of


def simplify(graph: Graph) -> Graph:
    """Remove operations that change nothing; write piecewise linear functions as maxima and minima.

    %2 = relu(%1)
    %3 = relu(%2)                                    ->      %2 = relu(%1)
    %5 = activation[leaky_relu, 0.25](%4)            ->      %5 = maximum(%4, mul(%4, 0.25))
    """
    return rebuild(graph, lambda old, inputs: _simple(again(old, inputs)))


def _simple(node: Node) -> Node:
    match node:
        case Node(op=Relu(), inputs=(Node(op=Relu()) as inner,)):
            return inner
        case Node(op=Reshape(), inputs=(x,)) if node.shape == x.shape:
            return x
        case Node(op=Reshape() as op, inputs=(Node(op=Reshape(), inputs=(x,)),)):
            return _simple(Node(op, (x,), node.where))
        case Node(op=Transpose(axes=axes), inputs=(x,)) if axes == tuple(range(len(axes))):
            return x
        case Node(op=Transpose(axes=outer), inputs=(Node(op=Transpose(axes=inner), inputs=(x,)),)):
            return _simple(Node(Transpose(tuple(inner[a] for a in outer)), (x,), node.where))
        case Node(op=Add() | Sub(), inputs=(x, c)) if _is(c, 0.0) and node.shape == x.shape:
            return x
        case Node(op=Mul(), inputs=(x, c)) if _is(c, 1.0) and node.shape == x.shape:
            return x
        case Node(op=Activation(function=name, parameters=parameters), inputs=(x,)):
            return _piecewise(node, x, name, parameters)
        case Node(op=Cast() as op, inputs=(x,)) if x.type.format == op.format:
            return x
        case Node(op=Quantize() as op, inputs=(x,)) if x.type.format == op.format and not isinstance(x.op, Output):
            return x
        case _:
            return node


def _is(node: Node, value: float) -> bool:
    data = value_of(node)
    return data is not None and isinstance(node.type.format, Float) and bool(np.all(data == value))


def _piecewise(node: Node, x: Node, name: str, parameters: tuple[float, ...]) -> Node:
    where = node.where
    match name, parameters:
        case "leaky_relu", (slope,) if 0 <= slope <= 1:
            return Node(Maximum(), (x, Node(Mul(), (x, number(slope)), where)), where)
        case "abs", ():
            return Node(Maximum(), (x, Node(Mul(), (x, number(-1.0)), where)), where)
        case "hard_tanh", ():
            return Node(Minimum(), (Node(Maximum(), (x, number(-1.0)), where), number(1.0)), where)
        case "hard_sigmoid", (slope, offset):
            line = Node(Add(), (Node(Mul(), (x, number(slope)), where), number(offset)), where)
            return Node(Minimum(), (Node(Relu(), (line,), where), number(1.0)), where)
        case "hard_silu", (slope, offset):
            gate = _piecewise(node, x, "hard_sigmoid", (slope, offset))
            return Node(Mul(), (x, gate), where)
        case "threshold", (bound,):
            return Node(Mul(), (x, steps(x, (_above(bound),), (0, 1), where)), where)
        case "hard_shrink", (bound,):
            return Node(Mul(), (x, steps(x, (-bound, _above(bound)), (1, 0, 1), where)), where)
        case "soft_shrink", (bound, bias):
            kept = Node(Mul(), (x, steps(x, (-bound, _above(bound)), (1, 0, 1), where)), where)
            moved = Node(Mul(), (steps(x, (-bound, _above(bound)), (1, 0, -1), where), number(bias)), where)
            return Node(Add(), (kept, moved), where)
        case "sign", ():
            return steps(x, (0.0, _above(0.0)), (-1, 0, 1), where)
        case _:
            return node


def _above(value: float) -> float:
    """Give the least float32 above ``value``, which turns a comparison by > into one by >=."""
    return float(np.nextafter(np.float32(value), np.float32(np.inf)))


def steps(x: Node, thresholds: tuple[float, ...], values: tuple[int, ...], where: str) -> Node:
    """A piecewise constant function with small integers as values."""
    return Node(Step(), (x, real(thresholds), integers(values, Fixed(2, 2))), where)


def number(value: float) -> Node:
    """A scalar constant: of the narrowest fixed-point format where 16 bits hold it exactly, else float."""
    mantissa, exponent = np.frexp(value)
    units, shift = int(mantissa * 2**53), int(exponent) - 53
    while units and units % 2 == 0:
        units, shift = units // 2, shift + 1
    width = max(units.bit_length(), 1) + (units < 0)
    if width > 16 or not -40 <= shift <= 40:
        return real(value)
    format = Fixed(width, width + shift if units else width, units < 0)
    return integers(quantize(np.array(value), format, Rounding.TRN, Overflow.SAT), format)

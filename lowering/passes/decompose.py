"""Write division, powers and products over axes in what has an integer form."""

import numpy as np

from ...graph import Float, Graph, Node, UnsupportedError
from ...graph.ops import Activation, Div, Mul, Power, Reduce, Reduction, Slice
from ..rewrite import again, real, rebuild, value_of


def decompose(graph: Graph) -> Graph:
    """Replace Div, Power and Reduce(prod).

    %2 = div(%0, constant)      ->      %2 = mul(%0, 1 / constant)
    %3 = div(%0, %1)            ->      %3 = mul(%0, activation[reciprocal](%1))
    %4 = power(%0, 2)           ->      %4 = mul(%0, %0)
    """
    return rebuild(graph, lambda old, inputs: _simpler(again(old, inputs)))


def _simpler(node: Node) -> Node:
    match node.op:
        case Div():
            return _division(node)
        case Power():
            return _power(node)
        case Reduce(kind=Reduction.PROD):
            return _product(node)
    return node


def _division(node: Node) -> Node:
    x, y = node.inputs
    divisor = value_of(y)
    if divisor is not None and isinstance(y.type.format, Float):
        if (divisor == 0).any():
            raise UnsupportedError("division by a constant 0", where=node.where)
        return Node(Mul(), (x, real(1.0 / divisor.astype(np.float64), y.where)), node.where)
    inverse = Node(Activation("reciprocal"), (y,), node.where)
    return (
        inverse if value_of(x) is not None and bool(np.all(value_of(x) == 1)) else Node(Mul(), (x, inverse), node.where)
    )


def _power(node: Node) -> Node:
    x, exponent = node.inputs
    value = value_of(exponent)
    if value is None or value.size != 1 or not isinstance(exponent.type.format, Float):
        raise UnsupportedError(
            "a power with an exponent that is no constant number", where=node.where, hint="write it as exp(y * log(x))"
        )
    match float(value.reshape(())):
        case 1.0:
            return x
        case 2.0:
            return Node(Mul(), (x, x), node.where)
        case 3.0:
            return Node(Mul(), (Node(Mul(), (x, x), node.where), x), node.where)
        case 0.5:
            return Node(Activation("sqrt"), (x,), node.where)
        case -0.5:
            return Node(Activation("rsqrt"), (x,), node.where)
        case other:
            return Node(Activation("power", (other,)), (x,), node.where)


def _product(node: Node) -> Node:
    """Multiply slice by slice, one axis after the other."""
    op = node.op
    assert isinstance(op, Reduce)
    x = node.inputs[0]
    for axis in op.axes:
        parts = [_slice(x, axis, i, node.where) for i in range(x.shape[axis])]
        x = parts[0]
        for part in parts[1:]:
            x = Node(Mul(), (x, part), node.where)
    from ...graph.ops import Reshape

    return x if x.shape == node.shape else Node(Reshape(node.shape), (x,), node.where)


def _slice(x: Node, axis: int, index: int, where: str) -> Node:
    starts = tuple(index if a == axis else 0 for a in range(len(x.shape)))
    stops = tuple(index + 1 if a == axis else n for a, n in enumerate(x.shape))
    return Node(Slice(starts, stops, (1,) * len(x.shape)), (x,), where)

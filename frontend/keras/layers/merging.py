"""Layers that join several tensors: arithmetic with broadcasting, Concatenate, Dot."""

from collections.abc import Sequence

import numpy as np

from ....graph import Node, Op, ShapeError
from ....graph.ops import Add, Broadcast, Concat, MatMul, Maximum, Minimum, Mul, Reduce, Reduction, Sub, Transpose
from ..masks import both, constant_mask, copy, either, mask_of, spread
from ..registry import Dialect, Layer, Masking, layer
from .common import axis_of, reshape
from .normalization import unit_length


def several(layer: Layer, inputs: list[Node], least: int = 1) -> list[Node]:
    """Check how many tensors a merging layer is given."""
    if len(inputs) < least:
        what = f"the layer joins at least {least} tensors, it is called with {len(inputs)}"
        raise ShapeError(what, where=layer.place, hint="save the model again")
    return inputs


def joint(layer: Layer, inputs: Sequence[Node], y: Node) -> Node:
    """Give the result the mask of its operands.

    Keras 3: of all of them, where any counts; tf-keras: of those that have one, where all count.
    """
    masks = [mask_of(layer, x) for x in inputs]
    found = [m for m in masks if m is not None]
    if y in inputs and len(found) < len(masks):
        y = copy(layer, y)
    if found and layer.dialect is Dialect.TF_KERAS:
        layer.masks.of[y] = both(layer, found)
    elif found and len(found) == len(masks):
        layer.masks.of[y] = either(layer, found)
    return y


def _fold(layer: Layer, inputs: Sequence[Node], op: Op) -> Node:
    total = inputs[0]
    for x in inputs[1:]:
        total = layer.node(op, total, x)
    return total


for _name, _op in {"Add": Add(), "Multiply": Mul(), "Maximum": Maximum(), "Minimum": Minimum()}.items():

    def _build(layer: Layer, inputs: list[Node], op: Op = _op) -> Node:
        return joint(layer, inputs, _fold(layer, several(layer, inputs), op))

    layer(_name, masking=Masking.OWN)(_build)


@layer("Subtract", masking=Masking.OWN)
def subtract(layer: Layer, inputs: list[Node]) -> Node:
    """Import the first minus the second."""
    if len(inputs) != 2:
        raise ShapeError(f"Subtract reads two tensors, it is called with {len(inputs)}", where=layer.place)
    return joint(layer, inputs, layer.node(Sub(), *inputs))


@layer("Average", masking=Masking.OWN)
def average(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mean; of integers exactly, as a reduction over a new axis."""
    several(layer, inputs)
    if not all(x.type.is_integer for x in inputs):
        mean = layer.node(Mul(), _fold(layer, inputs, Add()), layer.constant(1 / len(inputs), "share"))
        return joint(layer, inputs, mean)
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    full = [x if x.shape == shape else layer.node(Broadcast(shape), x) for x in inputs]
    stacked = layer.node(Concat(0), *(reshape(layer, x, (1, *shape)) for x in full))
    return joint(layer, inputs, layer.node(Reduce(Reduction.MEAN, (0,)), stacked))


@layer("Concatenate", masking=Masking.OWN)
def concatenate(layer: Layer, inputs: list[Node]) -> Node:
    """Import tensors joined along an axis."""
    several(layer, inputs)
    axis = axis_of(layer, "axis", layer.config.take("axis", -1), len(inputs[0].shape))
    if len(inputs) == 1:
        return inputs[0]
    y = layer.node(Concat(axis), *inputs)
    masks = [mask_of(layer, x) for x in inputs]
    if any(m is not None for m in masks):
        wide = [
            constant_mask(layer, np.ones(x.shape)) if m is None else spread(layer, m, x.shape)
            for x, m in zip(inputs, masks, strict=True)
        ]
        kind = Reduction.MAX if layer.dialect is Dialect.KERAS3 else Reduction.MIN
        last = (len(y.shape) - 1,)
        layer.masks.of[y] = layer.node(Reduce(kind, last), layer.node(Concat(axis), *wide))
    return y


@layer("Dot")
def dot(layer: Layer, inputs: list[Node]) -> Node:
    """Import sums of products along one axis of each, over all pairs of the other axes; normalize gives cosines."""
    if len(inputs) != 2:
        raise ShapeError(f"Dot reads two tensors, it is called with {len(inputs)}", where=layer.place)
    x, y = inputs
    value = layer.config.take("axes")
    given = value if isinstance(value, list) and len(value) == 2 else [value, value]
    a, b = (axis_of(layer, "axes", v, len(t.shape)) for v, t in zip(given, inputs, strict=True))
    if layer.config.boolean("normalize", False):
        least = 1e-12 if layer.dialect is Dialect.TF_KERAS else 1e-14
        x, y = unit_length(layer, x, (a,), least), unit_length(layer, y, (b,), least)
    rest_x, rest_y = (tuple(n for i, n in enumerate(t.shape) if i != k) for t, k in ((x, a), (y, b)))
    left = reshape(layer, _move(layer, x, a, last=True), (int(np.prod(rest_x, dtype=int)), x.shape[a]))
    right = reshape(layer, _move(layer, y, b, last=False), (y.shape[b], int(np.prod(rest_y, dtype=int))))
    return reshape(layer, layer.node(MatMul(), left, right), (*rest_x, *rest_y) or (1,))


def _move(layer: Layer, x: Node, axis: int, *, last: bool) -> Node:
    others = [i for i in range(len(x.shape)) if i != axis]
    axes = (*others, axis) if last else (axis, *others)
    return x if axes == tuple(range(len(axes))) else layer.node(Transpose(axes), x)

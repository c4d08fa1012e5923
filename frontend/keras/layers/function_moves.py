"""Functions of ``keras.ops`` that move values: shapes, orders, slices, joins. The batch stays the first axis."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ....graph import Node, ShapeError
from ....graph.ops import Broadcast, Concat, Gather, Pad, Slice, Take, Transpose
from ..registry import Layer, function
from .common import axis_of, reshape
from .functions import argument, tensor
from .indices import whole

MAX_PARTS = 1024


def like(layer: Layer, x: Node, y: Node) -> Node:
    """Give ``y`` the type (whole numbers, truth values) that ``x`` has."""
    if x in layer.masks.types:
        layer.masks.types[y] = layer.masks.types[x]
    return y


@function("Reshape", arguments=("x", "newshape"))
def reshape_(layer: Layer, inputs: list[Node]) -> Node:
    """Import another shape; the batch must stay, as -1 or None."""
    x, shape = tensor(layer, "x"), argument(layer, "newshape")
    if not isinstance(shape, list) or not shape:
        raise layer.config.refusal("newshape", shape, "give a shape with the batch")
    batch, *rest = shape
    if batch not in (-1, None) or not all(isinstance(n, int) and n > 0 for n in rest):
        raise layer.config.refusal("newshape", shape, "give -1 for the batch, and numbers for all other axes")
    if int(np.prod(rest, dtype=object)) != x.type.size:
        what = f"{x.shape} cannot be reshaped to {rest} for each sample"
        raise ShapeError(what, where=layer.place, hint="the batch must stay as it is")
    return like(layer, x, reshape(layer, x, rest))


@function("ExpandDims", arguments=("x", "axis"))
def expand_dims(layer: Layer, inputs: list[Node]) -> Node:
    """Import new axes of length 1."""
    x, value = tensor(layer, "x"), argument(layer, "axis")
    items = value if isinstance(value, list) else [value]
    rank = len(x.shape) + len(items)
    at = {axis_of(layer, "axis", v, rank) for v in items}
    old = iter(x.shape)
    return like(layer, x, reshape(layer, x, [1 if i in at else next(old) for i in range(rank)]))


@function("Squeeze", arguments=("x", "axis"))
def squeeze(layer: Layer, inputs: list[Node]) -> Node:
    """Import the removal of axes of length 1."""
    x, value = tensor(layer, "x"), argument(layer, "axis")
    if value is None:
        raise layer.config.refusal("axis", None, "name the axes; a batch of one sample would go, too")
    gone = {axis_of(layer, "axis", v, len(x.shape)) for v in (value if isinstance(value, list) else [value])}
    if any(x.shape[a] != 1 for a in gone):
        raise ShapeError(f"axes of {x.shape} that are not 1 long cannot go", where=layer.place)
    return like(layer, x, reshape(layer, x, [n for i, n in enumerate(x.shape) if i not in gone]))


@function("Transpose", arguments=("x", "axes"))
def transpose(layer: Layer, inputs: list[Node]) -> Node:
    """Import another order of axes, the batch first."""
    x, axes = tensor(layer, "x"), argument(layer, "axes")
    rank = len(x.shape) + 1
    order = [a % rank if isinstance(a, int) and -rank <= a < rank else -1 for a in axes] if axes else []
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise layer.config.refusal("axes", axes, "give every axis once, 0 (the batch) first")
    return like(layer, x, _moved(layer, x, [a - 1 for a in order[1:]]))


def _moved(layer: Layer, x: Node, order: list[int]) -> Node:
    return x if order == list(range(len(order))) else layer.node(Transpose(tuple(order)), x)


@function("Swapaxes", arguments=("x", "axis1", "axis2"))
def swap_axes(layer: Layer, inputs: list[Node]) -> Node:
    """Import an exchange of two axes."""
    x = tensor(layer, "x")
    a, b = (axis_of(layer, n, argument(layer, n), len(x.shape)) for n in ("axis1", "axis2"))
    order = list(range(len(x.shape)))
    order[a], order[b] = order[b], order[a]
    return like(layer, x, _moved(layer, x, order))


@function("Moveaxis", arguments=("x", "source", "destination"))
def move_axis(layer: Layer, inputs: list[Node]) -> Node:
    """Import axes that go to other places."""
    x = tensor(layer, "x")
    pairs = [(v if isinstance(v, list) else [v]) for v in (argument(layer, n) for n in ("source", "destination"))]
    sources, targets = ([axis_of(layer, "source", v, len(x.shape)) for v in p] for p in pairs)
    order = [i for i in range(len(x.shape)) if i not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return like(layer, x, _moved(layer, x, order))


@function("GetItem", arguments=("x", "key"))
def get_item(layer: Layer, inputs: list[Node]) -> Node:
    """Import slices, single elements and new axes."""
    x, key = tensor(layer, "x"), argument(layer, "key")
    items = list(key) if isinstance(key, list) else [key]
    used = sum(v is not None and not _is(v, "__ellipsis__") for v in items)
    wide = [i for i, v in enumerate(items) if _is(v, "__ellipsis__")]
    missing = len(x.shape) + 1 - used
    everything: list[Any] = [{"class_name": "__slice__", "config": {}}] * max(missing, 0)
    if len(wide) > 1 or missing < 0:
        raise layer.unsupported(f"the key {str(key)[:80]}", f"index at most {len(x.shape) + 1} axes")
    items = [*items[: wide[0]], *everything, *items[wide[0] + 1 :]] if wide else [*items, *everything]
    batch, *rest = items
    if not _is(batch, "__slice__") or any(v is not None for v in _bounds(batch)):
        raise layer.unsupported(f"the key {str(key)[:80]}", "take the whole batch")
    return like(layer, x, sliced(layer, x, rest))


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == kind


def _bounds(item: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    config = item.get("config") or {}
    found = tuple(config.get(k) for k in ("start", "stop", "step"))
    return found[0], found[1], found[2] if found[2] != 1 else None


def sliced(layer: Layer, x: Node, items: list[Any]) -> Node:
    """Apply one item for each axis: a slice, an index, or None for a new axis."""
    starts, stops, steps, shape = [], [], [], []
    lengths = iter(x.shape)
    for item in items:
        if item is None:
            shape.append(1)
            continue
        n = next(lengths)
        single = isinstance(item, int) and not isinstance(item, bool)
        if single and not -n <= item < n:
            raise ShapeError(f"there is no element {item} of {n}", where=layer.place)
        if not single and not (_is(item, "__slice__") and all(v is None or isinstance(v, int) for v in _bounds(item))):
            raise layer.unsupported(f"the index {str(item)[:80]}", "use numbers and slices")
        start, stop, step = (item % n, item % n + 1, 1) if single else slice(*_bounds(item)).indices(n)
        count = len(range(start, stop, step))
        if not count:
            raise ShapeError(f"a slice of {x.shape} leaves nothing", where=layer.place)
        starts.append(start)
        stops.append(None if stop < 0 else stop)
        steps.append(step)
        shape += [] if single else [count]
    cut = layer.node(Slice(tuple(starts), tuple(stops), tuple(steps)), x)
    return reshape(layer, x if cut.shape == x.shape and set(steps) <= {1} else cut, shape)


def _several(layer: Layer, name: str) -> list[Node]:
    values = argument(layer, name)
    if not isinstance(values, list) or not values or not all(isinstance(v, Node) for v in values):
        raise layer.unsupported(f"{name} = {str(values)[:80]}", "give tensors of the model")
    if len({layer.masks.types.get(v) for v in values}) > 1:
        raise layer.unsupported("tensors of several types", "cast them to one")
    return values


@function("Concatenate", "Stack", arguments=("xs", "axis"))
def concatenate(layer: Layer, inputs: list[Node]) -> Node:
    """Import tensors joined along an axis, or along a new one."""
    values, value = _several(layer, "xs" if "xs" in layer.call else "x"), argument(layer, "axis", 0)
    new = layer.class_name == "Stack"
    axis = axis_of(layer, "axis", value, len(values[0].shape) + new)
    parts = [reshape(layer, v, (*v.shape[:axis], 1, *v.shape[axis:])) if new else v for v in values]
    return like(layer, values[0], layer.node(Concat(axis), *parts) if len(parts) > 1 else parts[0])


@function("Split", arguments=("x", "indices_or_sections", "axis"))
def split(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import parts of a tensor along an axis."""
    x, given = tensor(layer, "x"), argument(layer, "indices_or_sections")
    axis = axis_of(layer, "axis", argument(layer, "axis", 0), len(x.shape))
    n = x.shape[axis]
    if isinstance(given, int):
        if given < 1 or n % given or given > MAX_PARTS:
            raise layer.config.refusal("indices_or_sections", given, f"give a divisor of {n}")
        edges = [i * (n // given) for i in range(given + 1)]
    else:
        edges = [0, *given, n]
    if edges != sorted(set(edges)) or edges[-1] > n:
        raise layer.config.refusal("indices_or_sections", given, "give ascending places inside the axis")
    return [like(layer, x, _part(layer, x, axis, a, b)) for a, b in pairwise(edges)]


@function("Unstack", arguments=("x", "num", "axis"))
def unstack(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import each element along an axis."""
    x = tensor(layer, "x")
    argument(layer, "num")
    axis = axis_of(layer, "axis", argument(layer, "axis", 0), len(x.shape))
    if x.shape[axis] > MAX_PARTS:
        raise layer.unsupported(f"{x.shape[axis]} parts", f"use at most {MAX_PARTS}")
    rest = [n for i, n in enumerate(x.shape) if i != axis]
    parts = [_part(layer, x, axis, i, i + 1) for i in range(x.shape[axis])]
    return [like(layer, x, reshape(layer, p, rest)) for p in parts]


def _part(layer: Layer, x: Node, axis: int, start: int, stop: int) -> Node:
    starts, stops = [0] * len(x.shape), list(x.shape)
    starts[axis], stops[axis] = start, stop
    return layer.node(Slice(tuple(starts), tuple(stops), (1,) * len(x.shape)), x)


@function("Flip", arguments=("x", "axis"))
def flip(layer: Layer, inputs: list[Node]) -> Node:
    """Import the reverse order along axes."""
    x, value = tensor(layer, "x"), argument(layer, "axis")
    if value is None:
        raise layer.config.refusal("axis", None, "name the axes; all of them would turn the batch")
    axes = {axis_of(layer, "axis", v, len(x.shape)) for v in (value if isinstance(value, list) else [value])}
    turned = [i in axes for i in range(len(x.shape))]
    starts = tuple(n - 1 if t else 0 for n, t in zip(x.shape, turned, strict=True))
    stops = tuple(None if t else n for n, t in zip(x.shape, turned, strict=True))
    return like(layer, x, layer.node(Slice(starts, stops, tuple(-1 if t else 1 for t in turned)), x))


@function("Repeat", arguments=("x", "repeats", "axis"))
def repeat(layer: Layer, inputs: list[Node]) -> Node:
    """Import each element several times along an axis."""
    x, times, value = tensor(layer, "x"), argument(layer, "repeats"), argument(layer, "axis")
    if value is None or not isinstance(times, int) or times < 1:
        raise layer.config.refusal("repeats", times, "give one number, and the axis")
    axis = axis_of(layer, "axis", value, len(x.shape))
    return like(layer, x, layer.node(Gather(axis, tuple(int(i) for i in np.arange(x.shape[axis]).repeat(times))), x))


@function("Tile", arguments=("x", "repeats"))
def tile(layer: Layer, inputs: list[Node]) -> Node:
    """Import a tensor several times along each axis."""
    x, given = tensor(layer, "x"), argument(layer, "repeats")
    times = [given] if isinstance(given, int) else list(given)
    full = [1] * (len(x.shape) + 1 - len(times)) + times
    if len(full) != len(x.shape) + 1 or full[0] != 1 or min(full) < 1:
        raise layer.config.refusal("repeats", given, "1 for the batch, at least 1 for the others")
    y = x
    for axis, n in enumerate(full[1:]):
        y = layer.node(Gather(axis, tuple(range(x.shape[axis])) * n), y) if n > 1 else y
    return like(layer, x, y)


@function("BroadcastTo", arguments=("x", "shape"))
def broadcast_to(layer: Layer, inputs: list[Node]) -> Node:
    """Import axes of length 1 that are repeated."""
    x, shape = tensor(layer, "x"), argument(layer, "shape")
    if not isinstance(shape, list) or len(shape) != len(x.shape) + 1 or shape[0] not in (-1, None):
        raise layer.config.refusal("shape", shape, "the batch must stay")
    return like(layer, x, layer.node(Broadcast(tuple(shape[1:])), x))


@function("Pad", arguments=("x", "constant_values"))
def pad(layer: Layer, inputs: list[Node]) -> Node:
    """Import a border of one value."""
    x, width = tensor(layer, "x"), argument(layer, "pad_width")
    mode, value = argument(layer, "mode", "constant"), argument(layer, "constant_values")
    pairs = [list(p) for p in width] if isinstance(width, list) and all(isinstance(p, list) for p in width) else []
    if len(pairs) != len(x.shape) + 1 or pairs[0] != [0, 0] or mode != "constant":
        raise layer.config.refusal("pad_width", width, "a pair for each axis, (0, 0) for the batch, mode constant")
    if not isinstance(value, (int, float, type(None))):
        raise layer.unsupported("a border of computed values", "give a number")
    return like(layer, x, layer.node(Pad(tuple((a, b) for a, b in pairs[1:]), float(value or 0)), x))


@function("Take", arguments=("x", "indices", "axis"))
def take(layer: Layer, inputs: list[Node]) -> Node:
    """Import elements at given places along an axis."""
    x, indices = argument(layer, "x"), argument(layer, "indices")
    if isinstance(x, Node) and not isinstance(indices, Node):
        axis = axis_of(layer, "axis", argument(layer, "axis"), len(x.shape))
        picks = np.asarray(indices, np.int64)
        if picks.ndim > 1 or (abs(picks * 2 + 1) > 2 * x.shape[axis]).any():
            raise layer.unsupported(f"the indices {str(indices)[:80]}", "give a list of places that exist")
        y = layer.node(Gather(axis, tuple(int(i) % x.shape[axis] for i in picks.ravel())), x)
        shape = (*x.shape[:axis], *picks.shape, *x.shape[axis + 1 :])
        return like(layer, x, reshape(layer, y, shape))
    table = None if isinstance(x, Node) else np.asarray(x, np.float32)
    if table is None or not isinstance(indices, Node) or argument(layer, "axis") != 0:
        raise layer.unsupported("elements at computed places of a computed tensor", "use an Embedding")
    return layer.node(Take(0), layer.constant(table), whole(layer, indices, len(table)))

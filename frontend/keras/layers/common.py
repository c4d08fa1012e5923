"""What many layers share: layouts, paddings, axes."""

from collections.abc import Callable, Sequence
from typing import Any

from ....graph import Node, ShapeError
from ....graph.ops import Pad, Reshape, Transpose
from ...attributes import Attributes
from ...padding import same_padding
from ..registry import Layer

Pairs = tuple[tuple[int, int], ...]


def single(layer: Layer, inputs: list[Node]) -> Node:
    """Give the one input of a layer."""
    if len(inputs) != 1:
        raise ShapeError(f"the layer reads one tensor, it is called with {len(inputs)}", where=layer.place)
    return inputs[0]


def channels_first(config: Attributes) -> bool:
    """Read ``data_format``."""
    value = config.choice("data_format", "channels_last", "channels_first", None, default="channels_last")
    return bool(value == "channels_first")


def spatial(layer: Layer, x: Node, rank: int, apply: Callable[[Node], Node]) -> Node:
    """Apply an operation over ``rank`` axes that wants channels last, in the layout that the layer says."""
    if len(x.shape) != rank + 1:
        what = f"the layer works over {rank} axes and channels, it is given {x.shape}"
        raise ShapeError(what, where=layer.place, hint="check the layer before it")
    if not channels_first(layer.config):
        return apply(x)
    return to_first(layer, apply(to_last(layer, x)))


def to_last(layer: Layer, x: Node) -> Node:
    """Move the first axis (the channels) to the end."""
    return layer.node(Transpose((*range(1, len(x.shape)), 0)), x)


def to_first(layer: Layer, x: Node) -> Node:
    """Move the last axis (the channels) to the front."""
    return layer.node(Transpose((len(x.shape) - 1, *range(len(x.shape) - 1))), x)


def read_padding(
    layer: Layer,
    space: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    causal: bool,
) -> Pairs:
    """Read ``padding`` (valid, same and, where the layer has it, causal) as zeros before and after each axis."""
    allowed = ("valid", "same", "causal") if causal else ("valid", "same")
    value = layer.config.take("padding", "valid")
    value = value.lower() if isinstance(value, str) else value
    if value not in allowed:
        raise layer.config.refusal("padding", value, f"supported: {', '.join(allowed)}")
    if value == "same":
        sizes = zip(space, window, strides, dilation, strict=True)
        return tuple(same_padding(n, (k - 1) * d + 1, s) for n, k, s, d in sizes)
    if value == "causal":
        return tuple(((k - 1) * d, 0) for k, d in zip(window, dilation, strict=True))
    return ((0, 0),) * len(window)


def axis_of(layer: Layer, key: str, value: Any, rank: int) -> int:
    """Turn an axis that counts the batch (negative from the end) into ours; the batch itself is refused."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not -rank - 1 <= value <= rank
        or value in (0, -rank - 1)
    ):
        raise layer.config.refusal(key, value, f"give an axis of 1 to {rank}, or -1 to -{rank}; 0 is the batch")
    return value - 1 if value > 0 else value + rank


def axes_of(layer: Layer, key: str, value: Any, rank: int) -> tuple[int, ...]:
    """Turn one axis or a list of axes into ours, ascending."""
    items = value if isinstance(value, list) else [value]
    axes = tuple(sorted(axis_of(layer, key, v, rank) for v in items))
    if len(set(axes)) != len(axes) or not axes:
        raise layer.config.refusal(key, value, "give each axis once")
    return axes


def along(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """Give ``shape`` with every axis but ``axes`` of length 1, without leading ones: what broadcasts along them."""
    kept = [n if i in axes else 1 for i, n in enumerate(shape)]
    return tuple(kept[min(axes) :])


def reshape(layer: Layer, x: Node, shape: Sequence[int]) -> Node:
    """Reshape, where that changes anything."""
    return x if x.shape == tuple(shape) else layer.node(Reshape(tuple(shape)), x)


def pad(layer: Layer, x: Node, padding: Sequence[tuple[int, int]]) -> Node:
    """Put zeros around, where any are asked for."""
    pairs = tuple((int(a), int(b)) for a, b in padding)
    return layer.node(Pad(pairs), x) if any(p != (0, 0) for p in pairs) else x

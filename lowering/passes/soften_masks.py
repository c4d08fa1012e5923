"""Masks before a softmax as numbers of few bits."""

import numpy as np

from ...graph import Array, Float, Graph, Inputs, NDArray, Node
from ...graph.ops import Add, Constant, Softmax
from ..config import Config
from ..ranges import observe
from ..rewrite import again, note, rebuild

REACH = 16.0
"""exp(-16) is under half a unit of the tables of a softmax: what lies so far below the rest counts for nothing."""


def soften_masks(graph: Graph, config: Config, samples: Inputs | None = None) -> Graph:
    """Replace what a mask adds before a softmax (-1e9, the least float32) by a number as good that needs few bits.

    With values from ``low`` to ``high`` beside the mask, -(high - low + 16) leaves a masked value at least 16 below any
    other. The range is what was seen on samples, else that of the precision. A row that is masked as a whole stays.

    %2 = add(%0, constant(0, -1e9, ...))      ->      %2 = add(%0, constant(0, -80, ...))
    %3 = softmax(%2)                                  %3 = softmax(%2)
    """
    masked = [node for node in graph.nodes if _softmaxes(graph, node)]
    if not masked:
        return graph
    seen = observe(graph, samples) if samples is not None else {}
    notes: list[str] = []

    def soften(old: Node, inputs: tuple[Node, ...]) -> Node:
        if old not in masked:
            return again(old, inputs)
        place = _place(inputs)
        x, mask = old.inputs[1 - place], inputs[place].op
        assert isinstance(mask, Constant)
        if x in seen and np.isfinite((seen[x].low, seen[x].high)).all():
            spread = seen[x].high - seen[x].low
        else:
            spread = 2.0 ** int(np.max(config.precision_of(old.where)[0].format.integer))  # type: ignore[arg-type]
        least = -float(2.0 ** np.ceil(np.log2(spread + REACH)))
        soft = _softened(mask.value.data, least, old.shape, _softmaxes(graph, old))
        if soft is None:
            return again(old, inputs)
        notes.append(
            f"{old.where}: what a mask takes away lies {-least:g} below, in place of {-mask.value.data.min():g}"
        )
        new = Node(Constant(Array(soft)), (), inputs[place].where)
        return Node(old.op, tuple(new if i == place else v for i, v in enumerate(inputs)), old.where)

    return note(rebuild(graph, soften), *notes)


def _place(inputs: tuple[Node, ...]) -> int:
    return 0 if isinstance(inputs[0].op, Constant) else 1


def _softmaxes(graph: Graph, node: Node) -> tuple[int, ...]:
    """Give the axes of the softmaxes that alone read a sum of a computed tensor and a float constant."""
    if not isinstance(node.op, Add) or [isinstance(i.op, Constant) for i in node.inputs].count(True) != 1:
        return ()
    if not isinstance(node.inputs[_place(node.inputs)].type.format, Float):
        return ()
    users = [user.op for user in graph.users[node]]
    axes = tuple(op.axis for op in users if isinstance(op, Softmax))
    return axes if len(axes) == len(users) else ()


def _softened(mask: NDArray, least: float, shape: tuple[int, ...], axes: tuple[int, ...]) -> NDArray | None:
    """Give the mask with nothing below ``least``; None where there is nothing, or where a whole row is."""
    below = mask < least
    rows = np.broadcast_to(below, shape)
    if not below.any() or any(rows.all(axis=axis).any() for axis in axes):
        return None
    return np.where(below, np.float32(least), mask).astype(np.float32)

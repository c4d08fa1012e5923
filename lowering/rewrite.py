"""What passes share: rebuilding a graph, constants, small makers of nodes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..graph import Affine, Array, Fixed, Float, Format, Graph, Node, Op, Quantized, Rounding, UnsupportedError
from ..graph.arrays import Grid, NDArray
from ..graph.ops import Constant, FixedSoftmax, MultiplyShift, Output, Quantize

Rebuild = Callable[[Node, tuple[Node, ...]], Node]


def rebuild(graph: Graph, fn: Rebuild) -> Graph:
    """Rebuild from the inputs on: ``fn(old, new inputs)`` gives the new node of each old one. States keep the formats
    in which they are read.
    """
    new: dict[Node, Node] = {}
    for old in graph.nodes:
        new[old] = fn(old, tuple(new[i] for i in old.inputs))
    for state in graph.states:
        new[state.next] = closed(new[state.next], new[state.entry])
    return graph.renewed(new)


STATE = "state of a recurrence"


def closed(output: Node, entry: Node) -> Node:
    """Bring what becomes a state's next value back to the format that the state is read in, where it has another."""
    if isinstance(entry.type.format, Float) or output.type.format == entry.type.format:
        return output
    assert isinstance(output.op, Output)
    return Node(output.op, (in_format(output.inputs[0], entry, output.where),), output.where)


def in_format(node: Node, entry: Node, where: str) -> Node:
    """Quantize ``node`` to the format of an input, unless it has it."""
    format = entry.type.format
    if isinstance(format, Float) or node.type.format == format:
        return node
    return Node(Quantize(format, Rounding.RND, inserted=STATE), (node,), where)


STORED = (MultiplyShift, FixedSoftmax)
"""Operations that read integers, whatever they mean."""


def again(old: Node, inputs: tuple[Node, ...]) -> Node:
    """The same operation on new inputs; the same node where they are the same.

    Raises UnsupportedError where it reads integers whatever they mean, and they would now mean something else.
    """
    if all(a is b for a, b in zip(old.inputs, inputs, strict=True)):
        return old
    if isinstance(old.op, STORED) and inputs[0].type.quantized.scale != old.inputs[0].type.quantized.scale:
        what = "the integers of the model before a change of scale cannot be kept"
        raise UnsupportedError(what, where=old.where, hint="import a model that is quantized throughout, or not at all")
    return Node(old.op, inputs, old.where)


def note(graph: Graph, *notes: str) -> Graph:
    """Add notes for the user, each once."""
    return replace(graph, notes=tuple(dict.fromkeys((*graph.notes, *notes))))


def real(value: npt.ArrayLike, where: str = "") -> Node:
    """A float32 constant."""
    return Node(Constant(Array(np.asarray(value, np.float32))), (), where)


def integers(value: npt.ArrayLike, format: Format, where: str = "") -> Node:
    """A constant of stored integers."""
    return Node(Constant(Array(np.asarray(value, np.int64)), format), (), where)


def value_of(node: Node) -> NDArray | None:
    """What a constant holds, as stored; None for any other node."""
    return node.op.value.data if isinstance(node.op, Constant) else None


def is_plain(format: Format) -> bool:
    """Whether a format is Fixed with one width and one point for all elements."""
    return isinstance(format, Fixed) and not any(
        isinstance(v, Grid) for v in (format.width, format.integer, format.signed)
    )


def is_flat(format: Format) -> bool:
    """Whether all elements have one width, scale and zero point: the stored integer alone says the value."""
    if isinstance(format, Affine):
        return not isinstance(format.scale, Grid) and not isinstance(format.zero_point, Grid)
    return is_plain(format)


def plain_width(format: Quantized) -> int:
    """Bits of the widest element."""
    return format.width if isinstance(format.width, int) else int(format.width.data.max())


def apply(op: Op, *inputs: Node, where: str = "") -> Node:
    """Make a node."""
    return Node(op, inputs, where)

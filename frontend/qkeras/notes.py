"""What float32 makes of a quantized network that is not exact, so that `check` and the report can say it."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ...graph import Affine, Graph, Node
from ...graph.arrays import NDArray
from ...graph.ops import Activation, Constant, Quantize
from .numbers import f32, real_values
from .quantizer import Quantizer

_NOTES: "WeakKeyDictionary[Node, str]" = WeakKeyDictionary()
"""What was seen when a constant was made; kept while the node is."""


@dataclass(frozen=True)
class Note:
    """One place where qkeras, computing in float32, and exact arithmetic may differ, and by what."""

    where: str
    text: str


def remember(node: Node, quantizer: Quantizer, values: NDArray) -> Node:
    """Note how many of qkeras's own weights are not the values that their quantizer stands for.

    Its straight-through estimator gives x + (q - x), two roundings of float32, which may miss q by the last bit of x.
    """
    assert isinstance(node.op, Constant)
    meant = real_values(node.op)
    missed = int(np.count_nonzero(f32(values + f32(meant - values)) != meant))
    texts = []
    if isinstance(node.op.format, Affine):
        texts.append("its scales are float32 numbers: qkeras rounds each weight and each sum, the integers are exact")
    if not node.type.is_integer:
        texts.append("its values span over 62 bits and stay float32")
    if missed:
        texts.append(f"qkeras's x + (q - x) rounds {missed} of {meant.size} weights off their level; not so here")
    if texts:
        _NOTES[node] = "; ".join(texts)
    return node


def notes(graph: Graph) -> tuple[Note, ...]:
    """List where an imported graph is exact and qkeras in float32 is not (differences in the last bits of float32)."""
    found = [Note(node.where, _NOTES[node]) for node in graph.nodes if node in _NOTES]
    for node in graph.nodes:
        if isinstance(node.op, Quantize) and isinstance(node.inputs[0].op, Activation):
            name = node.inputs[0].op.function
            found.append(Note(node.where, f"{name} in float32 may fall on the other side of a tie"))
    return tuple(found)

"""What a quantizer has to do: checked on the very numbers that it reads, so that half a unit shows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...graph import Graph, NDArray, Node
from ...graph.formats import Rounding
from ...graph.ops import Input, MultiplyShift, Quantize
from .align import is_inserted
from .sides import apply

TABLE = "index of a table"
"""Quantizers inserted for tables round in a way of their own."""


def usual_rounding(graph: Graph) -> Rounding:
    """How most of the inserted quantizers of a graph round: what was asked for. The default where that is not clear."""
    counts = Counter(n.op.rounding for n in graph.nodes if _ordinary(n) and isinstance(n.op, Quantize))
    (most, count), *_ = [*counts.most_common(1), (Rounding.RND, 0)]
    return most if count > max(1, counts[Rounding.RND]) else Rounding.RND


def _ordinary(node: Node) -> bool:
    return is_inserted(node) and isinstance(node.op, Quantize) and not node.op.inserted.startswith(TABLE)


def expected(b: Node, a: Node, shown: Mapping[Node, NDArray], usual: Rounding) -> tuple[str, ...]:
    """Say how a quantizer of B rounds otherwise than that of A (or than the others of B, where it was inserted).

    Nothing where it gives the same numbers all the same.
    """
    op = b.op
    if not isinstance(op, Quantize):
        return ()
    should = _should(b, a, usual)
    if should is None or should == op:
        return ()
    read = [shown[i] for i in b.inputs]
    other = replace(b, op=should)
    if np.array_equal(apply(b, read), apply(other, read)):
        return ()
    told = [f"{n} {getattr(op, n)} instead of {getattr(should, n)}" for n in ("rounding", "overflow")]
    return tuple(t for t, n in zip(told, ("rounding", "overflow"), strict=True) if getattr(op, n) != getattr(should, n))


def stated(b: Node, a: Node) -> tuple[str, ...]:
    """Say where two operations that state a format state different ones."""
    states = isinstance(b.op, (Input, Quantize, MultiplyShift)) and type(a.op) is type(b.op)
    return (f"format {b.type.format} instead of {a.type.format}",) if states and a.type.format != b.type.format else ()


def _should(b: Node, a: Node, usual: Rounding) -> Quantize | None:
    """Give the quantizer that B's should be."""
    op = b.op
    assert isinstance(op, Quantize)
    if isinstance(a.op, Quantize) and a.op.format == op.format:
        return replace(op, rounding=a.op.rounding, overflow=a.op.overflow)
    return replace(op, rounding=usual) if _ordinary(b) else None

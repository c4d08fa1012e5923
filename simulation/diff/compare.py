"""Compare two graphs, tensor by tensor."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...graph import Graph, NDArray, Node, op_name
from ...graph.ops import Constant, Input, Output
from .difference import Cut, Difference, Statistics, TensorDifference, one_channel
from .sides import Side, feed_both, run_graph
from .walk import EXCESS, Judgement, Walk
from .why import clipped, reasons


def compare(a: Graph, b: Graph, fed: Sequence[NDArray]) -> Difference:
    """Compare ``b`` with ``a``, both run on ``fed``: one array [samples, *shape] an input of ``a``, as stored, in its
    own layout.

    Integers against integers must agree in every bit. Where one is in floating point, that one is the reference, and an
    error is a difference where it is beyond what rounding to the other's formats explains. Raises ShapeError where the
    inputs of the two do not fit together.
    """
    left = run_graph(a, fed)
    right = run_graph(b, feed_both(a, b, fed))
    if a.is_integer and not b.is_integer:
        found = _compared(right, left, exact=False)
        return replace(found, tensors=tuple(_turned(t) for t in found.tensors))
    return _compared(left, right, exact=a.is_integer and b.is_integer)


def _compared(left: Side, right: Side, *, exact: bool) -> Difference:
    walk = Walk(left, right, exact).run()
    stands_for = {b: j.a for b, j in walk.judged.items()}
    tensors = [_entry(j, walk, stands_for) for j in walk.judged.values()]
    left_out = tuple(dict.fromkeys(n.where or right.graph.names[n] for n in walk.open))
    samples = max(len(v) for v in right.stored.values())
    return Difference(tuple(tensors), left_out, samples)


def _entry(found: Judgement, walk: Walk, stands_for: dict[Node, Node]) -> TensorDifference:
    a, b = found.a, found.b
    left, right = walk.a, walk.b
    error = np.abs(found.found - found.reference)
    place = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    differs = not found.agrees
    nodes = _made_of(b, walk.judged)
    steps = [f"{_name(n, right)} ({op_name(n.op)})" for n in nodes[:-1]]
    together = (f"made in one step with {', '.join(dict.fromkeys(steps))}",) if steps else ()
    told = (*together, *found.ruled, *clipped(b, found.reference), *reasons(a, b, left, right, stands_for))
    return TensorDifference(
        name=_name(b, right),
        op=op_name(b.op if not isinstance(b.op, Output) or len(nodes) < 2 else nodes[-2].op),
        reference=_name(a, left),
        shape=b.shape,
        formats=(str(a.type.format), str(b.type.format)),
        total=Statistics.of(left.real(a), right.real(b)),
        introduced=Statistics.of(found.reference, found.found),
        excess=found.worst,
        differs=differs,
        channel=one_channel(found.shares, found.excess > EXCESS) if differs and b.shape else None,
        place=place,
        values=(float(found.reference[place]), float(found.found[place])),
        why=tuple(dict.fromkeys(told)) if differs else (),
        sides=(_cut((a,), left.stored, place[0]), _cut(nodes, walk.shown, place[0])) if differs else None,
    )


def _cut(nodes: tuple[Node, ...], values: Mapping[Node, NDArray], sample: int) -> Cut:
    """Cut out operations with what they read."""
    read = [i for n in nodes for i in n.inputs if not isinstance(i.op, Constant) and i not in nodes]
    read += [n for n in nodes if isinstance(n.op, Input)]
    return Cut(nodes, {n: one_sample(values[n], sample) for n in read})


def one_sample(values: NDArray, sample: int) -> NDArray:
    """Take one sample [1, *shape] of what may depend on none."""
    return np.ascontiguousarray(values[sample : sample + 1] if len(values) > 1 else values[:1])


def _made_of(b: Node, judged: dict[Node, Judgement]) -> tuple[Node, ...]:
    """The operations of B between tensors that were compared and this one, it included last."""
    found: dict[Node, None] = {}

    def visit(node: Node) -> None:
        for i in node.inputs:
            if i not in judged and i not in found and not isinstance(i.op, Constant):
                visit(i)
        found[node] = None

    visit(b)
    return tuple(found)


def _name(node: Node, side: Side) -> str:
    if isinstance(node.op, Output):
        return node.inputs[0].where or node.op.name
    return node.where or side.graph.names[node]


def _turned(tensor: TensorDifference) -> TensorDifference:
    """Exchange A and B."""
    return replace(
        tensor,
        name=tensor.reference,
        reference=tensor.name,
        formats=(tensor.formats[1], tensor.formats[0]),
        values=(tensor.values[1], tensor.values[0]),
        sides=None if tensor.sides is None else (tensor.sides[1], tensor.sides[0]),
    )

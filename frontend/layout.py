"""Channels-first models in a channels-last graph: transposes cancel, sink, vanish into inputs, outputs and weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Self, TypeVar

import numpy as np

from ..graph import Float, Graph, NDArray, Node, Op
from ..graph.ops import (
    Activation,
    Add,
    Broadcast,
    Cast,
    Concat,
    Constant,
    Dense,
    Div,
    Gather,
    Input,
    Lookup,
    Maximum,
    Minimum,
    Mul,
    Output,
    Pad,
    Power,
    Quantize,
    Reduce,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Step,
    Sub,
    Transpose,
    Upsample,
)
from .rearrange import Axes, groups, inverse, keeps_order, moved_constant, reshaped, transposed, trimmed

T = TypeVar("T")
MAX_INPUTS = 8
"""For more inputs than these, only the layout that their own readers ask for is tried."""


def settle_layout(graph: Graph) -> Graph:
    """Move transposes through everything that does not care about the order of axes, until they meet their inverse.

    %0 = input[name=x, shape=(3, 8, 8)]()              %0 = input[name=x, shape=(8, 8, 3), axes=(1, 2, 0)]()
    %1 = transpose[axes=(1, 2, 0)](%0)                 %1 = conv[...](%0, w)
    %2 = conv[...](%1, w)                       ->     %2 = relu(%1)
    %3 = transpose[axes=(2, 0, 1)](%2)                 %3 = reshape[shape=(256,)](%2)
    %4 = relu(%3)                                      %4 = dense(%3, v with its rows permuted)
    %5 = reshape[shape=(256,)](%4)                     %5 = output[name=y](%4)
    %6 = dense(%5, v)
    %7 = output[name=y](%6)

    Every value is the same: only the order in which a sum adds changes. What a matrix product or a reshape across
    several axes needs transposed stays.
    """
    if not any(isinstance(n.op, Transpose) for n in graph.nodes):
        return graph
    best = _with_inputs(graph, bring=False)
    return best if _cost(best) == 0 else min(best, _with_inputs(graph, bring=True), key=_cost)


def _with_inputs(graph: Graph, *, bring: bool) -> Graph:
    """Settle with the order of axes of each input that leaves the least to do."""
    chosen: dict[Node, Axes] = {}
    best = _Settling(graph, chosen, bring).run()
    for node in graph.inputs:
        for axes in _candidates(graph, node):
            if _cost(best) == 0:
                return best
            tried = _Settling(graph, {**chosen, node: axes}, bring).run()
            if _cost(tried) < _cost(best):
                best, chosen[node] = tried, axes
    return best


def _candidates(graph: Graph, node: Node) -> list[Axes]:
    """Give the orders of an input's axes that are worth a try."""
    asked = [u.op.axes for u in graph.users[node] if isinstance(u.op, Transpose)]
    rank = len(node.shape)
    usual = [(*range(1, rank), 0)] if rank > 1 and len(graph.inputs) <= MAX_INPUTS else []
    return list(dict.fromkeys(asked + usual))


def _cost(graph: Graph) -> int:
    """Count the elements that transposes move at run time."""
    return sum(n.type.size for n in graph.nodes if isinstance(n.op, Transpose) and n.type.value is None)


@dataclass(frozen=True)
class _View:
    """A value of the old graph: one of the new graph, its axes in another order. ``old = node.transpose(axes)``."""

    node: Node
    axes: Axes

    @classmethod
    def plain(cls, node: Node) -> Self:
        return cls(node, tuple(range(len(node.shape))))

    def on(self, node: Node) -> "_View":
        """The same view of a new node with axes in the same order."""
        return _View(node, self.axes)

    def back(self, values: Sequence[T]) -> tuple[T, ...]:
        """Give what belongs to the old axes in the order of the new ones."""
        return tuple(values[i] for i in inverse(self.axes))

    def inward(self, old: NDArray) -> NDArray:
        return old.transpose(inverse(self.axes))


@dataclass(frozen=True)
class _Shuffle:
    """A vector of the old graph whose elements are in another order: ``old = node.take(indices)``.

    ``inner`` is the tensor that the vector was flattened from, where it was: its shape, and the axes that it lacked.
    """

    node: Node
    indices: NDArray
    inner: tuple[tuple[int, ...], Axes] | None = None

    def on(self, node: Node) -> "_Shuffle":
        """The same order of a new vector."""
        return replace(self, node=node)

    def inward(self, old: NDArray) -> NDArray:
        return old.take(np.argsort(self.indices), axis=0)


_Old = _View | _Shuffle


class _Settling:
    """One run over a graph. ``wanted`` says in which order the axes of inputs should be.

    ``bring``: where a reshape joins axes that do not stand together, only these are brought together, the others stay.
    """

    def __init__(self, graph: Graph, wanted: dict[Node, Axes], bring: bool) -> None:
        self.graph, self.wanted, self.bring = graph, wanted, bring
        self.old: dict[Node, _Old] = {}
        self.made: dict[tuple[Node, Axes], Node] = {}
        self.kept = {s.next for s in graph.states}

    def run(self) -> Graph:
        for node in self.graph.nodes:
            self.old[node] = self._rule(node)
        return self.graph.renewed({old: found.node for old, found in self.old.items()})

    def _rule(self, node: Node) -> _Old:
        first = self.old[node.inputs[0]] if node.inputs else None
        match node.op:
            case Input():
                return self._input(node, node.op)
            case Output() if node not in self.kept:
                return self._output(node, node.op)
            case Transpose(axes=axes) if isinstance(first, _View):
                return _View(first.node, tuple(first.axes[a] for a in axes))
            case Relu() | Activation() | Cast() | Quantize() | Lookup() | Step():
                return self._unary(node)
            case Add() | Sub() | Mul() | Div() | Power() | Maximum() | Minimum():
                return self._pointwise(node)
            case Concat(axis=axis):
                return self._concat(node, axis)
            case Reshape(shape=shape):
                return self._reshape(node, shape)
            case Dense():
                return self._dense(node)
            case Reduce() | Softmax() | Gather() | Slice() | Pad() | Upsample() | Broadcast() if isinstance(
                first, _View
            ):
                return self._along(node, first)
            case Softmax():
                assert first is not None
                return first.on(Node(node.op, (first.node,), node.where))
            case _:
                return self._as_it_is(node)

    def _as_it_is(self, node: Node) -> _View:
        """Give every operand as it was."""
        inputs = tuple(self.plain(i) for i in node.inputs)
        same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        return _View.plain(node if same else Node(node.op, inputs, node.where))

    def plain(self, old: Node) -> Node:
        """Give an operand in the order that it had."""
        return self.arranged(old, tuple(range(len(old.shape))))

    def arranged(self, old: Node, axes: Axes) -> Node:
        """Give a node ``n`` with ``old = n.transpose(axes)``."""
        view = self.old[old]
        if isinstance(view, _Shuffle):
            view = self._unshuffled(view)
        return self._transposed(view.node, tuple(view.axes[i] for i in inverse(axes)))

    def _transposed(self, node: Node, axes: Axes) -> Node:
        if (node, axes) not in self.made:
            self.made[node, axes] = transposed(node, axes)
        return self.made[node, axes]

    def _unshuffled(self, shuffle: _Shuffle) -> _View:
        if shuffle.inner is None:
            picks = tuple(int(i) for i in shuffle.indices)
            return _View.plain(Node(Gather(0, picks), (shuffle.node,), shuffle.node.where))
        shape, axes = shuffle.inner
        ordered = self._transposed(reshaped(shuffle.node, shape), axes)
        return _View.plain(reshaped(ordered, (prod(shape),)))

    def _input(self, node: Node, op: Input) -> _View:
        axes = self.wanted.get(node)
        if axes is None:
            return _View.plain(node)
        source = op.axes or tuple(range(len(axes)))
        shape = tuple(op.shape[a] for a in axes)
        format = op.format.map(op.shape, lambda v: v.transpose(axes))
        new = replace(op, shape=shape, format=format, axes=_or_none(tuple(source[a] for a in axes)))
        return _View(Node(new, (), node.where), inverse(axes))

    def _output(self, node: Node, op: Output) -> _View:
        view = self.old[node.inputs[0]]
        if isinstance(view, _Shuffle):
            view = self._unshuffled(view)
        source = op.axes or tuple(range(len(view.axes)))
        axes = _or_none(tuple(view.axes[a] for a in source))
        return _View.plain(Node(Output(op.name, axes), (view.node,), node.where))

    def _unary(self, node: Node) -> _Old:
        x, rest = self.old[node.inputs[0]], tuple(self.plain(i) for i in node.inputs[1:])
        op = node.op
        if isinstance(op, Quantize):
            moved = op.format.map(node.shape, x.inward)
            assert not isinstance(moved, Float)
            op = replace(op, format=moved)
        return x.on(Node(op, (x.node, *rest), node.where))

    def _pointwise(self, node: Node) -> _Old:
        views = [self.old[i] for i in node.inputs]
        shuffles = [v for v in views if isinstance(v, _Shuffle)]
        if shuffles and all(self._follows(i, shuffles[0]) for i in node.inputs):
            inputs = (self._shuffled(i, shuffles[0]) for i in node.inputs)
            return shuffles[0].on(Node(node.op, tuple(inputs), node.where))
        axes = self._common(node.inputs, len(node.shape))
        inputs = (self._lifted(i, axes) for i in node.inputs)
        new = Node(node.op, tuple(inputs), node.where)
        missing = len(axes) - len(new.shape)  # where a constant alone had the most axes, of length 1
        return _View(reshaped(new, (1,) * missing + new.shape) if missing else new, axes)

    def _follows(self, old: Node, shuffle: _Shuffle) -> bool:
        """Whether an operand of a pointwise operation can be had in the order of a shuffled vector at no cost."""
        view = self.old[old]
        if isinstance(view, _Shuffle):
            return bool(np.array_equal(view.indices, shuffle.indices))
        return (old.type.size == 1 and len(old.shape) < 2) or (isinstance(old.op, Constant) and len(old.shape) == 1)

    def _shuffled(self, old: Node, shuffle: _Shuffle) -> Node:
        view = self.old[old]
        if isinstance(view, _Shuffle) or old.type.size == 1:
            return view.node
        return moved_constant(view.node, shuffle.inward)

    def _common(self, olds: Iterable[Node], rank: int) -> Axes:
        """Choose the order of axes in which most of the operands are already."""
        views = [self.old[i] for i in olds if len(i.shape) == rank and not isinstance(i.op, Constant)]
        full = [v for v in views if isinstance(v, _View)]
        orders = list(dict.fromkeys(v.axes for v in full)) or [tuple(range(rank))]

        def cost(axes: Axes) -> int:
            steps = [(v, tuple(v.axes[i] for i in inverse(axes))) for v in full]
            return sum(v.node.type.size for v, step in steps if not keeps_order(v.node.shape, step))

        return min(orders, key=cost)

    def _lifted(self, old: Node, axes: Axes) -> Node:
        """Give an operand of a broadcast in the order ``axes``; shorter ones get axes of length 1 in front."""
        rank = len(axes)
        if len(old.shape) == rank:
            return trimmed(self.arranged(old, axes)) if isinstance(old.op, Constant) else self.arranged(old, axes)
        if axes == tuple(range(rank)) or not old.shape:
            return self.plain(old)
        long = reshaped(self.plain(old), (1,) * (rank - len(old.shape)) + old.shape)
        ordered = transposed(long, inverse(axes))
        return trimmed(ordered) if isinstance(old.op, Constant) else ordered

    def _concat(self, node: Node, axis: int) -> _Old:
        views = [self.old[i] for i in node.inputs]
        if any(isinstance(v, _Shuffle) for v in views):
            starts = np.cumsum([0, *(i.type.size for i in node.inputs)])
            parts = [v.indices if isinstance(v, _Shuffle) else np.arange(v.node.type.size) for v in views]
            indices = np.concatenate([p + s for p, s in zip(parts, starts, strict=False)])
            return _Shuffle(Node(node.op, tuple(v.node for v in views), node.where), indices)
        axes = self._common(node.inputs, len(node.shape))
        inputs = tuple(self.arranged(i, axes) for i in node.inputs)
        return _View(Node(Concat(axes[axis]), inputs, node.where), axes)

    def _dense(self, node: Node) -> _Old:
        x, (w, *bias) = self.old[node.inputs[0]], (self.plain(i) for i in node.inputs[1:])
        if isinstance(x, _Shuffle):
            rows = moved_constant(w, x.inward, Gather(0, tuple(int(i) for i in np.argsort(x.indices))))
            return _View.plain(Node(node.op, (x.node, rows, *bias), node.where))
        if x.axes[-1] == len(x.axes) - 1:  # the axis that is multiplied is the last one in both
            return x.on(Node(node.op, (x.node, w, *bias), node.where))
        return self._as_it_is(node)

    def _along(self, node: Node, x: _View) -> _View:
        """Operations with numbers for each axis, or for some axes."""
        match node.op:
            case Reduce(axes=along, keep=keep):
                return self._reduced(node, x, node.op, along, keep)
            case Softmax(axis=axis):
                op: Op = Softmax(x.axes[axis])
            case Gather(axis=axis, indices=indices):
                op = Gather(x.axes[axis], indices)
            case Slice(starts=starts, stops=stops, steps=steps):
                op = Slice(x.back(starts), x.back(stops), x.back(steps))
            case Pad(padding=padding, value=value):
                op = Pad(x.back(padding), value)
            case Upsample(factors=factors):
                op = Upsample(x.back(factors))
            case Broadcast(shape=shape):
                new = len(shape) - len(x.axes)
                view = _View(x.node, (*range(new), *(a + new for a in x.axes)))
                return view.on(Node(Broadcast(view.back(shape)), (x.node,), node.where))
            case _:
                raise AssertionError(node.op)
        return x.on(Node(op, (x.node,), node.where))

    def _reduced(self, node: Node, x: _View, op: Reduce, along: Axes, keep: bool) -> _View:
        new = Node(replace(op, axes=tuple(sorted(x.axes[a] for a in along))), (x.node,), node.where)
        if keep:
            return x.on(new)
        left = [a for i, a in enumerate(x.axes) if i not in along]
        return _View(new, tuple(sorted(left).index(a) for a in left))

    def _reshape(self, node: Node, shape: tuple[int, ...]) -> _Old:
        x = self.old[node.inputs[0]]
        if isinstance(x, _Shuffle):
            if x.inner is None:
                return self._as_it_is(node)
            x = _View(reshaped(x.node, x.inner[0]), x.inner[1])
        if keeps_order(x.node.shape, x.axes):
            return _View.plain(_named(reshaped(x.node, shape), node, x.node))
        if self.bring and len(shape) > 1:
            x = self._brought_together(x, shape)
        regrouped = _regrouped(x, shape)
        if regrouped is not None:
            inner, axes = regrouped
            return _View(_named(reshaped(x.node, inner), node, x.node), axes)
        if len(shape) == 1:
            indices = np.arange(shape[0]).reshape(x.node.shape).transpose(x.axes).ravel()
            return _Shuffle(_named(reshaped(x.node, shape), node, x.node), indices, (x.node.shape, x.axes))
        return self._as_it_is(node)

    def _brought_together(self, x: _View, shape: tuple[int, ...]) -> _View:
        """Transpose so that the axes which a reshape joins stand together; those that stand alone keep their order."""
        runs = [[x.axes[i] for i in olds] for olds, _ in groups([x.node.shape[a] for a in x.axes], shape)]
        ones = [a for a, n in enumerate(x.node.shape) if n == 1]
        order = (*ones, *(a for group in sorted(runs, key=min) for a in group))
        if keeps_order(x.node.shape, order):
            return x
        return _View(self._transposed(x.node, order), tuple(order.index(a) for a in x.axes))


def _named(new: Node, old: Node, x: Node) -> Node:
    return (
        new
        if new is x or new.where == old.where or not isinstance(new.op, Reshape)
        else Node(new.op, new.inputs, old.where)
    )


def _or_none(axes: Axes) -> Axes | None:
    return None if axes == tuple(range(len(axes))) else axes


def _regrouped(x: _View, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Axes] | None:
    """Reshape without a transpose: where each group of axes that is split or joined stands together in the new order
    too.

    Gives the new node's shape and the axes of the view on it; None where a group is torn apart.
    """
    runs = groups([x.node.shape[a] for a in x.axes], shape)
    order = [a for a in range(len(x.axes)) if x.node.shape[a] != 1]  # the new node's axes, as they stand
    found: list[tuple[int, list[int]]] = []
    for olds, news in runs:
        places = [order.index(x.axes[i]) for i in olds]
        if places != list(range(places[0], places[0] + len(places))):
            return None
        found.append((places[0], news))
    ones = [i for i, n in enumerate(shape) if n == 1]
    stands = ones + [i for _, news in sorted(found) for i in news]
    return tuple(shape[i] for i in stands), inverse(stands)

"""Sums, means, extremes over axes; the place of an extreme."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ....graph import Node
from ....graph.ops import ArgMax, Reduce, Reduction
from ..code import Index, Lanes, Memory, Value, cast, const, index, lanes_from, maximum, minimum, select
from ..layout import Layout, centred_ends, working_type
from ..machine import Machine
from ..numbers import centred, fitted, real
from ..scope import Place, Scope
from .folds import Fold, fold_along, folded, fresh_lanes
from .frame import MOVE, SPLIT_ABOVE, Written, along, axes, put, vectors, written


def reduce(machine: Machine, layouts: Mapping[Node, Layout], node: Node, end: Node, out: Layout) -> Written:
    """Write a reduction with the operations from it up to ``end``."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Reduce)
    kept = [a for a in range(len(x.shape)) if a not in op.axes]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        across = bool(kept) and kept[-1] == len(x.shape) - 1
        outer = [x.shape[a] for a in kept[: len(kept) - across]]
        split = x.type.size * MOVE > SPLIT_ABOVE and bool(outer)
        with scope.outer(outer[0] if outer else 1, split=split) as first, axes(code, outer[1:]) as others:
            lead: list[Index] = [first, *others][: len(outer)]
            for last in along(code, x.shape[-1], lanes) if across else [None]:
                own = [*lead, *([] if last is None else [last])]
                total = _fold(scope, op, node, x, kept, own, lanes)
                at = _result_place(op, len(x.shape), kept, own)
                scope.given[node] = lambda at, total=total: total  # type: ignore[misc]
                put(scope, memory, out, at, scope.at(end, at))

    return written(machine, layouts, out, build, (99,))


def _result_place(op: Reduce, rank: int, kept: list[int], own: list[Index]) -> Place:
    if not op.keep:
        return tuple(own)
    found = dict(zip(kept, own, strict=True))
    return tuple(found.get(a, index(0)) for a in range(rank))


def _fold(scope: Scope, op: Reduce, node: Node, x: Node, kept: list[int], own: list[Index], lanes: int) -> Value:
    code = scope.code
    integer = node.type.is_integer
    dtype = working_type(*reach(node, x, op)) if integer else "float32"
    place: dict[int, Index] = dict(zip(kept, own, strict=True))
    along_last = len(x.shape) - 1 in op.axes
    length = x.shape[-1]
    given = [i.lanes for i in own if isinstance(i, Lanes)]
    width = given[0] if given else 1
    inner = [a for a in op.axes if a != len(x.shape) - 1]
    use_lanes = along_last and lanes > 1 and length >= 2 and op.kind is not Reduction.PROD

    def value(at: Place) -> Value:
        v = centred(scope, x, at) if integer else real(scope, x, at)
        return cast(v, dtype)

    start = neutral(op, node, x)
    if use_lanes and not inner:
        whole = Fold(dtype, start, partial(join, op.kind), again=op.kind in (Reduction.MAX, Reduction.MIN))
        found = fold_along(scope, length, lanes, whole, lambda k: value((*own, k)))
        return _folded(found, node, x)
    if use_lanes:
        width, full, rest = vectors(length, lanes)
    total = code.local(dtype, width, "total")
    code.store(total, 0, const(start, dtype, width))

    def fold(v: Value) -> None:
        code.store(total, 0, join(op.kind, total.load(0, width), v))

    with axes(code, [x.shape[a] for a in inner]) as ks:
        for a, k in zip(inner, ks, strict=True):
            place[a] = k
        if not along_last:
            fold(value(tuple(place[a] for a in range(len(x.shape)))))
        elif not use_lanes:
            with code.loop(length) as k:
                place[len(x.shape) - 1] = k
                fold(value(tuple(place[a] for a in range(len(x.shape)))))
        else:
            with code.loop(full) as k:
                place[len(x.shape) - 1] = lanes_from(k * width, width)
                fold(value(tuple(place[a] for a in range(len(x.shape)))))
            if rest:  # elements of the last vector that were counted are left out by a select
                place[len(x.shape) - 1] = Lanes(index(rest[0]), width)
                v = value(tuple(place[a] for a in range(len(x.shape))))
                fold(select(fresh_lanes(scope, full, rest[0], width), v, const(start, dtype, width)))
    found = folded(code, total, width, partial(join, op.kind)) if use_lanes else code.let(total.load(0, width))
    return _folded(found, node, x)


def _folded(found: Value, node: Node, x: Node) -> Value:
    """Give a result of what was folded."""
    op = node.op
    assert isinstance(op, Reduce)
    if node.type.is_integer:
        return fitted(found, *centred_ends(node))
    if op.kind is Reduction.MEAN:
        return found * (1.0 / float(np.prod([x.shape[a] for a in op.axes])))
    return found


def fold_row(scope: Scope, node: Node, own: Sequence[Index], lanes: int) -> Value:
    """Fold the row at an index of the axes before the last one."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Reduce)
    return _fold(scope, op, node, x, list(range(len(x.shape) - 1)), list(own), lanes)


def join(kind: Reduction, a: Value, b: Value) -> Value:
    """Fold two numbers as a reduction does."""
    match kind:
        case Reduction.MAX:
            return maximum(a, b)
        case Reduction.MIN:
            return minimum(a, b)
        case Reduction.PROD:
            return a * b
    return a + b


def neutral(op: Reduce, node: Node, x: Node) -> float | int:
    """Give what a fold begins with."""
    match op.kind:
        case Reduction.MAX:
            return centred_ends(x)[0] if node.type.is_integer else float("-inf")
        case Reduction.MIN:
            return centred_ends(x)[1] if node.type.is_integer else float("inf")
        case Reduction.PROD:
            return 1
    return 0


def reach(node: Node, x: Node, op: Reduce) -> tuple[int, int]:
    """Bound every partial result."""
    low, high = centred_ends(x)
    if op.kind in (Reduction.MAX, Reduction.MIN):
        return low, high
    count = int(np.prod([x.shape[a] for a in op.axes]))
    return min(low, 0) * count, max(high, 0) * count


def argmax(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Written:
    """Write the place of the greatest (least) value along an axis."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, ArgMax)

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        shape = [n for a, n in enumerate(x.shape) if a != op.axis]
        with axes(code, shape) as own:

            def value(k: Value) -> Value:
                at = (*own[: op.axis], k, *own[op.axis :])
                return code.let(centred(scope, x, at) if x.type.is_integer else real(scope, x, at))

            start = value(index(0))
            best, where = code.local(start.dtype, 1, "best"), code.local("int32", 1, "where")
            code.store(best, 0, start)
            code.store(where, 0, const(0))
            if x.shape[op.axis] > 1:
                with code.loop(x.shape[op.axis] - 1, 1) as k:
                    v, held = value(k), best.load(0)
                    better = v < held if op.minimum else v > held
                    if op.last:
                        better = better | v.equals(held)
                    with code.when(better):
                        code.store(best, 0, v)
                        code.store(where, 0, k)
            at = (*own[: op.axis], *((index(0),) if op.keep else ()), *own[op.axis :])
            low, high = centred_ends(node)
            put(scope, memory, out, at, cast(where.load(0), working_type(low, high)))

    return written(machine, layouts, out, build, (99,))

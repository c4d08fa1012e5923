"""Comparisons, truth values (one bit), choices, places of extremes, picks at computed places."""

import numpy as np

from ....graph import Node
from ....graph.ops import (
    ArgMax,
    Compare,
    Comparison,
    Maximum,
    Minimum,
    Mul,
    Reduction,
    Select,
    Sub,
    Take,
    TakeAlong,
    TopK,
)
from ..broadcast import operands
from ..fold import filled
from ..registry import ANY, REAL, WHOLE, Build, Call, Results, operator
from ..values import Flow, Known, Place
from .pooling import along
from .reduction import read, reduced
from .shapes import dropped

LOWEST = float(np.finfo(np.float32).min)
INFINITE = "minus infinity is taken as the lowest number of float32: no tensor of a graph holds infinities"
KINDS = {
    "eq": (Comparison.EQUAL, False), "ne": (Comparison.EQUAL, True), "lt": (Comparison.LESS, False),
    "ge": (Comparison.LESS, True), "le": (Comparison.LESS_EQUAL, False), "gt": (Comparison.LESS_EQUAL, True),
}  # fmt: skip
"""What each asks, and whether the answer is turned round. No tensor of a graph holds NaN."""


def _compare(kind: Comparison, turned: bool) -> Build:
    def build(call: Call) -> Results:
        x, y = call.value("self"), call.value("other")
        if isinstance(y, Known) and y.at(0).size == 1 and np.isinf(y.at(0)).all() and isinstance(x, Flow):
            if kind is Comparison.EQUAL and not any(INFINITE in note for note in call.notes) and not call.folding:
                sizes = [x.shape(n) for n in call.batch.lengths]
                return filled(call, sizes, Known((np.asarray(turned),), "bool"))  # nothing is infinite
            return _against_infinity(call, x, float(y.at(0).ravel()[0]), kind, turned)
        nodes, place = operands(call, x, y)
        answer = call.node(Compare(kind), *nodes)
        return Flow(negated(call, answer) if turned else answer, place)

    return build


def _against_infinity(call: Call, x: Flow, bound: float, kind: Comparison, turned: bool) -> Flow:
    """Compare with an infinity: the lowest and the greatest number of float32 stand for them."""
    end = call.constant(np.float32(LOWEST if bound < 0 else -LOWEST))
    if kind is Comparison.EQUAL:
        pair = (x.node, end) if bound < 0 else (end, x.node)
        answer = call.node(Compare(Comparison.LESS_EQUAL), *pair)
    else:
        answer = call.node(Compare(kind), x.node, end)
    return x.on(negated(call, answer) if turned else answer)


for _name, (_kind, _turned) in KINDS.items():
    operator(_name)(_compare(_kind, _turned))


def negated(call: Call, truth: Node) -> Node:
    """Exchange 0 and 1."""
    return call.node(Sub(), call.constant(np.int64(1)), truth)


def truth(call: Call, value: Flow | Known, key: str) -> Flow | Known:
    """Give a tensor as truth values: whether each element is another number than 0."""
    if isinstance(value, Known):
        return Known.of([v != 0 for v in value.variants], "bool")
    if value.dtype == "bool":
        return value
    zero = call.constant(np.float32(0) if value.dtype in REAL else np.int64(0))
    return Flow(negated(call, call.node(Compare(Comparison.EQUAL), value.node, zero)), value.place, "bool")


@operator("logical_not")
def logical_not(call: Call) -> Results:
    """Whether an element is 0."""
    x = truth(call, call.flow(of=ANY), "self")
    assert isinstance(x, Flow)
    return x.on(negated(call, x.node))


@operator("bitwise_not")
def bitwise_not(call: Call) -> Results:
    """Exchange truth values, or ``-1 - x`` of whole numbers with a sign."""
    x = call.flow(of=WHOLE)
    if x.dtype == "uint8":
        return x.on(call.node(Sub(), call.constant(np.int64(255)), x.node))
    return x.on(call.node(Sub(), call.constant(np.int64(1 if x.dtype == "bool" else -1)), x.node))


def _logical(kind: str) -> Build:
    def build(call: Call) -> Results:
        x, y = call.value("self"), call.value("other")
        bits = call.op.startswith("bitwise") or call.op.startswith("__")
        kinds = {v.dtype for v in (x, y)}
        if bits and kinds != {"bool"}:
            raise call.refuse(f"operations on the bits of {' and '.join(sorted(kinds))}", "on truth values only")
        nodes, place = operands(call, truth(call, x, "self"), truth(call, y, "other"))
        if kind == "xor":
            return Flow(negated(call, call.node(Compare(Comparison.EQUAL), *nodes)), place)
        return Flow(call.node(Minimum() if kind == "and" else Maximum(), *nodes), place)

    return build


for _kind_name in ("and", "or", "xor"):
    operator(f"logical_{_kind_name}", f"bitwise_{_kind_name}", f"__{_kind_name}__")(_logical(_kind_name))


@operator("isnan", "isinf")
def isnan(call: Call) -> Results:
    """Whether a number is none, or infinite: no tensor of a graph holds either."""
    x = call.flow()
    if call.op == "isnan":
        return x.on(negated(call, call.node(Compare(Comparison.EQUAL), x.node, x.node)))
    low = call.node(Compare(Comparison.LESS_EQUAL), x.node, call.constant(np.float32(LOWEST)))
    high = call.node(Compare(Comparison.LESS_EQUAL), call.constant(np.float32(-LOWEST)), x.node)
    return x.on(call.node(Maximum(), low, high))


@operator("any", "all")
def any_(call: Call) -> Results:
    """Whether any (every) element along axes is another number than 0."""
    x, axes, keep = read(call, of=ANY)
    answer = truth(call, x, "self")
    assert isinstance(answer, Flow)
    return reduced(call, Reduction.MAX if call.op == "any" else Reduction.MIN, answer, axes, keep)


def finite(call: Call, value: Flow | Known) -> Flow | Known:
    """Replace minus infinity, which masks hold, by the lowest number that there is."""
    if isinstance(value, Flow) or not any(np.isneginf(v).any() for v in value.variants if v.dtype.kind == "f"):
        return value
    call.notes.append(f"{call.name}: {INFINITE}")
    return Known.of([np.where(np.isneginf(v), np.float32(LOWEST), v) for v in value.variants], value.dtype)


@operator("where")
def where(call: Call) -> Results:
    """``x`` where the condition holds, ``y`` elsewhere."""
    if "self" not in call.arguments:
        raise call.refuse("where() of one argument: its length depends on the values", "use where(condition, x, y)")
    return chosen(call, call.value("condition"), call.value("self"), call.value("other"))


@operator("masked_fill")
def masked_fill(call: Call) -> Results:
    """A number where the mask holds."""
    return chosen(call, call.value("mask"), call.value("value"), call.value("self"))


def chosen(call: Call, condition: Flow | Known, x: Flow | Known, y: Flow | Known) -> Flow:
    """Choose element by element."""
    real = not call.dtypes or call.dtypes[0] in REAL
    kind = np.float32 if real else np.int64
    pair = [finite(call, v) for v in (x, y)]
    typed = [Known.of([a.astype(kind) for a in v.variants], v.dtype) if isinstance(v, Known) else v for v in pair]
    settled = _settled(condition)
    only = None if settled is None else pair[0 if settled else 1]
    if isinstance(only, Flow) and [n for n in call.shapes[:1] if len(n) == only.rank] and not call.folding:
        expected = only.shape(call.batch.lengths[0])
        if all(n is None or n == m for n, m in zip(call.shapes[0], expected, strict=True)):
            return only
    nodes, place = operands(call, truth(call, condition, "condition"), *typed, mixed=True)
    return Flow(call.node(Select(), *nodes), place)


def _settled(condition: Flow | Known) -> bool | None:
    """Give the one truth value that a known condition has everywhere, None for any other."""
    if isinstance(condition, Flow):
        return None
    first = bool(condition.at(0).ravel()[:1].any())
    return first if all(bool(((v != 0) == first).all()) for v in condition.variants) else None


def _arg(minimum: bool) -> Build:
    def build(call: Call) -> Results:
        x, dim = call.flow(of=ANY), call.arguments.take("dim", None)
        keep = call.arguments.boolean("keepdim", False)
        if dim is None:
            raise call.refuse("the place among all elements, the batch among them", "give dim")
        return _index(call, x, int(dim), keep, minimum=minimum)

    return build


operator("argmax")(_arg(False))
operator("argmin")(_arg(True))


def _index(call: Call, x: Flow, dim: int, keep: bool, *, minimum: bool) -> Flow:
    node = call.node(ArgMax(call.axis(x, dim), keep, minimum=minimum), x.node)
    return x.on(node) if keep else dropped(x, node, (call.position(dim, x.rank),))


def extreme(call: Call, kind: Reduction) -> Results:
    """The greatest or least value along an axis, and where it stands first."""
    x, dim = call.flow(of=ANY), call.integer("dim")
    keep = call.arguments.boolean("keepdim", False)
    values = reduced(call, kind, x, (call.position(dim, x.rank),), keep)
    return [values, _index(call, x, dim, keep, minimum=kind is Reduction.MIN)]


@operator("topk")
def topk(call: Call) -> Results:
    """The k greatest (least) values along an axis, in order, and where they stand."""
    x, k, dim = call.flow(of=ANY), call.integer("k"), call.integer("dim", -1)
    largest = call.arguments.boolean("largest", True)
    call.arguments.ignore("sorted", why="a sorted result is one of those that an unsorted one may be")
    axis = call.axis(x, dim)
    return [x.on(call.node(TopK(k, axis, largest, indices), x.node)) for indices in (False, True)]


@operator("sort", "argsort", "msort")
def sort(call: Call) -> Results:
    """Sort along an axis; equal values stay in the order in which they came."""
    x, dim = call.flow(of=ANY), call.integer("dim", 0 if call.op == "msort" else -1)
    down = call.arguments.boolean("descending", False)
    call.arguments.ignore("stable", why="equal values always stay in order")
    axis = call.axis(x, dim)
    k = x.node.shape[axis]
    values, places = (call.node(TopK(k, axis, down, indices), x.node) for indices in (False, True))
    return [x.on(values), x.on(places)] if call.op == "sort" else x.on(places if call.op == "argsort" else values)


@operator("cumsum")
def cumsum(call: Call) -> Results:
    """Sums of the first elements along an axis: a product with a triangle of ones."""
    call.arguments.expect("dtype", None, "float32", "float64", hint="sum real numbers")
    x = call.flow()
    axis = call.axis(x, call.integer("dim"))
    n = x.node.shape[axis]
    return x.on(along(call, x.node, axis, np.tril(np.ones((n, n), np.float32))))


@operator("gather")
def gather(call: Call) -> Results:
    """Pick along an axis, for each place its own element."""
    call.arguments.ignore("sparse_grad", why="only training computes gradients")
    x, dim, index = call.value("self"), call.integer("dim"), call.value("index")
    flow = x if isinstance(x, Flow) else index
    assert isinstance(flow, Flow)
    axis = call.axis(flow, dim)
    (data, places), place = operands(call, x, index)
    for other, (n, m) in enumerate(zip(data.shape, places.shape, strict=True)):
        if other != axis and n != m:
            raise call.refuse(f"indices of shape {places.shape} into {data.shape}", "pick from equal shapes")
    return Flow(call.node(TakeAlong(axis), data, places), place)


@operator("embedding")
def embedding(call: Call) -> Results:
    """Rows of a table at computed places."""
    call.arguments.ignore("padding_idx", "scale_grad_by_freq", "sparse", why="only training looks at them")
    table, indices = call.weights(call.value("weight"), "weight"), call.flow("indices", of=WHOLE)
    if len(table.shape) != 2:
        raise call.misfit(f"a table of shape {table.shape}")
    return _taken(call, table, indices, 0)


def _taken(call: Call, data: Node, indices: Flow, axis: int) -> Flow:
    """Pick from a constant: the axes of the indices take the place of one of its axes."""
    node = call.node(Take(axis), data, indices.node)
    if indices.place is None:
        return Flow(node, None)
    return Flow(node, Place(axis + indices.place.axis, indices.place.outer, indices.place.inner))


@operator("index_select")
def index_select(call: Call) -> Results:
    """Pick indices along an axis."""
    from .slicing import picked

    x, dim, index = call.value("self"), call.integer("dim"), call.value("index")
    if isinstance(index, Flow):
        raise call.refuse("an index is computed at run time", "use an embedding, or gather")
    flow = call.as_flow(x, "self", ANY)
    return flow.on(picked(call, flow.node, call.axis(flow, dim), call.fixed(index, "index").astype(np.int64)))


@operator("cosine_similarity")
def cosine(call: Call) -> Results:
    """``sum(x * y) / (max(|x|, eps) * max(|y|, eps))`` along an axis."""
    from .pointwise import to_the

    x, y, dim = call.value("x1"), call.value("x2"), call.integer("dim", 1)
    eps = call.number("eps", 1e-8)
    nodes, place = operands(call, x, y)
    flows = [Flow(n, place) for n in nodes]
    if len({f.node.shape for f in flows}) > 1:
        raise call.refuse("the two are of different shapes", "expand them first")
    at = call.position(dim, flows[0].rank)
    product = reduced(call, Reduction.SUM, flows[0].on(call.node(Mul(), *nodes)), (at,), False)
    for flow in flows:
        square = reduced(call, Reduction.SUM, flow.on(call.node(Mul(), flow.node, flow.node)), (at,), False)
        above = call.node(Maximum(), square.node, call.constant(np.float32(eps * eps)))
        product = product.on(call.node(Mul(), product.node, to_the(call, above, -0.5)))
    return product


__all__ = ["chosen", "extreme", "finite", "negated", "truth"]

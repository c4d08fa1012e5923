"""``einsum`` of one or two tensors as transposes, sums and one matrix product."""

from math import prod

from ....graph import NDArray
from ....graph.ops import MatMul, Reduce, Reduction
from ..registry import Call
from ..values import Flow, Known
from .linear import dense, permuted
from .shapes import dropped, reshaped_to


def contracted(call: Call) -> Flow:
    """Read the equation and carry it out. Raises UnsupportedError for traces, and for more than two tensors."""
    call.arguments.ignore("path", why="the order of products of two tensors makes no difference")
    tensors = call.tensors("tensors")
    equation = call.arguments.text("equation").replace(" ", "")
    inputs, arrow, result = equation.partition("->")
    terms = inputs.split(",")
    ranks = [v.rank if isinstance(v, Flow) else v.at(0).ndim for v in tensors]
    terms = _without_dots(call, terms, ranks, result) if "." in equation else terms
    if arrow and "." in result:
        result = result.replace("...", _dots(call, inputs.split(","), ranks))
    if not arrow:
        counted = sorted({c for c in inputs if c.isalpha()})
        result = "".join(c for c in counted if inputs.count(c) == 1)
    if len(terms) != len(tensors) or any(len(t) != r for t, r in zip(terms, ranks, strict=True)):
        raise call.misfit(f"the equation {equation} for tensors of {ranks} axes")
    if len(tensors) > 2 or any(len(set(t)) != len(t) for t in (*terms, result)):
        hint = "write it as products of two tensors each, without repeated letters"
        raise call.refuse(f"the equation {equation}", hint)
    if not set(result) <= set("".join(terms)):
        raise call.misfit(f"the equation {equation}")
    if len(tensors) == 1:
        return _one(call, call.as_flow(tensors[0], "tensors"), terms[0], result)
    return _two(call, tensors, terms, result)


def _dots(call: Call, terms: list[str], ranks: list[int]) -> str:
    """Give letters for the axes that three dots stand for; upper case letters are kept free for them."""
    most = max(r - (len(t) - 3) for t, r in zip(terms, ranks, strict=True) if "..." in t)
    free = [c for c in "ZYXWVUTSRQ" if not any(c in t for t in terms)]
    if most > len(free):
        raise call.refuse("so many axes for three dots", "name the axes")
    return "".join(free[:most][::-1])


def _without_dots(call: Call, terms: list[str], ranks: list[int], result: str) -> list[str]:
    if len(terms) != len(ranks):
        raise call.misfit(f"{len(terms)} terms for {len(ranks)} tensors")
    letters = _dots(call, terms, ranks)
    counts = [r - (len(t) - 3) for t, r in zip(terms, ranks, strict=True)]
    return [
        t.replace("...", letters[len(letters) - n :]) if "..." in t else t for t, n in zip(terms, counts, strict=True)
    ]


def _one(call: Call, x: Flow, term: str, result: str) -> Flow:
    gone = tuple(i for i, c in enumerate(term) if c not in result)
    kept = "".join(c for c in term if c in result)
    x = summed(call, x, gone)
    return permuted(call, x, tuple(kept.index(c) for c in result))


def summed(call: Call, x: Flow, gone: tuple[int, ...]) -> Flow:
    """Sum over axes of the source and drop them."""
    if not gone:
        return x
    axes = tuple(sorted(call.axis(x, a) for a in gone))
    return dropped(x, call.node(Reduce(Reduction.SUM, axes, keep=False), x.node), gone)


def _two(call: Call, tensors: list[Flow | Known], terms: list[str], result: str) -> Flow:
    """Bring both to [shared, rows, summed] and [shared, summed, columns], multiply, and bring the result in order."""
    a, b = terms
    if isinstance(tensors[0], Known) and isinstance(tensors[1], Flow):
        tensors, (a, b) = tensors[::-1], (b, a)
    x, y = tensors
    if not isinstance(x, Flow):
        x = call.as_flow(x, "tensors")
    x = summed(call, x, tuple(i for i, c in enumerate(a) if c not in b and c not in result))
    a = "".join(c for c in a if c in b or c in result)
    if isinstance(y, Known):
        array = call.real(call.fixed(y, "a constant operand"))
        array = array.sum(axis=tuple(i for i, c in enumerate(b) if c not in a and c not in result))
        b = "".join(c for c in b if c in a or c in result)
        if not any(c in a and c in result for c in b):
            return _by_matrix(call, x, array, a, b, result)
        y = Known((array,))
    else:
        y = summed(call, y, tuple(i for i, c in enumerate(b) if c not in a and c not in result))
        b = "".join(c for c in b if c in a or c in result)
    return _multiplied(call, x, y, (a, b), result)


def _by_matrix(call: Call, x: Flow, w: NDArray, a: str, b: str, result: str) -> Flow:
    """Multiply by a constant with which no axis of the result is shared: a dense layer along the axes summed over."""
    inner = [c for c in a if c in b]
    outer, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    x = permuted(call, x, tuple(a.index(c) for c in (*outer, *inner)))
    matrix = w.transpose([b.index(c) for c in (*inner, *columns)])
    n = prod(matrix.shape[: len(inner)])
    wide = matrix.shape[len(inner) :]
    x = reshaped_to(call, x, len(outer), (n,))
    product = dense(call, x, matrix.reshape(n, -1))
    product = reshaped_to(call, product, len(outer), wide)
    order = [*outer, *columns]
    return permuted(call, product, tuple(order.index(c) for c in result))


def _multiplied(call: Call, x: Flow, y: Flow | Known, terms: tuple[str, str], result: str) -> Flow:
    """Multiply as matrices [shared, rows, inner] and [shared, inner, columns]."""
    a, b = terms
    shared = [c for c in result if c in a and c in b]
    inner = [c for c in a if c in b and c not in result]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    lead = list[str]()
    if isinstance(y, Known) and x.place is not None:  # the batch stands before the axes of the constant
        lead = [a[x.place.axis]]
        if not x.place.pure or lead[0] in b:
            raise call.refuse("a constant has an axis along the batch", "leave the batch out of the constant")
        rows.remove(lead[0])
    k, length = len(lead) + len(shared), call.batch.lengths[0]
    x = permuted(call, x, tuple(a.index(c) for c in (*lead, *shared, *rows, *inner)))
    height = x.shape(length)[k : k + len(rows)]
    n = prod(x.shape(length)[k + len(rows) :])
    right = tuple(b.index(c) for c in (*shared, *inner, *columns))
    if isinstance(y, Known):
        array = y.at(0).transpose(right)
        sizes = array.shape[len(shared) + len(inner) :]
        other = call.constant(array.reshape((*array.shape[: len(shared)], n, prod(sizes))), "weight")
    else:
        y = permuted(call, y, right)
        if x.place != y.place or (x.place is not None and x.place.axis >= k):
            hint = "keep the batch in both operands and in the result"
            raise call.refuse("the batch of one operand is not that of the other", hint)
        sizes = y.shape(length)[k + len(inner) :]
        other = reshaped_to(call, y, k, (n, prod(sizes))).node
    x = reshaped_to(call, x, k, (prod(height), n))
    product = reshaped_to(call, Flow(call.node(MatMul(), x.node, other), x.place), k, (*height, *sizes))
    order = [*lead, *shared, *rows, *columns]
    return permuted(call, product, tuple(order.index(c) for c in result))


__all__ = ["contracted", "summed"]

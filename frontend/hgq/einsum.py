"""Sums of products over named axes, of tensors and constants, in products that are exact on integers."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ...graph import Array, Node, ShapeError
from ...graph.ops import Constant, Dense, MatMul, Mul, Reduce, Reduction, Reshape, Transpose
from ..keras.registry import Layer


@dataclass(frozen=True, eq=False)
class Named:
    """A tensor and a letter for each of its axes (without the batch)."""

    node: Node
    letters: str


def parse(layer: Layer, equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Give the letters of each operand and of the result, an ellipsis written out; the batch is an axis among them.

    ``ranks``: how many axes each operand has, the batch counted. Raises UnsupportedError for what is no such equation.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    operands = left.split(",")
    pattern = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")
    fits = arrow and len(operands) == len(ranks) and all(pattern.fullmatch(o) for o in (*operands, out))
    if not fits:
        raise layer.unsupported(f"the equation {equation!r:.80} for {len(ranks)} operands", "write 'bnc,cd->bnd'")
    free = [c for c in string.ascii_letters if c not in equation]
    extra = {n - len(o.replace("...", "")) for o, n in zip(operands, ranks, strict=True) if "..." in o}
    lengths = all(len(o) == n for o, n in zip(operands, ranks, strict=True) if "..." not in o)
    if len(extra) > 1 or any(not 0 <= e <= len(free) for e in extra) or not lengths:
        raise ShapeError(f"the equation {equation!r:.80} is for other shapes", where=layer.place)
    dots = "".join(free[: max(extra, default=0)])
    written = [o.replace("...", dots) for o in (*operands, out)]
    if any(len(set(w)) != len(w) for w in written) or not set(written[-1]) <= set("".join(written[:-1])):
        raise layer.unsupported(f"the equation {equation!r:.80} repeats a letter or has one of no operand")
    return written[:-1], written[-1]


def without_batch(layer: Layer, letters: Sequence[str], out: str, tensors: Sequence[bool]) -> tuple[list[str], str]:
    """Drop the batch, which must be the first axis of each tensor (not of weights) and of the result."""
    batch = next(w[:1] for w, t in zip(letters, tensors, strict=True) if t)
    for word, tensor in zip(letters, tensors, strict=True):
        if (word[:1] == batch) != tensor or batch in word[1:]:
            raise layer.unsupported("an equation in which the batch is not the first axis of every tensor")
    if not batch or out[:1] != batch:
        raise layer.unsupported("an equation in which the batch is not the first axis of the result")
    return [w[1:] if t else w for w, t in zip(letters, tensors, strict=True)], out[1:]


def contract(layer: Layer, operands: Sequence[Named], out: str) -> Node:
    """Multiply the operands, sum over every letter that is not in ``out``, and order the axes as ``out`` says."""
    _check_sizes(layer, operands)
    total, *others = operands
    for n, other in enumerate(others):
        later = set(out).union(*(o.letters for o in others[n + 1 :]))
        total = _pair(layer, _summed(layer, total, later | set(other.letters)), _summed(
            layer, other, later | set(total.letters)), later)  # fmt: skip
    total = _summed(layer, total, set(out))
    return _ordered(layer, total, out).node


def _check_sizes(layer: Layer, operands: Sequence[Named]) -> None:
    sizes: dict[str, int] = {}
    for operand in operands:
        for letter, n in zip(operand.letters, operand.node.shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                what = f"axis {letter!r} of an equation has {sizes[letter]} and {n} elements"
                raise ShapeError(what, where=layer.place, hint="configuration and weights are of different models")


def _summed(layer: Layer, x: Named, kept: set[str]) -> Named:
    """Sum over the letters that nothing else needs."""
    axes = tuple(i for i, c in enumerate(x.letters) if c not in kept)
    if not axes:
        return x
    return Named(layer.node(Reduce(Reduction.SUM, axes), x.node), "".join(c for c in x.letters if c in kept))


def _ordered(layer: Layer, x: Named, letters: str) -> Named:
    """Bring the axes into an order."""
    axes = tuple(x.letters.index(c) for c in letters)
    if axes == tuple(range(len(axes))):
        return x
    if isinstance(x.node.op, Constant):
        data = Array(x.node.op.value.data.transpose(axes))
        format = x.node.op.format.map(x.node.shape, lambda v: v.transpose(axes))
        return Named(Node(Constant(data, format), (), x.node.where), letters)
    return Named(layer.node(Transpose(axes), x.node), letters)


def _shaped(layer: Layer, node: Node, shape: tuple[int, ...]) -> Node:
    if node.shape == shape:
        return node
    if isinstance(node.op, Constant):
        format = node.op.format.map(node.shape, lambda v: v.reshape(shape))
        return Node(Constant(Array(node.op.value.data.reshape(shape)), format), (), node.where)
    return layer.node(Reshape(shape), node)


def _pair(layer: Layer, a: Named, b: Named, later: set[str]) -> Named:
    """Multiply two operands and sum over the letters of both that are not needed later."""
    both = [c for c in a.letters if c in b.letters]
    batch, inner = "".join(c for c in both if c in later), "".join(c for c in both if c not in later)
    rows, columns = ("".join(c for c in x.letters if c not in both) for x in (a, b))
    sizes = dict(zip(a.letters + b.letters, (*a.node.shape, *b.node.shape), strict=True))
    a, b = _ordered(layer, a, batch + rows + inner), _ordered(layer, b, batch + inner + columns)
    if isinstance(a.node.op, Constant) and not isinstance(b.node.op, Constant) and not batch:
        return _pair(layer, b, a, later)
    lead, left, mid, right = (tuple(sizes[c] for c in w) for w in (batch, rows, inner, columns))
    if not inner:
        x = _shaped(layer, a.node, (*lead, *left, *(1 for _ in right)))
        y = _shaped(layer, b.node, (*lead, *(1 for _ in left), *right))
        product = layer.node(Mul(), x, y)
    elif isinstance(b.node.op, Constant) and not batch:
        matrix = _shaped(layer, b.node, (prod(mid), prod(right)))
        product = layer.node(Dense(), _shaped(layer, a.node, (*left, prod(mid))), matrix)
    else:
        shape = (*lead, prod(left), prod(mid)), (*lead, prod(mid), prod(right))
        product = layer.node(MatMul(), _shaped(layer, a.node, shape[0]), _shaped(layer, b.node, shape[1]))
    return Named(_shaped(layer, product, (*lead, *left, *right)), batch + rows + columns)

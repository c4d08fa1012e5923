"""Einsum: operands two by two, each step one matrix product."""

from collections.abc import Sequence

import numpy as np

from ....graph import GatewrightError, Node, UnsupportedError
from ....graph.ops import Gather, Reduce, Reduction, Reshape, Transpose
from ...einsum import LETTERS, Equation, product
from ..registry import Call, Flow, operator


@operator("Einsum")
def einsum(call: Call) -> Node:
    """Sums of products over named axes; the batch is a letter that every computed operand and the result begin with."""
    text = call.attributes.text("equation").replace(" ", "")
    values = [call.value(i) for i in range(len(call.inputs))]
    ranks = [v.rank if isinstance(v, Flow) else v.variants[0].ndim for v in values]
    terms, out = _explicit(call, text, ranks)
    computed = [isinstance(v, Flow) for v in values]
    nodes = []
    for i, flows in enumerate(computed):
        if call.lead and not flows:
            nodes.append(call.constant(call.known(i)))  # type: ignore[arg-type]
        else:
            nodes.append(call.operand(i, ranks[i]))
    if call.lead:
        terms, out = _without_batch(call, terms, out, computed)
    try:
        return _contracted(call, terms, nodes, out)
    except GatewrightError as error:
        raise UnsupportedError(error.what, where=call.place, hint=error.hint or "check the equation") from None


def _explicit(call: Call, text: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Give each operand's letters and the result's, an ellipsis written out, the result where it is left out."""
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise call.misfit(f"the equation {text!r} for {len(ranks)} operands")
    counts = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    if any(n < 0 or (n and "..." not in t) for t, n in zip(terms, counts, strict=True)):
        raise call.misfit(f"the equation {text!r} for operands of {list(ranks)} axes")
    free = [c for c in LETTERS if c not in text]
    most = free[: max(counts)]
    spelled = [t.replace("...", "".join(most[len(most) - n :])) for t, n in zip(terms, counts, strict=True)]
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        out = "".join(most) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    out = out.replace("...", "".join(most))
    if len(set(out)) != len(out) or not set(out) <= set("".join(spelled)):
        raise call.misfit(f"the equation {text!r} names an axis of the result twice, or one that no operand has")
    return spelled, out


def _without_batch(call: Call, terms: list[str], out: str, computed: list[bool]) -> tuple[list[str], str]:
    batch = {t[:1] for t, flows in zip(terms, computed, strict=True) if flows}
    letter = next(iter(batch), "")
    others = [t for t, flows in zip(terms, computed, strict=True) if not flows]
    rest = [t[1:] if flows else t for t, flows in zip(terms, computed, strict=True)]
    if len(batch) != 1 or not letter or out[:1] != letter or any(letter in t for t in (*rest, out[1:], *others)):
        raise call.refuse("axis 0 of its operands, the batch, is not one letter of all", "begin each with the same")
    return rest, out[1:]


def _contracted(call: Call, terms: list[str], nodes: list[Node], out: str) -> Node:
    pairs = [_diagonal(call, t, x) for t, x in zip(terms, nodes, strict=True)]
    term, x = pairs[0]
    for k, (other, y) in enumerate(pairs[1:], 1):
        later = set(out).union(*(t for t, _ in pairs[k + 1 :]))
        kept = "".join(c for c in dict.fromkeys(term + other) if c in later)
        target = out if k == len(pairs) - 1 else kept
        x = product(Equation(term, other, target), x, y, call.name)
        term = target
    gone = tuple(i for i, c in enumerate(term) if c not in out)
    if gone:
        x, term = call.node(Reduce(Reduction.SUM, gone), x), "".join(c for c in term if c in out)
    order = tuple(term.index(c) for c in out)
    return x if order == tuple(range(len(order))) else call.node(Transpose(order), x)


def _diagonal(call: Call, term: str, x: Node) -> tuple[str, Node]:
    """Take the diagonal of axes that have the same letter."""
    for letter in dict.fromkeys(term):
        places = [i for i, c in enumerate(term) if c == letter]
        if len(places) == 1:
            continue
        n = x.shape[places[0]]
        if any(x.shape[p] != n for p in places):
            raise call.misfit(f"the axes {letter} of shape {x.shape} differ")
        rest = [i for i in range(len(term)) if i not in places]
        shape = (n ** len(places), *(x.shape[i] for i in rest))
        flat = call.node(Reshape(shape), call.node(Transpose((*places, *rest)), x))
        step = sum(n**k for k in range(len(places)))
        x = call.node(Gather(0, tuple(int(k) for k in np.arange(n) * step)), flat)
        term = letter + "".join(term[i] for i in rest)
    return term, x

"""Sums of products over named axes (einsum of two tensors), as transposes, reshapes and one matrix product."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ..graph import NDArray, Node, ShapeError
from ..graph.ops import Dense, MatMul, Reduce, Reduction
from .rearrange import reshaped, transposed


@dataclass(frozen=True)
class Equation:
    """``xy,yz->xz`` for two operands without a batch: each letter an axis, none twice in one operand."""

    left: str
    right: str
    out: str

    @classmethod
    def parse(cls, text: str, left_rank: int, right_rank: int) -> "Equation":
        """Read an equation; the axes of an ellipsis, of those that are left, get letters of their own.

        Raises ShapeError where it does not fit operands of these ranks, or names an axis twice.
        """
        operands, arrow, out = text.replace(" ", "").partition("->")
        left, comma, right = operands.partition(",")
        if not arrow or not comma or "," in right:
            raise ShapeError(f"the equation {text!r} is not one of two operands and a result")
        free = [c for c in LETTERS if c not in text]
        ranks = [rank - len(part.replace("...", "")) for part, rank in ((left, left_rank), (right, right_rank))]
        counts = [n if "..." in part else 0 for part, n in zip((left, right), ranks, strict=True)]
        if min(counts) < 0 or [n for n, c in zip(ranks, counts, strict=True) if n != c]:
            raise ShapeError(f"the equation {text!r} does not fit operands of {left_rank} and {right_rank} axes")
        most = free[: max(counts)]
        given = zip((left, right), counts, strict=True)
        left, right = (part.replace("...", "".join(most[len(most) - n :])) for part, n in given)
        found = cls(left, right, out.replace("...", "".join(most)))
        found.check(text)
        return found

    def check(self, text: str) -> None:
        """Raise ShapeError where an axis is named twice, or comes from nowhere."""
        twice = any(len(set(p)) != len(p) or not set(p) <= set(LETTERS) for p in (self.left, self.right, self.out))
        if twice or not set(self.out) <= set(self.left + self.right):
            raise ShapeError(f"the equation {text!r} names an axis twice, or one that no operand has")

    def sizes(self, left: Sequence[int], right: Sequence[int]) -> dict[str, int]:
        """Give the length of each axis. Raises ShapeError where the two operands disagree."""
        table: dict[str, int] = {}
        for letter, n in [*zip(self.left, left, strict=True), *zip(self.right, right, strict=True)]:
            if table.setdefault(letter, n) != n:
                raise ShapeError(f"the axis {letter} is {table[letter]} long in one operand and {n} in the other")
        return table


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def product(equation: Equation, left: Node, right: Node, where: str) -> Node:
    """Give the result of an equation for two computed tensors."""
    sizes = equation.sizes(left.shape, right.shape)
    a, left = _summed(equation.left, left, equation.right + equation.out, where)
    b, right = _summed(equation.right, right, equation.left + equation.out, where)
    both = [c for c in a if c in b and c in equation.out]
    inner = [c for c in a if c in b and c not in equation.out]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    x = _grouped(left, a, (both, rows, inner), sizes)
    y = _grouped(right, b, (both, inner, columns), sizes)
    result = Node(MatMul(), (x, y), where)
    return _ordered(result, [*both, *rows, *columns], equation.out, sizes)


Move = Callable[[NDArray], NDArray]


def weighted(
    equation: Equation,
    x: Node,
    shape: Sequence[int],
    weights: Callable[[Move, tuple[int, ...]], Node],
    where: str,
    bias: Node | None = None,
) -> Node:
    """Give the result of an equation for a tensor and weights of a known shape.

    ``weights(move, shape)`` gives the stored weights rearranged by ``move`` to ``shape`` [K, N], or, where both
    operands have an axis that stays, to [*both, K, N]. ``bias`` [N] only goes with equations without such axes.
    """
    sizes = equation.sizes(x.shape, shape)
    a, x = _summed(equation.left, x, equation.right + equation.out, where)
    b = equation.right
    both = [c for c in a if c in b and c in equation.out]
    inner = [c for c in a if c in b and c not in equation.out]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a and c in equation.out]
    gone = tuple(i for i, c in enumerate(b) if c not in a and c not in equation.out)
    order = [b.index(c) for c in (*both, *inner, *columns)]
    lead, k, n = ([sizes[c] for c in group] for group in (both, inner, columns))
    full = (*lead, prod(k), prod(n))

    def move(w: NDArray) -> NDArray:
        kept = [i for i in range(len(b)) if i not in gone]
        summed = w.sum(axis=gone) if gone else w
        return summed.transpose([kept.index(i) for i in order]).reshape(full)

    matrix = weights(move, full)
    if not both:
        flat = _grouped(x, a, (rows, inner), sizes, keep=True)
        result = Node(Dense(), (flat, matrix) if bias is None else (flat, matrix, bias), where)
    else:
        result = Node(MatMul(), (_grouped(x, a, (both, rows, inner), sizes), matrix), where)
    return _ordered(result, [*both, *rows, *columns], equation.out, sizes)


def _summed(letters: str, x: Node, wanted: str, where: str) -> tuple[str, Node]:
    """Sum over the axes that stand nowhere else."""
    axes = tuple(i for i, c in enumerate(letters) if c not in wanted)
    if not axes:
        return letters, x
    return "".join(c for c in letters if c in wanted), Node(Reduce(Reduction.SUM, axes), (x,), where)


def _grouped(
    x: Node, letters: str, groups: tuple[list[str], ...], sizes: Mapping[str, int], *, keep: bool = False
) -> Node:
    """Bring axes in the order of groups; the last two groups become one axis each, only the last with ``keep``."""
    order = [c for group in groups for c in group]
    moved = transposed(x, tuple(letters.index(c) for c in order))
    single, joined = (groups[:-1], groups[-1:]) if keep else (groups[:-2], groups[-2:])
    lead = [sizes[c] for group in single for c in group]
    return reshaped(moved, (*lead, *(prod(sizes[c] for c in group) for group in joined)))


def _ordered(result: Node, letters: Sequence[str], out: str, sizes: Mapping[str, int]) -> Node:
    full = reshaped(result, tuple(sizes[c] for c in letters))
    return transposed(full, tuple(letters.index(c) for c in out))

"""Walk B in order, each operation fed with A's values, and compare what it makes with A's.

So an error shows at the tensor that introduces it, and nowhere after. Between a float graph and one of integers an
error is expected: that of the formats. It is estimated by running the same operations again on weights, inputs and
results that are shaken by as much as rounding moves them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf

import numpy as np

from ...graph import Graph, NDArray, Node, Tensor, bodies, values_of
from ...graph.arrays import as_array
from ...graph.evaluate.kernel import Value
from ...graph.evaluate.scan import emissions
from ...graph.ops import (
    Add,
    Constant,
    FixedSoftmax,
    Input,
    Lookup,
    MultiplyShift,
    Output,
    Quantize,
    Quotient,
    Scan,
    Step,
)  # fmt: skip
from .align import CHAIN, FOLDED, Alignment, Rank, is_inserted, operands
from .expected import expected, stated, usual_rounding
from .sides import Side, apply, in_format, within

DRAWS = 3
EXCESS = 5.0
"""Errors up to so many times what rounding explains, root mean square, are explained."""
FLOAT = 2e-6
"""What float32 arithmetic in another order explains, relative to the largest value of a tensor."""
ROUNDS = (Quantize, MultiplyShift, FixedSoftmax, Lookup, Step, Quotient)
STRONG = (Rank.STRUCTURE, Rank.READER, Rank.NAME, Rank.ORDER)


@dataclass(frozen=True, eq=False)
class Judgement:
    """A tensor of B, made from A's values, beside one of A. ``excess`` [channels], in units of what is explained."""

    b: Node
    a: Node
    rank: Rank
    reference: NDArray
    found: NDArray
    shares: NDArray
    excess: NDArray
    overall: float
    ruled: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all of the error is explained."""
        return self.worst <= EXCESS and not self.ruled

    @property
    def worst(self) -> float:
        """The greatest excess."""
        return max(self.overall, float(self.excess.max(initial=0.0)))

    @property
    def error(self) -> float:
        """The mean of the squared errors."""
        return float(self.shares.mean()) if self.shares.size else 0.0


@dataclass(eq=False)
class Walk:
    """``shown``: what the operations of B read. ``shaken``: the same, moved by rounding, a few times."""

    a: Side
    b: Side
    exact: bool
    shown: dict[Node, NDArray] = field(default_factory=dict)
    shaken: dict[Node, list[NDArray]] = field(default_factory=dict)
    sure: dict[Node, bool] = field(default_factory=dict)
    judged: dict[Node, Judgement] = field(default_factory=dict)
    open: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.alignment = Alignment(self.a.graph, self.b.graph, self.exact)
        self.rounding = usual_rounding(self.b.graph)
        constants = [n for n in self.a.graph.nodes if isinstance(n.op, Constant)]
        self.known = {_key(self.a.real(n)) for n in constants} | set(_in_bodies(self.a.graph))
        self.stated = {(n.where, n.shape) for n in constants if n.where and n.type.is_integer}
        self.ends = _paired_outputs(self.a, self.b)
        alike = {(s.name, s.entry.shape): s for s in self.a.graph.states}
        pairs = [(s, alike.get((s.name, s.entry.shape))) for s in self.b.graph.states]
        self.kept = {s.entry: None if other is None else other.entry for s, other in pairs}
        self.ends |= {s.next: other.next for s, other in pairs if other is not None}
        self.draws = 0 if self.exact or not any(n.type.is_integer for n in self.b.graph.nodes) else DRAWS

    def run(self) -> "Walk":
        """Visit every node of B."""
        for node in self.b.graph.nodes:
            self.visit(node)
        return self

    def visit(self, b: Node) -> None:
        """Make a tensor from what is shown, find what it stands for, show A's values in its place."""
        if isinstance(b.op, Constant):
            return self.constant(b)
        if b in self.kept:
            return self.handed(b)
        if isinstance(b.op, Output) and b not in self.ends:  # the next value of a state that A does not have
            return None
        made, moved = self.made(b)
        self.shown[b], self.shaken[b], self.sure[b] = made, list(moved), self.certain(b)
        found = self.decide(b, made, moved)
        if found is None:
            self.shaken[b] = [self.rounded(b, m) for m in moved]
            self.open.append(b)
            return None
        self.judged[b] = found
        if not isinstance(b.op, Output):
            self.show(b, found.a)
        return None

    def handed(self, b: Node) -> None:
        """Show what A's state of the name holds: what rounding adds up to over the steps is no difference of a step."""
        if (a := self.kept[b]) is not None:
            return self.show(b, a)
        self.shown[b], self.sure[b] = self.b.stored[b], False
        self.shaken[b] = [self.b.stored[b]] * self.draws
        return None

    def made(self, b: Node) -> tuple[NDArray, list[NDArray]]:
        """Run one operation on what is shown, and on the shaken versions of it."""
        if isinstance(b.op, Input):
            return self.b.stored[b], [self.b.stored[b]] * self.draws
        plain = apply(b, [self.shown[i] for i in b.inputs])
        return plain, [self.moved(b, [self.shaken[i][d] for i in b.inputs]) for d in range(self.draws)]

    def moved(self, b: Node, operands: Sequence[NDArray]) -> NDArray:
        """Run one operation on shaken operands; in the body of a scan the steps between round as well."""
        if not isinstance(b.op, Scan) or not b.type.is_integer:
            return apply(b, operands)
        with np.errstate(all="ignore"):
            fed = [Value(i.type, v) for i, v in zip(b.inputs, operands, strict=True)]
            return emissions(b.op, fed, partial(self.inside, b.op.body))

    def inside(self, body: Graph, node: Node, stored: NDArray) -> NDArray:
        """Shake what a node in the body of a scan gives."""
        if not isinstance(node.op, Constant):
            return self.rounded(node, stored)
        known = not node.type.is_integer or _key(np.asarray(values_of(node, stored), np.float64)) in self.known
        fixed = known or any(isinstance(u.op, Step) for u in body.users[node])
        return stored if fixed else self.jittered(node.type, stored)

    def constant(self, b: Node) -> None:
        """Show a constant; it was rounded unless A has the very same numbers, or has it in integers as well."""
        stored = self.b.stored[b]
        known = not b.type.is_integer or (b.where, b.shape) in self.stated or _key(self.b.real(b)) in self.known
        self.sure[b] = self.exact or known
        self.shown[b] = stored
        fixed = self.sure[b] or any(isinstance(u.op, Step) for u in self.b.graph.users[b])  # thresholds stay ascending
        self.shaken[b] = [stored if fixed else self.jittered(b.type, stored) for _ in range(self.draws)]

    def certain(self, b: Node) -> bool:
        """Whether nothing that an operation reads was rounded."""
        return all(self.sure[i] for i in b.inputs)

    def show(self, b: Node, a: Node) -> None:
        """Let what follows read A's values, in B's format."""
        stored = in_format(a.type, self.a.stored[a], b.type)
        self.shown[b] = stored
        rest = self.a.real(a) - values_of(b, stored)
        self.sure[b] = not rest.any()
        where = None if self.sure[b] else rest != 0
        self.shaken[b] = [
            stored if where is None or not b.type.is_integer else self.jittered(b.type, stored, where)
            for _ in range(self.draws)
        ]

    def rounded(self, b: Node, stored: NDArray) -> NDArray:
        """Shake the result of an operation that rounds."""
        return self.jittered(b.type, stored) if isinstance(b.op, ROUNDS) and b.type.is_integer else stored

    def jittered(self, tensor: Tensor, stored: NDArray, where: NDArray | None = None) -> NDArray:
        """Move stored integers by one unit, up or down, as often as gives the variance of rounding, 1/12."""
        moved = self.rng.random(stored.shape)
        step = (moved < 1 / 24).astype(np.int64) - (moved > 23 / 24).astype(np.int64)
        low, high = tensor.quantized.bounds
        shaken = np.clip(stored + (step if where is None else step * where), low, high)
        return shaken if tensor.value is not None else within(tensor, shaken)

    def decide(self, b: Node, made: NDArray, moved: Sequence[NDArray]) -> Judgement | None:
        """Choose what a tensor stands for: the candidate that it agrees with best, else the likeliest."""
        if isinstance(b.op, Output):
            return self.judge(b, self.ends[b], Rank.STRUCTURE, made, moved)
        options = self.options(b)
        found = [self.judge(b, a, rank, made, moved) for a, rank in options.items()]
        if agreeing := [j for j in found if j.agrees]:
            least = min(j.error for j in agreeing)
            return next(j for j in agreeing if j.error <= 2 * least)
        strong = [j for j in found if j.rank in STRONG or j.ruled]
        rescales = isinstance(b.op, (Quantize, MultiplyShift)) and b.where == b.inputs[0].where
        if not strong and found and rescales and b.inputs[0] in self.judged:
            strong = [min(found, key=lambda j: j.error)]  # what was compared, in another format
        if not strong:
            return None
        likeliest = strong[0]
        certain = likeliest.rank is Rank.READER or likeliest.ruled
        return None if not certain and self.later(b, list(options)) else likeliest

    def options(self, b: Node) -> dict[Node, Rank]:
        """Give the candidates; an inserted quantizer stands for what its operand stands for."""
        if self.alignment.through(b) is not b and b.inputs[0] in self.judged:
            return {self.judged[b.inputs[0]].a: Rank.STRUCTURE}
        if isinstance(b.op, Input):
            i = self.b.graph.inputs.index(b)
            names = [op.name for op in self.a.graph.input_ops]
            a = self.a.graph.inputs[names.index(b.op.name) if b.op.name in names else i]
            alike = [u for u in self.a.graph.users[a] if isinstance(u.op, Quantize) and u.shape == b.shape]
            return {a: Rank.STRUCTURE, **dict.fromkeys([*self.alignment.chain(a), *alike], Rank.FOLDED)}
        return {} if self.is_piece(b) else self.alignment.candidates(b)

    def is_piece(self, b: Node) -> bool:
        """Whether a tensor is a piece of a function in several tables, each 0 where another holds: a part of a sum."""
        readers = self.b.graph.users[b]
        if not isinstance(b.op, (Lookup, Add)) or len(readers) != 1 or not isinstance(readers[0].op, Add):
            return False
        return all(isinstance(i.op, (Lookup, Add)) and i.where == b.where != "" for i in readers[0].inputs)

    def later(self, b: Node, candidates: Sequence[Node]) -> bool:
        """Whether a pointwise operation that alone reads this tensor makes of it what A has: then it is a step.

        What is noted of the operations that follow is noted anew when they are visited.
        """
        for _ in range(CHAIN):
            self.shaken[b] = [self.rounded(b, v) for v in self.shaken[b]]
            readers = self.b.graph.users[b]
            if len(readers) != 1 or not isinstance(readers[0].op, FOLDED) or len(operands(readers[0])) != 1:
                return False
            b = readers[0]
            for i in b.inputs:
                if i not in self.shown:
                    self.constant(i)
            made, moved = self.made(b)
            self.shown[b], self.shaken[b], self.sure[b] = made, moved, self.certain(b)
            options = {**self.alignment.candidates(b), **dict.fromkeys(candidates, Rank.FOLDED)}
            same = [a for a in options if a.shape == b.shape]
            if any(self.judge(b, a, Rank.FOLDED, made, moved).agrees for a in same):
                return True
        return False

    def judge(self, b: Node, a: Node, rank: Rank, made: NDArray, moved: Sequence[NDArray]) -> Judgement:
        """Compare a tensor, made from A's values, with one of A."""
        reference, found = np.broadcast_arrays(self.a.real(a), np.asarray(values_of(b, made), np.float64))
        error = (found - reference) ** 2
        shares = _by_channel(error)
        ruled = expected(b, a, self.shown, self.rounding) + (stated(b, a) if self.exact else ())
        if self.exact or (a.type.is_integer and b.type.is_integer and self.certain(b) and not _regrids(b)):
            apart = found != reference
            if a.type.format != b.type.format:  # the same numbers in other units: float64 rounds the products
                apart &= ~np.isclose(found, reference, rtol=1e-12, atol=0.0)
            excess = np.where(_by_channel(apart.astype(np.float64)) > 0, inf, 0.0)
            return Judgement(b, a, rank, reference, found, shares, excess, 0.0, ruled)
        noise = self.noise(b, made, moved) + (FLOAT * float(np.abs(reference).max(initial=0.0))) ** 2 + 1e-60
        excess = np.sqrt(shares / (0.5 * noise + 0.5 * noise.mean()))
        overall = float(np.sqrt(shares.mean() / noise.mean()))
        return Judgement(b, a, rank, reference, found, shares, excess, overall, ruled)

    def noise(self, b: Node, made: NDArray, moved: Sequence[NDArray]) -> NDArray:
        """The squared error that rounding explains, by channel."""
        plain = np.asarray(values_of(b, made), np.float64)
        parts = [_by_channel((np.asarray(values_of(b, m), np.float64) - plain) ** 2) for m in moved]
        total: NDArray = np.mean(parts, axis=0) if parts else np.zeros(plain.shape[-1] if plain.ndim > 1 else 1)
        if b.type.is_integer and isinstance(b.op, (*ROUNDS, Input)):
            units = as_array(b.type.quantized.scale).astype(np.float64)
            total = total + _by_channel(np.broadcast_to(units**2 / 12, (1, *b.shape)))
        return total


def _regrids(node: Node) -> bool:
    """Whether a node brings its numbers to a grid that the source does not have."""
    return isinstance(node.op, Input) or is_inserted(node)


def _by_channel(values: NDArray) -> NDArray:
    """The mean over all axes but the last, of [samples, *shape]."""
    return np.asarray(values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1).mean(axis=0))


def _key(values: NDArray) -> int:
    return hash((values.size, np.ascontiguousarray(values.ravel()).tobytes()))


def _in_bodies(graph: Graph) -> Iterator[int]:
    """The keys of the constants in the bodies of a graph's scans."""
    for body in (body for node in graph.nodes for body in bodies(node.op)):
        constants = (n for n in body.nodes if isinstance(n.op, Constant))
        yield from (_key(np.asarray(values_of(n, apply(n, ())), np.float64)) for n in constants)
        yield from _in_bodies(body)


def _paired_outputs(a: Side, b: Side) -> dict[Node, Node]:
    names = {op.name: node for op, node in zip(a.graph.output_ops, a.graph.outputs, strict=True)}
    return {
        node: names.get(op.name, a.graph.outputs[min(i, len(a.graph.outputs) - 1)])
        for i, (op, node) in enumerate(zip(b.graph.output_ops, b.graph.outputs, strict=True))
    }

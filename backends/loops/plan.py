"""Which tensors stand in memory, what is computed together, and where everything is kept.

A step computes one tensor that stands in memory: an anchor (a product, a window, a reduction, ...) with the pointwise
operations that follow it, or elements that are computed one by one from tensors in memory. What only moves values or
computes a little is done where it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import lcm

from ...graph import Array, Graph, Node, Op, UnsupportedError
from ...graph.arrays import NDArray, as_array
from ...graph.evaluate.kernel import Value, run
from ...graph.formats import narrowest
from ...graph.ops import (
    Activation,
    Add,
    ArgMax,
    AvgPool,
    Broadcast,
    Cast,
    Compare,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Div,
    DynamicScale,
    FixedSoftmax,
    Gather,
    GatherND,
    Input,
    Lookup,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    MultiplyShift,
    Output,
    Power,
    Quantize,
    Quotient,
    Reduce,
    Relu,
    Remainder,
    Reshape,
    Scan,
    ScatterND,
    Select,
    Slice,
    Softmax,
    Step,
    Sub,
    Take,
    TakeAlong,
    TopK,
    Transpose,
    Upsample,
)
from ...graph.tensor import grids
from . import tiles
from .contract import Contraction, contraction
from .layout import Layout, arena_type, bordered, plain
from .machine import Machine
from .widths import WIDTHS, is_float

ANCHORS: tuple[type[Op], ...] = (
    Dense, MatMul, Conv, ConvTranspose, MaxPool, AvgPool, Reduce, ArgMax, TopK, Softmax, FixedSoftmax, ScatterND, Scan,
)  # fmt: skip
POINTWISE: tuple[type[Op], ...] = (
    Cast, Quantize, MultiplyShift, Lookup, Step, DynamicScale, Add, Sub, Mul, Div, Power, Maximum, Minimum, Relu,
    Activation, Compare, Select, Quotient, Remainder,
)  # fmt: skip
FOLLOWED: tuple[type[Op], ...] = (Dense, MatMul, Conv, ConvTranspose, MaxPool, AvgPool, Reduce)
"""Anchors whose elements are handed to the operations behind them while they are in registers."""
SIMPLE: tuple[type[Op], ...] = (Reshape, Transpose, Slice, Broadcast)
"""What may be done again by each reader."""


@dataclass(frozen=True, eq=False)
class Fused:
    """Several anchors that are one step, which ends with what follows ``anchor``, or with ``end``: ``inside`` are the
    nodes before that which nobody else reads. Of what its ``products`` read ``repeated`` is read many times, from the
    ``roots`` in memory, in rows along the axis beside it; the rest is computed where it is read.
    """

    anchor: Node
    inside: frozenset[Node]
    products: frozenset[Node]
    repeated: Mapping[Node, int]
    roots: frozenset[Node]

    @property
    def end(self) -> Node | None:
        """The end of a step that is known."""
        return None


@dataclass(frozen=True, eq=False)
class Work:
    """One step: ``end`` is what is written, ``anchor`` what it begins with (None: element by element), ``fused`` what
    it has before that.
    """

    end: Node
    anchor: Node | None
    fused: Fused | None = None


@dataclass(frozen=True, eq=False)
class Groups:
    """``work`` in order of execution; ``standing`` are the nodes that are tensors in memory, inputs among them."""

    work: tuple[Work, ...]
    standing: frozenset[Node]
    users: dict[Node, tuple[Node, ...]] = field(default_factory=dict)


def flat(graph: Graph) -> Graph:
    """Bring operands of products whose elements have formats of their own to one format, which holds them all.

    Weights of float products that are computed from constants become constants.
    """
    return graph.map(_flat)


def _flat(node: Node) -> Node:
    if isinstance(node.op, Scan):
        return replace(node, op=replace(node.op, body=flat(node.op.body)))
    if isinstance(node.op, Dense | Conv | ConvTranspose) and not node.type.is_integer:
        known = tuple(_known(w) for w in node.inputs[1:])
        return node if known == node.inputs[1:] else replace(node, inputs=(node.inputs[0], *known))
    if not isinstance(node.op, Dense | Conv) or not node.type.is_integer:
        return node
    x = node.inputs[0]
    if not grids(x.type.format):
        return node
    low, high = x.type.interval
    format = narrowest(x.type.quantized.scale, int(low.min()), int(high.max()))
    return replace(node, inputs=(Node(Quantize(format), (x,), node.where), *node.inputs[1:]))


def _known(weights: Node) -> Node:
    """Compute weights. Raises UnsupportedError for those that depend on an input."""
    if isinstance(weights.op, Constant):
        return weights
    parts = Graph((), (Node(Output("weights"), (weights,)),))
    if any(isinstance(n.op, Input) for n in parts.nodes):
        what = "weights that are computed from an input"
        raise UnsupportedError(what, where=weights.where, hint="use a matrix product")
    values: dict[Node, NDArray] = {}
    for n in parts.nodes:
        values[n] = run(n.op, n.type, *(Value(i.type, values[i]) for i in n.inputs))
    return Node(Constant(Array(values[weights][0]), weights.type.format), (), weights.where)


@dataclass(frozen=True)
class Style:
    """``narrow``: what stands in memory is to be small, also where readers then have more to do; ``few``: so are
    steps.
    """

    narrow: bool = False
    few: bool = False

    @property
    def packs(self) -> bool:
        """Whether operands of products of integers are computed where they are packed."""
        return not self.narrow and not self.few

    @property
    def rejoins(self) -> bool:
        """Whether operations that read the same element, and meet again, follow an anchor."""
        return self.few or not self.narrow


def group(graph: Graph, style: Style = Style(), fused: Mapping[Node, Fused] | None = None) -> Groups:
    """Decide what is computed together. ``fused``: anchors that are one step, by the first or the last of them."""
    fused = fused or {}
    users = graph.users
    inside, products, roots = (
        frozenset[Node]().union(*(getattr(f, name) for f in fused.values())) for name in ("inside", "products", "roots")
    )
    standing = {
        n for n in graph.nodes if n not in inside and (n in roots or _stands(n, users[n], style, reading=products))
    }
    anchors: dict[Node, Node] = {}
    taken = {*inside, *(f.end for f in fused.values() if f.end is not None)}
    for node in graph.nodes:
        if node in fused and (end := fused[node].end) is not None:
            anchors[end] = node
            standing.add(end)
        elif isinstance(node.op, ANCHORS) and node not in inside:
            chain = _follow([node], users, standing, taken)
            while style.rejoins and (joined := _rejoined(chain, users, standing, taken)) is not None:
                standing.discard(chain[-1])
                chain = _follow([*chain, *joined], users, standing, taken)
            if node in fused or (isinstance(node.op, MatMul) and style.packs):
                chain = _merged(chain, users, standing, taken)
            if style.narrow and chain[-1] not in standing:
                chain = _narrowest(chain)
            taken.update(chain)
            anchors[chain[-1]] = node
            standing.add(chain[-1])
    order = [n for n in graph.nodes if n in standing and not isinstance(n.op, Input)]
    work = tuple(Work(n, a, None if a is None else fused.get(a)) for n in order for a in (anchors.get(n),))
    return Groups(work, frozenset(standing), users)


def _stands(node: Node, users: tuple[Node, ...], style: Style, reading: frozenset[Node]) -> bool:
    """Whether a node has to be in memory for the sake of those that read it, but for those ``reading`` it as it is."""
    if isinstance(node.op, Constant | Output):
        return False
    return _asked_for(node, tuple(u for u in users if u not in reading), style) or _repeated(node, users)


def _asked_for(node: Node, users: tuple[Node, ...], style: Style) -> bool:
    """Whether a reader wants a node in memory, however many read it."""
    if isinstance(node.op, Input | Concat):
        return True
    return any(isinstance(u.op, Output) or _wants_memory(u, node, style) for u in users)


def _repeated(node: Node, users: tuple[Node, ...]) -> bool:
    """Whether several readers would each compute a node."""
    return len(users) > 1 and not (isinstance(node.op, SIMPLE) and not any(_grows(u, node) for u in users))


def _wants_memory(user: Node, node: Node, style: Style) -> bool:
    match user.op:
        case Reduce():
            return not isinstance(node.op, (*SIMPLE, *POINTWISE) if style.few else SIMPLE)
        case MatMul() if style.few:
            return not _moved_only(node)
        case MatMul() if user.type.is_integer and style.packs:
            return False
        case op if isinstance(op, ANCHORS):
            return True
    return not isinstance(node.op, SIMPLE) and _grows(user, node)


def _moved_only(node: Node) -> bool:
    """Whether a node only moves elements of a tensor in memory."""
    if not isinstance(node.op, (*SIMPLE, Gather)):
        return False
    while isinstance(node.op, (*SIMPLE, Gather)):
        node = node.inputs[0]
    return not isinstance(node.op, POINTWISE)


def _grows(user: Node, node: Node) -> bool:
    """Whether a reader reads elements several times."""
    return isinstance(user.op, (Broadcast, Upsample, Take, TakeAlong, GatherND, *POINTWISE)) and (
        user.type.size > node.type.size
    )


def _follow(
    chain: list[Node], users: dict[Node, tuple[Node, ...]], standing: set[Node], taken: set[Node]
) -> list[Node]:
    """Give a chain that begins with an anchor, and the pointwise operations to do while its result is in registers."""
    anchor, chain = chain[0], list(chain)
    while isinstance(anchor.op, FOLLOWED) and chain[-1] not in standing and len(users[chain[-1]]) == 1:
        following = users[chain[-1]][0]
        if not isinstance(following.op, POINTWISE) or following.shape != anchor.shape or following in taken:
            break
        if sum(i is chain[-1] for i in following.inputs) != 1 or isinstance(following.op, Quotient | Remainder):
            break
        chain.append(following)
    return chain


def _merged(
    chain: list[Node], users: dict[Node, tuple[Node, ...]], standing: set[Node], taken: set[Node]
) -> list[Node]:
    """Continue a chain over what only moves its elements, and leaves them in rows."""
    chain = list(chain)
    while chain[-1] not in standing and len(users[chain[-1]]) == 1:
        following = users[chain[-1]][0]
        if following in taken or not _in_rows(following):
            break
        chain.append(following)
    return chain


def _in_rows(node: Node) -> bool:
    """Whether a node moves whole rows."""
    match node.op:
        case Transpose(axes=axes):
            return axes[-1] == len(axes) - 1
        case Reshape():
            return bool(node.shape) and node.shape[-1] % node.inputs[0].shape[-1] == 0
    return False


MOST_JOINED = 12


def _rejoined(
    chain: Sequence[Node], users: dict[Node, tuple[Node, ...]], standing: set[Node], taken: set[Node]
) -> list[Node] | None:
    """Give the pointwise operations by which the end of a chain is read several times, up to the one where all meet
    again; None where there is no such.

    %2 = mul(%1, %1)        only what the chain gave is read twice: it is in a register
    %3 = add(%2, %1)
    """
    anchor, end = chain[0], chain[-1]
    if not isinstance(anchor.op, FOLLOWED) or len(users[end]) < 2 or _asked_for(end, users[end], Style(few=True)):
        return None
    found = [end]
    while len(found) < MOST_JOINED:
        inside = set(found)
        ready = [
            u for n in found for u in users[n]
            if u not in inside and not any(i not in inside and _behind(i, inside) for i in u.inputs)
        ]  # fmt: skip
        if not ready:
            return None
        following = ready[0]
        if not isinstance(following.op, POINTWISE) or isinstance(following.op, Quotient | Remainder):
            return None
        if following.shape != anchor.shape or following in taken:
            return None
        found.append(following)
        inside.add(following)
        if all(u in inside for n in found[:-1] for u in users[n]):
            return found[1:]
        if following in standing:
            return None
    return None


def _behind(node: Node, inside: set[Node]) -> bool:
    """Whether a node is computed from one of some others, by pointwise operations."""
    left, seen = [node], {node}
    while left:
        one = left.pop()
        if one in inside:
            return True
        if isinstance(one.op, POINTWISE):
            left += (fresh := [i for i in one.inputs if i not in seen])
            seen.update(fresh)
    return False


def beside(node: Node, x: Node) -> tuple[Node, ...] | None:
    """Give the constants with which an operation does something to each element of ``x``; None for other operations."""
    others = tuple(i for i in node.inputs if i is not x)
    if not isinstance(node.op, POINTWISE) or node.shape != x.shape or len(others) != len(node.inputs) - 1:
        return None
    return others if all(isinstance(i.op, Constant) for i in others) else None


def _narrowest(chain: list[Node]) -> list[Node]:
    """Cut a chain after the last of its tensors that take the fewest bytes: readers do what follows themselves."""
    widths = [WIDTHS[arena_type(n, unsigned_bytes=False)[0]] for n in chain]
    return chain[: len(chain) - widths[::-1].index(min(widths))]


def layouts(groups: Groups, machine: Machine) -> dict[Node, Layout]:
    """Choose the layout of every tensor in the arena: type, borders and rounding as its readers want them."""
    wants: dict[Node, list[Contraction]] = {}
    lefts: dict[Node, tuple[str, int]] = {}
    for anchor in (w.anchor for w in groups.work if w.anchor is not None):
        if (found := contraction(anchor, machine)) is not None:
            wants.setdefault(anchor.inputs[0], []).append(found)
        elif machine.amx and isinstance(anchor.op, MatMul) and anchor.type.is_integer and tiles.suit(anchor):
            left = anchor.inputs[0]
            lefts[left] = tiles.types_of(anchor)[0], int(as_array(left.type.quantized.zero).flat[0])
    found_layouts = {n: _layout(n, wants.get(n, []), machine) for n in groups.standing if not isinstance(n.op, Input)}
    for node, (dtype, base) in lefts.items():  # what a matrix unit reads as it stands
        if node in found_layouts and node not in wants:
            found_layouts[node] = plain(node.shape, dtype, base)
    return found_layouts


def _layout(node: Node, wants: Sequence[Contraction], machine: Machine) -> Layout:
    dtype, base = arena_type(node, machine.unsigned_bytes)
    wanted = {w.operand_type for w in wants}
    if len(wanted) == 1 and (found := wanted.pop()) is not None and is_float(found[0]) == is_float(dtype):
        dtype, base = found
    if not wants or not node.shape:
        return plain(node.shape, dtype, base)
    multiple = lcm(*(w.multiple for w in wants))
    border = wants[0].border
    for w in wants[1:]:
        border = tuple((max(a, c), max(b, d)) for (a, b), (c, d) in zip(border, w.border, strict=True))
    return bordered(node.shape, dtype, border, multiple, base)

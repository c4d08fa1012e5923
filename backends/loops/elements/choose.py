"""Elements of comparisons, choices, and picks at computed places."""

from ....graph import Node
from ....graph.ops import Compare, Comparison, GatherND, Select, Take, TakeAlong
from ..code import Value, cast, clip, const, select
from ..layout import centred_ends, working_type
from ..numbers import centred, fitted, in_units, operand, real, real_operand
from ..scope import Place, Scope, aligned, element, scalar
from .pointwise import _units


@element.register
def _(op: Compare, scope: Scope, node: Node, at: Place) -> Value:
    a, b = _units(scope, node, at)
    match op.kind:
        case Comparison.EQUAL:
            answer = a.equals(b)
        case Comparison.LESS:
            answer = a < b
        case Comparison.LESS_EQUAL:
            answer = a <= b
    return select(answer, const(1, "int32", answer.lanes), 0)


@element.register
def _(op: Select, scope: Scope, node: Node, at: Place) -> Value:
    condition, x, y = node.inputs
    asked = centred(scope, condition, aligned(at, condition.shape)).differs(0)
    if not node.type.is_integer:
        return select(asked, real_operand(scope, x, at), real_operand(scope, y, at))
    scale = node.type.quantized.scale
    low, high = centred_ends(node)
    a, b = (operand(scope, v, at, scale) for v in (x, y))
    dtype = "int64" if "int64" in (a.dtype, b.dtype) else "int32"
    return fitted(select(asked, cast(a, dtype), cast(b, dtype)), low, high)


def kept(scope: Scope, node: Node, x: Node, at: Place) -> Value:
    """Give an operand in the arithmetic of a result that holds its values: as stored where the formats agree."""
    if node.type.format == x.type.format:
        return scope.at(x, at)
    if not node.type.is_integer:
        return real(scope, x, at)
    return fitted(in_units(scope, x, at, node.type.quantized.scale), *centred_ends(node))


def index_at(scope: Scope, indices: Node, at: Place, length: int) -> Value:
    """Give a computed index within an axis; one outside raises the flag and counts as the nearest."""
    for i in at:
        scalar(i)
    found = centred(scope, indices, at)
    low, high = centred_ends(indices)
    unit = int(indices.type.quantized.scale)  # type: ignore[arg-type]
    places = cast(found, working_type(low * unit, max(high, 1) * unit)) * unit
    if low * unit < 0 or high * unit >= length:
        places = scope.code.let(places)
        with scope.code.when((places < 0) | (places >= length)):
            scope.code.store(scope.flag, 0, const(1, "int32"))
        places = clip(places, 0, length - 1)
    return scope.code.let(cast(places, "int32"))


@element.register
def _(op: Take, scope: Scope, node: Node, at: Place) -> Value:
    x, indices = node.inputs
    rank = len(indices.shape)
    place = index_at(scope, indices, at[op.axis : op.axis + rank], x.shape[op.axis])
    return kept(scope, node, x, (*at[: op.axis], place, *at[op.axis + rank :]))


@element.register
def _(op: TakeAlong, scope: Scope, node: Node, at: Place) -> Value:
    x, indices = node.inputs
    place = index_at(scope, indices, at, x.shape[op.axis])
    return kept(scope, node, x, (*at[: op.axis], place, *at[op.axis + 1 :]))


@element.register
def _(op: GatherND, scope: Scope, node: Node, at: Place) -> Value:
    x, indices = node.inputs
    b, depth, rank = op.batch_axes, indices.shape[-1], len(indices.shape) - 1
    lead = at[:rank]
    places = [index_at(scope, indices, (*lead, const(i)), n) for i, n in enumerate(x.shape[b : b + depth])]
    return kept(scope, node, x, (*at[:b], *places, *at[rank:]))

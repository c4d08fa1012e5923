"""Elements of pointwise arithmetic and of real functions."""

from collections.abc import Callable

from ....graph import Node, Op, Rounding
from ....graph.numerics import common_scale, divide, whole
from ....graph.ops import Activation, Add, Cast, Div, Maximum, Minimum, Mul, Power, Quotient, Relu, Remainder, Sub
from ..code import Value, cast, const, extern, intrinsic, maximum, minimum, quotient, select
from ..functions import call, power
from ..layout import centred_ends, working_type
from ..numbers import INT32, centred, fitted, in_units, operand, real, real_operand
from ..scope import Place, ScalarsOnly, Scope, aligned, element

JOIN: dict[type[Op], Callable[[Value, Value], Value]] = {
    Add: lambda x, y: x + y, Sub: lambda x, y: x - y, Maximum: maximum, Minimum: minimum,
}  # fmt: skip


@element.register(Add)
@element.register(Sub)
@element.register(Maximum)
@element.register(Minimum)
def _(op: Op, scope: Scope, node: Node, at: Place) -> Value:
    x, y = node.inputs
    join = JOIN[type(op)]
    if not node.type.is_integer:
        return join(real_operand(scope, x, at), real_operand(scope, y, at))
    scale = node.type.quantized.scale
    a, b = (operand(scope, v, at, scale) for v in (x, y))
    low, high = centred_ends(node)
    dtype = "int64" if "int64" in (a.dtype, b.dtype, working_type(low, high)) else "int32"
    return fitted(join(cast(a, dtype), cast(b, dtype)), low, high)


@element.register
def _(op: Mul, scope: Scope, node: Node, at: Place) -> Value:
    x, y = node.inputs
    if not node.type.is_integer:
        return real_operand(scope, x, at) * real_operand(scope, y, at)
    low, high = centred_ends(node)
    dtype = working_type(low, high)
    a, b = (cast(centred(scope, v, aligned(at, v.shape)), dtype) for v in (x, y))
    return a * b


@element.register
def _(op: Relu, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    if not node.type.is_integer:
        return maximum(real(scope, x, at), 0.0)
    return fitted(maximum(in_units(scope, x, at, node.type.quantized.scale), 0), *centred_ends(node))


@element.register
def _(op: Div, scope: Scope, node: Node, at: Place) -> Value:
    x, y = node.inputs
    return real_operand(scope, x, at) / real_operand(scope, y, at)


@element.register
def _(op: Power, scope: Scope, node: Node, at: Place) -> Value:
    x, y = node.inputs
    return power(real_operand(scope, x, at), real_operand(scope, y, at))


@element.register
def _(op: Cast, scope: Scope, node: Node, at: Place) -> Value:
    return cast(scope.code.let(cast(real(scope, node.inputs[0], at), str(op.format))), "float32")


@element.register
def _(op: Activation, scope: Scope, node: Node, at: Place) -> Value:
    return call(op.function, scope.code, real(scope, node.inputs[0], at), op.parameters)


def _units(scope: Scope, node: Node, at: Place) -> tuple[Value, Value]:
    """Both operands in one arithmetic: integers of one unit where both are integers, else float32."""
    x, y = node.inputs
    if not (x.type.is_integer and y.type.is_integer):
        return real_operand(scope, x, at), real_operand(scope, y, at)
    unit = common_scale(x.type.quantized.scale, y.type.quantized.scale)
    a, b = (operand(scope, v, at, unit) for v in (x, y))
    dtype = "int64" if "int64" in (a.dtype, b.dtype) else "int32"
    return cast(a, dtype), cast(b, dtype)


def _least(node: Node) -> int:
    """Give the least dividend in the unit of a division."""
    x, y = node.inputs
    factor = whole(divide(x.type.quantized.scale, common_scale(x.type.quantized.scale, y.type.quantized.scale)))
    return centred_ends(x)[0] * int(factor.max())


def _divided(scope: Scope, a: Value, b: Value, rounding: Rounding) -> Value:
    """Whole division of integers, down or toward zero; a divisor of zero raises the flag and counts as one."""
    code = scope.code
    safe = code.let(select(b.equals(0), const(1, b.dtype), b))
    with code.when(b.equals(0)):
        code.store(scope.flag, 0, const(2, "int32"))
    toward = code.let(quotient(a, safe))
    if rounding is Rounding.TRN_ZERO:
        return toward
    rest = code.let(a - toward * safe)
    down = ((rest < 0) & (safe > 0)) | ((rest > 0) & (safe < 0))
    return toward - select(down, const(1, a.dtype), 0)


@element.register(Quotient)
@element.register(Remainder)
def _(op: Quotient | Remainder, scope: Scope, node: Node, at: Place) -> Value:
    a, b = _units(scope, node, at)
    if not node.type.is_integer:
        return _real_division(scope, op, a, b)
    if a.lanes > 1 or b.lanes > 1:
        raise ScalarsOnly
    if _least(node) <= -INT32:  # -2^31 / -1 is 2^31
        a, b = cast(a, "int64"), cast(b, "int64")
    quotient = _divided(scope, a, b, op.rounding)
    return fitted(quotient if isinstance(op, Quotient) else a - quotient * b, *centred_ends(node))


def _real_division(scope: Scope, op: Quotient | Remainder, a: Value, b: Value) -> Value:
    down = op.rounding is Rounding.TRN
    if isinstance(op, Quotient):
        return intrinsic("floor" if down else "trunc", a / b)
    if a.lanes > 1 or b.lanes > 1:
        raise ScalarsOnly
    rest = scope.code.let(extern("fmodf", a, b))
    other = ((rest < 0.0) & (b > 0.0)) | ((rest > 0.0) & (b < 0.0))
    return select(other, rest + b, rest) if down else rest

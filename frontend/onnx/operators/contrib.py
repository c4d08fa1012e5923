"""The quantized operators that ONNX Runtime adds (domain com.microsoft): real arithmetic between two quantizers."""

from ....graph import Node, Op
from ....graph.ops import Activation, Add, Concat, Dense, Mul, Softmax
from ..registry import Build, Call, Coded, Flow, Known, Value, operator
from .pooling import average_pool, global_average_pool
from .qoperator import bias_in_units, coded_real, encoded, weights_of

MICROSOFT = ("com.microsoft",)


def _binary(op: Op) -> Build:
    def build(call: Call) -> Coded:
        x, y = _operand(call, 0), _operand(call, 3)
        ranks = {len(n.shape) for n, computed in (x, y) if computed}
        if len(ranks) > 1:
            raise call.refuse("operands of different ranks", "axis 0 of each is the batch; give equal ranks")
        return encoded(call, call.node(op, x[0], y[0]), 6, 7, 0 if x[1] else 3)

    return build


def _operand(call: Call, i: int) -> tuple[Node, bool]:
    """Give an operand as real numbers, and whether it is computed."""
    if call.coded(i) is not None:
        return coded_real(call, i, i + 1, i + 2), True
    value = weights_of(call, i, i + 1, i + 2, axis=1, fewest=0)
    other = call.coded(3 - i)
    if other is None:
        raise call.refuse("both operands are constants", "fold constants first (onnxslim, onnxsim)")
    rank = other.rank
    return call.scaled(value, lambda v: call.sample(Known((v,)), rank, f"input {i}")), False


operator("QLinearAdd", domains=MICROSOFT)(_binary(Add()))
operator("QLinearMul", domains=MICROSOFT)(_binary(Mul()))


@operator("QLinearConcat", domains=MICROSOFT)
def qlinear_concat(call: Call) -> Coded:
    """Join tensors of several scales."""
    count = (len(call.inputs) - 2) // 3
    if count < 1 or len(call.inputs) != 2 + 3 * count:
        raise call.misfit(f"{len(call.inputs)} inputs")
    parts = [coded_real(call, i, i + 1, i + 2) for i in range(2, len(call.inputs), 3)]
    axis = call.sample_axis(call.attributes.integer("axis"), len(parts[0].shape) + 1)
    return encoded(call, call.node(Concat(axis), *parts), 0, 1, 2)


def _unary(build: Build) -> Build:
    """A function of one tensor: x, its scale and zero point, the result's."""

    def quantized(call: Call) -> Coded:
        x, given = coded_real(call, 0, 1, 2), call.inputs
        call.attributes.expect("channels_last", 0, hint="export channels first")
        call.inputs = [Flow(x)]
        result = build(call)
        call.inputs = given
        assert isinstance(result, Node)
        return encoded(call, result, 3, 4, 0)

    return quantized


operator("QLinearGlobalAveragePool", domains=MICROSOFT)(_unary(global_average_pool))
operator("QLinearAveragePool", domains=MICROSOFT)(_unary(average_pool))
operator("QLinearSigmoid", domains=MICROSOFT)(_unary(lambda call: call.node(Activation("sigmoid"), call.flow())))
operator("QLinearLeakyRelu", domains=MICROSOFT)(
    _unary(lambda call: call.node(Activation("leaky_relu", (call.attributes.real("alpha", 0.01),)), call.flow()))
)


def _softmax(call: Call) -> Node:
    x = call.flow()
    axis = call.sample_axis(call.attributes.integer("axis", -1), len(x.shape) + 1)
    if call.attributes.integer("opset", 13) < 13 and axis != len(x.shape) - 1:
        raise call.refuse("a softmax over several axes together (opset below 13)", "give the last axis")
    return call.node(Softmax(axis), x)


operator("QLinearSoftmax", domains=MICROSOFT)(_unary(_softmax))


@operator("QGemm", domains=MICROSOFT)
def qgemm(call: Call) -> Value:
    """``alpha * a @ b + c`` with c in units of the product; real numbers where no scale of the result is given."""
    alpha = call.attributes.real("alpha", 1.0)
    call.attributes.expect("transA", 0, hint="axis 0 of the first operand is the batch")
    trans_b = call.attributes.boolean("transB", 0)
    x = coded_real(call, 0, 1, 2)
    value = weights_of(call, 3, 4, 5, axis=0 if trans_b else 1)
    if alpha <= 0:
        raise call.attributes.refusal("alpha", alpha, "give a positive factor")
    weights = call.scaled(
        type(value)(value.variants, value.stored, value.scale * alpha, value.zero),
        lambda v: v.T if trans_b else v,
        "weight",
    )
    if len(x.shape) != 1 or len(weights.shape) != 2:
        raise call.misfit(f"multiplies matrices, got {('batch', *x.shape)} and {weights.shape}")
    result = call.node(Dense(), x, weights, *bias_in_units(call, 6, x, weights))
    return Flow(result) if call.optional(7) is None else encoded(call, result, 7, 8, 0)

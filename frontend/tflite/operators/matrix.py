"""Matrix products and transposed convolutions. Kernels: ``batch_matmul.cc``, ``reference/batch_matmul.h``,
``transpose_conv.cc``, ``reference/integer_ops/transpose_conv.h``.
"""

from dataclasses import replace
from fractions import Fraction

from ....graph import Affine, Node
from ....graph.ops import ConvTranspose, MatMul, Scaling, Transpose
from ...padding import same_total
from ..arithmetic import clamp_range, quantized_format, rescaled, scale_of
from ..registry import Call, Known, operator
from .linear import weighted


@operator("BATCH_MATMUL", versions=5)
def batch_matmul(call: Call) -> Node:
    """``x @ y`` over the last two axes, each of them transposed first where the options say so."""
    call.attributes.ignore("asymmetric_quantize_inputs", why="only hybrid kernels read it, and those are refused")
    if call.attributes.peek("adj_x") and _leading(call, 0) != _leading(call, 1):
        hint = "transpose in an operator of its own, or give both operands the same leading axes"
        raise call.refuse("adj_x where leading axes broadcast: the reference kernel reads beyond its operand", hint)
    sides = [_side(call, i, turned=call.attributes.boolean(name, False)) for i, name in enumerate(("adj_x", "adj_y"))]
    product = call.node(MatMul(), *sides)
    x, y, result = call.info(0), call.info(1), call.result
    kinds = {x.type, y.type, result.type}
    if kinds == {"FLOAT32"}:
        return call.fitted(product)
    if kinds not in ({"INT8"}, {"INT16"}):
        hint = "float, int8 and int16 of both operands are supported; hybrid kernels depend on each sample's range"
        raise call.refuse(f"{x.type} times {y.type} giving {result.type}", hint)
    if not product.type.is_integer:
        raise call.refuse("no exact product", "use fewer bits")
    for info in (x, y, result):
        quantized_format(call, info)
        if kinds == {"INT16"} and info.zero_point:
            raise call.refuse("int16 with a zero point", "the kernel wants them symmetric")
    factor = x.scale * y.scale / scale_of(call, result)
    scaling = ROUNDING[x.type]
    return call.fitted(rescaled(call, product, [factor], result, scaling=scaling))


ROUNDING = {"INT8": Scaling.DOUBLE, "INT16": Scaling.REDUCED}


def _leading(call: Call, i: int) -> tuple[int, ...]:
    """Give the axes before a matrix, without those of length 1 in front."""
    lead = call.info(i).shape[:-2]
    while lead and lead[0] == 1:
        lead = lead[1:]
    return lead


def _side(call: Call, i: int, *, turned: bool) -> Node:
    """Give an operand with all of its axes, or without the batch where that is not 1."""
    info = call.info(i)
    if len(info.shape) < 2:
        raise call.misfit(f"a matrix of shape {info.shape}")
    if call.batch == 1:
        node = call.whole(i)
    elif len(info.shape) > 2 and info.shape[0] == call.batch and not isinstance(call.inputs[i], Known):
        node = call.flow(i)
    elif isinstance(call.inputs[i], Known) and (len(info.shape) == 2 or info.shape[0] == 1):
        node = call.reshaped(call.operand(i), info.shape[1:] if len(info.shape) > 2 else info.shape)
    else:
        raise call.refuse(f"a matrix of shape {info.shape} mixes the batch of {call.batch}", "use a batch of 1")
    if not turned:
        return node
    rank = len(node.shape)
    return call.node(Transpose((*range(rank - 2), rank - 1, rank - 2)), node)


@operator("TRANSPOSE_CONV", versions=5)
def transpose_conv(call: Call) -> Node:
    """Filters [filters, height, width, channels]; the shape of the result is input 0."""
    shape, weights = call.integers(0), call.array(1)
    x = call.flow(2)
    if len(x.shape) != 3 or weights.ndim != 4 or weights.shape[3] != x.shape[2] or len(shape) != 4:
        raise call.misfit(f"filters of shape {weights.shape} on {x.shape}, giving {shape}")
    strides = tuple(call.attributes.integer(f"stride_{n}", low=1) for n in "hw")
    valid = call.attributes.choice("padding", 0, 1) == 1
    crop, extra = [], []
    for new, old, k, s in zip(shape[1:3], x.shape[:2], weights.shape[1:3], strides, strict=True):
        if (new + s - 1) // s != old if not valid else (new - k) // s + 1 != old or new < k:
            raise call.misfit(f"a length of {new} from {old}, kernel {k} and stride {s}")
        total = 0 if valid else max(same_total(new, k, s), 0)
        full = (old - 1) * s + k
        before = total // 2
        crop.append((before, max(full - before - new, 0)))
        extra.append(max(new + before - full, 0))
    op = ConvTranspose(strides, tuple(crop), tuple(extra), (1, 1))
    for i in range(1, len(call.inputs)):
        if call.has(i):
            call.value(i)
    ordered = replace(call, inputs=[call.inputs[2], call.inputs[1], *call.inputs[3:]], _read=set())
    if call.info(2).is_float:
        return weighted(ordered, x, (1, 2, 0, 3), 0, lambda u, *v: call.node(op, u, *v))
    return _in_integers(ordered, x, op)


def _in_integers(call: Call, x: Node, op: ConvTranspose) -> Node:
    """The exact sum of integers, whose unit is that of each filter, and its multipliers."""
    info, filters, result = call.info(0), call.info(1), call.result
    clamp = clamp_range(call, call.activation(), result)
    allowed = {"INT8": "INT8", "INT16": "INT8", "UINT8": "UINT8"}
    if filters.type != allowed.get(info.type) or result.type != info.type:
        raise call.refuse(f"filters of {filters.type} on {info.type}, giving {result.type}")
    if info.type == "INT16" and (info.zero_point or result.zero_point):
        raise call.refuse("int16 activations with a zero point", "the kernel wants them symmetric")
    if not filters.scales or (len(filters.scales) > 1 and filters.axis != 0) or scale_of(call, info) == 0:
        raise call.refuse("filters need one scale, or one each along axis 0")
    if any(filters.zero_points) and info.type != "UINT8":
        raise call.refuse("filters have a zero point", "the kernels of int8 leave it out")
    zero = filters.zero_points[0] if info.type == "UINT8" else 0
    units = Affine(8, info.type != "UINT8", Fraction(1), zero)
    weights = call.stored(call.array(1).transpose(1, 2, 0, 3), units, "weight")
    bias, wide = _bias(call, x)
    y = call.node(op, x, weights, *bias)
    if not y.type.is_integer:
        raise call.refuse("no exact product", "use fewer bits")
    factors = [info.scale * s / scale_of(call, result) for s in filters.scales]
    return rescaled(call, y, factors, result, clamp, Scaling.REDUCED if wide else Scaling.DOUBLE)


def _bias(call: Call, x: Node) -> tuple[list[Node], bool]:
    """Give the bias, whose integers are added to the sum as they are, and whether the sum has 64 bits."""
    kind, said = call.info(0).type, call.attributes.integer("quantized_bias_type", 0)
    given = call.info(2).type if call.has(2) else None
    named = {0: given, 2: "INT32", 4: "INT64"}.get(said, "")
    if (given or named) != named or given not in (None, "INT32", "INT64") or (given == "INT64" and kind != "INT16"):
        raise call.refuse(f"a bias of {given}, quantized_bias_type {said}, for activations of {kind}")
    wide = kind == "INT16" and (named or "INT64") == "INT64"
    if given is None:
        return [], wide
    if any(call.info(2).zero_points):
        raise call.refuse("the bias has a zero point", "the kernels want none")
    scale = x.type.quantized.scale
    assert isinstance(scale, Fraction)
    return [call.stored(call.array(2).ravel(), Affine(64 if wide else 32, True, scale), "bias")], wide

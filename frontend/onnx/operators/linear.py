"""Matrix products and convolutions with constant weights; products of two computed tensors."""

from collections.abc import Callable

import numpy as np

from ....graph import Array, NDArray, Node
from ....graph.arrays import as_array
from ....graph.numerics import multiply
from ....graph.ops import Add, Constant, Conv, ConvTranspose, Dense, MatMul, Reshape
from ....graph.ops.interface import flat_scale
from ..formats import in_units_of, one_scale_per_output, units
from ..registry import Call, Flow, Known, Scaled, operator
from ..samples import per_sample
from . import products
from .pointwise import scaled
from .windows import Pairs, auto_pad, channels_first, channels_last, kernel_shape, read_window, spatial


@operator("Gemm")
def gemm(call: Call) -> Node:
    """``alpha * x @ w + beta * c`` with constant weights; both factors are folded into the constants."""
    if not call.lead and not _is_dense(call):
        return products.gemm(call)
    alpha, beta = call.attributes.real("alpha", 1.0), call.attributes.real("beta", 1.0)
    trans_a, trans_b = call.attributes.boolean("transA", 0), call.attributes.boolean("transB", 0)
    x, w = call.flow(0), call.weights(1, lambda v: v.T if trans_b else v, alpha)
    if trans_a:
        raise call.attributes.refusal(
            "transA", 1, "axis 0 of the first operand is the batch; transpose the weights instead"
        )
    if len(x.shape) != 2 - call.lead or len(w.shape) != 2:
        raise call.misfit(f"multiplies matrices, got {call.shown(x)} and {w.shape[:: -1 if trans_b else 1]}")
    weights, c = one_scale_per_output(w), call.optional(2)
    if isinstance(c, Flow):
        product = call.node(Dense(), x, weights)
        return call.node(Add(), product, scaled(call, call.operand(2, 2), beta))
    bias = () if c is None else (_bias(call, c, x, weights, beta),)
    return call.node(Dense(), x, weights, *bias)


def _is_dense(call: Call) -> bool:
    """Whether rows are multiplied by constant weights of real numbers, the same numbers added to each of them."""
    if call.attributes.peek("transA", 0) or call.is_whole():
        return False
    w, c = call.value(1), call.optional(2)
    if not isinstance(w, Known) or not isinstance(call.value(0), Flow) or w.variants[0].ndim != 2:
        return False
    units = w.variants[0].shape[0 if call.attributes.peek("transB", 0) else 1]
    return c is None or (isinstance(c, Known) and c.variants[0].shape in ((), (1,), (units,)))


def _bias(call: Call, c: Known, x: Node, weights: Node, beta: float) -> Node:
    units = weights.shape[-1]
    value = call.sample(c, 2, "input 2")
    if value.ndim > 1 or value.size not in (1, units):
        raise call.misfit(f"a bias of shape {value.shape} for {units} outputs")
    real = np.broadcast_to(call.real(value), (units,))
    if isinstance(c, Scaled) and beta == 1.0:
        stored, scale, zero = (np.broadcast_to(v, c.stored.shape).reshape(-1) for v in (c.stored, c.scale, c.zero))
        return bias_of(call, Scaled((real,), stored, scale, zero), x, weights)
    return call.constant((real.astype(np.float64) * beta).astype(np.float32), "bias")


def bias_of(call: Call, bias: Scaled, x: Node, weights: Node) -> Node:
    """Give a bias of integers in the unit of the product where that is its scale (up to the rounding of the float32
    that stands in the file, 2^-22), else as float32.
    """
    shape = (weights.shape[-1],)
    stored, scale, zero = (np.broadcast_to(v, shape) for v in (bias.stored, bias.scale, bias.zero))
    if x.type.is_integer and flat_scale(x.type) and weights.type.is_integer and not zero.any():
        unit = multiply(x.type.quantized.scale, units(weights.type.quantized))
        cells = as_array(unit)
        wanted = np.vectorize(float, otypes=[np.float64])(cells)
        if cells.shape in ((), shape) and bool((np.abs(scale - wanted) <= wanted * 2.0**-22).all()):
            return Node(Constant(Array(stored), in_units_of(unit, 32)), (), f"{call.name}/bias")
    return call.constant(np.broadcast_to(bias.variants[0].reshape(-1), shape), "bias")


@operator("MatMul")
def matmul(call: Call) -> Node:
    """``x @ y`` by numpy's rules, as far as axis 0 of the result is the batch of both."""
    x, y = call.value(0), call.value(1)
    plain = isinstance(x, Flow) and x.node.shape and isinstance(y, Known) and 0 < y.variants[0].ndim < 3
    if call.is_whole() or not (call.lead or plain):
        return products.matmul(call)
    if isinstance(x, Flow) and isinstance(y, Known):
        return _by_weights(call, x.node, y)
    if isinstance(x, Known) and isinstance(y, Flow):
        return _weights_by(call, x, y.node)
    left, right = call.flow(0), call.flow(1)
    if len(left.shape) != len(right.shape) or len(left.shape) < 2:
        raise call.refuse(
            f"the product of {call.shown(left)} and {call.shown(right)} mixes samples",
            "give both operands the same number of axes, the batch first",
        )
    return call.node(MatMul(), left, right)


def _by_weights(call: Call, x: Node, y: Known) -> Node:
    if not x.shape:
        raise call.refuse("a vector along the batch is multiplied", "give the input an axis for the batch")
    w = _operand(call, y, 1, len(x.shape) + call.lead)
    if len(w.shape) == 1:
        product = call.node(Dense(), x, one_scale_per_output(_reshaped(w, (*w.shape, 1))))
        return call.node(Reshape(x.shape[:-1]), product)
    return call.node(Dense() if len(w.shape) == 2 else MatMul(), x, one_scale_per_output(w))


def _weights_by(call: Call, x: Known, y: Node) -> Node:
    if len(y.shape) < 2:
        raise call.refuse(f"weights times {call.shown(y)} sum over the batch", "transpose the product")
    w = _operand(call, x, 0, len(y.shape) + call.lead)
    if len(w.shape) == 1:
        product = call.node(MatMul(), _reshaped(w, (1, *w.shape)), y)
        return call.node(Reshape((*y.shape[:-2], y.shape[-1])), product)
    return call.node(MatMul(), w, y)


def _operand(call: Call, value: Known, i: int, rank: int) -> Node:
    """Give constant weights of a matrix product; those with more than two axes meet the batch."""
    if value.variants[0].ndim > 2:
        return call.operand(i, rank)
    if len(value.variants) > 1:
        raise call.refuse("its weights depend on the length of the batch", "export the model with a fixed batch of 1")
    if not value.variants[0].ndim:
        raise call.misfit("multiplies matrices, got a single number")
    return call.weights(i)


def _reshaped(w: Node, shape: tuple[int, ...]) -> Node:
    assert isinstance(w.op, Constant)
    data = w.op.value.data
    format = w.type.format.map(data.shape, lambda v: v.reshape(shape))
    return Node(Constant(Array(data.reshape(shape)), format), (), w.where)


@operator("Conv")
@per_sample(0)
def conv(call: Call) -> Node:
    """Convolve over any number of spatial axes; weights [filters, channels / group, *kernel]."""
    x, w = call.flow(0), call.weights(1, _filters_last)
    return convolve(call, x, w, lambda weights: biases_of(call, x, weights))


def convolve(call: Call, x: Node, w: Node, biases: Callable[[Node], tuple[Node, ...]]) -> Node:
    """Convolve by weights [*kernel, channels / group, filters] with the attributes of Conv."""
    space, groups = spatial(call, x), call.attributes.integer("group", 1, low=1)
    _check_weights(call, w.shape, len(space))
    window = read_window(call, space, w.shape[:-2])
    if w.shape[-2] * groups != x.shape[0] or w.shape[-1] % groups:
        raise call.misfit(f"{w.shape[-1]} filters of {w.shape[-2]} channels, {groups} groups, {x.shape[0]} channels")
    op = Conv(window.strides, window.padding, window.dilation, groups)
    weights = one_scale_per_output(w)
    return channels_first(call, call.node(op, channels_last(call, x), weights, *biases(weights)))


def _filters_last(w: NDArray) -> NDArray:
    return np.moveaxis(w, (0, 1), (-1, -2)) if w.ndim > 1 else w


def biases_of(call: Call, x: Node, weights: Node, filters: int | None = None) -> tuple[Node, ...]:
    """Give the bias of a convolution, where there is one."""
    bias, filters = call.optional(2), weights.shape[-1] if filters is None else filters
    if bias is None:
        return ()
    real = call.array(2)
    if real.shape != (filters,):
        raise call.misfit(f"a bias of shape {real.shape} for {filters} filters")
    if isinstance(bias, Scaled) and filters == weights.shape[-1]:
        return (bias_of(call, bias, x, weights),)
    return (call.constant(real, "bias"),)


def _check_weights(call: Call, shape: tuple[int, ...], rank: int) -> None:
    if len(shape) != rank + 2 or 0 in shape:
        raise call.misfit(f"weights of shape {shape} (filters last) for {rank} spatial axes")


@operator("ConvTranspose")
@per_sample(0)
def conv_transpose(call: Call) -> Node:
    """Convolve transposed; weights [channels, filters / group, *kernel]."""
    x, w = call.flow(0), one_scale_per_output(call.weights(1, _filters_last), 0)
    space, groups = spatial(call, x), call.attributes.integer("group", 1, low=1)
    rank = len(space)
    _check_weights(call, w.shape, rank)
    if w.shape[-1] != x.shape[0] or x.shape[0] % groups:
        raise call.misfit(f"{w.shape[-1]} channels of weights, {groups} groups, {x.shape[0]} channels")
    kernel = kernel_shape(call, rank, w.shape[:rank])
    strides = call.attributes.integers("strides", rank, [1] * rank, low=1)
    dilation = call.attributes.integers("dilations", rank, [1] * rank, low=1)
    extra = call.attributes.integers("output_padding", rank, [0] * rank, low=0)
    full = tuple(
        s * (n - 1) + e + (k - 1) * d + 1 for n, k, s, d, e in zip(space, kernel, strides, dilation, extra, strict=True)
    )
    crop = _crop(call, space, strides, full)
    extra = tuple(e + max(0, -after) for e, (_, after) in zip(extra, crop, strict=True))
    op = ConvTranspose(strides, tuple((before, max(after, 0)) for before, after in crop), extra, dilation, groups)
    biases = biases_of(call, x, w, w.shape[-2] * groups)
    return channels_first(call, call.node(op, channels_last(call, x), w, *biases))


def _crop(call: Call, space: tuple[int, ...], strides: tuple[int, ...], full: tuple[int, ...]) -> Pairs:
    """Find out what is cut off the whole result, whose lengths are ``full`` (definition of ConvTranspose, opset 11)."""
    rank, auto = len(space), auto_pad(call)
    pads = call.attributes.integers("pads", 2 * rank, [0] * (2 * rank), low=0)
    wanted: tuple[int, ...] | None = None
    if call.attributes.take("output_shape", None) is not None:
        wanted = call.attributes.integers("output_shape", rank, low=1)
    elif auto.startswith("SAME"):
        wanted = tuple(n * s for n, s in zip(space, strides, strict=True))
    if wanted is None:
        if auto == "VALID" and any(pads):
            raise call.attributes.refusal("pads", list(pads), "auto_pad = VALID has none; give one of the two")
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    total = tuple(f - w for f, w in zip(full, wanted, strict=True))
    if min(total) < -1:
        raise call.refuse(f"an output of {wanted} is larger than what there is, {full}", "add output_padding")
    halves = tuple((t // 2, t - t // 2) if t >= 0 else (-1, 0) for t in total)  # -1: one more cell, after all others
    return tuple((a, b) if auto == "SAME_UPPER" and a >= 0 else (b, a) for a, b in halves)


__all__ = ["bias_of", "biases_of", "conv", "conv_transpose", "convolve", "gemm", "matmul"]

"""Matrix products and convolutions with constant weights; products of two computed tensors."""

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Add, Conv, ConvTranspose, Dense, MatMul, Reshape
from ..registry import Call, Flow, Known, operator
from .pointwise import scaled
from .windows import Pairs, auto_pad, channels_first, channels_last, kernel_shape, read_window, spatial


@operator("Gemm")
def gemm(call: Call) -> Node:
    """``alpha * x @ w + beta * c`` with constant weights; both factors are folded into the constants."""
    alpha, beta = call.attributes.real("alpha", 1.0), call.attributes.real("beta", 1.0)
    trans_a, trans_b = call.attributes.boolean("transA", 0), call.attributes.boolean("transB", 0)
    x, w = call.flow(0), call.array(1)
    if trans_a:
        raise call.attributes.refusal(
            "transA", 1, "axis 0 of the first operand is the batch; transpose the weights instead"
        )
    if len(x.shape) != 1 or w.ndim != 2:
        raise call.misfit(f"multiplies matrices, got {('batch', *x.shape)} and {w.shape}")
    w = w.T if trans_b else w
    w = w if alpha == 1.0 else (w.astype(np.float64) * alpha).astype(np.float32)
    weights, c = call.constant(w, "weight"), call.optional(2)
    if isinstance(c, Flow):
        product = call.node(Dense(), x, weights)
        return call.node(Add(), product, scaled(call, call.operand(2, 2), beta))
    bias = () if c is None else (call.constant(_bias(call, c, w.shape[1], beta), "bias"),)
    return call.node(Dense(), x, weights, *bias)


def _bias(call: Call, c: Known, units: int, beta: float) -> NDArray:
    value = call.real(call.sample(c, 2, "input 2"))
    if value.ndim > 1 or value.size not in (1, units):
        raise call.misfit(f"a bias of shape {value.shape} for {units} outputs")
    return (np.broadcast_to(value, (units,)).astype(np.float64) * beta).astype(np.float32)


@operator("MatMul")
def matmul(call: Call) -> Node:
    """``x @ y`` by numpy's rules, as far as axis 0 of the result is the batch of both."""
    x, y = call.value(0), call.value(1)
    if isinstance(x, Flow) and isinstance(y, Known):
        return _by_weights(call, x.node, y)
    if isinstance(x, Known) and isinstance(y, Flow):
        return _weights_by(call, x, y.node)
    left, right = call.flow(0), call.flow(1)
    if len(left.shape) != len(right.shape) or len(left.shape) < 2:
        raise call.refuse(
            f"the product of {('batch', *left.shape)} and {('batch', *right.shape)} mixes samples",
            "give both operands the same number of axes, the batch first",
        )
    return call.node(MatMul(), left, right)


def _by_weights(call: Call, x: Node, y: Known) -> Node:
    if not x.shape:
        raise call.refuse("a vector along the batch is multiplied", "give the input an axis for the batch")
    w = call.real(call.sample(y, len(x.shape) + 1, "input 1") if y.variants[0].ndim > 2 else _plain(call, y))
    if w.ndim == 1:
        product = call.node(Dense(), x, call.constant(w[:, None], "weight"))
        return call.node(Reshape(x.shape[:-1]), product)
    if w.ndim == 2:
        return call.node(Dense(), x, call.constant(w, "weight"))
    return call.node(MatMul(), x, call.constant(w, "weight"))


def _weights_by(call: Call, x: Known, y: Node) -> Node:
    if len(y.shape) < 2:
        raise call.refuse(f"weights times {('batch', *y.shape)} sum over the batch", "transpose the product")
    w = call.real(call.sample(x, len(y.shape) + 1, "input 0") if x.variants[0].ndim > 2 else _plain(call, x))
    if w.ndim == 1:
        product = call.node(MatMul(), call.constant(w[None], "weight"), y)
        return call.node(Reshape((*y.shape[:-2], y.shape[-1])), product)
    return call.node(MatMul(), call.constant(w, "weight"), y)


def _plain(call: Call, value: Known) -> NDArray:
    if len(value.variants) > 1:
        raise call.refuse("its weights depend on the length of the batch", "export the model with a fixed batch of 1")
    if not value.variants[0].ndim:
        raise call.misfit("multiplies matrices, got a single number")
    return value.variants[0]


@operator("Conv")
def conv(call: Call) -> Node:
    """Convolve over any number of spatial axes; weights [filters, channels / group, *kernel]."""
    x, w = call.flow(0), call.array(1)
    space, groups = spatial(call, x), call.attributes.integer("group", 1, low=1)
    _check_weights(call, w, len(space))
    window = read_window(call, space, w.shape[2:])
    if w.shape[1] * groups != x.shape[0] or w.shape[0] % groups:
        raise call.misfit(f"weights of shape {w.shape} in {groups} groups for {x.shape[0]} channels")
    op = Conv(window.strides, window.padding, window.dilation, groups)
    weights = call.constant(np.moveaxis(w, (0, 1), (-1, -2)), "weight")
    return channels_first(call, call.node(op, channels_last(call, x), weights, *_biases(call, w.shape[0])))


def _biases(call: Call, filters: int) -> tuple[Node, ...]:
    if call.optional(2) is None:
        return ()
    bias = call.array(2)
    if bias.shape != (filters,):
        raise call.misfit(f"a bias of shape {bias.shape} for {filters} filters")
    return (call.constant(bias, "bias"),)


def _check_weights(call: Call, w: NDArray, rank: int) -> None:
    if w.ndim != rank + 2 or not w.size:
        raise call.misfit(f"weights of shape {w.shape} for {rank} spatial axes")


@operator("ConvTranspose")
def conv_transpose(call: Call) -> Node:
    """Convolve transposed; weights [channels, filters / group, *kernel]."""
    x, w = call.flow(0), call.array(1)
    space, groups = spatial(call, x), call.attributes.integer("group", 1, low=1)
    rank = len(space)
    _check_weights(call, w, rank)
    if w.shape[0] != x.shape[0] or x.shape[0] % groups:
        raise call.misfit(f"weights of shape {w.shape} in {groups} groups for {x.shape[0]} channels")
    kernel = kernel_shape(call, rank, w.shape[2:])
    strides = call.attributes.integers("strides", rank, [1] * rank, low=1)
    dilation = call.attributes.integers("dilations", rank, [1] * rank, low=1)
    extra = call.attributes.integers("output_padding", rank, [0] * rank, low=0)
    full = tuple(
        s * (n - 1) + e + (k - 1) * d + 1 for n, k, s, d, e in zip(space, kernel, strides, dilation, extra, strict=True)
    )
    crop = _crop(call, space, strides, full)
    extra = tuple(e + max(0, -after) for e, (_, after) in zip(extra, crop, strict=True))
    op = ConvTranspose(strides, tuple((before, max(after, 0)) for before, after in crop), extra, dilation, groups)
    weights = call.constant(np.moveaxis(w, (0, 1), (-1, -2)), "weight")
    return channels_first(call, call.node(op, channels_last(call, x), weights, *_biases(call, w.shape[1] * groups)))


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


__all__ = ["conv", "conv_transpose", "gemm", "matmul"]

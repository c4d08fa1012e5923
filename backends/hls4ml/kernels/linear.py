"""Kernels of products and sums: dense, matrix product, convolution, transposed convolution."""

from collections.abc import Callable

import numpy as np

from ....graph import Node, Tensor
from ....graph.arrays import Ints, NDArray
from ....graph.errors import RangeError
from ....graph.formats import bits_for
from ....graph.numerics import divide, multiply, whole
from ....graph.ops import Conv, ConvTranspose, Dense, MatMul
from ..kernel import Kernel, is_constant, kernel_rule, refuse
from .common import Config, Constants, affine_or_refuse, channels, integers, operands, places, zero_of

HEADER = "gw_linear.h"


def centred(constant: Tensor) -> Ints:
    """Give a constant's integers in units of its scale."""
    assert constant.value is not None
    return constant.quantized.centre(constant.value.data.astype(np.int64))


def _weights(node: Node, x: Tensor, filter_axis: Callable[[NDArray], NDArray]) -> tuple[Config, Constants]:
    """Give weights and bias in integers: sum(x * w) * factor + b is the result in units of its scale.

    A factor that differs by filter goes into the weights; ``filter_axis`` shapes a vector [filters] so that it
    multiplies them.
    """
    w = node.inputs[1].type
    filters = node.shape[-1]
    factors, bias = _aligned(node, x, w, filters)
    weights = centred(w).astype(object)
    if factors.ndim:
        weights = weights * filter_axis(np.broadcast_to(factors, (filters,)).astype(object))
    factor = 1 if factors.ndim else int(factors)
    config: Config = {"factor": factor, "factor_width": bits_for(-1, factor), "x_zero": zero_of(node, x)}
    return config, {"weights": integers(node, weights.ravel()), "bias": integers(node, bias)}


def _aligned(node: Node, x: Tensor, w: Tensor, filters: int) -> tuple[Ints, Ints]:
    """Give the factors of the sum of products, and the bias [filters], both for the result's scale."""
    scale = node.type.quantized.scale
    bias = np.zeros(filters, np.int64)
    try:
        factors = whole(divide(multiply(x.quantized.scale, w.quantized.scale), scale))
        if len(node.inputs) > 2:
            b = node.inputs[2].type
            bias = centred(b) * whole(divide(b.quantized.scale, scale))
    except RangeError as error:
        raise refuse(node, f"the scale of a bias: {error.what}", error.hint) from None
    return factors, np.broadcast_to(bias, (filters,))


def _check_weights(node: Node) -> None:
    if any(not is_constant(i) for i in node.inputs[1:]):
        raise refuse(node, "weights that are computed", "only MatMul multiplies two computed tensors")


@kernel_rule(Dense)
def dense(node: Node) -> Kernel:
    """A matrix product of each last axis with constant weights."""
    _check_weights(node)
    x = node.inputs[0]
    config, constants = _weights(node, x.type, lambda f: f)
    config |= {"c_in": channels(x.shape), "c_out": channels(node.shape)}
    products = channels(x.shape) * channels(node.shape)
    return Kernel("dense", HEADER, operands(node), node, config, constants, products)


@kernel_rule(MatMul)
def matmul(node: Node) -> Kernel:
    """A matrix product of two tensors, or of a tensor and a constant."""
    x, y = node.inputs
    if is_constant(x) and is_constant(y):
        raise refuse(node, "a product of two constants", "fold constants before")
    lead = node.shape[:-2]
    config: Config = {"inner": x.shape[-1], "rows": node.shape[-2], "c_out": node.shape[-1]}
    constants: Constants = {}
    for name, i in (("x", x), ("y", y)):
        starts = places(i.shape[:-2]) * (i.shape[-2] * i.shape[-1])
        config |= affine_or_refuse(node, np.broadcast_to(starts, lead)).config(name)
        config[f"{name}_zero"] = 0 if is_constant(i) else zero_of(node, i.type)
        if is_constant(i):
            constants["weights"] = integers(node, centred(i.type).ravel())
    function = "matmul_left" if is_constant(x) else "matmul_right" if is_constant(y) else "matmul"
    return Kernel(function, HEADER, operands(node), node, config, constants, x.shape[-1] * node.shape[-1])


def spatial(name: str, values: tuple[int, ...], fill: int) -> Config:
    """Give one number for each of the three axes of the templates; those that the model lacks stand last."""
    return {f"{name}{i}": v for i, v in enumerate(values + (fill,) * (3 - len(values)))}


def depth_for(span: int) -> int:
    """Give how many rows a ring needs that must hold ``span`` of them: a power of two, so that its index is a mask."""
    return 1 << (span - 1).bit_length()


def row_config(node: Node, needed: list[int], span: int) -> Config:
    """Give the numbers of the line buffer: result row r needs ``needed[r]`` operand rows and reads ``span`` of them."""
    shape, result = node.inputs[0].shape, node.shape
    arrivals = [b - a for a, b in zip([0, *needed], needed, strict=False)]
    row = int(np.prod(shape[1:]))
    return {
        "depth": depth_for(min(span, shape[0])),
        "rows_out": result[0],
        "row_in": row,
        "row_out": int(np.prod(result[1:])),
        "most_rows": max(arrivals),
        "packs_left": (shape[0] - needed[-1]) * (row // shape[-1]),
    }


def window_config(
    node: Node,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> Config:
    """Give the numbers of a window that slides over up to three axes. Raises UnsupportedError for more."""
    shape = node.inputs[0].shape
    check_rank(node, len(kernel))
    last = [r * strides[0] + (kernel[0] - 1) * dilation[0] - padding[0][0] + 1 for r in range(node.shape[0])]
    needed = [min(max(n, 0), shape[0]) for n in last]
    return {
        **spatial("in", shape[:-1], 1),
        **spatial("out", node.shape[:-1], 1),
        **spatial("kernel", kernel, 1),
        **spatial("stride", strides, 1),
        **spatial("dilation", dilation, 1),
        **spatial("pad", tuple(p[0] for p in padding), 0),
        **row_config(node, needed, (kernel[0] - 1) * dilation[0] + 1),
        "c_in": shape[-1],
        "c_out": node.shape[-1],
    }


def check_rank(node: Node, rank: int) -> None:
    """Raise UnsupportedError for windows over more than three axes."""
    if rank > 3:
        raise refuse(node, f"windows over {rank} axes", "up to three are possible")


@kernel_rule(Conv)
def conv(node: Node) -> Kernel:
    """Convolution with any strides, dilation, padding and groups over one to three axes."""
    op = node.op
    assert isinstance(op, Conv)
    _check_weights(node)
    rank, weights = len(op.strides), node.inputs[1].shape
    config, constants = _weights(node, node.inputs[0].type, lambda f: f)
    config |= window_config(node, weights[:rank], op.strides, op.padding, op.dilation)
    config["groups"] = op.groups
    products = int(np.prod(weights))
    return Kernel("conv", HEADER, operands(node), node, config, constants, products)


@kernel_rule(ConvTranspose)
def conv_transpose(node: Node) -> Kernel:
    """Transposed convolution, as sums over the operand's places that reach each place of the result."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, ConvTranspose)
    _check_weights(node)
    rank, weights = len(op.strides), node.inputs[1].shape
    check_rank(node, rank)
    groups = op.groups
    config, constants = _weights(node, x.type, lambda f: _by_filter(f, groups, weights))
    needed = [min((r + op.crop[0][0]) // op.strides[0] + 1, x.shape[0]) for r in range(node.shape[0])]
    span = (weights[0] - 1) * op.dilation[0] // op.strides[0] + 1
    config |= {
        **spatial("in", x.shape[:-1], 1),
        **spatial("out", node.shape[:-1], 1),
        **spatial("kernel", weights[:rank], 1),
        **spatial("stride", op.strides, 1),
        **spatial("dilation", op.dilation, 1),
        **spatial("pad", tuple(c[0] for c in op.crop), 0),
        **row_config(node, needed, span),
        "c_in": x.shape[-1],
        "c_out": node.shape[-1],
        "groups": groups,
    }
    products = int(np.prod(weights))
    return Kernel("conv_transpose", HEADER, operands(node), node, config, constants, products)


def _by_filter(factors: NDArray, groups: int, weights: tuple[int, ...]) -> NDArray:
    """Shape factors [filters] so that they multiply weights [*kernel, filters / groups, channels].

    Channel c belongs to group c / (C / groups).
    """
    by_group = np.repeat(factors.reshape(groups, -1), weights[-1] // groups, axis=0)  # [channels, filters / groups]
    return np.asarray(by_group.T)


__all__ = ["centred", "window_config"]

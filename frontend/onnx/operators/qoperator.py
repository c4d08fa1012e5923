"""Operators that compute on stored integers: the sums are exact, the result is quantized once, half to even."""

from fractions import Fraction

import numpy as np

from ....graph import Array, NDArray, Node
from ....graph.numerics import multiply
from ....graph.ops import Constant, Dense, MatMul, Reshape, Sub
from ..coding import INTEGERS, numbers, read_coding
from ..formats import in_units_of, one_scale_per_output, units
from ..registry import Call, Coded, Flow, Scaled, operator
from ..samples import per_sample
from .linear import convolve

ONE: NDArray = np.ones(())


@operator("QLinearConv")
@per_sample(0)
def qlinear_conv(call: Call) -> Coded:
    """Convolve stored integers by constant ones, per tensor or per filter; the bias counts in units of the product."""
    x, w = coded_real(call, 0, 1, 2), weights_of(call, 3, 4, 5, axis=0)
    result = convolve(call, x, call.scaled(w, _filters_last, "weight"), lambda v: bias_in_units(call, 8, x, v))
    return encoded(call, result, 6, 7, 0)


def coded_real(call: Call, i: int, scale: int, zero: int) -> Node:
    """Give the real numbers of a computed tensor of integers."""
    q = _coded(call, i)
    shape = call.full(q.node.shape)[0]
    coding = read_coding(call, scale, zero, shape, dtype=q.dtype)
    if coding.scale.size > 1:
        raise call.refuse("the input has several scales", "one scale and one zero point for the tensor")
    return coding.decode(call, q)


def _coded(call: Call, i: int) -> Coded:
    q = call.coded(i)
    if q is None:
        call.optional(i)
        raise call.refuse(
            f"input {i} is no computed tensor of integers", "make it an input of int8 or uint8, or the first operand"
        )
    return q


def encoded(call: Call, x: Node, scale: int, zero: int, like: int) -> Coded:
    """Quantize a result; without a zero point it has the type of input ``like``."""
    shape = call.full(x.shape)[0]
    known = call.known(zero)
    dtype = call.type(like) if known is None and call.coded(like) is not None else None
    coding = read_coding(call, scale, zero, shape, dtype=dtype)
    if coding.scale.size > 1 or coding.zero.size > 1:
        raise call.refuse("the output has several scales", "one scale and one zero point for the tensor")
    return coding.encode(call, x)


def weights_of(call: Call, i: int, scale: int, zero: int, axis: int, fewest: int = 1) -> Scaled:
    """Give constant integers of ``fewest`` axes or more, with their scales along ``axis``."""
    q = _stored(call, i, fewest)
    coding = read_coding(call, scale, zero, q.shape, axis=axis, sample=False, dtype=q.dtype.name)
    return _scaled(q, coding.scale, coding.zero)


def _stored(call: Call, i: int, fewest: int = 1) -> NDArray:
    q = call.known(i)
    if q is None or q.dtype.name not in INTEGERS:
        raise call.misfit(f"input {i} should hold integers")
    if q.ndim < fewest:
        raise call.misfit(f"input {i} is one number")
    return q


def _scaled(q: NDArray, scale: NDArray, zero: NDArray) -> Scaled:
    stored = q.astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        real = ((stored - zero) * scale).astype(np.float32)
    return Scaled((real,), stored, scale, zero)


def _filters_last(w: NDArray) -> NDArray:
    return np.moveaxis(w, (0, 1), (-1, -2)) if w.ndim > 1 else w


def bias_in_units(call: Call, i: int, x: Node, weights: Node) -> tuple[Node, ...]:
    """Give a bias of int32, where there is one, in units of the product."""
    b = call.known(i)
    if b is None:
        return ()
    filters = weights.shape[-1]
    if b.dtype != np.int32 or b.size not in (1, filters) or b.ndim > 2:
        raise call.misfit(f"a bias of type {b.dtype} and shape {b.shape} for {filters} filters")
    unit = multiply(x.type.quantized.scale, units(weights.type.quantized))
    stored = np.broadcast_to(b.astype(np.int64).reshape(-1), (filters,))
    return (Node(Constant(Array(stored), in_units_of(unit, 32)), (), f"{call.name}/bias"),)


@operator("QLinearMatMul")
def qlinear_matmul(call: Call) -> Coded:
    """Multiply stored integers; the second operand may be constant, with a scale per column."""
    x = coded_real(call, 0, 1, 2)
    if call.coded(3) is not None:
        return encoded(call, _product(call, x, coded_real(call, 3, 4, 5)), 6, 7, 0)
    w = call.scaled(weights_of(call, 3, 4, 5, axis=-1), key="weight")
    return encoded(call, _product(call, x, w), 6, 7, 0)


def _product(call: Call, x: Node, y: Node) -> Node:
    constant = isinstance(y.op, Constant)
    ranks = (len(x.shape), len(y.shape))
    if constant and ranks[1] == 2 and ranks[0] >= 1:
        return call.node(Dense(), x, one_scale_per_output(y))
    if ranks[0] < 2 or ranks[1] < 2 or (not constant and ranks[0] != ranks[1]):
        raise call.refuse(f"the product of {('batch', *x.shape)} and {y.shape} mixes samples", "use two axes or more")
    return call.node(MatMul(), x, y)


@operator("MatMulInteger")
def matmul_integer(call: Call) -> Coded:
    """``(a - a_zero) @ (b - b_zero)`` in int32; zero points per tensor, of constant weights per column too."""
    return integer_product(call, 2, 3)


def integer_product(call: Call, left: int, right: int) -> Coded:
    """Multiply inputs 0 and 1, whose zero points are the inputs ``left`` and ``right``."""
    x = centred(call, 0, left)
    if call.coded(1) is not None:
        return accumulated(call, _product(call, x, centred(call, 1, right)))
    w = _stored(call, 1)
    zero = call.known(right)
    spread = np.zeros((), np.int64) if zero is None else zero.astype(np.int64)
    if spread.size not in (1, w.shape[-1]):
        raise call.misfit(f"a zero point of shape {spread.shape} for weights of shape {w.shape}")
    weights = _scaled(w, ONE, spread.reshape(-1) if spread.size > 1 else spread.reshape(()))
    return accumulated(call, _product(call, x, call.scaled(weights, key="weight")))


def centred(call: Call, i: int, zero: int) -> Node:
    """Give ``q - zero`` of a computed tensor; its zero point may be computed, too: one number for the tensor."""
    q = _coded(call, i)
    if call.coded(zero) is None:
        return numbers(call, q, _zero(call, zero))
    return call.node(Sub(), numbers(call, q), computed_scalar(call, zero))


def computed_scalar(call: Call, i: int) -> Node:
    """Give a computed input that is one number. Raises UnsupportedError for more."""
    value = call.value(i)
    if not isinstance(value, Flow) or value.lead or value.node.type.size != 1:
        raise call.refuse(f"input {i} is computed, and not one number", "one scale and one zero point for the tensor")
    return value.node if not value.node.shape else call.node(Reshape(()), value.node)


def _zero(call: Call, i: int) -> int:
    """Give the one zero point of a tensor."""
    zero = call.known(i)
    if zero is not None and zero.size != 1:
        raise call.refuse(f"a zero point of shape {zero.shape}", "one zero point for the tensor")
    return 0 if zero is None else int(zero.astype(np.int64).ravel()[0])


def accumulated(call: Call, node: Node) -> Coded:
    """Give an exact sum as int32. Raises UnsupportedError where int32 might wrap around."""
    if not node.type.is_integer or max(abs(int(v)) for end in node.type.interval for v in end.ravel()) >= 2**31:
        raise call.refuse("the sum may exceed int32, which would wrap around", "use fewer inputs, or smaller weights")
    return Coded(node, "int32", Fraction(1), 0, call.lead)


@operator("ConvInteger")
@per_sample(0)
def conv_integer(call: Call) -> Coded:
    """Convolve ``x - x_zero`` by ``w - w_zero`` in int32; the padding is the zero point."""
    x, w = centred(call, 0, 2), _stored(call, 1)
    zero = call.known(3)
    spread = np.zeros((), np.int64) if zero is None else zero.astype(np.int64)
    if spread.size not in (1, w.shape[0]):
        raise call.misfit(f"a zero point of shape {spread.shape} for weights of shape {w.shape}")
    along = spread.reshape((-1,) + (1,) * (w.ndim - 1)) if spread.size > 1 else spread.reshape(())
    weights = call.scaled(_scaled(w, ONE, along), _filters_last, "weight")
    return accumulated(call, convolve(call, x, weights, lambda v: ()))


__all__ = [
    "accumulated", "bias_in_units", "centred", "coded_real", "computed_scalar", "encoded", "integer_product",
    "weights_of",
]  # fmt: skip

"""Sums, means, extremes along axes, and their places. Kernels: ``reduce.cc``, ``reference/reduce.h``,
``arg_min_max.cc``, ``cumsum.cc``, ``topk_v2.cc``.
"""

from math import prod

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import ArgMax, MatMul, Reduce, Reduction, Scaling, TopK
from ..arithmetic import multiplied, quantize_multiplier, quantized_format, scale_of, stored_as
from ..registry import Call, Result, operator
from .moves import Inside, inside, one_number

Axes = tuple[int, ...]
SUM_HINT = "use a mean and a multiplication, or keep it in floating point"


def _reduced(call: Call, kind: Reduction) -> tuple[Node, int]:
    """Reduce input 0 along the axes of input 1; gives the node and how many numbers each result is made of."""
    shape = call.info(0).shape
    axes = sorted({call.axis(a, len(shape)) for a in call.integers(1)})
    keep = call.attributes.boolean("keep_dims", False)
    if not axes:
        raise call.refuse("no axes to reduce", "leave the operator out")
    x = inside(call, 0, axes)
    node = call.node(Reduce(kind, tuple(x.axis(a) for a in axes), keep), x.node)
    return call.fitted(node), prod(shape[a] for a in axes)


@operator("MEAN", versions=3)
def mean(call: Call) -> Node:
    """Of integers the exact sum, times a multiplier into which the count is divided."""
    info, result = call.info(0), call.result
    if info.is_float:
        return _reduced(call, Reduction.MEAN)[0]
    _same_type(call, "INT8", "UINT8", "INT16")
    total, count = _reduced(call, Reduction.SUM)
    multiplier, shift = quantize_multiplier(scale_of(call, info) / scale_of(call, result))
    more = min(count.bit_length() - 1, 32, 31 + shift)
    pair = ((multiplier << more) // count, shift - more)
    format = quantized_format(call, result)
    return multiplied(call, total, [pair], format, result.bounds, Scaling.DOUBLE)


@operator("SUM", versions=2)
def total(call: Call) -> Node:
    """Of floating point and of uint8."""
    info, result = call.info(0), call.result
    if info.is_float:
        return _reduced(call, Reduction.SUM)[0]
    if info.type in ("INT8", "INT16"):
        raise call.refuse(f"{info.type}: TensorFlow 2.21's reference kernel reads its bytes as unsigned ones", SUM_HINT)
    _same_type(call, "UINT8")
    node, _ = _reduced(call, Reduction.SUM)
    pair = quantize_multiplier(scale_of(call, info) / scale_of(call, result))
    return multiplied(call, node, [pair], quantized_format(call, result), result.bounds, Scaling.DOUBLE)


def _same_type(call: Call, *types: str) -> None:
    given, made = call.info(0).type, call.result.type
    if given not in types or made != given:
        raise call.refuse(f"{given} giving {made}", f"{', '.join(types)} and float are supported")


@operator("REDUCE_MAX", versions=3)
def greatest(call: Call) -> Node:
    """The greatest."""
    return _extreme(call, Reduction.MAX)


@operator("REDUCE_MIN", versions=3)
def least(call: Call) -> Node:
    """The least."""
    return _extreme(call, Reduction.MIN)


def _extreme(call: Call, kind: Reduction) -> Node:
    info, result = call.info(0), call.result
    if info.is_float:
        return _reduced(call, kind)[0]
    _same_type(call, "INT8", "UINT8", "INT16")
    if (info.scales, info.zero_points) != (result.scales, result.zero_points):
        raise call.refuse("a result of another scale than the operand's", "the kernels want them equal")
    return stored_as(call, _reduced(call, kind)[0], quantized_format(call, result))


@operator("REDUCE_PROD", versions=2)
def product(call: Call) -> Node:
    """Of floating point."""
    if not call.info(0).is_float:
        raise call.refuse(call.info(0).type, "its integer kernel rounds after each factor; multiply step by step")
    return _reduced(call, Reduction.PROD)[0]


@operator("ARG_MAX", versions=3)
def argmax(call: Call) -> Node:
    """Where the greatest stands; of equal ones the first."""
    return _place(call, minimum=False)


@operator("ARG_MIN", versions=3)
def argmin(call: Call) -> Node:
    """Where the least stands; of equal ones the first."""
    return _place(call, minimum=True)


def _place(call: Call, *, minimum: bool) -> Node:
    call.attributes.choice("output_type", 2, 4)  # INT32, INT64
    axis = call.axis(one_number(call, 1), len(call.info(0).shape))
    x = inside(call, 0, [axis])
    node = call.node(ArgMax(x.axis(axis), minimum=minimum), x.node)
    return stored_as(call, call.fitted(node), call.result.format)  # type: ignore[arg-type]


@operator("TOPK_V2", versions=3)
def top(call: Call) -> list[Result]:
    """The greatest k along the last axis, and where they stand."""
    shape, (k,) = call.info(0).shape, (one_number(call, 1),)
    if not shape or not 1 <= k <= shape[-1]:
        raise call.misfit(f"the greatest {k} of shape {shape}")
    x = inside(call, 0, [len(shape) - 1])
    axis = x.axis(len(shape) - 1)
    values = call.fitted(call.node(TopK(k, axis), x.node), 0)
    if values.type.is_integer:
        if call.results[0].format != call.info(0).format:
            raise call.refuse("a result of another scale than the operand's", "the kernel copies the numbers")
        values = stored_as(call, values, call.results[0].format)  # type: ignore[arg-type]
    if len(call.results) < 2:
        return [values]
    places = call.fitted(call.node(TopK(k, axis, indices=True), x.node), 1)
    return [values, stored_as(call, places, call.results[1].format)]  # type: ignore[arg-type]


@operator("CUMSUM", versions=1)
def cumsum(call: Call) -> Node:
    """Sums of all numbers up to each place of an axis: a matrix of ones and zeros."""
    if not call.info(0).is_float:
        raise call.refuse(call.info(0).type, "sums of floating point are supported")
    shape = call.info(0).shape
    axis = call.axis(one_number(call, 1), len(shape))
    exclusive, reverse = (call.attributes.boolean(name, False) for name in ("exclusive", "reverse"))
    ones = np.tril(np.ones((shape[axis], shape[axis]), np.float32), -1 if exclusive else 0)
    return call.fitted(along(call, inside(call, 0, [axis]), axis, ones.T if reverse else ones))


def along(call: Call, x: Inside, axis: int, matrix: NDArray, constant: Node | None = None) -> Node:
    """Multiply a matrix [out, in] with each line along an axis of the source; ``constant`` in place of floats."""
    at, node = x.axis(axis), x.node
    weights = constant or call.real(matrix, "matrix")
    rows, rest = matrix.shape[0], node.shape[at + 1 :]
    flat = call.reshaped(node, (*node.shape[: at + 1], prod(rest)))
    made = call.node(MatMul(), weights, flat)
    return call.reshaped(made, (*node.shape[:at], rows, *rest))

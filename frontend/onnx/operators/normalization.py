"""Normalizations, written out in sums and products; softmax."""

from math import prod

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Activation, Add, Dense, Maximum, Mul, Reduce, Reduction, Reshape, Softmax, Sub
from ..registry import Absent, Call, Moved, Results, operator
from ..samples import per_sample
from .pointwise import times
from .windows import channels_first, channels_last


@operator("BatchNormalization")
@per_sample(0)
def batch_normalization(call: Call) -> Results:
    """Scale and shift each channel by the trained statistics: ``x * a + b``, ``a = scale / sqrt(var + epsilon)``."""
    moved = call.moved(0)
    x = call.flow() if moved is None else moved.node
    if moved is not None and (moved.axis != 1 or len(x.shape) != 1):
        raise call.refuse("axis 0 of its input is not the batch: a Transpose has moved it", "transpose it back first")
    call.attributes.expect("spatial", 1, hint="statistics per element are not supported; train with spatial = 1")
    call.attributes.expect("training_mode", 0, hint="export the model for inference (model.eval())")
    call.attributes.ignore("momentum", why="only training updates the statistics")
    epsilon = call.attributes.real("epsilon", 1e-5)
    if not x.shape:
        raise call.misfit("reads [batch, channels, ...]")
    scale, bias, mean, variance = (call.array(i).astype(np.float64) for i in range(1, 5))
    if any(v.shape != x.shape[:1] for v in (scale, bias, mean, variance)):
        raise call.misfit(f"{x.shape[0]} channels, the statistics have shape {scale.shape}")
    if (variance + epsilon <= 0).any():
        raise call.misfit("a variance is negative")
    a = scale / np.sqrt(variance + epsilon)
    shape = (-1,) + (1,) * (len(x.shape) - 1)
    scaled = times(call, x, call.constant(a.astype(np.float32).reshape(shape), "scale"))
    result = call.node(Add(), scaled, call.constant((bias - mean * a).astype(np.float32).reshape(shape), "bias"))
    if moved is not None:
        return [_features_first(call, result), *[Absent("the statistics of BatchNormalization")] * 4]
    return [result, *[Absent("the statistics of BatchNormalization")] * 4]


def _features_first(call: Call, result: Node) -> Moved:
    """Accept the statistics of [features, batch] where they can only be the features'.

    By its definition the operator normalizes axis 1. An early Keras exporter put a Transpose without ``perm`` before
    and after it, so that axis 1 is the batch, which the statistics do not fit.
    """
    if result.shape[0] in call.batch.lengths:
        raise call.refuse("it normalizes the batch", "take out the Transpose before it")
    call.notes.append(
        f"{call.name}: the file normalizes [features, batch] along the batch, "
        f"which its {result.shape[0]} statistics do not fit; "
        "they are taken as the features'"
    )
    return Moved(result, call.type(), 1)


def standardized(call: Call, x: Node, axes: tuple[int, ...], epsilon: float) -> Node:
    """``(x - mean) / sqrt(variance + epsilon)`` over ``axes`` of a sample."""
    return standardization(call, x, axes, epsilon)[0]


def standardization(call: Call, x: Node, axes: tuple[int, ...], epsilon: float) -> tuple[Node, Node, Node]:
    """``(x - mean) / sqrt(variance + epsilon)`` over ``axes`` of a sample, the mean, and the inverse of the root."""
    mean = call.node(Reduce(Reduction.MEAN, axes, keep=True), x)
    centred = call.node(Sub(), x, mean)
    variance = call.node(Reduce(Reduction.MEAN, axes, keep=True), call.node(Mul(), centred, centred))
    inverse = _inverse_root(call, variance, epsilon)
    return call.node(Mul(), centred, inverse), mean, inverse


def _inverse_root(call: Call, square: Node, epsilon: float) -> Node:
    shifted = call.node(Add(), square, call.constant(np.float32(epsilon)))
    return call.node(Activation("rsqrt"), shifted)


def _per_channel(call: Call, x: Node, indices: tuple[int, int]) -> Node:
    """Scale and shift axis 0 of a sample by two constant inputs."""
    scale, bias = (call.array(i) for i in indices)
    if scale.shape != x.shape[:1] or bias.shape != x.shape[:1]:
        raise call.misfit(f"{x.shape[0]} channels, scale and bias have shapes {scale.shape} and {bias.shape}")
    return _affine(call, x, scale, bias, x)


def _affine(call: Call, x: Node, scale: NDArray, bias: NDArray, like: Node) -> Node:
    shape = (-1,) + (1,) * (len(like.shape) - 1)
    x = call.node(Mul(), x, call.constant(scale.reshape(shape), "scale"))
    return call.node(Add(), x, call.constant(bias.reshape(shape), "bias"))


@operator("InstanceNormalization")
@per_sample(0)
def instance_normalization(call: Call) -> Node:
    """Standardize each channel of each sample over space."""
    x, epsilon = call.flow(), call.attributes.real("epsilon", 1e-5)
    if len(x.shape) < 2:
        raise call.misfit("reads [batch, channels, *space]")
    return _per_channel(call, standardized(call, x, tuple(range(1, len(x.shape))), epsilon), (1, 2))


@operator("GroupNormalization")
@per_sample(0)
def group_normalization(call: Call) -> Node:
    """Standardize groups of channels; scale and bias are per group in opset 18 to 20, per channel from 21 on."""
    x, epsilon = call.flow(), call.attributes.real("epsilon", 1e-5)
    groups = call.attributes.integer("num_groups", low=1)
    call.attributes.expect("stash_type", 1, hint="statistics are computed in float32")
    if len(x.shape) < 2 or x.shape[0] % groups:
        raise call.misfit(f"{groups} groups of samples of shape {x.shape}")
    split = call.node(Reshape((groups, x.shape[0] // groups, *x.shape[1:])), x)
    even = standardized(call, split, tuple(range(1, len(split.shape))), epsilon)
    if call.opset >= 21:
        return _per_channel(call, call.node(Reshape(x.shape), even), (1, 2))
    scaled = _per_channel(call, even, (1, 2))
    return call.node(Reshape(x.shape), scaled)


def _normalized_axes(call: Call, x: Node) -> tuple[int, ...]:
    rank = len(x.shape) + call.lead
    call.attributes.expect("stash_type", 1, hint="statistics are computed in float32")
    return tuple(range(call.sample_axis(call.attributes.integer("axis", -1), rank), rank - call.lead))


def _trailing(call: Call, x: Node, i: int) -> Node:
    """Give scale or bias of a normalization over the last axes; a leading axis of length 1 is the batch's."""
    node = call.operand(i, len(x.shape) + call.lead)
    if any(n not in (1, m) for n, m in zip(node.shape[::-1], x.shape[::-1], strict=False)):
        raise call.misfit(f"input {i} of shape {node.shape} for samples of shape {x.shape}")
    return node


@operator("LayerNormalization")
def layer_normalization(call: Call) -> Results:
    """Standardize over the axes from ``axis`` on, then scale and shift."""
    x, epsilon = call.flow(), call.attributes.real("epsilon", 1e-5)
    result, mean, inverse = standardization(call, x, _normalized_axes(call, x), epsilon)
    result = call.node(Mul(), result, _trailing(call, x, 1))
    if call.optional(2) is not None:
        result = call.node(Add(), result, _trailing(call, x, 2))
    return [result, mean, inverse]


@operator("RMSNormalization")
def rms_normalization(call: Call) -> Node:
    """Divide by the root of the mean square over the axes from ``axis`` on, then scale."""
    x, epsilon = call.flow(), call.attributes.real("epsilon", 1e-5)
    square = call.node(Reduce(Reduction.MEAN, _normalized_axes(call, x), keep=True), call.node(Mul(), x, x))
    return call.node(Mul(), call.node(Mul(), x, _inverse_root(call, square, epsilon)), _trailing(call, x, 1))


@operator("Softmax")
def softmax(call: Call) -> Node:
    """Softmax along one axis; before opset 13 over all axes from ``axis`` on together."""
    x, axis = _softmax_axis(call)
    result = call.node(Softmax(axis), x)
    return result if x.shape == call.flow().shape else call.node(Reshape(call.flow().shape), result)


@operator("LogSoftmax")
def log_softmax(call: Call) -> Node:
    """``x - max - log(sum(exp(x - max)))`` along one axis; before opset 13 over all axes from ``axis`` on together."""
    x, axis = _softmax_axis(call)
    below = call.node(Sub(), x, call.node(Reduce(Reduction.MAX, (axis,), keep=True), x))
    total = call.node(Reduce(Reduction.SUM, (axis,), keep=True), call.node(Activation("exp"), below))
    result = call.node(Sub(), below, call.node(Activation("log"), total))
    return result if x.shape == call.flow().shape else call.node(Reshape(call.flow().shape), result)


def _softmax_axis(call: Call) -> tuple[Node, int]:
    """Give the tensor and the one axis of it to work along."""
    x = call.flow()
    rank = len(x.shape) + call.lead
    axis = call.sample_axis(call.attributes.integer("axis", -1 if call.opset >= 13 else 1), rank)
    if call.opset >= 13 or axis == len(x.shape) - 1:
        return x, axis
    return call.node(Reshape((*x.shape[:axis], prod(x.shape[axis:]))), x), axis


@operator("LpNormalization")
def lp_normalization(call: Call) -> Node:
    """Divide by the L1 or L2 norm along one axis; 0 where the norm is 0, which a tiny least norm gives."""
    x, p = call.flow(), call.attributes.choice("p", 1, 2, default=2)
    axis = call.sample_axis(call.attributes.integer("axis", -1), len(x.shape) + call.lead)
    size = call.node(Activation("abs"), x) if p == 1 else call.node(Mul(), x, x)
    total = call.node(Reduce(Reduction.SUM, (axis,), keep=True), size)
    above = call.node(Maximum(), total, call.constant(np.finfo(np.float32).tiny))
    return call.node(Mul(), x, call.node(Activation("reciprocal" if p == 1 else "rsqrt"), above))


@operator("LRN")
@per_sample(0)
def local_response_normalization(call: Call) -> Node:
    """Divide by a power of the mean square of the channels around; the sum is a product with a band of ones."""
    x, size = call.flow(), call.attributes.integer("size", low=1)
    alpha, beta = call.attributes.real("alpha", 1e-4), call.attributes.real("beta", 0.75)
    bias = call.attributes.real("bias", 1.0)
    if len(x.shape) < 2:
        raise call.misfit("reads [batch, channels, *space]")
    distance = np.subtract.outer(np.arange(x.shape[0]), np.arange(x.shape[0]))  # from each channel to those around
    band = (distance >= -((size - 1) // 2)) & (distance <= -(-(size - 1) // 2))
    last = channels_last(call, x)
    total = call.node(Dense(), call.node(Mul(), last, last), call.constant(band.astype(np.float32), "band"))
    share = call.node(Mul(), total, call.constant(np.float32(alpha / size)))
    scale = call.node(Add(), share, call.constant(np.float32(bias)))
    return channels_first(call, call.node(Mul(), last, call.node(Activation("power", (-beta,)), scale)))

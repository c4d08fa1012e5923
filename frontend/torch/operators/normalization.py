"""Normalizations, written out in sums and products; softmax."""

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Activation, Add, Mul, Reduce, Reduction, Softmax, Sub
from ..broadcast import sample
from ..registry import Call, Results, operator
from ..values import Absent, Flow, Known, Place

STATISTICS = Absent("the statistics of a normalization")
TRAINING = "export the model for inference: model.eval()"


@operator("_native_batch_norm_legit_no_training", "batch_norm", "native_batch_norm", "_native_batch_norm_legit")
def batch_norm(call: Call) -> Results:
    """Scale and shift each channel by the trained statistics: ``x * a + b``, ``a = weight / sqrt(var + eps)``."""
    call.arguments.ignore("momentum", "cudnn_enabled", why="only training updates the statistics")
    training = [call.arguments.boolean(k) for k in ("training", "train") if k in call.arguments]
    x = call.flow("input")
    apart = x.place is not None and x.place.axis == 1  # what instance_norm decomposes to: channels of samples in a row
    if any(training) and not apart:
        raise call.refuse("it normalizes by the statistics of the batch", TRAINING)
    x = x if apart else call.front(x)
    result = _by_own_statistics(call, x) if any(training) else _by_statistics(call, x)
    return result if call.op == "batch_norm" else [result, STATISTICS, STATISTICS]


def _by_own_statistics(call: Call, x: Flow) -> Flow:
    """Standardize each channel of each sample, where batch and channels are one axis."""
    if any(call.optional(k) is not None for k in ("running_mean", "running_var")):
        raise call.refuse("it updates running statistics", TRAINING)
    axes = tuple(call.axis(x, a) for a in range(x.rank) if a != 1)
    normal = standardized(call, x.node, axes, call.number("eps"))
    weight, bias = (_channels(call, k, x) for k in ("weight", "bias"))
    return x.on(affine(call, normal, weight, bias))


def _channels(call: Call, key: str, x: Flow) -> NDArray | None:
    """Give one number for each channel, axis 1 of the source, as it meets a sample; None where it is left out."""
    value = call.optional(key)
    if value is None:
        return None
    wide = (1, -1, *(1,) * (x.rank - 2))
    if not isinstance(value, Known) or any(v.ndim != 1 for v in value.variants):
        raise call.refuse(f"{key} is not one constant for each channel", "it must be a parameter or a buffer")
    turned = Known.of([call.real(v).reshape(wide) for v in value.variants])
    found = sample(call, turned, x.place or Place(0), x.rank, key)
    axis = 0 if x.place is None or x.place.pure else 1
    if found.ndim and found.shape[-(x.rank - 1) :][0] != x.node.shape[axis] and not (x.place and x.place.axis == 1):
        raise call.misfit(f"{key} has {found.size} numbers for {call.shape(x)}")
    return found


def _by_statistics(call: Call, x: Flow) -> Flow:
    """Normalize by the running statistics."""
    if x.rank < 2:
        raise call.misfit("reads [batch, channels, ...]")
    mean, variance, weight, bias = (_channels(call, k, x) for k in ("running_mean", "running_var", "weight", "bias"))
    if mean is None or variance is None:
        raise call.refuse("it normalizes by the statistics of the batch", "train with track_running_stats=True")
    spread = variance.astype(np.float64) + call.number("eps")
    if (spread <= 0).any():
        raise call.misfit("a variance is negative")
    a = (1.0 if weight is None else weight.astype(np.float64)) / np.sqrt(spread)
    return x.on(affine(call, x.node, a, (0.0 if bias is None else bias) - mean * a))


def affine(
    call: Call, x: Node, scale: NDArray | None, bias: NDArray | None, shape: tuple[int, ...] | None = None
) -> Node:
    """``x * scale + bias``, both constant and brought to ``shape``."""
    for value, op, key in ((scale, Mul(), "scale"), (bias, Add(), "bias")):
        if value is not None:
            wide = value if shape is None else value.reshape(shape)
            x = call.node(op, x, call.constant(wide.astype(np.float32), key))
    return x


def standardized(call: Call, x: Node, axes: tuple[int, ...], eps: float) -> Node:
    """``(x - mean) / sqrt(variance + eps)`` over axes of a sample."""
    centred = call.node(Sub(), x, call.node(Reduce(Reduction.MEAN, axes, keep=True), x))
    return _divided_by_root(call, centred, call.node(Mul(), centred, centred), axes, eps)


def _divided_by_root(call: Call, x: Node, square: Node, axes: tuple[int, ...], eps: float) -> Node:
    mean = call.node(Reduce(Reduction.MEAN, axes, keep=True), square)
    shifted = call.node(Add(), mean, call.constant(np.float32(eps))) if eps else mean
    return call.node(Mul(), x, call.node(Activation("rsqrt"), shifted))


@operator("layer_norm", "native_layer_norm")
def layer_norm(call: Call) -> Results:
    """Standardize over the last axes, then scale and shift by element."""
    call.arguments.ignore("cudnn_enable", why="it chooses between equal implementations")
    x, axes, shape = _last_axes(call)
    weight, bias = (call.optional_array(k) for k in ("weight", "bias"))
    if any(v is not None and v.shape != shape for v in (weight, bias)):
        raise call.misfit(f"weights for a shape other than {shape}")
    normal = standardized(call, x.node, axes, call.number("eps", 1e-5))
    result = x.on(affine(call, normal, weight, bias, shape))
    return result if call.op == "layer_norm" else [result, STATISTICS, STATISTICS]


def _last_axes(call: Call) -> tuple[Flow, tuple[int, ...], tuple[int, ...]]:
    x = call.flow("input")
    shape = call.sizes("normalized_shape")[0]
    rank = len(shape)
    axes = tuple(call.axis(x, a) for a in range(x.rank - rank, x.rank)) if 0 < rank <= x.rank else ()
    if not axes or tuple(x.node.shape[a] for a in axes) != shape:
        raise call.misfit(f"normalizes over {list(shape)}, got {call.shape(x)}")
    return x, axes, shape


@operator("rms_norm", "_fused_rms_norm")
def rms_norm(call: Call) -> Results:
    """Divide by the root of the mean square over the last axes, then scale by element."""
    x, axes, shape = _last_axes(call)
    weight, eps = call.optional_array("weight"), call.arguments.take("eps", None)
    if weight is not None and weight.shape != shape:
        raise call.misfit(f"weights of shape {weight.shape} for a shape {shape}")
    least = float(np.finfo(np.float32).eps) if eps is None else float(eps)
    normal = _divided_by_root(call, x.node, call.node(Mul(), x.node, x.node), axes, least)
    result = x.on(affine(call, normal, weight, None, shape))
    return result if call.op == "rms_norm" else [result, STATISTICS]


@operator("group_norm", "native_group_norm")
def group_norm(call: Call) -> Results:
    """Standardize groups of channels of each sample, then scale and shift by channel."""
    call.arguments.ignore("cudnn_enabled", "N", "C", "HxW", why="the tensor's shape says the same")
    native = call.op == "native_group_norm"
    x = call.front(call.flow("input"))
    groups, eps = call.integer("group" if native else "num_groups"), call.number("eps", 1e-5)
    return [_grouped(call, x, groups, eps), STATISTICS, STATISTICS] if native else _grouped(call, x, groups, eps)


def _grouped(call: Call, x: Flow, groups: int, eps: float) -> Flow:
    if not x.node.shape or groups < 1 or x.node.shape[0] % groups:
        raise call.misfit(f"{call.shape(x)} in {groups} groups")
    channels, *space = x.node.shape
    split = call.reshape(x.node, (groups, channels // groups, *space))
    normal = call.reshape(standardized(call, split, tuple(range(1, len(split.shape))), eps), x.node.shape)
    return x.on(_per_channel(call, normal))


def _per_channel(call: Call, x: Node) -> Node:
    weight, bias = (call.optional_array(k) for k in ("weight", "bias"))
    if any(v is not None and v.shape != x.shape[:1] for v in (weight, bias)):
        raise call.misfit(f"weights for another number of channels than {x.shape[0]}")
    return affine(call, x, weight, bias, (-1,) + (1,) * (len(x.shape) - 1))


@operator("instance_norm")
def instance_norm(call: Call) -> Results:
    """Standardize each channel of each sample over space, or by the trained statistics."""
    call.arguments.ignore("momentum", "cudnn_enabled", why="only training updates the statistics")
    x = call.front(call.flow("input"))
    if not call.arguments.boolean("use_input_stats"):
        return _by_statistics(call, x)
    call.arguments.ignore("running_mean", "running_var", why="the statistics are those of each sample")
    if len(x.node.shape) < 2:
        raise call.misfit(f"reads [batch, channels, *space], got {call.shape(x)}")
    normal = standardized(call, x.node, tuple(range(1, len(x.node.shape))), call.number("eps"))
    return x.on(_per_channel(call, normal))


def softmaxed(call: Call, x: Flow, dim: int) -> Flow:
    """``exp(x) / sum(exp(x))`` along an axis of the source."""
    return x.on(call.node(Softmax(call.axis(x, dim)), x.node))


def _softmax_type(call: Call) -> None:
    call.arguments.ignore("half_to_float", why="the result's type is the one that the program gives")
    call.arguments.expect("dtype", None, "float32", "float64", hint="export the model in float32")


@operator("softmax", "_softmax", "special_softmax", "_safe_softmax")
def softmax(call: Call) -> Results:
    """Softmax along one axis."""
    _softmax_type(call)
    return softmaxed(call, call.flow(), call.integer("dim"))


@operator("softmin")
def softmin(call: Call) -> Results:
    """Softmax of ``-x``."""
    _softmax_type(call)
    x = call.flow()
    return softmaxed(call, x.on(call.node(Mul(), x.node, call.constant(-1.0))), call.integer("dim"))


@operator("log_softmax", "_log_softmax", "special_log_softmax")
def log_softmax(call: Call) -> Results:
    """``x - max - log(sum(exp(x - max)))``."""
    _softmax_type(call)
    x = call.flow()
    axis = call.axis(x, call.integer("dim"))
    below = call.node(Sub(), x.node, call.node(Reduce(Reduction.MAX, (axis,), keep=True), x.node))
    total = call.node(Reduce(Reduction.SUM, (axis,), keep=True), call.node(Activation("exp"), below))
    return x.on(call.node(Sub(), below, call.node(Activation("log"), total)))


__all__ = ["affine", "softmaxed", "standardized"]

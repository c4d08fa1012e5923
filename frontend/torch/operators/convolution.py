"""Convolutions and their transposes over one to three axes of space, with constant weights."""

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Conv, ConvTranspose
from ..registry import Build, Call, Results, operator
from ..values import Flow
from .linear import bias_of
from .windows import Pairs, channels_last, first, spatial

Sizes = tuple[int, ...]


def _plain(rank: int) -> Build:
    def build(call: Call) -> Results:
        w = _weights(call, rank)
        strides = call.numbers("stride", rank, 1, low=1)
        dilation = call.numbers("dilation", rank, 1, low=1)
        padding = _padding(call, w.shape[2:], strides, dilation)
        return convolved(call, w, Conv(strides, padding, dilation, _groups(call)))

    return build


for _rank in (1, 2, 3):
    operator(f"conv{_rank}d")(_plain(_rank))


def _weights(call: Call, rank: int) -> NDArray:
    w = call.array("weight")
    if w.ndim != rank + 2 or not w.size:
        raise call.misfit(f"weights of shape {w.shape} for {rank} axes of space")
    return w


def _groups(call: Call) -> int:
    groups = call.integer("groups", 1)
    if groups < 1:
        raise call.arguments.refusal("groups", groups, "at least 1")
    return groups


def _padding(call: Call, kernel: Sizes, strides: Sizes, dilation: Sizes) -> Pairs:
    """Read the padding: numbers, or ``valid`` or ``same`` (the odd cell goes after the data)."""
    said = call.arguments.peek("padding", 0)
    if not isinstance(said, str):
        return tuple((p, p) for p in call.numbers("padding", len(kernel), 0, low=0))
    if call.arguments.choice("padding", "valid", "same") == "valid":
        return ((0, 0),) * len(kernel)
    if any(s != 1 for s in strides):
        raise call.misfit("padding 'same' with strides")
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return tuple((t // 2, t - t // 2) for t in totals)


def convolved(call: Call, w: NDArray, op: Conv) -> Flow:
    """Convolve; weights [filters, channels / groups, *kernel]."""
    x = spatial(call, call.flow("input"), len(op.strides))
    channels = x.node.shape[0]
    if w.shape[1] * op.groups != channels or w.shape[0] % op.groups:
        raise call.misfit(f"weights of shape {w.shape} in {op.groups} groups for {channels} channels")
    last, weights = channels_last(call, x.node), call.weights(call.value("weight"), "weight", _kernel_first)
    return first(call, call.node(op, last, weights, *_biases(call, last, weights, w.shape[0])))


def _kernel_first(w: NDArray) -> NDArray:
    """[a, b, *kernel] -> [*kernel, b, a]."""
    return np.moveaxis(w, (0, 1), (-1, -2))


def _biases(call: Call, x: Node, weights: Node, filters: int) -> tuple[Node, ...]:
    bias = call.optional_array("bias")
    if bias is None:
        return ()
    if bias.shape != (filters,):
        raise call.misfit(f"a bias of shape {bias.shape} for {filters} filters")
    if filters != weights.shape[-1]:  # transposed: one scale serves no output
        return (call.constant(bias, "bias"),)
    return (bias_of(call, bias, x, weights),)


def _transposed(rank: int) -> Build:
    return lambda call: convolved_transposed(call, _weights(call, rank))


for _rank in (1, 2, 3):
    operator(f"conv_transpose{_rank}d")(_transposed(_rank))


def convolved_transposed(call: Call, w: NDArray) -> Flow:
    """Convolve transposed; weights [channels, filters / groups, *kernel]."""
    rank = w.ndim - 2
    x, groups = spatial(call, call.flow("input"), rank), _groups(call)
    strides = call.numbers("stride", rank, 1, low=1)
    dilation = call.numbers("dilation", rank, 1, low=1)
    padding = call.numbers("padding", rank, 0, low=0)
    extra = call.numbers("output_padding", rank, 0, low=0)
    if w.shape[0] != x.node.shape[0] or w.shape[0] % groups:
        raise call.misfit(f"weights of shape {w.shape} in {groups} groups for {x.node.shape[0]} channels")
    crop = tuple((p, max(p - e, 0)) for p, e in zip(padding, extra, strict=True))
    more = tuple(max(e - p, 0) for p, e in zip(padding, extra, strict=True))
    op = ConvTranspose(strides, crop, more, dilation, groups)
    last, weights = channels_last(call, x.node), call.weights(call.value("weight"), "weight", _kernel_first)
    return first(call, call.node(op, last, weights, *_biases(call, last, weights, w.shape[1] * groups)))


@operator("convolution", "_convolution")
def convolution(call: Call) -> Results:
    """A convolution or its transpose, of any number of axes."""
    call.arguments.ignore(
        "benchmark", "deterministic", "cudnn_enabled", "allow_tf32", why="they choose between equal implementations"
    )
    w = call.array("weight")
    if w.ndim not in (3, 4, 5) or not w.size:
        raise call.misfit(f"weights of shape {w.shape}")
    if call.arguments.boolean("transposed"):
        return convolved_transposed(call, w)
    rank = w.ndim - 2
    if any(call.numbers("output_padding", rank, 0)):
        raise call.misfit("output_padding of a convolution that is not transposed")
    strides = call.numbers("stride", rank, 1, low=1)
    dilation = call.numbers("dilation", rank, 1, low=1)
    return convolved(call, w, Conv(strides, _padding(call, w.shape[2:], strides, dilation), dilation, _groups(call)))

"""Convolutions and fully connected layers.

Kernels: ``conv.cc``, ``depthwise_conv.cc``, ``fully_connected.cc`` with ``reference/integer_ops/{conv,depthwise_conv,
fully_connected}.h``. Of int8, the accumulator has 32 bits; of int16, it has the
bits of the bias, 64 where there is none, and is rescaled by 16 bits of the multiplier where it has 64.
"""

from collections.abc import Callable

import numpy as np

from ....graph import Affine, Grid, NDArray, Node
from ....graph.arrays import as_array
from ....graph.ops import Constant, Conv, Dense, Scaling
from ...padding import same_padding
from ..arithmetic import clamp_range, float_activation, rescaled, scale_of
from ..registry import Call, operator

Axes = tuple[int, ...]
LONGEST = 1 << 16
"""No window, stride or dilation may be larger."""
WEIGHTS = {"INT8": ("INT8", "INT4"), "UINT8": ("UINT8",), "INT16": ("INT8", "INT4")}
"""Types of weights by that of the activations."""


@operator("CONV_2D", versions=8)
def conv_2d(call: Call) -> Node:
    """Filters [filters, height, width, channels / groups]."""
    x, lead = pictures(call)
    weights = call.array(1)
    channels = x.shape[-1]
    if weights.ndim != 4 or not weights.shape[3] or channels % weights.shape[3]:
        raise call.misfit(f"filters of shape {weights.shape} on {call.info(0).shape}")
    op = _conv(call, x, lead, weights.shape[1:3], channels // weights.shape[3])
    return weighted(call, x, (1, 2, 3, 0), 0, lambda u, w, *b: call.node(op, u, _led(call, w, lead), *b))


@operator("DEPTHWISE_CONV_2D", versions=6)
def depthwise_conv_2d(call: Call) -> Node:
    """Filters [1, height, width, channels * multiplier]: channel c is read by filters c * multiplier and on."""
    x, lead = pictures(call)
    weights = call.array(1)
    channels = x.shape[-1]
    if weights.ndim != 4 or weights.shape[0] != 1 or weights.shape[3] % channels:
        raise call.misfit(f"filters of shape {weights.shape} on {call.info(0).shape}")
    said = call.attributes.integer("depth_multiplier", 0)
    if said not in (0, weights.shape[3] // channels):
        raise call.misfit(f"depth_multiplier is {said}, filters of shape {weights.shape} read {channels} channels")
    op = _conv(call, x, lead, weights.shape[1:3], channels)
    return weighted(call, x, (1, 2, 0, 3), 3, lambda u, w, *b: call.node(op, u, _led(call, w, lead), *b))


@operator("CONV_3D", versions=1)
def conv_3d(call: Call) -> Node:
    """Filters [depth, height, width, channels, filters], of floats."""
    x, weights = call.flow(0), call.array(1)
    if len(x.shape) != 4 or weights.ndim != 5 or weights.shape[3] != x.shape[3]:
        raise call.misfit(f"filters of shape {weights.shape} on {call.info(0).shape}")
    if call.info(0).type != "FLOAT32":
        raise call.refuse(f"type {call.info(0).type}", "float32 is supported")
    op = Conv(*window(call, x.shape[:3], weights.shape[:3], names="dhw"))
    return weighted(call, x, (0, 1, 2, 3, 4), 4, lambda u, *v: call.node(op, u, *v))


def pictures(call: Call) -> tuple[Node, int]:
    """Give input 0 as [height, width, channels], and 0; or, where the batch of 1 has become pictures of a sample (by
    SPACE_TO_BATCH_ND, by a reshape), as [pictures, height, width, channels], and 1.
    """
    info = call.info(0)
    if len(info.shape) != 4:
        raise call.misfit(f"reads [batch, height, width, channels], got {info.shape}")
    if call.batch == 1 and info.shape[0] != 1:
        return call.whole(0), 1
    return call.flow(0), 0


def _conv(call: Call, x: Node, lead: int, kernel: Axes, groups: int) -> Conv:
    strides, padding, dilation = window(call, x.shape[lead : lead + 2], kernel)
    ones = (1,) * lead
    return Conv((*ones, *strides), (*((0, 0),) * lead, *padding), (*ones, *dilation), groups)


def _led(call: Call, weights: Node, lead: int) -> Node:
    """Give a kernel the axis of pictures too, along which it is 1 long."""
    if not lead:
        return weights
    assert isinstance(weights.op, Constant)
    return call.stored(weights.op.value.data[None], weights.op.format, "weight")


def window(
    call: Call, space: Axes, kernel: Axes, *, dilated: bool = True, names: str = "hw"
) -> tuple[Axes, tuple[tuple[int, int], ...], Axes]:
    """Read strides, padding and dilation of a window over ``space``."""
    attributes = call.attributes
    strides = tuple(attributes.integer(f"stride_{n}", low=1) for n in names)
    dilation = tuple(attributes.integer(f"dilation_{n}_factor", low=1) if dilated else 1 for n in names)
    if max(*kernel, *strides, *dilation) > LONGEST:
        raise call.misfit(f"a window of {kernel}, strides {strides}, dilation {dilation}")
    padding = attributes.choice("padding", 0, 1)
    if padding:  # VALID
        return strides, ((0, 0),) * len(space), dilation
    reach = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    return strides, tuple(same_padding(n, r, s) for n, r, s in zip(space, reach, strides, strict=True)), dilation


@operator("FULLY_CONNECTED", versions=14)
def fully_connected(call: Call) -> Node:
    """Weights [units, depth]; the input is read as rows of ``depth`` whatever its axes are."""
    attributes = call.attributes
    attributes.choice("weights_format", 0, hint="shuffled weights are of one phone's kernels; convert again")
    attributes.ignore("asymmetric_quantize_inputs", why="only hybrid kernels read it, and those are refused")
    keep = attributes.boolean("keep_num_dims", False)
    info, weights = call.info(0), call.array(1)
    if weights.ndim != 2 or not info.shape:
        raise call.misfit(f"weights of shape {weights.shape} on {info.shape}")
    depth, units = weights.shape[1], weights.shape[0]
    x = call.operand(0)
    if keep and info.shape[-1] != depth:
        raise call.misfit(f"weights of shape {weights.shape} on {info.shape}")
    if keep or (len(info.shape) == 2 and info.shape[1] == depth):
        x = x if x.shape else call.reshaped(x, (1,))
        y = weighted(call, x, (1, 0), 0, lambda u, *v: call.node(Dense(), u, *v))
        return call.reshaped(y, call.inside((*info.shape[:-1], units)))
    rows = int(np.prod(info.shape)) // depth
    if call.batch != 1 and (rows != call.batch or info.shape[0] != call.batch):
        raise call.refuse(f"rows of {depth} of shape {info.shape} mix the batch of {call.batch}", "use a batch of 1")
    x = call.reshaped(x, call.inside((rows, depth)))
    return weighted(call, x, (1, 0), 0, lambda u, *v: call.node(Dense(), u, *v))


def weighted(call: Call, x: Node, order: Axes, channel: int, product: Callable[..., Node]) -> Node:
    """``product(x, weights[, bias])`` and the fused activation, in floating point or as the kernels do it in integers.

    ``order`` brings the weights to the graph's axes; ``channel`` is the file's axis of the results' channels.
    """
    info, filters, result = call.info(0), call.info(1), call.result
    activation = call.activation()
    bias_type = call.attributes.integer("quantized_bias_type", 0)
    call.has(2)
    if info.type == "FLOAT32":
        return _in_floats(call, x, order, product, activation)
    if result.type != info.type or filters.type not in WEIGHTS.get(info.type, ()):
        what = f"weights of {filters.type} on {info.type}, giving {result.type}"
        raise call.refuse(what, "int8, uint8 and int16 activations with weights of 8 bits are supported")
    scale_of(call, info)
    if info.type == "INT16" and (info.zero_point or result.zero_point):
        raise call.refuse("int16 activations with a zero point", "the kernels want them symmetric")
    weights = _weights(call, order, channel)
    bias, wide = _bias(call, weights, bias_type)
    y = product(x, weights, *bias)
    if not y.type.is_integer:
        raise call.refuse(f"no exact product: {getattr(y.type.format, 'note', '')}", "use fewer bits")
    factors = [info.scale * s / scale_of(call, result) for s in filters.scales]
    clamp = clamp_range(call, activation, result)
    return rescaled(call, y, factors, result, clamp, _scaling(call, y, wide))


def _scaling(call: Call, y: Node, wide: bool) -> Scaling:
    """Fully connected layers multiply in float64, convolutions by an integer; accumulators must not wrap."""
    low, high = (int(pick(v)) for pick, v in zip((np.min, np.max), y.type.interval, strict=True))
    if not wide and not -(2**31) <= low <= high < 2**31:
        raise call.refuse(f"sums of {low} to {high} could wrap in 32 bits", "use fewer inputs to a sum, or int16")
    if call.op == "FULLY_CONNECTED":
        return Scaling.REAL
    return Scaling.REDUCED if wide else Scaling.DOUBLE


def _in_floats(call: Call, x: Node, order: Axes, product: Callable[..., Node], activation: str) -> Node:
    for i in (1, 2):
        if call.has(i) and call.info(i).type != "FLOAT32":
            what = f"input {i} of {call.info(i).type} with float activations (a hybrid kernel)"
            hint = "it quantizes each sample by its own range; convert with a representative dataset, or in float"
            raise call.refuse(what, hint)
    if call.result.type != "FLOAT32":
        raise call.refuse(f"float activations giving {call.result.type}")
    weights = call.stored(call.array(1).transpose(order), call.info(1).format, "weight")
    bias = [call.real(call.array(2).ravel(), "bias")] if call.has(2) else []
    return float_activation(call, product(x, weights, *bias), activation)


def _weights(call: Call, order: Axes, channel: int) -> Node:
    """Give quantized weights in the graph's axes, one scale a channel of the results at most."""
    info, values = call.info(1), call.array(1)
    if len(info.scales) > 1 and info.axis != channel:
        raise call.refuse(f"weights have scales along axis {info.axis}", f"the kernels want axis {channel}")
    per_tensor_zero = info.type == "UINT8" or (call.op == "FULLY_CONNECTED" and len(info.scales) == 1)
    if any(info.zero_points) and not per_tensor_zero:
        raise call.refuse("weights have a zero point", "the kernels of int8 leave it out; weights are symmetric there")
    format = info.format
    if not isinstance(format, Affine):
        raise call.refuse("weights have no scale")
    moved = format.map(values.shape, lambda v: v.transpose(order))
    return call.stored(values.transpose(order), moved, "weight")


def _bias(call: Call, weights: Node, bias_type: int) -> tuple[list[Node], bool]:
    """Give the bias in units of the accumulator, as the kernels add it, and whether the accumulator has 64 bits."""
    kind = call.info(0).type
    said = {0: None, 2: "INT32", 4: "INT64"}.get(bias_type, "")
    if said == "" or (said and kind != "INT16"):
        raise call.attributes.refusal("quantized_bias_type", bias_type, "INT32 or INT64, for int16 activations")
    given = call.info(2).type if call.has(2) else None
    if given is not None and (given not in ("INT32", "INT64") or (given == "INT64" and kind != "INT16")):
        raise call.refuse(f"a bias of {given} for activations of {kind}")
    if given == "INT32" and kind == "INT16" and said is None:
        raise call.refuse("an INT32 bias that quantized_bias_type does not name", "the kernel reads it as INT64")
    if said and given and said != given:
        raise call.misfit(f"the bias is {given}, quantized_bias_type says {said}")
    if kind == "INT16" and "INT4" in (call.info(1).type,) and call.op == "DEPTHWISE_CONV_2D":
        raise call.refuse("int4 weights of an int16 depthwise convolution", "the kernel reads them as int8")
    wide = kind == "INT16" and (given or said or "INT64") == "INT64"
    if given is None:
        return [], wide
    if any(call.info(2).zero_points):
        raise call.refuse("the bias has a zero point", "the kernels want none")
    scale = as_array(call.operand(0).type.quantized.scale) * as_array(weights.type.quantized.scale)
    units = Grid.of(np.asarray(scale, dtype=object))
    values: NDArray = call.array(2).ravel()
    format = Affine(64 if given == "INT64" else 32, True, units)  # type: ignore[arg-type]
    return [call.stored(values, format, "bias")], wide

"""Which operations hls4ml's own layers compute exactly, and how they are asked for.

Each rule was decided by comparing the C simulation with ``evaluate`` over drawn shapes and formats, in io_parallel
and io_stream. A
rule returns None for what is not exact there or does not exist; a kernel of ours then does it (``kernels/``).
"""

from collections.abc import Sequence

import numpy as np

from ...graph import Affine, Fixed
from ...graph.ops import Add, Conv, Dense, Maximum, MaxPool, Minimum, Mul, Relu, Reshape, Sub
from .kernel import carrier, is_plain
from .layers import HlsType, Layer, Request, Wire, native, type_of
from .linear import Linear, linear, widened

MERGES = {Add: "add", Sub: "subtract", Mul: "multiply", Maximum: "maximum", Minimum: "minimum"}


@native(Dense)
def _(request: Request) -> tuple[Layer, ...] | None:
    """A vector: Dense. More axes: a convolution of width 1 over the others, joined into one."""
    found = linear(request.node)
    (x,) = request.inputs
    if found is None:
        return None
    if len(x.shape) == 1:
        return (_dense(request, x, request.result, found),)
    n_in, n_out = found.matrix.integers.shape
    rows = int(np.prod(x.shape[:-1]))
    flat = request.helper("rows", (rows, n_in), x.type)
    product = request.helper("product", (rows, n_out), request.result.type)
    last = product if len(x.shape) > 2 else request.result
    conv = _conv1d(request, flat if len(x.shape) > 2 else x, last, found, (1, (0, 0), 1))
    if len(x.shape) == 2:
        return (conv,)
    return (_reshape(x, flat, request), conv, _reshape(product, request.result, request))


def _dense(request: Request, x: Wire, y: Wire, found: Linear) -> Layer:
    n_in, n_out = found.matrix.integers.shape
    return Layer("Dense", (x,), (y,), {"n_in": n_in, "n_out": n_out, **_data(found)}, _types(found, y), (n_in, n_out))


def _data(found: Linear) -> dict[str, object]:
    return {"data_format": "channels_last", "weight_data": found.matrix.reals, "bias_data": found.bias.reals}


def _types(found: Linear, y: Wire) -> dict[str, HlsType]:
    """The accumulator gets guard bits where rounding drops more digits than it has: the vendor's types assert on
    that.
    """
    spare = max(0, found.accumulator.fraction - y.type.fraction + 1 - found.accumulator.width)
    accumulator = widened(found.accumulator, spare)
    return {"weight": found.matrix.type, "bias": found.bias.type, "accum": accumulator}


@native(Conv)
def _(request: Request) -> tuple[Layer, ...] | None:
    """One or two spatial axes, without groups and dilation."""
    op = request.node.op
    assert isinstance(op, Conv)
    if op.groups != 1 or len(op.strides) > 2 or any(d != 1 for d in op.dilation):
        return None
    found = linear(request.node, padded=any(p != (0, 0) for p in op.padding))
    if found is None or _stream_skips(request, found.matrix.integers.shape[:-2], op.strides):
        return None
    (x,) = request.inputs
    if len(op.strides) == 1:
        kernel = found.matrix.integers.shape[0]
        if request.stream and op.padding[0] != (0, 0):
            padded = _padded1d(request, x, op.padding[0])
            inner = _conv1d(request, padded.output, request.result, found, (kernel, (0, 0), op.strides[0]))
            return padded, inner
        return (_conv1d(request, x, request.result, found, (kernel, op.padding[0], op.strides[0])),)
    return (_conv2d(request, x, found, op),)


def _stream_skips(request: Request, kernel: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether windows leave gaps between them: hls4ml's line buffers do not skip."""
    return request.stream and any(s > k for s, k in zip(strides, kernel, strict=True))


def _padded1d(request: Request, x: Wire, padding: tuple[int, int]) -> Layer:
    """Zeros around a sequence. hls4ml would put them there itself, and connects them wrongly behind a fork."""
    width = x.shape[0] + sum(padding)
    attributes = {
        "data_format": "channels_last", "in_width": x.shape[0], "out_width": width, "n_chan": x.shape[1],
        "pad_left": padding[0], "pad_right": padding[1],
    }  # fmt: skip
    return Layer("ZeroPadding1D", (x,), (request.helper("padded", (width, x.shape[1]), x.type),), attributes)


def _conv1d(request: Request, x: Wire, y: Wire, found: Linear, window: tuple[int, tuple[int, int], int]) -> Layer:
    kernel, padding, stride = window
    matrix = found.matrix
    n_in, n_out = matrix.integers.shape[-2:]
    data = _data(found) | {"weight_data": matrix.reals.reshape(kernel, n_in, n_out)}
    attributes = {
        "in_width": x.shape[0], "out_width": y.shape[0], "n_chan": n_in, "n_filt": n_out, "filt_width": kernel,
        "stride_width": stride, "pad_left": padding[0], "pad_right": padding[1], **data,
    }  # fmt: skip
    return Layer("Conv1D", (x,), (y,), attributes, _types(found, y), (kernel * n_in, n_out))


def _conv2d(request: Request, x: Wire, found: Linear, op: Conv) -> Layer:
    y = request.result
    high, wide, n_in, n_out = found.matrix.integers.shape
    (top, bottom), (left, right) = op.padding
    attributes = {
        "in_height": x.shape[0], "in_width": x.shape[1], "out_height": y.shape[0], "out_width": y.shape[1],
        "n_chan": n_in, "n_filt": n_out, "filt_height": high, "filt_width": wide,
        "stride_height": op.strides[0], "stride_width": op.strides[1],
        "pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right, **_data(found),
    }  # fmt: skip
    return Layer("Conv2D", (x,), (y,), attributes, _types(found, y), (high * wide * n_in, n_out))


@native(Relu)
def _(request: Request) -> tuple[Layer, ...] | None:
    """``x > 0 ? x : 0`` assigned to the result's type; x must be carried with 0 as its zero, and in the result's units:
    a scale that is a power of two makes fixed point of plain integers.
    """
    (x,) = request.inputs
    format = request.node.inputs[0].type.format
    if isinstance(format, Affine) and (format.zero_point != 0 or isinstance(request.node.type.format, Fixed)):
        return None
    if not _can_round(x.type, request.result.type):
        return None
    return (Layer("Activation", (x,), (request.result,), {"activation": "relu", "n_in": int(np.prod(x.shape))}),)


def _can_round(source: HlsType, target: HlsType) -> bool:
    """Whether some digit of the source is left after rounding: the vendor's types assert on it."""
    return source.fraction - target.fraction < source.width


@native(Add, Sub, Mul, Maximum, Minimum)
def _(request: Request) -> tuple[Layer, ...] | None:
    """Two tensors of one shape: computed in full width, then assigned to the result's type."""
    node = request.node
    if len(request.inputs) != 2 or any(x.shape != request.result.shape for x in request.inputs):
        return None
    if not all(isinstance(i.type.format, Fixed) for i in node.inputs) or not isinstance(node.type.format, Fixed):
        return None
    first, second = (x.type for x in request.inputs)
    extreme = isinstance(node.op, (Maximum, Minimum))
    if extreme and (first.format != second.format or not is_plain(node.type)):
        return None
    if not _can_round(type_of(node.type), request.result.type):
        return None
    attributes = {"op": MERGES[type(node.op)], "output_shape": list(request.result.shape)}
    return (Layer("Merge", request.inputs, (request.result,), attributes),)


@native(MaxPool)
def _(request: Request) -> tuple[Layer, ...] | None:
    """One or two spatial axes, whole windows without padding or dilation."""
    op, (x,) = request.node.op, request.inputs
    assert isinstance(op, MaxPool)
    plain = all(d == 1 for d in op.dilation) and all(p == (0, 0) for p in op.padding)
    if not plain or len(op.window) > 2 or carrier(request.node.type) != x.type.format:
        return None
    if request.stream and op.window != op.strides:
        return None
    y = request.result
    zero = dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    if len(op.window) == 1:
        attributes = {
            "n_in": x.shape[0], "n_out": y.shape[0], "n_filt": x.shape[1], "pool_width": op.window[0],
            "stride_width": op.strides[0],
        }  # fmt: skip
    else:
        attributes = {
            "in_height": x.shape[0], "in_width": x.shape[1], "out_height": y.shape[0], "out_width": y.shape[1],
            "n_filt": x.shape[2], "pool_height": op.window[0], "pool_width": op.window[1],
            "stride_height": op.strides[0], "stride_width": op.strides[1],
        }  # fmt: skip
    kind = f"MaxPooling{len(op.window)}D"
    return (Layer(kind, (x,), (y,), {"data_format": "channels_last", **zero, **attributes}, {"accum": y.type}),)


@native(Reshape)
def _(request: Request) -> tuple[Layer, ...] | None:
    """Arrays: another name for the same memory, so with a quantizer merged it has to be one that changes no number.
    Streams: packs of another size, of which one must divide the other.
    """
    (x,) = request.inputs
    if not request.stream and x.type.format != request.result.type.format:
        return None
    sizes = sorted((x.shape[-1], request.result.shape[-1]))
    if request.stream and sizes[1] % sizes[0]:
        return None
    return (_reshape(x, request.result, request),)


def _reshape(x: Wire, y: Wire, request: Request) -> Layer:
    kind = "Repack" if request.stream else "Reshape"
    return Layer(kind, (x,), (y,), {"target_shape": list(y.shape)})

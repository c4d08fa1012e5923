"""Transposed convolutions. Output lengths as in backend/common/backend_utils.py of Keras 3, conv_utils of tf-keras."""

from ....graph import Node, ShapeError
from ....graph.ops import ConvTranspose
from ..registry import Dialect, Layer, Weight, layer
from .activations import activate
from .common import single, spatial
from .convolution import BIAS, bias, rank_of


@layer("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", weights=(Weight("kernel"), BIAS))
def transposed(layer: Layer, inputs: list[Node]) -> Node:
    """Import a transposed convolution with strides, dilation, output padding."""
    rank = rank_of(layer)
    layer.config.expect("groups", 1, hint="Keras itself does not use it here")
    return activate(layer, spatial(layer, single(layer, inputs), rank, lambda x: _transposed(layer, x, rank)))


def _transposed(layer: Layer, x: Node, rank: int) -> Node:
    config = layer.config
    filters, kernel = config.integer("filters", low=1), config.integers("kernel_size", rank, low=1)
    strides = config.integers("strides", rank, 1, low=1)
    dilation = config.integers("dilation_rate", rank, 1, low=1)
    extra = config.take("output_padding", None)
    extras = (None,) * rank if extra is None else config.integers("output_padding", rank, low=0)
    same = config.choice("padding", "valid", "same", default="valid") == "same"
    if max(dilation) > 1 and (max(strides) > 1 or layer.dialect is Dialect.TF_KERAS):
        raise config.refusal("dilation_rate", list(dilation), "use a dilation of 1 in a transposed convolution")
    crop, tail = [], []
    for n, k, s, d, e in zip(x.shape, kernel, strides, dilation, extras, strict=False):
        low, high, behind = _crop(layer, n, (k - 1) * d + 1, s, e, same)
        crop.append((low, high))
        tail.append(behind)
    weights = layer.parameter("kernel", (*kernel, filters, x.shape[-1]))
    return layer.node(ConvTranspose(strides, tuple(crop), tuple(tail), dilation), x, weights, *bias(layer, filters))


def _crop(layer: Layer, n: int, k: int, s: int, extra: int | None, same: bool) -> tuple[int, int, int]:
    """Give what is cut before and after the full result, and how many zeros stand behind it; ``k`` counts dilation.

    It is the gradient of a convolution with padding ``same`` or ``valid`` that reads the output, so the forward
    convolution's padding is what is cut.
    """
    full = (n - 1) * s + k
    length = output_length(layer, n, k, s, extra, same)
    forward = -(-length // s) if same else (length - k) // s + 1
    if length < 1 or forward != n:
        what = f"an output of length {length} from {n} does not fit stride {s} and kernel {k}"
        raise ShapeError(what, where=layer.place, hint="TensorFlow refuses it, too; change output_padding")
    low = max(full - length, 0) // 2 if same else 0
    return low, max(full - length - low, 0), max(length - full, 0)


def output_length(layer: Layer, n: int, k: int, s: int, extra: int | None, same: bool) -> int:
    """Give the length of the output along one axis."""
    if extra is None:
        return n * s if same else (n - 1) * s + max(k, s)
    if not same:
        return (n - 1) * s + k + extra
    middle = k % 2 if layer.dialect is Dialect.KERAS3 else k - 2 * (k // 2)
    return (n - 1) * s + middle + extra

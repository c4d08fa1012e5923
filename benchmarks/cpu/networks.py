"""The benchmark's networks: published shapes with drawn weights."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from .build import Builder, Value

RESIDUAL = 0.25
"""Variance of what a residual branch adds, so that sums of many stay in range."""


def jet(b: Builder) -> Value:
    """The jet tagger of hls4ml (Duarte et al. 2018): 16-64-32-32-5."""
    x = b.input(1, 16)
    for units in (64, 32, 32):
        x = b.dense(x, units, "relu")
    return b.softmax(b.dense(x, 5))


def autoencoder(b: Builder) -> Value:
    """Anomaly detection of MLPerf Tiny: 640-128x4-8-128x4-640."""
    x = b.input(1, 640)
    for units in (*(128,) * 4, 8, *(128,) * 4):
        x = b.dense(x, units, "relu")
    return b.dense(x, 640)


def ds_cnn(b: Builder) -> Value:
    """Keyword spotting of MLPerf Tiny on 49 frames of 10 coefficients."""
    x = b.conv(b.input(1, 1, 49, 10), 64, (10, 4), 2, act="relu")
    for _ in range(4):
        x = b.conv(x, 64, 3, depthwise=True, act="relu")
        x = b.conv(x, 64, 1, act="relu")
    return b.softmax(b.dense(b.pool(x), 12))


def resnet8(b: Builder) -> Value:
    """Image classification of MLPerf Tiny on 32x32x3."""
    x = b.conv(b.input(1, 3, 32, 32), 16, 3, act="relu")
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = b.conv(b.conv(x, filters, 3, stride, act="relu"), filters, 3)
        x = b.conv(x, filters, 1, stride) if stride > 1 else x
        x = b.activation(b.add(x, y), "relu")
    return b.softmax(b.dense(b.pool(x), 10))


def mobilenet_v1(b: Builder) -> Value:
    """Visual wake words of MLPerf Tiny: MobileNetV1, a quarter of the filters, on 96x96x3."""
    x = b.conv(b.input(1, 3, 96, 96), 8, 3, 2, act="relu")
    blocks = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for filters, stride in blocks:
        x = b.conv(x, x.shape[1], 3, stride, depthwise=True, act="relu")
        x = b.conv(x, filters, 1, act="relu")
    return b.softmax(b.dense(b.pool(x), 2))


def mobilenet_v2(b: Builder, width: float, size: int, classes: int) -> Value:
    """MobileNetV2 (Sandler et al. 2018, table 2), padded as torchvision does."""
    x = b.conv(b.input(1, 3, size, size), divisible(32 * width), 3, 2, act="relu6", pads=1)
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, filters, repeats, stride in rows:
        for i in range(repeats):
            x = inverted_residual(b, x, expansion, divisible(filters * width), 1 if i else stride)
    x = b.conv(x, 1280, 1, act="relu6", pads=0)
    return b.dense(b.pool(x), classes)


def inverted_residual(b: Builder, x: Value, expansion: int, filters: int, stride: int) -> Value:
    """Widen, filter each channel, narrow; added to the input where the shapes are the same."""
    channels = x.shape[1]
    y = b.conv(x, channels * expansion, 1, act="relu6", pads=0) if expansion > 1 else x
    y = b.conv(y, channels * expansion, 3, stride, depthwise=True, act="relu6", pads=1)
    if stride == 1 and filters == channels:
        return b.add(x, b.conv(y, filters, 1, pads=0, gain=RESIDUAL))
    return b.conv(y, filters, 1, pads=0)


def divisible(filters: float, divisor: int = 8) -> int:
    """Round to a multiple, not below nine tenths (MobileNetV2's reference code)."""
    near = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return near if near >= 0.9 * filters else near + divisor


def espcn(b: Builder) -> Value:
    """Super-resolution by 3 of 128x128 luminance (Shi et al. 2016), with ReLU."""
    x = b.conv(b.input(1, 1, 128, 128), 64, 5, act="relu")
    x = b.conv(x, 32, 3, act="relu")
    return b.depth_to_space(b.conv(x, 9, 3), 3)


def split_heads(b: Builder, qkv: Value, heads: int) -> list[Value]:
    """Query, key and value [batch, heads, token, depth] of one product [batch, token, 3 x heads x depth]."""
    batch, tokens, width = qkv.shape
    parts = b.transpose(b.reshape(qkv, batch, tokens, 3, heads, width // 3 // heads), 2, 0, 3, 1, 4)
    return [b.pick(parts, i, 0) for i in range(3)]


def attention(b: Builder, x: Value, heads: int, bias: NDArray[Any] | None = None, mask: Any = None) -> Value:
    """Self-attention as PyTorch's vision models write it; a bias of positions, and a mask of windows."""
    batch, tokens, width = x.shape
    q, k, v = split_heads(b, b.dense(x, 3 * width), heads)
    q = b.op("Mul", [q, np.float32((width // heads) ** -0.5)], q.shape)
    scores = b.op("MatMul", [q, b.transpose(k, 0, 1, 3, 2)], [batch, heads, tokens, tokens])
    if bias is not None:
        scores = b.add(scores, bias)
    if mask is not None:
        apart = b.add(b.reshape(scores, 1, *scores.shape), mask)
        scores = b.reshape(apart, *scores.shape)
    mixed = b.op("MatMul", [b.softmax(scores), v], v.shape)
    return b.dense(b.reshape(b.transpose(mixed, 0, 2, 1, 3), *x.shape), width, gain=RESIDUAL)


def mlp(b: Builder, x: Value, ratio: int) -> Value:
    """Two dense layers with GELU between them."""
    return b.dense(b.dense(x, x.shape[-1] * ratio, "gelu"), x.shape[-1], gain=RESIDUAL)


def vit_tiny(b: Builder) -> Value:
    """ViT-Tiny on 224x224 in patches of 16 (Touvron et al. 2021: 192 wide, 12 blocks, 3 heads)."""
    x = b.conv(b.input(1, 3, 224, 224), 192, 16, 16, pads=0)
    x = b.transpose(b.reshape(x, 1, 192, 196), 0, 2, 1)
    start = b.constant(b.bias(1, 1, 192))
    x = b.op("Concat", [Value(start, (1, 1, 192)), x], [1, 197, 192], axis=1)
    x = b.add(x, b.bias(1, 197, 192))
    for _ in range(12):
        x = b.add(x, attention(b, b.norm(x), 3))
        x = b.add(x, mlp(b, b.norm(x), 4))
    return b.dense(b.pick(b.norm(x), 0, 1), 1000)


def convnext_atto(b: Builder) -> Value:
    """ConvNeXt-atto on 224x224 (Wightman's sizes of Liu et al. 2022: 2-2-6-2 blocks, 40-80-160-320 wide)."""
    x = channels_norm(b, b.conv(b.input(1, 3, 224, 224), 40, 4, 4, pads=0))
    for stage, (blocks, width) in enumerate(((2, 40), (2, 80), (6, 160), (2, 320))):
        if stage:
            x = b.conv(channels_norm(b, x), width, 2, 2, pads=0)
        for _ in range(blocks):
            y = b.transpose(b.conv(x, width, 7, depthwise=True, pads=3), 0, 2, 3, 1)
            y = mlp(b, b.norm(y), 4)
            y = b.op("Mul", [y, 1 + b.bias(width)], y.shape)
            x = b.add(x, b.transpose(y, 0, 3, 1, 2))
    return b.dense(b.norm(b.pool(x)), 1000)


def channels_norm(b: Builder, x: Value) -> Value:
    """Layer normalization of the channels, which are put last for it."""
    return b.transpose(b.norm(b.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)


def bert_mini(b: Builder) -> Value:
    """A BERT encoder 256 wide with 12 layers and 4 heads on 128 tokens, in BERT's vocabulary of 30,522 pieces."""
    tokens = b.input(1, 128, dtype=TensorProto.INT64)
    table = Value(b.constant(b.weights(30522, 256, fan_in=1)), (30522, 256))
    x = b.op("Gather", [table, tokens], [1, 128, 256], axis=0)
    x = b.norm(b.add(x, b.bias(1, 128, 256)), 1e-12)
    for _ in range(12):
        x = b.norm(b.add(x, separate_attention(b, x, 4)), 1e-12)
        x = b.norm(b.add(x, mlp(b, x, 4)), 1e-12)
    return x


def separate_attention(b: Builder, x: Value, heads: int) -> Value:
    """Self-attention as BERT writes it: a product each for query, key and value."""
    batch, tokens, width = x.shape
    depth = width // heads

    def head(*axes: int) -> Value:
        return b.transpose(b.reshape(b.dense(x, width), batch, tokens, heads, depth), *axes)

    q, k, v = head(0, 2, 1, 3), head(0, 2, 3, 1), head(0, 2, 1, 3)
    scores = b.op("MatMul", [q, k], [batch, heads, tokens, tokens])
    scores = b.op("Div", [scores, np.float32(math.sqrt(depth))], scores.shape)
    mixed = b.op("MatMul", [b.softmax(scores), v], v.shape)
    return b.dense(b.reshape(b.transpose(mixed, 0, 2, 1, 3), *x.shape), width)


def swinir_block(b: Builder) -> Value:
    """One residual Swin block of lightweight SwinIR (Liang et al. 2021): 64x64x60, 6 layers, windows of 8, 6 heads."""
    size, width, window = 64, 60, 8
    start = b.input(1, width, size, size)
    x = b.transpose(start, 0, 2, 3, 1)
    for layer in range(6):
        shift = window // 2 * (layer % 2)
        x = b.add(x, shifted_windows(b, b.norm(x, 1e-5), window, shift))
        x = b.add(x, mlp(b, b.norm(x, 1e-5), 2))
    return b.add(b.conv(b.transpose(x, 0, 3, 1, 2), width, 3), start)


def shifted_windows(b: Builder, x: Value, window: int, shift: int, heads: int = 6) -> Value:
    """Attention inside windows of an image [1, height, width, channel], moved by ``shift`` where it is not 0."""
    _, size, _, width = x.shape
    count, tokens = size // window, window * window
    for axis in (1, 2) if shift else ():
        x = b.roll(x, -shift, axis)
    parts = b.transpose(b.reshape(x, 1, count, window, count, window, width), 0, 1, 3, 2, 4, 5)
    mask = window_mask(size, window, shift) if shift else None
    bias = b.bias(1, heads, tokens, tokens)
    y = attention(b, b.reshape(parts, count * count, tokens, width), heads, bias, mask)
    y = b.transpose(b.reshape(y, 1, count, count, window, window, width), 0, 1, 3, 2, 4, 5)
    y = b.reshape(y, 1, size, size, width)
    for axis in (1, 2) if shift else ():
        y = b.roll(y, shift, axis)
    return y


def window_mask(size: int, window: int, shift: int) -> NDArray[np.float32]:
    """What keeps pixels apart that the shift brought together: [1, window, 1, token, token], 0 or -100."""
    band = np.zeros(size, np.int64)
    band[-window:], band[-shift:] = 1, 2
    region = band[:, None] * 3 + band[None, :]
    count = size // window
    windows = region.reshape(count, window, count, window).transpose(0, 2, 1, 3).reshape(count * count, -1)
    apart = windows[:, None, :] != windows[:, :, None]
    return np.where(apart, np.float32(-100), np.float32(0))[None, :, None]


NETWORKS: dict[str, Callable[[Builder], Value]] = {
    "jet": jet,
    "ad01": autoencoder,
    "dscnn_kws": ds_cnn,
    "resnet8": resnet8,
    "vww_96": mobilenet_v1,
    "mobilenet_v2_035_96": lambda b: mobilenet_v2(b, 0.35, 96, 2),
    "mobilenet_v2_100_224": lambda b: mobilenet_v2(b, 1.0, 224, 1000),
    "espcn": espcn,
    "vit_tiny": vit_tiny,
    "convnext_atto": convnext_atto,
    "bert_mini": bert_mini,
    "swinir_block": swinir_block,
}
"""By name; those of MLPerf Tiny are called as its reference files are."""


def build(name: str) -> onnx.ModelProto:
    """The float model of a network."""
    b = Builder(name)
    return b.model(NETWORKS[name](b))

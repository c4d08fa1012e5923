"""Networks that the benchmarks run: shapes of known designs with drawn weights.

python -m benchmarks.networks unet build/unet.gw        writes one as a file that gatewright compile takes
"""

import sys

import numpy as np

from gatewright.graph import Array, Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import (
    Add,
    AvgPool,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Input,
    MaxPool,
    Output,
    Quantize,
    Relu,
    Reshape,
)

WEIGHTS = Fixed(8, 1)
BIAS = Fixed(16, 3)


class Builder:
    """Makes layers one after the other, with drawn weights."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.count = 0

    def constant(self, shape: tuple[int, ...], spread: float, format: Fixed) -> Node:
        """Normally distributed stored integers."""
        low, high = format.bounds
        drawn = np.clip(np.rint(self.rng.normal(0, spread, shape)), low, high)
        return Node(Constant(Array(drawn.astype(np.int64)), format))

    def conv(self, x: Node, filters: int, kernel: int, stride: int = 1) -> Node:
        """A convolution with padding "same"."""
        self.count += 1
        where = f"conv{self.count}"
        channels = x.shape[-1]
        w = self.constant((kernel, kernel, channels, filters), 115 * (2 / (kernel * kernel * channels)) ** 0.5, WEIGHTS)
        pads = tuple(_same(n, kernel, stride) for n in x.shape[:2])
        return Node(Conv((stride, stride), pads, (1, 1)), (x, w, self.constant((filters,), 300, BIAS)), where)

    def depthwise(self, x: Node, kernel: int, stride: int = 1) -> Node:
        """A filter for each channel, with padding "same"."""
        self.count += 1
        channels = x.shape[-1]
        w = self.constant((kernel, kernel, 1, channels), 115 * (2 / (kernel * kernel)) ** 0.5, WEIGHTS)
        pads = tuple(_same(n, kernel, stride) for n in x.shape[:2])
        op = Conv((stride, stride), pads, (1, 1), channels)
        return Node(op, (x, w, self.constant((channels,), 300, BIAS)), f"depthwise{self.count}")

    def quantize(self, x: Node, format: Fixed) -> Node:
        """Round half up and saturate."""
        return Node(Quantize(format, Rounding.RND, Overflow.SAT), (x,), x.where)


def _same(length: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


def resnet8(seed: int = 1) -> Graph:
    """ResNet-8 of MLPerf Tiny: 32x32x3, 12.5 M MACs, 77,360 weights; 8-bit weights and activations."""
    make = Builder(seed)
    narrow, wide = Fixed(8, 3, False), Fixed(8, 4, False)
    x = Node(Input("image", (32, 32, 3), Fixed(8, 0, False)), (), "image")
    h = make.quantize(Node(Relu(), (make.conv(x, 16, 3),)), narrow)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = make.quantize(Node(Relu(), (make.conv(h, filters, 3, stride),)), narrow)
        y = make.quantize(make.conv(y, filters, 3), Fixed(8, 4))
        skip = h if stride == 1 else make.quantize(make.conv(h, filters, 1, stride), Fixed(8, 4))
        h = make.quantize(Node(Relu(), (Node(Add(), (skip, y), f"add{filters}"),)), wide)
    pooled = make.quantize(Node(AvgPool((8, 8), (8, 8), ((0, 0), (0, 0)), (1, 1)), (h,), "pool"), wide)
    flat = Node(Reshape((64,)), (pooled,), "flatten")
    dense = Node(Dense(), (flat, make.constant((64, 10), 60, WEIGHTS), make.constant((10,), 300, BIAS)), "dense")
    return Graph((x,), (Node(Output("scores"), (dense,)),), "resnet8")


def jet_tagger(seed: int = 0) -> Graph:
    """The 16-64-32-32-5 jet tagger of hls4ml with 6-bit weights and activations (4,256 MACs)."""
    make = Builder(seed)
    x = h = Node(Input("x", (16,), Fixed(16, 6)), (), "x")
    sizes = (16, 64, 32, 32, 5)
    for i in range(4):
        w, b = make.constant(sizes[i : i + 2], 14, Fixed(6, 1)), make.constant(sizes[i + 1 : i + 2], 10, Fixed(6, 1))
        h = Node(Dense(), (h, w, b), f"fc{i + 1}")
        if i < 3:
            relu = Node(Relu(), (h,), f"relu{i + 1}")
            h = Node(Quantize(Fixed(6, 0, False), Rounding.RND_CONV), (relu,), relu.where)
    return Graph((x,), (Node(Output("y"), (h,)),), "jet_tagger")


def mobilenet(seed: int = 2) -> Graph:
    """MobileNet v1 of MLPerf Tiny's visual wake words: 96x96x3, width 0.25; depthwise and 1x1 convolutions."""
    make = Builder(seed)
    format = Fixed(8, 3, False)
    x = Node(Input("image", (96, 96, 3), Fixed(8, 0, False)), (), "image")
    h = make.quantize(Node(Relu(), (make.conv(x, 8, 3, 2),)), format)
    plan = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for filters, stride in plan:
        h = make.quantize(Node(Relu(), (make.depthwise(h, 3, stride),)), format)
        h = make.quantize(Node(Relu(), (make.conv(h, filters, 1),)), format)
    pooled = make.quantize(Node(AvgPool((3, 3), (3, 3), ((0, 0), (0, 0)), (1, 1)), (h,), "pool"), format)
    flat = Node(Reshape((256,)), (pooled,), "flatten")
    dense = Node(Dense(), (flat, make.constant((256, 2), 60, WEIGHTS), make.constant((2,), 300, BIAS)), "dense")
    return Graph((x,), (Node(Output("scores"), (dense,)),), "mobilenet")


def unet(seed: int = 3, *, size: int = 64, levels: int = 3, base: int = 4, convs: int = 2) -> Graph:
    """A U-Net for images of ``size`` squared: each level halves the sides and doubles the channels, and its result
    skips to the level of the same size on the way up.
    """
    make = Builder(seed)
    format = Fixed(8, 3, False)

    def block(h: Node, filters: int) -> Node:
        for _ in range(convs):
            h = make.quantize(Node(Relu(), (make.conv(h, filters, 3),)), format)
        return h

    x = h = Node(Input("image", (size, size, 3), Fixed(8, 0, False)), (), "image")
    skips = []
    for level in range(levels):
        h = block(h, base << level)
        skips.append(h)
        h = Node(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), (h,), f"pool{level + 1}")
    h = block(h, base << levels)
    for level in reversed(range(levels)):
        filters = base << level
        w, b = make.constant((2, 2, filters, h.shape[-1]), 60, WEIGHTS), make.constant((filters,), 300, BIAS)
        up = Node(ConvTranspose((2, 2), ((0, 0), (0, 0)), (0, 0), (1, 1)), (h, w, b), f"up{level + 1}")
        joined = Node(Concat(2), (skips[level], make.quantize(up, format)), f"join{level + 1}")
        h = block(joined, filters)
    return Graph((x,), (Node(Output("mask"), (make.conv(h, 1, 1),)),), "unet")


def unet256(seed: int = 4) -> Graph:
    """A U-Net of some hundred layers on 256x256."""
    return unet(seed, size=256, levels=4, base=4, convs=4)


NETWORKS = {f.__name__: f for f in (resnet8, jet_tagger, mobilenet, unet, unet256)}


def main() -> None:
    """Write a network to a file."""
    name, path = sys.argv[1:]
    NETWORKS[name]().save(path)
    print(f"{name} written to {path}")


if __name__ == "__main__":
    main()

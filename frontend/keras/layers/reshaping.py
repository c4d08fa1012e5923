"""Layers that move values: shapes, orders, borders, repetition, and growth by interpolation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph import NDArray, Node, ShapeError
from ....graph.ops import Broadcast, MatMul, Slice, Transpose, Upsample
from ...interpolation import Line, Method, matrix
from ..registry import Layer, layer
from .common import channels_first, pad, reshape, single, spatial, to_last
from .convolution import rank_of

MAX_GROWTH = 1 << 28


@layer("Flatten")
def flatten(layer: Layer, inputs: list[Node]) -> Node:
    """Import a vector of all values; channels_first puts the channels last before."""
    x = single(layer, inputs)
    if channels_first(layer.config) and len(x.shape) > 1:
        x = to_last(layer, x)
    return reshape(layer, x, (x.type.size,))


@layer("Reshape")
def reshape_layer(layer: Layer, inputs: list[Node]) -> Node:
    """Import another shape of the same values; one length may be -1."""
    x, target = single(layer, inputs), layer.config.take("target_shape")
    if not isinstance(target, list) or not all(isinstance(n, int) and (n > 0 or n == -1) for n in target):
        raise layer.config.refusal("target_shape", target, "give lengths above 0, at most one -1")
    known = int(np.prod([n for n in target if n != -1], dtype=object))
    if target.count(-1) > 1 or (x.type.size % known if -1 in target else x.type.size != known):
        what = f"{x.shape} cannot be reshaped to {target}"
        raise ShapeError(what, where=layer.place, hint="the number of values must stay the same")
    return reshape(layer, x, [x.type.size // known if n == -1 else n for n in target])


@layer("Permute")
def permute(layer: Layer, inputs: list[Node]) -> Node:
    """Import another order of the axes, which are counted from 1."""
    x = single(layer, inputs)
    dims = layer.config.integers("dims", len(x.shape), low=1)
    if sorted(dims) != list(range(1, len(x.shape) + 1)):
        raise layer.config.refusal("dims", list(dims), f"give each of 1 to {len(x.shape)} once")
    return layer.node(Transpose(tuple(d - 1 for d in dims)), x)


@layer("RepeatVector")
def repeat_vector(layer: Layer, inputs: list[Node]) -> Node:
    """Import [C] -> [n, C]."""
    x, n = single(layer, inputs), layer.config.integer("n", low=1)
    if len(x.shape) != 1:
        raise ShapeError(f"RepeatVector reads a vector, it is given {x.shape}", where=layer.place, hint="flatten first")
    _check_growth(layer, x, n)
    return layer.node(Broadcast((n, *x.shape)), reshape(layer, x, (1, *x.shape)))


def _check_growth(layer: Layer, x: Node, factor: int) -> None:
    if x.type.size * factor > MAX_GROWTH:
        raise ShapeError(f"{x.shape} grown {factor:,} times", where=layer.place, hint="use smaller sizes")


def pairs_of(layer: Layer, key: str, rank: int, default: Any) -> tuple[tuple[int, int], ...]:
    """Read borders: one number, one per axis, or a pair per axis (for one axis, the pair itself)."""
    value = layer.config.take(key, default)
    items = value if isinstance(value, list) else [value] * rank
    if rank == 1 and isinstance(value, list) and len(value) == 2:
        items = [value]
    pairs = [list(v) if isinstance(v, (list, tuple)) else [v, v] for v in items]
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for pair in pairs for n in pair)
    if len(pairs) != rank or not whole or any(len(pair) != 2 for pair in pairs):
        raise layer.config.refusal(key, value, "give numbers of at least 0, or a pair for each axis")
    return tuple((pair[0], pair[1]) for pair in pairs)


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(layer: Layer, inputs: list[Node]) -> Node:
    """Import zeros around the spatial axes."""
    rank = rank_of(layer)
    borders = pairs_of(layer, "padding", rank, 1)
    _check_growth(layer, single(layer, inputs), max(sum(p) for p in borders) or 1)
    return spatial(layer, single(layer, inputs), rank, lambda x: pad(layer, x, (*borders, (0, 0))))


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(layer: Layer, inputs: list[Node]) -> Node:
    """Import the middle of the spatial axes."""
    rank = rank_of(layer)
    borders = pairs_of(layer, "cropping", rank, 0 if rank == 2 else 1)

    def apply(x: Node) -> Node:
        if any(sum(p) >= n for p, n in zip(borders, x.shape, strict=False)):
            what = f"cropping {borders} leaves nothing of {x.shape}"
            raise ShapeError(what, where=layer.place, hint="crop less")
        stops = tuple(n - p[1] for n, p in zip(x.shape, borders, strict=False))
        starts = tuple(p[0] for p in borders)
        return layer.node(Slice((*starts, 0), (*stops, x.shape[-1]), (1,) * (rank + 1)), x)

    return spatial(layer, single(layer, inputs), rank, apply)


@layer("UpSampling1D", "UpSampling2D", "UpSampling3D")
def upsampling(layer: Layer, inputs: list[Node]) -> Node:
    """Import growth by whole factors: repeated values, or linear interpolation between pixel centres."""
    config, rank = layer.config, rank_of(layer)
    factors = config.integers("size", rank, 2, low=1)
    x = single(layer, inputs)
    _check_growth(layer, x, int(np.prod(factors, dtype=object)))
    hint = "use nearest or bilinear; others are not exact across frameworks"
    kind = (
        config.choice("interpolation", "nearest", "bilinear", default="nearest", hint=hint) if rank == 2 else "nearest"
    )
    if kind == "nearest":
        return spatial(layer, x, rank, lambda y: layer.node(Upsample((*factors, 1)), y))
    return spatial(layer, x, rank, lambda y: bilinear(layer, y, factors))


def bilinear(layer: Layer, x: Node, factors: Sequence[int]) -> Node:
    """Grow [H, W, C] by products with interpolation matrices, axis by axis."""
    height, width, channels = x.shape
    rows = reshape(layer, x, (height, width * channels))
    grown = layer.node(MatMul(), layer.constant(_growth(height, factors[0])), rows)
    image = reshape(layer, grown, (height * factors[0], width, channels))
    return layer.node(MatMul(), layer.constant(_growth(width, factors[1])), image)


def _growth(length: int, factor: int) -> NDArray:
    """Give [length * factor, length] with half-pixel centres, as tf.image.resize (version 2) does for bilinear."""
    return matrix(Method("linear"), Line(length, length * factor, factor)).astype(np.float32)

"""Layers that prepare images inside a model: Resizing, CenterCrop, and augmentation, which only acts in training."""

import numpy as np

from ....graph import NDArray, Node, ShapeError
from ....graph.ops import Gather, MatMul, Slice
from ...interpolation import Line, Method, matrix
from ..registry import Layer, layer
from .common import reshape, single, spatial

AUGMENTATION = {
    "seed": "randomness of training, absent at inference",
    "factor": "how much training changes the images",
    "height_factor": "how much training changes the images",
    "width_factor": "how much training changes the images",
    "fill_mode": "how training fills what it uncovers",
    "fill_value": "how training fills what it uncovers",
    "interpolation": "how training resamples the images",
    "mode": "which way training turns the images",
    "value_range": "how training clips the images",
    "rng_type": "where training takes its random numbers from",
    "data_format": "which axes training moves along",
}


@layer("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness")
def augmentation(layer: Layer, inputs: list[Node]) -> Node:
    """Import layers that change images in training only."""
    layer.config.ignore_all(AUGMENTATION)
    layer.config.ignore("bounding_box_format", why="there are no boxes at inference")
    return single(layer, inputs)


@layer("Resizing")
def resizing(layer: Layer, inputs: list[Node]) -> Node:
    """Import a resampling of images to a fixed size, by nearest neighbours or linear interpolation."""
    config, x = layer.config, single(layer, inputs)
    size = (config.integer("height", low=1), config.integer("width", low=1))
    kind = config.choice("interpolation", "bilinear", "nearest", default="bilinear", hint="use nearest or bilinear")
    config.choice("antialias", False, default=False, hint="resize without antialiasing, or before the model")
    config.choice("pad_to_aspect_ratio", False, default=False, hint="pad before the model")
    config.ignore("fill_mode", "fill_value", why="only used with pad_to_aspect_ratio, which is refused")
    crops = config.boolean("crop_to_aspect_ratio", False)
    if max(size) > MAX_SIDE:
        raise config.refusal("height", list(size), f"use at most {MAX_SIDE}")

    def apply(y: Node) -> Node:
        if crops:
            y = _middle(layer, y, *_aspect(y.shape[0], y.shape[1], *size))
        return _nearest(layer, y, size) if kind == "nearest" else _linear(layer, y, size)

    return spatial(layer, x, 2, apply)


MAX_SIDE = 1 << 14


def _aspect(height: int, width: int, to_height: int, to_width: int) -> tuple[int, int]:
    """Give the size of the largest middle part that has the new proportions."""
    rows = int(np.float32(width * to_height) / np.float32(to_width))
    columns = int(np.float32(height * to_width) / np.float32(to_height))
    return max(min(height, rows), 1), max(min(width, columns), 1)


def _middle(layer: Layer, x: Node, height: int, width: int) -> Node:
    """Cut the middle out of [H, W, C]; of an odd rest, the smaller half goes before."""
    top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
    if (height, width) == x.shape[:2]:
        return x
    return layer.node(Slice((top, left, 0), (top + height, left + width, x.shape[2]), (1, 1, 1)), x)


def _nearest(layer: Layer, x: Node, size: tuple[int, int]) -> Node:
    for axis, n in enumerate(size):
        scale = np.float32(x.shape[axis]) / np.float32(n)
        at = np.floor((np.arange(n, dtype=np.float32) + np.float32(0.5)) * scale).astype(int)
        x = layer.node(Gather(axis, tuple(int(i) for i in np.clip(at, 0, x.shape[axis] - 1))), x)
    return x


def _linear(layer: Layer, x: Node, size: tuple[int, int]) -> Node:
    height, width, channels = x.shape
    flat = reshape(layer, x, (height, width * channels))
    rows = layer.node(MatMul(), layer.constant(_weights(height, size[0])), flat)
    image = reshape(layer, rows, (size[0], width, channels))
    return layer.node(MatMul(), layer.constant(_weights(width, size[1])), image)


def _weights(length: int, size: int) -> NDArray:
    return matrix(Method("linear"), Line(length, size, size / length)).astype(np.float32)


@layer("CenterCrop")
def center_crop(layer: Layer, inputs: list[Node]) -> Node:
    """Import the middle of images that are at least as large."""
    height, width = (layer.config.integer(key, low=1) for key in ("height", "width"))
    x = single(layer, inputs)

    def apply(y: Node) -> Node:
        if y.shape[0] < height or y.shape[1] < width:
            what = f"CenterCrop to {height} x {width} of {y.shape} resizes it"
            raise ShapeError(what, where=layer.place, hint="give larger images, or use Resizing")
        return _middle(layer, y, height, width)

    return spatial(layer, x, 2, apply)

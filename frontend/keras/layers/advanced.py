"""Activations that are layers: ReLU with all its arguments, LeakyReLU, PReLU, ELU, ThresholdedReLU, Softmax."""

import numpy as np

from ....graph import Node
from ....graph.ops import Activation, Div, Mul, Reduce, Reduction, Relu, Softmax, Sub
from ..masks import single_mask
from ..registry import Dialect, Layer, Masking, Weight, layer
from .activations import capped_relu
from .attention import erased, hidden
from .common import axes_of, single


@layer("ReLU", masking=Masking.PASS)
def relu(layer: Layer, inputs: list[Node]) -> Node:
    """Import ReLU with cap, slope and threshold."""
    config = layer.config
    slope, threshold = config.take("negative_slope", 0.0), config.take("threshold", 0.0)
    slope = 0.0 if slope is None else config.real("negative_slope", 0.0)
    threshold = 0.0 if threshold is None else config.real("threshold", 0.0)
    top = None if config.take("max_value", None) is None else config.real("max_value")
    if top is not None and top < 0:
        raise config.refusal("max_value", top, "give a cap of at least 0")
    return capped_relu(layer, single(layer, inputs), slope, top, threshold)


@layer("LeakyReLU", masking=Masking.PASS)
def leaky_relu(layer: Layer, inputs: list[Node]) -> Node:
    """Import x for x >= 0, else slope * x; ``alpha`` in tf-keras, ``negative_slope`` in Keras 3."""
    config = layer.config
    key = "negative_slope" if "negative_slope" in config else "alpha"
    slope = config.real(key, 0.3)
    return layer.node(Activation("leaky_relu", (slope,)), single(layer, inputs))


@layer("ELU", masking=Masking.PASS)
def elu(layer: Layer, inputs: list[Node]) -> Node:
    """Import x for x > 0, else alpha * (exp(x) - 1)."""
    alpha = layer.config.real("alpha", 1.0)
    return layer.node(Activation("elu", (alpha,)), single(layer, inputs))


@layer("ThresholdedReLU", masking=Masking.PASS)
def thresholded_relu(layer: Layer, inputs: list[Node]) -> Node:
    """Import x for x > theta, else 0."""
    theta = layer.config.real("theta", 1.0)
    return layer.node(Activation("threshold", (theta,)), single(layer, inputs))


@layer("PReLU", weights=(Weight("alpha"),), masking=Masking.PASS)
def prelu(layer: Layer, inputs: list[Node]) -> Node:
    """Import max(x, 0) - alpha * max(-x, 0), alpha shared along some axes."""
    x = single(layer, inputs)
    shared = layer.config.take("shared_axes", None)
    axes = axes_of(layer, "shared_axes", shared, len(x.shape)) if shared else ()
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    alpha = layer.parameter("alpha", shape)
    below = layer.node(Relu(), layer.node(Sub(), layer.scalar(0.0, x), x))
    return layer.node(Sub(), layer.node(Relu(), x), layer.node(Mul(), below, alpha))


@layer("Softmax", arguments=("inputs", "mask"), masking=Masking.OWN)
def softmax(layer: Layer, inputs: list[Node]) -> Node:
    """Import a softmax along one axis, or over several at once; masked values get 0."""
    x = single(layer, inputs)
    axes = axes_of(layer, "axis", layer.config.take("axis", -1), len(x.shape))
    layer.config.ignore("robust_masking", why="masked scores have the weight 0 with and without")
    mask = single_mask(layer, x)
    if mask is None:
        return _softmax(layer, x, axes)
    fits = len(mask.shape) <= len(x.shape) and np.broadcast_shapes(mask.shape, x.shape) == x.shape
    if not fits or (layer.dialect is Dialect.TF_KERAS and len(axes) > 1):
        raise layer.unsupported(f"a mask {mask.shape} for a softmax of {x.shape}", "mask along one axis")
    if len(mask.shape) != len(x.shape):
        raise layer.unsupported(f"a mask {mask.shape} for {x.shape}", "its batch would meet another axis")
    y = erased(layer, _softmax(layer, hidden(layer, x, mask), axes), mask)
    layer.masks.of[y] = mask
    return y


def _softmax(layer: Layer, x: Node, axes: tuple[int, ...]) -> Node:
    if len(axes) == 1:
        return layer.node(Softmax(axes[0]), x)
    shifted = layer.node(Sub(), x, layer.node(Reduce(Reduction.MAX, axes, keep=True), x))
    powers = layer.node(Activation("exp"), shifted)
    return layer.node(Div(), powers, layer.node(Reduce(Reduction.SUM, axes, keep=True), powers))

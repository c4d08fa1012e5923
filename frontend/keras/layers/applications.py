"""The layer classes that ``keras.applications`` defines for itself, known by the module that defines them.

Source: ``applications/convnext.py`` and ``applications/inception_resnet_v2.py`` of Keras 3 and of tf-keras.
"""

from ....graph import Node, ShapeError
from ....graph.ops import Add, Mul
from ..registry import Layer, Weight, layer
from .common import single


@layer("keras.applications>LayerScale", weights=(Weight("gamma"),))
def layer_scale(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * gamma, one number for each channel (the last axis)."""
    x, size = single(layer, inputs), layer.config.integer("projection_dim", low=1)
    layer.config.ignore("init_values", why="where gamma started; the trained one is in the file")
    if x.shape[-1] not in (1, size):
        raise ShapeError(f"{size} scales for {x.shape[-1]} channels", where=layer.place, hint="check the layer before")
    return layer.node(Mul(), x, layer.parameter("gamma", (size,)))


@layer("keras.applications>CustomScaleLayer")
def custom_scale(layer: Layer, inputs: list[Node]) -> Node:
    """Import x + y * scale for the inputs [x, y]."""
    scale = layer.config.real("scale")
    if len(inputs) != 2 or inputs[0].shape != inputs[1].shape:
        shapes = [n.shape for n in inputs]
        raise ShapeError(f"two tensors of one shape are added, not {shapes}", where=layer.place)
    x, y = inputs
    return layer.node(Add(), x, layer.node(Mul(), y, layer.scalar(scale, y)))

"""Layers of HGQ2 with weights: dense, convolutions, einsum, and those that fold a batch normalization in.

Source: hgq/layers/core, hgq/layers/conv.py, hgq/layers/einsum_dense_batchnorm.py, hgq/layers/batch_normalization.py.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...graph import Array, Node, ShapeError
from ...graph.arrays import NDArray
from ...graph.ops import Add, Constant, Dense, Mul
from ..keras.layers.activations import activate
from ..keras.layers.common import axis_of, single
from ..keras.registry import Layer, Weight, layer
from ..qkeras.numbers import f32
from .config import read_quantizer, variables
from .einsum import Named, contract, parse, without_batch
from .frame import ebops, like, one_input, read_frame, weight_rule, weight_rules, weighted

FOLDING = {
    "momentum": "how the moving averages were computed",
    "synchronized": "how the moving averages were computed",
    "renorm_clipping": "only used with renorm, which is refused",
    "renorm_momentum": "only used with renorm, which is refused",
}
EPSILON = 1e-7
"""``keras.backend.epsilon()``."""

layer("hgq>QDense", weights=weighted())(like("Dense", weights=True))
for _rank in (1, 2, 3):
    layer(f"hgq>QConv{_rank}D", weights=weighted())(like(f"Conv{_rank}D", weights=True))


def _einsum_biased(config: Mapping[str, Any]) -> bool:
    return config.get("bias_axes") is not None


@layer("hgq>QEinsumDense", weights=weighted(biased=_einsum_biased))
def einsum_dense(layer: Layer, inputs: list[Node]) -> Node:
    """Import a sum of products with a kernel by an equation, a bias, an activation."""
    frame = read_frame(layer)
    rules = weight_rules(layer, layer.config.take("bias_axes", None) is not None)
    x = single(layer, frame.enter(inputs))
    kernel, bias = _stored(layer, "kernel"), layer.weights.get("bias")
    operands = rules["kernel"](layer, "kernel", kernel), None if bias is None else rules["bias"](layer, "bias", bias)
    return frame.leave(activate(layer, _einsum(layer, x, *operands)))


def _stored(layer: Layer, name: str) -> NDArray:
    if name not in layer.weights:
        raise ShapeError(f"the file has no weight {name!r}", where=layer.place, hint="save the weights again")
    return layer.weights[name]


def _einsum(layer: Layer, x: Node, kernel: Node, bias: Node | None) -> Node:
    equation = layer.config.text("equation")
    words, out = parse(layer, equation, (len(x.shape) + 1, len(kernel.shape)))
    letters, out = without_batch(layer, words, out, (True, False))
    y = contract(layer, [Named(x, letters[0]), Named(kernel, letters[1])], out)
    check_output_shape(layer, y.shape)
    if bias is None:
        return y
    if np.broadcast_shapes(bias.shape, y.shape) != y.shape:
        raise ShapeError(f"a bias of shape {bias.shape} for {y.shape}", where=layer.place)
    return layer.node(Add(), y, bias)


def check_output_shape(layer: Layer, shape: tuple[int, ...]) -> None:
    """Compare the shape that the configuration states (its last axes, None for any) with what comes out."""
    value = layer.config.take("output_shape", None)
    stated = [value] if isinstance(value, int) else value
    if stated is None:
        return
    if not isinstance(stated, list) or len(stated) > len(shape):
        raise layer.config.refusal("output_shape", value, f"the equation gives {shape}")
    last = shape[len(shape) - len(stated) :]
    if any(n is not None and n != m for n, m in zip(stated, last, strict=True)):
        raise ShapeError(f"output_shape {stated} where the equation gives {shape}", where=layer.place)


# Batch normalization

EINSUM_NORM = (
    Weight("gamma"),
    Weight("moving_mean", trainable=False),
    Weight("moving_variance", trainable=False),
)


@layer("hgq>QEinsumDenseBatchnorm", weights=weighted(*EINSUM_NORM, biased=_einsum_biased))
def einsum_dense_batchnorm(layer: Layer, inputs: list[Node]) -> Node:
    """Import an einsum with a batch normalization folded into its kernel and bias before they are quantized.

    HGQ2 adds ``keras.backend.epsilon()`` to the variance, not the epsilon of the layer, and saves neither that, nor
    center, scale and normalize_axes: files are those of the defaults, as HGQ2 itself loads them.
    """
    frame = read_frame(layer)
    layer.config.ignore_all(FOLDING)
    layer.config.ignore("epsilon", why="HGQ2 0.2 does not use it")
    rules = weight_rules(layer, biased=True)
    x, axes = single(layer, frame.enter(inputs)), layer.config.text("bias_axes")
    kernel, bias = _stored(layer, "kernel"), _stored(layer, "bias")
    words, out = parse(layer, layer.config.text("equation"), (len(x.shape) + 1, kernel.ndim))
    if not set(axes) <= set(words[1]) & set(out):
        raise layer.unsupported(f"normalization over {axes!r}, not all of them axes of kernel and result")
    mean, scale = _moments(layer, EPSILON, "gamma")
    order = [c for c in words[1] if c in axes]
    view = [kernel.shape[i] if c in axes else 1 for i, c in enumerate(words[1])]
    norm = [n for n in view if n != 1] if len(order) == mean.ndim else []
    if list(mean.shape) != [kernel.shape[words[1].index(c)] for c in order] and norm != list(mean.shape):
        raise ShapeError(f"statistics of shape {mean.shape} for {axes!r}", where=layer.place)
    fused = f32(f32(kernel) * scale.reshape(view))
    offset = f32(-mean * scale).reshape(bias.shape)
    operands = rules["kernel"](layer, "kernel", fused), rules["bias"](layer, "bias", f32(bias + offset))
    return frame.leave(activate(layer, _einsum(layer, x, *operands)))


def _moments(layer: Layer, epsilon: float, gamma: str) -> tuple[NDArray, NDArray]:
    """Give the mean and gamma / sqrt(variance + epsilon), in float32. Raises ShapeError where that is no number."""
    mean, variance = f32(_stored(layer, "moving_mean")), f32(_stored(layer, "moving_variance"))
    total = f32(variance + f32(epsilon))
    if not (np.isfinite(total) & (total > 0)).all() or not np.isfinite(mean).all():
        what, hint = "a variance that is not positive and finite", "the training diverged; load an earlier checkpoint"
        raise ShapeError(what, where=layer.place, hint=hint)
    factor = f32(layer.weights[gamma]) if gamma in layer.weights else f32(1)
    return mean, f32(factor / np.sqrt(total))


DENSE_NORM = (
    Weight("bn_gamma", when="scale"),
    Weight("moving_mean", trainable=False),
    Weight("moving_variance", trainable=False),
)


@layer("hgq>QBatchNormDense", weights=weighted(*DENSE_NORM))
def batchnorm_dense(layer: Layer, inputs: list[Node]) -> Node:
    """Import a dense layer that normalizes its inputs: scaled rows of the kernel, an offset in the bias.

    What HGQ2 0.2 computes: the offset is mean @ kernel with the kernel before it is scaled.
    """
    frame, config = read_frame(layer), layer.config
    config.ignore_all(FOLDING)
    config.ignore("bn_gamma_initializer", why="where the weights started")
    config.boolean("scale", True)
    mean, scale = _moments(layer, config.real("epsilon", 1e-3), "bn_gamma")
    config.choice("use_bias", True, default=True)
    rules, x, units = (
        weight_rules(layer, biased=True),
        single(layer, frame.enter(inputs)),
        config.integer("units", low=1),
    )
    kernel, bias = f32(layer.array("kernel", (x.shape[-1], units))), f32(layer.array("bias", (units,)))
    if mean.shape != (x.shape[-1],):
        raise ShapeError(f"statistics of shape {mean.shape} for {x.shape[-1]} inputs", where=layer.place)
    fused = rules["kernel"](layer, "kernel", f32(scale[:, None] * kernel))
    offset = rules["bias"](layer, "bias", f32(bias - f32(mean @ kernel)))
    return frame.leave(activate(layer, layer.node(Dense(), x, fused, offset)))


def _norm_weights(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    own = [Weight(n) for n, key in (("gamma", "scale"), ("bn_beta", "center")) if config.get(key, True)]
    quantizers = (*one_input(config), *variables(config.get("kq_conf"), "kq"), *variables(config.get("bq_conf"), "bq"))
    moving = (Weight("moving_mean", trainable=False), Weight("moving_variance", trainable=False))
    return (*own, *moving, *ebops(config), *quantizers)


@layer("hgq>QBatchNormalization", weights=_norm_weights)
def batch_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * q(gamma / sqrt(variance + epsilon)) + q(beta - mean * that); without center, HGQ2's beta is 1."""
    frame, config = read_frame(layer), layer.config
    config.ignore_all(FOLDING)
    config.expect("renorm", False)
    x = single(layer, frame.enter(inputs))
    axis = axis_of(layer, "axis", _axis(config.take("axis", -1)), len(x.shape))
    mean, scale = _moments(layer, config.real("epsilon", 1e-3), "gamma")
    config.boolean("scale", True)
    beta = f32(layer.weights["bn_beta"]) if config.boolean("center", True) else f32(1)
    if mean.shape != (x.shape[axis],):
        raise ShapeError(f"statistics of shape {mean.shape} for {x.shape[axis]} channels", where=layer.place)
    shape = (x.shape[axis], *(1 for _ in x.shape[axis + 1 :]))
    factor = read_quantizer(layer, config.take("kq_conf", None), "kq")
    shift = read_quantizer(layer, config.take("bq_conf", None), "bq")
    weights = []
    for name, quantizer, values in (("scale", factor, scale), ("offset", shift, f32(beta - f32(mean * scale)))):
        node = weight_rule(quantizer)(layer, name, values)
        weights.append(_viewed(node, shape))
    return frame.leave(layer.node(Add(), layer.node(Mul(), x, weights[0]), weights[1]))


def _axis(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _viewed(node: Node, shape: tuple[int, ...]) -> Node:
    """Give a constant of one axis in a shape that broadcasts along it."""
    assert isinstance(node.op, Constant)
    data = Array(node.op.value.data.reshape(shape))
    return Node(Constant(data, node.op.format.map(node.shape, lambda v: v.reshape(shape))), (), node.where)

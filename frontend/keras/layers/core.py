"""Dense, layers that do nothing at inference, wrappers."""

from collections.abc import Mapping
from typing import Any

from ....graph import Node
from ....graph.ops import Add, Concat, Dense, Div, Mul, Slice
from ..ignored import ignore_training
from ..masks import masks_of
from ..registry import LAYERS, Layer, Masking, layer
from . import quantized
from .activations import activate
from .common import reshape, single

POINTWISE = frozenset(
    {
        "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Dropout", "GaussianNoise",
        "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity", "QDense", "QActivation",
    }
)  # fmt: skip
"""Layers that treat each position of the leading axes alike, so that TimeDistributed changes nothing."""
MAX_STEPS = 1024


@layer("Dense", weights=quantized.weights("kernel", biased="use_bias"), masking=Masking.PASS)
def dense(layer: Layer, inputs: list[Node]) -> Node:
    """Import a product over the last axis."""
    x, config = single(layer, inputs), layer.config
    units, width = config.integer("units", low=1), x.shape[-1] if x.shape else 0
    for key in ("quantization_mode", "lora_rank", "lora_alpha"):
        config.expect(key, None, hint="merge the LoRA weights and save again")
    bias = [layer.parameter("bias", (units,))] if config.boolean("use_bias", True) else []
    mode = quantized.check(layer)
    epsilon = quantized.activation_quantizer(layer, mode) if mode else None
    match mode:
        case "int4" if epsilon is None:
            weights = quantized.grouped(layer, "kernel", width, units, along_rows=True)
            return activate(layer, layer.node(Dense(), x, layer.constant(weights, "kernel/real"), *bias))
        case "":
            return activate(layer, layer.node(Dense(), x, layer.parameter("kernel", (width, units)), *bias))
    return activate(layer, _scaled_dense(layer, x, units, mode, epsilon, bias))


def _scaled_dense(layer: Layer, x: Node, units: int, mode: str, epsilon: float | None, bias: list[Node]) -> Node:
    """Multiply by integers, and divide by the scales of both operands."""
    if mode != "int8":
        raise layer.unsupported("quantized inputs with weights of four bits", quantized.HINT)
    width = x.shape[-1]
    scale = layer.constant(layer.array("kernel_scale", (units,)), "kernel_scale")
    if epsilon is not None:
        factor = quantized.divisor(layer, x, (len(x.shape) - 1,), epsilon)
        x, scale = quantized.rounded(layer, x, factor), layer.node(Mul(), scale, factor)
    y = layer.node(Dense(), x, layer.parameter("kernel", (width, units)))
    y = layer.node(Div(), y, scale)
    return layer.node(Add(), y, *bias) if bias else y


@layer("InputLayer", masking=Masking.PASS)
def input_layer(layer: Layer, inputs: list[Node]) -> Node:
    """Import an input; the assembly made the node, or the outer model gives it."""
    config = layer.config
    config.expect("sparse", False, None, hint="give dense arrays")
    config.expect("ragged", False, None, hint="cut or pad the samples to one length")
    config.expect("optional", False, None, hint="remove the optional input")
    config.expect("type_spec", None, hint="give a shape instead")
    return single(layer, inputs)


@layer("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D",
       "SpatialDropout3D", "ActivityRegularization", "Identity", masking=Masking.PASS)  # fmt: skip
def identity(layer: Layer, inputs: list[Node]) -> Node:
    """Import layers that only act in training."""
    ignore_training(layer.config, "rate", "stddev", "seed", "noise_shape", "l1", "l2")
    layer.config.ignore("data_format", why="noise of training, absent at inference")
    return single(layer, inputs)


def _is_pointwise(inner: Any) -> bool:
    """Whether all steps may be done at once; a layer as activation (``Softmax(axis=1)``) may count axes."""
    activation = inner.config.get("activation")
    counts = isinstance(activation, Mapping) and activation.get("class_name") in LAYERS
    return inner.class_name in POINTWISE and not counts


@layer("TimeDistributed", arguments=("inputs", "mask"), masking=Masking.OWN)
def time_distributed(layer: Layer, inputs: list[Node]) -> Node:
    """Import a layer that is applied to each step of the first axis; all at once where that is the same."""
    x, inner = single(layer, inputs), layer.inner
    layer.config.ignore("layer", why="read with the file")
    mask = masks_of(layer, [x])[0]
    known = LAYERS.get(inner.class_name)
    if mask is not None and (known is None or known.masking in (Masking.OWN, Masking.REFUSE)):
        raise layer.unsupported(f"a mask for a {inner.class_name} at each step", "cut or pad the sequences before")
    y = _each_step(layer, x)
    if mask is not None:
        layer.masks.of[y] = mask
    return y


def _each_step(layer: Layer, x: Node) -> Node:
    inner = layer.inner
    if _is_pointwise(inner):
        return single(layer, inner.apply(x))
    steps = x.shape[0] if x.shape else 0
    if not 1 <= steps <= MAX_STEPS or len(x.shape) < 2:
        raise layer.unsupported(f"TimeDistributed over {x.shape}", f"use 1 to {MAX_STEPS} steps")
    parts = []
    for step in range(steps):
        rest = x.shape[1:]
        part = layer.node(Slice((step, *(0 for _ in rest)), (step + 1, *rest), (1,) * len(x.shape)), x)
        result = single(layer, inner.apply(reshape(layer, part, rest)))
        parts.append(reshape(layer, result, (1, *result.shape)))
    return layer.node(Concat(0), *parts) if len(parts) > 1 else parts[0]

"""HGQ (the first, on Keras 2): the proxy models that ``to_proxy_model`` makes, plain layers between quantizers.

A model of HGQ itself has no integer bits in its file: they come from the ranges that ``trace_minmax`` leaves in memory.
So a live, traced model is imported through its proxy, and a file has to be that of the proxy.

Source: HGQ/proxy/fixed_point_quantizer.py, unary_lut.py and convert.py of HGQ 0.2.6.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...graph import Array, Fixed, Grid, Node, Overflow, Rounding, ShapeError, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.ops import Add, Constant, Lookup, Mul, Quantize
from ..keras.layers.common import single
from ..keras.registry import Layer, Parameter, Weight, layer
from ..qkeras.numbers import exact_constant, f32
from .quantizer import MOST_BITS, check_broadcast

STORED = tuple(Weight(name, trainable=False) for name in ("keep_negative", "bits", "integers"))
MOST_ENTRIES = 1 << 20


@layer("HGQ>FixedPointQuantizer", weights=STORED)
def fixed_point_quantizer(layer: Layer, inputs: list[Node]) -> Node:
    """Import a quantizer with bits for each element; 0 bits give 0."""
    x, config = single(layer, inputs), layer.config
    config.ignore("overrides", "fusible", why="how hls4ml implements it")
    config.ignore("shape", why="the stored bits have it")
    rounding = Rounding(config.choice("RND", *(r.value for r in Rounding), default="TRN"))
    hint = "reflecting (WRAP_SM) has no counterpart; use WRAP, SAT or SAT_SYM"
    overflow = Overflow(config.choice("SAT", *(o.value for o in Overflow), default="WRAP", hint=hint))
    signed, bits, integers = (_bits(layer, w.name, x) for w in STORED)
    if bits.shape != signed.shape or integers.shape != bits.shape or not np.isin(signed, (0, 1)).all():
        raise ShapeError("the stored bits do not fit together", where=layer.place, hint="save the model again")
    check_broadcast(layer, "its input", bits.shape, x.shape)
    live = bits > 0
    if (bits < 0).any() or int(bits.max(initial=0)) > MOST_BITS:
        raise ShapeError(f"a quantizer of {bits.min()} to {bits.max()} bits", where=layer.place, hint="0 to 63 bits")
    finest = int((bits - integers)[live].max()) if live.any() else 0
    width, whole = np.where(live, bits, 1), np.where(live, integers, 1 - finest)
    kind = Grid.of(np.where(live, signed, int(signed[live].max()) if live.any() else 0))
    format = Fixed(_plain(width), _plain(whole), kind if isinstance(kind, Grid) else bool(kind))
    y = layer.node(Quantize(format, rounding, overflow), x)
    if live.all():
        return y
    mask = Node(Constant(Array(live.astype(np.int64)), Fixed(1, 1, False)), (), f"{layer.name}/live")
    return layer.node(Mul(), y, mask)


def _bits(layer: Layer, name: str, x: Node) -> NDArray:
    """Give stored bits without their batch axis."""
    if name not in layer.weights:
        raise ShapeError(f"the file has no {name!r}", where=layer.place, hint="save the model again")
    values = np.asarray(layer.weights[name])
    if not np.isfinite(values).all() or (np.abs(values) > 127).any() or (values != np.rint(values)).any():
        raise ShapeError(f"{name!r} holds numbers that are no bits", where=layer.place, hint="save the model again")
    values = values.astype(np.int64)
    return values[0] if values.ndim == len(x.shape) + 1 and len(values) == 1 else values


def _plain(values: NDArray) -> int | Grid:
    one = Grid.of(values.astype(np.int64))
    return one if isinstance(one, Grid) else int(one)


@layer("HGQ>UnaryLUT", weights=(Weight("table", trainable=False),))
def unary_lut(layer: Layer, inputs: list[Node]) -> Node:
    """Import a table over all values of a format: entry ``round(x * 2^f) mod length``."""
    x, config = single(layer, inputs), layer.config
    config.ignore("kif_out", why="the stored table is in that format")
    k, i, f = config.integers("kif_in", 3)
    size = 1 << min(max(k + i + f, 0), 40)
    if size > MOST_ENTRIES:
        raise config.refusal("kif_in", [k, i, f], f"at most {MOST_ENTRIES:,} entries")
    entries = layer.array("table", (size,))
    if not isinstance(x.type.format, Fixed):
        raise layer.unsupported("a table of values that are not quantized", "keep the quantizer before it")
    low, high = (int(v.min() if n == 0 else v.max()) for n, v in enumerate(x.type.interval))
    if high - low >= MOST_ENTRIES:
        raise layer.unsupported(f"a table over {high - low + 1:,} values", "keep the quantizer before it")
    units = np.rint(f32(np.arange(low, high + 1) * float(x.type.format.scale)) * f32(2.0**f)).astype(np.int64)
    rows = Node(exact_constant(f32(entries)[units % size]), (), f"{layer.name}/table")
    if isinstance(x.type.format.width, Grid) or isinstance(x.type.format.fraction, Grid):
        zero = Node(Constant(Array(np.int64(0)), Fixed(1, 1, False)), ())
        x = layer.node(Add(), x, zero)
    return Node(Lookup(low), (x, rows), layer.name)


# Weights of the plain layers between

WEIGHTS = ("kernel", "bias", "depthwise_kernel", "pointwise_kernel")


def exact_weights(class_names: set[str]) -> Mapping[str, Parameter]:
    """Give the rules for weights in a model of these classes: in a proxy they are quantized, and stay what they are."""
    return dict.fromkeys(WEIGHTS, _exact) if "HGQ>FixedPointQuantizer" in class_names else {}


def _exact(layer: Layer, name: str, values: NDArray) -> Node:
    if not np.isfinite(values).all():
        raise ShapeError(f"NaN or infinite values in {name!r}", where=layer.place, hint="load an earlier checkpoint")
    return Node(exact_constant(f32(values)), (), f"{layer.name}/{name}")


# Live models


def proxy_of(model: Any) -> Any:
    """Give the proxy of a live model of HGQ, any other model as it is. Raises UnsupportedError without ranges."""
    own = any(_package(layer) == "HGQ" and hasattr(layer, "paq") for layer in getattr(model, "layers", ()))
    if not own:
        return model
    from importlib import import_module

    try:
        return import_module("HGQ").to_proxy_model(model, aggressive=True)
    except AssertionError as error:
        what = f"HGQ cannot convert it ({str(error)[:160]})"
        raise UnsupportedError(what, where=model.name, hint="run trace_minmax(model, samples) first") from None


def _package(layer: Any) -> str:
    return type(layer).__module__.partition(".")[0]

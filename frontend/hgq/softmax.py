"""The softmax of HGQ2: a table of exponentials, their sum, a table of reciprocals, a product.

Source: hgq/layers/softmax.py of HGQ2 0.2.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Array, Fixed, Node, Overflow, Rounding
from ...graph.arrays import NDArray
from ...graph.formats import narrowest
from ...graph.ops import Add, Constant, Mul, Reduce, Reduction, Sub
from ..keras.layers.common import axes_of, single
from ..keras.registry import Layer, Masking, Weight, layer
from ..qkeras.numbers import f32
from .config import read_quantizer, variables
from .frame import ebops, one_input, read_frame
from .quantizer import Quantizer
from .tables import table

EPSILON = f32(1e-7)
"""``keras.backend.epsilon()``, which HGQ2 adds to a sum before it inverts it."""
TABLES = ("exp_iq_conf", "exp_oq_conf", "inv_iq_conf", "inv_oq_conf")


def stored(config: Mapping[str, Any], prefix: str = "") -> tuple[Weight, ...]:
    """Give the variables of a softmax under ``prefix``."""
    stable, counts = config.get("stable", True), config.get("enable_ebops", True)
    exp, inv = f"{prefix}exp_table/", f"{prefix}inv_table/"
    return (
        *ebops(config, prefix),
        *one_input({"enable_iq": False, **config}, prefix),
        *ebops({"enable_ebops": counts and stable}, exp),
        *(variables(config.get("exp_iq_conf"), f"{exp}iq") if stable else ()),
        *variables(config.get("exp_oq_conf"), f"{exp}oq"),
        *ebops({"enable_ebops": counts}, inv),
        *variables(config.get("inv_iq_conf"), f"{inv}iq"),
        *variables(config.get("inv_oq_conf"), f"{inv}oq"),
    )


@layer("hgq>QSoftmax", weights=stored, masking=Masking.REFUSE)
def softmax(layer: Layer, inputs: list[Node]) -> Node:
    """Import a softmax over one axis or several."""
    return apply(layer, single(layer, inputs))


def apply(layer: Layer, x: Node, mask: NDArray | None = None, prefix: str = "") -> Node:
    """Apply the softmax whose variables stand under ``prefix``. ``mask``: 0 where a value does not take part."""
    frame, config = read_frame(layer, prefix), layer.config
    config.ignore("allow_heterogeneous_table", why="the stored bits say it")
    axes = axes_of(layer, "axes", config.take("axes", -1), len(x.shape))
    scaler, stable = config.real("input_scaler", 1.0), config.boolean("stable", True)
    exp_in, exp_out, inv_in, inv_out = _quantizers(layer, prefix, stable)
    (x,) = frame.enter([x])
    keep = None if mask is None else _mask(layer, mask, x)
    if stable:
        shown = x if keep is None else _covered(layer, x, keep)
        x = layer.node(Sub(), layer.node(Reduce(Reduction.MAX, axes, keep=True), shown), x)
        x = exp_in.tensor(layer, x) if exp_in else x
    if not x.type.is_integer:
        raise layer.unsupported("a softmax of values that are not quantized", "set enable_iq, or stable")
    sign = f32(-scaler if stable else scaler)
    powers = table(layer, x, lambda v: f32(np.exp(f32(v * sign).astype(np.float64))), exp_out, "exp")
    powers = powers if keep is None else layer.node(Mul(), powers, keep)
    sums = layer.node(Reduce(Reduction.SUM, axes, keep=True), powers)
    sums = inv_in.tensor(layer, sums) if inv_in else sums
    inverse = table(layer, sums, lambda v: f32(f32(1) / f32(v + EPSILON)), inv_out, "inv")
    return frame.leave(layer.node(Mul(), powers, inverse))


def _quantizers(
    layer: Layer, prefix: str, stable: bool
) -> tuple[Quantizer | None, Quantizer, Quantizer | None, Quantizer]:
    """Read those of both tables; HGQ2 makes what comes out saturate and round halves to even, whatever is asked."""
    config = layer.config
    confs = [config.take(key, None) for key in TABLES]
    names = [f"{prefix}exp_table/iq", f"{prefix}exp_table/oq", f"{prefix}inv_table/iq", f"{prefix}inv_table/oq"]
    read = [
        read_quantizer(layer, conf, name) if stable or n else None
        for n, (conf, name) in enumerate(zip(confs, names, strict=True))
    ]
    outs = [q and replace(q, overflow=Overflow.SAT, rounding=Rounding.RND_CONV, only_rounds=False) for q in read[1::2]]
    if outs[0] is None or outs[1] is None:
        raise layer.unsupported("a softmax whose tables are not quantized", "give exp_oq_conf and inv_oq_conf")
    return read[0], outs[0], read[2], outs[1]


def _mask(layer: Layer, mask: NDArray, x: Node) -> Node:
    shown = np.broadcast_to(mask.astype(np.int64), x.shape)
    return Node(Constant(Array(shown), Fixed(1, 1, False)), (), f"{layer.name}/mask")


def _covered(layer: Layer, x: Node, keep: Node) -> Node:
    """Give the values with the least that is possible where the mask is 0, so that the maximum passes them by."""
    assert isinstance(keep.op, Constant)
    if not x.type.is_integer:
        raise layer.unsupported("a masked softmax of values that are not quantized", "set enable_iq")
    least = int(x.type.interval[0].min())
    filled = np.where(keep.op.value.data == 0, least, 0)
    scale = x.type.quantized.scale
    format = narrowest(scale, min(least, 0), max(least, 0))
    return layer.node(
        Add(), layer.node(Mul(), x, keep), Node(Constant(Array(filled), format), (), f"{layer.name}/covered")
    )

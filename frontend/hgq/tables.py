"""Functions of quantized values as tables: each entry what HGQ2 computes in float32 for that value, quantized.

Source: hgq/layers/activation.py, hgq/layers/softmax.py of HGQ2 0.2.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...graph import Array, Fixed, Graph, Node, Overflow, Rounding, trace
from ...graph.arrays import NDArray
from ...graph.formats import bits_for
from ...graph.ops import Add, Constant, Input, Lookup, Output
from ...graph.tensor import grids
from ..keras.layers.activations import apply_activation
from ..keras.layers.common import single
from ..keras.registry import Layer, Weight, layer
from ..qkeras.numbers import exact_constant, f32
from .frame import Config, ebops, one_input, read_frame
from .quantizer import Quantizer

MOST_ENTRIES = 1 << 20
"""Of all the tables of a layer together."""
NEAR = 2.0**-21
"""Relative distance from a rounding boundary within which float32 libraries may differ."""

Function = Callable[[NDArray], NDArray]
"""float32 values -> float32 values, of any shape."""


def table(layer: Layer, x: Node, function: Function, out: Quantizer, name: str) -> Node:
    """Give ``out(function(x))`` as a table over all values that ``x``, a tensor of integers, can have.

    Where the output's bits differ by element, each kind of element has a part of one table, and adds where its part
    begins. Raises UnsupportedError where the tables would be too large.
    """
    low, high = (int(v.min() if n == 0 else v.max()) for n, v in enumerate(x.type.interval))
    kinds, kind_of = _kinds(out, x.shape, layer)
    span = high - low + 1
    if span * len(kinds) > MOST_ENTRIES:
        what = f"{name}: tables of {span * len(kinds):,} entries"
        raise layer.unsupported(what, f"quantize its input with fewer bits (at most {MOST_ENTRIES:,} entries)")
    reals = f32(np.arange(low, high + 1) * float(x.type.quantized.scale))  # type: ignore[arg-type]
    values = function(reals)
    if np.isnan(values).any() or (np.isinf(values).any() and out.overflow is Overflow.WRAP):
        what = f"{name} has no value at some of the inputs that it can get"
        raise layer.unsupported(what, "quantize its input without these values (k0=0, for instance), and saturate")
    entries = np.concatenate([q.values(values) for q in kinds])
    if not np.isfinite(entries).all():
        raise layer.unsupported(f"{name}: a quantizer that leaves the range of float32", "use fewer bits")
    _note_near(layer, name, values, kinds)
    rows = Node(exact_constant(entries), (), f"{layer.name}/{name}")
    if len(kinds) == 1 and not grids(x.type.format):
        return Node(Lookup(low), (x, rows), layer.name)
    offsets = kind_of.reshape(x.shape) * span - low
    index = Node(Add(), (x, _units(x, offsets, f"{layer.name}/{name}/offset")), layer.name)
    return Node(Lookup(0), (index, rows), layer.name)


def _kinds(out: Quantizer, shape: tuple[int, ...], layer: Layer) -> tuple[list[Quantizer], NDArray]:
    """Give the different quantizers of the elements, and the number of that of each element."""
    bits = np.stack([np.broadcast_to(v.reshape(v.shape[1:]), shape).ravel() for v in (out.k, out.i, out.f)], axis=1)
    rows, kind_of = np.unique(bits, axis=0, return_inverse=True)
    return [replace(out, k=r[0], i=r[1], f=r[2]) for r in rows], kind_of.reshape(-1)


def _units(x: Node, values: NDArray, where: str) -> Node:
    """Give integers as a constant in the units of ``x``."""
    assert isinstance(x.type.format, Fixed)
    width = bits_for(min(int(values.min()), 0), int(values.max()))
    fraction = x.type.format.common_fraction
    return Node(Constant(Array(values), Fixed(width, width - fraction, bool((values < 0).any()))), (), where)


def _note_near(layer: Layer, name: str, values: NDArray, kinds: list[Quantizer]) -> None:
    """Note entries so near to a rounding boundary that another float32 library may fall on its other side."""
    near = 0
    for q in kinds:
        units = np.abs(values.astype(np.float64)) * 2.0 ** float(q.f)
        inside = (units > 0) & (units < 2.0**24) & (q.bits > 0)
        rest = units - np.floor(units)
        edge = np.abs(rest - (0.5 if q.rounding is not Rounding.TRN else np.rint(rest)))
        near += int(np.count_nonzero(inside & (edge < units * NEAR) & (edge > 0)))
    if near:
        text = f"{near} of {len(values) * len(kinds)} entries lie within float32's error of a rounding boundary"
        layer.notes.append(f"{layer.name}: {name}: {text}; the framework may give the next value there")


def named(layer: Layer, value: object) -> Function:
    """Give an activation of Keras as a function of float32 values, each rounded from float64 once."""

    def function(x: NDArray) -> NDArray:
        source = Node(Input("x", x.shape))
        result = apply_activation(layer, source, value)
        graph = Graph((source,), (Node(Output("y"), (result,)),))
        return f32(trace(graph, f32(x)[None])[result][0])

    return function


def _affined(config: Config) -> tuple[Weight, ...]:
    return (Weight("scale"), Weight("bias"), *ebops(config), *one_input(config))


@layer("hgq>QUnaryFunctionLUT", weights=lambda config: (*ebops(config), *one_input(config)))
@layer("hgq>QAffinedUnaryFunctionLUT", weights=_affined)
def unary_function(layer: Layer, inputs: list[Node]) -> Node:
    """Import a function of one value between two quantizers."""
    frame, config = read_frame(layer), layer.config
    config.ignore("allow_heterogeneous_table", "allow_heterogeneous_input", why="the stored bits say it")
    x, value = single(layer, frame.enter(inputs)), config.take("activation")
    affine = f32([layer.array(n, (1,))[0] for n in ("scale", "bias")]) if "scale" in layer.weights else f32([1, 0])
    function = named(layer, value)
    if x.type.is_integer and frame.output and frame.output.affine == (1.0, 0.0):
        return table(layer, x, lambda v: function(f32(f32(v * affine[0]) + affine[1])), frame.output, "table")
    if (affine != (1, 0)).any():
        raise layer.unsupported("an affine function of values that are not quantized", "set enable_iq and enable_oq")
    return frame.leave(apply_activation(layer, x, value))

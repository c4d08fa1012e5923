"""Products summed over an axis: dense, matrix product and convolution as one kind of loop nest.

A contraction is a convolution over any number of axes: out[o, n] = sum over taps k and channels c of
x[o * strides + k * dilation - padding, c] * w[k, c, n]. A dense layer has one axis (its rows) and one tap. The operand
stands in memory with a border of zeros, so that nothing is asked inside the loops.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from ...graph import Node
from ...graph.arrays import NDArray
from ...graph.numerics import divide, multiply, whole
from ...graph.ops import Conv, Dense, Input
from .layout import centred_ends, float_type, memory_ends
from .machine import GROUP, Dot, Machine
from .tiles import WORD, Cut, byte_type, pays

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Contraction:
    """A product and how the machine does it.

    ``space``: shape of the result without channels; ``border``: cells that the operand needs around it; ``multiple``:
    its channels are rounded up to one; ``operand_type``: type and base of the operand in memory (None: as it is).
    """

    node: Node
    space: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Pairs
    groups: int
    channels: int
    filters: int
    dot: Dot
    border: Pairs
    multiple: int
    operand_type: tuple[str, int] | None

    @property
    def taps(self) -> int:
        """Positions of the window."""
        return prod(self.kernel)

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a filter of its own."""
        return self.groups > 1 and self.channels == self.groups == self.filters

    @property
    def macs(self) -> int:
        """Products in all."""
        return prod(self.space) * self.filters * self.taps * self.channels // self.groups


def contraction(node: Node, machine: Machine) -> Contraction | None:
    """Describe the product that a node is; None where it is none, or its weights are not known."""
    x = node.inputs[0] if node.inputs else None
    match node.op:
        case Dense():
            assert x is not None
            rows = x.shape[:-1] or (1,)
            ones = (1,) * len(rows)
            spatial = (rows, ones, ones, ones, ((0, 0),) * len(rows), 1)
        case Conv() as op:
            rank = len(op.strides)
            spatial = (node.shape[:-1], node.inputs[1].shape[:rank], op.strides, op.dilation, op.padding, op.groups)
        case _:
            return None
    assert x is not None
    space, kernel, strides, dilation, padding, groups = spatial
    channels = x.shape[-1]
    if machine.bare:  # what lies outside of the operand is never in memory
        none = ((0, 0),) * (len(space) if isinstance(node.op, Conv) else len(x.shape) - 1)
        filters, plain = node.shape[-1], None if node.type.is_integer else (machine.held(float_type(x)), 0)
        dot = _dot_of_scalars(node, machine)
        return Contraction(
            node, space, kernel, strides, dilation, padding, groups, channels, filters, dot, none, 1, plain
        )
    dot, kind = _dot(node, machine)
    if machine.amx and (tiled := _tiled(node, machine, space, kernel, strides, dilation, groups)) is not None:
        dot, kind = tiled
    if dot is Dot.SDOT and machine.mmla and _pairs_rows(channels // groups, groups, space):
        dot = Dot.MMLA
    depthwise = groups > 1 and channels == groups == node.shape[-1]
    group = 1 if depthwise or ((channels // groups) % GROUP[dot] and groups > 1) else GROUP[dot]
    if depthwise and dot is Dot.PAIRS:
        kind = None
    elif group == 1 and GROUP[dot] > 1 and not (depthwise and dot is Dot.VNNI):
        dot, kind = (Dot.WIDE, None)
    border: Pairs = tuple(
        (0, 0) if not machine.borders else (before, max(0, (o - 1) * s + (k - 1) * d + 1 - before - n))
        for o, s, k, d, (before, _), n in zip(
            space, strides, kernel, dilation, padding, x.shape[:-1] or (1,), strict=True
        )
    )
    if isinstance(node.op, Dense):
        border = border[: len(x.shape) - 1]
    return Contraction(
        node, space, kernel, strides, dilation, padding, groups, channels, node.shape[-1], dot, border, group, kind
    )


def _dot(node: Node, machine: Machine) -> tuple[Dot, tuple[str, int] | None]:
    """Choose how products are summed, and what type the operand has for it."""
    x, w = node.inputs[0], node.inputs[1]
    if not node.type.is_integer:
        return Dot.FLOAT, ("float32" if machine.wide_operands else machine.held(float_type(x)), 0)
    low, high = memory_ends(x)
    least, most = centred_ends(w)
    out = sum_ends(node)
    if max(-out[0], out[1]) >= 1 << 31 or max(-low, high, -least, most) >= 1 << 31:
        return Dot.LONG, None
    kind = machine.dot_for_bytes()
    if least >= -128 and most < 128 and high - low < 256:
        if kind is Dot.VNNI and low >= -128 and high < 256 and (low >= 0 or high < 128):
            return kind, ("uint8", 0 if low >= 0 else -128)
        if kind is Dot.SDOT and low >= -128 and high < 256 and (low >= 0 or high < 128):
            return kind, ("int8", 0 if high < 128 else 128)
    fits = max(-low, high + 1, -least, most + 1) <= 1 << 15
    if fits and machine.dot_for_words() is Dot.PAIRS:
        return Dot.PAIRS, ("int16", 0)
    return Dot.WIDE, None


def _pairs_rows(channels: int, groups: int, space: tuple[int, ...]) -> bool:
    """Whether products of two rows by two columns take fewer instructions: there are rows, and more than one word of
    channels, which are then rounded up to two.
    """
    return prod(space) > 1 and channels > 4 and (groups == 1 or channels % GROUP[Dot.MMLA] == 0)


def _tiled(
    node: Node, machine: Machine, space: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...],
    dilation: tuple[int, ...], groups: int,
) -> tuple[Dot, tuple[str, int]] | None:
    """Give how a matrix unit multiplies, and the type of the operand for it, where that pays; else None."""
    x = node.inputs[0]
    found = _tiles_of(node, machine)
    if found is None or len(x.shape) < 2:
        return None
    each, group = x.shape[-1] // groups, GROUP[found[0]]
    if groups > 1 and each % group:
        return None
    flat = prod(kernel) == prod(strides) == 1
    joined = kernel[-1] if dilation[-1] == groups == 1 else 1
    cut = Cut(prod(space) if flat else space[-1], -(-each // group) * group * joined, WORD // group)
    lines = 1 if flat else prod(space[:-1])
    return found if pays(cut, prod(kernel) // joined, lines, node.shape[-1] // groups) else None


def _tiles_of(node: Node, machine: Machine) -> tuple[Dot, tuple[str, int]] | None:
    """Give which tiles hold a product's operands, and the type of the left one."""
    x, w = node.inputs[0], node.inputs[1]
    if not node.type.is_integer:
        fits = float_type(x) == "bfloat16" and machine.has("amx-bf16") and _short(w)
        return (Dot.AMX_BF16, ("bfloat16", 0)) if fits else None
    low, high = memory_ends(x)
    if max(map(abs, sum_ends(node))) >= 1 << 31 or byte_type(*centred_ends(w)) is None:
        return None
    if low < -128 or high > 255 or (low < 0 and high > 127):
        return None
    if isinstance(x.op, Input) and low < 0:  # an input has a sign if its user says so
        return Dot.AMX, ("int8", 0)
    return Dot.AMX, ("uint8", 0 if low >= 0 else -128)


def _short(w: Node) -> bool:
    """Whether weights are floats that bfloat16 holds."""
    if w.type.is_integer or w.type.value is None:
        return False
    return not (np.ascontiguousarray(w.type.value.data, np.float32).view(np.uint32) & 0xFFFF).any()


def _dot_of_scalars(node: Node, machine: Machine) -> Dot:
    """Choose how products are summed without vectors."""
    if not node.type.is_integer:
        return Dot.FLOAT
    x, w = memory_ends(node.inputs[0]), centred_ends(node.inputs[1])
    out = sum_ends(node)
    if max(-out[0], out[1], -x[0], x[1], -w[0], w[1]) >= 1 << 31:
        return Dot.LONG
    if max(-x[0], x[1] + 1, -w[0], w[1] + 1) > 1 << 15:
        return Dot.WIDE
    return Dot.ACROSS if machine.helium else Dot.DUAL if machine.has("dsp") else Dot.WIDE


def sum_ends(node: Node) -> tuple[int, int]:
    """Bound the sum of products, in units of the product's scale, by the result's interval and the bias."""
    low, high = centred_ends(node)
    factor = whole(divide(product_scale(node), node.type.quantized.scale))
    if (factor == 1).all():  # the sum starts from the bias: what is between may wrap, the result does not
        return low, high
    bias = bias_units(node)
    reach = max(abs(low), abs(high)) + (0 if bias is None else int(np.abs(bias).max()))
    reach = -(-reach // int(factor.min()))
    return -reach, reach


def product_scale(node: Node):  # type: ignore[no-untyped-def]
    """The scale of one product."""
    x, w = node.inputs[:2]
    return multiply(x.type.quantized.scale, w.type.quantized.scale)


def bias_units(node: Node) -> NDArray | None:
    """Give the bias in units of the result's scale; None where there is none, or it is not known."""
    if len(node.inputs) < 3:
        return None
    b = node.inputs[2]
    assert b.type.value is not None
    factor = whole(divide(b.type.quantized.scale, node.type.quantized.scale))
    return np.asarray(b.type.quantized.centre(b.type.value.data.astype(np.int64)) * factor)

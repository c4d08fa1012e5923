"""Where the elements of a tensor stand in memory, and as what."""

from dataclasses import dataclass
from math import prod

import numpy as np

from ...graph import Node
from ...graph.arrays import as_array
from .widths import WIDTHS

Ends = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Element ``i`` of ``shape`` stands at ``offset + sum(i * strides)``, counted in elements of ``dtype``.

    ``base``: the stored integer is the one in memory plus it. ``size`` counts elements, gaps and borders included.
    ``shared``: what is between the elements belongs to others.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]
    offset: int = 0
    size: int = 0
    base: int = 0
    shared: bool = False

    @property
    def bytes(self) -> int:
        """Bytes in all."""
        return self.size * WIDTHS[self.dtype] // 8

    @property
    def dense(self) -> bool:
        """Whether the elements stand in row-major order without gaps."""
        return self.offset == 0 and self.strides == row_major(self.shape) and self.size == prod(self.shape)


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the strides of an array without gaps."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def plain(shape: tuple[int, ...], dtype: str, base: int = 0) -> Layout:
    """Give the layout without gaps."""
    return Layout(shape, dtype, row_major(shape), 0, prod(shape), base)


def bordered(
    shape: tuple[int, ...], dtype: str, border: tuple[tuple[int, int], ...], multiple: int, base: int = 0
) -> Layout:
    """Give the layout of [*space, C] with cells around ``space``, and channels rounded up to a multiple."""
    channels = -(-shape[-1] // multiple) * multiple
    space = tuple(n + sum(b) for n, b in zip(shape[:-1], border, strict=True))
    whole = (*space, channels)
    strides = row_major(whole)
    offset = sum(b[0] * s for b, s in zip(border, strides, strict=False))
    return Layout(shape, dtype, strides, offset, prod(whole), base)


def centred_ends(node: Node) -> Ends:
    """Give the least and the greatest centred integer of any element."""
    low, high = node.type.interval
    return int(low.min()), int(high.max())


def stored_ends(node: Node) -> Ends:
    """Give the least and the greatest stored integer of any element."""
    low, high = centred_ends(node)
    zero = as_array(node.type.quantized.zero)
    top = as_array(getattr(node.type.quantized, "fraction", 0))
    if top.ndim:  # fixed point with a place of the point for each element: stored integers are the shorter ones
        least, greatest = (np.broadcast_to(b, node.shape) for b in node.type.quantized.bounds)
        return int(least.min()), int(greatest.max())
    return low + int(zero.min()), high + int(zero.max())


def memory_ends(node: Node) -> Ends:
    """Give the least and the greatest stored integer of any element, and of the zeros that windows see around them:
    their number may be one that no element has.
    """
    low, high = stored_ends(node)
    zero = as_array(node.type.quantized.zero)
    return min(low, int(zero.min())), max(high, int(zero.max()))


def natural(node: Node) -> Layout:
    """Give the layout of a tensor as a user sees it: the narrowest usual type that holds its format."""
    return plain(node.shape, interface_type(node))


def interface_type(node: Node) -> str:
    """Give the C type of a tensor at the network's surface."""
    if not node.type.is_integer:
        return str(node.type.format)
    low, high = (int(pick(b)) for pick, b in zip((np.min, np.max), node.type.quantized.bounds, strict=True))
    return narrow(low, high)


def float_type(node: Node) -> str:
    """Give the type in which the real values of a tensor stand in memory."""
    return "float32" if node.type.is_integer else str(node.type.format)


def narrow(low: int, high: int) -> str:
    """Give the narrowest type that holds all integers of an interval."""
    sizes = (8, 16, 32, 64)
    if low >= 0:
        return next(f"uint{n}" if n < 32 or high >= 1 << 31 else f"int{n}" for n in sizes if high < 1 << (n - (n > 16)))
    return next(f"int{n}" for n in sizes if -(1 << (n - 1)) <= low and high < 1 << (n - 1))


def arena_type(node: Node, unsigned_bytes: bool) -> tuple[str, int]:
    """Give type and base of a tensor in the arena: bytes with or without sign as the machine multiplies them."""
    if not node.type.is_integer:
        return str(node.type.format), 0
    low, high = memory_ends(node)
    if high - low < 256:
        return _byte(low, high, unsigned_bytes)
    if low >= -(1 << 15) and high < 1 << 15:
        return "int16", 0
    return ("int32", 0) if low >= -(1 << 31) and high < 1 << 31 else ("int64", 0)


def _byte(low: int, high: int, unsigned: bool) -> tuple[str, int]:
    if unsigned:
        base = 0 if low >= 0 and high < 256 else -128 if low >= -128 and high < 128 else low
        return "uint8", base
    base = 0 if low >= -128 and high < 128 else 128 if low >= 0 and high < 256 else low + 128
    return "int8", base


def working_type(low: int, high: int) -> str:
    """Give the type in which integers of an interval are computed."""
    return "int32" if low >= -(1 << 31) and high < 1 << 31 else "int64"

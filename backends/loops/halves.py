"""Floats of 16 bits: their bits, and how these become float32 and back on processors without instructions for it.

Nothing is computed in 16 bits: they are read into float32 and rounded when they are written, halves to even.
"""

from collections.abc import Callable

import numpy as np

from ...graph.arrays import NDArray
from ...graph.formats import FLOATS
from .code import Value, cast, const, intrinsic, reinterpret, select
from .widths import HALVES

Keep = Callable[[Value], Value]
"""Computes a value once."""
INFINITE = 0x7F800000
SMALLEST = {"float16": 113 << 23, "bfloat16": 1 << 23}
"""The least normal number, as the bits of a float32."""
BEYOND = 0x477FF000
"""65520, from which on numbers round to an infinite float16."""


def bits_of(values: NDArray, dtype: str) -> NDArray:
    """Give the nearest floats of 16 bits as their bits, in uint16."""
    rounded = FLOATS[dtype].rounded(np.asarray(values))
    if dtype == "float16":
        return rounded.astype(np.float16).view(np.uint16)
    return (np.ascontiguousarray(rounded).view(np.uint32) >> 16).astype(np.uint16)


def values_of(bits: NDArray, dtype: str) -> NDArray:
    """Give the floats of 16 bits that stand in uint16, as float32."""
    if dtype == "float16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def port_type(dtype: str) -> np.dtype[np.generic]:
    """Give numpy's type of what stands in memory; bfloat16 is that of ml_dtypes, where it is installed, else uint16."""
    if dtype != "bfloat16":
        return np.dtype(dtype)
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(np.uint16)
    found: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
    return found


def fill(held: NDArray, values: NDArray, dtype: str) -> None:
    """Write stored numbers (floats in float32) into memory of a port; it may hold floats of 16 bits as wider ones."""
    if dtype in HALVES and held.dtype.itemsize == 2:
        held[...] = bits_of(values, dtype).view(held.dtype)
    else:
        held[...] = values


def from_port(held: NDArray, dtype: str) -> NDArray:
    """Give what stands in memory as stored numbers: integers as they are, floats in float32."""
    if dtype in HALVES and held.dtype.itemsize == 2:
        return values_of(np.ascontiguousarray(held).view(np.uint16), dtype)
    return held


def widened(keep: Keep, short: Value, dtype: str) -> Value:
    """Give the float32 of bits in uint16."""
    bits = keep(cast(short, "uint32"))
    if dtype == "bfloat16":
        return reinterpret(bits << 16, "float32")
    size = keep(bits & 0x7FFF)
    shifted = keep(size << 13)
    normal = shifted + select(size >= 0x7C00, const(2 * (112 << 23), "uint32"), const(112 << 23, "uint32"))
    small = reinterpret(cast(size, "float32") * 2.0**-24, "uint32")
    return reinterpret(select(size < 0x400, small, normal) | (bits & 0x8000) << 16, "float32")


def narrowed(keep: Keep, value: Value, dtype: str) -> Value:
    """Give the bits, in uint16, of the nearest float of 16 bits."""
    bits = keep(reinterpret(value, "uint32"))
    if dtype == "bfloat16":
        kept = (bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16
        return cast(select(value.differs(value), const(0x7FC0, "uint32"), kept), "uint16")
    size = keep(bits & 0x7FFFFFFF)
    normal = (size + (((size >> 13) & 1) + 0xFFF) - (112 << 23)) >> 13
    small = reinterpret(intrinsic("abs", value) + 0.5, "uint32") - (126 << 23)  # units of 2^-24: rounded by the sum
    found = select(size < SMALLEST[dtype], small, normal)
    found = select(size >= BEYOND, select(size > INFINITE, const(0x7E00, "uint32"), const(0x7C00, "uint32")), found)
    return cast(found | (bits >> 16) & 0x8000, "uint16")

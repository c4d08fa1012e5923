"""The scalar types that kernels compute with."""

WIDTHS = {
    "bool": 1, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64,
    "float16": 16, "bfloat16": 16, "float32": 32, "float64": 64,
}  # fmt: skip
"""Bits of a scalar of each type."""
HALVES = ("float16", "bfloat16")
"""Floats that are only read and written: what is computed with them has 32 bits."""


def is_float(dtype: str) -> bool:
    """Whether a type is one of floats."""
    return dtype.startswith(("float", "bfloat"))


def limits(dtype: str) -> tuple[int, int]:
    """Give the least and the greatest integer of a type."""
    if dtype == "bool":
        return 0, 1
    bits = WIDTHS[dtype]
    return (0, (1 << bits) - 1) if dtype[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)

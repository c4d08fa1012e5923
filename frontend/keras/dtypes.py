"""Data types of layers: the graph computes in float32, and rounds what a layer of 16 bits gives."""

from collections.abc import Mapping

from ...graph import Fixed, Float
from ...graph.formats import BFLOAT, FLOAT, HALF
from ...graph.ops import BOOLEAN, Input
from ..attributes import Attributes

REAL: Mapping[str, Float] = {
    "float32": FLOAT, "float64": FLOAT, "float16": HALF, "mixed_float16": HALF, "bfloat16": BFLOAT,
    "mixed_bfloat16": BFLOAT,
}  # fmt: skip
"""Policies, and what layers that have them compute in; those of float64 differ in their rounding only."""
WHOLE = {f"{sign}int{width}": Fixed(width, width, not sign) for sign in ("", "u") for width in (8, 16, 32)}
"""Whole numbers that an input may be; 64 bits are taken as 32, and numbers that do not fit are an error."""
HINT = "set the policy float32, mixed_float16 or mixed_bfloat16, and save the model again"


def check_dtype(config: Attributes, quantized: bool = False) -> Float:
    """Give the format that a layer computes in. Refuses what is no floating point of 64, 32 or 16 bits.

    ``quantized``: the layer may have weights that Keras 3 quantized, and reads how.
    """
    policy = value = config.take("dtype", None)
    while isinstance(value, Mapping):
        if quantized and value.get("class_name") in ("QuantizedDTypePolicy", "Int4DTypePolicy"):
            inner = value.get("config")
            value = inner.get("source_name") if isinstance(inner, Mapping) and inner.get("mode") else "not a policy"
            break
        if value.get("class_name") not in ("DTypePolicy", "Policy", "FloatDTypePolicy"):
            raise config.refusal("dtype", policy, HINT)
        inner = value.get("config")
        value = inner.get("name") if isinstance(inner, Mapping) else ""
    if quantized and isinstance(value, str) and "_from_" in value:
        value = value.partition("_from_")[2]
    if value is not None and value not in REAL:
        raise config.refusal("dtype", policy if isinstance(policy, str) else value, HINT)
    return FLOAT if value is None else REAL[value]


def input_type(config: Attributes) -> str:
    """Read the type of an input: ``int`` or ``bool`` for what is not real numbers, else nothing."""
    value = config.peek("dtype")
    if value == "bool" or (isinstance(value, str) and value.replace("64", "32") in WHOLE):
        config.take("dtype")
        return "bool" if value == "bool" else "int"
    check_dtype(config)
    return ""


def input_operation(name: str, shape: tuple[int, ...], dtype: object) -> Input:
    """Make an input of the graph, of real numbers, whole numbers, or truth values."""
    if dtype == "bool":
        return Input(name, shape, BOOLEAN, strict=True)
    if isinstance(dtype, str) and dtype in REAL:
        return Input(name, shape, REAL[dtype])
    format = WHOLE.get(dtype.replace("64", "32")) if isinstance(dtype, str) else None
    return Input(name, shape) if format is None else Input(name, shape, format, strict=True)

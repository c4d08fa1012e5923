"""Data types of layers: computing in float32 (or float64) is what the graph means; anything else is refused."""

from collections.abc import Mapping

from ..attributes import Attributes

REAL = ("float32", "float64")
HINT = "set the policy float32 (the weights are kept in float32 anyway) and save the model again"


def check_dtype(config: Attributes) -> None:
    """Refuse a layer that computes in anything but float32 or float64; the latter only differs in its rounding."""
    policy = value = config.take("dtype", None)
    while isinstance(value, Mapping):
        if value.get("class_name") not in ("DTypePolicy", "Policy", "FloatDTypePolicy"):
            raise config.refusal("dtype", policy, HINT)
        inner = value.get("config")
        value = inner.get("name") if isinstance(inner, Mapping) else ""
    if value is not None and value not in REAL:
        raise config.refusal("dtype", policy if isinstance(policy, str) else value, HINT)


def input_type(config: Attributes) -> str:
    """Read the type of an input: ``int`` or ``bool`` for what is not real numbers, else nothing."""
    value = config.peek("dtype")
    if isinstance(value, str) and (value == "bool" or value.startswith(("int", "uint"))):
        config.take("dtype")
        return "bool" if value == "bool" else "int"
    check_dtype(config)
    return ""

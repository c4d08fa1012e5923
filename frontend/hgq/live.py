"""Live models of HGQ2: what their configurations do not say."""

from collections.abc import Iterator
from typing import Any

from ...graph import UnsupportedError


def differences(model: Any) -> Iterator[UnsupportedError]:
    """Give an error for each quantizer that computes otherwise than its configuration says, as files have it."""
    for layer in _flattened(model):
        quantizer: Any = getattr(layer, "quantizer", None)
        conf: Any = getattr(layer, "config", None)
        if type(layer).__name__ != "Quantizer" or not hasattr(quantizer, "overflow_mode"):
            continue
        mode, where = quantizer.overflow_mode, str(layer.name)
        if type(conf).__name__ == "HardTanhConfig" and mode != "SAT":
            what = "HardTanhConfig(symmetric=True), which HGQ2 does not save"
            yield UnsupportedError(what, where=where, hint='use QuantizerConfig(..., overflow_mode="SAT_SYM")')
        wraps = mode == "WRAP" and getattr(quantizer, "_is_weight", False)
        if wraps and not quantizer.trainable and dict(conf or {}).get("trainable", True):
            what = "a frozen layer whose weights wrap: HGQ2 wraps them while it is frozen only"
            yield UnsupportedError(what, where=where, hint="set layer.trainable = True, or give the saved file")


def _flattened(model: Any) -> list[Any]:
    flatten = getattr(model, "_flatten_layers", None)
    return list(flatten()) if flatten is not None else []

"""Live models: the parameters of quantizers that ``get_config`` of qkeras 0.9 leaves out."""

import sys
from collections.abc import Mapping
from typing import Any

from ...graph import UnsupportedError
from .identify import live


def completed(config: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Give the configuration of a live model with its quantizers as they are in memory.

    Raises UnsupportedError where qkeras was told to use another sigmoid than its own hard one, which no file says.
    """
    layers = {layer.name: layer for layer in model.layers}
    entries = config.get("layers")
    if not isinstance(entries, list):
        return dict(config)
    return {**config, "layers": [_completed(entry, layers) for entry in entries]}


def _completed(entry: Any, layers: Mapping[str, Any]) -> Any:
    """Complete one layer; what is not of the usual form stays as it is, for others to complain about."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping):
        return entry
    config = dict(entry["config"])
    layer = layers.get(config.get("name", ""))
    if layer is None:
        return entry
    for key in ("layer", "backward_layer"):
        inner = getattr(layer, "forward_layer" if key == "layer" and hasattr(layer, "forward_layer") else key, None)
        if isinstance(config.get(key), Mapping) and inner is not None:
            config[key] = _completed(config[key], {config[key].get("config", {}).get("name", ""): inner})
    if hasattr(layer, "layers") and "layers" in config:
        config = completed(config, layer)
    return {**entry, "config": {key: _value(layer, key, value) for key, value in config.items()}}


def _value(layer: Any, key: str, value: Any) -> Any:
    """Give a quantizer as the layer has it; other values as they are."""
    if not key.endswith(("activation", "_quantizer")):
        return value
    found = getattr(layer, key if key.endswith("activation") else f"{key}_internal", None)
    if not type(found).__module__.startswith("qkeras.") or not hasattr(found, "get_config"):
        return value
    _check_sigmoid()
    name, config = live(found)
    return {"class_name": name, "config": config}


def _check_sigmoid() -> None:
    sigmoid = getattr(sys.modules.get("qkeras.quantizers"), "_sigmoid", None)
    if sigmoid is not None and getattr(sigmoid, "__name__", "") != "hard_sigmoid":
        hint = 'call qkeras.quantizers.set_internal_sigmoid("hard"), or quantizers with use_real_sigmoid, use_real_tanh'
        raise UnsupportedError(f"qkeras is set to the internal sigmoid {sigmoid.__name__}", hint=hint)

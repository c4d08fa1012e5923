"""From what a configuration says to a quantizer: a dictionary, or text such as ``quantized_bits(4, 0, alpha=1)``."""

import ast
from collections.abc import Mapping
from typing import Any

from ...graph import UnsupportedError, unknown
from ..attributes import Attributes
from .discrete import quantizers as discrete_quantizers
from .functions import QuantizedSigmoid, QuantizedTanh, QuantizedUlaw
from .linear import Bits, HardSwish, QuantizedLinear
from .quantizer import Quantizer
from .relu import QuantizedRelu

QUANTIZERS: dict[str, type[Quantizer]] = {
    "quantized_bits": Bits,
    "quantized_linear": QuantizedLinear,
    "quantized_hswish": HardSwish,
    "quantized_relu": QuantizedRelu,
    "quantized_tanh": QuantizedTanh,
    "quantized_sigmoid": QuantizedSigmoid,
    "quantized_ulaw": QuantizedUlaw,
    **dict(discrete_quantizers()),
}

RANDOM = ("bernoulli", "stochastic_round", "stochastic_round_po2")
LONGEST = 1000


def quantizer_of(identifier: object, *, where: str = "") -> Quantizer | None:
    """Give the quantizer that a configuration names; None for None.

    Raises UnsupportedError where it is not one of qkeras, is random, or has a parameter that is not known.
    """
    if identifier is None:
        return None
    name, config = call_of(identifier, where=where)
    return from_config(name, config, where=where)


def from_config(name: str, config: Mapping[str, Any], *, where: str = "") -> Quantizer:
    """Make a quantizer from its class name and parameters, all of which are read."""
    if name in RANDOM:
        what = f"{name} draws random numbers in inference too"
        raise UnsupportedError(what, where=where, hint="use binary, or quantized_sigmoid, instead")
    if name not in QUANTIZERS:
        error = unknown("quantizer", name, QUANTIZERS, where=where)
        raise UnsupportedError(error.what, where=where, hint=error.hint)
    attributes = Attributes(config, where=where if where.endswith(name) else f"{where}: {name}".removeprefix(": "))
    with attributes:
        return QUANTIZERS[name].read(attributes)


def call_of(identifier: object, *, where: str = "") -> tuple[str, dict[str, Any]]:
    """Give the name and the parameters of what a configuration, a text or a live quantizer names."""
    if isinstance(identifier, str):
        return parse(identifier, where=where)
    if isinstance(identifier, Mapping) and isinstance(identifier.get("class_name"), str):
        config = identifier.get("config") or {}
        if not isinstance(config, Mapping):
            raise UnsupportedError(f"{config!r:.80} is not the configuration of a quantizer", where=where)
        return identifier["class_name"].rpartition(">")[2], dict(config)
    if hasattr(identifier, "get_config") and type(identifier).__module__.split(".")[0] == "qkeras":
        return live(identifier)
    raise UnsupportedError(f"{identifier!r:.80} is not a quantizer", where=where, hint="use one of qkeras")


UNSAVED = ("scale_axis", "is_quantized_clip", "use_ste")
"""Parameters that change the values, or could, and that ``get_config`` of qkeras 0.9 leaves out."""


def live(quantizer: Any) -> tuple[str, dict[str, Any]]:
    """Give the name and the parameters of a live quantizer, with those that its ``get_config`` forgets."""
    config = dict(quantizer.get_config())
    name = type(quantizer).__name__
    known = QUANTIZERS[name].parameters if name in QUANTIZERS else ()
    config.update({key: getattr(quantizer, key) for key in UNSAVED if key in known and hasattr(quantizer, key)})
    return name, {key: _plain(value) for key, value in config.items()}


def _plain(value: Any) -> Any:
    """Give numbers of numpy and TensorFlow as those of Python."""
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.tolist() if hasattr(value, "tolist") else value


def parse(text: str, *, where: str = "") -> tuple[str, dict[str, Any]]:
    """Read ``name`` or ``name(1, key=value)`` with literal values, as qkeras does; nothing is evaluated."""
    bad = UnsupportedError(f"{text[:80]!r} is not a quantizer", where=where, hint="write quantized_bits(4, 0, alpha=1)")
    if len(text) > LONGEST:
        raise bad
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, {}
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise bad
        positional = [ast.literal_eval(argument) for argument in node.args]
        named = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise bad from None
    return node.func.id, _bind(node.func.id, positional, named, bad)


def _bind(name: str, positional: list[Any], named: dict[str | None, Any], bad: UnsupportedError) -> dict[str, Any]:
    """Match positional values with the names of the constructor's parameters."""
    names = QUANTIZERS[name].parameters if name in QUANTIZERS else ()
    if name not in QUANTIZERS:
        return {str(key): value for key, value in named.items()}
    if None in named or len(positional) > len(names) or any(key in names[: len(positional)] for key in named):
        raise bad
    return {**dict(zip(names, positional, strict=False)), **{str(key): value for key, value in named.items()}}

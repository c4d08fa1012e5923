"""From the configuration and the stored variables of a quantizer of HGQ2 to a ``Quantizer``.

Source: hgq/quantizer/config.py and hgq/quantizer/internal of HGQ2 0.2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...graph import Overflow, Rounding, ShapeError
from ...graph.arrays import NDArray
from ..attributes import Attributes
from ..keras.registry import Layer, Weight
from .quantizer import Quantizer

TRAINED = {
    "k0": "where the stored k started",
    "i0": "where the stored i started",
    "f0": "where the stored f started",
    "b0": "where the stored b started",
    "ic": "applied by the optimizer and the trace; the stored bits meet it",
    "fc": "applied by the optimizer; the stored bits meet it",
    "bc": "applied by the optimizer; the stored bits meet it",
    "ir": "a term of the loss",
    "fr": "a term of the loss",
    "br": "a term of the loss",
    "i_decay_speed": "how i changes in training",
    "place": "which defaults the configuration had",
    "homogeneous_axis": "the shape of the stored bits says it",
    "heterogeneous_axis": "the shape of the stored bits says it",
    "qnoise_factor": "mixes values in training only",
}
SUGAR: dict[str, dict[str, Any]] = {
    "QuantizerConfig": {},
    "HardTanhConfig": {"overflow_mode": "SAT", "affine": None},
    "HardSigmoidConfig": {"overflow_mode": "SAT", "affine": [0.25, 0.5]},
}
"""Classes of configurations, with what their get_config leaves out."""
MODES = [o.value for o in (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)]
BITS_LIMIT = 120
"""Beyond, 2^bits is no float32."""


def settings(value: Any) -> Mapping[str, Any] | None:
    """Give the parameters in a serialized configuration, completed; None where there is no quantizer."""
    if not isinstance(value, Mapping):
        return None
    name, config = str(value.get("class_name")).rpartition(">")[2], value.get("config")
    if not isinstance(config, Mapping) or config.get("q_type") == "dummy":
        return None
    return {**config, **SUGAR.get(name, {})}


def variables(value: Any, prefix: str) -> tuple[Weight, ...]:
    """Give what a quantizer stores under ``prefix``, in order: what is trained first."""
    config = settings(value)
    if config is None:
        return ()
    wraps = str(config.get("overflow_mode", "WRAP")).upper() == "WRAP"
    lead = {"kif": "f" if wraps else "if", "kbi": "b" if wraps else "bi", "float": ["m", "e", "e0"]}
    names = [*lead.get(str(config.get("q_type")), "")]
    rest = [] if config.get("q_type") == "float" else ["k", "i", "decay"] if wraps else ["k"]
    return tuple(
        Weight(f"{prefix}/{name}", trainable=name in names, group=f"{prefix}/quantizer") for name in (*names, *rest)
    )


def read_quantizer(layer: Layer, value: Any, prefix: str) -> Quantizer | None:
    """Make the quantizer whose variables stand under ``prefix``; None for none and for the dummy.

    Raises UnsupportedError for floating point, unknown modes and attributes, ShapeError for damaged variables.
    """
    where = f"{layer.place}: {prefix}"
    if value is not None and not isinstance(value, Mapping):
        raise layer.unsupported(f"{prefix} = {str(value)[:80]} is no configuration of a quantizer")
    config = settings(value)
    if config is None or value is None:
        return None
    name = str(value.get("class_name")).rpartition(">")[2]
    if name not in SUGAR:
        raise layer.unsupported(f"{prefix} is a {name}", f"supported: {', '.join(SUGAR)}")
    with Attributes(config, where=where) as attributes:
        return _read(layer, attributes, prefix)


def _read(layer: Layer, config: Attributes, prefix: str) -> Quantizer:
    hint = "use kif or kbi: a float quantizer has no integer form"
    kind = config.choice("q_type", "kif", "kbi", hint=hint)
    config.ignore_all(TRAINED)
    _check_mapper(config)
    rounding = _rounding(config)
    mode = config.text("overflow_mode").upper()
    if mode not in MODES:
        raise config.refusal("overflow_mode", mode, f"supported: {', '.join(MODES)}")
    overflow = Overflow(mode)
    k, i, f = _bits(layer, prefix, kind)
    trained = overflow is Overflow.WRAP and config.boolean("trainable", True) and config.boolean("is_weight", False)
    config.ignore("trainable", "is_weight", why="only change how WRAP treats weights, read above")
    only_rounds = trained and (kind == "kif" or rounding is Rounding.RND)
    return Quantizer(k, i, f, rounding, overflow, only_rounds, _scaler(config), _affine(config))


def _rounding(config: Attributes) -> Rounding:
    """Read the rounding; stochastic modes are random in training only."""
    value = config.text("round_mode").upper().removeprefix("S_")
    if value not in list(Rounding):
        raise config.refusal("round_mode", value, f"supported: {', '.join(Rounding)}, with or without S_")
    return Rounding(value)


def _check_mapper(config: Attributes) -> None:
    mapper = config.take("bw_mapper", None)
    name = mapper.get("registered_name") if isinstance(mapper, Mapping) else None
    if mapper is not None and name != "hgq>DefaultBitwidthMapper":
        raise config.refusal("bw_mapper", mapper, "only HGQ's own mapper, which broadcasts the bits, is known")


def _scaler(config: Attributes) -> float:
    value = 1.0 if config.take("scaler", None) is None else config.real("scaler")
    if value == 0:
        raise config.refusal("scaler", value, "give a number other than 0")
    return value


def _affine(config: Attributes) -> tuple[float, float]:
    value = config.take("affine", None)
    if value is None:
        return 1.0, 0.0
    numbers = value if isinstance(value, list) and len(value) == 2 else ["?"]
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in numbers):
        raise config.refusal("affine", value, "give two numbers, scale and shift")
    return float(numbers[0]), float(numbers[1])


def _bits(layer: Layer, prefix: str, kind: str) -> tuple[NDArray, NDArray, NDArray]:
    """Give k, i and f: the stored numbers rounded, halves to even; of kbi, f is b - i."""
    k, i = _whole(layer, f"{prefix}/k"), _whole(layer, f"{prefix}/i")
    last = _whole(layer, f"{prefix}/{kind[1 if kind == 'kbi' else 2]}")
    if k.shape != i.shape or i.shape != last.shape:
        what = f"k, i and {'b' if kind == 'kbi' else 'f'} of {prefix} have shapes {k.shape}, {i.shape}, {last.shape}"
        raise ShapeError(what, where=layer.place, hint="save the model again")
    if not np.isin(k, (0, 1)).all():
        raise ShapeError(f"k of {prefix} is not 0 or 1", where=layer.place, hint="save the model again")
    return k, i, last - i if kind == "kbi" else last


def _whole(layer: Layer, name: str) -> NDArray:
    """Give stored bits as integers, rounded as HGQ does. Raises ShapeError for NaN and absurd numbers."""
    if layer.guessed and name not in layer.weights:
        return np.array({"k": 1, "i": 2}.get(name.rpartition("/")[2], 6))
    if name not in layer.weights:
        raise ShapeError(f"the file has no {name!r}", where=layer.place, hint="save the model again")
    values = np.asarray(layer.weights[name], np.float64)
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > BITS_LIMIT:
        what = f"{name!r} has values that are no numbers of bits (NaN, infinite or over {BITS_LIMIT})"
        raise ShapeError(what, where=layer.place, hint="the training diverged; load an earlier checkpoint")
    return np.rint(values).astype(np.int64)

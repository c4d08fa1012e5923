"""What a user can ask of the lowering: a default precision, and overrides per layer by name pattern."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..graph import FileError, Fixed, OptionError, Overflow, Rounding, parse_fixed, unknown

DEFAULT_PRECISION = "fixed<16,6>"
LAYER_KEYS = ("name", "precision", "weights", "table_bits", "reuse_factor", "strategy")
PROJECT_KEYS = ("io", "strategy", "reuse_factor", "clock_ns", "hls")
"""What a configuration may say of the project; a back end reads it, the lowering does not."""
TOP_KEYS = ("precision", "weights", "table_bits", "layer", *PROJECT_KEYS)


@dataclass(frozen=True)
class Precision:
    """A fixed-point format and what happens to values that do not fit it."""

    format: Fixed
    rounding: Rounding = Rounding.RND
    overflow: Overflow = Overflow.SAT

    @property
    def width(self) -> int:
        """Bits in all."""
        assert isinstance(self.format.width, int)
        return self.format.width

    @staticmethod
    def parse(text: str, *, where: str = "") -> "Precision":
        """Read ``fixed<16,6>`` and its longer forms."""
        return Precision(*parse_fixed(text, where=where))


@dataclass(frozen=True)
class LayerRule:
    """Overrides for the layers whose name matches ``pattern`` (shell wildcards)."""

    pattern: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Config:
    """Precision of values (``precision``) and of weights (their width; the integer bits follow the weights), bits of a
    table's index; ``project``: what the file says of the project (io, strategy, reuse factor, clock, tool).
    """

    precision: Precision
    explicit: bool = False
    weights: Precision | None = None
    table_bits: int = 12
    rules: tuple[LayerRule, ...] = field(default=())
    project: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def value(self, layer: str, key: str) -> Any:
        """Give what the last matching rule says of ``key`` for ``layer``, or None."""
        found = None
        for rule in self.rules:
            if fnmatchcase(layer, rule.pattern) and key in rule.values:
                found = rule.values[key]
        return found

    def precision_of(self, layer: str) -> tuple[Precision, bool]:
        """Give the precision of a layer's values, and whether the user named it for this layer."""
        found = self.value(layer, "precision")
        return (Precision.parse(found, where=layer), True) if found is not None else (self.precision, False)

    def weights_of(self, layer: str) -> tuple[Precision, bool]:
        """Give the precision of a layer's weights, and whether the user fixed the whole format."""
        found = self.value(layer, "weights")
        if found is not None:
            return Precision.parse(found, where=layer), True
        return (self.weights, True) if self.weights is not None else (self.precision, False)

    def table_bits_of(self, layer: str) -> int:
        """Give how many bits may index a layer's tables."""
        found = self.value(layer, "table_bits")
        return self.table_bits if found is None else int(found)


def make_config(
    precision: str | Precision | None = None, config: "str | Path | Mapping[str, Any] | Config | None" = None
) -> Config:
    """Build the configuration from a precision and a TOML file (or the mapping it holds).

    ``precision`` wins over the file's default.
    """
    if isinstance(config, Config):
        return config
    if not isinstance(config, (str, Path, Mapping, type(None))):
        raise OptionError(f"config = {config!r}", hint="a TOML file, or the mapping that it holds")
    where = str(config) if isinstance(config, (str, Path)) else "config"
    table = _read(Path(config)) if isinstance(config, (str, Path)) else dict(config or {})
    for key in table:
        if key not in TOP_KEYS:
            raise unknown("configuration key", key, TOP_KEYS, where=where)
    chosen = precision if precision is not None else table.get("precision")
    default = (
        chosen
        if isinstance(chosen, Precision)
        else Precision.parse(_text(chosen or DEFAULT_PRECISION, "precision", where), where=where)
    )
    weights = table.get("weights")
    rules = tuple(_rule(entry, i, where) for i, entry in enumerate(_list(table.get("layer", []), where)))
    return Config(
        default,
        chosen is not None,
        None if weights is None else Precision.parse(_text(weights, "weights", where), where=where),
        _bits(table.get("table_bits", 12), where),
        rules,
        {key: table[key] for key in PROJECT_KEYS if key in table},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror}", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileError(f"not TOML: {error}", where=str(path), hint="see docs/configuration.md") from None


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise OptionError(
            "layers are tables", where=where, hint='write [[layer]] with name = "conv*" and what to change'
        )
    return value


def _rule(entry: dict[str, Any], index: int, where: str) -> LayerRule:
    here = f"{where}: layer {index + 1}"
    for key in entry:
        if key not in LAYER_KEYS:
            raise unknown("configuration key", key, LAYER_KEYS, where=here)
    name = _text(entry.get("name"), "name", here)
    for key in ("precision", "weights"):
        if key in entry:
            Precision.parse(_text(entry[key], key, here), where=f"{here}: {key}")
    if "table_bits" in entry:
        _bits(entry["table_bits"], here)
    return LayerRule(name, {k: v for k, v in entry.items() if k != "name"})


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise OptionError(f"{key} = {value!r} is not a string", where=where)
    return value


def _bits(value: Any, where: str) -> int:
    if not isinstance(value, int) or not 4 <= value <= 16:
        raise OptionError(f"table_bits = {value!r}", where=where, hint="4 to 16: a table of n bits has 2^n entries")
    return value

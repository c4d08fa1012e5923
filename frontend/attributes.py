"""The attributes of one layer or operator, each of which must be read: what nobody reads is an error, never dropped."""

from collections.abc import Iterable, Mapping
from math import isfinite
from types import TracebackType
from typing import Any, Final, Self

from ..graph import GatewrightError, ManyErrors, UnsupportedError

REQUIRED: Final = object()
"""Default of the reading functions: the attribute has to be there."""


class Attributes:
    """A mapping that knows which of its keys were read.

    Read with ``take`` and its typed relatives, then call ``done`` (or use it as a context manager): each key that
    nobody read raises UnsupportedError with the attribute and its value. ``where`` names the file and the layer.
    """

    def __init__(self, values: Mapping[str, Any], *, where: str = "") -> None:
        self._values: dict[str, Any] = dict(values)
        self._read: set[str] = set()
        self.where = where

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.done()

    def __repr__(self) -> str:
        return f"Attributes({self._values!r}, where={self.where!r})"

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys that nobody has read yet."""
        return tuple(key for key in self._values if key not in self._read)

    def items(self) -> list[tuple[str, Any]]:
        """Give every key with its value, without counting any as read."""
        return list(self._values.items())

    def values(self) -> list[Any]:
        """Give every value, without counting any as read."""
        return list(self._values.values())

    def peek(self, key: str, default: Any = None) -> Any:
        """Give a value without counting it as read."""
        return self._values.get(key, default)

    def take(self, key: str, default: Any = REQUIRED) -> Any:
        """Give a value of any type, count it as read. Raises UnsupportedError where it is missing without a default."""
        self._read.add(key)
        if key in self._values:
            return self._values[key]
        if default is REQUIRED:
            raise UnsupportedError(f"attribute {key!r} is missing", where=self.where, hint="save the model again")
        return default

    def integer(self, key: str, default: Any = REQUIRED, *, low: int | None = None) -> int:
        """Give a whole number, at least ``low``."""
        value = self.take(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
            raise self.refusal(key, value, f"give a whole number{'' if low is None else f', at least {low}'}")
        return value

    def integers(self, key: str, length: int, default: Any = REQUIRED, *, low: int | None = None) -> tuple[int, ...]:
        """Give ``length`` whole numbers; a single number stands for all of them."""
        value = self.take(key, default)
        items = [value] * length if isinstance(value, int) else value
        if not isinstance(items, (list, tuple)) or len(items) != length or not all(_is_int(v, low) for v in items):
            raise self.refusal(
                key, value, f"give {length} whole numbers{'' if low is None else f', each at least {low}'}"
            )
        return tuple(items)

    def real(self, key: str, default: Any = REQUIRED) -> float:
        """Give a finite number."""
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            raise self.refusal(key, value, "give a finite number")
        return float(value)

    def boolean(self, key: str, default: Any = REQUIRED) -> bool:
        """Give a truth value."""
        value = self.take(key, default)
        if not isinstance(value, bool) and value not in (0, 1):
            raise self.refusal(key, value, "give true or false")
        return bool(value)

    def text(self, key: str, default: Any = REQUIRED) -> str:
        """Give a string."""
        value = self.take(key, default)
        if not isinstance(value, str):
            raise self.refusal(key, value, "give a string")
        return value

    def choice(self, key: str, *allowed: Any, default: Any = REQUIRED, hint: str = "") -> Any:
        """Give a value that must be one of ``allowed``."""
        value = self.take(key, default)
        if not any(value is a or (type(value) is type(a) and value == a) for a in allowed):
            raise self.refusal(key, value, hint or f"supported: {', '.join(map(_short, allowed))}")
        return value

    def expect(self, key: str, *allowed: Any, hint: str = "") -> None:
        """Refuse an attribute that is there with another value than one of ``allowed``, which all do nothing."""
        if key in self._values:
            self.choice(key, *allowed, hint=hint)

    def ignore(self, *keys: str, why: str) -> None:
        """Count keys as read although nothing is done with them; ``why`` says what makes that right."""
        assert why
        self._read.update(keys)

    def ignore_all(self, reasons: Mapping[str, str]) -> None:
        """Ignore every key of a table key -> why."""
        for key, why in reasons.items():
            self.ignore(key, why=why)

    def refusal(self, key: str, value: Any, hint: str = "") -> UnsupportedError:
        """Give the error that says that this value of this attribute is not supported."""
        return UnsupportedError(f"attribute {key!r} = {_short(value)} is not supported", where=self.where, hint=hint)

    def done(self) -> None:
        """Raise UnsupportedError (ManyErrors for several) naming each attribute that nobody read, and its value."""
        raise_all(
            UnsupportedError(
                f"attribute {key!r} = {_short(self._values[key])} is not one that Gatewright knows",
                where=self.where,
                hint="build the layer without it; if it only matters in training, delete it from the configuration",
            )
            for key in self.unread
        )


def raise_all(errors: Iterable[GatewrightError]) -> None:
    """Raise the one error, or all different ones as ManyErrors (flattened); do nothing where there is none."""
    every = [one for error in errors for one in (error.errors if isinstance(error, ManyErrors) else (error,))]
    flat = list({str(one): one for one in every}.values())
    if len(flat) == 1:
        raise flat[0]
    if flat:
        raise ManyErrors(flat)


def _is_int(value: Any, low: int | None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (low is None or value >= low)


def _short(value: Any, limit: int = 120) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "(nested too deeply)"
    return text if len(text) <= limit else text[: limit - 3] + "..."

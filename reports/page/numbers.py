"""Numbers as people read them: as many digits as are known, with units."""

from collections.abc import Mapping
from typing import Any

from ...simulation.figures import Figure

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"))
TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"
EXACT_UP_TO = 1_000_000
"""Exact whole numbers are written out below this."""

KINDS: Mapping[str, str] = {
    "exact": "follows from the design itself, without a run",
    "simulated": "a run of a model of the design, cycle by cycle",
    "estimated": "a model, fitted on reports of other designs or on runs; its source says what its band rests on",
    "measured": "a run of the compiled artefact",
    "vendor": "read from a report of the vendor's tool",
}
"""What each kind of figure is."""


def read(entry: object) -> Figure | None:
    """Read a figure of a manifest; None where there is none. A band that is missing is the value alone."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("value"), (int, float)):
        return None
    value = float(entry["value"])
    low, high = (float(entry.get(end, value)) for end in ("low", "high"))
    kind: Any = entry.get("kind", "estimated")
    return Figure(
        value, min(low, value), max(high, value), str(entry.get("unit", "")), kind, str(entry.get("source", ""))
    )


def whole(number: float) -> str:
    """Write a whole number with separators, or three digits and a prefix where that is shorter: 12,345; 1.23 M."""
    return f"{round(number):,}" if abs(number) < EXACT_UP_TO else short(number)


def short(number: float) -> str:
    """Write three digits and a prefix: 987; 12.3 k; 1.23 M."""
    return _join(*_scaled(number))


def _scaled(number: float, by: float | None = None) -> tuple[str, str]:
    size = abs(number if by is None else by)
    for factor, prefix in PREFIXES:
        if size >= 0.9995 * factor:
            return digits(number / factor), prefix
    return (f"{round(number)}" if float(number).is_integer() else digits(number)), ""


def digits(number: float) -> str:
    """Write three significant digits without an exponent."""
    if number == 0:
        return "0"
    if abs(number) < 0.1:
        return f"{number:.3g}"
    places = 3 if abs(number) < 0.9995 else 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    return f"{number:,.{places}f}"


def seconds(number: float) -> str:
    """Write a time with the unit that suits it."""
    factor, unit = _second(number)
    return f"{digits(number / factor)} {unit}"


def _second(number: float) -> tuple[float, str]:
    return next(((f, u) for f, u in SECONDS if abs(number) >= 0.9995 * f), SECONDS[-1] if number else SECONDS[0])


def percent(share: float) -> str:
    """Write a share in percent: 0.4 %; 37 %; 1,250 %."""
    hundredths = 100 * share
    places = 0 if abs(hundredths) >= 9.95 or hundredths == 0 else 1 if abs(hundredths) >= 0.95 else 2
    return "< 0.01 %" if 0 < hundredths < 0.005 else f"{hundredths:,.{places}f} %"


def shown(figure: Figure) -> str:
    """Write a figure's value: exact ones in full, others to three digits."""
    match figure.unit:
        case "s":
            return seconds(figure.value)
        case "ns":
            return f"{digits(figure.value)} ns"
        case _ if figure.value.is_integer() and (figure.is_exact or abs(figure.value) < 1e4):
            return whole(figure.value)
        case _:
            return short(figure.value) if abs(figure.value) >= 1e4 else digits(figure.value)


def band(figure: Figure) -> str:
    """Write a figure's band, in one unit; nothing where the value is exact."""
    if figure.is_exact:
        return ""
    if figure.unit == "s":
        factor, unit = _second(figure.high)
        return f"{digits(figure.low / factor)} to {digits(figure.high / factor)} {unit}"
    if figure.unit == "ns" or abs(figure.high) < 1e4:
        return f"{_plain(figure.low)} to {_plain(figure.high)}" + (" ns" if figure.unit == "ns" else "")
    if 0 < figure.low < figure.high / 100:
        return f"{short(figure.low)} to {short(figure.high)}"
    (low, _), (high, prefix) = _scaled(figure.low, figure.high), _scaled(figure.high)
    return f"{low} to {_join(high, prefix)}"


def _plain(number: float) -> str:
    return f"{round(number):,}" if float(number).is_integer() else digits(number)


def _join(number: str, prefix: str) -> str:
    return f"{number} {prefix}" if prefix else number


def about(figure: Figure) -> str:
    """Say all of a figure in a line: value, band, kind and source."""
    unit = "" if figure.unit in ("", "count") else f" {figure.unit}"
    between = "" if figure.is_exact else f", band {figure.low:.6g} to {figure.high:.6g}"
    return f"{figure.value:.6g}{unit}{between}; {figure.kind}: {figure.source or 'no source recorded'}"


def shape_text(shape: object) -> str:
    """Write a shape: 8×8×16."""
    return TIMES.join(map(str, shape)) or "scalar" if isinstance(shape, (list, tuple)) else ""

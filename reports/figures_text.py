"""Figures of a cost as text for a terminal."""

from collections.abc import Mapping
from typing import Any

Entry = Mapping[str, Any]
BOUNDS = {"multiply": "multiplications", "memory": "loads and stores", "branch": "branches", "other": "arithmetic"}
"""What most instructions of a layer of firmware are, in words."""


def figure(entry: Entry | None, unit: str) -> str:
    """Spell a figure with its band: ``1,234 (1,100 to 1,400) cycles``; "" for none."""
    if entry is None:
        return ""
    spell = (lambda v: f"{si(v)}{unit}") if unit == "s" else number
    band = "" if entry["low"] == entry["high"] else f" ({spell(entry['low'])} to {spell(entry['high'])})"
    return f"{spell(entry['value'])}{band}" + (f" {unit}" if unit not in ("", "s") else "")


def number(value: float) -> str:
    """Write a number in three digits, or whole."""
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def si(value: float) -> str:
    """Spell a number with three digits and a prefix: 12.3 k, 4.56 µ."""
    for scale, prefix in PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}".rstrip() + ("" if prefix else " ")
    return f"{value:.3g} "


PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def bytes_text(count: float) -> str:
    """Write bytes: 812 bytes, 51.2 KiB, 3.45 MiB."""
    for scale, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= scale:
            return f"{count / scale:,.3g} {unit}"
    return f"{count:,.0f} bytes"

"""Bars with bands: a value between its low and high end, against a limit."""

from ...simulation.figures import Figure
from . import numbers
from .drawing import HEIGHT, box, dot, draw, rule

FULL, NEARLY = 1.0, 0.8


def meter(label: str, figure: Figure, available: int) -> str:
    """Draw a count against what is there; beyond the whole device the scale grows with it."""
    most = max(available, 1)
    low, value, high = figure.low / most, figure.value / most, figure.high / most
    scale = max(FULL, high * 1.02)
    state = "over" if high > FULL else "near" if high > NEARLY else "fine"
    parts = [
        box(0, FULL / scale, "track", top=3, height=HEIGHT - 6),
        box(0, value / scale, f"fill {state}", top=3, height=HEIGHT - 6),
        box(low / scale, high / scale, "range", top=5, height=HEIGHT - 10) if high > low else None,
        rule(NEARLY / scale, "nearly", top=3, bottom=HEIGHT - 3),
        rule(FULL / scale, "limit"),
        dot(value / scale, "mark"),
    ]
    span = numbers.band(figure)
    words = f"{label}: {numbers.shown(figure)}{f' ({span})' if span else ''} of {available:,}, {numbers.percent(value)}"
    return draw(words, [p for p in parts if p is not None])

"""Ranges: proved, seen, and the bits of each format that nothing can toggle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import numbers
from ..bits import Format, draw_bits, needed, parse
from ..panel import Document, Panel
from ..template import fill


@dataclass(frozen=True)
class Span:
    """What is known of the values of one tensor; ``idle`` bits at the top never toggle for any input, ``asleep`` did
    not on the samples (None: no samples).
    """

    name: str
    source: str
    format: str
    proved: str
    seen: str
    idle: int
    asleep: int | None
    clipped: int
    count: int
    bits: str

    @property
    def share(self) -> str:
        """The part of the values that overflow changed."""
        return numbers.percent(self.clipped / self.count) if self.count else ""


def ranges(document: Document) -> Panel | None:
    """List every tensor with its ranges."""
    entries = [*document.get("inputs", ()), *document.get("layers", ())]
    found = [_span(e) for e in entries if (e.get("range") or {}).get("proved")]
    if not found:
        return None
    html = fill(
        "ranges.html", spans=found, sampled=any(s.seen for s in found), idle=sum(s.idle for s in found),
        clipped=sum(s.clipped > 0 for s in found),
    )  # fmt: skip
    return Panel("ranges", "Ranges and bits", html, 600, "Ranges")


def _span(entry: Mapping[str, Any]) -> Span:
    span = entry["range"]
    form, text = parse(str(entry.get("format", ""))), str(entry.get("format", ""))
    proved, seen = _pair(span.get("proved")), _pair(span.get("seen"))
    idle = _spare(form, proved)
    asleep = None if seen is None else max(_spare(form, seen), idle)
    name = str(entry.get("name", ""))
    sleeping = f", {asleep} did not on the samples" if asleep is not None else ""
    words = f"{name}: {text}, {idle} bits never toggle{sleeping}"
    return Span(
        name, str(entry.get("source", "")), text, _text(proved), _text(seen), idle, asleep, int(span.get("clipped", 0)),
        int(span.get("count", 0)), draw_bits(words, form, idle, asleep) if form else "",
    )  # fmt: skip


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return (float(values[0]), float(values[1])) if values else None


def _text(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.4g} to {pair[1]:.4g}".replace("-", numbers.MINUS)


def _spare(form: Format | None, pair: tuple[float, float] | None) -> int:
    """Bits at the top that a range leaves alone."""
    if form is None or pair is None:
        return 0
    return min(max(form.integer - needed(pair, signed=form.signed), 0), form.width)

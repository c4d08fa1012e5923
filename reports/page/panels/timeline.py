"""Time: what each process or layer does in which cycle of one inference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import numbers
from ..document import Row, cost, rows
from ..drawing import HEIGHT, box, draw
from ..panel import Document, Panel
from ..template import fill

TICKS = 5


@dataclass(frozen=True)
class Bar:
    """A row of the timeline: cycles from ``start`` to ``end``, output from ``out`` on. ``busy``, ``waits_input``,
    ``waits_output``: shares of the time of the whole run, where it was simulated.
    """

    name: str
    start: float
    end: float
    out: float
    busy: float | None = None
    waits_input: float | None = None
    waits_output: float | None = None

    @property
    def words(self) -> str:
        """The bar in words."""
        first = f", first output in {self.out:,.0f}" if self.out > self.start else ""
        return f"{self.name}: cycles {self.start:,.0f} to {self.end:,.0f}{first}"


def timeline(document: Document) -> Panel | None:
    """Draw the simulated processes of a streaming design, else the layers' latencies one after another."""
    stream = cost(document).get("stream") or {}
    bars = [_process(p) for p in stream.get("processes", ())]
    simulated = bool(bars)
    bars = bars or _in_turn(rows(document), document)
    if not bars:
        return None
    end = max(max(bar.end for bar in bars), 1.0)
    period = _period(document)
    html = fill(
        "timeline.html", bars=[(bar, _draw(bar, end)) for bar in bars], simulated=simulated, ticks=_ticks(end, period),
        stream=stream, latency=stream.get("latency"), interval=stream.get("interval"), first=stream.get("first_output"),
        frames=stream.get("frames"),
    )  # fmt: skip
    return Panel("timeline", "Timeline of one inference", html, 200, "Timeline")


def _process(entry: Mapping[str, Any]) -> Bar:
    """Read a process: its first frame, and how it spends the whole run."""
    start, last = max(float(entry["frame"][0]), 0.0), max(float(entry["frame"][1]) + 1, 0.0)
    out = float(entry.get("first_write", start))
    waits = [entry.get(name) for name in ("busy", "waits_input", "waits_output")]
    total = sum(w or 0 for w in waits) or 1
    shares = [None if w is None else w / total for w in waits]
    return Bar(str(entry["name"]), start, last, last if out < 0 else out, *shares)


def _in_turn(found: Sequence[Row], document: Document) -> list[Bar]:
    """Start each layer when those that it reads are done."""
    ends: dict[str, float] = {}
    made: list[Bar] = []
    last = 0.0
    for row in found:
        figure = row.figure("latency_cycles")
        if figure is None:
            continue
        reads = row.cost.get("inputs", ())
        start = max((ends[i] for i in reads if i in ends), default=0.0) if reads else last
        last = start + figure.value
        ends |= {str(name): last for name in row.cost.get("outputs", (row.name,))}
        made.append(Bar(row.name, start, last, start))
    return made


def _period(document: Document) -> float | None:
    """Seconds of a cycle: the clock that was asked for."""
    asked = document.get("options", {}).get("clock_ns")
    return float(asked) * 1e-9 if asked else None


def _ticks(end: float, period: float | None) -> list[tuple[str, str, str]]:
    """Give places across in percent, with cycles and time."""
    step = _step(end)
    at = [i * step for i in range(int(end / step) + 1)]
    return [(f"{100 * t / end:.2f}", numbers.whole(t), numbers.seconds(t * period) if period else "") for t in at]


def _step(end: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that gives about five ticks."""
    rough, power = end / TICKS, 1.0
    while power * 10 <= rough:
        power *= 10
    return next((power * n for n in (1, 2, 5) if power * n >= rough), power * 10) if rough > 1 else 1.0


def _draw(bar: Bar, end: float) -> str:
    words = bar.words
    last = max(bar.end, bar.start + end / 500)
    parts = [box(bar.start / end, last / end, "span", top=3, height=HEIGHT - 6, title=words)]
    if bar.out < bar.end:
        parts.append(box(max(bar.out, bar.start) / end, last / end, "writing", top=3, height=HEIGHT - 6, title=words))
    return draw(words, parts, name="gantt")

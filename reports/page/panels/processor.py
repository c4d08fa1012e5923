"""A library on a processor: where its time goes, layer by layer, and which tensors stand in its arena when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import numbers
from ..document import cost
from ..drawing import box, draw, rule
from ..panel import Document, Panel
from ..template import fill

TALL = 220.0
"""Height of the picture of the arena in pixels."""
FEWEST = 0.4
"""Shares of time (in percent of the longest) below which a bar is drawn as a line."""


@dataclass(frozen=True)
class Call:
    """A row of the table: ``share`` of the whole time, ``rate``: products a second."""

    name: str
    entry: Mapping[str, Any]
    share: float
    bar: str

    @property
    def rate(self) -> float:
        """Products a second; 0 where nothing is multiplied."""
        seconds = float(self.entry["latency_s"])
        return self.entry["macs"] / seconds if seconds else 0.0


def processor(document: Document) -> Panel | None:
    """Show one row a kernel of the library in its order: time, share, instructions, the roofline, what bounds it."""
    found = cost(document).get("processor") or {}
    layers: Sequence[Mapping[str, Any]] = found.get("layers", ())
    if not layers:
        return None
    total = sum(float(layer["latency_s"]) for layer in layers) or 1.0
    most = max(float(layer["latency_s"]) for layer in layers) or 1.0
    calls = [
        Call(str(layer["source"] or layer["name"]), layer, layer["latency_s"] / total, _bar(layer, most))
        for layer in layers
    ]
    html = fill(
        "processor.html", calls=calls, core=found, bounds=_bounds(layers, total), levels=_levels(layers),
        assumed=found.get("clock_assumed"),
    )  # fmt: skip
    return Panel("processor", "Time on the processor", html, 200, "Time")


def _bar(layer: Mapping[str, Any], most: float) -> str:
    """Draw a layer's time, and the part of it that the core's peak would leave."""
    share = float(layer["latency_s"]) / most
    words = f"{numbers.seconds(layer['latency_s'])}, {numbers.percent(layer['roofline'])} of it at the core's peak"
    parts = [box(0, max(share, FEWEST / 100), "span", top=4, height=8, title=words)]
    parts.append(box(0, share * float(layer["roofline"]), "writing", top=4, height=8, title=words))
    return draw(words, parts)


def _bounds(layers: Sequence[Mapping[str, Any]], total: float) -> list[tuple[str, float]]:
    """Give the shares of the time by what bounds it, the greatest first."""
    found: dict[str, float] = {}
    for layer in layers:
        found[str(layer["bound"])] = found.get(str(layer["bound"]), 0.0) + layer["latency_s"] / total
    return sorted(found.items(), key=lambda each: -each[1])


def _levels(layers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Give the bytes that come from behind each cache in one inference."""
    names = {"level2": "second cache", "level3": "third cache", "memory": "memory"}
    sums = {key: sum(layer["moved"].get(key, 0) for layer in layers) for key in names}
    return [(names[key], f"{numbers.short(size)}B") for key, size in sums.items() if size]


def arena(document: Document) -> Panel | None:
    """Draw the tensors of the arena over the steps of the network: across time, up addresses."""
    found = cost(document)
    blocks = (found.get("processor") or {}).get("blocks", ())
    size = numbers.read((found.get("memory") or {}).get("arena_bytes"))
    if not blocks or size is None:
        return None
    steps = max(b["last"] for b in blocks) + 1
    alive = [sum(b["bytes"] for b in blocks if b["first"] <= step <= b["last"]) for step in range(steps)]
    fullest = max(range(steps), key=alive.__getitem__)
    parts = [rule((fullest + 0.5) / steps, "limit", bottom=TALL)]
    for k, b in enumerate(blocks):
        below = TALL * (b["offset"] + b["bytes"]) / size.value
        title = f"{b['bytes']:,} bytes at {b['offset']:,}, steps {b['first']} to {b['last']}"
        tall = max(TALL * b["bytes"] / size.value - 1, 1)
        name = "fill fine" if k % 2 else "span"
        parts.append(
            box(b["first"] / steps, (b["last"] + 1) / steps, name, top=TALL - below, height=tall, title=title)
        )
    words = f"{len(blocks)} tensors in {size.value:,.0f} bytes over {steps} steps"
    html = fill(
        "arena.html", picture=draw(words, parts, height=TALL, name="gantt"), size=size, steps=steps,
        fullest=_step(document, fullest), alive=alive[fullest], blocks=len(blocks),
        sum=sum(b["bytes"] for b in blocks),
    )  # fmt: skip
    return Panel("arena", "Memory over the steps of the network", html, 300, "Memory")


def _step(document: Document, step: int) -> str:
    """Name the layer that runs in a step."""
    layers = cost(document)["processor"]["layers"]
    if 1 <= step <= len(layers):
        layer = layers[step - 1]
        return str(layer["source"] or layer["name"])
    return f"step {step}"


__all__ = ["arena", "processor"]

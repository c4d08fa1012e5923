"""FIFOs of a streaming design: their depth against what is used of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..document import cost
from ..drawing import HEIGHT, box, draw, rule, steps
from ..panel import Document, Panel
from ..template import fill


@dataclass(frozen=True)
class Fifo:
    """A FIFO: depths in packs of ``width`` bits; None where it is not known."""

    name: str
    writer: str
    reader: str
    width: int
    depth: int
    most: int | None
    stall_free: int | None
    deadlock_free: int | None
    packs: int | None
    occupancy: tuple[Sequence[float], Sequence[float]] | None = None

    @property
    def state(self) -> str:
        """What the depth leads to."""
        if self.deadlock_free is not None and self.depth < self.deadlock_free:
            return "deadlock"
        if self.stall_free is not None and self.depth < self.stall_free:
            return "waits" if self.writer.startswith("source ") else "stalls"
        return "full speed" if self.stall_free is not None else ""

    @property
    def words(self) -> str:
        """The FIFO in words."""
        known = {"largest occupancy": self.most, "stall-free": self.stall_free, "deadlock-free": self.deadlock_free}
        return f"{self.name}: depth {self.depth:,}" + "".join(f", {k} {v:,}" for k, v in known.items() if v is not None)


def fifos(document: Document) -> Panel | None:
    """Draw each FIFO's depth with the largest occupancy and the smallest depths."""
    found = [_read(entry) for entry in (cost(document).get("stream") or {}).get("fifos", ())]
    if not found:
        return None
    bits = {"now": sum(f.depth * f.width for f in found)}
    if all(f.stall_free is not None for f in found):
        bits["stall"] = sum((f.stall_free or 0) * f.width for f in found)
    if all(f.deadlock_free is not None for f in found):
        bits["deadlock"] = sum((f.deadlock_free or 0) * f.width for f in found)
    html = fill(
        "fifos.html",
        fifos=[(f, _draw(f), _over_time(f)) for f in found],
        timed=any(f.occupancy for f in found),
        certain=any(f.deadlock_free is not None for f in found),
        bits=bits,
    )
    return Panel("fifos", "FIFOs", html, 500)


def _read(entry: Mapping[str, Any]) -> Fifo:
    def whole(name: str) -> int | None:
        return None if entry.get(name) is None else int(entry[name])

    return Fifo(
        str(entry["name"]), str(entry.get("writer", "")), str(entry.get("reader", "")), int(entry.get("width", 1)),
        int(entry.get("depth", 1)), whole("most"), whole("stall_free"), whole("deadlock_free"), whole("packs"),
        entry.get("occupancy"),
    )  # fmt: skip


def _over_time(fifo: Fifo) -> str:
    if not fifo.occupancy or not all(fifo.occupancy):
        return ""
    return steps(f"{fifo.name}: packs over the simulated frames, up to {fifo.most}", *fifo.occupancy, top=fifo.depth)


def _draw(fifo: Fifo) -> str:
    scale = float(max(fifo.depth, fifo.most or 0, fifo.stall_free or 0, fifo.deadlock_free or 0, 1))
    parts = [box(0, fifo.depth / scale, "track", top=3, height=HEIGHT - 6)]
    if fifo.most is not None:
        parts.append(box(0, fifo.most / scale, "fill fine", top=3, height=HEIGHT - 6))
    if fifo.deadlock_free is not None:
        parts.append(rule(fifo.deadlock_free / scale, "deadlock", top=1, bottom=HEIGHT - 1))
    if fifo.stall_free is not None:
        parts.append(rule(fifo.stall_free / scale, "stall", top=1, bottom=HEIGHT - 1))
    return draw(fifo.words, parts, name="fifo")

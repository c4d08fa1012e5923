"""What the page reads of a manifest: layers of the hardware with the steps of the graph that they carry out, groups of
steps by the layer of the source model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ...simulation.design import RESOURCES
from ...simulation.figures import Figure
from . import numbers
from .panel import Document

Entry = Mapping[str, Any]
LEVELS: Mapping[str, str] = {
    "hls": "HLS report", "synthesis": "After logic synthesis", "implementation": "After place and route",
}  # fmt: skip
NAMES: Mapping[str, str] = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM"}


@dataclass(frozen=True)
class Group:
    """Steps that follow each other and come from one layer of the source model."""

    index: int
    source: str
    steps: tuple[Entry, ...]

    @property
    def last(self) -> Entry:
        """The step that gives the layer's result."""
        return self.steps[-1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(int(step.get("macs", 0)) for step in self.steps)


@dataclass(frozen=True)
class Row:
    """A layer of the hardware, or a step of the graph where the hardware is not described.

    ``cost``: its entry of the manifest's cost; ``steps``: the steps that it carries out (none for what only moves).
    """

    index: int
    name: str
    source: str
    cost: Entry
    steps: tuple[Entry, ...]

    @property
    def op(self) -> str:
        """What it does: dense, conv2d, relu."""
        own = str(self.cost.get("op", ""))
        if own in ("kernel", "activation", "merge") and self.cost.get("function"):
            return str(self.cost["function"])
        return own or (str(self.steps[0].get("op", "")) if self.steps else "")

    @property
    def shape(self) -> Sequence[int]:
        """The shape of its result, empty where it is not known."""
        return self.steps[-1].get("shape", ()) if self.steps else ()

    @property
    def format(self) -> str:
        """The number format of its result."""
        return str(self.steps[-1].get("format", "")) if self.steps else ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(int(step.get("macs", 0)) for step in self.steps)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(int(step.get("parameters", 0)) for step in self.steps)

    @property
    def note(self) -> str:
        """What decides its cycles, in a few words."""
        return str(self.cost.get("note", ""))

    def figure(self, name: str) -> Figure | None:
        """Give ``latency_cycles`` or ``interval_cycles``."""
        return numbers.read(self.cost.get(name))

    def count(self, level: str, resource: str) -> Figure | None:
        """Give what it takes of a resource at a level."""
        return numbers.read(self.cost.get("levels", {}).get(level, {}).get(resource))


def groups(document: Document) -> list[Group]:
    """Fold the steps of each layer of the source."""
    runs = groupby(document.get("layers", ()), key=lambda step: str(step.get("source") or step["name"]))
    return [Group(i, source, tuple(steps)) for i, (source, steps) in enumerate(runs)]


def rows(document: Document) -> list[Row]:
    """Give the layers of the hardware in its order, with the steps of the graph that each carries out."""
    costs = {str(c["name"]): c for c in cost(document).get("layers", ())}
    steps = {str(s["name"]): s for s in document.get("layers", ())}
    if not costs:
        return [Row(i, name, str(s.get("source", "")), {}, (s,)) for i, (name, s) in enumerate(steps.items())]
    owned: dict[str, list[Entry]] = {name: [] for name in costs}
    owner: dict[str, str] = {}
    for name, step in steps.items():
        before = next((owner[i] for i in step.get("inputs", ()) if i in owner), None)
        owner[name] = name if name in costs else before or ""
        owned.get(owner[name], []).append(step)
    return [Row(i, n, str(c.get("source", "")), c, tuple(owned[n])) for i, (n, c) in enumerate(costs.items())]


def cost(document: Document) -> Entry:
    """Give the manifest's cost, empty where there is none."""
    found = document.get("cost")
    return found if isinstance(found, Mapping) else {}


def levels(document: Document) -> dict[str, dict[str, Figure]]:
    """Give the counts of the whole design, level by level; what is not known is absent."""
    found = {level: _counts(cost(document).get("levels", {}).get(level, {})) for level in LEVELS}
    return {level: counts for level, counts in found.items() if counts}


def _counts(entry: Entry) -> dict[str, Figure]:
    read = {name: numbers.read(entry.get(name)) for name in RESOURCES}
    return {name: figure for name, figure in read.items() if figure is not None}


def fitted(document: Document) -> tuple[str, dict[str, Figure]]:
    """Give the level that is compared with the device, and its counts: after logic synthesis where that is known."""
    known = levels(document)
    for level in ("synthesis", "implementation", "hls"):
        if level in known:
            return level, known[level]
    counts = _counts(cost(document).get("resources", {}))
    return ("synthesis" if counts else ""), counts


def row_levels(found: Sequence[Row]) -> list[str]:
    """Name the levels at which layers are counted."""
    return [level for level in LEVELS if any(level in row.cost.get("levels", {}) for row in found)]


def figures(document: Document) -> Iterator[tuple[tuple[str, ...], Figure]]:
    """List every figure of the cost with the keys that lead to it (those of lists left out)."""
    for name, entry in cost(document).items():
        yield from _walk((name,), entry)


def _walk(path: tuple[str, ...], entry: object) -> Iterator[tuple[tuple[str, ...], Figure]]:
    if (figure := numbers.read(entry)) is not None:
        yield path, figure
    elif isinstance(entry, Mapping):
        for name, inner in entry.items():
            yield from _walk((*path, str(name)), inner)
    elif isinstance(entry, (list, tuple)):
        for inner in entry:
            yield from _walk(path, inner)

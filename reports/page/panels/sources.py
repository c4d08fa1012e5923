"""Where the numbers come from."""

from dataclasses import dataclass

from ..document import LEVELS, NAMES, figures
from ..numbers import KINDS
from ..panel import Document, Panel
from ..template import fill

WORDS = {
    "latency_cycles": "Latency", "interval_cycles": "Interval", "latency_s": "Latency", "interval_s": "Interval",
    "clock_ns": "Clock period", "power_w": "Power",
}  # fmt: skip
OWN = (
    ("Formats, MACs, weights", "exact", "the integer graph"),
    ("Proved ranges", "exact", "interval analysis over the actual weights, for every input that the formats allow"),
)
SAMPLES = ("Seen ranges, values that overflow", "measured", "the integer graph, run on the samples given to compile")
VERIFIED = "the integer graph compared with the artefact, integer by integer"


@dataclass(frozen=True)
class Source:
    """What a source is the source of, how many figures of the page have it."""

    parts: str
    kind: str
    text: str
    count: int


def sources(document: Document) -> Panel | None:
    """List the kinds and sources of every figure."""
    counted: dict[tuple[str, str], dict[str, int]] = {}
    for path, figure in figures(document):
        parts = counted.setdefault((figure.kind, figure.source or "not recorded"), {})
        parts[_part(path)] = parts.get(_part(path), 0) + 1
    found = [Source(", ".join(sorted(p)), kind, text, sum(p.values())) for (kind, text), p in sorted(counted.items())]
    html = fill("sources.html", own=_own(document), sources=found, kinds=KINDS)
    return Panel("sources", "Where the numbers come from", html, 900, "Sources")


def _own(document: Document) -> list[tuple[str, str, str]]:
    rows = list(OWN)
    if any("seen" in (e.get("range") or {}) for e in document.get("layers", ())):
        rows.append(SAMPLES)
    if document.get("verification", {}).get("status") in ("exact", "failed"):
        rows.append(("Verification", "measured", VERIFIED))
    return rows


def _part(path: tuple[str, ...]) -> str:
    """Name a figure by the keys that lead to it: LUT (after logic synthesis)."""
    level = next((LEVELS[key].lower() if key != "hls" else LEVELS[key] for key in path if key in LEVELS), "")
    name = NAMES.get(path[-1]) or WORDS.get(path[-1]) or path[-1].replace("_", " ")
    return f"{name} ({level})" if level else name

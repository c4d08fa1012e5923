"""Where the numbers come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..document import LEVELS, NAMES, figures
from ..numbers import KINDS
from ..panel import Document, Panel
from ..template import fill

WORDS = {
    "latency_cycles": "Latency", "interval_cycles": "Interval", "latency_s": "Latency", "interval_s": "Interval",
    "clock_ns": "Clock period", "power_w": "Power", "instructions": "Instructions", "arena_bytes": "Arena",
    "constants_bytes": "Constants", "library_bytes": "Library",
}  # fmt: skip
OWN = (
    ("Formats, MACs, weights", "exact", "the integer graph"),
    ("Proved ranges", "exact", "interval analysis over the actual weights, for every input that the formats allow"),
)
SAMPLES = ("Seen ranges, values that overflow", "measured", "the integer graph, run on the samples given to compile")
VERIFIED = "the integer graph compared with the artefact, integer by integer"


@dataclass(frozen=True)
class Source:
    """What a source is the source of and at which levels, how many figures have it."""

    parts: str
    levels: str
    kind: str
    text: str
    count: int


def sources(document: Document) -> Panel | None:
    """List the kinds and sources of every figure."""
    found: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for path, figure in figures(document):
        found.setdefault((figure.kind, figure.source or "not recorded"), []).append(path)
    made = [_source(kind, text, paths) for (kind, text), paths in sorted(found.items())]
    html = fill("sources.html", own=_own(document), sources=made, kinds=KINDS)
    return Panel("sources", "Where the numbers come from", html, 900, "Sources")


def _source(kind: str, text: str, paths: Sequence[tuple[str, ...]]) -> Source:
    last = dict.fromkeys(path[-1] for path in paths)
    names = dict.fromkeys(
        NAMES.get(n) or WORDS.get(n) or n.replace("_", " ") for n in (*NAMES, *WORDS, *last) if n in last
    )
    at = [title for level, title in LEVELS.items() if any(level in path for path in paths)]
    return Source(", ".join(names), ", ".join(at), kind, text, len(paths))


def _own(document: Document) -> list[tuple[str, str, str]]:
    rows = list(OWN)
    if any("seen" in (e.get("range") or {}) for e in document.get("layers", ())):
        rows.append(SAMPLES)
    if document.get("verification", {}).get("status") in ("exact", "failed"):
        rows.append(("Verification", "measured", VERIFIED))
    return rows

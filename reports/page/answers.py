"""What a person asks first: is it right, does it fit, how fast is it, what should be changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from ...simulation.figures import Figure
from . import numbers
from .document import LEVELS, NAMES, cost, fitted
from .panel import Document

State: TypeAlias = Literal["good", "care", "bad", "open"]
MOST_NAMES = 4
APPLY = "gatewright fifo --apply"
NEARLY = 0.8
"""From this share of a resource on, placing and routing gets hard."""


@dataclass(frozen=True)
class Answer:
    """``verdict``: in a word or two; ``text``: a sentence; ``figures``: what it rests on, by what each is."""

    question: str
    state: State
    verdict: str
    text: str
    figures: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    more: str = ""


@dataclass(frozen=True)
class Action:
    """Something to do, or to know: ``what`` is the case ``where``, ``hint`` what to try."""

    state: State
    what: str
    where: str = ""
    hint: str = ""

    @property
    def text(self) -> str:
        """What is the case, as a sentence where it does not begin with a name."""
        return sentence(self.what) if not self.where and self.state != "open" else f"{self.what.rstrip('.')}."


def answers(document: Document) -> tuple[Answer, ...]:
    """Answer the four questions."""
    return (_right(document), _fits(document), _fast(document), _change(actions(document)))


def _right(document: Document) -> Answer:
    question, entry = "Does it compute the right thing?", document.get("verification", {})
    vectors, engine = int(entry.get("vectors", 0)), str(entry.get("engine", ""))
    match entry.get("status"):
        case "exact":
            text = f"The {engine} equals the integer graph in every bit on all {vectors:,} vectors."
            return Answer(question, "good", "Exact", text)
        case "close":
            text = f"The {engine} is within {entry.get('difference', 0):.1e} of the graph on all {vectors:,} vectors"
            allowed = f" (allowed: {entry.get('tolerance', 0):g} of an output's largest value)."
            return Answer(question, "good", "Close", text + allowed)
        case "failed":
            return Answer(question, "bad", "Not exact", _mismatch(entry))
        case _:
            return Answer(question, "open", "Not verified", sentence(str(entry.get("reason", "no reason is recorded"))))


def sentence(text: str) -> str:
    """Make a sentence of words."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _mismatch(entry: Mapping[str, Any]) -> str:
    first = entry.get("first_mismatch") or {}
    where = (
        f" First: layer {first.get('layer')}, vector {first.get('vector')}, index {first.get('index')}: expected "
        f"{first.get('expected')}, got {first.get('got')}."
    )
    return (
        f"{int(entry.get('mismatches', 0)):,} values differ from the integer graph on {int(entry.get('vectors', 0)):,} "
        f"vectors ({entry.get('engine', '')}).{where if first else ''}"
    )


@dataclass(frozen=True)
class Use:
    """How much of a resource a design takes: ``available`` None where the device is not known."""

    name: str
    figure: Figure
    available: int | None

    @property
    def label(self) -> str:
        """The resource as designers write it."""
        return NAMES.get(self.name, self.name.upper())

    def share(self, end: Literal["low", "value", "high"] = "value") -> float:
        """Give the part of the device, 1 for all of it; what a device does not have at all counts as twice it."""
        count = float(getattr(self.figure, end))
        return count / self.available if self.available else 2.0 if count else 0.0


def uses(document: Document, counts: Mapping[str, Figure]) -> list[Use]:
    """Set counts against what the board's device has."""
    there = cost(document).get("available") or {}
    return [Use(name, figure, int(there.get(name, 0)) if there else None) for name, figure in counts.items()]


def known_counts(document: Document) -> tuple[str, Mapping[str, Figure]]:
    """Give what is compared with the board, and in words at which level: the vendor's own counts where a report after
    synthesis or place and route was imported, else the estimate.
    """
    for level in ("implementation", "synthesis"):
        for report in reversed(document.get("vendor") or ()):
            counts = {n: f for n, e in (report.get("resources") or {}).items() if (f := numbers.read(e)) and n in NAMES}
            if report.get("level") == level and counts:
                return f"{LEVELS[level].lower()}, as {report.get('tool', 'the tool')} reports it", counts
    level, estimated = fitted(document)
    return LEVELS.get(level, "").lower().replace("hls", "HLS"), estimated


def _fits(document: Document) -> Answer:
    question, (level, counts) = "Does it fit?", known_counts(document)
    found = uses(document, counts)
    if not found and cost(document).get("processor"):
        return _in_memory(question, document)
    if not found:
        return Answer(question, "open", "Not known", "There is no estimate of resources for this design.")
    board = str(document.get("board", "the board"))
    if found[0].available is None:
        return Answer(question, "open", "Not known", f"The resources of {board} are not known.", counts)
    most = max(found, key=lambda use: (use.share("low") > 1, use.share() > 1, use.share("high")))
    state, verdict = _verdict(most)
    span = " to ".join(dict.fromkeys((numbers.percent(most.share("low")), numbers.percent(most.share("high")))))
    what = f"Fullest: {most.label} with {span} of the {most.available:,} on {board}, {level}."
    return Answer(question, state, verdict, what)


def _in_memory(question: str, document: Document) -> Answer:
    """Say how much memory a library takes: processors with an operating system have room for most."""
    memory = cost(document).get("memory") or {}
    names = {"arena_bytes": "Working memory", "constants_bytes": "Constants", "library_bytes": "Library"}
    found = {label: f for name, label in names.items() if (f := numbers.read(memory.get(name))) is not None}
    total = sum(f.value for label, f in found.items() if label != "Constants")
    text = "Bytes of the library, with its constants, and of the working memory that a call is given; nothing else."
    return Answer(question, "good", f"{numbers.short(total)}B", text, found)


def _verdict(most: Use) -> tuple[State, str]:
    if most.share("low") > 1:
        return "bad", "Does not fit"
    if most.share() > 1:
        return "bad", "Probably not"
    if most.share("high") > 1:
        return "care", "May not fit"
    if most.share("high") > NEARLY:
        return "care", "Barely"
    return "good", "Fits"


def _fast(document: Document) -> Answer:
    question, entry = "How fast is it?", cost(document)
    latency, interval = (numbers.read(entry.get(name)) for name in ("latency_s", "interval_s"))
    names = {
        "latency_cycles": "Latency", "interval_cycles": "Interval", "clock_ns": "Clock", "instructions": "Instructions",
    }  # fmt: skip
    found = {label: f for name, label in names.items() if (f := numbers.read(entry.get(name))) is not None}
    slow, clock = _clock(document)
    if latency is None and not found:
        return Answer(question, "open", "Not known", "There is no estimate of time for this design.")
    many = f"{numbers.short(1 / interval.value)} inferences a second" if interval and interval.value > 0 else ""
    first = next(iter(found.values()), latency)
    verdict = numbers.shown(latency) if latency else f"{numbers.shown(first)} cycles" if first else ""
    text = f"From input to output{f'; {many}' if many else ''}. {clock}".strip()
    return Answer(question, "care" if slow else "good", verdict, text, found)


def _clock(document: Document) -> tuple[bool, str]:
    """Say whether the clock that was asked for is out of reach, and what is known of it."""
    asked, reached = document.get("options", {}).get("clock_ns"), numbers.read(cost(document).get("clock_ns"))
    if not asked:
        return False, ""
    text = f"Clock {numbers.digits(float(asked))} ns ({1000 / float(asked):.4g} MHz)"
    if reached is None:
        return False, f"{text}; whether it can be reached is not known."
    span = numbers.band(reached) or numbers.shown(reached)
    if reached.low > asked:
        return True, f"{text} cannot be reached: {span} is achievable."
    if reached.value > asked:
        return True, f"{text} may not be reached: {span} is achievable."
    return False, f"{text}; achievable: {span}."


def _change(found: list[Action]) -> Answer:
    question = "What to change?"
    pressing = [a for a in found if a.state in ("bad", "care")]
    if not pressing:
        return Answer(question, "good", "Nothing pressing", "No limit is broken and nothing is lost that is known of.")
    state: State = "bad" if any(a.state == "bad" for a in pressing) else "care"
    count = f"{len(pressing)} thing{'s' if len(pressing) > 1 else ''}"
    first = pressing[0]
    text = sentence(f"first try {first.hint}" if first.hint else f"first: {first.what}")
    return Answer(question, state, count, text, {}, "actions")


def actions(document: Document) -> list[Action]:
    """List what should be changed or known, what is wrong first."""
    found = [*_of_verification(document), *_of_findings(document), *_of_fifos(document), *_of_ranges(document)]
    found += [Action("open", str(note)) for note in document.get("notes", ())]
    order: list[State] = ["bad", "care", "open", "good"]
    return sorted(_joined(found), key=lambda action: order.index(action.state))


def _joined(found: Sequence[Action]) -> list[Action]:
    """Make one action of those that differ by their place only."""
    places: dict[Action, list[str]] = {}
    for action in found:
        places.setdefault(replace(action, where=""), []).append(action.where)
    return [replace(action, where=_listed([w for w in where if w])) for action, where in places.items()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _of_verification(document: Document) -> Iterator[Action]:
    if document.get("verification", {}).get("status") == "failed":
        yield Action(
            "bad", "the compiled C simulation differs from the integer graph", "", "gatewright diff shows where"
        )


def _of_findings(document: Document) -> Iterator[Action]:
    for entry in cost(document).get("findings", ()):
        kind, what = str(entry.get("kind", "")), str(entry.get("what", ""))
        where, hint = str(entry.get("where", "")), str(entry.get("hint", ""))
        if kind == "domain":
            yield Action("open", f"{what}; {hint}" if hint else what, where)
        else:
            yield Action("bad" if kind == "limit" or "does not fit" in what else "care", what, where, hint)


def _of_fifos(document: Document) -> Iterator[Action]:
    """Deadlocks and stalls in one action each; what could be saved in another."""
    stream = cost(document).get("stream") or {}
    fifos = stream.get("fifos", ())
    deadlocks = [f for f in fifos if f["depth"] < f.get("deadlock_free", 0)]
    inner = [f for f in fifos if not str(f.get("writer", "")).startswith("source ")]
    stalls = [f for f in inner if f not in deadlocks and f["depth"] < f.get("stall_free", 0)]
    if reason := stream.get("deadlock"):
        yield Action("bad", f"the design stands still: {reason}", "", APPLY)
    if deadlocks:
        yield Action(
            "bad", "too shallow, which leads to a deadlock", _listed([str(f["name"]) for f in deadlocks]), APPLY
        )
    if stalls:
        yield Action(
            "care",
            "too shallow for full throughput: what writes into it waits",
            _listed([str(f["name"]) for f in stalls]),
            APPLY,
        )
    spare = sum(max(f["depth"] - f.get("stall_free", f["depth"]), 0) * f.get("width", 1) for f in fifos)
    if spare:
        what = f"FIFOs are deeper than full throughput needs, by {numbers.short(spare)} bits in all"
        yield Action("open", what, "", APPLY)


def _of_ranges(document: Document) -> Iterator[Action]:
    for entry in (*document.get("inputs", ()), *document.get("layers", ())):
        span = entry.get("range") or {}
        if not span.get("clipped") or str(entry.get("inserted", "")).startswith("index of a table"):
            continue  # a table is flat where its index saturates: nothing is lost
        share = span["clipped"] / span["count"] if span.get("count") else 0.0
        part = f"{span['clipped']:,} of {span.get('count', 0):,} values ({numbers.percent(share)})"
        place = str(entry.get("source") or entry.get("name"))
        hint = "more integer bits there (a rule of --config)"
        yield Action("care", f"{part} do not fit into {entry.get('format')}", place, hint)

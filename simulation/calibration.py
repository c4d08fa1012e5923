"""What the user's own reports teach: a file of ratios reported / estimated, and estimates corrected by them.

One JSON object a line: the class of the design (tool, io, level), the resource, what was estimated and what the tool
said, the report's hash. No names, no weights. The correction is the mean of the logarithms of the ratios, held back
while there are few: n / (n + 2) of it is believed.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import exp, isfinite, log
from pathlib import Path

from ..graph import FileError
from .design import LEVELS, RESOURCES, Design, Level, Resource
from .figures import Figure
from .resources import Counts, Resources

VARIABLE = "GATEWRIGHT_CALIBRATION"
HELD_BACK = 2.0
"""So many reports are needed before half of what they say is believed."""
MOST = 1e9
"""No device has more of anything; a line that says so is damaged."""
FLOORS: Mapping[Resource, float] = {"lut": 200, "ff": 200, "dsp": 5, "bram": 3, "uram": 1}
"""Added to both counts before they are divided: small ones say little."""


@dataclass(frozen=True)
class Lesson:
    """One count of one report. ``kind``: tool and io of the design; ``sha256``: of the report."""

    kind: str
    level: str
    resource: str
    estimated: float
    reported: float
    sha256: str

    @property
    def shift(self) -> float:
        """Logarithm of reported / estimated."""
        floor = FLOORS[self.resource]  # type: ignore[index]
        return log((self.reported + floor) / (self.estimated + floor))


def kind_of(design: Design) -> str:
    """Give the class of designs that learn from each other."""
    return f"{'vivado' if design.tool == 'vivado' else 'vitis'} {design.io}"


def store_path(asked: str | None = None) -> Path | None:
    """Give the store's file: what is asked, else ``GATEWRIGHT_CALIBRATION``, else one in the user's folder; None for
    ``none``.
    """
    chosen = asked or os.environ.get(VARIABLE)
    if chosen == "none":
        return None
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(os.path.expanduser(base)) / "gatewright" / "calibration.jsonl"


def read_store(path: Path | None) -> tuple[list[Lesson], list[str]]:
    """Read the lessons of a store, and what is to be told: damaged lines are set aside in a copy, good ones kept.

    Raises FileError for a file that cannot be read.
    """
    lessons, bad = _read(path)
    if not bad or path is None:
        return lessons, []
    try:
        with _locked(path):
            return _mended(path)
    except OSError as error:
        return lessons, [f"{path}: {bad} damaged lines are left out; it cannot be mended: {error.strerror or error}"]


def _read(path: Path | None) -> tuple[list[Lesson], int]:
    """Give the lessons of a store, and how many of its lines are none."""
    try:
        data = path.read_bytes() if path is not None and path.exists() else b""
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror or error}", where=str(path)) from None
    lines = [_lesson(line) for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
    lessons = [lesson for lesson in lines if lesson is not None]
    return lessons, len(lines) - len(lessons)


def _mended(path: Path) -> tuple[list[Lesson], list[str]]:
    """Read a store that this process has locked; a damaged one is set aside and written anew without the damage."""
    lessons, bad = _read(path)
    if not bad:
        return lessons, []
    aside = _set_aside(path, lessons)
    return lessons, [f"{path}: {bad} damaged line{'s' if bad > 1 else ''}; the file as it was is kept as {aside.name}"]


def _lesson(line: str) -> Lesson | None:
    try:
        found = Lesson(**json.loads(line))
        fine = found.level in LEVELS and found.resource in RESOURCES
        fine = fine and all(isfinite(n) and 0 <= n <= MOST for n in (found.estimated, found.reported))
        return found if fine and isinstance(found.kind, str) and isinstance(found.sha256, str) else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _set_aside(path: Path, lessons: Sequence[Lesson]) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    aside.write_bytes(path.read_bytes())
    _replace(path, lessons)
    return aside


def _replace(path: Path, lessons: Sequence[Lesson]) -> None:
    part = path.with_name(f".{path.name}.partial")
    part.write_text("".join(json.dumps(asdict(x), sort_keys=True) + "\n" for x in lessons), encoding="utf-8")
    part.replace(path)


def add(path: Path, lessons: Sequence[Lesson]) -> int:
    """Append lessons that the store does not have; give how many. Writers wait for each other. Raises FileError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            there, _ = _mended(path)
            known = {(x.sha256, x.level, x.resource) for x in there}
            new = [x for x in lessons if (x.sha256, x.level, x.resource) not in known]
            if new:
                _replace(path, [*there, *new])
    except OSError as error:
        hint = f"--calibration FILE or {VARIABLE}=none"
        raise FileError(f"cannot write: {error.strerror or error}", where=str(path), hint=hint) from None
    return len(new)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file beside the store, where the system has such locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lessons_of(
    design: Design, estimates: Resources, level: str, counts: Mapping[str, float], sha256: str
) -> list[Lesson]:
    """Compare a report's counts with the estimates of the same level (those without a calibration)."""
    ours: Counts = estimates.total.get(level, {})  # type: ignore[call-overload]
    return [
        Lesson(kind_of(design), level, name, ours[name].value, float(counts[name]), sha256)
        for name in RESOURCES
        if name in ours and name in counts and (ours[name].value or counts[name])
    ]


def apply(found: Resources, design: Design, lessons: Sequence[Lesson]) -> Resources:
    """Correct estimates by the lessons of designs of the same class; without lessons nothing changes."""
    own = [x for x in lessons if x.kind == kind_of(design)]
    if not own:
        return found
    total = {level: _corrected(level, counts, own) for level, counts in found.total.items()}
    layers = {
        name: {level: _corrected(level, counts, own) for level, counts in levels.items()}
        for name, levels in found.layers.items()
    }
    return replace(found, total=total, layers=layers)


def _corrected(level: Level, counts: Counts, lessons: Sequence[Lesson]) -> dict[Resource, Figure]:
    result: dict[Resource, Figure] = {}
    for name, figure in counts.items():
        shifts = [x.shift for x in lessons if x.level == level and x.resource == name]
        result[name] = _shifted(figure, FLOORS[name], shifts) if shifts and not figure.is_exact else figure
    return result


def _shifted(figure: Figure, floor: float, shifts: Sequence[float]) -> Figure:
    """Move a figure; its band narrows as reports come, but never under what they showed around their mean."""
    count, mean = len(shifts), sum(shifts) / len(shifts)
    believed = count / (count + HELD_BACK)
    value = (figure.value + floor) * exp(believed * mean) - floor
    width = 1 - 0.5 * believed

    def edge(end: float, seen: float) -> float:
        own = log((end + floor) / (figure.value + floor)) * width
        extreme = seen - believed * mean
        reach = min(own, extreme) if end <= figure.value else max(own, extreme)
        return (value + floor) * exp(reach) - floor

    low, high = edge(figure.low, min(shifts)), edge(figure.high, max(shifts))
    middle = max(0.0, float(round(value)))
    reports = f"calibrated with {count} of your own reports"
    return replace(
        figure, value=middle, low=min(middle, max(0.0, float(int(low)))), high=max(middle, float(int(high) + 1)),
        source=f"{figure.source}; {reports}",
    )  # fmt: skip


__all__ = [
    "FLOORS", "HELD_BACK", "VARIABLE", "Lesson", "add", "apply", "kind_of", "lessons_of", "read_store", "store_path",
]  # fmt: skip

"""Reports of vendors' tools beside the estimates: import, the store that learns from them, the graph for Netron."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .graph import FileError
from .graph.file import load as load_graph
from .output import read_manifest, rewrite

SAME = ("tool", "level", "sha256")


def import_reports(
    directory: Path, paths: Sequence[Path], calibration: str | None, *, force: bool = False
) -> list[str]:
    """Put vendors' reports into an output directory's manifest and page, and into the calibration store.

    All or nothing: where one report cannot be read, nothing is written. What only ``force`` lets in teaches nothing.
    Gives what is to be told. Raises FileError.
    """
    from .reports.vendor import find_reports, read_report

    manifest = read_manifest(directory)
    top = _top(directory, manifest)
    reports = [r for path in paths for r in _joined([read_report(file) for file in find_reports(path)], top)]
    own = []
    for report in reports:
        try:
            _check_design(manifest, report, directory)
            own.append(report)
        except FileError:
            if not force:
                raise
    known = list(manifest.get("vendor", ()))
    told = []
    for report in reports:
        entry = report.as_dict()
        if any(all(old[k] == entry[k] for k in SAME) for old in known):
            told.append(f"{report.file}: known already")
            continue
        known.append({**entry, "layers": _layers(manifest, report.modules)})
        told.append(f"{report.file}: {report.tool} {report.version}, {report.level}")
    rewrite(directory, {**manifest, "vendor": known})
    try:
        return [*told, *_learn(directory, manifest, own, calibration)]
    except FileError as error:  # the reports are in; the store is another matter
        return [*told, f"nothing learnt: {error}"]


def _joined(reports: list[Any], top: str) -> list[Any]:
    """Put the text reports of a solution's modules into that of its top function, where that is among them."""
    modules = [r for r in reports if r.level == "hls" and r.top != top]
    if not any(r.level == "hls" and r.top == top for r in reports):
        return reports
    counts = {r.top: r.resources for r in modules}
    return [
        replace(r, modules={**counts, **r.modules}) if r.level == "hls" else r
        for r in reports
        if all(r is not module for module in modules)
    ]


def _check_design(manifest: dict[str, Any], report: Any, directory: Path) -> None:
    """Raise FileError for a report of another part or another top function."""
    part, top = manifest["options"].get("part", ""), _top(directory, manifest)
    if report.part and part and not _same_part(report.part, part):
        what = f"is for the part {report.part}; the directory was compiled for {part}"
        raise FileError(what, where=report.file, hint="--force imports it all the same")
    if report.top and top and report.top != top and report.level in ("hls", "cosim"):
        what = f"is of the function {report.top!r}; the project's is {top!r}"
        raise FileError(what, where=report.file, hint="import the report of the top function, or --force")


def _same_part(a: str, b: str) -> bool:
    """Tools spell a part with and without dashes; Vivado leaves out the beginning, and the speed grade."""
    one, other = (part.lower().replace("-", "").removeprefix("xc") for part in (a, b))
    length = min(len(one), len(other), 11)
    return one[:length] == other[:length]


def _top(directory: Path, manifest: dict[str, Any]) -> str:
    names = [
        e["path"] for e in manifest["files"] if e["path"].startswith("project/firmware/") and e["path"].count("/") == 2
    ]
    return next((Path(n).stem for n in names if n.endswith(".cpp")), "")


def _layers(manifest: dict[str, Any], modules: Any) -> dict[str, Any]:
    """Give the modules' counts by our layers, where a module's name holds a layer's."""
    names = [entry["name"] for entry in manifest["cost"].get("layers", ()) if entry["name"]]
    own: dict[str, list[str]] = {}
    for module in modules:
        held = [n for n in names if re.search(rf"(?<![A-Za-z0-9]){re.escape(n)}(?![A-Za-z0-9])", module)]
        if held:  # the longest: conv_1 is in the name of a module of conv_1_relu, too
            own.setdefault(max(held, key=len), []).append(module)
    return {name: modules[found[0]] for name, found in own.items() if len(found) == 1}


def _learn(directory: Path, manifest: dict[str, Any], reports: Sequence[Any], calibration: str | None) -> list[str]:
    from .backends.hls4ml import read_options
    from .backends.hls4ml.plan import make_plan
    from .simulation.calibration import add, lessons_of, read_store, store_path
    from .simulation.design import of_plan
    from .simulation.resources import resources

    path = store_path(calibration)
    if path is None or "part" not in manifest["options"]:
        return []
    options = read_options(manifest["options"])
    design = of_plan(make_plan(load_graph(directory), options), options)
    estimates = resources(design)
    lessons = [x for r in reports for x in lessons_of(design, estimates, r.level, r.resources, r.sha256)]
    _, told = read_store(path)
    count = add(path, lessons) if lessons else 0
    return [*told, f"{count} figures learnt ({path})"] if count else told

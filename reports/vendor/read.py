"""Which reader a report needs; folders of a solution."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from . import hls, implementation
from .model import ReportError, VendorReport

MOST_BYTES = 64 << 20
"""Reports are smaller."""
PATTERNS = (
    "csynth.xml", "*_csynth.rpt", "*_cosim.rpt", "*_export.rpt", "export_syn.rpt", "export_impl.rpt", "*.fit.summary",
    "*.map.summary", "*utilization*.rpt", "*timing_summary*.rpt",
)  # fmt: skip
"""Where the tools put them, below a project or a solution."""
READERS: tuple[tuple[str, Callable[[str], VendorReport]], ...] = (
    ("HLS Report for '", hls.from_text), ("Simulation tool ", hls.from_cosim), ("WNS(ns)", implementation.from_timing),
    ("Resource usage ===", implementation.from_export),
    ("Utilization by Hierarchy\n", implementation.from_hierarchy),
    ("Utilization Design Information", implementation.from_utilization), ("Site Type", implementation.from_utilization),
    ("Fitter Status ", implementation.from_quartus), ("Synthesis Status ", implementation.from_quartus),
)  # fmt: skip
"""Readers by what their reports hold."""


def find_reports(path: Path) -> list[Path]:
    """Give the reports that a path names: the file itself, or those below a folder. Raises ReportError for none."""
    if not path.exists():
        raise ReportError("there is no such file or folder", where=str(path))
    if path.is_file():
        return [path]
    found: dict[Path, None] = {}
    for pattern in PATTERNS:
        found.update(dict.fromkeys(f for f in sorted(path.rglob(pattern)) if not _hidden(f.relative_to(path))))
    files = list(found)
    if any(f.name == "csynth.xml" for f in files):  # it holds what the text reports say
        files = [f for f in files if not f.name.endswith("_csynth.rpt")]
    if not files:
        hint = "name a report, or the folder of an HLS solution"
        raise ReportError("no report of a vendor's tool is in it", where=str(path), hint=hint)
    return files


def _hidden(path: Path) -> bool:
    """Whether a file is the tool's own copy (in ``.autopilot`` and the like)."""
    return any(part.startswith(".") for part in path.parts)


def read_report(path: Path) -> VendorReport:
    """Read one report. Raises ReportError, with the file's name, for what cannot be read or is not known."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ReportError(f"is larger than any report ({MOST_BYTES >> 20} MiB)")
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read: {error.strerror or error}", where=str(path)) from None
    try:
        found = _read(path, _decoded(data).replace("\r\n", "\n"))
    except ReportError as error:
        raise ReportError(error.what, where=str(path), hint=error.hint) from None
    return replace(found, file=path.name, sha256=sha256(data).hexdigest())


def _decoded(data: bytes) -> str:
    if not data.strip():
        raise ReportError("is empty", hint="did the tool end? look at its log")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    text = data.decode("utf-8-sig", "replace")
    if text.count("\0") or text.count("\ufffd") > len(text) // 50:
        raise ReportError("is not text", hint="give the report as .xml, .rpt or .summary")
    return text


def _read(path: Path, text: str) -> VendorReport:
    if path.suffix == ".xml" or text.lstrip().startswith("<"):
        return hls.from_xml(text)
    for mark, reader in READERS:
        if mark in text:
            return reader(text)
    hint = (
        "csynth.xml, *_csynth.rpt, *_cosim.rpt, *_export.rpt, report_utilization, report_timing_summary, *.fit.summary"
    )
    raise ReportError("is of no tool that is known", hint=f"known: {hint}")


__all__ = ["MOST_BYTES", "find_reports", "read_report"]

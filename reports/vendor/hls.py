"""Reports of Vivado HLS and Vitis HLS: ``csynth.xml``, ``*_csynth.rpt``, ``*_cosim.rpt``."""

import re
from typing import Any
from xml.etree import ElementTree

from .model import Level, ReportError, VendorReport
from .tables import fact, number, rows

COUNTS = {"BRAM_18K": "bram", "BRAM": "bram", "DSP": "dsp", "DSP48E": "dsp", "FF": "ff", "LUT": "lut", "URAM": "uram"}


def tool_of(version: str) -> str:
    """Give the tool by its release: Vitis HLS replaced Vivado HLS after 2020.1."""
    return "Vitis HLS" if version[:6] > "2020.1" else "Vivado HLS"


def from_xml(text: str) -> VendorReport:
    """Read ``csynth.xml``. Raises ReportError for what is cut off or no such file."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ReportError("holds declarations of entities, which no tool writes", hint="give the tool's own csynth.xml")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ReportError(f"is no whole XML: {error}", hint="was it cut off? run the synthesis again") from None
    if root.tag == "profile" and root.find("AreaReport/Resources") is not None:
        return _exported(root)
    if root.tag != "profile" or root.find("AreaEstimates") is None:
        raise ReportError(f"is no report of a synthesis (<{root.tag}>)", hint="give csynth.xml of syn/report")
    version = _text(root, "ReportVersion/Version")
    assigned = root.find("UserAssignments")
    area = _counts(root.find("AreaEstimates/Resources"))
    if not area:
        raise ReportError("counts no resources", hint="did the synthesis end? look at its log")
    clock = {
        "target": number(_text(assigned, "TargetClockPeriod")),
        "estimated": number(_text(root, "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")),
    }
    summary = root.find("PerformanceEstimates/SummaryOfOverallLatency")
    modules = {
        _text(module, "Name"): _counts(module.find("AreaEstimates/Resources"))
        for module in root.findall("ModuleInformation/Module")
    }
    return VendorReport(
        tool_of(version), version, "hls", top=_text(assigned, "TopModelName"), part=_text(assigned, "Part"),
        resources=area, clock={n: v for n, v in clock.items() if v is not None},
        latency=_pair(_text(summary, "Best-caseLatency"), _text(summary, "Worst-caseLatency")),
        interval=_pair(_text(summary, "Interval-min"), _text(summary, "Interval-max")),
        modules={name: counts for name, counts in modules.items() if name and counts},
    )  # fmt: skip


def _exported(root: Any) -> VendorReport:
    """Read ``*_export.xml``: what Vivado said of the exported design."""
    area, run = _counts(root.find("AreaReport/Resources")), root.find("RunData")
    if "lut" not in area:
        raise ReportError("counts no look-up tables", hint="did the export end? look at its log")
    level: Level = "implementation" if _text(run, "RUN_TYPE").startswith("impl") else "synthesis"
    places = {"target": "TargetClockPeriod", "achieved": "AchievedClockPeriod"}
    clock = {name: number(_text(root.find("TimingReport"), tag)) for name, tag in places.items()}
    version = re.search(r"20\d\d\.\d", _text(run, "VIVADO_VERSION"))
    return VendorReport(
        "Vivado", version[0] if version else "", level, resources=area,
        clock={n: v for n, v in clock.items() if v is not None},
    )  # fmt: skip


def _text(entry: Any, path: str) -> str:
    found = entry.find(path) if entry is not None else None
    return (found.text or "").strip() if found is not None else ""


def _counts(entry: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for child in entry if entry is not None else ():
        value = number(child.text or "")
        if child.tag in COUNTS and value is not None:
            found[COUNTS[child.tag]] = value
    return found


def _pair(low: str, high: str) -> tuple[float, float] | None:
    return _ordered(number(low), number(high))


def _ordered(least: float | None, most: float | None) -> tuple[float, float] | None:
    return (least, most) if least is not None and most is not None and least <= most else None


def from_text(text: str) -> VendorReport:
    """Read ``*_csynth.rpt``: of a top function or of one module. Raises ReportError for what is cut off."""
    found = re.search(r"== (Vivado HLS|Vitis HLS) Report for '([^']+)'", text)
    if not found:
        raise ReportError("is no report of a C synthesis")
    version = fact(text, "Version").split(" ")[0]
    area = _total(text)
    if not area:
        raise ReportError("has no row of totals under Utilization Estimates", hint="was the report cut off?")
    cycles = _cycles(text)
    clock = next((r for r in rows(text) if r[0].startswith("ap_clk") and len(r) >= 3), None)
    periods = {"target": number(clock[1]), "estimated": number(clock[2])} if clock else {}
    return VendorReport(
        found[1], version, "hls", top=found[2], part=fact(text, "Target device"), resources=area,
        clock={n: v for n, v in periods.items() if v is not None},
        latency=cycles[0] if cycles else None, interval=cycles[1] if cycles else None, modules=_instances(text),
    )  # fmt: skip


def _instances(text: str) -> dict[str, dict[str, float]]:
    """Counts of the instances by their modules' names, as the details of the utilization list them."""
    names: list[str] = []
    found: dict[str, dict[str, float]] = {}
    for row in rows(text):
        if row[:2] == ["Instance", "Module"]:
            names = row if any(cell in COUNTS for cell in row) else []
        elif names and (len(row) != len(names) or row[0] == "Total"):
            names = []
        elif names:
            values = {COUNTS[n]: number(cell) for n, cell in zip(names, row, strict=True) if n in COUNTS}
            found[row[1]] = {n: v for n, v in values.items() if v is not None}
    return found


def _total(text: str) -> dict[str, float]:
    """The row ``Total`` below the header that names the resources."""
    names: list[str] = []
    found: dict[str, float] = {}
    for row in rows(text):
        if row[0] == "Name" and any(cell in COUNTS for cell in row):
            names = row
        elif row[0] == "Total" and len(row) == len(names) and not found:
            values = {COUNTS[n]: number(cell) for n, cell in zip(names, row, strict=True) if n in COUNTS}
            found = {n: v for n, v in values.items() if v is not None}
    return found


def _cycles(text: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The first line of numbers below ``+ Latency:``: latency least and most (absolute or not), interval."""
    section = text.partition("+ Latency")[2].partition("+ Detail")[0]
    for row in rows(section):
        values = [number(cell) for cell in row]
        if len(row) >= 4 and values[0] is not None and values[1] is not None:
            times = any(cell.endswith(("ns", "us", "ms", "sec")) for cell in row[2:4])
            least, most = (4, 5) if times and len(row) >= 6 else (2, 3)
            latency, interval = _ordered(values[0], values[1]), _ordered(values[least], values[most])
            if latency is not None and interval is not None:
                return latency, interval
    return None


def from_cosim(text: str) -> VendorReport:
    """Read ``*_cosim.rpt``: cycles that were simulated."""
    found = re.search(r"Report for '([\w.]+)'", text)
    for row in rows(text):
        if len(row) >= 8 and row[0] in ("Verilog", "VHDL") and row[1].lower().startswith("pass"):
            values = [number(cell) for cell in row[2:8]]
            latency = (values[0], values[2])
            interval = (values[3], values[5])
            if latency[0] is None or latency[1] is None or latency[0] > latency[1]:
                continue
            version = fact(text, "Version").split(" ")[0]
            ends = _ordered(interval[0], interval[1])
            return VendorReport(
                tool_of(version) if version else "HLS", version, "cosim", top=found[1] if found else "",
                latency=(latency[0], latency[1]), interval=ends,
            )  # fmt: skip
    raise ReportError("has no row of a cosimulation that passed", hint="run cosim_design again, and look at its log")


__all__ = ["from_cosim", "from_text", "from_xml", "tool_of"]

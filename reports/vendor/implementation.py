"""Reports of logic synthesis and place and route: Vivado's utilization and timing, HLS exports, Quartus's fitter."""

import re

from .model import Level, ReportError, VendorReport
from .tables import fact, number, rows

SITES = {
    "CLB LUTs": "lut", "Slice LUTs": "lut", "CLB LUTs*": "lut", "Slice LUTs*": "lut", "CLB Registers": "ff",
    "Slice Registers": "ff", "DSPs": "dsp", "URAM": "uram", "Block RAM Tile": "bram",
}  # fmt: skip
"""Vivado's names of what it counts: a tile is two blocks of 18 kbit."""

EXPORTED = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM": "bram", "URAM": "uram"}


def from_utilization(text: str) -> VendorReport:
    """Read Vivado's ``report_utilization``. Raises ReportError where it counts nothing."""
    found: dict[str, float] = {}
    for row in rows(text):
        name = SITES.get(row[0])
        if name and len(row) > 1 and name not in found:
            value = number(row[1])
            if value is not None:
                found[name] = 2 * value if name == "bram" else value
    if "lut" not in found:
        raise ReportError("counts no look-up tables", hint="give the report of report_utilization, as text")
    state = fact(text, "Design State").lower()
    level: Level = "implementation" if "placed" in state or "routed" in state else "synthesis"
    version = re.search(r"v\.?(20\d\d\.\d)", fact(text, "Tool Version"))
    return VendorReport(
        "Vivado", version[1] if version else "", level, top=fact(text, "Design"), part=_part(fact(text, "Device")),
        resources=found,
    )  # fmt: skip


def _part(text: str) -> str:
    return text.split(" ")[0]


def from_timing(text: str) -> VendorReport:
    """Read Vivado's ``report_timing_summary``: the achieved period is the clock's less the worst slack."""
    lines = text.splitlines()
    place = next((i for i, line in enumerate(lines) if "WNS(ns)" in line), None)
    slack = None
    for line in lines[place + 1 :] if place is not None else ():
        first = line.split()[:1]
        if first and re.fullmatch(r"-?\d+\.\d+", first[0]):
            slack = float(first[0])
            break
    period = re.search(r"\{[\d.]+ [\d.]+\}\s+(\d+\.\d+)\s+\d+\.\d+", text)
    if slack is None or period is None:
        raise ReportError("has no worst slack or no clock", hint="give the report of report_timing_summary, as text")
    version = re.search(r"v\.?(20\d\d\.\d)", fact(text, "Tool Version"))
    target = float(period[1])
    routed = "routed" in fact(text, "Design State").lower()
    return VendorReport(
        "Vivado", version[1] if version else "", "implementation" if routed else "synthesis", top=fact(text, "Design"),
        part=_part(fact(text, "Device")), clock={"target": target, "achieved": round(target - slack, 4)},
    )  # fmt: skip


def from_export(text: str) -> VendorReport:
    """Read what HLS's export wrote of its run of Vivado (``export_syn.rpt``, ``export_impl.rpt``, ``*_export.rpt``)."""
    found: dict[str, float] = {}
    for name, ours in EXPORTED.items():
        value = re.search(rf"^{name}:\s+([\d.]+)", text, re.MULTILINE)
        if value:
            found[ours] = float(value[1])
    if "lut" not in found:
        raise ReportError("counts no look-up tables", hint="was the export cut off?")
    required = re.search(r"CP required:\s+([\d.]+)", text)
    after = {
        level: re.search(rf"CP achieved post-{word}:\s+([\d.]+)", text)
        for level, word in (("synthesis", "synthesis"), ("implementation", "implementation"))
    }
    placed = after["implementation"] is not None or "Post-Implementation" in text
    level: Level = "implementation" if placed else "synthesis"
    achieved = after[level] or after["synthesis"]
    clock = {"target": required, "achieved": achieved}
    tool = re.search(r"Implementation tool:\s+(?:Xilinx )?Vivado v\.(\S+)", text)
    device = re.search(r"Device target:\s+(\S+)", text)
    return VendorReport(
        "Vivado", tool[1] if tool else "", level, part=device[1] if device else "", resources=found,
        clock={n: float(m[1]) for n, m in clock.items() if m},
    )  # fmt: skip


def from_quartus(text: str) -> VendorReport:
    """Read Quartus's ``.fit.summary`` or ``.map.summary``."""
    if not re.search(r"^(Fitter|Analysis & Synthesis|Synthesis) Status : Successful", text, re.MULTILINE):
        raise ReportError("is of a run that did not succeed", hint="look at the messages of Quartus")
    wanted = {
        "alm": r"Logic utilization \(in ALMs\) : ([\d,]+)", "ff": r"Total registers : ([\d,]+)",
        "m20k": r"Total RAM Blocks : ([\d,]+)", "dsp": r"Total DSP Blocks : ([\d,]+)",
        "memory_bits": r"Total block memory bits : ([\d,]+)",
    }  # fmt: skip
    matches = {name: re.search(pattern, text) for name, pattern in wanted.items()}
    counts = {name: float(m[1].replace(",", "")) for name, m in matches.items() if m}
    if not counts:
        raise ReportError("counts nothing", hint="was the summary cut off?")
    version = re.search(r"^Quartus Prime Version : (\S+)", text, re.MULTILINE)
    level: Level = "implementation" if "Fitter Status" in text else "synthesis"
    top = re.search(r"^Top-level Entity Name : (\S+)", text, re.MULTILINE)
    device = re.search(r"^Device : (\S+)", text, re.MULTILINE)
    return VendorReport(
        "Quartus", version[1] if version else "", level, top=top[1] if top else "", part=device[1] if device else "",
        resources=counts,
    )  # fmt: skip


__all__ = ["from_export", "from_quartus", "from_timing", "from_utilization"]

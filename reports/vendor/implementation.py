"""Reports of logic synthesis and place and route: Vivado's utilization and timing, HLS exports, Quartus's fitter."""

import re
from collections.abc import Mapping

from .model import Level, ReportError, VendorReport
from .tables import fact, number, rows

SITES = {
    "CLB LUTs": "lut", "Slice LUTs": "lut", "CLB LUTs*": "lut", "Slice LUTs*": "lut", "CLB Registers": "ff",
    "Slice Registers": "ff", "DSPs": "dsp", "URAM": "uram", "Block RAM Tile": "bram",
}  # fmt: skip
"""Vivado's names of what it counts: a tile is two blocks of 18 kbit."""

HIERARCHY = {
    "Total LUTs": ("lut", 1), "FFs": ("ff", 1), "RAMB36": ("bram", 2), "RAMB18": ("bram", 1), "URAM": ("uram", 1),
    "DSP Blocks": ("dsp", 1), "DSP48 Blocks": ("dsp", 1),
}  # fmt: skip
"""Columns of the hierarchical report, and how many of ours one of it is."""

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
    return _of_vivado(text, found, {}, {})


def from_hierarchy(text: str) -> VendorReport:
    """Read Vivado's ``report_utilization -hierarchical``: the first row is the design, the others are its modules.

    Raises ReportError where it counts nothing.
    """
    header: list[str] = []
    modules: dict[str, dict[str, float]] = {}
    for row in rows(text):
        if row[:2] == ["Instance", "Module"]:
            header = row
        elif header and len(row) == len(header) and not row[0].startswith("("):
            modules.setdefault(row[0], _cells(dict(zip(header, row, strict=True))))
    if not modules or "lut" not in next(iter(modules.values())):
        hint = "give the report of report_utilization, as text; was it cut off?"
        raise ReportError("counts no look-up tables", hint=hint)
    top = next(iter(modules))
    return _of_vivado(text, modules.pop(top), {}, modules)


def _cells(row: Mapping[str, str]) -> dict[str, float]:
    """Counts of one row; a block of 36 kbit is two of 18."""
    found: dict[str, float] = {}
    for name, (ours, factor) in HIERARCHY.items():
        value = number(row.get(name, ""))
        if value is not None:
            found[ours] = found.get(ours, 0.0) + factor * value
    return found


def _of_vivado(
    text: str, found: Mapping[str, float], clock: Mapping[str, float], modules: Mapping[str, Mapping[str, float]]
) -> VendorReport:
    """Put a report together with what Vivado writes above each."""
    state = fact(text, "Design State").lower()
    before = not state or any(word in state for word in ("synthesized", "optimized", "elaborated", "unplaced"))
    version = re.search(r"v\.?(20\d\d\.\d)", fact(text, "Tool Version"))
    return VendorReport(
        "Vivado", version[1] if version else "", "synthesis" if before else "implementation", top=fact(text, "Design"),
        part=_part(fact(text, "Device")), resources=found, clock=clock, modules=modules,
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
    target = float(period[1])
    return _of_vivado(text, {}, {"target": target, "achieved": round(target - slack, 4)}, {})


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
    """Read Quartus's ``.fit.summary``, ``.map.summary``, ``.fit.rpt`` or ``.map.rpt``."""
    text = re.sub(r"^; (.+?) +; (.+?) +;$", r"\1 : \2", text, flags=re.MULTILINE)  # tables of .fit.rpt
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
    version = re.search(r"^Quartus .*Version : (\S+)", text, re.MULTILINE)
    level: Level = "implementation" if "Fitter Status" in text else "synthesis"
    top = re.search(r"^Top-level Entity Name : (\S+)", text, re.MULTILINE)
    device = re.search(r"^Device : (\S+)", text, re.MULTILINE)
    return VendorReport(
        "Quartus", version[1] if version else "", level, top=top[1] if top else "", part=device[1] if device else "",
        resources=counts,
    )  # fmt: skip


__all__ = ["from_export", "from_hierarchy", "from_quartus", "from_timing", "from_utilization"]

"""The cost of a design for a terminal: what is asked first on top, then the layers; several boards side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .figures_text import figure, number, si
from .launches import launches
from .microcontroller import one as on_microcontroller
from .microcontroller import side_by_side as microcontrollers_side_by_side
from .processor import one as on_processor
from .processor import side_by_side as processors_side_by_side

Entry = Mapping[str, Any]
RESOURCES = ("lut", "ff", "dsp", "bram", "uram")
NAMES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM"}
LEVELS = {"hls": "HLS report", "synthesis": "after synthesis", "implementation": "after place and route"}
NEARLY = 0.8
LEGEND = (
    "Bands (in parentheses) hold about 90 % of designs of repositories that were left out of the fit; how many of "
    "which kind: docs/estimates.md. exact: follows from the template; simulated: a cycle-level run; estimated: a fit. "
    "gatewright report DIR --json gives each figure's source."
)


def render(document: Entry, *, narrow: bool = False) -> RenderableType:
    """Lay out what ``profile`` found: one design in full; several of a kind side by side."""
    designs = document["designs"]
    good = [d for d in designs if "problems" not in d]
    kinds = {_kind_of(d) for d in good}
    parts: list[RenderableType] = [Text(str(document["model"]), style="bold"), ""]
    if kinds == {"fpga"}:
        parts += _side_by_side(good) if len(designs) > 1 else one(good[0], narrow)
    elif len(good) > 1 and len(kinds) == 1 and kinds <= BESIDE.keys():
        parts += BESIDE[kinds.pop()](good)
    else:
        for design in good:
            kind = _kind_of(design)
            parts += one(design, narrow) if kind == "fpga" else FULL[kind](design)
    for design in designs:
        for problem in design.get("problems", ())[:1]:
            what = f"{problem['where']} {problem['what']}".strip()
            parts.append(Text(f"{design['board']}: {what}", style="red"))
    if kinds == {"fpga"}:
        parts += ["", Text(LEGEND, style="dim")]
    return Group(*parts)


def _kind_of(design: Entry) -> str:
    """Say what a design is: what its figures are of."""
    if "launches" in design:
        return "launches"
    if "counted" in design:
        return "firmware"
    return "library" if "measured" in design or "processor" in design["cost"] else "fpga"


def one(design: Entry, narrow: bool) -> list[RenderableType]:
    """Lay out one design: speed, resources by level, FIFOs, layers, findings."""
    cost = design["cost"]
    options = design["options"]
    head = f"{design['board']} ({design['target']}), io {options['io']}, {options['clock_ns']:g} ns clock"
    parts: list[RenderableType] = [Text(head), "", speed(cost), "", resource_table(cost)]
    if "stream" in cost:
        parts += ["", _fifos(cost["stream"])]
    parts += ["", layer_table(cost, narrow=narrow)]
    return [*parts, *findings(cost)]


def measured(design: Entry) -> list[RenderableType]:
    """Lay out a run on this machine: the whole, then the layers, the slowest first."""
    found = design["measured"]
    peaks = ", ".join(f"{rate / 1e9:.0f} GMAC/s ({kind})" for kind, rate in found["peaks"].items())
    head = (
        f"{design['board']} ({design['target']}): {found['seconds'] * 1e6:,.1f} us an inference on {found['on']}, "
        f"one thread; "
        f"{design['macs']:,} MACs, {design['macs'] / max(found['seconds'], 1e-12) / 1e9:.1f} GMAC/s"
    )
    memory = f"arena {found['arena_bytes']:,} bytes, constants {found['constant_bytes']:,} bytes"
    roof = f"measured peaks: {peaks or 'no products'}; reads {found['bandwidth'] / 1e9:.0f} GB/s"
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("layer", "ends in", "shape", "us", "share", "GMAC/s", "roofline", "bound"):
        table.add_column(name, justify="left" if name in ("layer", "ends in", "bound") else "right")
    total = sum(layer["seconds"] for layer in found["layers"]) or 1.0
    for layer in sorted(found["layers"], key=lambda each: -each["seconds"]):
        seconds = layer["seconds"]
        rate = f"{layer['macs'] / seconds / 1e9:.1f}" if layer["macs"] and seconds else ""
        table.add_row(
            layer["name"], layer["op"], "x".join(map(str, layer["shape"])) or "scalar", f"{seconds * 1e6:,.2f}",
            f"{100 * seconds / total:.1f} %", rate, f"{min(100 * layer['roofline'], 100):.0f} %",
            layer["bound"],
        )  # fmt: skip
    legend = "roofline: the least time that measured peaks leave a layer, as a share of its time (100 %: it, or less)"
    return [Text(head), Text(memory), Text(roof), "", table, "", Text(legend, style="dim"), ""]


def _library(design: Entry) -> list[RenderableType]:
    return measured(design) if "measured" in design else on_processor(design)


FULL: dict[str, Callable[[Entry], list[RenderableType]]] = {
    "launches": launches, "library": _library, "firmware": on_microcontroller,
}  # fmt: skip
BESIDE: dict[str, Callable[[Sequence[Entry]], list[RenderableType]]] = {
    "library": processors_side_by_side, "firmware": microcontrollers_side_by_side,
}  # fmt: skip


def findings(cost: Entry) -> list[RenderableType]:
    """Give what a user should know before a synthesis, a line each."""
    lines: list[RenderableType] = []
    for each in cost.get("findings", ()):
        where = f"{each['where']}: " if each["where"] else ""
        hint = f"; try: {each['hint']}" if each["hint"] else ""
        lines.append(Text(f"{where}{each['what']}{hint}", style="" if each["kind"] == "domain" else "yellow"))
    return ["", *lines] if lines else []


def speed(cost: Entry) -> Table:
    """Latency, interval, clock."""
    table = Table.grid(padding=(0, 2))
    rows = {
        "latency": [figure(cost.get("latency_cycles"), "cycles"), figure(cost.get("latency_s"), "s"), "latency_cycles"],
        "interval": [figure(cost.get("interval_cycles"), "cycles"), _rate(cost.get("interval_s")), "interval_cycles"],
        "clock": [figure(cost.get("clock_ns"), "ns"), "achievable period", "clock_ns"],
    }
    if "latency_cycles" not in cost and "latency_s" in cost:
        told = cost["latency_s"]["source"]
        rows["latency"] = [figure(cost["latency_s"], "s"), told, "latency_s"]
    for name, (value, more, key) in rows.items():
        if value:
            table.add_row(Text(name, style="bold"), value, more, Text(_kind(cost[key]), style="dim"))
    hls = cost.get("hls", {})
    if hls.get("latency_cycles"):
        said = f"latency {figure(hls['latency_cycles'], '')}, interval {figure(hls.get('interval_cycles'), '')}"
        table.add_row(Text("HLS report", style="bold"), said, "as the tool will print it", Text("estimated", "dim"))
    return table


def _kind(entry: Entry) -> str:
    return str(entry["kind"])


def _rate(entry: Entry | None) -> str:
    return f"{si(1 / entry['value'])} inferences/s" if entry and entry["value"] > 0 else ""


def resource_table(cost: Entry) -> Table:
    """Counts by level, beside what the board has."""
    table = Table(title="Resources", title_justify="left", title_style="bold", box=None, padding=(0, 1))
    table.add_column("")
    used = [r for r in RESOURCES if any(_matters(level.get(r)) for level in cost["levels"].values())]
    for name in used:
        table.add_column(NAMES[name], justify="right", no_wrap=True)
    for level, title in LEVELS.items():
        if counts := cost["levels"].get(level):
            table.add_row(title, *(figure(counts.get(name), "") for name in used))
    there = cost.get("available", {})
    if there:
        table.add_row("on the board", *(f"{there.get(name, 0):,}" for name in used), style="dim")
        shares = [_share(cost["resources"].get(name), there.get(name, 0)) for name in used]
        table.add_row("share after synthesis", *shares)
    return table


def _matters(entry: Entry | None) -> bool:
    return entry is not None and entry["high"] > 0


def _share(entry: Entry | None, limit: int) -> Text:
    if entry is None or not limit:
        return Text("")
    style = "bold red" if entry["high"] > limit else "yellow" if entry["high"] > NEARLY * limit else "green"
    low, high = (100 * entry[end] / limit for end in ("low", "high"))
    text = f"{100 * entry['value'] / limit:.1f} %" + (f" ({low:.1f} to {high:.1f})" if high - low >= 0.1 else "")
    return Text(text, style=style)


def vendor_tables(manifest: Entry) -> list[RenderableType]:
    """What vendors' tools said, beside what was estimated at the same level."""
    parts: list[RenderableType] = []
    for report in manifest.get("vendor", ()):
        title = f"{report['tool']} {report['version']}, {report['level']} ({report['file']})"
        table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1))
        for name in ("", "estimated", "reported", "reported / estimated", "in the band"):
            table.add_column(name, justify="left" if name in ("", "in the band") else "right")
        ours = {NAMES.get(n, n): f for n, f in manifest["cost"].get("levels", {}).get(report["level"], {}).items()}
        theirs = {NAMES.get(n, n): f for n, f in report["resources"].items()}
        cycles = manifest["cost"].get("hls", {}) if report["level"] == "hls" else manifest["cost"]
        for key, name in (("latency_cycles", "latency"), ("interval_cycles", "interval"), ("clock_ns", "clock ns")):
            if key in report:
                theirs[name] = report[key]
                if found := (manifest["cost"] if key == "clock_ns" else cycles).get(key):
                    ours[name] = found
        for name, entry in theirs.items():
            table.add_row(name, *_beside(ours.get(name), entry))
        parts += ["", table]
    return parts


def _beside(ours: Entry | None, theirs: Entry) -> tuple[str, str, str, Text]:
    if ours is None:
        return "", figure(theirs, ""), "", Text("")
    held = ours["low"] <= theirs["value"] <= ours["high"]
    ratio = f"{theirs['value'] / ours['value']:.2f}" if ours["value"] else ""
    return (
        figure(ours, ""),
        figure(theirs, ""),
        ratio,
        Text("yes" if held else "no", style="green" if held else "yellow"),
    )


def _fifos(stream: Entry) -> Text:
    fifos = stream["fifos"]
    bits = {key: sum(f[key] * f["width"] for f in fifos) for key in ("depth", "stall_free")}
    text = (
        f"{len(fifos)} FIFOs of {si(bits['depth'])}bit in all; {si(bits['stall_free'])}bit are enough without a stall "
        "(gatewright fifo)"
    )
    return Text(text)


def layer_table(cost: Entry, *, narrow: bool = False) -> Table:
    """One line a layer: cycles and counts of the HLS report."""
    table = Table(title="Layers (HLS level)", title_justify="left", title_style="bold", box=None, padding=(0, 1))
    table.add_column("layer", overflow="fold")
    shown = ("op",) if narrow else ("op", "strategy", "reuse")
    for name in shown:
        table.add_column(name)
    for name in ("latency", "interval", *(NAMES[r] for r in RESOURCES[:4])):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in cost["layers"]:
        counts = layer["levels"].get("hls", {})
        more = [layer["strategy"], str(layer["reuse_factor"])] if layer["op"] in STRATEGIC else ["", ""]
        table.add_row(
            layer["name"],
            layer["function"] or layer["op"],
            *(() if narrow else more),
            middle(layer.get("latency_cycles")),
            middle(layer.get("interval_cycles")),
            *(middle(counts.get(name)) for name in RESOURCES[:4]),
        )
    return table


STRATEGIC = ("dense", "conv1d", "conv2d", "depthwise1d", "depthwise2d")


def _side_by_side(designs: Sequence[Entry]) -> list[RenderableType]:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("board")
    for name in ("latency", "interval", "clock ns", *(NAMES[r] for r in RESOURCES)):
        table.add_column(name, justify="right", no_wrap=True)
    rest: list[RenderableType] = []
    for design in designs:
        cost, there = design["cost"], design["cost"].get("available", {})
        cells = [middle(cost.get(name)) for name in ("latency_cycles", "interval_cycles", "clock_ns")]
        shares = [_cell(cost["resources"].get(name), there.get(name, 0)) for name in RESOURCES]
        table.add_row(design["board"], *cells, *shares)
        rest += [
            Text(f"{design['board']}: {f['what']}", style="yellow") for f in cost["findings"] if f["kind"] != "domain"
        ]
    return [table, *(["", *rest] if rest else [])]


def _cell(entry: Entry | None, limit: int) -> Text:
    if entry is None:
        return Text("")
    text = _share(entry, limit)
    return (
        Text(f"{si(entry['value'])} ").append(f"{100 * entry['value'] / limit:.0f} %", text.style)
        if limit
        else Text(si(entry["value"]))
    )


def middle(entry: Entry | None) -> str:
    """Spell a figure's value alone."""
    return "" if entry is None else number(entry["value"])


__all__ = [
    "NAMES", "figure", "findings", "layer_table", "middle", "one", "render", "resource_table", "si", "speed",
    "vendor_tables",
]  # fmt: skip

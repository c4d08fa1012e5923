"""The cost of a library for a terminal: the whole, then the layers; several boards side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .figures_text import bytes_text, figure

Entry = Mapping[str, Any]
LEGEND = (
    "Estimated: instructions of the machine code, run on a model of the core, and what moves between its caches "
    "(docs/estimates.md). Roofline: the share of a layer's time that its products, or its memory, need at the core's "
    "peak. Bound: what keeps it from being faster."
)


def one(design: Entry, *, head: bool = True) -> list[RenderableType]:
    """Lay out one design: time, instructions, memory, then its layers, the slowest first."""
    cost = design["cost"]
    core = cost["processor"]
    parts: list[RenderableType] = [Text(f"{design['board']} ({design['target']})")] if head else []
    table = Table.grid(padding=(0, 2))
    clock = f"{core['clock_mhz']:,.0f} MHz" + (" (assumed)" if core["clock_assumed"] else "")
    rows = {
        "latency": (figure(cost["latency_s"], "s"), f"one {core['core']} at {clock}", cost["latency_s"]["kind"]),
        "instructions": (figure(cost["instructions"], ""), "of the kernels", cost["instructions"]["kind"]),
    }
    for name, entry in cost["memory"].items():
        rows[name.removesuffix("_bytes")] = (bytes_text(entry["value"]), "", entry["kind"])
    for name, (value, more, kind) in rows.items():
        table.add_row(Text(name, style="bold"), value, more, Text(kind, style="dim"))
    return [*parts, table, "", layer_table(core["layers"]), "", Text(LEGEND, style="dim"), ""]


def layer_table(layers: Sequence[Entry]) -> Table:
    """One line a kernel that takes any time, the slowest first."""
    table = Table(title="Layers", title_justify="left", title_style="bold", box=None, padding=(0, 1))
    for name in ("layer", "ends in", "shape", "us", "share", "instructions", "GMAC/s", "roofline", "bound"):
        table.add_column(name, justify="left" if name in ("layer", "ends in", "bound") else "right", overflow="fold")
    total = sum(layer["latency_s"] for layer in layers) or 1.0
    for layer in sorted(layers, key=lambda each: -each["latency_s"]):
        seconds = layer["latency_s"]
        rate = f"{layer['macs'] / seconds / 1e9:.1f}" if layer["macs"] and seconds else ""
        table.add_row(
            layer["source"] or layer["name"], layer["op"], "x".join(map(str, layer["shape"])) or "scalar",
            f"{seconds * 1e6:,.2f}", f"{100 * seconds / total:.1f} %", f"{layer['instructions']:,}", rate,
            f"{100 * layer['roofline']:.0f} %", layer["bound"],
        )  # fmt: skip
    return table


def side_by_side(designs: Sequence[Entry]) -> list[RenderableType]:
    """Lay out boards beside each other, with what bounds most of the time on each."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("board")
    for name in ("latency", "", "instructions", "arena", "constants", "GMAC/s"):
        table.add_column(name, justify="right" if name else "left")
    table.add_column("core, and what bounds most of its time")
    for design in designs:
        table.add_row(design["board"], *(_measured(design) if "measured" in design else _estimated(design)))
    return [table, "", Text(LEGEND, style="dim")]


def _estimated(design: Entry) -> list[str]:
    cost = design["cost"]
    core, seconds = cost["processor"], cost["latency_s"]["value"]
    memory = cost["memory"]
    return [
        figure(cost["latency_s"], "s"), "estimated", f"{cost['instructions']['value']:,}",
        bytes_text(memory["arena_bytes"]["value"]), bytes_text(memory["constants_bytes"]["value"]),
        f"{design['macs'] / seconds / 1e9:.1f}" if seconds else "", f"{core['core']}; {_most(core['layers'])}",
    ]  # fmt: skip


def _measured(design: Entry) -> list[str]:
    found = design["measured"]
    layers = [{"latency_s": each["seconds"], "bound": each["bound"]} for each in found["layers"]]
    rate = design["macs"] / found["seconds"] / 1e9 if found["seconds"] else 0.0
    return [
        f"{found['seconds'] * 1e6:,.1f} us", "measured", "", bytes_text(found["arena_bytes"]),
        bytes_text(found["constant_bytes"]), f"{rate:.1f}", f"{found['on']}; {_most(layers)}",
    ]  # fmt: skip


def _most(layers: Sequence[Entry]) -> str:
    """Name what bounds the greatest part of the time, with its share."""
    times: dict[str, float] = {}
    for layer in layers:
        times[layer["bound"]] = times.get(layer["bound"], 0.0) + layer["latency_s"]
    if not times:
        return ""
    name = max(times, key=times.__getitem__)
    return f"{name} ({100 * times[name] / (sum(times.values()) or 1.0):.0f} %)"


__all__ = ["layer_table", "one", "side_by_side"]

"""The cost of firmware for a terminal: the whole, then the layers; several boards side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .figures_text import BOUNDS, bytes_text, figure, si

Entry = Mapping[str, Any]
LEGEND = (
    "Instructions are counted on an emulated core, by layer; cycles are estimated from their mix, caches and wait "
    "states (docs/estimates.md). MAC: a product of the network as it was trained."
)


def one(design: Entry) -> list[RenderableType]:
    """Lay out one design: time, energy, instructions, memory, then its layers in order."""
    cost, counted = design["cost"], design["counted"]
    table = Table.grid(padding=(0, 2))
    rows = {
        "latency": (figure(cost.get("latency_s"), "s"), "latency_s"),
        "cycles": (figure(cost.get("latency_cycles"), ""), "latency_cycles"),
        "instructions": (_count(cost), "instructions"),
        "energy": (_energy(cost), "energy_j"),
    }
    for name, (value, key) in rows.items():
        if value:
            table.add_row(Text(name, style="bold"), value, Text(cost[key]["kind"], style="dim"))
    for name, entry in cost.get("memory", {}).items():
        text = bytes_text(entry["value"])
        table.add_row(Text(name.removesuffix("_bytes"), style="bold"), text, Text(entry["kind"], style="dim"))
    parts: list[RenderableType] = [Text(f"{design['board']} ({design['target']})"), table]
    if counted:
        parts += ["", layer_table(counted)]
    else:
        parts += ["", Text("instructions: not counted, no emulated core for it is installed here", style="yellow")]
    return [*parts, "", Text(LEGEND, style="dim"), ""]


def layer_table(counted: Entry) -> Table:
    """One line a layer, in order: its share, instructions, those of a product, and what most of them are."""
    title = f"Layers (emulated {counted['core']})"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1))
    for name in ("layer", "share", "instructions", "MACs", "a MAC", "bound by"):
        table.add_column(name, justify="left" if name in ("layer", "bound by") else "right", overflow="fold")
    total = max(counted["instructions"], 1)
    for layer in counted["layers"]:
        macs, count = layer["macs"], layer["instructions"]
        table.add_row(
            layer["name"], f"{100 * count / total:.1f} %", f"{count:,}", f"{macs:,}" if macs else "",
            f"{count / macs:.2f}" if macs else "", BOUNDS.get(layer.get("bound_by", ""), ""),
        )  # fmt: skip
    return table


def side_by_side(designs: Sequence[Entry]) -> list[RenderableType]:
    """Lay out boards beside each other."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("board")
    for name in ("latency", "energy", "instructions", "a MAC", "arena", "flash", "stack"):
        table.add_column(name, justify="right")
    table.add_column("core")
    for design in designs:
        cost = design["cost"]
        count = cost.get("instructions", {}).get("value")
        memory = [cost.get("memory", {}).get(f"{name}_bytes") for name in ("arena", "flash", "stack")]
        table.add_row(
            design["board"], figure(cost.get("latency_s"), "s"), _energy(cost), _count(cost),
            f"{count / design['macs']:.2f}" if count and design["macs"] else "",
            *("" if entry is None else bytes_text(entry["value"]) for entry in memory),
            design["counted"].get("core", "not counted here"),
        )  # fmt: skip
    return [table, "", Text(LEGEND, style="dim")]


def _count(cost: Entry) -> str:
    return f"{cost['instructions']['value']:,.0f}" if "instructions" in cost else ""


def _energy(cost: Entry) -> str:
    return f"{si(cost['energy_j']['value'])}J" if "energy_j" in cost else ""


__all__ = ["layer_table", "one", "side_by_side"]

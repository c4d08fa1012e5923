"""What the launches of a project for a graphics processor cost, for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def launches(design: Mapping[str, Any]) -> list[RenderableType]:
    """Lay out a design's launches: the whole, then each layer, the slowest first."""
    found = design["launches"]
    whole = found["seconds"]
    band = "" if whole["low"] == whole["high"] else f" ({whole['low'] * 1e6:,.1f} to {whole['high'] * 1e6:,.1f})"
    head = (
        f"{design['board']} ({design['target']}): {whole['value'] * 1e6:,.1f}{band} us an inference, {whole['kind']} "
        f"({whole['source']}); {design['macs']:,} MACs, {len(found['layers'])} launches"
    )
    memory = f"arena {found['arena_bytes']:,} bytes, constants {found['constant_bytes']:,} bytes"
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("layer", "kernel", "blocks", "threads", "us", "share", "GMAC/s", "roofline", "bound"):
        table.add_column(name, justify="left" if name in ("layer", "kernel", "bound") else "right")
    total = sum(layer["seconds"] for layer in found["layers"]) or 1.0
    for layer in sorted(found["layers"], key=lambda each: -each["seconds"]):
        seconds = layer["seconds"]
        rate = f"{layer['macs'] / seconds / 1e9:,.1f}" if layer["macs"] and seconds else ""
        roof = "" if layer["roofline"] is None else f"{100 * layer['roofline']:.0f} %"
        table.add_row(
            layer["name"], layer["kernel"], str(layer["blocks"]), str(layer["threads"]), f"{seconds * 1e6:,.2f}",
            f"{100 * seconds / total:.1f} %", rate, roof, layer["bound"],
        )  # fmt: skip
    legend = "roofline: the least time that the board's peaks and bandwidth leave a launch, as a share of its time"
    return [Text(head), Text(memory), "", table, "", *(Text(n) for n in found["notes"]), Text(legend, style="dim"), ""]


__all__ = ["launches"]

"""The report of an output directory, for people: what was compiled, how exact it is, where each figure comes from."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLE = {"exact": "green", "failed": "bold red", "skipped": "yellow"}


def render(manifest: Mapping[str, Any]) -> RenderableType:
    """Lay a manifest out for a terminal."""
    parts: list[RenderableType] = [_head(manifest), "", _layers(manifest), "", _inserted(manifest)]
    if manifest["notes"]:
        parts += ["", Text("Notes", style="bold"), *(Text(f"  {note}") for note in manifest["notes"])]
    parts += ["", _verification(manifest["verification"]), "", Text(SOURCES, style="dim")]
    return Group(*parts)


SOURCES = (
    "Formats, MACs and parameters: exact, from the integer graph. Proved ranges: exact interval analysis over the "
    "actual weights. Seen ranges: the graph run on the samples given to compile. Verification: the compiled C simulation "
    "against the graph."
)


def _head(manifest: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    options = manifest["options"]
    origin = manifest["created_from"]
    rows = {
        "model": f"{origin['model']}  ({origin['frontend']}"
        + (f", sha256 {origin['sha256'][:12]})" if origin["sha256"] else ")"),
        "board": f"{manifest['board']}  ({manifest['target']})",
        "options": ", ".join(
            f"{k} {v}" for k, v in options.items() if v not in (None, "", "model") and not isinstance(v, (dict, list))
        ),
        "input": "; ".join(_port(p) for p in manifest["inputs"]),
        "output": "; ".join(_port(p) for p in manifest["outputs"]),
        "size": f"{manifest['macs']:,} MACs, {manifest['parameters']:,} parameters (exact)",
    }
    for key, value in rows.items():
        table.add_row(Text(key, style="bold"), Text(value))
    return table


def _port(port: Mapping[str, Any]) -> str:
    shape = "x".join(map(str, port["shape"])) or "scalar"
    return f"{port['name']} {shape} {port['format']}"


def _layers(manifest: Mapping[str, Any]) -> Table:
    table = Table(title="Layers", title_justify="left", box=None, padding=(0, 1), header_style="bold")
    for name in ("name", "operator", "shape", "format", "weights", "MACs", "proved", "seen"):
        table.add_column(name, justify="right" if name == "MACs" else "left", overflow="fold")
    for layer in manifest["layers"]:
        seen = layer["range"].get("seen")
        table.add_row(
            Text(layer["name"]),
            Text(layer["op"]),
            "x".join(map(str, layer["shape"])),
            Text(layer["format"]),
            Text(" ".join(c["format"] for c in layer["constants"])),
            f"{layer['macs']:,}" if layer["macs"] else "",
            _span(layer["range"]["proved"]),
            _span(seen) if seen else "",
        )
    return table


def _span(ends: list[float]) -> str:
    return f"{ends[0]:.4g} .. {ends[1]:.4g}"


def _inserted(manifest: Mapping[str, Any]) -> RenderableType:
    """The quantizers that are not the model's own."""
    rows = [e for e in (*manifest["inputs"], *manifest["layers"]) if e.get("inserted")]
    if not rows:
        return Text("Every quantizer is the model's own: Gatewright inserted none.", style="green")
    table = Table(
        title="Quantizers that Gatewright inserted", title_justify="left", box=None, padding=(0, 1), header_style="bold"
    )
    for name in ("where", "format", "mode", "why", "proved", "seen", "saturated"):
        table.add_column(name, overflow="fold")
    for row in rows:
        span = row["range"]
        clipped = f"{span['clipped']:,} of {span['count']:,}" if "count" in span else "no samples"
        seen = _span(span["seen"]) if "seen" in span else ""
        mode = f"{row.get('rounding', '')} {row.get('overflow', '')}".strip()
        table.add_row(row["name"], Text(row["format"]), mode, row["inserted"], _span(span["proved"]), seen, clipped)
    return table


def _verification(entry: Mapping[str, Any]) -> Text:
    style = STYLE[entry["status"]]
    match entry["status"]:
        case "exact":
            text = f"Verified: {entry['engine']} equals the graph in every bit on {entry['vectors']:,} vectors."
        case "failed":
            first = entry["first_mismatch"] or {}
            text = (
                f"NOT exact: {entry['mismatches']:,} values differ on {entry['vectors']:,} vectors "
                f"({entry['engine']}). First: layer {first.get('layer')}, vector {first.get('vector')}, index {first.get('index')}: "
                f"expected {first.get('expected')}, got {first.get('got')}."
            )
        case _:
            text = f"Not verified: {entry.get('reason', 'no reason recorded')}."
    return Text(text, style=style)


def board_table(boards: Mapping[str, Any]) -> Table:
    """One line a board."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("name", "kind", "part", "LUT", "DSP", "clock MHz", "title"):
        table.add_column(name, justify="right" if name in ("LUT", "DSP", "clock MHz") else "left")
    for name, board in boards.items():
        fpga = board.fpga
        if fpga is None:
            table.add_row(name, board.kind, "", "", "", "", board.title)
            continue
        r = fpga.resources
        logic = r.lut or r.alm or r.lut4
        dsp = r.dsp or r.mult18 or r.mult16
        table.add_row(
            name, board.kind, fpga.part, f"{logic.value:,}" if logic else "", f"{dsp.value:,}" if dsp else "",
            f"{fpga.clock.default_mhz.value:g}", board.title,
        )  # fmt: skip
    return table


def show(renderable: RenderableType) -> None:
    """Print to standard output, as wide as the terminal, at least 120 columns where it is none."""
    console = Console()
    Console(width=max(console.width, 120) if not console.is_terminal else None, highlight=False).print(renderable)

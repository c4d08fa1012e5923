"""The report of an output directory, for people: what was compiled, how exact it is, where each figure comes from."""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

STYLE = {"exact": "green", "close": "green", "failed": "bold red", "skipped": "yellow"}
SOURCES = (
    "Formats, MACs, parameters: exact, from the integer graph. Proved: interval analysis over the actual weights. "
    "Seen: the graph run on the samples given to compile. Verified: what was compiled against the graph."
)
NUMBERS = ("MACs", "weights", "LUT", "DSP", "MHz", "clipped")
"""Columns of numbers, which stand on the right."""
WHOLE = (*NUMBERS, "shape", "of", "gives", "format", "mode", "proved", "seen", "name", "kind", "part")
"""Columns that are not broken into lines, unless they hold LONG ones: these would leave no place for names."""
LONG = 24
NARROW = 110

Entry = Mapping[str, Any]


def render(manifest: Entry, *, narrow: bool = False) -> RenderableType:
    """Lay a manifest out for a terminal: the verdict first, then what it is about, then the layers.

    ``narrow``: for less than 110 columns, which leaves out the columns that matter least.
    """
    layers, inserted = _layers(manifest, narrow), _inserted(manifest, narrow)
    parts: list[RenderableType] = [_verification(manifest["verification"]), "", _head(manifest), "", layers]
    parts += ["", inserted]
    if manifest["cost"]:
        parts += ["", *costs(manifest, narrow)]
    if manifest["notes"]:
        parts += ["", Text("Notes", style="bold"), *(Text(f"  {note}") for note in manifest["notes"])]
    return Group(*parts, "", Text(SOURCES, style="dim"))


def costs(manifest: Entry, narrow: bool) -> list[RenderableType]:
    """What it costs, and what vendors' tools said of it."""
    from .reports.profile import findings, resource_table, speed, vendor_tables

    cost = manifest["cost"]
    if "processor" in cost:
        from .reports.processor import one

        return one(manifest, head=False)
    if "levels" not in cost:
        return [speed(cost), *_memory(cost.get("memory", {}))]
    return [speed(cost), "", resource_table(cost), *vendor_tables(manifest), *findings(cost)]


def _memory(found: Entry) -> list[RenderableType]:
    """One row for each kind of memory: bytes, and where the figure comes from."""
    table = Table(title="Memory", title_justify="left", title_style="bold", box=None, padding=(0, 1))
    for name in ("", "bytes", "kind", "source"):
        table.add_column(name, justify="right" if name == "bytes" else "left")
    for name, figure in found.items():
        row = (name.removesuffix("_bytes"), f"{figure['value']:,}", figure["kind"], figure["source"])
        table.add_row(*map(Text, row))
    return [table] if found else []


def _head(manifest: Entry) -> Table:
    table = Table.grid(padding=(0, 2))
    origin = manifest["created_from"]
    digest = f", sha256 {origin['sha256'][:12]}" if origin["sha256"] else ""
    rows = {
        "model": f"{origin['model']} ({origin['frontend']}{digest})",
        "board": f"{manifest['board']} ({manifest['target']})",
        "options": _options(manifest["options"]),
        "input": "; ".join(map(_port, manifest["inputs"])),
        "output": "; ".join(map(_port, manifest["outputs"])),
        "size": f"{manifest['macs']:,} MACs, {manifest['parameters']:,} parameters",
    }
    for key, value in rows.items():
        table.add_row(Text(key, style="bold"), Text(value))
    return table


def _options(options: Entry) -> str:
    plain = [f"{k} {v}" for k, v in options.items() if v not in (None, "", "model") and not isinstance(v, (dict, list))]
    rules = [
        f"{rule['name']}: {' '.join(f'{k} {v}' for k, v in rule.items() if k != 'name')}"
        for rule in options.get("layer", [])
    ]
    return "; ".join([", ".join(plain), *rules])


def _port(port: Entry) -> str:
    return f"{port['name']} {_shape(port['shape'])} {port['format']}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _table(title: str, rows: Sequence[Entry], columns: Sequence[str]) -> Table:
    """Give a table of those columns of the rows that hold anything; what is marked ``style`` colours its row."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, padding=(0, 1))
    table.header_style = "bold"
    used = [name for name in columns if any(row.get(name) for row in rows)]
    for name in used:
        justify: Literal["right", "left"] = "right" if name in NUMBERS else "left"
        longest = max(len(line) for row in rows for line in row.get(name, "").split("\n"))
        table.add_column(name, justify=justify, no_wrap=name in WHOLE and longest <= LONG, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row.get(name, "")) for name in used), style=row.get("style"))
    return table


def _layers(manifest: Entry, narrow: bool) -> Table:
    """One row for each layer of the source, whose steps are folded into it: what it does, what it gives."""
    runs = groupby(manifest["layers"], key=lambda layer: layer["source"] or layer["name"])
    rows = [_row(source, list(run)) for source, run in runs]
    wide = ("layer", "steps", "shape", "MACs", "weights", "of", "gives", "proved", "seen")
    return _table("Layers", rows, [name for name in wide if not narrow or name not in ("steps", "of")])


def _row(source: str, run: Sequence[Entry]) -> dict[str, str]:
    """Fold the steps of one layer: the last one's result is the layer's."""
    last = run[-1]
    formats = [c["format"] for layer in run if layer["parameters"] for c in layer["constants"]]
    return {
        "layer": source,
        "steps": _steps([layer["op"] for layer in run]),
        "shape": _shape(last["shape"]),
        "MACs": _count(sum(layer["macs"] for layer in run)),
        "weights": _count(sum(layer["parameters"] for layer in run)),
        "of": "\n".join(dict.fromkeys(formats)),
        "gives": last["format"],
        **_spans(last["range"]),
    }


def _steps(operators: Sequence[str]) -> str:
    """Name the operations of a layer; beyond four, how many more."""
    shown = operators if len(operators) <= 4 else [*operators[:3], f"{len(operators) - 3} more"]
    return ", ".join(shown)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _spans(entry: Entry) -> dict[str, str]:
    return {name: f"{entry[name][0]:.4g} .. {entry[name][1]:.4g}" for name in ("proved", "seen") if name in entry}


def _inserted(manifest: Entry, narrow: bool) -> RenderableType:
    """The quantizers that are not the model's own."""
    rows = [_inserted_row(e) for e in (*manifest["inputs"], *manifest["layers"]) if e["inserted"]]
    if not rows:
        return Text("Every quantizer is the model's own: Gatewright inserted none.", style="green")
    wide = ("at", "format", "mode", "why", "proved", "seen", "clipped")
    columns = [name for name in wide if not narrow or name not in ("mode", "proved")]
    return _table("Quantizers that Gatewright inserted", rows, columns)


def _inserted_row(entry: Entry) -> dict[str, str]:
    span = entry["range"]
    lost = span.get("clipped") and not entry["inserted"].startswith("index of a table")  # flat there: nothing is lost
    return {
        "at": entry.get("source") or entry["name"],
        "format": entry["format"],
        "mode": f"{entry.get('rounding', '')} {entry.get('overflow', '')}".strip(),
        "why": entry["inserted"],
        **_spans(span),
        "clipped": f"{span['clipped']:,} of {span['count']:,}" if "count" in span else "",
        "style": "yellow" if lost else "",
    }


def _verification(entry: Entry) -> Text:
    style = STYLE[entry["status"]]
    match entry["status"]:
        case "exact":
            text = f"Exact: the {entry['engine']} equals the graph in every bit on {entry['vectors']:,} vectors."
        case "close":
            text = (
                f"Close: the {entry['engine']} is within {entry['difference']:.1e} of the graph on "
                f"{entry['vectors']:,} vectors (allowed: {entry['tolerance']:g} of an output's largest value)."
            )
        case "failed":
            first = entry["first_mismatch"] or {}
            text = (
                f"NOT EXACT: {entry['mismatches']:,} values differ on {entry['vectors']:,} vectors "
                f"({entry['engine']}). "
                f"First: layer {first.get('layer')}, vector {first.get('vector')}, index {first.get('index')}: "
                f"expected {first.get('expected')}, got {first.get('got')}."
            )
        case _:
            text = f"Not verified: {entry.get('reason', 'no reason recorded')}."
    return Text(text, style=style)


def board_table(boards: Mapping[str, Any]) -> Table:
    """One line a board."""
    columns = ("name", "kind", "part", "LUT", "DSP", "MHz", "title")
    return _table("", [_board_row(name, board) for name, board in boards.items()], columns)


def _board_row(name: str, board: Any) -> dict[str, str]:
    row = {"name": name, "kind": board.kind, "title": board.title}
    if board.fpga is None:
        return {**row, "part": _processor(board), "MHz": _fastest(board)}
    r = board.fpga.resources
    logic, dsp = r.lut or r.alm or r.lut4, r.dsp or r.mult18 or r.mult16
    return {
        **row,
        "part": board.fpga.part,
        "LUT": f"{logic.value:,}" if logic else "",
        "DSP": f"{dsp.value:,}" if dsp else "",
        "MHz": f"{board.fpga.clock.default_mhz.value:g}",
    }


def _processor(board: Any) -> str:
    """Say what code is generated for: a graphics processor, or a core or level by LLVM's name."""
    if board.kind == "gpu":
        return str(board.compiler.arch or board.gpu.name)
    return str(board.compiler.cpu) if board.compiler else ""


def _fastest(board: Any) -> str:
    clocked = [board.gpu] if board.kind == "gpu" else board.cores
    clocks = [each.clock_mhz.value for each in clocked if each.clock_mhz]
    return f"{max(clocks):g}" if clocks else ""


def width() -> int:
    """Columns of the terminal; where standard output is none, what COLUMNS says, else 120."""
    console = Console()
    return console.width if console.is_terminal or "COLUMNS" in os.environ else 120


def show(renderable: RenderableType) -> None:
    """Print to standard output."""
    Console(width=width(), highlight=False).print(renderable)

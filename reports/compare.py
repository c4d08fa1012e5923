"""Two compiles side by side, differences first: options, cost, layers, ports, verification."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .figures_text import figure
from .profile import NAMES

Entry = Mapping[str, Any]
FIGURES = ("latency_cycles", "interval_cycles", "latency_s", "clock_ns", "instructions")


def compare(a: Entry, b: Entry) -> dict[str, Any]:
    """Compare two manifests; equal parts are left out.

    ``cost``: figures with ratio b / a and whether the bands overlap; ``layers``: by the source's name (else its own).
    """
    options = {**_named(a["options"], "layer"), "board": a["board"], "target": a["target"]}
    others = {**_named(b["options"], "layer"), "board": b["board"], "target": b["target"]}
    return {
        "options": _differing(options, others),
        "sizes": _differing({k: a[k] for k in ("macs", "parameters")}, {k: b[k] for k in ("macs", "parameters")}),
        "ports": _differing(_ports(a), _ports(b)),
        "cost": _costs(a["cost"], b["cost"]),
        "layers": _layers(a, b),
        "verification": {"a": a["verification"]["status"], "b": b["verification"]["status"]},
        "files": _files(a, b),
    }


def _named(table: Entry, nested: str) -> dict[str, Any]:
    return {k: v for k, v in table.items() if k != nested} | {nested: list(table.get(nested, ()))}


def _differing(a: Entry, b: Entry) -> dict[str, Any]:
    return {k: {"a": a.get(k), "b": b.get(k)} for k in sorted({*a, *b}) if a.get(k) != b.get(k)}


def _ports(manifest: Entry) -> dict[str, str]:
    return {p["name"]: f"{p['shape']} {p['format']}" for p in (*manifest["inputs"], *manifest["outputs"])}


def _costs(a: Entry, b: Entry) -> dict[str, Any]:
    found = {}
    for name in FIGURES:
        if name in a and name in b and a[name] != b[name]:
            found[name] = _pair(a[name], b[name])
    for name in NAMES:
        ours, theirs = a.get("resources", {}).get(name), b.get("resources", {}).get(name)
        if ours and theirs and ours["value"] != theirs["value"]:
            found[name] = _pair(ours, theirs)
    return found


def _pair(a: Entry, b: Entry) -> dict[str, Any]:
    overlap = a["low"] <= b["high"] and b["low"] <= a["high"]
    return {"a": dict(a), "b": dict(b), "ratio": b["value"] / a["value"] if a["value"] else None, "overlap": overlap}


def _layers(a: Entry, b: Entry) -> dict[str, Any]:
    ours, theirs = _by_name(a), _by_name(b)
    changed = {n: _differing(ours[n], theirs[n]) for n in ours if n in theirs and ours[n] != theirs[n]}
    return {
        "only_a": [n for n in ours if n not in theirs], "only_b": [n for n in theirs if n not in ours],
        "changed": changed,
    }  # fmt: skip


def _by_name(manifest: Entry) -> dict[str, dict[str, Any]]:
    costs = {entry["name"]: entry for entry in manifest["cost"].get("layers", ())}
    found = {}
    for layer in manifest["layers"]:
        cost = costs.get(layer["name"], {})
        lut = cost.get("levels", {}).get("hls", {}).get("lut", {}).get("value")
        found[layer["name"]] = {
            "op": layer["op"], "shape": layer["shape"], "format": layer["format"],
            "weights": [c["format"] for c in layer["constants"] if layer["parameters"]],
            "strategy": cost.get("strategy"), "reuse_factor": cost.get("reuse_factor"),
            "cycles": cost.get("latency_cycles", {}).get("value"), "hls_lut": lut,
        }  # fmt: skip
    return found


def _files(a: Entry, b: Entry) -> dict[str, list[str]]:
    ours, theirs = ({f["path"]: f["sha256"] for f in m["files"]} for m in (a, b))
    return {
        "only_a": sorted(ours.keys() - theirs.keys()), "only_b": sorted(theirs.keys() - ours.keys()),
        "changed": sorted(n for n in ours.keys() & theirs.keys() if ours[n] != theirs[n]),
    }  # fmt: skip


def render(found: Entry, names: tuple[str, str], *, narrow: bool = False) -> RenderableType:
    """Lay a comparison out for a terminal."""
    parts: list[RenderableType] = []
    plain = {**found["options"], **found["sizes"], **found["ports"]}
    if found["verification"]["a"] != found["verification"]["b"]:
        plain = {"verification": found["verification"], **plain}
    if plain:
        parts += ["", _pairs({k: (_short(v["a"]), _short(v["b"])) for k, v in plain.items()}, names)]
    if found["cost"]:
        parts += ["", _cost_table(found["cost"], names)]
    parts += _layer_parts(found["layers"], names, narrow)
    files = found["files"]
    count = sum(len(files[k]) for k in files)
    if count:
        parts += [
            "",
            Text(f"{count} files differ: {', '.join([*files['only_a'], *files['only_b'], *files['changed']][:4])} ..."),
        ]
    if not parts:
        return Text("no difference", style="green")
    return Group(Text(f"A {names[0]}\nB {names[1]}"), *parts)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pairs(rows: Mapping[str, tuple[str, str]], names: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("", "A", "B"):
        table.add_column(name, overflow="fold")
    for key, (a, b) in rows.items():
        table.add_row(Text(key), Text(a), Text(b))
    return table


def _cost_table(cost: Entry, names: tuple[str, str]) -> Table:
    table = Table(title="Cost", title_justify="left", title_style="bold", box=None, padding=(0, 1), header_style="bold")
    table.add_column("")
    for name in ("A", "B", "B / A"):
        table.add_column(name, justify="right")
    table.add_column("bands")
    for name, pair in cost.items():
        ratio = f"{pair['ratio']:.2f}" if pair["ratio"] is not None else ""
        unit = "s" if name.endswith("_s") else ""
        title = NAMES.get(name, name.replace("_", " "))
        overlap = "overlap" if pair["overlap"] else Text("apart", style="bold")
        table.add_row(title, figure(pair["a"], unit), figure(pair["b"], unit), ratio, overlap)
    return table


def _layer_parts(layers: Entry, names: tuple[str, str], narrow: bool) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for key, who in (("only_a", "A"), ("only_b", "B")):
        if layers[key]:
            parts += ["", Text(f"only in {who}: {', '.join(layers[key][:12])}{' ...' if layers[key][12:] else ''}")]
    if layers["changed"]:
        table = Table(
            title="Layers", title_justify="left", title_style="bold", box=None, padding=(0, 1), header_style="bold"
        )
        for name in ("layer", "what", "A", "B"):
            table.add_column(name, overflow="fold")
        for layer, differences in layers["changed"].items():
            for i, (what, pair) in enumerate(differences.items()):
                table.add_row(Text(layer if i == 0 else ""), what, Text(_short(pair["a"])), Text(_short(pair["b"])))
        parts += ["", table]
    return parts


__all__ = ["compare", "render"]

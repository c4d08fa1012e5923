"""What a search leaves: the front as a table, as a page with a plot, and each point as a configuration."""

import json
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..graph import FileError
from .search import Result
from .space import Space

WIDE, TALL, EDGE = 560, 320, 56


def toml_text(config: Mapping[str, Any], comment: str) -> str:
    """Write a configuration as TOML."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [f"{key} = {_value(value)}" for key, value in config.items() if key != "layer"]
    for table in config.get("layer", ()):
        lines += ["", "[[layer]]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def write(
    folder: Path,
    result: Result,
    space: Space,
    *,
    model: str,
    board: str,
    default: Mapping[str, float],
    sources: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Write ``pareto.json``, ``pareto.html`` and ``point-N.toml`` into a folder; give the points.

    ``sources``: arguments that a compilation needs to read the same model and samples. Raises FileError.
    """
    points = []
    for number, trial in enumerate(result.pareto, 1):
        file = folder / f"point-{number}.toml"
        target = trial.point.get("board", board)
        command = ["gatewright", "compile", model, "--board", target, "--config", str(file), *sources]
        points.append(
            {
                "number": number, "trial": trial.number, "values": trial.values, "file": file.name, "board": target,
                "command": shlex.join([*command, "--out", f"build/point-{number}"]),
            }
        )  # fmt: skip
    document = {
        "model": model, "board": board, "objectives": list(result.objectives), "default": dict(default),
        "points": points,
        "trials": [
            {"number": t.number, "kind": t.kind, "reason": t.reason, "values": t.values, "point": t.point}
            for t in result.trials
        ],
    }  # fmt: skip
    texts = {"pareto.json": json.dumps(document, indent=1, sort_keys=True) + "\n", "pareto.html": page(document)}
    for entry, trial in zip(points, result.pareto, strict=True):
        reached = ", ".join(f"{n} {spell(n, trial.values[n])}" for n in result.objectives)
        texts[entry["file"]] = toml_text(space.config(trial.point), f"{reached}\n{entry['command']}")
    try:
        for old in folder.glob("point-*.toml"):
            if old.name not in texts:
                old.unlink()
        for name, text in texts.items():
            part = folder / f".{name}.partial"
            part.write_text(text, encoding="utf-8")
            part.replace(folder / name)
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror or error}", where=str(folder)) from None
    return points


def spell(name: str, value: float) -> str:
    """Spell a figure of an objective."""
    if name in ("latency", "interval"):
        return f"{value * 1e6:.3g} us"
    if name == "accuracy":
        return f"{100 * value:.2f} %"
    return f"{value:.4g}" if name == "error" else f"{value:,.0f}"


def table(result: Result, default: Mapping[str, float]) -> Any:
    """Give the front as a table for a terminal, the default design above it."""
    from rich.table import Table

    made = Table(box=None, padding=(0, 1), header_style="bold")
    shown = [*result.objectives, *(n for n in ("lut", "dsp", "bram") if n not in result.objectives)]
    made.add_column("point")
    for name in shown:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("io")
    if default:
        made.add_row("default", *(spell(n, default[n]) if n in default else "" for n in shown), "", style="dim")
    for number, trial in enumerate(result.pareto, 1):
        cells = (spell(n, trial.values[n]) if n in trial.values else "" for n in shown)
        made.add_row(str(number), *cells, f"{trial.point['io']}, {trial.point['strategy']}")
    return made


def page(document: Mapping[str, Any]) -> str:
    """Give the page: a plot for each pair of objectives, and the table."""
    names = document["objectives"]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]] or [(names[0], names[0])]
    plots = "".join(f"<figure>{plot(document, a, b)}</figure>" for a, b in pairs[:6])
    heads = "".join(f"<th>{escape(n)}</th>" for n in ("point", *names, "command"))
    rows = "".join(
        "<tr>" + "".join(
            f"<td>{escape(c)}</td>"
            for c in (str(p["number"]), *(spell(n, p["values"][n]) for n in names), p["command"])
        ) + "</tr>"
        for p in document["points"]
    )  # fmt: skip
    title = f"{escape(document['model'])} on {escape(document['board'])}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}: search</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{len(document['trials'])} trials; {len(document['points'])} designs that no other one beats.</p>{plots}"
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></body></html>\n'
    )


STYLE = (
    ":root{color-scheme:light dark;--ink:#1b1d1f;--soft:#54595f;--bg:#fff;--line:#dfe1e3;--dot:#9aa3ad;--best:#0b5cad}"
    "@media(prefers-color-scheme:dark){:root{--ink:#eceef0;--soft:#a9b0b8;--bg:#15171a;--line:#33383e;--dot:#6b747d;"
    "--best:#7db7f2}}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);max-width:1000px;"
    "margin:0 auto;padding:16px}h1{font-size:22px}figure{margin:0 0 16px;overflow-x:auto}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:13px}th,td{text-align:left;padding:4px 12px 4px 0;"
    "border-bottom:1px solid var(--line)}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}"
    ".dot{fill:var(--dot)}.best{fill:var(--best)}"
    ".axis{stroke:var(--line)}.front{stroke:var(--best);fill:none;stroke-width:1.5}"
)


def plot(document: Mapping[str, Any], across: str, up: str) -> str:
    """Draw the trials by two objectives; those on the front are joined."""
    import svg

    complete = [t for t in document["trials"] if t["kind"] == "complete" and {across, up} <= t["values"].keys()]
    points = [(t["values"][across], t["values"][up], f"trial {t['number']}") for t in complete]
    best = sorted((p["values"][across], p["values"][up], f"point {p['number']}") for p in document["points"])
    both = [*points, *best]
    if not both:
        return "<p>no trial was completed</p>"
    sides: list[list[float]] = [[p[0] for p in both], [p[1] for p in both]]
    ends = [(min(side), max(side)) for side in sides]

    def place(x: float, y: float) -> tuple[float, float]:
        shares = [((x, y)[i] - low) / (high - low) if high > low else 0.5 for i, (low, high) in enumerate(ends)]
        return EDGE + shares[0] * (WIDE - EDGE - 20), TALL - 40 - shares[1] * (TALL - 60)

    parts: list[svg.Element] = [
        svg.Line(x1=EDGE, y1=TALL - 40, x2=WIDE - 20, y2=TALL - 40, class_=["axis"]),
        svg.Line(x1=EDGE, y1=20, x2=EDGE, y2=TALL - 40, class_=["axis"]),
        svg.Text(x=WIDE - 20, y=TALL - 8, text=f"{across} {spell(across, ends[0][1])}", text_anchor="end"),
        svg.Text(x=EDGE, y=TALL - 8, text=spell(across, ends[0][0])),
        svg.Text(x=EDGE + 6, y=16, text=f"{up} {spell(up, ends[1][1])}"),
        svg.Text(x=EDGE - 6, y=TALL - 44, text=spell(up, ends[1][0]), text_anchor="end"),
    ]
    for group, kind, radius in ((points, "dot", 3.5), (best, "best", 5)):
        for p in group:
            x, y = place(p[0], p[1])
            tip: list[svg.Element] = [svg.Title(text=escape(f"{p[2]}: {spell(across, p[0])}, {spell(up, p[1])}"))]
            parts.append(svg.Circle(cx=round(x, 1), cy=round(y, 1), r=radius, class_=[kind], elements=tip))
    made = svg.SVG(
        width=WIDE, height=TALL, viewBox=svg.ViewBoxSpec(0, 0, WIDE, TALL), elements=parts,
        extra={"role": "img", "aria-label": escape(f"{up} against {across} of {len(points)} trials")},
    )  # fmt: skip
    return str(made)


__all__ = ["page", "plot", "spell", "table", "toml_text", "write"]

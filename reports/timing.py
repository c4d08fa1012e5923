"""Runs of schedules and depths of FIFOs for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .profile import si

Entry = Mapping[str, Any]


def run_table(document: Entry) -> RenderableType:
    """A run of processes: the verdict, then a line for each, what it waited for most."""
    period = document["clock_ns"] * 1e-9
    parts: list[RenderableType] = []
    if document["deadlock"]:
        parts += [Text(document["deadlock"], style="bold red"), ""]
    else:
        steady = "" if document["is_steady"] else " (not steady yet: more --frames)"
        parts += [
            Text(
                f"first output after {document['first_output']:,} cycles, latency {document['latency']:,} cycles "
                f"({si(document['latency'] * period)}s), interval {document['interval']:,} cycles "
                f"({si(1 / (document['interval'] * period))} inferences/s){steady}"
            ), "",
        ]  # fmt: skip
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("process", overflow="fold")
    for name in ("start", "first out", "end", "busy", "for input", "for room"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("waits most for", overflow="fold")
    for row in document["processes"]:
        most = max(row["waits"].items(), key=lambda pair: pair[1], default=("", 0))
        first = f"{row['first_write']:,}" if row["first_write"] >= 0 else ""
        busy = f"{100 * row['busy'] / max(1, row['end'] - row['start']):.0f} %" if row["end"] > 0 else ""
        numbers = (f"{row['start']:,}", first, f"{row['end']:,}", busy)
        waits = (f"{row['waits_input']:,}", f"{row['waits_output']:,}")
        table.add_row(row["name"], *numbers, *waits, f"{most[0]} ({most[1]:,})" if most[1] else "")
    written: list[RenderableType] = (
        ["", Text(f"trace written to {document['trace']}: open it in ui.perfetto.dev")] if document["trace"] else []
    )
    return Group(*parts, table, *written)


def schedule_table(document: Entry) -> RenderableType:
    """The layers of a design of arrays."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("layer", overflow="fold")
    for name in ("latency", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in document["layers"]:
        table.add_row(row["name"], f"{row['latency']['value']:,}", f"{row['interval']['value']:,}", row["note"])
    latency, interval = document["latency"], document["interval"]
    head = (
        f"{document['style']}: latency {latency['value']:,} cycles ({latency['low']:,} to {latency['high']:,}), "
        f"interval {interval['value']:,}"
    )
    return Group(Text(head), "", table)


def fifo_table(document: Entry) -> RenderableType:
    """Depths as they are, without a stall, without a deadlock, and what each set reaches."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("FIFO", overflow="fold")
    for name in ("bits", "depth", "stall-free", "deadlock-free"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("certificate", overflow="fold")
    for row in document["fifos"]:
        proof = "port" if row["is_port"] else row["stall_proof"]
        table.add_row(
            row["name"], f"{row['width']:,}", f"{row['depth']:,}", f"{row['stall_free']:,}",
            f"{row['deadlock_free']:,}",
            proof,
        )  # fmt: skip
    bits = {
        key: sum(f[key] * f["width"] for f in document["fifos"]) for key in ("depth", "stall_free", "deadlock_free")
    }
    lines = [Text(f"as it is: {si(bits['depth'])}bit")]
    for key, title in (("stall_free", "stall-free"), ("deadlock_free", "deadlock-free")):
        reached = document[key]
        lines.append(
            Text(
                f"{title}: {si(bits[key])}bit, latency {reached['latency']:,} cycles, interval {reached['interval']:,} "
                f"(FIFOs that are never full: {document['unlimited']['latency']:,}, "
                f"{document['unlimited']['interval']:,})"
            )
        )
    applied = (
        [Text(f"{document['applied']} depths written into the project", style="green")] if document["applied"] else []
    )
    return Group(table, "", *lines, *applied)


__all__ = ["fifo_table", "run_table", "schedule_table"]

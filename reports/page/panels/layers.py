"""The table of layers, which sorts and filters."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....simulation.design import RESOURCES
from ....simulation.figures import Figure
from .. import numbers
from ..document import LEVELS, NAMES, Row, row_levels, rows
from ..panel import Document, Panel
from ..template import fill


@dataclass(frozen=True)
class Cell:
    """A cell of the table: ``sort`` orders the column; ``under``: a line below; ``figure`` is there for what has a band
    and a source, ``share`` is its part of the greatest of the column.
    """

    text: str
    sort: str = ""
    under: str = ""
    figure: Figure | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Column:
    """``level``: the level of its counts, "" for what has none; ``number``: whether it stands on the right."""

    title: str
    number: bool = False
    level: str = ""


def layers(document: Document) -> Panel | None:
    """Show one row a layer of the hardware (a step of the graph, where the hardware is not described)."""
    found = rows(document)
    if not found:
        return None
    levels = row_levels(found)
    resources = [(level, r) for level in levels for r in RESOURCES if any(row.count(level, r) for row in found)]
    columns = [*_columns(found), *(Column(NAMES[r], True, level) for level, r in resources)]
    most = {key: max((f.value for row in found if (f := row.count(*key))), default=0.0) for key in resources}
    table = [(row, [*_cells(row, columns), *(_count(row, key, most[key]) for key in resources)]) for row in found]
    names = {level: LEVELS[level] for level in sorted(levels, key=lambda level: level != "synthesis")}
    html = fill("layers.html", columns=columns, table=table, levels=names, anchor=anchor, has_cost=bool(found[0].cost))
    return Panel("layers", "Layers", html, 400)


def anchor(row: Row) -> str:
    """The anchor of a layer's row."""
    return f"layer-{row.index}"


def _columns(found: Sequence[Row]) -> list[Column]:
    """Name the columns that hold anything."""
    wide = {
        Column("Operation"): True,
        Column("Result"): True,
        Column("MACs", True): any(row.macs for row in found),
        Column("Weights", True): any(row.parameters for row in found),
        Column("Strategy"): any(row.cost.get("strategy") for row in found),
        Column("Latency", True): any(row.figure("latency_cycles") for row in found),
        Column("Interval", True): any(row.figure("interval_cycles") for row in found),
    }
    return [column for column, used in wide.items() if used]


def _cells(row: Row, columns: Sequence[Column]) -> list[Cell]:
    strategy, reuse = str(row.cost.get("strategy", "")), int(row.cost.get("reuse_factor", 0))
    elements = 1
    for n in row.shape:
        elements *= int(n)
    every = {
        "Operation": Cell(row.op, row.op),
        "Result": Cell(
            numbers.shape_text(row.shape) if row.steps else "", str(elements if row.steps else 0), row.format
        ),
        "MACs": _number(row.macs),
        "Weights": _number(row.parameters),
        "Strategy": Cell(strategy, f"{strategy} {reuse:09d}", f"reuse factor {reuse}") if row.macs else Cell(""),
        "Latency": _figure(row.figure("latency_cycles")),
        "Interval": _figure(row.figure("interval_cycles")),
    }
    return [every[column.title] for column in columns if not column.level]


def _number(number: int) -> Cell:
    return Cell(numbers.whole(number) if number else "", str(number))


def _figure(figure: Figure | None, most: float = 0.0) -> Cell:
    if figure is None:
        return Cell("", "-1")
    return Cell(numbers.shown(figure), f"{figure.value:g}", "", figure, figure.value / most if most else 0.0)


def _count(row: Row, key: tuple[str, str], most: float) -> Cell:
    return _figure(row.count(*key), most)

"""The committed table is what the runner gives; no answer is wrong."""

import onnx
import pytest

from .runner import CRASH, PASS, WRONG, Result, collect, run
from .table import TABLE, line, render, totals

TEXT = TABLE.read_text()
ROWS = dict(row[2:].split(" | ", 1) for row in TEXT.splitlines() if row.startswith("| test_"))
EVERY = 11
"""Each of this many cases runs by default."""

needs_that_onnx = pytest.mark.skipif(f"of onnx {onnx.__version__}," not in TEXT, reason="made with another onnx")


def as_the_table_says(result: Result) -> bool:
    return line(result) == f"| {result.name} | {ROWS[result.name]}\n"


def test_the_table_has_every_status_that_it_promises() -> None:
    assert ", 0 wrong or crashed." in TEXT
    statuses = [row.partition(" | ")[0] for row in ROWS.values()]
    assert statuses.count("pass") + statuses.count("pass, stored") >= 1000
    assert not {WRONG, CRASH} & set(statuses)


@needs_that_onnx
def test_a_part_of_the_cases() -> None:
    results = [run(case) for case in collect()[::EVERY]]
    assert not [r for r in results if not as_the_table_says(r)]
    assert sum(r.status == PASS for r in results) > len(results) / 2


@pytest.mark.slow
@needs_that_onnx
def test_every_case() -> None:
    results = [run(case) for case in collect()]
    assert render(results) == TEXT, totals(results)

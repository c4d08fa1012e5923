"""Reports of designs are read as far as they state what is needed; bands are judged on designs that were left out."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.estimators import quality
from benchmarks.estimators.fit import band_table, usable
from benchmarks.estimators.records import read
from gatewright.simulation.design import Design, LayerSpec, Type
from gatewright.simulation.resources import resources, shipped
from gatewright.simulation.resources.amounts import Amounts
from gatewright.simulation.resources.estimate import UNPRICED, hls_counts

DENSE = {
    "model": "m", "n_in": "32", "n_out": "32", "weight_bits": "8", "rf_csv": "128", "strategy": "Resource",
    "in_type": "ap_fixed<16,6>", "source": "a/b@1", "tool": "Vivado HLS 2020.1", "LUT": "7000", "FF": "900", "DSP": "8",
    "BRAM_18K": "3", "lat_max": "130", "ii_max": "128", "ok": "True",
}  # fmt: skip
JET = {"model": "j", "source": "c/d@1", "EBOPs": "900", "da4ml_cost": "800", "LUT": "850"}
DESIGN = {
    "id": "x", "repo": "e/f", "tool": "Vitis HLS", "tool_version": "2024.1", "io_type": "io_parallel", "clk_ns": 5,
    "generator": "hls4ml", "hls": {"LUT": 100, "FF": 10, "lat_max": 3}, "flags": [],
    "layers": [{"name": "d", "op": "dense", "n_in": 4, "n_out": 4, "input": "ap_fixed<16,6>"}],
}  # fmt: skip


def write(folder: Path, name: str, rows: list[Mapping[str, str]]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


def score(folder: Path) -> int:
    """All tables of a directory; how many records could be read."""
    found = read(folder)
    list(quality.cycles(found))
    list(quality.shipped_counts(usable(found)))
    list(quality.jets(found, leave_one_out=False))
    return sum(r.kind != "unread" for r in found)


@pytest.mark.parametrize("column", [None, *DENSE])
@pytest.mark.parametrize("value", [None, "", "n/a"])
def test_a_column_that_is_missing_or_empty(tmp_path: Path, column: str | None, value: str | None) -> None:
    """Sizes are needed, all else is not; nothing is guessed for a strategy."""
    row = dict(DENSE)
    if column and value is None:
        del row[column]
    elif column:
        row[column] = value or ""
    write(tmp_path, "my_dense_rows.csv", [row])
    needed = {"n_in", "n_out", "weight_bits", "rf_csv"} | ({"strategy"} if value != "n/a" else set())
    assert score(tmp_path) == (column not in needed)


@pytest.mark.parametrize("column", list(JET))
def test_distributed_designs_without_a_column(tmp_path: Path, column: str) -> None:
    write(tmp_path, "jedi.csv", [{k: v for k, v in JET.items() if k != column}])
    assert score(tmp_path) == 1


def test_a_damaged_design_does_not_hide_the_others(tmp_path: Path) -> None:
    lines = [json.dumps(DESIGN), '{"cut', json.dumps({**DESIGN, "hls": "n/a"}), json.dumps({**DESIGN, "flags": ["x"]})]
    (tmp_path / "designs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [r.kind for r in read(tmp_path)] == ["design", "unread", "unread"]
    assert score(tmp_path) == 1


def test_records_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "my_dense_rows.csv", [DENSE, {**DENSE, "weight_bits": "4"}])
    assert len({r.id for r in read(tmp_path)}) == 2


def test_bands_of_a_class_with_one_repository_come_from_other_shapes(tmp_path: Path) -> None:
    """Not from a band that nothing was fitted to: LUTs twice as many as in the other shapes lie outside."""
    write(tmp_path, "my_dense_rows.csv", [{**DENSE, "model": n, "n_in": n, "rf_csv": str(4 * int(n))} for n in "246"])
    records = usable(read(tmp_path))
    estimates = {r.id: {"lut": 7000.0 / (1.5 if i == 2 else 1), "ff": 900, "dsp": 8, "bram": 3} for i, r in
                 enumerate(records)}  # fmt: skip
    (label, table), *_ = [(k, t) for k, t in band_table(records, estimates).items() if t["lut"]]
    assert "one repository" in label
    assert table["lut"] == [True, True, False]


def test_what_no_report_has_is_not_free() -> None:
    made = Amounts()
    made.lut["never seen"] += 100
    assert hls_counts(made, shipped())["lut"] == 100 * UNPRICED


@pytest.mark.parametrize(
    ("tool", "bits", "reuse", "kinds"),
    [("vivado", 8, 128, ("exact", "exact")), ("vivado", 6, 128, ("estimated", "exact")),
     ("vivado", 8, 2048, ("exact", "estimated")), ("vitis", 8, 128, ("estimated", "estimated"))],
)  # fmt: skip
def test_exact_is_said_only_where_reports_were(tool: str, bits: int, reuse: int, kinds: tuple[str, str]) -> None:
    """The reports of strategy resource are Vivado HLS's; some of them differ at six bits and at long memories."""
    types = {"input": Type(16, 6), "weight": Type(bits, 1), "accum": Type(16, 6), "output": Type(16, 6)}
    layer = LayerSpec("d", "dense", sizes={"n_in": 64, "n_out": 64}, types=types, strategy="resource",
                      reuse_factor=reuse)  # fmt: skip
    total = resources(Design("parallel", (layer,), tool, "2020.1", "xcu250", "virtexuplus")).total["hls"]
    assert (total["dsp"].kind, total["bram"].kind) == kinds

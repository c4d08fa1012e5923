"""The page in an output directory: written by compile, made again by report, no part of what is proved."""

import json
from pathlib import Path
from typing import Any

import html5lib
import pytest
from typer.testing import CliRunner

import gatewright as gw
from gatewright.cli import app
from gatewright.reports.page import page

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=["parallel", "stream"])
def project(request: pytest.FixtureRequest) -> gw.Project:
    samples = EXAMPLES / "digits_test_x.npy"
    return gw.compile(EXAMPLES / "digits_cnn.keras", board="pynq-z2", io=request.param, samples=samples, verify=False)


def report(*arguments: object) -> Any:
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_compile_writes_it_from_the_manifest(project: gw.Project, tmp_path: Path) -> None:
    project.write(tmp_path / "out")
    data = (tmp_path / "out/report.html").read_bytes()
    assert data == page(json.loads((tmp_path / "out/manifest.json").read_text()))
    assert "report.html" not in [entry["path"] for entry in project.manifest["files"]]
    html5lib.HTMLParser(strict=True).parse(data)


def test_a_changed_page_is_no_change_of_the_design(project: gw.Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    project.write(out)
    (out / "report.html").write_text("mine")
    gw.open(out)
    project.write(out)
    assert (out / "report.html").read_bytes() == project.files["report.html"]


def test_report_makes_it_again(project: gw.Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    project.write(out)
    (out / "report.html").unlink()
    gw.open(out)
    assert "written to" in report(out, "--html")
    assert (out / "report.html").read_bytes() == project.files["report.html"]


def test_json_is_the_manifest_also_when_files_are_written(project: gw.Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    project.write(out)
    assert json.loads(report(out, "--json", "--html", "--onnx", tmp_path / "graph.onnx")) == project.manifest
    assert (tmp_path / "graph.onnx").exists()


def test_a_place_that_cannot_be_written_is_told(project: gw.Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    project.write(out)
    (out / "report.html").unlink()
    (out / "report.html").mkdir()
    done = CliRunner().invoke(app, ["report", str(out), "--html"])
    assert done.exit_code == 1
    assert "cannot write" in done.stderr

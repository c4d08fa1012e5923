"""Two compiles side by side."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatewright.cli import app

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    arguments = ("compile", ROOT / "examples/jet_tagger.h5", "--board", "alveo-u250", "--no-verify", "--out")
    assert run(*arguments, folder / "a").exit_code == 0
    assert run(*arguments, folder / "b", "--strategy", "resource", "--reuse-factor", 32).exit_code == 0
    return folder / "a", folder / "b"


def test_differences_first(pair: tuple[Path, Path]) -> None:
    document = json.loads(run("compare", *pair, "--json").stdout)
    assert document["options"]["strategy"] == {"a": None, "b": "resource"}
    assert document["cost"]["latency_cycles"]["ratio"] > 1
    assert document["cost"]["lut"]["b"]["value"] != document["cost"]["lut"]["a"]["value"]
    assert any("reuse_factor" in change for change in document["layers"]["changed"].values())
    assert document["files"]["changed"]
    text = run("compare", *pair).stdout
    assert "reuse_factor" in text
    assert "B / A" in text


def test_equal_compiles(pair: tuple[Path, Path]) -> None:
    assert "no difference" in run("compare", pair[0], pair[0]).stdout


def test_what_is_no_output_directory(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("compare", pair[0], tmp_path)
    assert result.exit_code == 1
    assert "not an output directory" in result.output

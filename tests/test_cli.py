"""The command line: exit status, standard output, messages."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gatewright.cli import app

from .models import tiny

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "check", "compile", "simulate", "report", "profile", "fifo", "compare", "explore", "diff", "boards", "doctor",
)  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny().save(tmp_path / "tiny.gw")
    return tmp_path / "tiny.gw"


@pytest.fixture
def output(model: Path, tmp_path: Path) -> Path:
    assert run("compile", model, "--board", "host", "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"gatewright {command}" in result.stdout


def test_compile_then_report_then_simulate(output: Path, tmp_path: Path) -> None:
    text = run("report", output)
    assert text.exit_code == 0
    assert "42 MACs" in text.stdout
    manifest = json.loads(run("report", output, "--json").stdout)
    assert manifest["created_from"]["model"] == "tiny.gw"
    np.save(tmp_path / "x.npy", np.ones((3, 4), np.float32))
    result = run("simulate", output, "--inputs", tmp_path / "x.npy", "--outputs", tmp_path / "y.npy", "--json")
    assert json.loads(result.stdout)["outputs"] == {"y": [3, 3]}
    assert np.load(tmp_path / "y.npy").shape == (3, 3)


def test_simulate_without_inputs_makes_some(output: Path) -> None:
    assert json.loads(run("simulate", output, "--json").stdout)["samples"] == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compile", "{model}", "--board", "pynq-z3", "--out", "{out}"), "did you mean 'pynq-z2'"),
        (("compile", "{dir}/no.h5", "--board", "host", "--out", "{out}"), "no such file"),
        (
            ("compile", "{model}", "--board", "host", "--out", "{out}", "--precision", "fixed<16"),
            "not a fixed-point format",
        ),
        (("compile", "{model}", "--board", "host", "--out", "{out}", "--vectors", "0"), "vectors = 0"),
        (("compile", "{model}", "--board", "host", "--out", "{out}", "--output", "logit"), "model or logits"),
        (
            ("compile", "{model}", "--board", "host", "--out", "{out}", "--samples", "{dir}/x.txt"),
            "cannot read samples",
        ),
        (
            ("compile", "{model}", "--board", "host", "--out", "{out}", "--config", "{dir}/bad.toml"),
            "did you mean 'precision'",
        ),
        (("diff", "{model}", "{model}", "--bisect", "{dir}/case.txt"), "name a .py file"),
        (("diff", "{model}", "{model}", "--bisect", "{dir}/no/case.py"), "there is no directory"),
        (("simulate", "{dir}"), "not an output directory"),
        (("report", "{dir}/nowhere"), "not an output directory"),
        (("boards", "pynq"), "no board called 'pynq'"),
    ],
)
def test_problems_are_told_and_nothing_is_written(
    arguments: tuple[str, ...], message: str, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_text("not numbers")
    (tmp_path / "bad.toml").write_text('precison = "fixed<8,4>"')
    filled = [a.format(model=model, dir=tmp_path, out=tmp_path / "out") for a in arguments]
    result = run(*filled)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
    as_json = run(*filled, "--json")
    assert as_json.exit_code == 1
    assert message in json.dumps(json.loads(as_json.stdout), ensure_ascii=False)


def test_usage_is_status_2(model: Path) -> None:
    assert run("compile", model).exit_code == 2
    assert run("compile", model, "--bord", "host").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_check_says_that_nothing_stands_in_the_way(model: Path) -> None:
    result = run("check", model, "--board", "host", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"status": "ok", "problems": [], "notes": []}


def test_samples_of_the_wrong_shape(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 5), np.float32))
    result = run("compile", model, "--board", "host", "--out", tmp_path / "out", "--samples", tmp_path / "x.npy")
    assert result.exit_code == 1
    assert "has shape (3, 5)" in result.stderr


def test_boards_are_shown_with_what_code_is_generated_for() -> None:
    rows = [line.split() for line in run("boards").stdout.splitlines()]
    for row in (["raspberry-pi-5", "cpu", "cortex-a76", "2400"], ["cuda-h100", "gpu", "sm_90"], ["metal-a17", "gpu"]):
        assert row in [shown[: len(row)] for shown in rows]
    lines = run("boards", "raspberry-pi-5").stdout.splitlines()
    assert "  features: +dotprod, +fullfp16" in lines
    assert "  - name: Cortex-A76" in lines
    assert any(line.startswith("    clock_mhz: 2400   [Raspberry Pi 5 product brief") for line in lines)
    assert sum(line.startswith("  - level: ") for line in lines) == 4


def test_boards_and_doctor_speak_json() -> None:
    boards = json.loads(run("boards", "--json").stdout)
    assert boards["pynq-z2"]["fpga"]["resources"]["dsp"]["value"] == 220
    assert json.loads(run("boards", "pynq-z2", "--json").stdout) == boards["pynq-z2"]
    found = json.loads(run("doctor", "--json").stdout)
    assert {p["name"] for p in found["packages"]} >= {"numpy", "hls4ml"}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for entry in found["extras"]:  # each is a package of the extra that installs it
        extra = entry["install"].partition("[")[2].partition("]")[0]
        assert any(requirement.startswith(entry["name"]) for requirement in extras[extra])
    assert {e["name"] for e in found["extras"]} >= {"torch", "torchao", "HGQ2", "qonnx", "onnxruntime"}

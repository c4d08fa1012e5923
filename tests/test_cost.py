"""Profile, timing, FIFO depths, warnings: as a user runs them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatewright.cli import app
from gatewright.simulation.cost import cost_of_design
from gatewright.simulation.design import Design, LayerSpec, Type
from gatewright.wording import cost_lines

ROOT = Path(__file__).parents[1]
CNN = ROOT / "examples/digits_cnn.keras"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cost") / "cnn"
    result = run("compile", CNN, "--board", "alveo-u250", "--io", "stream", "--no-verify", "--out", path)
    assert result.exit_code == 0, result.output
    return path


def test_a_compiled_directory_knows_its_cost(stream: Path) -> None:
    document = json.loads(run("profile", stream, "--json").stdout)
    cost = document["designs"][0]["cost"]
    assert cost["style"] == "stream"
    assert cost["latency_cycles"]["kind"] == "simulated"
    assert cost["stream"]["latency"] == cost["latency_cycles"]["value"]
    assert set(cost["levels"]) == {"hls", "synthesis", "implementation"}
    assert {layer["name"] for layer in cost["layers"]} > {"conv1", "zp2d_conv1", "probabilities"}
    text = run("profile", stream).stdout
    assert "after synthesis" in text
    assert "inferences/s" in text


def test_boards_side_by_side() -> None:
    result = run("profile", CNN, "--board", "pynq-z2", "--board", "alveo-u250", "--io", "stream", "--json")
    designs = json.loads(result.stdout)["designs"]
    assert [d["board"] for d in designs] == ["pynq-z2", "alveo-u250"]
    lut = [d["cost"]["available"]["lut"] for d in designs]
    assert lut == [53200, 1728000]
    text = run("profile", CNN, "--board", "pynq-z2", "--board", "alveo-u250").stdout
    assert "pynq-z2" in text
    assert "alveo-u250" in text


def test_a_board_that_cannot_is_told_beside_the_others() -> None:
    result = run("profile", CNN, "--board", "pynq-z2", "--board", "opencl-mali-g715", "--json")
    designs = json.loads(result.stdout)["designs"]
    assert "cost" in designs[0]
    assert "problems" in designs[1]
    alone = run("profile", CNN, "--board", "opencl-mali-g715")
    assert alone.exit_code == 1


def test_profile_needs_a_board() -> None:
    result = run("profile", CNN)
    assert result.exit_code == 1
    assert "--board" in result.output


def test_timing_runs_the_schedule(stream: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    result = run("simulate", stream, "--timing", "--trace", trace, "--frames", 4, "--json")
    document = json.loads(result.stdout)
    assert document["status"] == "ok"
    assert document["latency"] > document["interval"] > 0
    assert {p["name"] for p in document["processes"]} > {"source pixels", "conv1", "pool1"}
    events = json.loads(trace.read_text())["traceEvents"]
    assert {e["ph"] for e in events} == {"M", "X", "C"}
    assert "first output after" in run("simulate", stream, "--timing").stdout


def test_fifos_shrink_and_the_project_follows(stream: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(stream, copy)
    before = json.loads(run("fifo", copy, "--json").stdout)
    assert before["applied"] is None
    assert before["stall_free"]["latency"] == before["unlimited"]["latency"]
    assert all(f["deadlock_free"] <= f["stall_free"] for f in before["fifos"] if not f["is_port"])
    result = run("fifo", copy, "--apply")
    assert result.exit_code == 0, result.output
    wanted = {f["name"]: f["stall_free"] for f in before["fifos"] if not f["is_port"]}
    code = (copy / "project/firmware/digits_cnn.cpp").read_text()
    assert f"variable=layer25_out depth={wanted['conv1_padded']}\n" in code
    after = json.loads(run("profile", copy, "--json").stdout)["designs"][0]
    assert after["options"]["fifo_depths"] == wanted
    assert {f["name"]: f["depth"] for f in after["cost"]["stream"]["fifos"] if f["name"] in wanted} == wanted
    timing = json.loads(run("simulate", copy, "--timing", "--json").stdout)
    assert timing["latency"] == before["stall_free"]["latency"]


def test_arrays_have_no_fifos(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("compile", ROOT / "examples/digits_qkeras.h5", "--board", "pynq-z2", "--no-verify", "--out", out)
    result = run("fifo", out)
    assert result.exit_code == 1
    assert "--io stream" in result.output
    document = json.loads(run("simulate", out, "--timing", "--json").stdout)
    assert document["latency"]["value"] > 0


def test_strict_refuses_what_may_not_fit(tmp_path: Path) -> None:
    arguments = ("compile", CNN, "--board", "basys-3", "--io", "stream", "--no-verify", "--out", tmp_path / "out")
    refused = run(*arguments, "--strict")
    assert refused.exit_code == 1
    assert "the device" in refused.output
    assert not (tmp_path / "out").exists()
    warned = run(*arguments)
    assert warned.exit_code == 0
    assert "the device: " in warned.output
    checked = run("check", CNN, "--board", "basys-3", "--io", "stream", "--strict")
    assert checked.exit_code == 1


def test_a_design_that_stands_still_has_no_latency() -> None:
    """A fork whose one branch is read only when the other has been read whole, through a FIFO of one pack."""
    shape, types = (4, 4, 2), {"input": Type(16, 6), "output": Type(16, 6)}
    fork = LayerSpec("f", "clone", "", "", ("x",), ("a", "b"), (shape,), (shape, shape), types=types)
    move = LayerSpec("m", "kernel", "move", "", ("a",), ("c",), (shape,), (shape,), types=types)
    join = LayerSpec(
        "j", "kernel", "concat2", "", ("c", "b"), ("y",), (shape, shape), ((8, 4, 2),),
        {"by_channel": 0, "outer": 1}, types,
    )  # fmt: skip
    design = Design(
        "stream", (fork, move, join), inputs=("x",), outputs=("y",), input_shapes=(shape,),
        fifo_depths={"a": 1, "b": 1, "c": 1},
    )  # fmt: skip
    cost = cost_of_design(design, None).as_dict()
    assert "latency_cycles" not in cost
    assert "hls" in cost
    assert cost["findings"][0]["what"].startswith("deadlock after cycle")
    assert cost_lines(cost)[0].startswith("no latency: the design deadlocks")
    free = cost_of_design(replace(design, fifo_depths={"a": 1, "b": 16, "c": 1}), None).as_dict()
    assert free["latency_cycles"]["value"] > 32

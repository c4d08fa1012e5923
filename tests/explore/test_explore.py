"""The search: finds better designs, goes on where it was stopped, writes what compile takes."""

import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gatewright.cli import app
from gatewright.explore.outcome import toml_text
from gatewright.explore.search import Found, dominates
from gatewright.explore.search import Result as Searched
from gatewright.explore.trial import Outcome, Task, run_trial
from gatewright.explore.workers import make_pool
from gatewright.graph.file import to_bytes
from gatewright.options import Choices
from gatewright.simulation.resources import Finding

from ..drawn import network

pytest.importorskip("optuna", reason="the extra `explore`")
ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples/digits_cnn.keras"
DATA = ("--samples", ROOT / "examples/digits_test_x.npy", "--labels", ROOT / "examples/digits_test_y.npy")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def explore(out: Path, trials: int, *more: object) -> Result:
    arguments = ("explore", DIGITS, "--board", "alveo-u250", *DATA, "--objective", "latency,lut,accuracy")
    return run(*arguments, "--trials", trials, "--out", out, *more)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explore") / "out"
    result = explore(out, 26)
    assert result.exit_code == 0, result.output
    return out


def test_half_the_logic_at_the_same_accuracy(searched: Path) -> None:
    """What the heuristics find alone: the slow test searches on."""
    found = json.loads((searched / "pareto.json").read_text())
    default = found["default"]
    good = [
        p for p in found["points"]
        if p["values"]["lut"] <= default["lut"] / 2 and p["values"]["accuracy"] >= default["accuracy"] - 0.005
    ]  # fmt: skip
    assert good
    assert "<svg" in (searched / "pareto.html").read_text()


def test_a_point_compiles_to_what_was_said(searched: Path, tmp_path: Path) -> None:
    found = json.loads((searched / "pareto.json").read_text())
    for point in (found["points"][0], found["points"][-1]):
        arguments = ("compile", DIGITS, "--board", point["board"], "--config", searched / point["file"], *DATA[:2])
        result = run(*arguments, "--no-verify", "--json", "--out", tmp_path / point["file"])
        cost = json.loads(result.stdout)["cost"]
        assert cost["resources"]["lut"]["value"] == point["values"]["lut"]
        assert cost["latency_s"]["value"] == pytest.approx(point["values"]["latency"], rel=1e-5)


def test_it_goes_on_where_it_was(searched: Path, tmp_path: Path) -> None:
    before = len(json.loads((searched / "pareto.json").read_text())["trials"])
    assert explore(searched, 3).exit_code == 0
    assert len(json.loads((searched / "pareto.json").read_text())["trials"]) == before + 3
    other = run(
        "explore", DIGITS, "--board", "alveo-u250", *DATA, "--objective", "lut,error", "--trials", 1, "--out", searched
    )
    assert other.exit_code == 1
    assert "another search" in other.output


def test_a_killed_search_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "gatewright.cli", "explore", DIGITS, "--board", "alveo-u250", *DATA, "--objective",
        "lut,accuracy", "--trials", "500", "--out", out,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([str(c) for c in command], env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = 0
    for line in process.stderr:
        if line.startswith("trial "):
            told = int(line.split()[1])
        if told >= 4:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    result = run(
        "explore", DIGITS, "--board", "alveo-u250", *DATA, "--objective", "lut,accuracy", "--trials", 2, "--out", out
    )
    assert result.exit_code == 0, result.output
    assert len(json.loads((out / "pareto.json").read_text())["trials"]) >= told + 2


def test_a_damaged_study_is_kept_aside(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert explore(out, 1).exit_code == 0
    (out / "study.db").write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    result = explore(out, 1)
    assert result.exit_code == 0, result.output
    assert "study.db.damaged-1" in result.output
    assert (out / "study.db.damaged-1").exists()


def test_a_study_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["gatewright.explore.search"], "BUSY_S", 0.2)
    out = tmp_path / "out"
    assert explore(out, 1).exit_code == 0
    with sqlite3.connect(out / "study.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = explore(out, 1)
        other.execute("ROLLBACK")
    assert result.exit_code == 1
    assert "database is locked" in result.output
    assert [p.name for p in out.glob("study*")] == ["study.db"]
    assert explore(out, 1).exit_code == 0


@pytest.mark.parametrize("more", [("--io", "parallel"), ("--clock-ns", "10"), ("--board", "alveo-u280")])
def test_other_options_are_another_search(searched: Path, more: tuple[str, str]) -> None:
    result = explore(searched, 1, *more)
    assert result.exit_code == 1
    assert "another search: options" in result.output


def test_the_command_of_a_point_makes_it(tmp_path: Path) -> None:
    """A clock that the user chose is in the configuration; the samples are in the command."""
    out = tmp_path / "out"
    assert explore(out, 2, "--clock-ns", 10, "--storage", tmp_path / "new/study.db").exit_code == 0
    point = json.loads((out / "pareto.json").read_text())["points"][0]
    arguments = shlex.split(point["command"])[1:]
    arguments[-1] = str(tmp_path / "made")
    result = run(*arguments, "--no-verify", "--json")
    cost = json.loads(result.stdout)["cost"]
    assert cost["latency_s"]["value"] == pytest.approx(point["values"]["latency"], rel=1e-5)
    assert cost["resources"]["lut"]["value"] == point["values"]["lut"]


def test_labels_that_are_no_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.array(["seven"] * 300))
    result = explore(tmp_path / "out", 1, "--labels", tmp_path / "y.npy")
    assert result.exit_code == 1
    assert "the numbers of the classes" in result.output


def test_a_trial_that_breaks_is_told() -> None:
    pool = make_pool(1)

    def breaks() -> Outcome:
        raise ZeroDivisionError("by nothing")

    (job,) = pool.wait([pool.submit(breaks)])
    assert pool.result(job) == Outcome(reason="the trial failed: ZeroDivisionError: by nothing", kind="failed")


def test_what_cannot_be_synthesized_is_not_run(tmp_path: Path) -> None:
    finding = Finding("limit", "too much is unrolled", "conv")
    graph = network(0)
    x = {op.name: np.zeros((4, *op.shape)) for op in graph.input_ops}
    task = Task("key", to_bytes(graph), x, None, np.zeros((4, 1)), Choices())
    cost = type("Cost", (), {"findings": (finding,)})()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatewright.simulation.cost.cost_of", lambda *_: cost)
        found = run_trial(task, {}, "alveo-u250", None, ("lut",))
    assert found == Outcome(reason="too much is unrolled", kind="infeasible")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--trials", "0"), "trials = 0"),
        (("--objective", "speed"), "speed"),
        (("--objective", "latency,lut,"), None),
        (("--workers", "many"), "a number, or an address"),
        (("--workers", "0"), "1 or more"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, more: tuple[str, str], message: str | None) -> None:
    result = explore(tmp_path / "out", 1, *more)
    assert (result.exit_code == 0) == (message is None)
    assert message is None or message in result.output


def test_accuracy_needs_labels(tmp_path: Path) -> None:
    arguments = ("explore", DIGITS, "--board", "alveo-u250", *DATA[:2], "--out", tmp_path / "out", "--trials", 1)
    result = run(*arguments, "--objective", "lut,accuracy")
    assert "needs labels" in result.output
    assert run(*arguments, "--objective", "lut,error").exit_code == 0


def test_labels_of_another_length(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.zeros(3, np.int64))
    result = explore(tmp_path / "out", 1, "--labels", tmp_path / "y.npy")
    assert "3 labels for" in result.output


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.explore.workers.CONNECT_S", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    result = explore(tmp_path / "out", 1, "--workers", f"dask://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "no Dask scheduler answers" in result.output
    assert time.monotonic() - begin < 30


def test_in_processes(tmp_path: Path) -> None:
    """In a process of its own: Dask's threads outlive its clients."""
    command = [
        sys.executable, "-m", "gatewright.cli", "explore", DIGITS, "--board", "alveo-u250", *DATA, "--objective",
        "lut,accuracy", "--trials", "4", "--workers", "2", "--out", tmp_path / "out", "--json",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [str(c) for c in command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert sum(document["trials"].values()) == 4
    assert document["points"]


def test_the_front() -> None:
    def trial(number: int, lut: float, accuracy: float, kind: str = "complete") -> Found:
        return Found(number, {"io": "parallel"}, {"lut": lut, "accuracy": accuracy}, "", kind)

    names = ("lut", "accuracy")
    a, b, c, d = trial(0, 10, 0.9), trial(1, 20, 0.95), trial(2, 20, 0.9), trial(3, 1, 0.99, "infeasible")
    assert dominates(a, c, names)
    assert not dominates(a, b, names)
    assert Searched((a, b, c, d), names).pareto == (a, b)


def test_configurations_are_toml() -> None:
    import tomllib

    config = {"io": "stream", "strategy": "resource", "layer": [{"name": 'a "b"*', "reuse_factor": 4}]}
    assert tomllib.loads(toml_text(config, "one\ntwo")) == config


@pytest.mark.slow
def test_sixty_trials_on_two_cores(tmp_path: Path) -> None:
    begin = time.monotonic()
    assert explore(tmp_path / "out", 60).exit_code == 0
    assert time.monotonic() - begin < 300
    test_half_the_logic_at_the_same_accuracy(tmp_path / "out")

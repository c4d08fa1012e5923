"""The search for the fastest tiles: with a device whose times are known, and with this machine."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import gatewright as gw
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.program import Call, calls_of, layers_of
from gatewright.backends.loops.schedule import Free, Tile, Tiles
from gatewright.backends.tvm import machine_of
from gatewright.backends.tvm.clock import MeasuringError
from gatewright.backends.tvm.rpc import DeviceError, connect
from gatewright.backends.tvm.tuning import Tuned, Tuning, builder, read_tuning, search, tune
from gatewright.backends.tvm.tuning.builder import Builder, CandidateError
from gatewright.backends.tvm.tuning.journal import Journal, Trial
from gatewright.cli import app
from gatewright.graph import FileError, Graph, Node, OptionError
from gatewright.graph.ops import Input, Output, Relu

from .devices import server
from .networks import large, small_cnn
from .support import host

RUN = CliRunner()
PACKAGE = import_module("gatewright.backends.tvm.tuning")
MODULE = import_module("gatewright.backends.tvm.tuning.tune")
Time = Callable[[Free, Tile], float]


class Stand:
    """A builder that compiles nothing and a device that measures nothing: ``time`` gives a layer's seconds."""

    name = "a stand-in"

    def __init__(self, time: Time, *, noise: float = 0.0, refuse: Callable[[Tile], bool] = lambda tile: False) -> None:
        self.time, self.noise, self.refuse = time, noise, refuse
        self.variants: list[Tiles] = []
        self.calls: list[tuple[Call, int]] = []
        self.random = random.Random(1)
        self.built = 0

    def __call__(self, graph: Graph, machine: Machine) -> "Stand":
        self.calls = calls_of(make_program(graph, machine).statements)
        return self

    def __enter__(self) -> "Stand":
        return self

    def __exit__(self, *error: object) -> None: ...

    def fail(self) -> bytes:
        raise CandidateError("the compiler ended with status -9")

    def build(self, variants: Sequence[Tiles]) -> bytes:
        self.built += 1
        if any(self.refuse(tile) for v in variants for tile in v.values()):
            raise CandidateError("the compiler ended with status -11")
        self.variants = [{}, *variants]
        return b""

    @contextmanager
    def open(self, library: bytes, machine: Machine) -> Iterator["Stand"]:
        yield self

    def measure(self, network: int, turns: int, *, clocked: bool, limit_s: float = 0) -> list[float]:
        tiles = self.variants[network]
        found = []
        for call, _ in self.calls:
            tile = call.free and tiles.get(call.free.layer, call.free.default)
            seconds = self.time(call.free, tile) if call.free and tile else 1e-7
            found.append(seconds * (1 + self.noise * self.random.random()))
        return [*found, sum(found)] if clocked else [sum(found)]


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stand]:
    def make(time: Time, **named: Any) -> Stand:
        made = Stand(time, **named)
        monkeypatch.setattr(MODULE, "Builder", made)
        return made

    return make


def best_of(graph: Graph) -> dict[str, Tile]:
    """Give each layer a tile that is far from the formula's."""
    free = layers_of(make_program(graph, host()))
    return {layer: max(f.tiles, key=lambda t: (t.rows * t.vectors, t.lanes, t.rows)) for layer, f in free.items()}


def distance(best: Tiles) -> Time:
    """Time grows with the distance to the best tile."""

    def time(free: Free, tile: Tile) -> float:
        wanted = best[free.layer]
        away = abs(tile.rows - wanted.rows) + 2 * abs(tile.vectors - wanted.vectors) + (tile.lanes != wanted.lanes)
        return 1e-5 * (1 + 0.05 * away + 0.02 * (tile.panels_outside != wanted.panels_outside))

    return time


def test_the_best_tile_of_each_layer_is_found(stand: Callable[..., Stand]) -> None:
    best = best_of(small_cnn())
    found = tune(small_cnn(), host(), trials=5000, device=stand(distance(best), noise=0.002))
    free = layers_of(make_program(small_cnn(), host()))
    assert found.tiles == {layer: tile for layer, tile in best.items() if tile != free[layer].default}
    assert found.trials == sum(len(f.tiles) - 1 for f in free.values())
    assert found.failed == 0
    assert found.after_s < found.before_s
    assert all(t.ratio < 1 for t in found.layers)


def test_few_trials_find_most_of_it(stand: Callable[..., Stand]) -> None:
    graph = large()
    best = {layer: sorted(f.tiles, key=str)[37] for layer, f in layers_of(make_program(graph, host())).items()}
    time = distance(best)
    every = tune(graph, host(), trials=5000, device=stand(time))
    few = tune(graph, host(), trials=45, device=stand(time))
    assert few.trials == 45 < every.trials
    assert few.after_s < every.after_s * 1.1


def test_noise_is_not_taken_for_speed(stand: Callable[..., Stand]) -> None:
    found = tune(small_cnn(), host(), trials=60, device=stand(lambda free, tile: 1e-5, noise=0.3))
    assert found.layers == ()
    assert found.tiles == {}


def test_what_crashes_the_compiler_is_found_and_passed_over(stand: Callable[..., Stand]) -> None:
    best = best_of(small_cnn())
    made = stand(distance(best), refuse=lambda tile: tile.rows == 3)
    found = tune(small_cnn(), host(), trials=5000, device=made)
    free = layers_of(make_program(small_cnn(), host()))
    assert found.failed == sum(t.rows == 3 and t != f.default for f in free.values() for t in f.tiles)
    assert found.layers


def test_what_crashes_when_it_runs_is_found_and_passed_over(stand: Callable[..., Stand], tmp_path: Path) -> None:
    best = best_of(small_cnn())

    def time(free: Free, tile: Tile) -> float:
        if tile.vectors == 2 and tile != free.default:
            raise MeasuringError("ended with memory that is not its own (SIGSEGV)")
        return distance(best)(free, tile)

    found = tune(small_cnn(), host(), trials=5000, device=stand(time), journal=tmp_path / "j")
    assert found.failed
    assert all(t.tile.vectors != 2 for t in found.layers)
    reasons = {e["reason"] for e in map(json.loads, (tmp_path / "j").read_text().splitlines()) if e["ratio"] is None}
    assert reasons == {"ended with memory that is not its own (SIGSEGV)"}


def test_tiles_that_crash_together_are_left_to_the_formula(stand: Callable[..., Stand]) -> None:
    best = best_of(small_cnn())
    made = stand(distance(best))
    told: list[str] = []

    def refuse(variants: Sequence[Tiles]) -> bool:
        return any(len(v) > 1 for v in variants) and any("again" in line or "whole" in line for line in told)

    build = made.build
    made.build = lambda variants: made.fail() if refuse(variants) else build(variants)  # type: ignore[method-assign]
    found = tune(small_cnn(), host(), trials=40, device=made, say=told.append)
    assert found.layers == ()
    assert found.before_s == found.after_s
    assert any(line.startswith("left to the formula") for line in told)


def test_layers_that_are_slower_among_others_go_back_to_the_formula(stand: Callable[..., Stand]) -> None:
    best = best_of(small_cnn())
    told: list[str] = []
    first = next(iter(best))

    def time(free: Free, tile: Tile) -> float:
        late = any("whole" in line for line in told)
        slower = late and free.layer == first and tile != free.default
        return 1.1e-4 if slower else distance(best)(free, tile)

    found = tune(small_cnn(), host(), trials=5000, device=stand(time), say=told.append)
    free = layers_of(make_program(small_cnn(), host()))
    faster = {layer: tile for layer, tile in best.items() if tile != free[layer].default}
    assert first in faster
    assert found.tiles == {layer: tile for layer, tile in faster.items() if layer != first}
    assert told[-1] == "comparing again, without what was slower"


def test_a_network_without_products_has_nothing_to_tune(stand: Callable[..., Stand]) -> None:
    x = Node(Input("x", (40,)))
    graph = Graph((x,), (Node(Output("y"), (Node(Relu(), (x,)),)),))
    found = tune(graph, host(), trials=10, device=stand(lambda free, tile: 1e-6))
    assert (found.trials, found.layers) == (0, ())


def test_a_network_that_cannot_be_measured_is_told(stand: Callable[..., Stand]) -> None:
    def time(free: Free, tile: Tile) -> float:
        raise MeasuringError("ended with an instruction that this processor does not have (SIGILL)")

    with pytest.raises(MeasuringError, match="SIGILL"):
        tune(small_cnn(), host(), trials=50, device=stand(time))


def test_a_search_goes_on_where_the_device_was_lost(stand: Callable[..., Stand], tmp_path: Path) -> None:
    best, journal = best_of(small_cnn()), tmp_path / "journal"
    made = stand(distance(best))
    calls = 0

    def time(free: Free, tile: Tile) -> float:
        nonlocal calls
        calls += 1
        if calls > 2500:
            raise DeviceError("does not answer within 20 s")
        return distance(best)(free, tile)

    made.time = time
    with pytest.raises(DeviceError):
        tune(small_cnn(), host(), trials=5000, device=made, journal=journal)
    kept = len(journal.read_text().splitlines())
    assert kept > 8
    with journal.open("a") as stream:
        stream.write('{"key": "torn')
    made = stand(distance(best))
    found = tune(small_cnn(), host(), trials=5000, device=made, journal=journal)
    lines = journal.read_text().splitlines()
    assert len(lines) == found.trials + 1
    assert found.tiles == tune(small_cnn(), host(), trials=5000, device=stand(distance(best))).tiles
    built = stand(distance(best))
    again = tune(small_cnn(), host(), trials=5000, device=built, journal=journal)
    assert again.tiles == found.tiles
    assert built.built == 3  # the network, the finalists, the whole
    assert journal.read_text().splitlines() == lines


def test_trials_of_other_networks_and_devices_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    trial = Trial("conv", Tile(1, 2, 16, False), 0.5)
    Journal(file, "one").add([trial, replace(trial, layer="dense", ratio=None, reason="no")])
    assert Journal(file, "two").trials == []
    assert Journal(file, "one").trials == [trial, replace(trial, layer="dense", ratio=None, reason="no")]
    with pytest.raises(FileError):
        Journal(tmp_path, "one")


def test_known_tiles_are_looked_at_first(stand: Callable[..., Stand]) -> None:
    best = best_of(small_cnn())
    found = tune(small_cnn(), host(), trials=4, device=stand(distance(best)), known=best)
    free = layers_of(make_program(small_cnn(), host()))
    assert found.tiles == {layer: tile for layer, tile in best.items() if tile != free[layer].default}


def test_layers_share_trials_by_their_time() -> None:
    frees = list(layers_of(make_program(small_cnn(), host())).values())
    searches = [search.Search(f, share, True) for f, share in zip(frees[:2], (0.8, 0.1), strict=True)]
    variants = search.next_batch(searches, 9, 8)
    counts = [sum(f.layer in v for v in variants) for f in frees[:2]]
    assert counts == [8, 1]
    assert len(variants) == 8
    assert search.next_batch(searches, 0, 8) == []


def test_optuna_is_asked_for_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    free = next(iter(layers_of(make_program(large(), host())).values()))
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    search.check_optuna([search.Search(free, 1.0, True)])
    with pytest.raises(OptionError, match="needs the package optuna"):
        search.check_optuna([search.Search(free, 1.0, False)])


# The process that compiles


def test_what_the_compiler_refuses_is_told() -> None:
    layer = next(iter(layers_of(make_program(small_cnn(), host()))))
    with Builder(small_cnn(), host()) as made:
        assert made.build([{}])
        with pytest.raises(CandidateError, match="no tile of 99 rows"):
            made.build([{layer: Tile(99, 1, 16, False)}])
        assert made.build([{}])


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("import os, sys; sys.stderr.write('no memory'); sys.stderr.flush(); os.kill(os.getpid(), 9)", "-9: no memory"),
        ("import time; time.sleep(60)", "did not end"),
    ],
)
def test_a_compiler_that_ends_is_started_again(start: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = builder.START
    with Builder(small_cnn(), host(), limit_s=2 if "sleep" in start else 60) as made:
        monkeypatch.setattr(builder, "START", start)
        with pytest.raises(CandidateError, match=message):
            made.build([{}])
        monkeypatch.setattr(builder, "START", good)
        made._limit_s = 60
        assert made.build([{}])


# On this machine


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(MODULE, "ROUNDS", 2)
    monkeypatch.setattr(MODULE, "LAST_ROUNDS", 4)
    gw.compile(large(), board="host", vectors=4).write(tmp_path / "out")
    return tmp_path / "out"


def tuning_of(graph: Graph, *, ratio: float = 0.5) -> Tuning:
    layers = tuple(Tuned(layer, tile, ratio) for layer, tile in sorted(best_of(graph).items()))
    return Tuning(host(), "a stand-in", 7, 1, 2e-5, 1e-5, layers)


def test_what_was_found_is_written_all_or_nothing(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cost = tuning_of(large()), json.loads((compiled / "manifest.json").read_text())["cost"]
    monkeypatch.setattr(PACKAGE, "tune", lambda *given, **named: found)
    result = gw.tune(compiled, trials=7)
    assert result.changed
    manifest = json.loads((compiled / "manifest.json").read_text())
    assert manifest["options"]["tuning"] == {
        "device": "a stand-in", "trials": 7, "failed": 1, "before_s": 2e-5, "after_s": 1e-5, "layers": 1,
    }  # fmt: skip
    assert read_tuning((compiled / "project" / "tuning.json").read_bytes()) == found
    opened = gw.open(compiled)
    assert opened.verify(vectors=4)["status"] == "exact"
    assert manifest["cost"].keys() == cost.keys()
    assert manifest["cost"] != cost
    again = gw.tune(compiled, trials=7)
    assert not again.changed
    first = {p.relative_to(compiled): p.read_bytes() for p in compiled.rglob("*") if p.is_file()}

    second = compiled.parent / "second"
    gw.compile(large(), board="host", vectors=4, tuning=compiled / "project" / "tuning.json").write(second)
    assert (second / "project" / "lib" / "liblarge.so").read_bytes() == first[Path("project/lib/liblarge.so")]
    assert json.loads((second / "manifest.json").read_text())["options"]["tuning"] == manifest["options"]["tuning"]

    monkeypatch.setattr(PACKAGE, "tune", lambda *given, **named: replace(found, layers=()))
    back = gw.tune(compiled, trials=8)
    assert back.changed
    assert not (compiled / "project" / "tuning.json").exists()
    assert "tuning" not in json.loads((compiled / "manifest.json").read_text())["options"]


def test_a_project_in_memory_is_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACKAGE, "tune", lambda *given, **named: tuning_of(large()))
    project = gw.compile(large(), board="host", vectors=4)
    found = gw.tune(project, trials=3)
    assert found.changed
    assert found.project.verification["status"] == "exact"
    assert found.project.artefact["tuning.json"] == found.tuning.to_bytes()
    assert found.project.artefact["src/kernels.o"] != project.artefact["src/kernels.o"]
    assert found.project.manifest["options"]["tuning"]["layers"] == 1
    assert gw.compile(large(), board="host", vectors=4, tuning=found.tuning).artefact == found.project.artefact


def test_a_directory_that_was_compiled_meanwhile_is_left_alone(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*given: object, **named: object) -> Tuning:
        gw.compile(small_cnn(), board="host", vectors=1).write(compiled)
        return tuning_of(large())

    monkeypatch.setattr(PACKAGE, "tune", meanwhile)
    with pytest.raises(FileError, match="was compiled again meanwhile"):
        gw.tune(compiled, trials=3)
    assert gw.open(compiled).graph.name == small_cnn().name


def test_a_library_that_computes_something_else_is_not_written(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACKAGE, "tune", lambda *given, **named: tuning_of(large()))
    failed = {"status": "failed", "first_mismatch": {"layer": "conv"}}
    monkeypatch.setattr(import_module("gatewright.backends.tvm"), "verify", lambda *given: failed)
    before = (compiled / "manifest.json").read_bytes()
    with pytest.raises(gw.GatewrightError, match="differs from the graph"):
        gw.tune(compiled, trials=3)
    assert (compiled / "manifest.json").read_bytes() == before
    assert not (compiled / "project" / "tuning.json").exists()


def test_a_killed_tuning_goes_on(compiled: Path) -> None:
    journal = compiled.parent / "out.tuning.jsonl"
    before = {p: p.read_bytes() for p in compiled.rglob("*") if p.is_file()}
    command = [sys.executable, "-m", "gatewright.cli", "tune", str(compiled), "--trials", "500"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not journal.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    kept = journal.read_text().splitlines()
    assert kept
    assert {p: p.read_bytes() for p in compiled.rglob("*") if p.is_file()} == before

    told = RUN.invoke(app, ["tune", str(compiled), "--trials", str(len(kept) + 2), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["trials"] == len(kept) + 2
    assert journal.read_text().splitlines()[: len(kept)] == kept
    after = {p: p.read_bytes() for p in compiled.rglob("*") if p.is_file()}
    assert (after != before) == found["changed"]
    manifest = json.loads((compiled / "manifest.json").read_text())
    assert manifest["verification"]["status"] == "exact"
    assert ("tuning" in manifest["options"]) == found["changed"]
    assert gw.open(compiled).verify(vectors=4)["status"] == "exact"


def test_a_library_is_tuned_on_a_device(compiled: Path) -> None:
    with server() as address:
        found = gw.tune(compiled, trials=2, device=connect(address))
    assert found.tuning.device == address
    assert found.tuning.trials == 2
    assert found.tuning.after_s <= found.tuning.before_s
    if found.changed:
        assert address in found.project.verification["engine"]


# What a user can do wrong


def test_what_cannot_be_tuned_is_refused(tmp_path: Path, compiled: Path) -> None:
    with pytest.raises(OptionError, match="trials = 0"):
        gw.tune(compiled, trials=0)
    with pytest.raises(FileError, match="no file can be written"):
        gw.tune(compiled, journal=tmp_path / "nowhere" / "journal")
    with pytest.raises(FileError):
        gw.tune(tmp_path / "nothing")
    fpga = gw.compile(small_cnn(), board="pynq-z2", verify=False, precision="fixed<16,6>")
    with pytest.raises(OptionError, match="nothing that is tuned"):
        gw.tune(fpga)
    fpga.write(tmp_path / "fpga")
    with pytest.raises(OptionError, match="nothing that is tuned"):
        gw.tune(tmp_path / "fpga")
    other = "raspberry-pi-5" if host().is_x86 else "x86-avx2"
    with pytest.raises(OptionError, match="cannot be measured") as error:
        gw.tune(gw.compile(small_cnn(), board=other))
    assert "--rpc" in error.value.hint
    (compiled / "project" / "lib" / "liblarge.so").write_bytes(b"")
    with pytest.raises(FileError, match="was changed since"):
        gw.tune(compiled)


def test_a_tuning_of_another_machine_is_refused(tmp_path: Path) -> None:
    other = "raspberry-pi-5" if host().is_x86 else "x86-avx2"
    found = replace(tuning_of(small_cnn()), machine=machine_of(gw.boards()[other]))
    (tmp_path / "tuning.json").write_bytes(found.to_bytes())
    with pytest.raises(OptionError, match="was tuned for") as error:
        gw.compile(small_cnn(), board="host", tuning=tmp_path / "tuning.json")
    assert error.value.where == str(tmp_path / "tuning.json")
    with pytest.raises(OptionError, match="has nothing that is tuned"):
        gw.compile(small_cnn(), board="pynq-z2", tuning=tmp_path / "tuning.json")
    with pytest.raises(OptionError, match="tuning = 3"):
        gw.compile(small_cnn(), board="host", tuning=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"schema": 2}', b'{"schema": 1, "machine": 3}', b"\xff",
     tuning_of(small_cnn()).to_bytes().replace(b'"rows"', b'"row"')],
)  # fmt: skip
def test_a_damaged_tuning_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tuning.json").write_bytes(content)
    with pytest.raises(FileError) as error:
        gw.compile(small_cnn(), board="host", tuning=tmp_path / "tuning.json")
    assert error.value.where == str(tmp_path / "tuning.json")
    with pytest.raises(FileError):
        gw.compile(small_cnn(), board="host", tuning=tmp_path / "none.json")


def test_layers_that_a_network_has_not_are_told(tmp_path: Path) -> None:
    project = gw.compile(small_cnn(), board="host", vectors=2, tuning=tuning_of(large()))
    assert any("1 of 1 tuned layers are not in this network" in note for note in project.notes)


def test_a_tuned_library_is_profiled_as_it_is(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACKAGE, "tune", lambda *given, **named: tuning_of(large()))
    gw.tune(compiled, trials=3)
    seen: list[Tiles] = []
    measure = import_module("gatewright.backends.tvm.measure")
    monkeypatch.setattr(measure, "make_program", lambda g, m, tiles: seen.append(tiles) or make_program(g, m, tiles))
    told = RUN.invoke(app, ["profile", str(compiled)])
    assert told.exit_code == 0, told.output
    assert seen == [tuning_of(large()).tiles]

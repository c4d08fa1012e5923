"""Firmware on emulated cores: what compile proves, what simulate counts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gatewright as gw
from gatewright.backends.firmware import measured, qemu_device
from gatewright.backends.firmware.device import why_not
from gatewright.backends.firmware.emulator import Emulator, core, find_qemu
from gatewright.cli import app
from gatewright.graph import Graph
from gatewright.profile import profile

from ..tvm.networks import small_cnn

pytest.importorskip("unicorn", reason="emulated cores need the extra `firmware`")

BOARDS = {
    "nucleo-l4r5zi": "cortex-m4", "raspberry-pi-pico": "cortex-m0plus", "nucleo-h743zi": "cortex-m7",
    "nucleo-u575zi-q": "cortex-m33", "raspberry-pi-pico-2-riscv": "rv32imac",
}  # fmt: skip
needs_qemu = pytest.mark.skipif(find_qemu(core("cortex-m55")) is None, reason="QEMU is not installed")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return small_cnn()


@pytest.mark.parametrize(
    ("board", "core"),
    [
        pytest.param(b, c, marks=[pytest.mark.slow] if c in ("cortex-m7", "cortex-m33") else [])
        for b, c in BOARDS.items()
    ],
)
def test_compile_proves_it_on_the_core(graph: Graph, board: str, core: str) -> None:
    project = gw.compile(graph, board=board, vectors=16)
    manifest = project.manifest
    assert manifest["verification"]["status"] == "exact"
    assert f"4 vectors on an emulated {core} too" in manifest["verification"]["engine"]
    cost = manifest["cost"]
    assert cost["instructions"]["kind"] == "simulated"
    assert 1 < cost["instructions"]["value"] / graph.macs < 60
    assert cost["memory"]["arena_bytes"]["kind"] == cost["memory"]["stack_bytes"]["kind"] == "exact"
    seen = int(cost["memory"]["stack_bytes"]["source"].split("; ")[1].split(" ")[0].replace(",", ""))
    assert 0 < seen <= cost["memory"]["stack_bytes"]["value"] < 2000


def unbound() -> int:
    raise gw.UnsupportedError("recursion")


@needs_qemu
@pytest.mark.parametrize("board", ["corstone-300", pytest.param("ek-ra8d1", marks=pytest.mark.slow)])
def test_cores_that_only_qemu_has(graph: Graph, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = gw.compile(graph, board=board, vectors=4)
    cost, cpu = project.manifest["cost"], gw.boards()[board].compiler.cpu
    assert f"4 vectors on an emulated {cpu} too" in project.manifest["verification"]["engine"]
    assert cost["instructions"]["source"] == "counted by QEMU on the memories of mps3-an547"
    device = project.simulation.device
    x = np.random.default_rng(0).integers(-128, 128, (2, *graph.inputs[0].shape))
    assert np.array_equal(project.simulation.run([x])[0], gw.evaluate(graph, x, integers=True))
    assert 0.1 < device.instructions / graph.macs < 2
    layers = device.layers()
    assert all(layer.instructions for layer in layers)
    assert 0 < device.instructions - sum(layer.instructions for layer in layers) < 200
    assert [m.instructions for m in device.mixes()] == [layer.instructions for layer in layers]
    assert sum(m.vectors for m in device.mixes()) > 100
    assert 100 < device.stack_bytes <= device.stack_bound < 2000
    monkeypatch.setattr(qemu_device.QemuDevice, "stack_bound", property(lambda self: unbound()))
    stack = measured(project.simulation)["memory"]["stack_bytes"]
    assert (stack["value"], stack["kind"]) == (device.stack_bytes, "simulated")
    assert stack["source"].endswith("no bound: recursion")
    monkeypatch.setenv("PATH", "")
    assert "QEMU" in str(why_not(project.artefact, project.simulation.description))


def test_a_core_that_is_not_emulated_is_told(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    manifest = gw.compile(graph, board="corstone-300", vectors=4).manifest
    why = "unicorn has no cortex-m55, and QEMU, which has, is not installed"
    assert f"nothing runs on an emulated core: {why}" in manifest["notes"]
    assert "instructions" not in manifest["cost"]
    assert "emulated" not in manifest["verification"]["engine"]


@needs_qemu
@pytest.mark.slow
def test_wrong_weights_are_found_on_qemu(graph: Graph) -> None:
    project = gw.compile(graph, board="corstone-300", verify=False)
    (path,) = (n for n in project.artefact if n.endswith(".a"))
    library, weights = project.artefact[path], project.simulation.network.constants()
    wrong = max(weights, key=len)
    assert library.count(wrong) == 1
    files = {**project.artefact, path: library.replace(wrong, bytes(b ^ 0x55 for b in wrong))}
    with pytest.raises(gw.FileError, match="the library's self-test fails at"):
        replace(project, artefact=files).verify(vectors=4)


def test_simulate_runs_the_image(graph: Graph, tmp_path: Path) -> None:
    gw.compile(graph, board="nucleo-l4r5zi", vectors=2).write(tmp_path / "out")
    x = np.random.default_rng(0).integers(-128, 128, (3, *graph.inputs[0].shape))
    np.save(tmp_path / "x.npy", x)
    runs = []
    for _ in range(2):
        arguments = ["simulate", str(tmp_path / "out"), "--inputs", str(tmp_path / "x.npy"), "--integers", "--json"]
        done = CliRunner().invoke(app, [*arguments, "--outputs", str(tmp_path / "y.npy")])
        assert done.exit_code == 0, done.output
        runs.append(json.loads(done.stdout))
    assert runs[0] == runs[1]
    assert runs[0]["core"] == "cortex-m4"
    layers = runs[0]["layers"]
    assert 0 < sum(layer["instructions"] for layer in layers) <= runs[0]["instructions"]
    assert {layer["bound_by"] for layer in layers} <= {"multiply", "memory", "branch", "other"}
    assert runs[0]["arena_bytes"] == gw.open(tmp_path / "out").manifest["cost"]["memory"]["arena_bytes"]["value"]
    assert np.array_equal(np.load(tmp_path / "y.npy"), gw.evaluate(graph, x, integers=True))


def test_wrong_weights_are_found_on_the_core(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    project = gw.compile(graph, board="nucleo-l4r5zi", verify=False)
    image = bytearray(project.artefact[next(n for n in project.artefact if n.endswith(".elf"))])
    text = project.simulation.device._emulator.image
    place = next(s for name, s in text.symbols.items() if "_w" in name and s.size > 60)
    segment = next(s for s in text.segments if s.address <= place.address < s.address + len(s.data))
    at = bytes(image).find(segment.data) + place.address - segment.address
    for i in range(place.size):
        image[at + i] ^= 0x55
    files = {**project.artefact, next(n for n in project.artefact if n.endswith(".elf")): bytes(image)}
    with pytest.raises(gw.FileError, match=r"the image.s self-test fails at .*, though the same C is exact"):
        replace(project, artefact=files).verify(vectors=4)


def test_wrong_c_is_a_failed_proof(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a file that is damaged, though the image's self-test fails, too."""
    monkeypatch.setattr("gatewright.backends.firmware.c._saturation", lambda most, value: "gw_ssat16")
    manifest = gw.compile(graph, board="nucleo-l4r5zi", vectors=4).manifest
    assert manifest["verification"]["status"] == "failed"
    assert "instructions" not in manifest["cost"]


def test_what_is_counted_runs_on_inputs(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run leaves in their place may be no number of their format, and then leads anywhere."""
    project = gw.compile(graph, board="nucleo-l4r5zi", vectors=4)
    project.verify(vectors=4)
    device, seen = project.simulation.device, []
    ((address, given),) = device._first
    call = Emulator.call

    def watched(self: Emulator, function: str, *arguments: int) -> int:
        if function.endswith("_run") or (function.endswith("_step") and arguments == (0,)):
            seen.append(self.read(address, len(given)))
        return call(self, function, *arguments)

    monkeypatch.setattr(Emulator, "call", watched)
    device.warm_mix(project.board)
    device.mixes()
    assert seen == [given] * 3


def test_a_profile_counts_every_layer(graph: Graph, tmp_path: Path) -> None:
    gw.compile(graph, board="nucleo-l4r5zi", vectors=2).write(tmp_path / "out")
    (design,) = profile(str(tmp_path / "out"), [])["designs"]
    manifest = gw.open(tmp_path / "out").manifest
    assert design["cost"] == manifest["cost"]
    assert design["counted"]["instructions"] == manifest["cost"]["instructions"]["value"]
    assert sum(layer["macs"] for layer in design["counted"]["layers"]) == graph.macs
    text = CliRunner().invoke(app, ["profile", str(tmp_path / "out")]).output
    assert "Layers (emulated cortex-m4)" in text


def test_microcontrollers_are_profiled_side_by_side(graph: Graph, tmp_path: Path) -> None:
    graph.save(tmp_path / "net.gw")
    boards = ["nucleo-l4r5zi", "raspberry-pi-pico"]
    designs = profile(str(tmp_path / "net.gw"), boards)["designs"]
    counts = [d["cost"]["instructions"]["value"] for d in designs]
    assert counts[0] < counts[1]
    arguments = [word for board in boards for word in ("--board", board)]
    text = CliRunner().invoke(app, ["profile", str(tmp_path / "net.gw"), *arguments]).output
    assert all(board in text and f"{count:,}" in text for board, count in zip(boards, counts, strict=True))

"""What a library costs: its instructions against those that an emulator runs, and what the manifest tells of it."""

import json
from importlib.resources import files
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.program import Call
from gatewright.backends.tvm import machine_of
from gatewright.backends.tvm.build import kernels_text
from gatewright.boards import load
from gatewright.graph import GatewrightError, Graph
from gatewright.processors import estimated
from gatewright.profile import profile
from gatewright.simulation.cpu import Estimate, estimate
from gatewright.simulation.cpu.traffic import Traffic, read

from . import emulated
from .networks import digits, small_cnn
from .support import vectors

BOARDS = ("raspberry-pi-4", "raspberry-pi-5", "pixel-8", "iphone-15", "riscv-k1", "riscv64-generic", "armv7-neon",
          "jetson-orin-nano", "x86-amx", "x86-avx512", "x86-avx2")  # fmt: skip
EMULATED = {"aarch64": "raspberry-pi-4", "aarch64-dotprod": "raspberry-pi-5", "armv7-neon": "armv7-neon",
            "riscv64": "riscv64-generic", "riscv64-v": "riscv-k1"}  # fmt: skip
FAR = 1.005
"""What may run more: a call of a function that stands far away may take two instructions."""


def found_for(graph: Graph, board: str) -> Estimate:
    """Estimate a graph for a board."""
    chosen = load(board)
    program = make_program(graph, machine_of(chosen))
    return estimate(program, kernels_text(program, "net", "asm"), chosen, "net")


@pytest.mark.parametrize("name", [n for n in emulated.MACHINES if n in EMULATED])
def test_instructions_are_those_that_an_emulator_runs(name: str) -> None:
    machine = emulated.MACHINES[name]
    emulated.need(machine)
    graph = small_cnn()
    program = make_program(graph, machine.machine)
    found = estimate(program, kernels_text(program, "net", "asm"), load(EMULATED[name]), "net")
    fed, _ = emulated.expected(graph, vectors(graph, 2))
    ran = emulated.instructions(machine, graph, fed)
    if name == "riscv64":  # without instructions for the lesser of two, numbers are compared by branches
        assert not found.exact
        assert found.instructions == pytest.approx(ran, rel=0.05)
    else:
        assert found.exact
        assert found.instructions <= ran <= FAR * found.instructions


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_gets_an_estimate(board: str) -> None:
    found = found_for(small_cnn(), board)
    assert found.exact == (board != "riscv64-generic")
    assert found.instructions > 1000
    macs = small_cnn().macs
    assert 1e-7 < found.seconds < 1e-2
    assert sum(c.macs for c in found.calls) >= macs
    for call in found.calls:  # nothing is issued faster than the core can
        assert call.core >= 0.99 * call.instructions / found.core.width


def test_faster_boards_are_faster() -> None:
    times = {board: found_for(small_cnn(), board).seconds for board in ("raspberry-pi-4", "raspberry-pi-5", "pixel-8")}
    assert times["raspberry-pi-4"] > 2 * times["raspberry-pi-5"] > 2 * times["pixel-8"]


def test_the_manifest_tells_cost_with_bands_and_sources(tmp_path: Path) -> None:
    import jsonschema

    project = gatewright.compile(digits(), board="raspberry-pi-5")
    again = gatewright.compile(digits(), board="raspberry-pi-5")
    manifest = json.loads(project.files["manifest.json"])
    schema = json.loads(files("gatewright").joinpath("manifest.schema.json").read_text())
    jsonschema.validate(manifest, schema)
    assert project.files["manifest.json"] == again.files["manifest.json"]
    cost = manifest["cost"]
    assert cost["latency_s"]["kind"] == "estimated"
    assert cost["latency_s"]["low"] < cost["latency_s"]["value"] < cost["latency_s"]["high"]
    assert "no network was measured on this core" in cost["latency_s"]["source"]
    assert cost["memory"]["arena_bytes"]["kind"] == "exact"
    name = next(n for n in project.artefact if n.endswith(".so"))
    assert cost["memory"]["library_bytes"]["value"] == len(project.artefact[name])
    total = sum(layer["latency_s"] for layer in cost["processor"]["layers"])
    assert total == pytest.approx(cost["latency_s"]["value"], rel=1e-3)
    blocks = cost["processor"]["blocks"]
    assert max(b["offset"] + b["bytes"] for b in blocks) == cost["memory"]["arena_bytes"]["value"]


def test_the_page_shows_time_and_memory() -> None:
    from gatewright.reports.page import page

    project = gatewright.compile(digits(), board="raspberry-pi-5", verify=False)
    text = page(project.manifest).decode()
    for heading in ("Time on the processor", "Memory over the steps of the network", "Working memory", "Cortex-A76"):
        assert heading in text
    for layer in project.manifest["cost"]["processor"]["layers"]:
        assert f'data-v="{layer["instructions"]}"' in text
    assert text.count("<title>") > len(project.manifest["cost"]["processor"]["blocks"])


def test_profile_puts_boards_side_by_side(tmp_path: Path) -> None:
    from rich.console import Console

    from gatewright.reports.profile import render

    small_cnn().save(tmp_path / "net.gw")
    document = profile(str(tmp_path / "net.gw"), ["raspberry-pi-5", "pixel-8"])
    assert [d["board"] for d in document["designs"]] == ["raspberry-pi-5", "pixel-8"]
    console = Console(width=170, record=True, file=StringIO())
    console.print(render(document))
    text = console.export_text()
    assert "Cortex-A76" in text
    assert "estimated" in text
    one = profile(str(tmp_path / "net.gw"), ["pixel-8"])
    console.print(render(one))
    assert "roofline" in console.export_text()


def test_kernels_come_as_text_on_request() -> None:
    project = gatewright.compile(digits(), board="riscv-k1", emit=["asm", "llvm-ir"], verify=False)
    assert b"vsetvli" in project.artefact["src/kernels.s"]
    assert b"define" in project.artefact["src/kernels.ll"]
    plain = gatewright.compile(digits(), board="riscv-k1", verify=False)
    assert "src/kernels.s" not in plain.artefact
    assert plain.artefact["src/kernels.o"] == project.artefact["src/kernels.o"]
    with pytest.raises(GatewrightError, match="form of the kernels"):
        gatewright.compile(digits(), board="riscv-k1", emit=["asn"])


def test_traffic_of_a_product_is_what_its_loops_bring() -> None:
    """A dense layer of 512 by 512 bytes: its weights come once into any cache, and are never fewer than they are."""
    from fractions import Fraction

    from gatewright.graph import Affine, Array, Node
    from gatewright.graph.ops import Constant, Dense, Input, Output

    rng = np.random.default_rng(0)
    format = Affine(8, True, Fraction(1, 64))
    x = Node(Input("x", (64, 512), format))
    w = Node(Constant(Array(rng.integers(-127, 128, (512, 512))), format), (), "w")
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (x, w), "dense"),)),))
    program = make_program(graph, machine_of(load("raspberry-pi-5")))
    call = max((s for s in program.statements if isinstance(s, Call)), key=lambda s: s.macs)
    function = program.kernels[call.kernel]
    numbers = [p.variable for p in function.parameters if p.memory is None]
    nest = read(function, dict(zip(numbers, (0, call.parts), strict=False)))
    traffic = Traffic(nest, {})
    touched, large, small = (
        sum(f.values()) for f in (traffic.touched, traffic.brought(1 << 30), traffic.brought(4096))
    )
    assert touched == large
    assert 512 * 512 <= touched <= 1.2 * (512 * 512 + 64 * 512 + 64 * 512 * 4 + 4096)
    assert small > 2 * touched


def test_an_estimate_refuses_what_the_back_end_refuses() -> None:
    with pytest.raises(GatewrightError):
        estimated(small_cnn(), load("pynq-z2"))

"""Networks with packed weights: exact on every core, smaller in flash, and proof against changed bits."""

from dataclasses import replace

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.firmware.emit import read_description
from gatewright.backends.loops.code import Body, For, If, Run
from gatewright.backends.loops.kernels import packed
from gatewright.boards import Board
from gatewright.boards.model import Figure
from gatewright.check import obstacles
from gatewright.graph import Fixed, Format, Graph, Node, OptionError, Overflow, Rounding, UnsupportedError
from gatewright.graph.ops import Conv, Dense, Input, Output, Quantize, Relu, Reshape

from ..cases import narrow
from ..cases.common import constant, drawn
from .projects.cores import Machine, place, symbols
from .support import MACHINES, Library, prove

pytest.importorskip("unicorn", reason="cores are emulated by unicorn")
EVERY = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "riscv32-generic")
WHOLE = ((1, 1), (1, 1))


def network(weights: Format, filters: int = 7, outputs: int = 5) -> Graph:
    """A convolution, a depthwise one, a pointwise one, and a dense layer with weights of one format; odd numbers."""
    rng = np.random.default_rng(11)

    def finished(op: Conv | Dense, x: Node, shape: tuple[int, ...], name: str) -> Node:
        w, b = Node(drawn(rng, shape, weights)), Node(drawn(rng, shape[-1:], Fixed(8, 3)))
        y = Node(Relu(), (Node(op, (x, w, b), name),))
        return Node(Quantize(Fixed(8, 5, False), Rounding.RND, Overflow.SAT), (y,), name)

    x = Node(Input("x", (6, 5, 4), Fixed(8, 3)))
    h = finished(Conv((1, 1), WHOLE, (1, 1)), x, (3, 3, 4, 8), "first")
    h = finished(Conv((1, 1), WHOLE, (1, 1), 8), h, (3, 3, 1, 8), "depthwise")
    h = finished(Conv((1, 1), ((0, 0),) * 2, (1, 1)), h, (1, 1, 8, filters), "pointwise")
    flat = Node(Reshape((30 * filters,)), (h,))
    y = finished(Dense(), flat, (30 * filters, outputs), "dense")
    return Graph((x,), (Node(Output("y"), (y,)),), "narrow")


def check_on(board: str, weights: Format) -> None:
    compact, plain = (
        gw.compile(network(weights), board=board, vectors=4, weight_storage=s) for s in ("packed", "bytes")
    )
    for project in (compact, plain):
        assert project.manifest["verification"]["status"] == "exact"
    constants = [p.manifest["cost"]["memory"]["constants_bytes"] for p in (compact, plain)]
    assert constants[0]["value"] < constants[1]["value"] * 0.8
    assert f"as bytes {constants[1]['value']:,} in all" in constants[0]["source"]


@pytest.mark.slow
@pytest.mark.parametrize("board", EVERY)
@pytest.mark.parametrize("weights", [Fixed(4, 2), Fixed(2, 2), Fixed(1, 1, False)])
def test_every_width_on_every_core(board: str, weights: Format) -> None:
    check_on(board, weights)


def test_a_changed_bit_names_its_layer() -> None:
    project = gw.compile(network(Fixed(4, 2)), board="cortex-m4", vectors=1, verify=False)
    image = project.artefact["image/narrow.elf"]
    found = symbols(image)
    seen: set[str] = set()
    for i, layer in enumerate(read_description(project.artefact)["layers"]):
        for weights in set(layer["weights"]) - seen:
            address, size = found[weights]
            broken = bytearray(image)
            broken[place(image, address + size - 1)] ^= 1
            machine = Machine(bytes(broken), "cortex-m4")
            assert machine.run() == 1 + i, (layer["name"], weights)
            assert layer["name"] in machine.said
        seen |= set(layer["weights"])
    assert len(seen) > 6


@pytest.fixture
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack weights however few there are."""
    monkeypatch.setattr(packed, "WORTH", 0)


@pytest.mark.usefixtures("however_few")
@pytest.mark.parametrize("machine", ["m4", "m0"])
def test_few_weights(machine: str) -> None:
    library = prove(narrow.narrow_weights(12, 0), machine)
    assert any("gw_pairs" in c or "gw_apart" in c or "gw_fields" in c for c in called(library))


@pytest.mark.slow
@pytest.mark.usefixtures("however_few")
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seed", range(8))
def test_every_few_weights(seed: int, machine: str) -> None:
    prove(narrow.every_narrow_weight(seed), machine)


def called(library: Library) -> set[str]:
    """Name the functions of the target that kernels call."""

    def visit(body: Body) -> set[str]:
        inner = (visit(s.body) for s in body if isinstance(s, For | If))
        return {s.name for s in body if isinstance(s, Run)}.union(*inner)

    return set().union(*(visit(k.body) for k in library.program.kernels.values()))


def with_flash(size: int) -> Board:
    """A Cortex-M4 with so many bytes of flash."""
    found = gw.boards()["nucleo-l4r5zi"]
    regions = [replace(r, size_kib=Figure(size / 1024, "test")) if r.kind == "flash" else r for r in found.regions]
    return replace(found, regions=tuple(regions))


def large() -> Graph:
    """A dense layer with 60,000 weights of four bits."""
    rng = np.random.default_rng(12)
    x = Node(Input("x", (600,), Fixed(8, 3)))
    w = Node(drawn(rng, (600, 100), Fixed(4, 1)))
    return Graph((x,), (Node(Output("y"), (Node(Dense(), (x, w), "wide"),)),), "large")


def test_what_fits_packed_alone_is_compiled_and_said() -> None:
    board = with_flash(50 << 10)
    project = gw.compile(large(), board=board, vectors=1, verify=False)
    assert any("fit because narrow weights are packed" in note for note in project.notes)
    assert not obstacles(large(), board=board).problems
    with pytest.raises(UnsupportedError, match="take 60,400 bytes, FLASH has 51,200") as told:
        gw.compile(large(), board=board, weight_storage="bytes")
    assert "wide" in str(told.value)
    assert "--weight-storage packed, with which they take 30,400 bytes" in str(told.value)
    (problem,) = obstacles(large(), board=board, weight_storage="bytes").problems
    assert str(problem) == str(told.value)


def test_what_never_fits_says_how_much_flash_it_needs() -> None:
    (problem,) = obstacles(large(), board=with_flash(20 << 10)).problems
    assert "more than 30 KiB of flash" in str(problem)


def test_a_storage_that_there_is_not() -> None:
    with pytest.raises(OptionError, match="nibbles") as told:
        gw.compile(large(), board="cortex-m4", weight_storage="nibbles")
    assert "packed" in str(told.value)


def test_signs_take_one_bit() -> None:
    rng = np.random.default_rng(13)
    x = Node(Input("x", (256,), Fixed(8, 3)))
    signs = Node(constant(rng.choice((-1, 1), (256, 32)), Fixed(2, 2)))
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (x, signs), "signs"),)),), "signs")
    project = gw.compile(graph, board="cortex-m4", vectors=8)
    assert project.manifest["verification"]["status"] == "exact"
    assert project.manifest["cost"]["memory"]["constants_bytes"]["value"] == 256 * 32 // 8 + 32 * 4

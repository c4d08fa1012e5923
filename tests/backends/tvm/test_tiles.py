"""Products on a matrix unit (x86 AMX): exact in a model of its tiles, and LLVM's code of them."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

from gatewright.backends.loops import contract, tiles
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.code import Run
from gatewright.backends.loops.machine import Dot
from gatewright.backends.loops.program import Program, layers_of
from gatewright.backends.loops.tiles import Cut
from gatewright.backends.tvm import machine_of
from gatewright.backends.tvm.build import kernels_text
from gatewright.backends.tvm.measure import _products
from gatewright.boards import load
from gatewright.graph import Graph
from gatewright.graph.ops import Dense
from gatewright.simulation.cpu import estimate
from gatewright.simulation.cpu.cost import peak

from ..cases.byte_products import UNSIGNED, conv, graph_of, layer, layers, matrices, short_layers
from ..cases.common import differences, vectors
from .modelled import AMX, Modelled
from .support import Library, host


def tiled(program: Program) -> int:
    """How many kernels use the matrix unit."""
    return sum(isinstance(f.body[0], Run) for f in program.kernels.values())


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use tiles also where they do not pay."""
    for module in (contract, tiles):
        monkeypatch.setattr(module, "pays", lambda *_: True)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("make", [layers, matrices, short_layers])
def test_tiles_give_what_the_graph_gives(make) -> None:  # type: ignore[no-untyped-def]
    graph = graph_of(make())
    library = Modelled(graph)
    assert tiled(library.program) == len(graph.outputs)
    fed = vectors(graph, 3)
    got, statuses = library.run(fed)
    assert not any(statuses)
    assert not differences(graph, fed, got)


def test_parts_of_large_layers_are_independent() -> None:
    shapes = ("wide", Dense(), (64, 256), (256, 64)), ("window", conv(padding=1), (12, 20, 24), (3, 3, 24, 48))
    library = Modelled(graph := graph_of(layer(*shape, UNSIGNED) for shape in shapes))
    library.in_parts()
    fed = vectors(graph, 2)
    got, statuses = library.run(fed)
    assert not any(statuses)
    assert not differences(graph, fed, got)
    assert (tiled(library.program), library.parts) == (2, 2 * (2 + 12))  # blocks of 32 rows, lines of the image


def test_every_block_and_vectors_give_the_same() -> None:
    """What a tuner may choose: blocks of tiles, the order of the loops, vectors instead."""
    shapes = ("wide", Dense(), (64, 256), (256, 64)), ("window", conv(padding=1), (12, 20, 24), (3, 3, 24, 96))
    graph = graph_of(layer(*shape, UNSIGNED) for shape in shapes)
    free = layers_of(make_program(graph, AMX))
    assert all(f.tile.unit and f.summed is Dot.AMX for f in free.values())
    fed = vectors(graph, 1)
    for k in range(max(len(f.others) for f in free.values())):
        chosen = {name: sorted(f.others, key=str)[k % len(f.others)] for name, f in free.items()}
        got, _ = Modelled(graph, tiles=chosen).run(fed)
        assert not differences(graph, fed, got), chosen
    chosen = {name: next(t for t in f.tiles if not t.unit) for name, f in free.items()}
    library = Modelled(graph, tiles=chosen)
    assert tiled(library.program) == 0
    assert all(f.summed is Dot.VNNI for f in layers_of(library.program).values())
    assert not differences(graph, fed, library.run(fed)[0])


@pytest.mark.usefixtures("everywhere")
def test_machine_code_keeps_to_the_tiles() -> None:
    """Every tile instruction is there, on the registers that the kernel names, none is moved to the stack and back."""
    program = make_program(graph_of(iter([layer("whole", Dense(), (32, 128), (128, 32), UNSIGNED)])), AMX)
    text = kernels_text(program, "net", "asm")
    found = re.findall(r"^\t(ldtilecfg|tile\w+|tdp\w+)\t?(.*)$", text, re.MULTILINE)
    names = [name for name, _ in found]
    assert (names[0], names[-1]) == ("ldtilecfg", "tilerelease")
    dots = [operands for name, operands in found if name == "tdpbusd"]
    assert set(dots) == {f"%tmm{6 + v}, %tmm{4 + u}, %tmm{2 * u + v}" for u in range(2) for v in range(2)}
    loaded = [int(o[-1]) for name, o in found if name == "tileloadd"]
    stored = [int(o[4]) for name, o in found if name == "tilestored"]
    turns = len(dots) // 4  # LLVM writes some turns of the loop out
    assert sorted(loaded) == [0, 1, 2, 3, *sorted([4, 5, 6, 7] * turns)]
    assert sorted(stored) == [0, 1, 2, 3]


@pytest.mark.parametrize("positions", range(1, 70))
def test_rows_are_covered_by_tiles(positions: int) -> None:
    cut = Cut(positions, 64)
    assert cut.rows <= 16
    assert cut.rows * cut.tiles >= positions
    assert cut.tiles == 1 or cut.tiles % 2 == 0


@pytest.mark.parametrize("length", range(4, 260, 4))
def test_bytes_are_covered_by_chunks(length: int) -> None:
    cut = Cut(16, length)
    begins = cut.begins()
    assert (cut.step <= 64, cut.step % 4) == (True, 0)
    assert (begins[0], begins[-1] + cut.step) == (0, length)
    assert all(b <= a + cut.step for a, b in pairwise(begins))


def test_tiles_are_used_where_they_pay() -> None:
    assert tiles.pays(Cut(196, 192), 1, 1, 192)
    assert not tiles.pays(Cut(1, 192), 1, 1, 192)
    assert not tiles.pays(Cut(64, 4), 9, 64, 16)


def test_a_library_says_that_it_gets_no_tiles() -> None:
    if host().amx:
        pytest.skip("this machine has tiles")
    graph = graph_of(iter([layer("whole", Dense(), (64, 128), (128, 32), UNSIGNED)]))
    library = Library(graph, AMX)
    assert tiled(library.program) == 1
    assert library.run(vectors(graph, 2))[1] == [3, 3]


def test_products_of_tiles_are_the_roof_of_a_profile() -> None:
    roof = _products(Graph((), ()), AMX, Dot.AMX)
    text = kernels_text(roof.program, "net", "asm")
    every = {f"%tmm{6 + v}, %tmm{4 + u}, %tmm{2 * u + v}" for u in range(2) for v in range(2)}
    assert set(re.findall(r"tdpbusd\t(.*)", text)) == every


def test_tiles_are_estimated_to_be_faster() -> None:
    board = load("x86-amx")
    graph = graph_of(iter([layer("wide", Dense(), (128, 256), (256, 256), UNSIGNED)]))
    machine = machine_of(board)
    without = replace(machine, features=tuple(f for f in machine.features if "amx" not in f))
    found = []
    for each in (machine, without):
        program = make_program(graph, each)
        found.append(estimate(program, kernels_text(program, "net", "asm"), board, "net"))
    tiles, vectors = found
    call = tiles.calls[-1]
    assert call.kind is Dot.AMX
    assert peak(call, tiles.core, machine) == 1024
    assert call.core > call.macs / 1024
    assert vectors.cycles > 3 * tiles.cycles

"""Products on a matrix unit (x86 AMX): exact in a model of its tiles, and LLVM's code of them."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

from gatewright.backends.loops import contract, tiles
from gatewright.backends.loops.code import Run
from gatewright.backends.loops.machine import Dot
from gatewright.backends.loops.program import Program, make_program
from gatewright.backends.loops.tiles import Cut
from gatewright.backends.tvm.build import kernels_text
from gatewright.backends.tvm.measure import _products
from gatewright.graph import Affine, Format, Graph, Node, Op
from gatewright.graph.ops import Add, Conv, Dense, Input, MatMul, Output, Quantize, Relu

from ..cases.common import differences, drawn, vectors
from .modelled import AMX, Modelled
from .support import Library, host

SIGNED, UNSIGNED = Affine(8, True, Fraction(1, 255), -3), Affine(8, False, Fraction(1, 255), 7)
CENTRED, POSITIVE = Affine(8, True, Fraction(1, 77)), Affine(8, False, Fraction(1, 77))
OUT = Affine(8, True, Fraction(1, 2), -4)


def requantized(node: Node) -> Node:
    return Node(Quantize(OUT), (node,))


def layer(
    name: str, op: Op, shape: tuple[int, ...], weights: tuple[int, ...], x: Format = SIGNED, w: Format = CENTRED,
    *, computed: bool = False,
) -> Node:
    rng = np.random.default_rng(len(name))
    operand = Node(Input(name, shape, x))
    if computed:
        operand = Node(Quantize(x), (Node(Relu(), (operand,)),))
    known = Node(drawn(rng, weights, w))
    bias = Node(drawn(rng, weights[-1:], Affine(16, True, x.scale * w.scale)))  # type: ignore[union-attr]
    return requantized(Node(op, (operand, known, bias), where=name))


def conv(strides: tuple[int, ...] = (1, 1), padding: int = 0, dilation: int = 1, groups: int = 1) -> Conv:
    rank = len(strides)
    return Conv(strides, ((padding, padding),) * rank, (dilation,) * rank, groups)


def layers() -> Iterator[Node]:
    """Products with rows, channels and filters that fill tiles, and that do not; operands of either sign."""
    yield layer("one", Dense(), (2, 4), (4, 1))
    yield layer("whole", Dense(), (32, 128), (128, 32), UNSIGNED)
    yield layer("odd", Dense(), (33, 67), (67, 51))
    yield layer("narrow", Dense(), (17, 5), (5, 7), UNSIGNED, POSITIVE)
    yield layer("unsigned_weights", Dense(), (50, 130), (130, 33), SIGNED, POSITIVE)
    yield layer("copied", Dense(), (19, 64), (64, 80), computed=True)
    yield layer("points", conv(), (5, 7, 36), (1, 1, 36, 20))
    yield layer("strided", conv((2, 2)), (9, 37, 8), (1, 1, 8, 17), UNSIGNED)
    yield layer("window", conv(padding=1), (6, 20, 24), (3, 3, 24, 40), computed=True)
    yield layer("lines", conv(padding=1), (7, 7, 12), (3, 3, 12, 50))
    yield layer("lines_strided", conv((2, 2), 1), (11, 11, 5), (3, 3, 5, 16), UNSIGNED)
    yield layer("dilated", conv(padding=2, dilation=2), (5, 9, 8), (3, 3, 8, 16))
    yield layer("grouped", conv(padding=1, groups=3), (4, 18, 24), (3, 3, 8, 60), computed=True)
    yield layer("column", conv(padding=1), (6, 6, 16), (3, 1, 16, 16))
    yield layer("sequence", conv((1,), 2), (40, 10), (5, 10, 33))
    yield layer("volume", conv((1, 1, 1), 1), (3, 4, 5, 4), (3, 3, 3, 4, 16), UNSIGNED)
    both = layer("residual", Dense(), (18, 64), (64, 64))
    yield requantized(Node(Add(), (both, Node(Input("other", (18, 64), UNSIGNED)))))


def products() -> Iterator[Node]:
    """Products of two computed matrices."""
    shapes = [((35, 70), (70, 33)), ((3, 17, 64), (3, 64, 16)), ((2, 1, 4, 9), (5, 9, 7)), ((4, 16, 20), (20, 40))]
    for i, (a, b) in enumerate(shapes):
        for j, (f, g) in enumerate(((CENTRED, CENTRED), (POSITIVE, CENTRED), (CENTRED, POSITIVE))):
            x, y = Node(Input(f"x{i}{j}", a, f)), Node(Input(f"y{i}{j}", b, g))
            yield requantized(Node(MatMul(), (x, y)))


def graph_of(nodes: Iterator[Node]) -> Graph:
    ends = [Node(Output(f"y{i}"), (n,)) for i, n in enumerate(nodes)]
    inputs = [n for n in Graph((), tuple(ends)).nodes if isinstance(n.op, Input)]
    return Graph(tuple(inputs), tuple(ends), "products")


def tiled(program: Program) -> int:
    """How many kernels use the matrix unit."""
    return sum(isinstance(f.body[0], Run) for f in program.kernels.values())


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use tiles also where they do not pay."""
    for module in (contract, tiles):
        monkeypatch.setattr(module, "pays", lambda *_: True)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("make", [layers, products])
def test_tiles_give_what_the_graph_gives(make) -> None:  # type: ignore[no-untyped-def]
    graph = graph_of(make())
    library = Modelled(graph)
    assert tiled(library.program) == len(graph.outputs)
    fed = vectors(graph, 3)
    got, statuses = library.run(fed)
    assert not any(statuses)
    assert not differences(graph, fed, got)


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
    assert (cut.bytes <= 64, cut.bytes % 4) == (True, 0)
    assert (begins[0], begins[-1] + cut.bytes) == (0, length)
    assert all(b <= a + cut.bytes for a, b in pairwise(begins))


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

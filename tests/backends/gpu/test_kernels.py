"""Kernels of every operation in every language, emulated: the bytes that ``evaluate`` gives."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gatewright.backends.gpu import Simulation, fusion, matrices, products
from gatewright.backends.gpu.emit import sources
from gatewright.backends.gpu.machine import GpuMachine
from gatewright.backends.gpu.program import make_program
from gatewright.backends.gpu.tiles import TILES, WARP_TILES, Tile
from gatewright.backends.loops.halves import fill, from_port
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Dot
from gatewright.graph import Affine, Fixed, Float, Format, Graph, Node, UnsupportedError
from gatewright.graph.ops import (
    Activation,
    Add,
    Conv,
    Dense,
    Input,
    MatMul,
    Mul,
    Output,
    Reduce,
    Reduction,
    Reshape,
    Sub,
    Transpose,
)

from ..cases.common import (
    EVERYWHERE,
    MANY,
    ONCE,
    Case,
    Trial,
    case,
    drawn,
    graphs_joined,
    joined,
    of,
    real,
    sampled,
)
from ..cases.drawn import drawn_graphs, everything

LANGUAGES = ("cuda", "opencl", "metal", "webgpu")
DOUBLES = ("cuda", "opencl")
each_language = pytest.mark.parametrize("language", LANGUAGES)
BYTE, WORD, SMALL = Affine(8, True, 1, 5), Fixed(12, 4), Fixed(8, 3)


def machine(language: str, device: str = "sm_90") -> GpuMachine:
    device = device if language == "cuda" else ""
    return GpuMachine("x86_64-linux-gnu", vector_bits=0, language=language, device=device, units=100)


def files(graph: Graph, language: str, device: str = "sm_90") -> dict[str, bytes]:
    made = sources(make_program(graph, machine(language, device)), "net")
    return {f"src/{path}": data for path, data in made.items()}


def prove(trial: Trial, language: str, device: str = "sm_90") -> None:
    network = Simulation(trial.graph, files(trial.graph, language, device), "emulator").network
    fed, got = trial.fed, []
    for k in range(len(fed[0])):
        for held, given, node in zip(network.inputs, fed, trial.graph.inputs, strict=True):
            fill(held, given[k], interface_type(node))
        assert network.run() == 0
        ports = zip(network.outputs, trial.graph.outputs, strict=True)
        got.append([from_port(o, interface_type(n)).copy() for o, n in ports])
    wrong = trial.wrong([np.stack(o) for o in zip(*got, strict=True)])
    assert not wrong, f"{len(wrong)} outputs differ:\n" + "\n".join(wrong[:20])


def sayable(cases: Iterable[Case], language: str) -> Iterator[Graph]:
    """Those that a language can say: two of them have no floats of 64 bits."""
    for graph in (joined([c]) for c in cases):
        if language not in DOUBLES:
            try:
                files(graph, language)
            except UnsupportedError as error:
                if "float64" in error.what:
                    continue
        yield graph


@each_language
def test_some_of_everything(language: str) -> None:
    share = sampled(everything(), 32)
    graphs = list(sayable(share, language))
    assert len(graphs) > 0.8 * len(share)
    prove(Trial(graphs_joined(graphs), count=3), language)


@each_language
def test_drawn_graphs(language: str) -> None:
    first = 2000 + 10 * LANGUAGES.index(language)
    prove(drawn_graphs(range(first, first + 10)), language)


@pytest.mark.slow
@each_language
@pytest.mark.parametrize("part", range(8))
def test_everything(language: str, part: int) -> None:
    prove(Trial(graphs_joined(sayable(everything()[part::8], language))), language)


@pytest.mark.slow
@pytest.mark.parametrize("language", DOUBLES)
@pytest.mark.parametrize("name", [*ONCE, *EVERYWHERE])
def test_the_cases_of_processors(language: str, name: str) -> None:
    prove(ONCE[name]() if name in ONCE else EVERYWHERE[name](3, 0), language)


@pytest.mark.slow
@each_language
def test_floats_of_16_bits(language: str) -> None:
    prove(ONCE["rounding_to_halves"](), language)
    prove(EVERYWHERE["halves"](1, 0), language)


@pytest.mark.slow
@each_language
@pytest.mark.parametrize("name", ["many_drawn_graphs", "many_large_drawn_graphs", "all_cases_of_kernels"])
def test_many(language: str, name: str) -> None:
    made, seeds = MANY[name]
    for seed in seeds[:3]:
        prove(made(seed), language)


def layers(rng: np.random.Generator) -> list[Case]:
    """Products of every kind, none of which fits tiles: bytes, other integers, floats; convolutions, pairs."""
    conv = Conv((1, 2), ((1, 1), (0, 2)), (2, 1))
    return [
        case("dense", Dense(), ((37, 70), BYTE), drawn(rng, (70, 45), SMALL)),
        case("words", Dense(), ((37, 21), WORD), drawn(rng, (21, 45), WORD)),
        case("conv", conv, ((9, 11, 36), BYTE), drawn(rng, (3, 2, 36, 50), SMALL)),
        case("groups", replace(conv, groups=3), ((9, 11, 36), BYTE), drawn(rng, (3, 2, 12, 27), SMALL)),
        case("pairs", MatMul(), ((2, 19, 38), SMALL), ((2, 38, 33), SMALL)),
        case("wide", MatMul(), ((2, 19, 38), WORD), ((38, 33), WORD)),
    ]


@pytest.mark.parametrize("device", ["sm_90", pytest.param("sm_75", marks=pytest.mark.slow)])
def test_every_tile(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with one kind of product after the other; tensor cores with those of bytes."""
    kinds = layers(np.random.default_rng(1))
    bytes_only = [c for c in kinds if c.name not in ("words", "wide")]
    pairs = [(t, kinds[i % len(kinds)]) for i, t in enumerate(TILES)] if device == "sm_90" else []
    pairs += [(t, bytes_only[(i + k) % len(bytes_only)]) for i, t in enumerate(WARP_TILES) for k in (0, 1)]
    turn = iter(t for t, _ in pairs)

    def chosen(rows: int, columns: int, depth: int, matrices: int, kind: Dot, machine: GpuMachine) -> Tile:
        return next(turn)

    for module in (products, matrices):
        monkeypatch.setattr(module, "tile_for", chosen)
    prove(Trial(graphs_joined(joined([c]) for _, c in pairs), count=1), "cuda", device)
    assert next(turn, None) is None


@pytest.mark.parametrize(("device", "pieces"), [("sm_90", b"m16n8k32"), ("sm_75", b"m8n8k16"), ("sm_72", None)])
def test_tensor_cores_of_a_generation(device: str, pieces: bytes | None) -> None:
    rng = np.random.default_rng(3)
    text = files(joined([case("dense", Dense(), ((512, 512), BYTE), drawn(rng, (512, 512), SMALL))]), "cuda", device)
    assert [p for p in (b"m16n8k32", b"m8n8k16") if p in text["src/kernels.cu"]] == ([pieces] if pieces else [])


@each_language
def test_few_rows_are_summed_by_all_threads(language: str) -> None:
    rng = np.random.default_rng(2)
    cases = [
        case("one", Dense(), ((1000,), BYTE), drawn(rng, (1000, 37), SMALL)),
        case("three", Dense(), ((3, 130), WORD), drawn(rng, (130, 9), WORD)),
    ]
    prove(Trial(graphs_joined(joined([c]) for c in cases), count=2), language)


def normalized(x: Node, *, keep: bool = True) -> Node:
    """What a layer normalization is made of."""

    def mean(v: Node) -> Node:
        found = Node(Reduce(Reduction.MEAN, (1,), keep), (v,))
        return found if keep else Node(Reshape((5, 1)), (found,))

    centre = Node(Sub(), (x, mean(x)))
    variance = Node(Add(), (mean(Node(Mul(), (centre, centre))), Node(real([[1e-3]]))))
    return Node(Mul(), (centre, Node(Activation("rsqrt"), (variance,))))


def shares(x: Node) -> Node:
    """How far integers are below the greatest of their row, times their sum."""
    most, total = (Node(Reduce(kind, (1,), True), (x,)) for kind in (Reduction.MAX, Reduction.SUM))
    below = Node(Sub(), (x, most))
    return Node(Add(), (Node(Mul(), (below, below)), total))


def rows(name: str, made: Callable[[Node], Node], format: Format, length: int) -> Case:
    return of(name, made(Node(Input(f"{name}_x", (5, length), format))))


@each_language
def test_what_follows_within_a_row_is_one_kernel(language: str) -> None:
    cases = [
        rows("norm", normalized, Float(32), 70),
        rows("flat", partial(normalized, keep=False), Float(32), 300),
        rows("whole", shares, Fixed(8, 3), 33),
    ]
    graph = joined(cases)
    program = make_program(graph, machine(language))
    assert len(program.statements) == len(cases)
    prove(Trial(graph, count=2), language)


@each_language
def test_short_rows_fused(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "SHORTEST", 2)
    monkeypatch.setattr("gatewright.backends.gpu.rows.LONG", 2)
    first = 3000 + 12 * LANGUAGES.index(language)
    prove(drawn_graphs(range(first, first + 12), 12), language)


def test_rows_that_others_read_are_not_fused() -> None:
    x = Node(Input("x", (4, 64), Fixed(8, 3)))
    most = Node(Reduce(Reduction.MAX, (1,), True), (x,))
    below = Node(Sub(), (x, most))
    turned = Node(Transpose((1, 0)), (below,))
    outputs = (Node(Output("a"), (Node(Mul(), (below, below)),)), Node(Output("b"), (turned,)))
    graph = Graph((x,), outputs, "turned")
    prove(Trial(graph, count=2), "cuda")
    square = Node(Input("s", (64, 64), Fixed(8, 3)))
    row = Node(Reduce(Reduction.MAX, (1,), False), (square,))  # aligned to the last axis: not the row's own number
    graph = Graph((square,), (Node(Output("c"), (Node(Sub(), (square, row)),)),), "square")
    prove(Trial(graph, count=2), "cuda")

"""Plans: no byte is read that its tensor did not write last; they are small, and the same on every run."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import gatewright
from gatewright.backends.firmware import Simulation, emit, verify
from gatewright.backends.firmware.memory import Plan, plan
from gatewright.backends.firmware.memory.exact import Placement, place, solved
from gatewright.backends.firmware.memory.lives import Life, Rules, rules
from gatewright.backends.firmware.memory.order import best_order
from gatewright.backends.firmware.memory.overlap import Distance, apart
from gatewright.backends.firmware.memory.place import greedy, lower_bound, peak
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.program import Block
from gatewright.backends.loops.widths import WIDTHS
from gatewright.graph import Array, Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.evaluate.run import surface_shape
from gatewright.graph.ops import (
    Add,
    Concat,
    Constant,
    Conv,
    Input,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Slice,
    Transpose,
)
from gatewright.simulation import make_vectors

from ....graph.drawn import Draw
from ....recurrent import lstm_and_dense
from .interpreter import Owners

CORES = {
    "m4": Machine("thumbv7em-none-eabihf", "cortex-m4", ("+dsp",), 0),
    "m0": Machine("thumbv6m-none-eabi", "cortex-m0plus", (), 0),
    "m55": Machine("thumbv8.1m.main-none-eabihf", "cortex-m55", ("+mve.fp",), 0),
}
MODELS = Path(__file__).parents[5] / "shared" / "models" / "mlperf_tiny"
KIB = 1024
Made = Callable[[], Graph]


def conv(x: Node, filters: int, rng: np.random.Generator, where: str, stride: int = 1, groups: int = 1) -> Node:
    shape = (3, 3, x.shape[-1] // groups, filters)
    w = Node(Constant(Array(rng.integers(-7, 8, shape)), Fixed(4, 0)), (), where)
    total = Node(Conv((stride, stride), ((1, 1), (1, 1)), (1, 1), groups), (x, w), where)
    return Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (total,), where)


@cache
def residual() -> Graph:
    """Two branches and a short cut over one tensor, then a join: the order of the branches matters."""
    rng = np.random.default_rng(3)
    x = Node(Input("x", (6, 5, 4), Fixed(8, 3)), (), "x")
    stem = conv(x, 8, rng, "stem")
    wide = conv(conv(stem, 24, rng, "wide"), 4, rng, "narrow")
    deep = conv(conv(stem, 8, rng, "deep", groups=8), 4, rng, "deeper")
    total = Node(Quantize(Fixed(8, 4), Rounding.RND, Overflow.SAT), (Node(Add(), (wide, deep), "add"),), "add")
    both = Node(Concat(2), (total, conv(stem, 4, rng, "short")), "both")
    end = Node(Reduce(Reduction.SUM, (0, 1), False), (conv(both, 6, rng, "end", 2),), "sum")
    return Graph((x,), (Node(Output("y"), (end,)), Node(Output("z"), (total,))), "residual")


def chain() -> Graph:
    rng = np.random.default_rng(4)
    x = Node(Input("x", (6, 6, 2), Fixed(8, 3)), (), "x")
    return Graph((x,), (Node(Output("y"), (conv(conv(x, 4, rng, "one"), 3, rng, "two"),)),), "chain")


@cache
def recurrent() -> Graph:
    return gatewright.lower(lstm_and_dense(5, 3, 4), board="host", precision="fixed<12,4>")


def planned(graph: Graph, core: str = "m4") -> Plan:
    return plan(make_program(graph, CORES[core]))


def faults(found: Plan) -> list[str]:
    program = found.program
    owners = Owners(program)
    outputs = enumerate(program.graph.outputs)
    sizes = {
        f"out{i}": int(np.prod(surface_shape(n), dtype=int)) * WIDTHS[interface_type(n)] // 8 for i, n in outputs
    }
    assert owners.outputs_whole(sizes)
    return owners.faults


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("graph", [residual, recurrent], ids=["residual", "recurrent"])
def test_no_byte_is_read_that_another_tensor_wrote(graph: Made, core: str) -> None:
    assert faults(planned(graph(), core)) == []


@pytest.mark.parametrize(("seed", "core"), [*((s, "m4") for s in range(24)), *((s, "m55") for s in range(8))])
def test_drawn_networks_are_planned_legally(seed: int, core: str) -> None:
    assert faults(planned(Draw(seed).graph(), core)) == []


def test_the_checker_sees_what_is_wrong() -> None:
    found = planned(residual())
    block = max((b for b in found.program.blocks if not b.port), key=lambda b: b.bytes)
    block.offset = max(0, block.offset - 8) if block.offset else 8
    found.program.arena = max(b.offset + b.bytes for b in found.program.blocks)
    assert faults(found)


def test_the_c_of_a_planned_network_is_exact() -> None:
    board = gatewright.boards()["nucleo-l4r5zi"]
    for graph in (residual(), recurrent()):
        simulation = Simulation(graph, emit(graph, board).files)
        assert verify(graph, simulation, make_vectors(graph, 12))["status"] == "exact"


@pytest.mark.parametrize("core", CORES)
def test_the_order_of_branches_and_overlap_make_it_smaller(core: str) -> None:
    program = make_program(residual(), CORES[core])
    as_written = greedy(rules(program))
    found = plan(program)
    assert found.bound <= found.bytes < peak(rules(program), as_written) < program.arena
    assert found.bytes == found.program.arena
    assert max(n.bytes for n in found.needs()) == found.largest.bytes <= found.bytes


def test_a_single_chain_has_one_order() -> None:
    assert best_order(make_program(chain(), CORES["m4"])) is None


def test_a_plan_is_the_same_every_time() -> None:
    one, two = (planned(residual()) for _ in range(2))
    assert [b.offset for b in one.program.blocks] == [b.offset for b in two.program.blocks]
    assert [s.kernel for s in one.program.statements] == [s.kernel for s in two.program.statements]  # type: ignore[union-attr]


def test_temporaries_of_a_turn_share_their_room() -> None:
    program = make_program(recurrent(), CORES["m0"])
    found = rules(program)
    loops = {life.loop for life in found.lives}
    assert len(loops - {None}) == 2
    inside = [i for i, life in enumerate(found.lives) if life.loop is not None]
    assert any(not found.lives[i].meets(found.lives[j]) for i in inside for j in inside if i < j)


# The solver, on rules made by hand


def by_hand(sizes: list[int], lives: list[tuple[int, int]], near: dict[tuple[int, int], Distance]) -> Rules:
    blocks = tuple(Block(size) for size in sizes)
    spans = tuple(Life(*life) for life in lives)
    pairs = {(i, j): apart(sizes[i], sizes[j]) for j in range(len(sizes)) for i in range(j) if spans[i].meets(spans[j])}
    return Rules(blocks, spans, {**pairs, **near}, 8)


def legal(found: Rules, offsets: "list[int] | tuple[int, ...]") -> bool:
    return all(
        offsets[i] - offsets[j] >= n.above or offsets[j] - offsets[i] >= n.below for (i, j), n in found.near.items()
    )


def drawn_rules(seed: int, count: int = 10) -> Rules:
    rng = np.random.default_rng(seed)
    sizes = [int(8 * rng.integers(1, 30)) for _ in range(count)]
    begins = rng.integers(0, 8, count)
    lives = [(int(b), int(b + rng.integers(0, 5))) for b in begins]
    near = {}
    for j in range(count):
        for i in range(j):
            if lives[i][1] == lives[j][0] and rng.random() < 0.5:
                near[i, j] = Distance(int(rng.integers(-sizes[i], sizes[j] + 1)), sizes[i])
    return by_hand(sizes, lives, near)


@pytest.mark.parametrize("seed", range(25))
def test_placements_keep_to_the_rules(seed: int) -> None:
    found = drawn_rules(seed)
    offsets = greedy(found)
    assert legal(found, offsets)
    placed = place(found)
    assert legal(found, placed.offsets)
    assert lower_bound(found) <= placed.bound <= placed.peak <= peak(found, offsets)
    assert placed.peak == peak(found, placed.offsets)
    assert placed == place(found)


def test_the_solver_finds_what_greed_does_not() -> None:
    pytest.importorskip("ortools", reason="exact placement needs the extra `firmware`")
    better = 0
    for seed in range(25):
        found = drawn_rules(seed, 14)
        offsets = tuple(greedy(found))
        best = solved(found, Placement(offsets, peak(found, offsets), lower_bound(found), "greedy"))
        assert legal(found, best.offsets)
        better += best.peak < peak(found, offsets)
    assert better


def test_without_the_solver_greed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.backends.firmware.memory.exact.find_spec", lambda name: None)
    assert {place(drawn_rules(seed, 14)).solver for seed in range(10)} == {"greedy"}


# The networks of MLPerf Tiny


@pytest.mark.skipif(not MODELS.is_dir(), reason="the models are not here")
@pytest.mark.parametrize(
    ("name", "most"), [("ad01", 3 * KIB), ("dscnn_kws", 11 * KIB), ("resnet8", 34 * KIB), ("vww_96", 39 * KIB)]
)
@pytest.mark.parametrize("core", CORES)
def test_the_four_networks_fit(name: str, most: int, core: str) -> None:
    pytest.importorskip("ortools", reason="exact placement needs the extra `firmware`")
    graph = gatewright.lower(gatewright.load(MODELS / f"{name}_int8.tflite"), board="nucleo-l4r5zi")
    found = planned(graph, core)
    assert found.bytes <= most
    assert found.bytes - found.bound <= 256


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.slow) for s in range(8, 200))])
def test_the_c_of_drawn_networks_is_exact(seed: int) -> None:
    graph = Draw(1000 + seed).graph()
    simulation = Simulation(graph, emit(graph, gatewright.boards()["nucleo-l4r5zi"]).files)
    assert verify(graph, simulation, make_vectors(graph, 8))["status"] == "exact"


def test_an_order_that_cannot_take_less_is_not_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventeen parts of one tensor: a solver would look for seconds for what the bound rules out."""
    pytest.importorskip("ortools", reason="exact placement needs the extra `firmware`")
    x = Node(Input("x", (17, 7, 33), Fixed(8, 3)), (), "x")
    turned = Node(Transpose((1, 0, 2)), (x,), "turned")
    parts = [Node(Slice((i, 0, 0), (i + 1, 7, 33), (1, 1, 1)), (x,), f"part{i}") for i in range(17)]
    outputs = tuple(Node(Output(f"y{i}"), (v,)) for i, v in enumerate((turned, *parts)))
    program = make_program(Graph((x,), outputs), CORES["m4"])
    placed: list[Rules] = []

    def watched(found: Rules) -> Placement:
        placed.append(found)
        return place(found)

    monkeypatch.setattr(import_module("gatewright.backends.firmware.memory.plan"), "place", watched)
    assert best_order(program) is not None
    found = plan(program)
    assert found.bytes == found.bound
    assert len(placed) == 1

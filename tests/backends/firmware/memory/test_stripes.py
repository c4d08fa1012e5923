"""Parts of networks by stripes of rows: the same numbers in less memory."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

import gatewright
from gatewright.backends.firmware import Simulation, emit, verify
from gatewright.backends.firmware.memory import Plan, choose, parse, plan
from gatewright.backends.firmware.memory.parts import program_of
from gatewright.backends.firmware.memory.stripes import extra, needs, part, passages, striped
from gatewright.backends.loops.builder import make_program
from gatewright.graph import Array, Fixed, Graph, Node, Overflow, Rounding, UnsupportedError, evaluate
from gatewright.graph.ops import (
    Add,
    AvgPool,
    Concat,
    Constant,
    Conv,
    Input,
    MaxPool,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Relu,
)
from gatewright.simulation import make_vectors

from .test_limits import board
from .test_plan import CORES, MODELS, faults

KIB = 1024
Made = Callable[[], Graph]


def slowly(first: int, last: int) -> list[object]:
    """Give seeds that are only tried by hand."""
    return [pytest.param(seed, marks=pytest.mark.slow) for seed in range(first, last)]


class Drawer:
    """Chains of layers with windows over images of any height, with short cuts."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.count = 0

    def pick(self, *choices: int) -> int:
        return int(self.rng.choice(choices))

    def graph(self) -> Graph:
        x = Node(Input("x", (self.pick(9, 12, 16), self.pick(4, 5), self.pick(2, 4)), Fixed(8, 3)), (), "x")
        y = x
        for _ in range(self.pick(3, 4, 5)):
            y = self.layer(y) if self.pick(0, 1, 1) else self.short_cut(y)
        end = Node(Reduce(Reduction.SUM, (0, 1), False), (y,), "sum")
        return Graph((x,), (Node(Output("y"), (end,)),), "striped")

    def layer(self, x: Node, *, keep: bool = False) -> Node:
        self.count += 1
        where = f"layer{self.count}"
        kernel = self.pick(1, 2, 3, 3)
        dilation = self.pick(1, 1, 2)
        reach = (kernel - 1) * dilation
        before = reach // 2 if keep else self.pick(0, reach // 2, reach)
        padding = ((before, reach - before), (reach // 2, reach - reach // 2))
        stride = 1 if keep else self.pick(1, 1, 2)
        if not keep and self.pick(0, 0, 0, 1):
            kind = MaxPool if self.pick(0, 1) else AvgPool
            size = min(2, x.shape[0])
            pooled = Node(kind((size, 1), (size, 1), ((0, 0), (0, 0)), (1, 1)), (x,), where)
            return Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (pooled,), where)
        groups = x.shape[-1] if self.pick(0, 1) else 1
        filters = x.shape[-1] if keep or groups > 1 else self.pick(3, 4, 8)
        w = self.rng.integers(-7, 8, (kernel, kernel, x.shape[-1] // groups, filters))
        weights = Node(Constant(Array(w), Fixed(4, 0)), (), where)
        op = Conv((stride, stride), padding, (dilation, dilation), groups)
        total = Node(op, (x, weights), where)
        total = Node(Relu(), (total,), where) if self.pick(0, 1) else total
        return Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (total,), where)

    def short_cut(self, x: Node) -> Node:
        deep = self.layer(self.layer(x, keep=True), keep=True)
        both = Node(Add(), (deep, x), "add")
        return Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (both,), "add")


def ways(graph: Graph) -> list[tuple[Graph, int, int]]:
    """Cut every part that can be into stripes; give the graphs, with the height and the products done again."""
    stops = [i for i, _ in passages(graph)]
    found = []
    for a, first in enumerate(stops):
        for last in stops[a + 1 :]:
            cut = part(graph, first, last)
            for rows in (1, 3, 4) if cut is not None else ():
                if cut is not None and rows < cut.exit.shape[0]:
                    done = striped(graph, cut, rows)
                    assert done is not None
                    found.append((done, rows, extra(cut, rows)))
    return found


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 6, 9, *slowly(10, 40)])
def test_stripes_compute_the_same_numbers(seed: int) -> None:
    graph = Drawer(seed).graph()
    x = make_vectors(graph, 2)[0]
    expected = evaluate(graph, x, integers=True)
    cut = ways(graph)
    for done, _, more in cut[:: max(1, len(cut) // 5)]:
        np.testing.assert_array_equal(evaluate(done, x, integers=True), expected)
        assert done.macs == graph.macs + more


@pytest.mark.parametrize("seed", [2, 3, 19, *slowly(4, 19), *slowly(20, 30)])
def test_stripes_are_planned_legally(seed: int) -> None:
    graph = Drawer(seed).graph()
    done, _, _ = min(ways(graph), key=lambda way: (way[0].macs, len(way[0].nodes)))
    assert faults(plan(program_of(done, CORES["m4"]), reorder=False)) == []


def test_stripes_may_end_where_channels_are_joined() -> None:
    rng = np.random.default_rng(2)
    x = Node(Input("x", (9, 5, 3), Fixed(8, 3)), (), "x")
    y = Node(Concat(2), (layer(x, 7, "one"), layer(x, 5, "other")), "both")
    w = Node(Constant(Array(rng.integers(-7, 8, (3, 3, 12, 2))), Fixed(4, 0)), (), "end")
    end = Node(Reduce(Reduction.SUM, (0, 1), False), (Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (y, w), "end"),))
    graph = Graph((x,), (Node(Output("y"), (end,)),), "joined")
    cut = part(graph, 0, graph.nodes.index(y))
    assert cut is not None
    assert cut.exit is y
    done = striped(graph, cut, 4)
    assert done is not None
    for core in ("m4", "m55"):
        assert faults(plan(program_of(done, CORES[core]), reorder=False)) == []


def layer(x: Node, filters: int, where: str, kernel: int = 3, stride: int = 1, groups: int = 1) -> Node:
    rng = np.random.default_rng(len(where))
    data = rng.integers(-7, 8, (kernel, kernel, x.shape[-1] // groups, filters))
    w = Node(Constant(Array(data), Fixed(4, 0)), (), where)
    pad = ((kernel // 2, kernel // 2),) * 2
    total = Node(Conv((stride, stride), pad, (1, 1), groups), (x, w), where)
    return Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (total,), where)


@cache
def bottleneck() -> Graph:
    """Wide in the middle: 20x6x32 between 20x6x4 and 10x3x8."""
    x = Node(Input("x", (20, 6, 4), Fixed(8, 3)), (), "x")
    y = layer(layer(x, 32, "wide", 1), 32, "depthwise", groups=32)
    y = layer(layer(y, 4, "narrow", 1), 8, "down", stride=2)
    end = Node(Reduce(Reduction.SUM, (0, 1), False), (y,), "sum")
    return Graph((x,), (Node(Output("y"), (end,)),), "bottleneck")


@cache
def chosen(wish: "str | int") -> Plan:
    return choose(bottleneck(), CORES["m4"], board(), parse(wish))


def test_the_smallest_never_holds_what_is_wide() -> None:
    fastest, smallest = chosen("fastest"), chosen("smallest")
    assert fastest.bytes > 20 * 6 * 32
    assert smallest.bytes < 20 * 6 * 32 * 2 / 3


def test_so_many_bytes_cost_no_more_products_than_they_have_to() -> None:
    fastest, smallest = chosen("fastest"), chosen("smallest")
    between = chosen((fastest.bytes + smallest.bytes) // 2)
    macs = [p.program.graph.macs for p in (fastest, between, smallest)]
    assert macs == sorted(macs)
    assert macs[0] == bottleneck().macs
    assert macs[1] < macs[2]
    assert smallest.bytes < between.bytes <= (fastest.bytes + smallest.bytes) // 2


def test_what_is_still_too_much_says_what_the_smallest_takes() -> None:
    smallest = chosen("smallest").bytes
    with pytest.raises(UnsupportedError) as told:
        chosen(smallest - 1)
    assert f"--memory smallest, which takes {smallest:,} bytes" in str(told.value)
    fast = chosen("fastest").bytes
    with pytest.raises(UnsupportedError) as told:
        choose(bottleneck(), CORES["m4"], board(fast + 4000), parse("fastest"))
    assert f"--memory smallest, which takes {smallest:,} bytes" in str(told.value)
    assert "KiB of RAM" not in str(told.value).partition("try")[2]
    with pytest.raises(UnsupportedError) as told:
        choose(bottleneck(), CORES["m4"], board(5000), parse("smallest"))
    assert "KiB of RAM" in str(told.value).partition("try")[2]


def test_the_c_of_stripes_is_exact() -> None:
    found = gatewright.boards()["nucleo-l4r5zi"]
    project = emit(bottleneck(), found, "smallest")
    simulation = Simulation(bottleneck(), project.files)
    assert verify(bottleneck(), simulation, make_vectors(bottleneck(), 8))["status"] == "exact"
    assert emit(bottleneck(), found, "smallest").files == project.files


def test_rows_that_are_needed_follow_from_windows() -> None:
    graph = bottleneck()
    stops = [i for i, n in passages(graph) if isinstance(n.op, Input | Quantize)]
    cut = part(graph, stops[0], stops[-1])
    assert cut is not None
    found = needs(cut, (3, 5))  # down: rows 5 to 10; depthwise: 4 to 11
    assert found[cut.entry] == (4, 11)
    assert extra(cut, 10) == 0


def test_a_network_without_rows_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    x = Node(Input("x", (6, 5, 2), Fixed(8, 3)), (), "x")
    w = Node(Constant(Array(rng.integers(-7, 8, (6, 5, 2, 7))), Fixed(4, 0)), (), "all")
    y = Node(Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), (x, w), "all")
    graph = Graph((x,), (Node(Output("y"), (y,)),), "one")
    assert plan(make_program(graph, CORES["m4"])).bytes == choose(graph, CORES["m4"], board(), parse("smallest")).bytes


@pytest.mark.slow
@pytest.mark.skipif(not MODELS.is_dir(), reason="the models are not here")
@pytest.mark.parametrize(("name", "most"), [("resnet8", 22 * KIB), ("vww_96", 28 * KIB)])
def test_the_networks_of_images_get_smaller_and_stay_exact(name: str, most: int) -> None:
    pytest.importorskip("ortools", reason="exact placement needs the extra `firmware`")
    found = gatewright.boards()["nucleo-l4r5zi"]
    graph = gatewright.lower(gatewright.load(MODELS / f"{name}_int8.tflite"), board="nucleo-l4r5zi")
    project = emit(graph, found, "smallest")
    simulation = Simulation(graph, project.files)
    assert verify(graph, simulation, make_vectors(graph, 4))["status"] == "exact"
    assert simulation.network._arena.size <= most



"""Graphs of integers drawn at random, and the cases of the other back end: equal to ``evaluate`` in every bit."""

from collections.abc import Iterable

import pytest

from gatewright.graph import Graph
from gatewright.graph.ops import OPS

from ...graph.drawn import Draw
from ..hls4ml import (
    test_kernels_choose,
    test_kernels_computed,
    test_kernels_linear,
    test_kernels_pointwise,
    test_kernels_runtimes,
    test_kernels_shape,
)
from . import test_floats, test_formats, test_moves, test_products, test_scan
from .support import MACHINES, Case, check, graphs_joined, joined, sampled

MODULES = (
    test_kernels_choose, test_kernels_computed, test_kernels_linear, test_kernels_pointwise, test_kernels_runtimes,
    test_kernels_shape,
)  # fmt: skip


class Large(Draw):
    """Longer axes than those that a vector holds."""

    longest, most = 19, 3000


def batch(graphs: Iterable[Graph], machine: str, count: int = 6) -> None:
    check(graphs_joined(graphs), machine, count=count)


def everything() -> list[Case]:
    """A part of the cases of all operations."""
    p, m, f = test_products, test_moves, test_formats
    layers = [*p.dense(0), *p.conv(0, 48), *p.conv_transpose(0, 12), *p.matmul(0), *p.pools(0, 16)]
    others = [*sampled(p.cases(p.reductions()), 6), *sampled(p.cases(p.places()), 6), *m.chains(0, 60), *m.joins()]
    more = [*m.softmaxes(), *f.multipliers(), *f.tables(), *f.steps(), *test_scan.cases(), *test_floats.arithmetic()]
    return [*p.cases(iter(layers)), *others, *more]


@pytest.mark.parametrize("machine", [m for m in MACHINES if m != "host"])
def test_some_of_everything_on_other_machines(machine: str) -> None:
    check(graphs_joined(joined([c]) for c in sampled(everything(), 16)), machine, count=4)


@pytest.mark.parametrize("machine", MACHINES)
def test_drawn_graphs(machine: str) -> None:
    batch((Draw(seed).graph() for seed in drawn(machine)), machine)


def drawn(machine: str) -> range:
    return range(40) if machine == "host" else range(first := 100 * list(MACHINES).index(machine), first + 12)


def test_large_drawn_graphs() -> None:
    batch((Large(seed).graph() for seed in range(12)), "host", 3)


def test_the_drawn_graphs_hold_every_exact_operation() -> None:
    graphs = (Draw(seed).graph() for machine in MACHINES for seed in drawn(machine))
    seen = {type(node.op).__name__ for graph in graphs for node in graph.nodes}
    assert seen >= set(OPS) - {"Div", "Power", "Activation", "Softmax", "FixedSoftmax", "DynamicScale"}


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("first", range(1000, 2000, 50))
def test_many_drawn_graphs(machine: str, first: int) -> None:
    batch((Draw(seed).graph(8) for seed in range(first, first + 50)), machine)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("first", range(1000, 1200, 20))
def test_many_large_drawn_graphs(machine: str, first: int) -> None:
    batch((Large(seed).graph() for seed in range(first, first + 20)), machine, 4)


@pytest.mark.parametrize("module", MODULES)
def test_cases_of_kernels(module: object) -> None:
    batch((c.graph for c in module.CASES[::4]), "host")  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("module", MODULES)
def test_all_cases_of_kernels(machine: str, module: object) -> None:
    batch((c.graph for c in module.CASES), machine, 12)  # type: ignore[attr-defined]

"""Graphs of integers drawn at random, a part of everything, and the cases of another back end."""

from types import ModuleType

from ...graph.drawn import Draw
from ..hls4ml import (
    test_kernels_choose,
    test_kernels_computed,
    test_kernels_linear,
    test_kernels_pointwise,
    test_kernels_runtimes,
    test_kernels_shape,
)
from . import borders, floats, formats, moves, narrow, products, rows, scan  # noqa: F401 - some register their trials
from .common import Case, Trial, graphs_joined, joined, many, once, sampled

MODULES: dict[str, ModuleType] = {
    m.__name__.rpartition("_")[2]: m
    for m in (
        test_kernels_choose, test_kernels_computed, test_kernels_linear, test_kernels_pointwise, test_kernels_runtimes,
        test_kernels_shape,
    )
}  # fmt: skip


class Large(Draw):
    """Longer axes than those that a vector holds."""

    longest, most = 19, 3000


def everything() -> list[Case]:
    """A part of the cases of all operations."""
    p, m, f = products, moves, formats
    layers = [*p.dense(0), *p.conv(0, 48), *p.conv_transpose(0, 12), *p.matmul(0), *p.pools(0, 16)]
    others = [*sampled(p.cases(p.reductions()), 6), *sampled(p.cases(p.places()), 6), *m.chains(0, 60), *m.joins()]
    more = [*m.softmaxes(), *f.multipliers(), *f.tables(), *f.steps(), *scan.cases(), *floats.arithmetic()]
    return [*p.cases(iter(layers)), *others, *more]


def some_of_everything() -> Trial:
    """One case in 16."""
    return Trial(graphs_joined(joined([c]) for c in sampled(everything(), 16)), count=4)


def drawn_graphs(seeds: range, layers: int = 5) -> Trial:
    """Graphs of integers, side by side."""
    return Trial(graphs_joined(Draw(seed).graph(layers) for seed in seeds), count=6)


@once
def large_drawn_graphs() -> Trial:
    return Trial(graphs_joined(Large(seed).graph() for seed in range(12)), count=3)


@many(range(1000, 2000, 50))
def many_drawn_graphs(seed: int) -> Trial:
    return drawn_graphs(range(seed, seed + 50), 8)


@many(range(1000, 1200, 20))
def many_large_drawn_graphs(seed: int) -> Trial:
    return Trial(graphs_joined(Large(seed + i).graph() for i in range(20)), count=4)


def cases_of(module: str, share: int = 1, count: int = 12) -> Trial:
    """Give one in ``share`` of the other back end's cases of some kernels."""
    return Trial(graphs_joined(c.graph for c in MODULES[module].CASES[::share]), count=count)


@many(range(len(MODULES)))
def all_cases_of_kernels(seed: int) -> Trial:
    return cases_of(list(MODULES)[seed])

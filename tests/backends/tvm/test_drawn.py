"""Graphs of integers drawn at random, and the cases of the other back end: equal to ``evaluate`` in every bit."""

import pytest

from gatewright.graph.ops import OPS

from ...graph.drawn import Draw
from ..cases.drawn import MODULES, cases_of, drawn_graphs, some_of_everything
from .support import MACHINES, prove


@pytest.mark.parametrize("machine", [m for m in MACHINES if m != "host"])
def test_some_of_everything_on_other_machines(machine: str) -> None:
    prove(some_of_everything(), machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_drawn_graphs(machine: str) -> None:
    prove(drawn_graphs(seeds(machine)), machine)


def seeds(machine: str) -> range:
    return range(40) if machine == "host" else range(first := 100 * list(MACHINES).index(machine), first + 12)


def test_the_drawn_graphs_hold_every_exact_operation() -> None:
    graphs = (Draw(seed).graph() for machine in MACHINES for seed in seeds(machine))
    seen = {type(node.op).__name__ for graph in graphs for node in graph.nodes}
    assert seen >= set(OPS) - {"Cast", "Div", "Power", "Activation", "Softmax", "FixedSoftmax", "DynamicScale"}


@pytest.mark.parametrize("module", MODULES)
def test_cases_of_kernels(module: str) -> None:
    prove(cases_of(module, 4, 6), "host")

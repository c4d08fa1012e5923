"""Every operation, format and rounding in C: exact, without undefined behaviour, inside of the arena."""

from collections.abc import Iterable

import pytest

from gatewright.backends.loops.builder import make_program
from gatewright.graph import Format, UnsupportedError

from ..cases import drawn, floats, formats, moves, products, scan  # noqa: F401 - they register their trials
from ..cases.common import EVERYWHERE, MANY, ONCE
from ..cases.drawn import MODULES, cases_of, drawn_graphs, some_of_everything
from .support import MACHINES, Library, prove

each_machine = pytest.mark.parametrize("machine", MACHINES)
LONG = {
    "integers_are_quantized", "rounding_to_halves", "every_mode", "drawn_scans", "large_drawn_graphs", "choices",
    "divisors",
}  # fmt: skip
"""Trials that take seconds; a part of what they hold is in the others."""


def names(trials: Iterable[str]) -> pytest.MarkDecorator:
    every = [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in trials]
    return pytest.mark.parametrize("name", every)


@names(ONCE)
def test_on_one_core(name: str) -> None:
    prove(ONCE[name](), "m4")


@names(EVERYWHERE)
def test_some_on_one_core(name: str) -> None:
    prove(EVERYWHERE[name](12, 0), "m4")


@pytest.mark.parametrize("machine", ["m0", "rv32"])
def test_some_of_everything(machine: str) -> None:
    prove(some_of_everything(), machine)


@each_machine
def test_drawn_graphs(machine: str) -> None:
    first = 50 * list(MACHINES).index(machine)
    prove(drawn_graphs(range(first, first + 6)), machine)


@pytest.mark.parametrize("machine", ["m4", pytest.param("m0", marks=pytest.mark.slow)])
def test_functions_that_layers_share(machine: str) -> None:
    library = prove(ONCE["layers_that_are_alike"](), machine, small=True)
    alone = make_program(library.graph, MACHINES[machine])
    assert len(library.program.kernels) < len(alone.kernels)


@pytest.mark.slow
@each_machine
@pytest.mark.parametrize("name", [*ONCE, *EVERYWHERE])
def test_everything_in_functions_that_layers_share(name: str, machine: str) -> None:
    prove(ONCE[name]() if name in ONCE else EVERYWHERE[name](1, list(MACHINES).index(machine)), machine, small=True)


@pytest.mark.slow
@each_machine
@pytest.mark.parametrize("name", [*ONCE, *EVERYWHERE])
def test_everything(name: str, machine: str) -> None:
    prove(ONCE[name]() if name in ONCE else EVERYWHERE[name](1, list(MACHINES).index(machine)), machine)


@pytest.mark.slow
@each_machine
@pytest.mark.parametrize(("name", "seed"), [(n, seed) for n, (_, seeds) in MANY.items() for seed in seeds])
def test_many(name: str, seed: int, machine: str) -> None:
    prove(MANY[name][0](seed), machine)


@pytest.mark.parametrize("module", [pytest.param(m, marks=[pytest.mark.slow]) for m in MODULES])
def test_cases_of_kernels(module: str) -> None:
    prove(cases_of(module, 4, 6), "m4")


@pytest.mark.parametrize("index", moves.INDICES)
def test_places_outside(index: Format) -> None:
    for trial, statuses in moves.places_outside(index):
        assert Library(trial.graph, MACHINES["m4"]).run(trial.fed)[1] == statuses, trial.graph


@pytest.mark.slow
def test_a_divisor_of_zero() -> None:
    trial, statuses = moves.a_divisor_of_zero()
    assert Library(trial.graph, MACHINES["m4"]).run(trial.fed)[1] == statuses


def test_weights_of_an_input_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="computed from an input"):
        Library(products.weights_of_an_input(), MACHINES["m0"])

"""Every operation, format and rounding: exact, and real numbers within rounding of ``evaluate``."""

import pytest

from gatewright.graph import Format, UnsupportedError

from ..cases import attention, drawn, floats, formats, moves, products, scan, winograd  # noqa: F401 - they register their trials
from ..cases.common import EVERYWHERE, MANY, ONCE
from .support import MACHINES, Library, check, prove

each_machine = pytest.mark.parametrize(
    ("machine", "share"),
    [pytest.param("host", 3, id="host")]
    + [pytest.param(m, 1, id=f"{m}-all", marks=pytest.mark.slow) for m in MACHINES],
)
"""On this machine one case in three; by hand (``-m slow``) all of them on each. ``test_drawn`` tries some on each."""


@pytest.mark.parametrize("name", ONCE)
def test_on_this_machine(name: str) -> None:
    prove(ONCE[name](), "host")


@each_machine
@pytest.mark.parametrize("name", EVERYWHERE)
def test_on_every_machine(name: str, machine: str, share: int) -> None:
    prove(EVERYWHERE[name](share, list(MACHINES).index(machine)), machine)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "seed"), [(n, seed) for n, (_, seeds) in MANY.items() for seed in seeds])
def test_many(name: str, seed: int, machine: str) -> None:
    prove(MANY[name][0](seed), machine)


@pytest.mark.parametrize("index", moves.INDICES)
def test_places_outside(index: Format) -> None:
    for trial, statuses in moves.places_outside(index):
        assert Library(trial.graph).run(trial.fed)[1] == statuses, trial.graph


def test_a_divisor_of_zero() -> None:
    trial, statuses = moves.a_divisor_of_zero()
    assert Library(trial.graph).run(trial.fed)[1] == statuses


def test_weights_of_an_input_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="computed from an input"):
        check(products.weights_of_an_input())

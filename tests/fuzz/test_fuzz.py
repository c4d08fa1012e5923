"""The harness counts, shrinks and survives what it is there for; and a short run of each fuzzer."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gatewright.graph import UnsupportedError

from .choices import Choices
from .core import Fuzzer, Outcome, Recipe, Refused, Right, Unusable, Wrong, fuzzers, general, generator
from .fuzzers.hls4ml import HlsFuzzer
from .harness import Report, Run, Worker, fuzz, write
from .shrink import shrink, smaller

KNOWN = fuzzers()


class Toy(Fuzzer):
    """Wrong where an item is over 40 and none is 7; refuses, crashes and skips by the first item."""

    name = "toy"

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"items": [int(n) for n in rng.integers(0, 60, 8)]}

    def run(self, recipe: Recipe) -> Outcome:
        items = recipe["items"]
        if max(items, default=0) > 40 and 7 not in items:
            raise Wrong(f"{max(items)} is over 40")
        match items[0] % 4 if items else 0:
            case 1:
                raise UnsupportedError(f"no {items[0]} here", where="x")
            case 2:
                return Refused("too large")
            case 3:
                raise Unusable("not of the framework")
        return Right()


def test_outcomes_are_counted_and_failures_shrunk(tmp_path: Path) -> None:
    report = fuzz(Toy(), Run(seed=3, cases=60, folder=tmp_path), here=True)
    assert report.recipes == 60
    assert sum(report.counts.values()) == 60
    assert report.counts["wrong"] > 0
    assert report.failures[0].recipe == {"items": [41]}
    assert report.failures[0].file is not None
    assert "41 is over 40" in str(report)
    again = fuzz(Toy(), Run(seed=3, cases=60), here=True)
    assert again.counts == report.counts
    assert again.refused == report.refused


def test_reasons_of_one_kind_are_one() -> None:
    assert general("no layer 'a1' of 3 bits") == general("no layer 'b' of 17 bits") == "no layer '...' of N bits"


def test_shrinking_finds_the_least() -> None:
    found = shrink({"a": [9, 50, 3], "b": True}, smaller, lambda r: any(n >= 17 for n in r["a"]), 10)
    assert found == {"a": [17], "b": False}


def test_choices_give_the_first_option_in_the_end() -> None:
    choices = Choices([5, 4])
    assert [choices.pick("abc"), choices.whole(2, 4), choices("xyz")] == ["c", 3, "x"]


def test_recipes_follow_from_the_seed() -> None:
    for fuzzer in KNOWN.values():
        if fuzzer.missing:
            continue
        first, second = (fuzzer.draw(generator(fuzzer, 1, 2)) for _ in range(2))
        assert first == second
        assert first != fuzzer.draw(generator(fuzzer, 2, 2))
        assert fuzzer.tell(first)


@pytest.fixture
def hostile() -> Iterator[Worker]:
    worker = Worker(KNOWN["self-test"])
    yield worker
    worker.close()


def test_a_crash_or_hang_costs_one_case(hostile: Worker) -> None:
    assert hostile.ask({"do": "right"})["status"] == "ok"
    assert hostile.ask({"do": "raise"})["kind"].startswith("ZeroDivisionError in self_test.py:run")
    assert "status -6" in hostile.ask({"do": "abort"})["kind"]
    started = time.monotonic()
    assert hostile.ask({"do": "hang"})["status"] == "hung"
    assert time.monotonic() - started < 30
    assert hostile.ask({"do": "right"})["status"] == "ok"
    assert hostile.ask({"do": "print"})["status"] == "ok"


def check(report: Report) -> None:
    assert not report.failed, str(report)
    assert report.counts["right"] > 0, str(report)


SHORT = {"graph": 60, "hls4ml-parallel": 1, "hls4ml-stream": 1}
"""How many recipes the default tests run; 20 where nothing is said. Damaged files: tests/damage."""


@pytest.mark.parametrize("name", sorted(n for n, f in KNOWN.items() if not f.live and not n.startswith("damage")))
def test_a_short_run(name: str, tmp_path: Path) -> None:
    fuzzer = HlsFuzzer(KNOWN[name].io, 5) if name.startswith("hls4ml") else KNOWN[name]
    if fuzzer.missing:
        pytest.skip(f"needs {', '.join(fuzzer.missing)}")
    check(fuzz(fuzzer, Run(seed=1, cases=SHORT.get(name, 20), folder=tmp_path, shrink_s=20), here=True))


@pytest.mark.live
@pytest.mark.parametrize("name", sorted(n for n, f in KNOWN.items() if f.live))
def test_a_live_run(name: str, tmp_path: Path) -> None:
    if KNOWN[name].missing:
        pytest.skip(f"needs {', '.join(KNOWN[name].missing)}")
    seconds = float(os.environ.get("GATEWRIGHT_FUZZ_SECONDS", "60"))
    check(fuzz(KNOWN[name], Run(seed=1, seconds=seconds, folder=tmp_path)))


def test_a_reproducer_can_be_read(tmp_path: Path) -> None:
    report = fuzz(Toy(), Run(seed=3, cases=30), here=True)
    file = write(Toy(), report.failures[0], tmp_path)
    assert '"fuzzer": "toy"' in file.read_text()

"""Options are checked before hls4ml is called; reuse factors are those that it can build."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest

from gatewright.backends.hls4ml import Options, make_options
from gatewright.backends.hls4ml.reuse import nearest, schedule, valid_factors
from gatewright.boards import load
from gatewright.graph import OptionError


@dataclass
class Rule:
    pattern: str
    values: dict[str, Any] = field(default_factory=dict)


def test_a_board_gives_part_and_clock() -> None:
    board = load("pynq-z2")
    options = make_options(board)
    assert board.fpga is not None
    assert (options.part, options.clock_ns) == (board.fpga.part, board.fpga.clock.period_ns)
    assert make_options(board, clock_ns=8.0).clock_ns == 8.0
    assert options.as_dict()["io"] == "parallel"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"hls": "vitsi"}, "did you mean 'vitis'"),
        ({"io": "streaming"}, "did you mean 'stream'"),
        ({"strategy": "latencies"}, "did you mean 'latency'"),
        ({"types": "vendr"}, "did you mean 'vendor'"),
        ({"reuse_factor": 0}, "reuse factor of 0"),
        ({"clock_ns": -1.0}, "clock of -1.0"),
        ({"hls": "oneapi"}, "does not know this board"),
    ],
)
def test_bad_options_are_named(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_options(load("pynq-z2"), **asked)


def test_a_board_without_fpga_is_refused() -> None:
    with pytest.raises(OptionError, match="no FPGA"):
        make_options(load("host"))


@pytest.mark.skipif(find_spec("da4ml") is not None, reason="da4ml is installed")
def test_distributed_arithmetic_says_what_it_needs() -> None:
    with pytest.raises(OptionError, match="da4ml"):
        Options("part", strategy="distributed_arithmetic")


def test_libero_streams_are_refused() -> None:
    with pytest.raises(OptionError, match="libero"):
        Options("part", tool="libero", io="stream")


def test_the_last_rule_that_matches_counts() -> None:
    rules = [Rule("*", {"reuse_factor": 2}), Rule("fc*", {"strategy": "resource"}), Rule("fc1", {"reuse_factor": 8})]
    options = make_options(load("pynq-z2"), rules, reuse_factor=4)
    assert (options.reuse_of("conv"), options.reuse_of("fc0"), options.reuse_of("fc1")) == (2, 2, 8)
    assert (options.strategy_of("conv"), options.strategy_of("fc0")) == (None, "resource")
    with pytest.raises(OptionError, match="fc"):
        make_options(load("pynq-z2"), [Rule("fc*", {"strategy": "fast"})])


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (16, 64), (27, 16), (64, 10), (5, 7), (784, 10), (9, 6)])
def test_reuse_factors_are_those_of_hls4ml(n_in: int, n_out: int) -> None:
    from hls4ml.backends import get_backend

    backend = get_backend("Vitis")
    theirs = backend.get_valid_reuse_factors(n_in, n_out)
    assert list(valid_factors(n_in, n_out)) == sorted(theirs)
    for factor in (1, 2, 3, 7, 20, 100, 10**6):
        assert nearest(n_in, n_out, factor) == backend.get_closest_reuse_factor(theirs, factor)


def test_a_changed_reuse_factor_is_told() -> None:
    options = Options("part", strategy="resource", reuse_factor=7)
    found = schedule(options, "fc", 16, 64)
    assert found.reuse_factor == 8
    assert "7" in found.note
    assert "8" in found.note
    assert not schedule(Options("part", strategy="resource", reuse_factor=8), "fc", 16, 64).note


def test_layers_that_are_too_large_to_unroll_are_not() -> None:
    found = schedule(Options("part"), "fc", 784, 64)
    assert (found.strategy, found.reuse_factor) == ("resource", 14)
    assert 784 * 64 / found.reuse_factor <= 4096
    assert "too many" in found.note
    asked = schedule(Options("part", strategy="latency"), "fc", 784, 64)
    assert asked.strategy == "latency"
    assert "50,176 products unrolled" in asked.note
    assert schedule(Options("part"), "fc", 64, 64).strategy == "latency"


def test_the_board_chooses_the_tool_where_the_user_does_not() -> None:
    assert make_options(load("pynq-z2")).tool == "vitis"
    assert make_options(load("agilex-7")).tool == "oneapi"
    with pytest.raises(OptionError, match="no HLS tool of hls4ml's knows this board"):
        make_options(load("icebreaker"))

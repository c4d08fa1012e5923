"""Multiplier and shift as the runtime prepares them; the table of fields; files that are none."""

from pathlib import Path

import pytest

import gatewright as gw
from gatewright.frontend.tflite.arithmetic import quantize_multiplier, round_half_away
from gatewright.frontend.tflite.schema import BUILTIN, SCHEMA, UNION, options_of


@pytest.mark.parametrize(
    ("factor", "pair"),
    [
        (0.0, (0, 0)),
        (0.5, (2**30, 0)),
        (1.0, (2**30, 1)),
        (0.75, (3 * 2**29, 0)),
        (1 - 2.0**-40, (2**30, 1)),
        (2.0**-31, (2**30, -30)),
        (2.0**-33, (0, 0)),
        (3.0 * 2**20, (3 * 2**29, 22)),
    ],
)
def test_multiplier_and_shift(factor: float, pair: tuple[int, int]) -> None:
    assert quantize_multiplier(factor) == pair


@pytest.mark.parametrize(("value", "whole"), [(0.5, 1), (-0.5, -1), (1.4999, 1), (-2.5, -3), (0.49999999999999994, 0)])
def test_halves_go_away_from_zero(value: float, whole: int) -> None:
    assert round_half_away(value) == whole


def test_the_schema_is_whole() -> None:
    assert len(BUILTIN) == 210
    assert BUILTIN[114] == "QUANTIZE"
    assert UNION[88] == "QuantizeOptions"
    assert options_of("AVERAGE_POOL_2D") == "Pool2DOptions"
    assert options_of("LOGISTIC") == ""
    assert [f.name for f in SCHEMA["Pool2DOptions"]][3:5] == ["filter_width", "filter_height"]


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0\0\0\0TFL3", b"\x08\0\0\0TFL3" + bytes(40)])
def test_what_is_no_file_of_this_kind(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tflite").write_bytes(data)
    with pytest.raises(gw.FileError, match=r"x\.tflite"):
        gw.load(tmp_path / "x.tflite")

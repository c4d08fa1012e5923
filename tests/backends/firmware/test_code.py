"""Small code: layers that are alike share a function; where only that fits the flash, the error says so."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.firmware.c import literal
from gatewright.boards import Board, load
from gatewright.boards.model import Figure
from gatewright.graph import Affine, Graph, Node
from gatewright.graph.ops import Constant, Conv, Input, MultiplyShift, Output

from ..cases.common import drawn
from .test_device import BOARDS

pytest.importorskip("unicorn", reason="emulated cores need the extra `firmware`")
CHANNELS = (4, 8, 12, 16, 20, 24, 28)


def alike() -> Graph:
    """Convolutions whose loops differ only in numbers."""
    rng = np.random.default_rng(0)
    y = x = Node(Input("x", (8, 8, CHANNELS[0]), Affine(8, True, Fraction(1, 255), -3)))
    for i, (before, after) in enumerate(pairwise(CHANNELS)):
        weights: Constant = drawn(rng, (3, 3, before, after), Affine(8, True, Fraction(1, 77)))
        y = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (y, Node(weights)), where=f"conv{i}")
        scale = MultiplyShift(Affine(8, True, Fraction(1, 9), i), (1 << 30,) * after, (-10,) * after, -128, 127)
        y = Node(scale, (y,), where=f"conv{i}")
    return Graph((x,), (Node(Output("y"), (y,)),), "alike")


def with_flash(board: Board, size: int) -> Board:
    regions = tuple(
        replace(r, size_kib=Figure(size / 1024, "test")) if r.kind in ("flash", "external") else r
        for r in board.regions
    )
    return replace(board, regions=regions)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_small_code_is_smaller_and_exact(name: str) -> None:
    flash = {}
    for code in ("fastest", "smallest"):
        manifest = gw.compile(alike(), board=name, vectors=16, code=code).manifest
        assert manifest["verification"]["status"] == "exact"
        flash[code] = manifest["cost"]["memory"]["flash_bytes"]["value"]
    assert flash["smallest"] < flash["fastest"] - 1000


@pytest.mark.slow
def test_what_fits_only_with_small_code_is_told() -> None:
    board = load("nucleo-l4r5zi")
    project = gw.compile(alike(), board=board, verify=False, code="smallest")
    from gatewright.backends.firmware.build import sizes

    image = sizes(project.artefact["image/alike.elf"])
    assert image is not None
    tight = with_flash(board, image.flash + 64)
    with pytest.raises(gw.UnsupportedError, match="the image needs") as told:
        gw.compile(alike(), board=tight, verify=False)
    assert f"--code smallest, which takes {image.flash:,} bytes" in str(told.value.hint)
    assert gw.compile(alike(), board=tight, vectors=4, code="smallest").manifest["verification"]["status"] == "exact"
    with pytest.raises(gw.UnsupportedError, match="the image needs") as told:
        gw.compile(alike(), board=with_flash(board, image.flash - 2048), verify=False)
    assert "--code" not in str(told.value.hint)


def test_a_wish_that_nobody_knows_is_told() -> None:
    with pytest.raises(gw.OptionError, match="no code called 'smalest'") as told:
        gw.compile(alike(), board="nucleo-l4r5zi", code="smalest")
    assert "smallest" in str(told.value.hint)


def test_constants_of_sixteen_bits_are_written_as_their_bits() -> None:
    assert [literal(1.5, "bfloat16"), literal(1.5, "float16"), literal(0.0, "bfloat16")] == ["16320u", "15872u", "0u"]

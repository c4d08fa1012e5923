"""The option ``memory``: what it may be, what does not fit, and what is told then."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gatewright
from gatewright.backends.firmware.emit import _notes
from gatewright.backends.firmware.memory import Wish, choose, parse
from gatewright.backends.firmware.memory_map import STACK
from gatewright.boards import Board
from gatewright.boards.model import Figure
from gatewright.graph import GatewrightError, Graph, UnsupportedError

from .test_plan import CORES, residual


def board(ram_bytes: int = 1 << 20) -> Board:
    """A Cortex-M4 with so much RAM."""
    found = gatewright.boards()["nucleo-l4r5zi"]
    regions = [
        replace(r, size_kib=Figure(ram_bytes / 1024, "test")) if r.kind == "ram" else r for r in found.regions
    ]  # fmt: skip
    return replace(found, regions=tuple(regions))


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (None, Wish("fastest")), ("fastest", Wish("fastest")), ("smallest", Wish("smallest")),
        (40000, Wish("limit", 40000)), ("40_000", Wish("limit", 40000)), ("40KiB", Wish("limit", 40960)),
        ("40 k", Wish("limit", 40960)), ("1MiB", Wish("limit", 1 << 20)), ("40kB", Wish("limit", 40000)),
    ],
)  # fmt: skip
def test_what_it_may_be(text: "str | int | None", wish: Wish) -> None:
    assert parse(text) == wish


@pytest.mark.parametrize("text", ["", "small", "-1", "0", 0, -5, True, 1.5, "4.5KiB", "40 apples", 1 << 40, "٤٠"])
def test_what_it_may_not_be(text: object) -> None:
    with pytest.raises(GatewrightError, match="memory = ") as told:
        parse(text)
    assert "smallest" in str(told.value)


def planned(graph: Graph, wish: "str | int", ram: int = 1 << 20) -> int:
    return choose(graph, CORES["m4"], board(ram), parse(wish)).bytes


def test_what_fits_is_taken() -> None:
    size = planned(residual(), "fastest")
    assert planned(residual(), size) == size
    assert planned(residual(), "fastest", size + STACK) == size
    assert planned(residual(), "smallest") <= size


def test_what_the_user_does_not_grant_is_an_error_that_names_the_layer() -> None:
    with pytest.raises(UnsupportedError) as told:
        planned(residual(), 600)
    text = str(told.value)
    assert "600" in text
    assert "add" in text
    assert "held" in text


def test_what_the_board_has_not_is_an_error_that_names_the_layer_and_a_larger_board() -> None:
    with pytest.raises(UnsupportedError) as told:
        planned(residual(), "fastest", 600 + STACK)
    text = str(told.value)
    assert "4,696" in text
    assert "KiB of RAM" in text
    assert "nucleo-l4r5zi" in text


def test_a_compilation_tells_the_arena(tmp_path: Path) -> None:
    project = gatewright.compile(residual(), board=board(), vectors=8, memory="20KiB")
    figure = project.manifest["cost"]["memory"]["arena_bytes"]
    assert figure["kind"] == "exact"
    assert figure["value"] == planned(residual(), "fastest")
    header = project.artefact["src/residual.h"].decode()
    assert f"#define RESIDUAL_ARENA_BYTES {figure['value']}\n" in header
    assert project.manifest["options"]["memory"] == "20KiB"
    assert project.manifest["verification"]["status"] == "exact"
    project.write(tmp_path / "out")


def test_nothing_is_written_where_it_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError):
        gatewright.compile(residual(), board=board(), memory=600).write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_compilations_are_the_same_bytes() -> None:
    one, two = (gatewright.compile(residual(), board=board(), verify=False, memory="smallest") for _ in range(2))
    assert one.files == two.files


def test_boards_without_firmware_say_so() -> None:
    project = gatewright.compile(residual(), board="pynq-z2", verify=False, memory="smallest")
    assert any("memory: no effect on pynq-z2" in note for note in project.notes)


def test_a_plan_that_could_be_better_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["gatewright.backends.firmware.emit"]  # the package has a function of that name
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert _notes(41_600, 39_648) == (
        "the arena takes 41,600 bytes, at least 39,648: OR-tools may find less (pip install 'gatewright[firmware]')",
    )
    assert _notes(39_648, 39_648) == ()
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    assert _notes(41_600, 39_648) == ()

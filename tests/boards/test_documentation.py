"""docs/boards.md says what is so: its example reads, its table has every key, its messages are the real ones."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gatewright.boards import (
    Accelerator,
    Board,
    Cache,
    Compiler,
    Core,
    Fpga,
    Gpu,
    Memory,
    Peak,
    Region,
    Resources,
    boards,
    parse,
)
from gatewright.graph.errors import GatewrightError

from .samples import FPGA

TEXT = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")


def test_the_example_reads() -> None:
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example
    assert parse(example[1], where="docs").fpga.part == "xc7a35tcpg236-1"


@pytest.mark.parametrize(
    "table", [Board, Fpga, Resources, Core, Cache, Region, Memory, Gpu, Compiler, Accelerator, Peak]
)
def test_every_key_is_named(table: type) -> None:
    nested = {"clock": "[fpga.clock]", "resources": "[fpga.resources]", "tool_parts": "[[fpga.tool_parts]]"}
    for key in (each.name for each in fields(table)):
        shown = (f"`{key}`", f"[[{key}]]", f"[{key}]", nested.get(key, f"`{key}`"))
        assert any(form in TEXT for form in shown), key


def test_every_board_is_listed_under_its_kind() -> None:
    rows = re.findall(r"^\| `(fpga|mcu|cpu|phone|gpu)`[^|]*\| (`.*) \|$", TEXT, re.MULTILINE)
    listed = [(name, kind) for kind, row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(listed) == sorted((name, board.kind) for name, board in boards().items() if name != "host")


def test_the_readme_counts_the_boards() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    kinds = [board.kind for name, board in boards().items() if name != "host"]
    fpgas, small = kinds.count("fpga"), kinds.count("mcu")
    others = f"{len(kinds) - fpgas - small} processors, phones and graphics processors"
    assert f"{fpgas} FPGA boards, {small} microcontrollers and {others}" in text


def test_the_messages_are_the_real_ones() -> None:
    wrong = FPGA.replace("value = 100,", "valeu = 100,").replace("value = 20800", 'value = "many"')
    with pytest.raises(GatewrightError) as caught:
        parse(wrong, where="my.toml")
    shown = re.search(r"all mistakes at once:\n\n((?:    .*\n)+)", TEXT)
    assert shown
    told = str(caught.value)
    assert all(line.strip() in told for line in shown[1].splitlines())

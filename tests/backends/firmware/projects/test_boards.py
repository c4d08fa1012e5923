"""Every board's core is one that the compilers know, and its memory one that a linker can use."""

import pytest

import gatewright as gw
from gatewright.backends.firmware.emit import machine_of
from gatewright.backends.firmware.memory_map import linker_script, memory_map
from gatewright.backends.firmware.toolchain import toolchain
from gatewright.backends.loops.machine import Machine
from gatewright.boards import parse

BOARDS = {name: board for name, board in gw.boards().items() if board.kind == "mcu" and board.compiler is not None}
TEXT = """\
schema = 1
name = "mine"
kind = "mcu"
title = "A board"
maker = "Me"
[[cores]]
name = "Cortex-M4"
isa = "armv7e-m"
[[regions]]
name = "Flash"
kind = "flash"
size_kib = { value = 512, source = "sheet" }
address = 0x0800_0000
[[regions]]
name = "SRAM 1"
kind = "ram"
size_kib = { value = 96, source = "sheet" }
address = 0x2000_0000
[[regions]]
name = "SRAM 2"
kind = "ram"
size_kib = { value = 32, source = "sheet" }
address = 0x2001_8000
[[regions]]
name = "CCM"
kind = "dtcm"
size_kib = { value = 16, source = "sheet" }
address = 0x1000_0000
[compiler]
kind = "c"
triple = "thumbv7em-none-eabihf"
cpu = "cortex-m4"
vector_bits = 0
[sources]
sheet = "the data sheet"
"""


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_has_what_a_compiler_and_a_linker_ask_for(name: str) -> None:
    tools = toolchain(machine_of(BOARDS[name]))
    assert tools.zig[0] == "-target"
    assert not any("." in word for word in tools.zig)
    script = linker_script(memory_map(BOARDS[name], 16384), name)
    assert script.count("{") == script.count("}")
    assert "ORIGIN" in script


def test_the_arena_goes_to_tightly_coupled_memory_where_it_fits() -> None:
    board = parse(TEXT, where="mine.toml")
    small, large = memory_map(board, 16384), memory_map(board, 16385)
    assert (small.arena.name, small.ram.name, small.flash.name) == ("CCM", "SRAM_1", "FLASH")
    assert large.arena.name == "SRAM_1"
    assert large.ram.bytes == (96 + 32) * 1024, "regions that follow each other are one"


def test_an_arena_that_fits_nowhere_is_told_with_sizes() -> None:
    with pytest.raises(gw.UnsupportedError, match=r"arena needs 131,072 bytes.*SRAM_1 with 131,072"):
        memory_map(parse(TEXT, where="mine.toml"), 128 * 1024)


def test_a_region_without_an_address_is_told() -> None:
    board = parse(TEXT.replace("address = 0x2001_8000\n", ""), where="mine.toml")
    with pytest.raises(gw.OptionError, match=r"board mine: region SRAM 2 has no address"):
        memory_map(board, 1024)


def test_a_board_without_ram_is_told() -> None:
    text = TEXT.replace('kind = "ram"', 'kind = "external"').replace('kind = "dtcm"', 'kind = "itcm"')
    with pytest.raises(gw.OptionError, match=r"mine.toml:9: regions: expected a memory"):
        parse(text, where="mine.toml")


def test_a_region_without_a_size_is_told() -> None:
    text = TEXT.replace('size_kib = { value = 32, source = "sheet" }\n', "")
    with pytest.raises(gw.OptionError, match=r"mine.toml:19: regions\[2\].size_kib: missing"):
        parse(text, where="mine.toml")


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine("thumbv7em-none-eabihf", "cortex-m9"), r"cortex-m9"),
        (Machine("thumbv7em-none-eabihf", "cortex-m4", ("+dps",)), r"dps"),
        (Machine("thumbv6m-none-eabihf", "cortex-m0plus"), r"cortex-m0plus has no floating point"),
        (Machine("riscv32-none-elf", "generic-rv32", ("+q",)), r"'q'"),
        (Machine("xtensa-none-elf", "esp32"), r"no firmware for the triple 'xtensa-none-elf'"),
    ],
)
def test_a_core_that_no_compiler_knows_is_told(machine: Machine, message: str) -> None:
    with pytest.raises(gw.OptionError, match=message):
        toolchain(machine)

"""Microcontrollers: what firmware needs of a board's file is there, and what cannot be is told."""

from pathlib import Path

import pytest

import gatewright as gw
from gatewright.backends.firmware import machine_of
from gatewright.backends.firmware.toolchain import toolchain
from gatewright.backends.zig import zig
from gatewright.boards import boards, load, parse
from gatewright.boards.microcontroller import PROFILES, code_regions, data_regions
from gatewright.graph.errors import GatewrightError, ManyErrors, OptionError

from .samples import MCU

ALL = [name for name, board in boards().items() if board.kind == "mcu"]
COMPILED = [name for name in ALL if load(name).compiler]
FIRMWARE = MCU.replace(
    "[[caches]]",
    """\
[compiler]
kind = "c"
triple = "thumbv7em-none-eabihf"
cpu = "cortex-m7"
features = ["+dsp", "+fp-armv8d16"]
vector_bits = 0

[[caches]]""",
    1,
)


def test_the_boards_of_the_benchmark_are_there() -> None:
    wanted = {
        "nucleo-l4r5zi", "nucleo-f446re", "stm32f746-disco", "nucleo-h743zi", "nucleo-h7a3zi-q", "nucleo-u575zi-q",
        "nrf5340-dk", "raspberry-pi-pico", "raspberry-pi-pico-2", "raspberry-pi-pico-2-riscv", "corstone-300",
        "riscv32-generic", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55",
        "ek-ra6m4", "ek-ra8d1", "numaker-m467hj", "nucleo-g0b1re", "cy8cproto-062-4343w", "b-u585i-iot02a",
        "nucleo-u385rg-q", "esp32-s3", "gap9-evk",
    }  # fmt: skip
    assert wanted <= set(ALL)


@pytest.mark.parametrize("name", COMPILED)
def test_what_firmware_needs(name: str) -> None:
    board = load(name)
    told = board.compiler
    assert told
    assert told.kind == "c"
    code, data = code_regions(board), data_regions(board)
    assert code[0].size_kib.value >= 512
    assert data[0].size_kib.value >= 128
    core = board.cores[0]
    assert ("dsp" in core.extensions) == ("+dsp" in told.features)
    assert ("mve.fp" in core.extensions) == ("+mve.fp" in told.features) == (told.vector_bits == 128)
    assert ("fpv5-d16" in core.extensions) == ("+fp-armv8d16" in told.features)
    assert (told.abi == "ilp32") == core.isa.startswith("rv32")
    assert (core.clock_mhz is None) == (name in {*PROFILES, "riscv32-generic"}), "a core alone has no clock"


@pytest.mark.parametrize("name", [name for name in ALL if name not in COMPILED])
def test_figures_alone_say_why(name: str) -> None:
    board = load(name)
    assert board.notes[0].startswith("no firmware is written for it: ")
    with pytest.raises(OptionError, match=f"no C is written for board {name}"):
        machine_of(board)


def test_a_board_without_a_compiler_is_told_before_the_model_is_read() -> None:
    with pytest.raises(OptionError, match="no C is written for board esp32-s3") as caught:
        gw.compile("no such model.tflite", board="esp32-s3")
    assert "Xtensa" in caught.value.hint


SPELLINGS = {
    "nucleo-l4r5zi": "-target thumb-freestanding-eabihf -mcpu=cortex_m4+dsp+vfp4d16sp",
    "raspberry-pi-pico": "-target thumb-freestanding-eabi -mcpu=cortex_m0plus",
    "nucleo-h743zi": "-target thumb-freestanding-eabihf -mcpu=cortex_m7+dsp+fp_armv8d16",
    "corstone-300": (
        "-target thumb-freestanding-eabihf -mcpu=cortex_m55+dsp+mve_fp+fp_armv8d16 -fno-vectorize -fno-slp-vectorize"
    ),
    "raspberry-pi-pico-2-riscv": "-target riscv32-freestanding-none -mcpu=generic_rv32+m+a+c -mabi=ilp32",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_zig_knows_the_words(name: str, tmp_path: Path) -> None:
    told = load(name).compiler
    assert told
    flags = toolchain(machine_of(load(name))).zig
    assert " ".join(flags).removesuffix(" -fno-unroll-loops") == SPELLINGS[name]
    simd, helium = "+dsp" in told.features, "+mve.fp" in told.features
    real = any("vfp" in f or "fp-" in f for f in told.features)
    (tmp_path / "a.c").write_text(f"""\
#if {int(simd)} != (__ARM_FEATURE_SIMD32 + 0) || {3 * helium} != (__ARM_FEATURE_MVE + 0)
#error other integer features
#endif
#if {int(real)} != !!(__ARM_FP + 0)
#error other features
#endif
int product(int a, int b) {{ return a * b; }}
""")
    zig(("cc", *flags, "-O2", "-c", "a.c", "-o", "a.o"), tmp_path)
    assert (tmp_path / "a.o").stat().st_size > 0


WRONG = [
    ('"+dsp"', '"+dps"', ["compiler.features[0]", "cortex-m7 has no feature 'dps'"], "did you mean 'dsp'?"),
    ('"+dsp"', '"+zba"', ["compiler.features[0]", "no feature 'zba'"], "known: 8msecext, dsp"),
    ('cpu = "cortex-m7"', 'cpu = "cortex-m6"', ["compiler.cpu", "'cortex-m6'"], "did you mean 'cortex-m"),
    ('cpu = "cortex-m7"', 'cpu = "cortex-m33"', ["compiler.triple", "expected thumbv8m.main-..."], ""),
    ('"thumbv7em-none-eabihf"', '"armv7em-none-eabihf"', ["compiler.triple", "expected thumbv7em-"], ""),
    ("vector_bits = 0", 'vector_bits = 0\nabi = "ilp32"', ["compiler.abi", "expected nothing"], ""),
    ('kind = "c"', 'kind = "llvm"', ["compiler.kind", "expected c"], ""),
    ("address = 0x2000_0000\n", "", ["regions", "arena and stack"], "kind = 'ram' or 'dtcm', address"),
    ('kind = "dtcm"', 'kind = "external"', ["regions", "arena and stack"], "kind = 'ram' or 'dtcm'"),
    ("address = 0x0800_0000\n", "", ["regions", "code and weights"], "kind = 'flash' or 'rom' or 'itcm'"),
    ("0x2000_0000", "0x0810_0000", ["regions[1].address", "dtcm overlaps with flash"], ""),
    ("0x2000_0000", "0xffff_ff00", ["regions[1].address", "after the last of 32 bits"], ""),
    ('128, source = "me" }\nbytes', '128, soruce = "me" }\nbytes', ["regions[1].size_kib"], "did you mean 'source'?"),
    ('size_kib = { value = 128, source = "me" }\n', "", ["regions[1].size_kib: missing"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words", "hint"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_file(old: str, new: str, words: list[str], hint: str) -> None:
    assert parse(FIRMWARE, where="x.toml").compiler
    assert FIRMWARE.count(old) >= 1
    with pytest.raises((OptionError, ManyErrors)) as caught:
        parse(new.join(FIRMWARE.rsplit(old, 1)), where="x.toml")
    errors: tuple[GatewrightError, ...] = getattr(caught.value, "errors", (caught.value,))
    assert [e for e in errors if all(w in e.what for w in words) and hint in e.hint], str(caught.value)


def test_riscv_needs_its_abi() -> None:
    text = FIRMWARE.replace("thumbv7em-none-eabihf", "riscv32-unknown-none-elf").replace("cortex-m7", "generic-rv32")
    text = text.replace('["+dsp", "+fp-armv8d16"]', '["+m", "+c"]')
    with pytest.raises(OptionError, match=r"compiler\.abi: expected one of ilp32"):
        parse(text, where="x.toml")
    assert parse(text.replace("vector_bits = 0", 'vector_bits = 0\nabi = "ilp32"'), where="x.toml").compiler


def test_figures_of_the_benchmark() -> None:
    """Joules of a cycle times cycles are the joules that were measured, within the spread of the tools."""
    for name, milliseconds, microjoules in (
        ("nucleo-l4r5zi", 165.1255, 6919.375),
        ("nucleo-u575zi-q", 111.0741, 2578.969),
        ("nucleo-h7a3zi-q", 40.8447, 5090.283),
    ):
        core = load(name).cores[0]
        assert core.clock_mhz
        assert core.nj_per_cycle
        estimated = milliseconds * core.clock_mhz.value * core.nj_per_cycle.value
        assert estimated == pytest.approx(microjoules, rel=0.15), name

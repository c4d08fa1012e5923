"""Emulated cores: results, counts, faults. What each program computes is known; what it counts adds up."""

from dataclasses import fields

import numpy as np
import pytest

from gatewright.backends.firmware.emulator import (
    CORES,
    Counts,
    Emulator,
    FaultError,
    Image,
    Mix,
    core,
    core_for,
    core_of,
    emulate,
)
from gatewright.boards import load
from gatewright.graph.errors import OptionError, UnsupportedError

from .programs import BOARDS, MAIN, board_of, build, image

ALL = pytest.mark.parametrize("name", BOARDS)
DSP = ("cortex-m4", "cortex-m7", "cortex-m33")
WEIGHTS = np.array([(-1) ** i * (i + 1) for i in range(16)] + [0] * 48)


def device(name: str, **options: object) -> Emulator:
    return Emulator(image(name), board=board_of(name), **options)


def scaled(x: np.ndarray, offset: int = 41) -> np.ndarray:
    return np.clip(x.astype(np.int64) * WEIGHTS + offset, -128, 127).astype(np.int8)


@ALL
def test_a_function_reads_its_inputs_and_writes_its_outputs(name: str) -> None:
    x = np.random.default_rng(0).integers(-128, 128, 64).astype(np.int8)
    result = emulate(
        image(name), board=board_of(name), calls=["scale", ("add4", (1, 2, 3, 4))], inputs={"input": x.tobytes()},
        outputs=["output", ("weights", 3)],
    )  # fmt: skip
    np.testing.assert_array_equal(np.frombuffer(result.outputs["output"], np.int8), scaled(x))
    assert result.outputs["weights"] == bytes([1, 254, 3])
    assert result.returned[1] == 1 + 4 + 9 + 16
    assert result.counts.functions["scale"].calls == 1
    core_ = device(name)
    core_.write("input", x.tobytes())
    core_.call("scale")
    np.testing.assert_array_equal(np.frombuffer(core_.read("output"), np.int8), scaled(x))


@ALL
def test_memory_stays_between_calls_and_data_is_there_without_start_up_code(name: str) -> None:
    core_ = device(name)
    assert int.from_bytes(core_.read("started"), "little") == 41
    core_.write("started", (7).to_bytes(4, "little"))
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, 64).astype(np.int8)
        core_.write("input", x.tobytes())
        core_.call("scale")
        np.testing.assert_array_equal(np.frombuffer(core_.read("output"), np.int8), scaled(x, 7))


@ALL
def test_arguments_and_results(name: str) -> None:
    core_ = device(name)
    assert core_.call("add4", 1, 10, 100, -1000) == (1 + 20 + 300 - 4000) & 0xFFFFFFFF
    assert core_.call("divided", 1_000_003, 17) == 1_000_003 // 17
    assert core_.call("wide", 1 << 30, 12) == (12 << 30) & 0xFFFFFFFF
    assert core_.call("fibonacci", 12) == 144


@ALL
def test_a_whole_program_prints_and_ends(name: str) -> None:
    core_ = device(name)
    assert core_.boot() == 7
    assert core_.console.startswith("sum ")
    assert core_.console.endswith("\n!")
    assert core_.boot() == 7, "again"
    first, second = core_.console[:14], core_.console[14:]
    assert first == second


@ALL
def test_two_runs_agree(name: str) -> None:
    def run() -> Counts:
        core_ = device(name)
        core_.boot()
        return core_.counts()

    assert run() == run()


def test_cores_of_one_instruction_set_agree() -> None:
    texts = {name: device(name) for name in BOARDS}
    for core_ in texts.values():
        core_.boot()
    thumb2 = {texts[name].console for name in ("cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")}
    assert len(thumb2) == 1
    assert texts["cortex-m0plus"].console == texts["rv32imc"].console


# Counts


@ALL
def test_counts_add_up(name: str) -> None:
    core_ = device(name)
    core_.boot()
    counts = core_.counts()
    assert counts.instructions == sum(f.exclusive for f in counts.functions.values()) == sum(counts.addresses.values())
    mix = counts.mix
    classes = (
        mix.alu, mix.multiply, mix.multiply_long, mix.multiply_pairs, mix.divide, mix.loads, mix.stores,
        mix.branches_taken, mix.branches_not_taken, mix.branches, mix.calls, mix.returns, mix.indirect, mix.system,
    )  # fmt: skip
    popped = sum(n for a, n in counts.addresses.items() if is_pop(image(name), a))
    assert sum(classes) == counts.instructions + popped, "a return that loads is both"
    assert counts.functions["main"].inclusive == counts.instructions - counts.functions["main"].calls * overhead(counts)


def is_pop(of: Image, address: int) -> bool:
    first = int.from_bytes(of.bytes_at(address, 2), "little")
    second = int.from_bytes(of.bytes_at(address + 2, 2), "little")
    wide = (first == 0xE8BD and second & 0x8000 != 0) or (first == 0xF85D and second == 0xFB04)
    return of.arch == "arm" and (first & 0xFF00 == 0xBD00 or wide)


def overhead(counts: Counts) -> int:
    """What ran outside of main: the reset handler and the end."""
    return sum(f.exclusive for name, f in counts.functions.items() if name in ("reset", "begin", "quit"))


@ALL
def test_calls_and_what_they_include(name: str) -> None:
    core_ = device(name)
    core_.call("nested", 10)
    found = core_.counts().functions
    assert (found["nested"].calls, found["deep"].calls, found["inner"].calls) == (1, 1, 3)
    assert found["nested"].inclusive == core_.counts().instructions
    assert found["inner"].inclusive == found["inner"].exclusive
    assert found["deep"].exclusive < found["deep"].inclusive < found["nested"].inclusive
    others = sum(f.exclusive for f in found.values())
    assert others == found["nested"].inclusive
    once = device(name)
    once.call("inner", 10)
    assert found["deep"].inclusive == found["deep"].exclusive + once.counts().instructions


@ALL
def test_recursion_counts_each_instruction_once(name: str) -> None:
    core_ = device(name)
    core_.call("fibonacci", 9)
    found = core_.counts().functions["fibonacci"]
    assert found.exclusive == found.inclusive == core_.counts().instructions
    assert found.calls >= 10


@ALL
def test_loops_take_their_branches(name: str) -> None:
    """A loop of n turns takes its branch n - 1 times; twice the turns, twice the multiplications."""
    counts = []
    for turns in (16, 32):
        core_ = device(name)
        core_.call("inner", turns)
        counts.append(core_.counts().mix)
    step = {f.name: getattr(counts[1], f.name) - getattr(counts[0], f.name) for f in fields(Mix)}
    assert step["loads"] == 16, "sink is read in every turn"
    assert step["branches_taken"] == 16
    assert step["branches_not_taken"] in (0, 16)
    assert step["instructions"] % 16 == 0


@ALL
def test_multiplications_are_told_apart(name: str) -> None:
    core_ = device(name)
    core_.call("scale")
    mix = core_.counts().mix
    assert (mix.multiply, mix.multiply_pairs) == ((0, 64) if name in DSP else (64, 0))
    core_.clear()
    assert core_.counts().instructions == 0
    core_.call("wide", 3, 5)
    mix = core_.counts().mix
    assert (mix.multiply_long > 0) == (name != "cortex-m0plus")
    core_.clear()
    core_.call("divided", 9, 2)
    assert core_.counts().mix.divide == (0 if name == "cortex-m0plus" else 1)


@ALL
def test_loads_from_flash(name: str) -> None:
    core_ = device(name, code_reads=True)
    core_.call("scale")
    found = core_.counts().functions["scale"].mix
    assert 64 <= found.code_reads <= 64 + found.loads_literal
    plain = device(name)
    plain.call("scale")
    assert plain.counts().mix.code_reads == 0
    assert plain.counts().instructions == core_.counts().instructions


FLOATS = MAIN.replace(
    "int main(void)",
    """
float x[4] = {1.5f, 2.5f, -3.25f, 4.0f}, y[4];
KEPT void squares(void) { for (int i = 0; i < 4; i++) y[i] = x[i] * x[i] + 0.5f / x[i]; }
int main(void)""",
)


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_floating_point(name: str) -> None:
    of = Image.read(build(board_of(name), FLOATS, "-O2", hard=True))
    core_ = Emulator(of, board=board_of(name))
    core_.call("squares")
    x = np.array([1.5, 2.5, -3.25, 4], np.float32)
    np.testing.assert_allclose(np.frombuffer(core_.read("y"), np.float32), x * x + 0.5 / x, rtol=1e-6)
    mix = core_.counts().mix
    assert mix.float_divides == 4
    assert mix.floats + mix.float_multiply_adds >= 4


# Faults

FAULTS = {
    "read_nothing": (r"read_nothing \+ 0x", "a read of 4 bytes at 0x70000000, where nothing is"),
    "write_code": (r"write_code \+ 0x", r"a write of 1 bytes at 0x[0-9a-f]+ \(weights \+ 0x0\), which is read only"),
    "jump_nowhere": ("0x70000000", "a jump of 2 bytes at 0x70000000, where nothing is"),
    "breakpoint": (r"breakpoint \+ 0x", "a breakpoint"),
    "asks": (r"asks \+ 0x", "semihosting call 0x1, which is not served"),
}


@ALL
@pytest.mark.parametrize("function", FAULTS)
def test_faults_say_where(name: str, function: str) -> None:
    where, what = FAULTS[function]
    core_ = device(name)
    with pytest.raises(FaultError, match=f"(?s){where}.*{what}"):
        core_.call(function)
    assert core_.call("add4", 1, 1, 1, 1) == 10, "the core can be used again"


@ALL
def test_an_unaligned_access(name: str) -> None:
    core_ = device(name)
    if name in ("cortex-m0plus", "rv32imc"):
        with pytest.raises(FaultError, match=r"(?s)unaligned \+ 0x.*an access to .*input \+ 0x.*no multiple"):
            core_.call("unaligned")
    else:
        core_.call("unaligned")


def test_a_program_that_does_not_end() -> None:
    core_ = device("cortex-m4", limit=100_000)
    with pytest.raises(FaultError, match=r"(?s)endless \+ 0x.*did not end in 100,000 instructions") as caught:
        core_.call("endless")
    assert "limit" in caught.value.hint


def test_wrong_use() -> None:
    core_ = device("cortex-m4")
    with pytest.raises(OptionError, match="no symbol called 'scales'") as caught:
        core_.call("scales")
    assert "'scale'" in caught.value.hint
    with pytest.raises(OptionError, match="weights is data"):
        core_.call("weights")
    with pytest.raises(OptionError, match="65 bytes do not fit into input, which has 64"):
        core_.write("input", bytes(65))
    with pytest.raises(OptionError, match="no 4 bytes of memory"):
        core_.read(0x70000000)
    with pytest.raises(OptionError, match="up to 4 arguments, got 5"):
        core_.call("add4", 1, 2, 3, 4, 5)
    with pytest.raises(OptionError, match="neither a core nor a board"):
        Emulator(image("cortex-m4"))
    with pytest.raises(OptionError, match="an image for riscv does not run on cortex-m4"):
        Emulator(image("rv32imc"), core("cortex-m4"))
    with pytest.raises(OptionError, match="stands in no memory of the board") as caught:
        Emulator(image("rv32imc"), core("rv32imc"), board=load("raspberry-pi-pico-2-riscv"))
    assert "sram 0x20000000" in caught.value.hint


def test_without_a_board() -> None:
    core_ = Emulator(image("cortex-m4"), core("cortex-m4"))
    with_board = device("cortex-m4")
    assert core_.call("nested", 12) == with_board.call("nested", 12)
    assert core_.stack_bytes == with_board.stack_bytes
    assert core_.counts() == with_board.counts()


def test_which_core_a_board_has() -> None:
    assert core_of(load("nucleo-l4r5zi")) is CORES["cortex-m4"]
    assert core_of(load("raspberry-pi-pico")).model == "UC_CPU_ARM_CORTEX_M0"
    assert core_of(load("raspberry-pi-pico-2-riscv")) is CORES["rv32imac"]
    with pytest.raises(UnsupportedError, match="no core of board esp32-s3"):
        core_of(load("esp32-s3"))
    with pytest.raises(UnsupportedError, match="unicorn does not emulate the cortex-m55") as caught:
        Emulator(image("cortex-m4"), core_of(load("corstone-300")))
    assert "mps3-an547" in caught.value.hint
    with pytest.raises(OptionError, match="no emulated core called 'cortex-m5'"):
        core("cortex-m5")
    told = load("riscv32-generic").compiler
    assert told
    assert core_for(told).name == "rv32imc"

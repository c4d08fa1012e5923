"""Caches: what they miss is known for programs that read a table from one end to the other."""

from functools import cache

import pytest

from gatewright.backends.firmware.emulator import Emulator, Image, Mix
from gatewright.backends.firmware.emulator.caches import CacheShape, caches_of
from gatewright.boards import load

from .programs import BOARDS, MAIN, board_of, build, image

TABLE = MAIN.replace(
    "int main(void)",
    """
#define T4(n) n, n + 1, n + 2, n + 3
#define T16(n) T4(n), T4(n + 4), T4(n + 8), T4(n + 12)
#define T64(n) T16(n), T16(n + 16), T16(n + 32), T16(n + 48)
#define T256(n) T64(n), T64(n + 64), T64(n + 128), T64(n + 192)
const uint32_t table[512] __attribute__((aligned(64))) = {T256(0), T256(256)};
KEPT uint32_t sweep(int32_t step, int32_t turns)
{
    uint32_t s = 0;
    while (turns--) {
#pragma clang loop unroll(disable) vectorize(disable)
        for (int32_t i = 0; i < 512; i += step) s += ((volatile const uint32_t *)table)[i];
    }
    return s;
}
int main(void)""",
)
BYTES = 2048


@cache
def table(board: str) -> Image:
    return Image.read(build(load(board), TABLE, "-O2"))


def swept(board: str, step: int, turns: int) -> Mix:
    device = Emulator(table(board), board=load(board), caches=True)
    assert device.call("sweep", step, turns) == sum(range(0, 512, step)) * turns
    return device.counts().mix


def test_shapes() -> None:
    small = caches_of(load("nucleo-l4r5zi"))
    assert (small.fetched, small.loaded, small.unified) == (CacheShape(2 * 32, 2, 8), CacheShape(1, 32, 8), False)
    both = caches_of(load("nucleo-u575zi-q"))
    assert both.unified
    assert both.fetched is both.loaded
    assert both.fetched
    assert both.fetched.size == 8 * 1024
    assert caches_of(load("stm32f746-disco")).data
    assert caches_of(load("cortex-m4")).fetched is None


@pytest.mark.parametrize(("board", "line"), [("nucleo-l4r5zi", 8), ("nucleo-f446re", 16)])
def test_a_small_cache_misses_every_line_of_every_turn(board: str, line: int) -> None:
    for step in (1, 2, 4):
        touched = BYTES // max(line, 4 * step)
        mix = swept(board, step, 3)
        assert 3 * touched <= mix.read_misses <= 3 * touched + 8, step
        assert mix.code_reads >= 3 * 512 // step


def test_a_large_cache_misses_once() -> None:
    once, thrice = swept("nucleo-u575zi-q", 1, 1), swept("nucleo-u575zi-q", 1, 3)
    assert BYTES // 16 <= once.read_misses <= BYTES // 16 + 4
    assert thrice.read_misses == once.read_misses
    assert once.fetch_misses <= thrice.fetch_misses < 24


def test_without_a_cache_of_data_every_load_waits() -> None:
    mix = swept("nucleo-g0b1re", 1, 2)
    assert mix.read_misses == mix.code_reads >= 2 * 512


def test_loads_from_memory_are_cached_on_the_m7() -> None:
    """The stack and the arena of the STM32F746 stand in memory that its cache holds; tightly coupled memory is not."""
    of = Image.read(build(load("stm32f746-disco"), MAIN, "-O2"))
    device = Emulator(of, board=load("stm32f746-disco"), caches=True)
    device.call("big", 5)
    first = device.counts().mix.data_misses
    assert 0 < first < 20, "it is read at one place"
    device.call("scale")
    assert device.counts().mix.data_misses > first


@pytest.mark.parametrize("name", BOARDS)
def test_watching_changes_nothing(name: str) -> None:
    """Hooks of loads in IT blocks do not skip what comes after."""
    results = []
    for options in ({}, {"code_reads": True}, {"caches": True}, {"alignment": True}):
        device = Emulator(image(name), board=board_of(name), **options)
        status = device.boot()
        counts = device.counts()
        results.append((status, device.console, counts.instructions, counts.addresses))
    assert all(r == results[0] for r in results)


CONDITIONAL = MAIN.replace(
    "int main(void)",
    """
KEPT __attribute__((naked)) int32_t picks(const int8_t *p, int32_t n)
{
    __asm__ volatile(
        "movs r3, #0\\n 1: cmp r1, #3\\n ite ls\\n ldrsbls r2, [r0, r1]\\n movhi r2, #5\\n b 2f\\n"
        "2: add r3, r3, r2\\n adds r3, r3, #1\\n subs r1, r1, #1\\n bne 1b\\n mov r0, r3\\n bx lr");
}
int main(void)""",
)


@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m4", "cortex-m33"])
def test_a_load_in_an_it_block_before_a_branch(name: str) -> None:
    of = Image.read(build(board_of(name), CONDITIONAL, "-O2"))
    found = []
    for options in ({}, {"code_reads": True}):
        device = Emulator(of, board=board_of(name), **options)
        device.write("input", bytes([10, 20, 30, 40]))
        found.append((device.call("picks", of.symbol("input").address, 6), device.counts().instructions))
    assert found[0][0] == 5 * 3 + (40 + 30 + 20) + 6
    assert found[0] == found[1]

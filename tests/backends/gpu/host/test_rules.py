"""The emulator refuses what not every device of a language takes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatewright.backends.gpu.host.emulator import EmulationError, Emulator
from gatewright.backends.gpu.host.runtime.plan import read_plan

from .projects import LANGUAGES, constants, plan, texts

Change = Callable[[dict[str, Any]], object]


def opened(language: str, change: Change, sources: dict[str, str] | None = None) -> Emulator:
    data = plan(language)
    change(data)
    return Emulator(read_plan(json.dumps(data)), sources or texts(language), constants(language))


def refused(language: str, change: Change, said: str) -> None:
    with pytest.raises(EmulationError, match=said):
        opened(language, change)


def blocks(count: int) -> Change:
    return lambda data: data["launches"][1].update(blocks=[1, count, 1])


@pytest.mark.parametrize("language", ["cuda", "webgpu"])
def test_grids(language: str) -> None:
    opened(language, blocks(65535))
    refused(language, blocks(65536), r"k1 \(dense_bias\) asks for what not every device has: \(1, 65536, 1\) blocks")


@pytest.mark.parametrize(("language", "most"), [("cuda", 1024), ("opencl", 256), ("metal", 512), ("webgpu", 256)])
def test_threads(language: str, most: int) -> None:
    opened(language, lambda data: data["kernels"]["k1"].update(threads=[most, 1, 1]))
    if most < 1024:
        refused(language, lambda data: data["kernels"]["k1"].update(threads=[most * 2, 1, 1]), "threads a block")


@pytest.mark.parametrize("language", LANGUAGES)
def test_places(language: str) -> None:
    def away(data: dict[str, Any]) -> None:
        data["launches"][1]["arguments"][1]["offset"] = 4

    refused(language, away, "begins at no multiple of 256 bytes")


def test_buffers_of_webgpu_are_read_or_written() -> None:
    def within(data: dict[str, Any], offset: int) -> None:
        data["arena_bytes"] *= 3
        data["launches"][1]["arguments"][2].update(buffer="arena", offset=offset)

    refused("webgpu", lambda data: within(data, 32768), "arena is bound to be read and to be written")
    sources = texts("webgpu")
    sources["narrow.wgsl"] = sources["narrow.wgsl"].replace("storage, read> C_ptr", "storage, read_write> C_ptr")
    opened("webgpu", lambda data: within(data, 32768), sources)
    with pytest.raises(EmulationError, match="parts of arena are bound to be written that overlap"):
        opened("webgpu", lambda data: within(data, 0), sources)


@pytest.mark.parametrize(
    ("language", "old", "new"),
    [
        ("cuda", "int sa_ptr[64]", "int sa_ptr[12289]"), ("opencl", "char sa_ptr[256]", "char sa_ptr[32769]"),
        ("metal", "char sa[256]", "char sa[32769]"), ("webgpu", "sa : array<i32, 256>", "sa : array<i32, 4097>"),
    ],
)  # fmt: skip
def test_shared_memory(language: str, old: str, new: str) -> None:
    sources = {name: text.replace(old, new) for name, text in texts(language).items()}
    emulator = opened(language, lambda data: None, sources)
    with pytest.raises(EmulationError, match="bytes of shared memory"):
        emulator.launch()

"""The machine that this runs on, as a board: what can be read of it without any tool."""

import ctypes
import os
import platform
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .instruction_sets import compiler_for
from .model import Board, Cache, CacheKind, Core, Figure, Memory

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

KINDS: dict[str, CacheKind] = {"Data": "data", "Instruction": "instruction", "Unified": "unified"}
AMD = {23: "Zen 2", 25: "Zen 4", 26: "Zen 5"}
"""Generations by what /proc/cpuinfo calls the family (AMD, Processor Programming References)."""
UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}
"""What the kernel writes behind the size of a cache, in KiB."""
SYS_ARCH_PRCTL, ARCH_GET_XCOMP_SUPP, XFEATURE_XTILEDATA = 158, 0x1021, 18


@cache
def host() -> Board:
    """Give the machine itself: cores, instruction set flags, caches, memory and compiler, as far as they show.

    The board named ``host`` has kind "cpu". It also serves where only the integer graph is wanted: it limits nothing.
    """
    processors = [_granted(p) for p in _processors(_text(CPUINFO))]
    info = processors[0] if processors else {}
    machine = platform.machine() or "unknown"
    count = os.cpu_count() or 1
    core = Core(
        name=_core_name(info) or platform.processor() or machine,
        isa=machine,
        extensions=tuple(sorted((info.get("flags") or info.get("Features") or info.get("isa") or "").split())),
        count=Figure(count, "os.cpu_count(): logical cores"),
    )
    musl = "musl" in str(sysconfig.get_config_var("SOABI"))
    return Board(
        name="host", kind="cpu", title=f"this machine ({machine}, {count} logical cores)", maker="unknown",
        compiler=compiler_for(platform.system(), machine, processors, musl=musl),
        cores=(core,), caches=tuple(_caches()), memories=_memories(),
    )  # fmt: skip


def _granted(processor: dict[str, str]) -> dict[str, str]:
    """Give what a processor shows without tiles that the system would not let a process use."""
    flags = processor.get("flags", "").split()
    if "amx_tile" not in flags or tiles_are_granted():
        return processor
    return processor | {"flags": " ".join(f for f in flags if not f.startswith("amx_"))}


def tiles_are_granted() -> bool:
    """Whether Linux lets processes use the tiles of x86 AMX: arch_prctl(ARCH_GET_XCOMP_SUPP), which grants nothing yet
    (Documentation/arch/x86/xstate.rst). A system call's filter may say no.
    """
    mask = ctypes.c_uint64()
    call = ctypes.CDLL(None).syscall
    refused = call(ctypes.c_long(SYS_ARCH_PRCTL), ctypes.c_long(ARCH_GET_XCOMP_SUPP), ctypes.byref(mask))
    return not refused and bool(mask.value >> XFEATURE_XTILEDATA & 1)


def _core_name(info: dict[str, str]) -> str:
    """Name the processor, with its generation where the name does not tell it."""
    name, family = info.get("model name", ""), info.get("cpu family", "")
    generation = AMD.get(int(family)) if info.get("vendor_id") == "AuthenticAMD" and family.isdecimal() else None
    return f"{name} ({generation})" if generation else name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _processors(cpuinfo: str) -> list[dict[str, str]]:
    """Give the entries of each processor: 'flags : fpu vme ...' on x86, 'Features : fp asimd ...' on Arm.

    What stands after the last of them and is of none ('Hardware : BCM2835') is left out.
    """
    blocks = [_entries(block) for block in cpuinfo.split("\n\n")]
    return [block for block in blocks if "processor" in block]


def _entries(block: str) -> dict[str, str]:
    lines = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, mark, value in lines if mark}


def _caches() -> Iterator[Cache]:
    """Give the caches of the first core, in the kernel's order; a container or another system has none to show."""
    for folder in sorted(CACHES.glob("index[0-9]*"), key=lambda path: int(path.name.removeprefix("index"))):
        level, kind, size = (_text(folder / name).strip() for name in ("level", "type", "size"))
        kib = _kib(size)
        if not level.isdecimal() or kind not in KINDS or not kib:
            continue
        shared, line = _count(_text(folder / "shared_cpu_list")), _text(folder / "coherency_line_size").strip()
        yield Cache(
            level=int(level),
            kind=KINDS[kind],
            size_kib=Figure(kib, f"{folder}/size"),
            shared_by=Figure(shared, f"{folder}/shared_cpu_list: logical cores") if shared else None,
            line_bytes=Figure(int(line), f"{folder}/coherency_line_size") if line.isdecimal() and int(line) else None,
        )


def _kib(size: str) -> int:
    """Read the kernel's '1024K'; 0 where it is no size."""
    number, unit = size[:-1], size[-1:]
    return int(number) * UNITS[unit] if number.isdecimal() and unit in UNITS else 0


def _count(cpus: str) -> int:
    """Count what a list like '0-3,8' names; 0 where it is no such list."""
    try:
        ends = [[int(end) for end in part.split("-")] for part in cpus.split(",")]
    except ValueError:
        return 0
    return sum(part[-1] - part[0] + 1 for part in ends)


def _memories() -> tuple[Memory, ...]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return ()
    if total <= 0:
        return ()
    size = Figure(round(total / 2**20, 1), "os.sysconf: physical pages")
    return (Memory(name="main", technology="unknown", size_mib=size),)

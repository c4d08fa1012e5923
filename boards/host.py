"""The machine that this runs on, as a board: what can be read of it without any tool."""

import os
import platform
from functools import cache
from pathlib import Path

from .model import Board, Core, Figure, Memory

CPUINFO = Path("/proc/cpuinfo")


@cache
def host() -> Board:
    """Give the machine itself: architecture, logical cores, instruction set flags and memory, as far as they show.

    The board named ``host`` has kind "cpu". It also serves where only the integer graph is wanted: it limits nothing.
    """
    info = _first_processor(_text(CPUINFO))
    machine = platform.machine() or "unknown"
    core = Core(
        name=info.get("model name") or platform.processor() or machine,
        isa=machine,
        extensions=tuple(sorted((info.get("flags") or info.get("Features") or info.get("isa") or "").split())),
        count=Figure(os.cpu_count() or 1, "os.cpu_count(): logical cores"),
    )
    title = f"this machine ({machine}, {core.count.value} logical cores)"
    return Board(name="host", kind="cpu", title=title, maker="unknown", cores=(core,), memories=_memories())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first_processor(cpuinfo: str) -> dict[str, str]:
    """Give the entries of the first processor: 'flags : fpu vme ...' on x86, 'Features : fp asimd ...' on Arm."""
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, mark, value in lines if mark}


def _memories() -> tuple[Memory, ...]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return ()
    if total <= 0:
        return ()
    size = Figure(round(total / 2**20, 1), "os.sysconf: physical pages")
    return (Memory(name="main", technology="unknown", size_mib=size),)

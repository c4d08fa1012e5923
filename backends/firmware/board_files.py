"""What a bare core needs beside the network: start-up, linker script, a main that runs the self-test."""

from importlib.resources import files

from .memory_map import MemoryMap, linker_script
from .toolchain import Toolchain

SCRIPT = "link.ld"


def board_files(name: str, board: str, tools: Toolchain, places: MemoryMap) -> dict[str, bytes]:
    """Give the files by name: ``startup.c``, ``memory.c``, ``main.c``, ``link.ld``."""
    return {
        "startup.c": read("startup_arm.c" if tools.arm else "startup_riscv.c"),
        "memory.c": read("memory.c"),
        "main.c": read("main.c").replace(b"{name}", name.encode()),
        SCRIPT: linker_script(places, board).encode(),
    }


def read(file: str) -> bytes:
    """Give a file of this package."""
    return (files(__package__) / "board" / file).read_bytes()

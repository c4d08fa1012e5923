"""Images: the C of a project compiled and linked for its core by ziglang's compiler, with pip alone."""

import re
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from ...graph import UnsupportedError
from ..loops.machine import Machine
from ..zig import BuildError, zig
from .board_files import SCRIPT, board_files, read
from .memory_map import MemoryMap
from .toolchain import COMMON, OPTIMIZE, WARNINGS, toolchain

FLAGS = (
    "-g0", *COMMON, *WARNINGS, "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-sanitize=all",
    "-fno-stack-protector",
)  # fmt: skip
LINK = ("-T", SCRIPT, "-Wl,-e,gw_reset", "-Wl,--gc-sections", "-Wl,-z,max-page-size=16")

HINT = "a smaller network, weights of at most 4 bits (they are packed), or a board with more memory"


def machine_in(description: Mapping[str, Any]) -> Machine:
    """Give the core that a project is for, from its description."""
    d = description
    return Machine(d["triple"], d["cpu"], tuple(d["features"]), 0, d["abi"])


@dataclass(frozen=True)
class Built:
    """What a project is built to: ``image`` runs the self-test (ELF), ``application`` only runs the network once (ELF),
    ``library`` holds network and self-test (ar). No image is linked where the network calls functions of the C library
    (``missing``), which a bare core does not have.
    """

    image: bytes
    application: bytes
    library: bytes
    missing: tuple[str, ...] = ()


def build(files: Mapping[str, bytes], description: Mapping[str, Any]) -> Built:
    """Compile the sources of a project (path -> content, under ``src/``) for its core, and link them for its board.

    Images have a symbol table, no debug information. Raises UnsupportedError where the flash is too small, BuildError
    where the compiler refuses.
    """
    name, tools = description["name"], toolchain(machine_in(description))
    places = MemoryMap.from_dict(description["memory"])
    board = board_files(name, description["board"], tools, places)
    board["run.c"] = read("main_run.c").replace(b"{name}", name.encode())
    board[SCRIPT] = board[SCRIPT].replace(b".comment", b".comment .debug*")  # that of the compiler's own library
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        units = _sources(files, folder)
        for file, data in board.items():
            (folder / file).write_bytes(data)
        own = [f"{unit[:-2]}.o" for unit in units]
        with ThreadPoolExecutor() as pool:
            flags = (*tools.zig, OPTIMIZE[description["code"]], *FLAGS)
            compiled = (("cc", *flags, "-c", u) for u in (*units, *(f for f in board if f.endswith(".c"))))
            list(pool.map(lambda command: zig(command, folder), compiled))
        zig(("ar", "rcsD", "library.a", *own), folder)
        for image, main in (("image.elf", "main.o"), ("application.elf", "run.o")):
            try:
                zig(("cc", *tools.zig, "-O2", *LINK, *own, "startup.o", "memory.o", main, "-o", image), folder)
            except BuildError as error:
                if missing := re.findall(r"undefined symbol: (\w+)", error.log):
                    return Built(b"", b"", (folder / "library.a").read_bytes(), tuple(sorted(set(missing))))
                raise _explained(error, places, description["board"]) from None
        found = [(folder / file).read_bytes() for file in ("image.elf", "application.elf", "library.a")]
        return Built(found[0], found[1], found[2])


def _sources(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write the sources of a project into a folder; give the names of those that are compiled."""
    for path, data in files.items():
        if path.startswith("src/"):
            (folder / path.removeprefix("src/")).write_bytes(data)
    return sorted(p.removeprefix("src/") for p in files if p.startswith("src/") and p.endswith(".c"))


def _explained(error: BuildError, places: MemoryMap, board: str) -> Exception:
    """Tell a memory that is too small from what is ours to mend."""
    found = re.search(r"will not fit in region '(\w+)': overflowed by (\d+) bytes", error.log)
    if found is None and "no room for the stack" not in error.log:
        return error
    name, over = (found[1], int(found[2])) if found is not None else (places.ram.name, 0)
    size = next(s.bytes for s in places.spans if s.name == name)
    needs = f"{name} has {size:,} bytes; the image needs {size + over:,}, its self-test included"
    what = needs if over else f"{name} leaves no stack"
    return UnsupportedError(what, where=f"board {board}", hint=HINT)


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image: ``flash`` is what is written to it (code, constants, start values), ``arena`` the symbol's
    size, ``ram`` all variables, the arena among them; ``functions`` and ``constants`` by symbol.
    """

    flash: int
    arena: int
    ram: int
    functions: Mapping[str, int]
    constants: Mapping[str, int]


def sizes(image: bytes) -> Sizes | None:
    """Read the sizes of an image (ELF); None where pyelftools is not installed."""
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError:
        return None

    file = ELFFile(BytesIO(image))
    flash = sum(s["p_filesz"] for s in file.iter_segments() if s["p_type"] == "PT_LOAD")
    writable = [s for s in file.iter_sections() if s["sh_flags"] & 2 and s["sh_flags"] & 1]
    symbols = [s for table in _tables(file) for s in table.iter_symbols() if s.name]
    kinds = {kind: {s.name: int(s["st_size"]) for s in symbols if s["st_info"]["type"] == kind} for kind in KINDS}
    objects = kinds["STT_OBJECT"]
    arena = next((size for name, size in objects.items() if name.endswith("_arena")), 0)
    ram = sum(int(s["sh_size"]) for s in writable)
    return Sizes(flash, arena, ram, kinds["STT_FUNC"], {n: s for n, s in objects.items() if not n.endswith("_arena")})


def _tables(file: Any) -> Any:
    return file.iter_sections("SHT_SYMTAB")


KINDS = ("STT_FUNC", "STT_OBJECT")

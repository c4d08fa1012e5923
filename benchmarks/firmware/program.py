"""C on an emulated core, with what each instruction is there for: its source line says so."""

import re
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile

from gatewright.backends.firmware.board_files import SCRIPT, board_files, read
from gatewright.backends.firmware.build import FLAGS, sizes
from gatewright.backends.firmware.emit import includes, machine_of
from gatewright.backends.firmware.emulator import Emulator, Image
from gatewright.backends.firmware.emulator.kinds import CALLS, ENDS, Kind
from gatewright.backends.firmware.memory_map import memory_map
from gatewright.backends.firmware.toolchain import OPTIMIZE, toolchain
from gatewright.backends.zig import zig
from gatewright.boards import Board

MULTIPLY = frozenset([Kind.MULTIPLY, Kind.MULTIPLY_LONG, Kind.MULTIPLY_PAIRS])
MEMORY = frozenset([Kind.LOAD, Kind.LOAD_LITERAL, Kind.LOAD_MULTIPLE, Kind.STORE, Kind.STORE_MULTIPLE])
PARTS = ("multiply", "load, store", "requantize", "loops, calls", "arithmetic")
"""What instructions are for. Requantize: all that is done once a result, loads of its constants and its store among it;
the others by the instruction; arithmetic: widening, addresses, conditions."""
SCALE = r"\b(gw_scaled|gw_upper|gw_[su]sat|records\d|scaled|divided|multiply_high|clamped|bias\[)"
"""What lines of C have that change a scale."""
DIVISION = re.compile(r"__(aeabi_)?(u|s)?(i|l)?div|__u?(div|mod)")
LINK = ("-Wl,-e,gw_reset", "-Wl,--gc-sections", "-Wl,-z,max-page-size=16")


class Program:
    """C files (name -> content) that define ``<name>_init`` and ``<name>_run``, linked for a board and loaded into its
    emulated core; the table of source lines is kept.
    """

    def __init__(self, name: str, files: Mapping[str, bytes], board: Board, arena: int, *flags: str) -> None:
        self.name, self.files, self.board = name, {**includes(), **files}, board
        self.elf = self._linked(arena, flags)
        found = sizes(self.elf)
        assert found is not None
        self.flash = found.flash
        self.device = Emulator(Image.read(self.elf), board=board)

    def _linked(self, arena: int, flags: Sequence[str]) -> bytes:
        tools, places = toolchain(machine_of(self.board)), memory_map(self.board, arena)
        own = board_files(self.name, self.board.name, tools, places)
        own["main.c"] = read("main_run.c").replace(b"{name}", self.name.encode())
        with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
            folder = Path(temporary)
            for file, data in {**own, **self.files}.items():
                (folder / file).write_bytes(data)
            units = sorted(f for f in {**own, **self.files} if f.endswith(".c"))
            for unit in units:
                zig(("cc", *tools.zig, OPTIMIZE["fastest"], *FLAGS, "-gline-tables-only", *flags, "-c", unit), folder)
            link = ("-T", SCRIPT, *LINK, f"-Wl,-u,{self.name}_step", *(f"{u[:-2]}.o" for u in units))
            zig(("cc", *tools.zig, "-O2", *link, "-o", "program.elf"), folder)
            return (folder / "program.elf").read_bytes()

    def parts(self, function: str, *arguments: int) -> Counter[str]:
        """Count what the instructions of a call are for, by ``PARTS``."""
        device, found = self.device, Counter[str]()
        device.clear()
        device.call(function, *arguments)
        for address, count in device.counts().addresses.items():
            found[self._part(address)] += count
        return found

    def _part(self, address: int) -> str:
        image = self.device.image
        home = image.function_at(address)
        runtime = home is not None and home.name.startswith("__")
        if runtime and home is not None and not DIVISION.match(home.name):
            return "requantize"  # 64-bit products and shifts, for nothing else
        if self._scales.get(self._line(address)):
            return "requantize"
        kind = self.device.core.decode(image.bytes_at(address, 4), 0, address).kind
        if kind in MULTIPLY:
            return "multiply"
        if kind in MEMORY:
            return "load, store"
        return "loops, calls" if kind in ENDS | CALLS else "arithmetic"

    def _line(self, address: int) -> tuple[str, int]:
        begins, lines = self._table
        return lines[max(bisect_right(begins, address) - 1, 0)]

    @cached_property
    def _table(self) -> tuple[list[int], list[tuple[str, int]]]:
        """Where the code of each line begins, by address."""
        rows: dict[int, tuple[str, int]] = {}
        for unit in ELFFile(BytesIO(self.elf)).get_dwarf_info().iter_CUs():
            program = unit.dwarfinfo.line_program_for_CU(unit)
            names = program.header["file_entry"]
            first = 0 if program.header["version"] >= 5 else 1
            for entry in program.get_entries():
                if (state := entry.state) is not None:
                    end = state.end_sequence
                    rows[state.address] = ("", 0) if end else (names[state.file - first].name.decode(), state.line)
        return sorted(rows), [rows[a] for a in sorted(rows)]

    @cached_property
    def _scales(self) -> Mapping[tuple[str, int], bool]:
        """The lines that change a scale."""
        found: dict[tuple[str, int], bool] = {}
        for file, data in self.files.items():
            inside = False
            for number, line in enumerate(data.decode().splitlines(), 1):
                if re.match(r"(static|KERNEL)\b.*\(", line):
                    inside = re.search(rf"{SCALE}\w*\(", line) is not None
                found[file, number] = inside or (re.search(SCALE, line) is not None and file != "gw.h")
        return found

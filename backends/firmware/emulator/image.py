"""A linked program: its segments, its symbols, where it begins."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import Literal

from ....graph import FileError, OptionError
from ....graph.errors import unknown

VECTORS = ("gw_vectors", "vectors", "__vector_table", "_vectors", "g_pfnVectors", "vec")
"""What programs call their vector table."""
Arch = Literal["arm", "riscv"]


@dataclass(frozen=True)
class Symbol:
    """A name, its address (of Thumb functions without the lowest bit), its size in bytes, 0 where none was told."""

    name: str
    address: int
    size: int
    kind: Literal["function", "object", "label"]

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size


@dataclass(frozen=True)
class Segment:
    """What is loaded: ``data`` to ``address``, zeros after it up to ``size`` bytes.

    ``origin`` is where it stands before the start-up code has copied it.
    """

    address: int
    origin: int
    data: bytes = field(repr=False)
    size: int
    executable: bool


@dataclass(frozen=True)
class Section:
    """A named part of the program that takes room on the device."""

    name: str
    address: int
    size: int


@dataclass(frozen=True)
class Image:
    """A program as the linker wrote it."""

    arch: Arch
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    symbols: Mapping[str, Symbol]
    marks: tuple[tuple[int, bool], ...] = ()
    """where code begins (True) and data in it (False), on Arm: the mapping symbols of its ELF (AAELF32, 5.5.5)"""

    @classmethod
    def read(cls, data: bytes, *, where: str = "image") -> "Image":
        """Read an ELF file. Raises FileError for what is none, or not of a core that can be emulated; OptionError where
        pyelftools is not installed.
        """
        return _read(data, where)

    def symbol(self, name: str) -> Symbol:
        """Find a symbol. Raises OptionError with the near miss."""
        if name not in self.symbols:
            raise unknown("symbol", name, self.symbols, where="image")
        return self.symbols[name]

    @cached_property
    def functions(self) -> tuple[Symbol, ...]:
        """The functions, by address, one for an address; one without a size ends where the next one begins."""
        found: dict[int, Symbol] = {}
        for s in sorted(self.symbols.values(), key=lambda s: (s.address, s.size == 0, s.name)):
            if s.kind == "function":
                found.setdefault(s.address, s)
        ordered = list(found.values())
        ends = [*(s.address for s in ordered[1:]), self._code_end(ordered[-1].address)] if ordered else []
        return tuple(
            s if s.size else Symbol(s.name, s.address, max(end - s.address, 0), s.kind)
            for s, end in zip(ordered, ends, strict=True)
        )

    def _code_end(self, address: int) -> int:
        ends = [s.address + len(s.data) for s in self.segments if s.address <= address < s.address + len(s.data)]
        return max(ends, default=address)

    @cached_property
    def _starts(self) -> list[int]:
        return [s.address for s in self.functions]

    def function_at(self, address: int) -> Symbol | None:
        """Find the function that an address lies in."""
        index = bisect_right(self._starts, address) - 1
        found = self.functions[index] if index >= 0 else None
        return found if found is not None and address < found.end else None

    @property
    def vectors(self) -> tuple[int, int]:
        """The first two words of the vector table, on Arm: the initial stack pointer and the reset handler."""
        table = next((self.symbols[n].address for n in VECTORS if n in self.symbols), None)
        if table is None:
            table = min((s.address for s in self.segments if s.executable), default=0)
        words = self.bytes_at(table, 8)
        return int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little")

    def code_from(self, address: int) -> int:
        """Give the first address from one on that is code, by the marks: the same one where there are none."""
        index = bisect_right(self.marks, (address, True)) - 1
        if index < 0 or self.marks[index][1]:
            return address
        return next((at for at, code in self.marks[index:] if code), address)

    def place(self, address: int) -> str:
        """Say in words where an address lies."""
        found = self.function_at(address)
        if found is None:
            data = [s for s in self.symbols.values() if s.kind == "object" and s.address <= address < s.end]
            found = data[0] if data else None
        return f"0x{address:08x}" + (f" ({found.name} + 0x{address - found.address:x})" if found else "")

    def bytes_at(self, address: int, size: int) -> bytes:
        """Give what is loaded at an address; fewer bytes where the segment ends."""
        for s in self.segments:
            if s.address <= address < s.address + len(s.data):
                return s.data[address - s.address : address - s.address + size]
        return b""


def _read(data: bytes, where: str) -> Image:
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        what = f"pyelftools, which reads images, cannot be imported: {error}"
        raise OptionError(what, hint="pip install 'gatewright[firmware]'") from None
    try:
        elf = ELFFile(BytesIO(data))
        arch = _arch(elf, where)
        return Image(arch, elf.header.e_entry & ~1, _segments(elf), _sections(elf), _symbols(elf, arch), _marks(elf))
    except FileError:
        raise
    except (ELFError, ValueError, KeyError, IndexError, AttributeError, UnicodeDecodeError, OverflowError) as error:
        raise FileError(f"is no whole ELF image: {error}", where=where, hint="build it again") from None


def _arch(elf: object, where: str) -> Arch:
    machine = elf["e_machine"]  # type: ignore[index]
    arch: Arch | None = {"EM_ARM": "arm", "EM_RISCV": "riscv"}.get(machine)  # type: ignore[assignment]
    if arch is None or elf.elfclass != 32 or not elf.little_endian:  # type: ignore[attr-defined]
        raise FileError(f"expected an image for Arm or RISC-V of 32 bits, got {machine}", where=where)
    return arch


def _segments(elf: object) -> tuple[Segment, ...]:
    found = []
    for s in elf.iter_segments("PT_LOAD"):  # type: ignore[attr-defined]
        if s["p_memsz"]:
            data = s.data()
            if len(data) != s["p_filesz"]:
                raise ValueError(f"a segment of {s['p_filesz']} bytes has {len(data)}")
            found.append(Segment(s["p_vaddr"], s["p_paddr"], data, s["p_memsz"], bool(s["p_flags"] & 1)))
    if not found:
        raise ValueError("nothing to load")
    return tuple(found)


def _sections(elf: object) -> tuple[Section, ...]:
    return tuple(
        Section(s.name, s["sh_addr"], s["sh_size"])
        for s in elf.iter_sections()  # type: ignore[attr-defined]
        if s["sh_flags"] & 2 and s["sh_size"]
    )


def _marks(elf: object) -> tuple[tuple[int, bool], ...]:
    table = elf.get_section_by_name(".symtab")  # type: ignore[attr-defined]
    found = table.iter_symbols() if table is not None else ()
    return tuple(sorted((s["st_value"], s.name[:2] == "$t") for s in found if s.name[:2] in ("$t", "$d")))


def _symbols(elf: object, arch: Arch) -> dict[str, Symbol]:
    table = elf.get_section_by_name(".symtab")  # type: ignore[attr-defined]
    found: dict[str, Symbol] = {}
    for s in table.iter_symbols() if table is not None else ():
        kind = {"STT_FUNC": "function", "STT_OBJECT": "object", "STT_NOTYPE": "label"}.get(s["st_info"]["type"])
        if kind is None or not s.name or s.name.startswith(("$", ".L")) or s["st_shndx"] == "SHN_UNDEF":
            continue
        address = s["st_value"] & ~1 if arch == "arm" and kind == "function" else s["st_value"]
        symbol = Symbol(s.name, address, s["st_size"], kind)  # type: ignore[arg-type]
        if s.name not in found or s["st_info"]["bind"] == "STB_GLOBAL":
            found[s.name] = symbol
    return found

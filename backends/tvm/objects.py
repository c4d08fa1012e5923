"""What stands in object files and libraries, ELF and Mach-O: their machine and their symbols, and how to hide these.

The formats: System V ABI, chapter 4 ("Object Files"); Apple, <mach-o/loader.h> and <mach-o/nlist.h>.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import calcsize, unpack_from
from struct import error as Damaged  # noqa: N812

from ...graph import FileError

ELF, MACH = b"\x7fELF", b"\xcf\xfa\xed\xfe"
ELF_MACHINES = {3: "x86", 40: "armv7", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
MACH_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
MACH_SYSTEMS = {1: "macos", 2: "ios", 7: "ios-simulator"}
HIDDEN = 2
UNUSED, SYMBOLS, RELOCATIONS, DYNAMIC, DYNAMIC_SYMBOLS = 0, 2, (4, 9), 6, 11
SHARED, NEEDED = 3, 1
EXTERNAL, PRIVATE, KIND, UNDEFINED = 0x01, 0x10, 0x0E, 0x00
TABLE, LOAD_LIBRARY, SEGMENT, BUILD_VERSION = 0x02, 0x0C, 0x19, 0x32
LEFTOVERS = (b"__truncsfhf2", b"__extendhfsf2")
"""Conversions that TVM adds to every module, used or not, under names that belong to the compiler's own library."""


@dataclass(frozen=True)
class Symbol:
    """A global name: ``defined`` here or brought by others; ``exported``: others can use it."""

    name: str
    defined: bool
    exported: bool


@dataclass(frozen=True)
class Contents:
    """What a file is: "elf" or "mach-o", its machine, whether it is a shared library, which libraries it asks for."""

    format: str
    machine: str
    shared: bool
    symbols: tuple[Symbol, ...]
    libraries: tuple[str, ...] = ()
    system: str = ""

    @property
    def exported(self) -> list[str]:
        """The names that it offers."""
        return sorted(s.name for s in self.symbols if s.defined and s.exported)

    @property
    def undefined(self) -> list[str]:
        """The names that others have to bring."""
        return sorted(s.name for s in self.symbols if not s.defined)


def read(data: bytes, where: str = "") -> Contents:
    """Read an object file or a shared library. Raises FileError for anything else."""
    try:
        if data[:4] == ELF and data[5] == 1:
            return _Elf(data).contents()
        if data[:4] == MACH:
            return _Mach(data).contents()
    except (IndexError, ValueError, Damaged):
        raise FileError("a damaged object file", where=where) from None
    raise FileError("neither ELF nor Mach-O", where=where, hint="an object file or a shared library is read here")


def check_whole(data: bytes, where: str = "") -> None:
    """Raise FileError for a shared library that is cut off or damaged: a loader maps parts beyond the end of a file
    without a word, and the process ends at the first use of one.
    """
    contents = read(data, where)
    if not contents.shared:
        raise FileError("is no shared library", where=where, hint="compile again")
    parts = _elf_parts(data) if contents.format == "elf" else _mach_parts(data)
    try:
        end = max((offset + size for offset, size in parts), default=0)
    except Damaged:
        raise FileError("a damaged library", where=where, hint="compile again") from None
    if end > len(data):
        raise FileError(f"is cut off: {len(data):,} of {end:,} bytes", where=where, hint="compile again")


def _elf_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Give offset and size of each segment, and of the tables of segments and sections."""
    wide = data[4] == 2
    segments, sections = unpack_from("<QQ" if wide else "<II", data, 32 if wide else 28)
    size, count, section, sections_count = unpack_from("<HHHH", data, 54 if wide else 42)
    yield segments, size * count
    yield sections, section * sections_count
    for at in range(segments, segments + size * count, size):
        yield unpack_from("<8xQ16xQ", data, at) if wide else unpack_from("<4xI8xI", data, at)


def _mach_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Give offset and size of each segment."""
    for command, at in _Mach(data).commands:
        if command == SEGMENT:
            yield unpack_from("<QQ", data, at + 40)


def hide(data: bytes) -> bytes:
    """Give an object file whose definitions can be used within the library that it becomes part of, but not outside.

    What TVM leaves in every module gets names that clash with nothing; notes for debuggers are dropped.
    """
    edited = bytearray(data)
    file = _Elf(data) if data[:4] == ELF else _Mach(data)
    file.hide(edited)
    for name in LEFTOVERS:
        edited = edited.replace(b"\0" + name + b"\0", b"\0gw" + name[2:] + b"\0")
        edited = edited.replace(b"\0_" + name + b"\0", b"\0_gw" + name[2:] + b"\0")
    return bytes(edited)


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


@dataclass(frozen=True)
class _Section:
    header: int
    kind: int
    offset: int
    size: int
    link: int
    info: int
    name: str


class _Elf:
    """Little-endian ELF of 32 or 64 bits."""

    def __init__(self, data: bytes) -> None:
        self.data, self.wide = data, data[4] == 2
        at, size, count, names = unpack_from("<Q10xHHH" if self.wide else "<I10xHHH", data, 40 if self.wide else 32)
        raw = [(at + i * size, *self.section(at + i * size)) for i in range(count)]
        self.sections = [
            _Section(header, kind, offset, length, link, info, _text(data, raw[names][3] + name))
            for header, name, kind, offset, length, link, info in raw
        ]

    def section(self, at: int) -> tuple[int, int, int, int, int, int]:
        """Read a header: name, type, offset, size, link and info."""
        name, kind, offset, size, link, info = unpack_from("<II16xQQII" if self.wide else "<II8xIIII", self.data, at)
        return name, kind, offset, size, link, info

    def symbols(self, kind: int) -> Iterator[tuple[int, str, int, int, int]]:
        """Give of each global symbol: where its visibility stands, name, visibility, section, binding."""
        size = 24 if self.wide else 16
        for table in (s for s in self.sections if s.kind == kind):
            names = self.sections[table.link].offset
            for at in range(table.offset + table.info * size, table.offset + table.size, size):
                name, info, other, place = unpack_from("<IBBH" if self.wide else "<I8xBBH", self.data, at)
                yield at + (5 if self.wide else 13), _text(self.data, names + name), other & 3, place, info >> 4

    def contents(self) -> Contents:
        """Read machine, symbols and libraries."""
        kind, machine = unpack_from("<HH", self.data, 16)
        shared = kind == SHARED
        symbols = tuple(
            Symbol(name, place != 0, visibility in (0, 3))
            for _, name, visibility, place, _ in self.symbols(DYNAMIC_SYMBOLS if shared else SYMBOLS)
        )
        names = ELF_MACHINES.get(machine, f"machine {machine}")
        return Contents("elf", names, shared, symbols, tuple(self.libraries()))

    def libraries(self) -> Iterator[str]:
        """Give the libraries that the loader is to bring."""
        form = "<QQ" if self.wide else "<II"
        for table in (s for s in self.sections if s.kind == DYNAMIC):
            for at in range(table.offset, table.offset + table.size, calcsize(form)):
                tag, value = unpack_from(form, self.data, at)
                if tag == NEEDED:
                    yield _text(self.data, self.sections[table.link].offset + value)

    def hide(self, edited: bytearray) -> None:
        """Set the visibility of what is defined, and take the sections for debuggers out of use."""
        for at, _, _, place, _ in self.symbols(SYMBOLS):
            if place:
                edited[at] = edited[at] & ~3 | HIDDEN
        for s in self.sections:
            if s.name.startswith(".debug_") or (s.kind in RELOCATIONS and ".debug_" in s.name):
                edited[s.header + 4 : s.header + 8] = UNUSED.to_bytes(4, "little")


class _Mach:
    """Little-endian Mach-O of 64 bits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        _, self.machine, _, self.kind, count, *_ = unpack_from("<8I", data, 0)
        self.commands: list[tuple[int, int]] = []
        at = 32
        for _ in range(count):
            command, size = unpack_from("<II", data, at)
            self.commands.append((command, at))
            at += size

    def symbols(self) -> Iterator[tuple[int, str, int]]:
        """Give of each global symbol: where its type stands, name, type."""
        for at in (at for command, at in self.commands if command == TABLE):
            symbols, count, names, _ = unpack_from("<4I", self.data, at + 8)
            for entry in range(symbols, symbols + 16 * count, 16):
                name, kind = unpack_from("<IB", self.data, entry)
                if kind & EXTERNAL:
                    yield entry + 4, _text(self.data, names + name), kind

    def contents(self) -> Contents:
        """Read machine, symbols and libraries; the underscore in front of every C name is left out."""
        symbols = tuple(
            Symbol(name.removeprefix("_"), kind & KIND != UNDEFINED, not kind & PRIVATE)
            for _, name, kind in self.symbols()
        )
        loads = [at for command, at in self.commands if command == LOAD_LIBRARY]
        libraries = tuple(_text(self.data, at + unpack_from("<I", self.data, at + 8)[0]) for at in loads)
        systems = [unpack_from("<I", self.data, at + 8)[0] for command, at in self.commands if command == BUILD_VERSION]
        system = MACH_SYSTEMS.get(systems[0], f"platform {systems[0]}") if systems else ""
        machine = MACH_MACHINES.get(self.machine, f"machine {self.machine:#x}")
        return Contents("mach-o", machine, self.kind == 6, symbols, libraries, system)

    def hide(self, edited: bytearray) -> None:
        """Make private what is defined."""
        for at, _, kind in self.symbols():
            if kind & KIND != UNDEFINED:
                edited[at] |= PRIVATE


def archive_members(data: bytes) -> dict[str, bytes]:
    """Give the object files of a static library (ar, in the spelling of GNU or of BSD) by name."""
    if data[:8] != b"!<arch>\n":
        raise FileError("not a static library")
    found: dict[str, bytes] = {}
    names, at = b"", 8
    while at < len(data):
        name, size = data[at : at + 16].decode().rstrip(), int(data[at + 48 : at + 58])
        body = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        if name == "//":
            names = body
        elif name.startswith("#1/"):
            length = int(name[3:])
            name, body = body[:length].rstrip(b"\0").decode(), body[length:]
        elif name[:1] == "/" and name[1:].isdigit():
            start = int(name[1:])
            name = names[start : names.index(b"\n", start)].decode()
        if name not in ("/", "//", "/SYM64/") and not name.startswith("__.SYMDEF"):
            found[name.rstrip("/")] = body
    return found

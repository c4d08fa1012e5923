"""The most stack that a function can take, from the calls in the code: no run shows that there is not a deeper one."""

from collections.abc import Iterator
from dataclasses import dataclass

from ....graph import GatewrightError, OptionError, UnsupportedError
from .cores import Core
from .frames import Constants, taken
from .image import Image, Symbol
from .kinds import CALLS, Instruction, Kind

NOT_KNOWN = "calls through a pointer: how much stack that takes, the code does not say"


@dataclass(frozen=True)
class StackBound:
    """``bytes``: the bound; ``path``: the calls that lead there, each with the bytes that it takes for itself."""

    bytes: int
    path: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes: " + ", ".join(f"{name} {size}" for name, size in self.path)


def stack_bound(image: Image, function: str, core: Core) -> StackBound:
    """Give the most stack that ``function`` and all that it calls can take, in bytes.

    Raises UnsupportedError for recursion, calls through pointers, and stack pointers that are moved by a variable.
    """
    symbol = image.symbol(function)
    found = image.function_at(symbol.address)
    if found is None or symbol.kind == "object":
        raise OptionError(f"{function} is no function", where="image")
    return _Bounds(image, core).of(found, ())


class _Bounds:
    def __init__(self, image: Image, core: Core) -> None:
        self.image, self.core = image, core
        self.known: dict[int, StackBound] = {}

    def of(self, function: Symbol, callers: tuple[Symbol, ...]) -> StackBound:
        if function in callers:
            names = " -> ".join(s.name for s in (*callers[callers.index(function) :], function))
            raise UnsupportedError(f"recursion has no bound: {names}", where=function.name)
        if function.address not in self.known:
            try:
                frame, called = self.frame(function)
            except GatewrightError as error:
                where = error.where or function.name
                raise UnsupportedError(error.what, where=where, hint=error.hint) from None
            below = [self.of(s, (*callers, function)) for s in called]
            deepest = max(below, key=lambda b: b.bytes, default=StackBound(0, ()))
            self.known[function.address] = StackBound(frame + deepest.bytes, ((function.name, frame), *deepest.path))
        return self.known[function.address]

    def frame(self, function: Symbol) -> tuple[int, list[Symbol]]:
        """Give the bytes that a function takes for itself, and the functions that it calls or jumps to."""
        total, called = 0, dict[int, Symbol]()
        code = self.image.bytes_at(function.address, function.end - function.address)
        constants: Constants = {}
        seen: set[int] = set()
        upper: dict[int, int] = {}
        for at, i in self.instructions(function, code):
            address = function.address + at
            if i.kind is Kind.INDIRECT and self.switches(function, code, at, seen):
                continue
            total += taken(self.image, code, at, i, address, constants)
            seen.update(constants.values())
            for target in self.targets(code, at, i, address, upper):
                if not function.address <= target < function.end:
                    home = self.image.function_at(target)
                    if home is None:
                        what = f"goes to {self.image.place(target)}, which is no function"
                        raise UnsupportedError(what, where=function.name)
                    called[home.address] = home
                elif target == function.address and i.kind in CALLS:  # elsewhere in it: v6-M's far branch
                    called[function.address] = function
        return total, list(called.values())

    def instructions(self, function: Symbol, code: bytes) -> Iterator[tuple[int, Instruction]]:
        """Decode a function from its start; constants between its parts are stepped over where the code says so."""
        at, literals = 0, set[int]()
        while (at := self.image.code_from(function.address + at) - function.address) < len(code):
            i = self.core.decode(code, at, function.address + at)
            if at in literals:
                at += 4
                continue
            if i.kind is Kind.LOAD_LITERAL and self.core.arch == "arm":
                literals.add(_literal(code, at, i.length, function.address) - function.address)
            yield at, i
            at += i.length + _table(code, at, i)

    def switches(self, function: Symbol, code: bytes, at: int, seen: set[int]) -> bool:
        """Whether a jump of RISC-V is that of a switch: the word before it is a load from a table, at an address that
        the code has made, whose entries all lie in the function.
        """
        if self.core.arch != "riscv":
            return False
        before = int.from_bytes(code[max(at - 4, 0) : at], "little")
        offset = before >> 20 if before & 0x707F == 0x2003 else 0  # lw
        offset -= 4096 if offset & 0x800 else 0
        return any(self.is_table(function, address) for base in seen for address in {base, base + offset})

    def is_table(self, function: Symbol, address: int) -> bool:
        entries = [int.from_bytes(self.image.bytes_at(address + 4 * k, 4), "little") for k in range(2)]
        return all(function.address < entry < function.end and entry % 2 == 0 for entry in entries)

    def targets(self, code: bytes, at: int, i: Instruction, address: int, upper: dict[int, int]) -> Iterator[int]:
        """Give where an instruction goes; on RISC-V a far call is an auipc and a jump."""
        raw = int.from_bytes(code[at : at + i.length], "little")
        if self.core.arch == "riscv" and i.length == 4 and raw & 0x7F == 0x17:
            upper[raw >> 7 & 31] = address + (raw & 0xFFFFF000)
        if i.target is not None:
            yield i.target
            return
        if i.kind not in (Kind.INDIRECT, Kind.INDIRECT_CALL):
            return
        if self.core.arch == "riscv":
            offset, base = (raw >> 20, raw >> 15 & 31) if i.length == 4 else (0, raw >> 7 & 31)
            if base not in upper:
                raise UnsupportedError(NOT_KNOWN, hint="-fno-jump-tables, if it is the table of a switch")
            yield upper[base] + (offset - 4096 if offset & 0x800 else offset) & 0xFFFFFFFF
        elif i.kind is Kind.INDIRECT_CALL or raw & 0xFF87 == 0x4700:
            raise UnsupportedError(NOT_KNOWN)


def _literal(code: bytes, at: int, length: int, address: int) -> int:
    base = address + at + 4 & ~3
    if length == 2:
        return base + 4 * code[at]
    first, second = (int.from_bytes(code[at + k : at + k + 2], "little") for k in (0, 2))
    return base + (second & 0xFFF) * (1 if first & 0x80 else -1)


def _table(code: bytes, at: int, i: Instruction) -> int:
    """Give the bytes of the table after TBB or TBH: its first entry says where the first case begins."""
    if i.kind is not Kind.INDIRECT or i.length != 4 or i.words != 1:
        return 0
    first, second = (int.from_bytes(code[at + k : at + k + 2], "little") for k in (0, 2))
    if first != 0xE8DF:
        return 0
    width = 2 if second & 0x10 else 1
    entries, nearest = 0, len(code)
    start = at + 4
    while start + entries * width < min(nearest, len(code)):
        entry = int.from_bytes(code[start + entries * width : start + (entries + 1) * width], "little")
        nearest = min(nearest, start + 2 * entry)
        entries += 1
    return nearest - start if entries else 0

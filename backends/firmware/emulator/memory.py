"""The memories of an emulated device."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....boards import Board
from ....boards.microcontroller import CODE, DATA
from ....graph import OptionError
from .image import Image

PAGE = 0x1000
SPARE = 1 << 20
"""Bytes of a stack where no board says how large the memory is."""


@dataclass(frozen=True)
class Memory:
    """A piece of address space: writable or, as flash is, only read."""

    name: str
    address: int
    size: int
    writable: bool

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size

    def holds(self, address: int) -> bool:
        """Whether an address lies in it."""
        return self.address <= address < self.end


def memories_of(board: Board) -> tuple[Memory, ...]:
    """Give the memories of a board that have an address; those outside of the chip are left out."""
    return tuple(
        Memory(r.name, r.address, int(r.size_kib.value * 1024), r.kind not in ("flash", "rom"))
        for r in board.regions
        if r.address is not None and r.kind in (*CODE, *DATA)
    )


def memories_for(image: Image, stack: int | None) -> tuple[Memory, ...]:
    """Give memories that just hold an image and its stack, for an image without a board.

    ``stack``: the initial stack pointer; None puts the stack after the last of the data.
    """
    spans = [(s.address, s.address + s.size) for s in image.segments]
    spans += [(s.origin, s.origin + len(s.data)) for s in image.segments if s.data]
    if stack is not None:
        below = [end for _, end in spans if end <= stack]
        spans.append((max([stack - SPARE, *below]), stack))
    pages = sorted((begin // PAGE * PAGE, -(-end // PAGE) * PAGE) for begin, end in spans)
    found: list[Memory] = []
    for begin, end in pages:
        if found and begin <= found[-1].end:
            last = found.pop()
            begin, end = last.address, max(last.end, end)
        found.append(Memory("image", begin, end - begin, writable=True))
    if stack is None:
        found.append(Memory("stack", -(-found[-1].end // SPARE) * SPARE + SPARE, SPARE, writable=True))
    return tuple(found)


def check(memories: Sequence[Memory], image: Image) -> None:
    """Raise OptionError where a part of an image has no memory to stand in."""
    for s in image.segments:
        for address, size in ((s.address, s.size), (s.origin, len(s.data))):
            if size and not any(m.holds(address) and address + size <= m.end for m in memories):
                have = ", ".join(f"{m.name} 0x{m.address:08x} to 0x{m.end:08x}" for m in memories)
                what = f"a segment of {size:,} bytes at 0x{address:08x} stands in no memory of the board"
                raise OptionError(what, where="image", hint=f"link it for this board, which has {have}")


def free_page(memories: Sequence[Memory]) -> int:
    """Give the address of a page that no memory has, for the return address of what is called from outside."""
    for address in range(0x0F000000, 0xF0000000, 0x01000000):
        if not any(m.address < address + PAGE and address < m.end for m in memories):
            return address
    raise OptionError("the memories of the board leave no address free")

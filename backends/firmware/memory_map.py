"""Where code, data and the arena go on a board, and the linker script that says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...boards import Board
from ...boards import Region as BoardRegion
from ...graph import OptionError, UnsupportedError

STACK = 4096
"""Bytes that are kept for the stack beside the arena."""


@dataclass(frozen=True)
class Span:
    """Memory of a board, as a linker script names it."""

    name: str
    kind: str
    address: int
    bytes: int

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.bytes


@dataclass(frozen=True)
class MemoryMap:
    """``flash`` for code and constants, ``ram`` for the stack, ``arena`` for the arena; ``spans``: all that there is.

    Where there is no flash, code stands in ``ram``.
    """

    flash: Span
    ram: Span
    arena: Span
    spans: tuple[Span, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        named = {"flash": self.flash.name, "ram": self.ram.name, "arena": self.arena.name}
        return {**named, "spans": [asdict(s) for s in self.spans]}

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> "MemoryMap":
        """Read what ``as_dict`` gave."""
        spans = {s["name"]: Span(**s) for s in found["spans"]}
        return MemoryMap(spans[found["flash"]], spans[found["ram"]], spans[found["arena"]], tuple(spans.values()))


def memory_map(board: Board, arena_bytes: int) -> MemoryMap:
    """Place an arena of so many bytes on a board: in tightly coupled memory where it fits, else in RAM.

    Raises OptionError where the board's file does not say what a linker has to know, UnsupportedError where the arena
    fits nowhere.
    """
    spans = _joined([_span(r, board) for r in board.regions])
    flash = _largest(spans, "flash") or _largest(spans, "rom") or _largest(spans, "external")
    ram = _largest(spans, "ram") or _largest(spans, "dtcm")
    if ram is None:
        hint = 'give it a region of kind "ram" with address and size_kib'
        raise OptionError("no region of RAM", where=f"board {board.name}", hint=hint)
    tight = [s for s in spans if s.kind == "dtcm" and arena_bytes + (STACK if s is ram else 0) <= s.bytes]
    rest = sorted((s for s in spans if s.kind in ("ram", "dtcm")), key=lambda s: (s is not ram, -s.bytes))
    fits = tight + [s for s in rest if arena_bytes + (STACK if s is ram else 0) <= s.bytes]
    if not fits:
        what = f"the arena needs {arena_bytes:,} bytes, and {STACK:,} are kept for the stack; the largest RAM is "
        hint = "--memory smallest, or a board with more RAM"
        raise UnsupportedError(f"{what}{ram.name} with {ram.bytes:,}", where=f"board {board.name}", hint=hint)
    return MemoryMap(flash or ram, ram, fits[0], tuple(spans))


def _span(region: BoardRegion, board: Board) -> Span:
    if region.address is None:
        hint = "address = 0x20000000 (where the linker shall put it)"
        raise OptionError(f"region {region.name} has no address", where=f"board {board.name}", hint=hint)
    name = re.sub(r"\W+", "_", region.name, flags=re.ASCII).strip("_").upper() or "REGION"
    return Span(name, region.kind, region.address, int(region.size_kib.value * 1024))


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Make one of RAM regions that follow on each other, and names different."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: s.address):
        last = found[-1] if found else None
        if last is not None and last.kind == span.kind == "ram" and last.end == span.address:
            found[-1] = replace(last, bytes=last.bytes + span.bytes)
            continue
        names = {s.name for s in found}
        name = next(n for n in (span.name, *(f"{span.name}_{i}" for i in range(2, 99))) if n not in names)
        found.append(replace(span, name=name))
    return found


def _largest(spans: Sequence[Span], kind: str) -> Span | None:
    return max((s for s in spans if s.kind == kind), key=lambda s: s.bytes, default=None)


SCRIPT = """\
/* Where the network stands on {board}. */
ENTRY(gw_reset)

MEMORY
{{
{regions}
}}

SECTIONS
{{
  .text : {{
    KEEP(*(.vectors))
    *(.text .text.*)
    *(.rodata .rodata.* .srodata .srodata.*)
    . = ALIGN(8);
  }} > {flash}
  /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .eh_frame* .comment .note*) }}
  .data : {{
    _data = .;
    *(.data .data.* .sdata .sdata.*)
    . = ALIGN(4);
    _data_end = .;
  }} > {ram} AT > {flash}
  _data_load = LOADADDR(.data);
  .arena (NOLOAD) : {{
    . = ALIGN(8);
    *(.bss.*_arena)
  }} > {arena}
  .bss (NOLOAD) : {{
    . = ALIGN(4);
    _bss = .;
    *(.bss .bss.* .sbss .sbss.* COMMON)
    . = ALIGN(8);
    _bss_end = .;
  }} > {ram}
  _stack_limit = _bss_end;
  _estack = ORIGIN({ram}) + LENGTH({ram});
  ASSERT(_estack - _stack_limit >= {stack}, "no room for the stack")
}}
"""


def linker_script(found: MemoryMap, board: str) -> str:
    """Write the linker script (GNU ld, lld); ``_estack`` and ``_stack_limit`` are the ends of the stack."""
    rights = {"flash": "rx", "rom": "rx"}
    regions = "\n".join(
        f"  {s.name} ({rights.get(s.kind, 'rwx')}) : ORIGIN = {s.address:#010x}, LENGTH = {s.bytes}"
        for s in found.spans
    )
    return SCRIPT.format(
        board=board, regions=regions, flash=found.flash.name, ram=found.ram.name, arena=found.arena.name,
        stack=STACK // 2,
    )  # fmt: skip

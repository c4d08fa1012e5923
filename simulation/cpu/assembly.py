"""LLVM's assembly text as functions of basic blocks.

Nothing here knows an instruction set but for what starts a comment and what a label looks like: that is LLVM's own and
nearly the same for all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LABEL = re.compile(r"^([\w.$]+):")
LOCAL = re.compile(r"^(?:\.L|L)BB\d+_\d+$")
NOTE = re.compile(r"^(?:\.L|L)(?:tmp|func_begin|func_end|CPI|JTI|set)[\w.]*$|^\.Lpcrel_hi\d+$")
COMMENT = re.compile(r"\s+(?:#\s|//|;|@\s).*$")


@dataclass(frozen=True)
class Instruction:
    """A mnemonic and its operands as they are written."""

    name: str
    operands: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {', '.join(self.operands)}".strip()


@dataclass(frozen=True)
class Block:
    """Instructions that run one after the other; only the last ones may go elsewhere. ``label``: "" for the first."""

    label: str
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Function:
    """A function: its blocks in the order in which they stand, each followed by the next one unless it jumps."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def instructions(self) -> Iterator[Instruction]:
        """All instructions as they stand."""
        for block in self.blocks:
            yield from block.body


def functions(text: str, jumps: re.Pattern[str]) -> dict[str, Function]:
    """Read the functions of an assembly text by name; ``jumps`` matches mnemonics that end a block.

    An underscore in front of every name (Apple's) is left out.
    """
    found: dict[str, list[tuple[str, list[Instruction]]]] = {}
    blocks: list[tuple[str, list[Instruction]]] | None = None
    for raw in text.splitlines():
        line = COMMENT.sub("", raw).rstrip()
        if label := LABEL.match(line):
            name = label[1]
            if LOCAL.match(name):
                if blocks is not None:
                    blocks.append((name, []))
            elif not NOTE.match(name):
                blocks = found.setdefault(name.removeprefix("_"), [("", [])])
            continue
        if not line.startswith("\t") or line.startswith("\t.") or blocks is None:
            continue
        name, _, rest = line.strip().partition("\t")
        blocks[-1][1].append(Instruction(name, tuple(_split(rest))))
        if jumps.match(name):
            blocks.append(("", []))
    return {name: Function(name, tuple(_blocks(parts))) for name, parts in found.items() if any(b for _, b in parts)}


def _blocks(parts: list[tuple[str, list[Instruction]]]) -> Iterator[Block]:
    """Leave out what is empty and has no name; two names of one place become two blocks, the first one empty."""
    for i, (label, body) in enumerate(parts):
        if body or label or i == 0:
            yield Block(label, tuple(body))


def _split(text: str) -> Iterator[str]:
    """Cut operands at commas that stand in no brackets."""
    depth, start = 0, 0
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and not depth:
            yield text[start:i].strip()
            start = i + 1
    if text[start:].strip():
        yield text[start:].strip()

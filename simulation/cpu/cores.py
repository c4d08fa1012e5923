"""Cores: how many instructions they take in a cycle, which pipes they have, how long each kind of work takes.

One TOML file a core beside this module, with the fields of ``Core``; under ``[kinds]`` each kind of work has the pipes
that do it, cycles until its result can be used (``latency``), cycles for which it keeps a pipe (``busy``, 1 where
absent), and cycles until the next sum on the same register can begin (``chain``, the latency where absent).
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from ...boards import Board
from ...boards.model import Compiler
from ...boards.model import Core as BoardCore
from .micro import KINDS, Kind


@dataclass(frozen=True)
class Work:
    """A kind of work on a core."""

    pipes: tuple[int, ...]
    latency: float
    busy: float
    chain: float


@dataclass(frozen=True)
class Core:
    """``width``: instructions a cycle; ``window``: how many are in flight (0: in order); ``assumed_mhz``: the clock
    where a board does not say its own; ``vector_bytes``: width of a pipe of vectors; ``level1_kib`` and so on: caches,
    where a board does not say its own; ``level2``, ``level3``: bytes a cycle from there to one core, ``memory_gb_s``:
    10^9 bytes a second from memory; ``names``: parts of the names that boards and LLVM give it.
    """

    name: str
    title: str
    names: tuple[str, ...]
    width: int
    window: int
    pipes: tuple[str, ...]
    kinds: dict[Kind, Work]
    assumed_mhz: float
    vector_bytes: int
    level1_kib: float
    level2_kib: float
    level3_kib: float
    level2: float
    level3: float
    memory_gb_s: float
    sources: tuple[str, ...]

    @property
    def in_order(self) -> bool:
        """Whether instructions start in the order of the program."""
        return self.window == 0


@cache
def cores() -> dict[str, Core]:
    """Give all cores by name."""
    folder = files(__package__).joinpath("cores")
    texts = {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}
    return {name.removesuffix(".toml"): _core(tomllib.loads(text)) for name, text in sorted(texts.items())}


def _core(raw: dict[str, Any]) -> Core:
    pipes = tuple(str(p) for p in raw["pipes"])
    entries = {"tile": {"pipes": [], "latency": 1}, **raw["kinds"]}  # few have a matrix unit
    unknown = set(entries) ^ set(KINDS)
    assert not unknown, (raw["name"], unknown)
    kinds = {}
    for kind, entry in entries.items():
        at = tuple(pipes.index(p) for p in entry["pipes"])
        latency = float(entry["latency"])
        work = Work(at, latency, float(entry.get("busy", 1)), float(entry.get("chain", latency)))
        kinds[cast("Kind", kind)] = work
    rest = {key: value for key, value in raw.items() if key not in ("pipes", "kinds", "names", "sources")}
    return Core(pipes=pipes, kinds=kinds, names=tuple(raw["names"]), sources=tuple(raw["sources"]), **rest)


def core_of(board: Board) -> tuple[Core, BoardCore | None]:
    """Give the core that a board's code is for, and what the board says of it: the one that LLVM's name for the
    processor stands for, else the board's fastest; a generic core of the architecture where none is known. Code for a
    matrix unit is for a core that has one.
    """
    compiler = board.compiler
    assert compiler is not None
    found, own = _core_of(board, compiler)
    if "+amx-tile" in compiler.features and not found.kinds["tile"].pipes:
        return cores()["sapphire-rapids"], own
    return found, own


def _core_of(board: Board, compiler: Compiler) -> tuple[Core, BoardCore | None]:
    wanted = compiler.cpu.lower()
    own = sorted(board.cores, key=lambda c: -(c.clock_mhz.value if c.clock_mhz else 0))
    for each in own:
        if (found := _named(each.name)) is not None and wanted in (n.lower() for n in found.names):
            return found, each
    for each in own:
        if (found := _named(each.name)) is not None:
            return found, each
    if (found := _named(wanted)) is not None:
        return found, own[0] if own else None
    return cores()[_generic(compiler.triple, compiler.vector_bits)], own[0] if own else None


def _named(name: str) -> Core | None:
    text = name.lower()
    matches = [(len(n), core) for core in cores().values() for n in core.names if n.lower() in text]
    return max(matches, key=lambda each: each[0])[1] if matches else None


def _generic(triple: str, vector_bits: int) -> str:
    arch = triple.split("-", 1)[0]
    if arch in ("x86_64", "amd64"):
        return "generic-avx512" if vector_bits >= 512 else "generic-avx2"
    if arch.startswith("armv7"):
        return "cortex-a53"
    return "spacemit-x60" if arch.startswith("riscv") else "cortex-a72"

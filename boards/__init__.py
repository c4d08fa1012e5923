"""Boards as data: one TOML file each, checked against a schema, every figure with its source.

``load("pynq-z2")`` gives a frozen ``Board``; ``names()`` and ``boards()`` what there is; ``parse`` reads a text.
"""

import sys
from types import ModuleType

from .catalogue import boards, load, names, parse
from .model import (
    Accelerator,
    Board,
    Cache,
    Clock,
    Compiler,
    CompilerKind,
    Core,
    Figure,
    Fpga,
    FpgaVendor,
    Gpu,
    HlsBackend,
    Kind,
    Memory,
    Peak,
    Region,
    Resources,
    Synthesis,
    ToolPart,
)

__all__ = [
    "Accelerator", "Board", "Cache", "Clock", "Compiler", "CompilerKind", "Core", "Figure", "Fpga", "FpgaVendor", "Gpu",
    "HlsBackend", "Kind", "Memory", "Peak", "Region", "Resources", "Synthesis", "ToolPart", "boards", "load", "names",
    "parse",
]  # fmt: skip


class _Boards(ModuleType):
    """The package is a function too, as importing it puts it where ``gatewright.boards`` is looked up."""

    def __call__(self) -> dict[str, Board]:
        """Give every board, by name."""
        return boards()


sys.modules[__name__].__class__ = _Boards

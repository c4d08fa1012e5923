"""Boards as data: one TOML file each, checked against a schema, every figure with its source.

``load("pynq-z2")`` gives a frozen ``Board``; ``names()`` and ``boards()`` what there is; ``parse`` reads a text.
"""

from .catalogue import boards, load, names, parse
from .model import (
    Accelerator,
    Board,
    Cache,
    Clock,
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
    "Accelerator", "Board", "Cache", "Clock", "Core", "Figure", "Fpga", "FpgaVendor", "Gpu", "HlsBackend", "Kind",
    "Memory", "Peak", "Region", "Resources", "Synthesis", "ToolPart", "boards", "load", "names", "parse",
]  # fmt: skip

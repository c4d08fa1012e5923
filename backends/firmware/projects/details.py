"""What the files of a project are filled with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..memory_map import MemoryMap
from ..toolchain import COMMON, OPTIMIZE, WARNINGS, Toolchain


@dataclass(frozen=True)
class Details:
    """``described``: what the project says of its network; the board's memory; the flags of the board's core."""

    described: Mapping[str, Any]
    places: MemoryMap
    tools: Toolchain

    @property
    def name(self) -> str:
        """The network's name in C."""
        name: str = self.described["name"]
        return name

    @property
    def optimize(self) -> str:
        """What tells compilers how fast or small code is to be."""
        return OPTIMIZE[self.described["code"]]

    def fill(self, text: str) -> str:
        """Put this project's words in the places that a text holds open: @name@, @board@, ..."""
        words = {
            "name": self.name, "upper": self.name.upper(), "dashed": self.name.replace("_", "-"),
            "board": self.described["board"], "arena": f"{self.described['arena_bytes']:,}",
            "arena_bytes": str(self.described["arena_bytes"]), "cpu": self.described["cpu"],
            "gcc": self.tools.gcc_name, "gcc_flags": " ".join(self.tools.gcc), "zig_flags": " ".join(self.tools.zig),
            "optimize": self.optimize, "common": " ".join(COMMON), "warnings": " ".join(WARNINGS),
        }  # fmt: skip
        return re.sub(r"@(\w+)@", lambda match: words[match[1]], text)

"""The cores that can be emulated, and by what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ....boards import Board, Compiler
from ....graph import UnsupportedError
from ....graph.errors import unknown
from . import riscv, thumb
from .image import Arch
from .kinds import Instruction

Decoder = Callable[[bytes, int, int], Instruction]


@dataclass(frozen=True)
class Core:
    """A core by its name. ``model``: what unicorn calls it, "" where it has none; ``machines``: QEMU's machine, and its
    processor where it is not the machine's own; ``aligned``: whether an access to an address that is no multiple of its
    size is a fault.

    Unicorn has no Cortex-M0+: its code runs on the M0, whose instructions are the same.
    """

    name: str
    arch: Arch
    model: str
    machine: str
    processor: str = ""
    aligned: bool = False

    @property
    def decode(self) -> Decoder:
        """The decoder of its instructions."""
        return thumb.decode if self.arch == "arm" else riscv.decode


CORES: Mapping[str, Core] = {
    c.name: c
    for c in (
        Core("cortex-m0", "arm", "UC_CPU_ARM_CORTEX_M0", "mps2-an385", aligned=True),
        Core("cortex-m0plus", "arm", "UC_CPU_ARM_CORTEX_M0", "mps2-an385", aligned=True),
        Core("cortex-m3", "arm", "UC_CPU_ARM_CORTEX_M3", "mps2-an385"),
        Core("cortex-m4", "arm", "UC_CPU_ARM_CORTEX_M4", "mps2-an386"),
        Core("cortex-m7", "arm", "UC_CPU_ARM_CORTEX_M7", "mps2-an500"),
        Core("cortex-m33", "arm", "UC_CPU_ARM_CORTEX_M33", "mps2-an505"),
        Core("cortex-m55", "arm", "", "mps3-an547"),
        Core("cortex-m85", "arm", "", "mps3-an547"),
        Core("rv32imc", "riscv", "UC_CPU_RISCV32_ANY", "virt", "rv32", aligned=True),
        Core("rv32imac", "riscv", "UC_CPU_RISCV32_ANY", "virt", "rv32", aligned=True),
    )
}
"""Cores by name: those of Arm as LLVM spells them, those of RISC-V by their instruction set."""


def core(name: str) -> Core:
    """Find a core. Raises OptionError with the near miss."""
    if name not in CORES:
        raise unknown("emulated core", name, CORES)
    return CORES[name]


def core_for(compiler: Compiler) -> Core:
    """Give the core that runs what a board's compiler is told to make. Raises OptionError, UnsupportedError."""
    if compiler.cpu != "generic-rv32":
        return core(compiler.cpu)
    have = {word[1:] for word in compiler.features if word.startswith("+")}
    if beyond := sorted(have - {"m", "a", "c", "f", "d", "zicsr", "zifencei", "zmmul", "zca", "zaamo", "zalrsc"}):
        what = f"the emulated RISC-V core has no {', '.join(beyond)}"
        raise UnsupportedError(what, hint="a board file without these features")
    return core("rv32imac" if "a" in have else "rv32imc")


def core_of(board: Board) -> Core:
    """Give the core of a board. Raises OptionError, UnsupportedError."""
    if board.compiler is None:
        hint = next((n for n in board.notes if n.startswith("no firmware")), "")
        raise UnsupportedError(f"no core of board {board.name} is emulated", hint=hint)
    return core_for(board.compiler)

"""Instruction sets: how each is read for counting, and what it looks like to a pipeline."""

import re
from dataclasses import dataclass

from ..control import Reader
from ..micro import Lens
from . import arm32, arm64, riscv, x86
from .arm32_micro import Arm32Micro
from .arm64_micro import Arm64Micro
from .riscv_micro import RiscVMicro
from .x86_micro import X86Micro


@dataclass(frozen=True)
class InstructionSet:
    """``jumps``: mnemonics that end a block; ``pointer``: how far apart pretended addresses stand."""

    jumps: re.Pattern[str]
    reader: Reader
    lens: Lens
    pointer: int = 1 << 33


def instruction_set(triple: str, features: tuple[str, ...] = ()) -> InstructionSet:
    """Give the instruction set of an LLVM triple."""
    arch = triple.split("-", 1)[0]
    if arch in ("x86_64", "amd64"):
        return InstructionSet(x86.JUMPS, x86.X86(), X86Micro())
    if arch in ("aarch64", "arm64"):
        apple = "apple" in triple
        return InstructionSet(arm64.JUMPS, arm64.AppleArm64() if apple else arm64.Arm64(), Arm64Micro())
    if arch.startswith("armv7"):
        return InstructionSet(arm32.JUMPS, arm32.Arm32(), Arm32Micro(), 1 << 24)
    bits = max((int(m[1]) for f in features if (m := re.match(r"^\+zvl(\d+)b$", f))), default=128)
    return InstructionSet(riscv.JUMPS, riscv.RiscV(bits), RiscVMicro(bits))


__all__ = ["InstructionSet", "instruction_set"]

"""Emulated cores: an image runs as on the device, every instruction is counted, faults say where.

``Image.read`` reads what the linker wrote, ``Emulator`` calls its functions, ``emulate`` does all in one go.
"""

from .cores import CORES, Core, core, core_for, core_of
from .counts import Counts, FunctionCount
from .emulation import Result, emulate
from .image import Image, Symbol
from .kinds import Mix
from .qemu import QemuResult, find_qemu, run_qemu
from .run import Emulator, FaultError
from .stack import StackBound, stack_bound

__all__ = [
    "CORES", "Core", "Counts", "Emulator", "FaultError", "FunctionCount", "Image", "Mix", "QemuResult", "Result",
    "StackBound", "Symbol", "core", "core_for", "core_of", "emulate", "find_qemu", "run_qemu", "stack_bound",
]  # fmt: skip

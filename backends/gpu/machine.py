"""What schedules know of a graphics processor."""

import os
from dataclasses import dataclass

from ...boards import Board
from ...graph import OptionError
from ..loops.machine import Dot, Machine
from ..loops.widths import WIDTHS, is_float

UNITS = 8
"""Multiprocessors of a board that does not say how many it has."""
SHARED = {"cuda": 48 << 10, "opencl": 32 << 10, "metal": 32 << 10, "webgpu": 16 << 10}
"""Bytes of shared memory that every device of a language grants a block (its standard's least, or its default)."""
THREADS = 256
"""Threads of a block that every device of every language can run."""
WIDEST_GRID = 65535
"""Blocks along one axis that every language allows (WebGPU's maxComputeWorkgroupsPerDimension)."""


@dataclass(frozen=True)
class GpuMachine(Machine):
    """``language``: what kernels are written in; ``device``: CUDA's name of the processor, "" elsewhere; ``units``: how
    many blocks run at the same time at least.
    """

    language: str = "cuda"
    device: str = ""
    units: int = UNITS

    @property
    def capability(self) -> int:
        """CUDA's compute capability times ten, 0 elsewhere."""
        digits = "".join(c for c in self.device if c.isdigit())
        return int(digits) if digits else 0

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory that a block may have."""
        return SHARED[self.language]

    @property
    def tensor_cores(self) -> bool:
        """Whether there are instructions for products of 8-bit matrices."""
        return self.capability >= 75

    @property
    def whole_pieces(self) -> bool:
        """Whether one of them multiplies 16 x 32 by 32 x 8 (else 8 x 16 by 16 x 8)."""
        return self.capability >= 80

    @property
    def narrow_storage(self) -> bool:
        """Whether memory can be read and written in integers of fewer than 32 bits."""
        return self.language != "webgpu"

    def held(self, dtype: str) -> str:
        """Keep numbers of fewer than 32 bits in 32, where there are no narrower ones."""
        if self.narrow_storage or WIDTHS[dtype] >= 32:
            return dtype
        return "float32" if is_float(dtype) else "int32"

    @property
    def wide_operands(self) -> bool:
        """What is read goes to shared memory, converted once."""
        return False

    def dot_for_bytes(self) -> Dot:
        """Four products of signed bytes at once."""
        return Dot.SDOT if self.narrow_storage else Dot.WIDE

    def dot_for_words(self) -> Dot:
        """One product at once."""
        return Dot.WIDE

    @property
    def alignment(self) -> int:
        """What parts of a buffer that OpenCL and WebGPU hand to a kernel begin at multiples of."""
        return 256

    @property
    def doubles(self) -> bool:
        """Metal and WGSL have floats of 32 bits only."""
        return self.language in ("cuda", "opencl")

    @property
    def few_steps(self) -> bool:
        """A launch takes microseconds."""
        return True

    @property
    def borders(self) -> bool:
        """To ask costs less than a launch that fills a border."""
        return False

    @property
    def step_bytes(self) -> int:
        """As ``alignment``: a launch reads its own step."""
        return self.alignment


def machine_of(board: Board) -> GpuMachine:
    """Give what the schedules know of a board's graphics processor. Raises OptionError for a board without one."""
    found = board.compiler
    if found is None or found.kind not in SHARED:
        what = f"board {board.name} has no graphics processor"
        raise OptionError(what, hint="gatewright boards lists boards of kind gpu")
    units = board.gpu.compute_units.value if board.gpu is not None and board.gpu.compute_units else UNITS
    return GpuMachine(found.triple, vector_bits=0, language=found.kind, device=found.arch, units=int(units))


def not_here(wanted: GpuMachine) -> str | None:
    """Say why this machine does not run what is compiled for a graphics processor, emulated at least."""
    return None if os.name == "posix" else f"kernels in {wanted.language} are emulated on Linux and macOS only"

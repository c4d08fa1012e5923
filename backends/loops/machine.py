"""What the schedules know of a processor: its vectors, and how it multiplies small integers."""

from dataclasses import dataclass, replace
from enum import StrEnum

from .layout import Layout

IMPLIED = {
    "x86-64-v3": ("avx", "avx2", "f16c", "fma"),
    "x86-64-v4": ("avx", "avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512vl", "avx512dq"),
    "cortex-a76": ("neon", "dotprod"),
    "cortex-a78": ("neon", "dotprod"),
    "cortex-m4": ("dsp",),
    "cortex-m7": ("dsp",),
    "cortex-m33": ("dsp",),
    "cortex-m55": ("dsp",),
    "cortex-m85": ("dsp",),
}
"""Features that an LLVM processor name brings with it, as far as the schedules ask."""


class Dot(StrEnum):
    """How products of small integers are summed."""

    VNNI = "vnni"
    """u8 x s8, four to a lane of 32 bits (x86 vpdpbusd)"""
    AMX = "amx"
    """bytes of any sign, four to a lane, in tiles of 16 rows by 64 bytes (x86 tdpbusd and the like)"""
    AMX_BF16 = "amx-bf16"
    """bfloat16, two to a lane, in tiles as those of bytes are (x86 tdpbf16ps)"""
    SDOT = "sdot"
    """s8 x s8, four to a lane (Armv8.2 dot product)"""
    MMLA = "mmla"
    """s8 x s8, two rows by two columns to a vector, eight products to each of its four lanes (Armv8.6 smmla)"""
    PAIRS = "pairs"
    """s16 x s16, two to a lane (x86 vpmaddwd, vpdpwssd)"""
    DUAL = "dual"
    """s16 x s16, two to a register of 32 bits (Arm SMLAD)"""
    ACROSS = "across"
    """s8 x s8 or s16 x s16, those of all lanes of a vector into one register (Arm VMLADAVA)"""
    WIDE = "wide"
    """integers of 32 bits, one to a lane"""
    LONG = "long"
    """integers of 64 bits"""
    FLOAT = "float"
    """float32, one to a lane"""


GROUP = {
    Dot.VNNI: 4, Dot.AMX: 4, Dot.AMX_BF16: 2, Dot.SDOT: 4, Dot.MMLA: 8, Dot.PAIRS: 2, Dot.DUAL: 2, Dot.ACROSS: 1,
    Dot.WIDE: 1, Dot.LONG: 1, Dot.FLOAT: 1,
}  # fmt: skip
"""How many products one lane sums at once."""


@dataclass(frozen=True)
class Machine:
    """``triple``, ``cpu``, ``features`` and ``abi`` as LLVM spells them; ``vector_bits``: width of the vectors.

    ``packed``: weights of at most four bits lie several to a word, and kernels take them apart (without vectors only).
    """

    triple: str
    cpu: str = ""
    features: tuple[str, ...] = ()
    vector_bits: int = 128
    abi: str = ""
    packed: bool = False

    def has(self, feature: str) -> bool:
        """Whether the instruction set has a feature."""
        if f"-{feature}" in self.features:
            return False
        return f"+{feature}" in self.features or feature in IMPLIED.get(self.cpu, ())

    def runs_on(self, other: "Machine") -> bool:
        """Whether another machine has the system and all that the code compiled for this one uses."""
        levels = ("", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
        if self.arch != other.arch or self.system != other.system:
            return False
        if self.is_x86 and (self.cpu not in levels or other.cpu not in levels):
            return self.cpu == other.cpu
        if self.is_x86 and levels.index(self.cpu) > levels.index(other.cpu):
            return False
        return all(other.has(f.removeprefix("+")) for f in self.features if f.startswith("+"))

    @property
    def arch(self) -> str:
        """The first word of the triple."""
        return self.triple.split("-", 1)[0]

    @property
    def system(self) -> str:
        """The system that the triple names, where its libraries are not those of others; "" where it names none."""
        words = {"android": "android", "ios": "ios", "macos": "macos", "darwin": "macos", "linux": "linux"}
        return next((system for word, system in words.items() if word in self.triple), "")

    @property
    def is_x86(self) -> bool:
        """Whether it is an x86-64."""
        return self.arch in ("x86_64", "amd64")

    @property
    def lanes(self) -> int:
        """How many numbers of 32 bits a vector holds."""
        return max(1, self.vector_bits // 32)

    @property
    def helium(self) -> bool:
        """Whether there are Arm's vectors for M cores (MVE): of 128 bits, integers of up to 32."""
        return self.has("mve") or self.has("mve.fp")

    @property
    def widths(self) -> tuple[int, ...]:
        """How many lanes kernels are written with, the best first: each is taken where all operations have it."""
        return (4, 1) if self.helium else tuple(dict.fromkeys((self.lanes, 1)))

    @property
    def registers(self) -> int:
        """How many vector registers there are."""
        if self.is_x86:
            return 32 if self.vector_bits >= 512 or self.has("avx512vl") else 16
        return 16 if self.arch.startswith(("armv7", "thumb")) else 32

    @property
    def vnni(self) -> bool:
        """Whether vpdpbusd exists at the vectors' width."""
        return self.is_x86 and self.has("avx512vnni" if self.vector_bits >= 512 else "avxvnni")

    @property
    def amx(self) -> bool:
        """Whether there are tiles of bytes, which Linux grants to a process that asks, and the vectors for the rest."""
        return self.vnni and self.vector_bits >= 512 and self.system == "linux" and self.has("amx-int8")

    @property
    def mmla(self) -> bool:
        """Whether there are products of two rows of bytes by two columns."""
        return self.arch.startswith(("aarch64", "arm64")) and self.vector_bits == 128 and self.has("i8mm")

    @property
    def unsigned_bytes(self) -> bool:
        """Whether bytes are best kept without sign."""
        return self.vnni

    def stored(self, layout: Layout) -> Layout:
        """Give a layout as memory of the machine can have it."""
        return replace(layout, dtype=self.held(layout.dtype))

    @property
    def doubles(self) -> bool:
        """Whether there are floats of 64 bits."""
        return True

    @property
    def fuses(self) -> bool:
        """Whether LLVM has an instruction for a product and a sum of floats that are rounded once."""
        if self.is_x86:
            return self.cpu in ("x86-64-v3", "x86-64-v4") or self.has("fma")
        return not self.bare and self.arch.startswith(("aarch64", "arm64"))

    @property
    def reciprocals(self) -> bool:
        """Whether a quotient of vectors is best computed from an estimate of the divisor's reciprocal."""
        return self.is_x86 and self.vector_bits >= 512

    @property
    def few_steps(self) -> bool:
        """Whether a step costs so much that it pays to do little things again instead."""
        return False

    @property
    def borders(self) -> bool:
        """Whether cells of zeros stand around what a window reads, so that nothing is asked in the loops."""
        return True

    @property
    def step_bytes(self) -> int:
        """Bytes to a multiple of which the steps of a sequence begin."""
        return 1

    def held(self, dtype: str) -> str:
        """Give the type in which memory of the machine has numbers of a type."""
        return dtype

    @property
    def wide_operands(self) -> bool:
        """Whether products read floats of 32 bits: each is read for many filters, and would be converted anew."""
        return True

    @property
    def converts_halves(self) -> bool:
        """Whether there are instructions between float16 and float32, of vectors too."""
        if self.is_x86:
            return self.has("f16c")
        return self.arch.startswith(("aarch64", "arm64"))

    def dot_for_bytes(self) -> Dot:
        """Give how bytes are multiplied by bytes."""
        if self.vnni:
            return Dot.VNNI
        if self.arch.startswith(("aarch64", "arm64")) and self.has("dotprod"):
            return Dot.SDOT
        return self.dot_for_words()

    def dot_for_words(self) -> Dot:
        """Give how integers of 16 bits are multiplied."""
        return Dot.PAIRS if self.is_x86 else Dot.WIDE

    @property
    def bare(self) -> bool:
        """Whether there is no operating system, and memory is counted in kilobytes."""
        return self.arch.startswith(("thumb", "riscv32")) or self.triple.endswith(("-none", "-none-eabi", "-none-elf"))

    @property
    def alignment(self) -> int:
        """Bytes that the address of every tensor is a multiple of."""
        return 8 if self.bare else 64

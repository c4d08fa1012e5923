"""What the C compilers have to be told about a core: zig's (clang), arm-none-eabi-gcc, a RISC-V gcc."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...graph import OptionError, unknown
from ..loops.machine import Machine

ARM: Mapping[str, str] = {
    "cortex-m0": "", "cortex-m0plus": "", "cortex-m1": "", "cortex-m3": "", "cortex-m23": "",
    "cortex-m4": "fpu", "cortex-m7": "fpu", "cortex-m33": "fpu", "cortex-m35p": "fpu", "cortex-m52": "fpu",
    "cortex-m55": "fpu", "cortex-m85": "fpu",
}  # fmt: skip
"""Arm's M cores, and whether they can have floating point."""
SMALL = ("cortex-m0", "cortex-m0plus", "cortex-m1", "cortex-m23")
"""Cores with little flash: clang would make their code a third larger, for 3 % of the instructions."""
HELIUM = ("cortex-m52", "cortex-m55", "cortex-m85")
"""Cores with vectors. Those that clang finds by itself it may load from wrong places: where it makes gathers of a loop
whose counter has other uses, its pass arm-mve-gather-scatter-lowering (seen in LLVM 22) moves an addition into the
counter, and the loop ends elsewhere. The vectors that kernels are written with are not touched by it.
"""
RISCV = ("generic-rv32", "rocket-rv32", "sifive-e20", "sifive-e21", "sifive-e24", "sifive-e31", "sifive-e34")
"""RISC-V cores that clang knows; extensions of the first are the board's ``features``."""
ARM_FEATURES: Mapping[str, str] = {
    "dsp": "dsp", "mve": "mve", "mve.fp": "mve.fp", "fp64": "fp.dp", "vfp4d16sp": "fp", "fp-armv8d16sp": "fp",
    "fp-armv8d16": "fp.dp", "fpregs": "fp", "pacbti": "pacbti", "cdecp0": "", "lob": "", "fullfp16": "",
}  # fmt: skip
"""Features of LLVM that boards may name, and the gcc extension that ``-`` takes away ("": gcc has none)."""
RISCV_FEATURES = (
    "m", "a", "f", "d", "c", "zba", "zbb", "zbc", "zbs", "zbkb", "zca", "zcb", "zcmp", "zcmt", "zicsr", "zifencei",
    "zmmul",
)  # fmt: skip
OPTIMIZE = {"fastest": "-O2", "smallest": "-Os"}
"""What tells compilers whether code is to be fast or small."""
COMMON = ("-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")


@dataclass(frozen=True)
class Toolchain:
    """Flags that choose a core: for ``zig cc``, for gcc; ``gcc_name`` is that compiler's usual name."""

    zig: tuple[str, ...]
    gcc: tuple[str, ...]
    gcc_name: str
    arm: bool


def toolchain(machine: Machine) -> Toolchain:
    """Give the flags of a core. Raises OptionError for a core or a feature that compilers do not know."""
    if machine.arch.startswith("thumb"):
        return _arm(machine)
    if machine.arch.startswith("riscv32"):
        return _riscv(machine)
    hint = "thumbv6m-none-eabi, thumbv7em-none-eabihf, riscv32-none-elf, ..."
    raise OptionError(f"no firmware for the triple {machine.triple!r}", hint=hint)


def _arm(machine: Machine) -> Toolchain:
    if machine.cpu not in ARM:
        raise unknown("core", machine.cpu, tuple(ARM))
    _check(machine.features, tuple(ARM_FEATURES))
    hard = machine.triple.endswith("hf")
    if hard and not ARM[machine.cpu]:
        what = f"{machine.cpu} has no floating point, which the triple {machine.triple!r} asks for"
        raise OptionError(what, hint=f"triple = {machine.triple.removesuffix('hf')!r}")
    words = "".join(f"{word[0]}{word[1:].replace('.', '_').replace('-', '_')}" for word in machine.features)
    less = "".join(f"+no{ARM_FEATURES[w[1:]]}" for w in machine.features if w[0] == "-" and ARM_FEATURES[w[1:]])
    if machine.cpu == "cortex-m7" and "+fp-armv8d16sp" in machine.features:  # compilers take it to have doubles
        words, less = f"{words}-fp64", f"{less}+nofp.dp"
    target = ("-target", f"thumb-freestanding-eabi{'hf' if hard else ''}", f"-mcpu={_zig_name(machine.cpu)}{words}")
    own: tuple[str, ...] = ("-fno-unroll-loops",) if machine.cpu in SMALL else ()
    own += ("-fno-vectorize", "-fno-slp-vectorize") if machine.cpu in HELIUM else ()
    return Toolchain(
        (*target, *own),
        ("-mthumb", f"-mcpu={machine.cpu}{less}", f"-mfloat-abi={'hard' if hard else 'soft'}"),
        "arm-none-eabi-gcc",
        True,
    )


def _riscv(machine: Machine) -> Toolchain:
    if machine.cpu not in RISCV:
        raise unknown("core", machine.cpu, RISCV)
    _check(machine.features, RISCV_FEATURES)
    words = "".join(machine.features)
    have = [word[1:] for word in machine.features if word[0] == "+"]
    letters = "".join(c for c in "mafdc" if c in have)
    march = "_".join([f"rv32i{letters}", *(w for w in RISCV_FEATURES if w in have and len(w) > 1)])
    abi = machine.abi or "ilp32"
    return Toolchain(
        ("-target", "riscv32-freestanding-none", f"-mcpu={_zig_name(machine.cpu)}{words}", f"-mabi={abi}"),
        (f"-march={march}", f"-mabi={abi}"),
        "riscv-none-elf-gcc",
        False,
    )


def _zig_name(cpu: str) -> str:
    return cpu.replace("-", "_")


def _check(features: Sequence[str], known: Sequence[str]) -> None:
    for word in features:
        if word[1:] not in known:
            raise unknown("feature of the core", word[1:], known)

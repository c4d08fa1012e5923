"""What LLVM calls a machine: from what the operating system shows of the processor to the compiler's table.

Sources: what Linux writes to /proc/cpuinfo (x86: arch/x86/include/asm/cpufeatures.h, arm64: "ELF hwcaps", RISC-V: the
string "isa"), the levels x86-64-v2 to v4 of the x86-64 psABI, LLVM's names of processors and features.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from .model import Compiler

X86_LEVELS: tuple[tuple[str, frozenset[str], int], ...] = (
    ("x86-64-v4", frozenset(["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]), 512),
    ("x86-64-v3", frozenset(["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]), 256),
    ("x86-64-v2", frozenset(["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"]), 128),
)
"""LLVM's levels of x86, best first, the flags that each adds to the next one, and the width of its vectors."""

X86_FEATURES: Mapping[str, Mapping[str, str]] = {
    "x86-64-v4": {
        "avx512_vnni": "+avx512vnni", "avx512_bf16": "+avx512bf16", "avx512_fp16": "+avx512fp16",
        "avx512vbmi": "+avx512vbmi", "avx512_vbmi2": "+avx512vbmi2", "avx512ifma": "+avx512ifma",
    },
    "x86-64-v3": {
        "avx_vnni": "+avxvnni", "amx_tile": "+amx-tile", "amx_int8": "+amx-int8", "amx_bf16": "+amx-bf16",
    },
}  # fmt: skip
"""What may be there beyond a level, by the level that it needs: the kernel's flag and LLVM's feature."""

ARM64_FEATURES: tuple[tuple[str, str], ...] = (
    ("asimddp", "+dotprod"), ("fphp asimdhp", "+fullfp16"), ("i8mm", "+i8mm"), ("bf16", "+bf16"), ("sve", "+sve"),
    ("sve sve2", "+sve2"),
)  # fmt: skip
"""The kernel's flags, all of which are needed, and LLVM's feature."""

ARM_CORES: Mapping[tuple[str, str], str] = {
    ("0x41", "0xd03"): "cortex-a53", ("0x41", "0xd05"): "cortex-a55", ("0x41", "0xd07"): "cortex-a57",
    ("0x41", "0xd08"): "cortex-a72", ("0x41", "0xd09"): "cortex-a73", ("0x41", "0xd0a"): "cortex-a75",
    ("0x41", "0xd0b"): "cortex-a76", ("0x41", "0xd0d"): "cortex-a77", ("0x41", "0xd41"): "cortex-a78",
    ("0x41", "0xd42"): "cortex-a78ae", ("0x41", "0xd0c"): "neoverse-n1",
}  # fmt: skip
"""Arm's implementer and part numbers; cores with SVE are not here, as kernels hide it, and LLVM's name implies it."""

RISCV_LETTERS = "mafdcv"
RISCV_WORDS = ("zba", "zbb", "zbs", "zfh", "zvfh")
"""Extensions with a longer name that generated code gains by; the length of the vectors, zvl256b, is one as well."""


def compiler_for(system: str, machine: str, processors: Sequence[Mapping[str, str]], *, musl: bool = False) -> Compiler:
    """Give the compiler's table of a machine.

    Args:
        system: the operating system as ``platform.system()`` says it: "Linux", "Darwin", "Windows".
        machine: the architecture as ``platform.machine()`` says it: "x86_64", "aarch64", "arm64", "riscv64".
        processors: the entries of /proc/cpuinfo, one mapping a logical processor; empty where there are none.
        musl: on Linux, whether programs are linked with musl instead of glibc.

    """
    first = processors[0] if processors else {}
    flags = frozenset((first.get("flags") or first.get("Features") or "").split())
    name = machine.lower()
    if name in ("x86_64", "amd64"):
        return _x86(_triple(system, "x86_64", musl), flags)
    if name in ("aarch64", "arm64"):
        arch = "arm64" if system == "Darwin" else "aarch64"
        return _arm64(_triple(system, arch, musl), flags, processors)
    if name == "riscv64":
        return _riscv(_triple(system, name, musl), first.get("isa", ""))
    if re.fullmatch(r"armv[78]l", name):
        neon = "neon" in flags or "asimd" in flags
        return _plain(_triple(system, "armv7", musl) + "eabihf", ("+neon",) if neon else (), 128 if neon else 0)
    arch = {"ppc64le": "powerpc64le", "ppc64": "powerpc64"}.get(name, re.sub(r"[^a-z0-9_.]", "", name) or "unknown")
    return _plain(_triple(system, arch, musl))


def _plain(triple: str, features: tuple[str, ...] = (), vector_bits: int = 0) -> Compiler:
    return Compiler(kind="llvm", triple=triple, cpu="generic", features=features, vector_bits=vector_bits)


def _triple(system: str, arch: str, musl: bool) -> str:
    endings = {"Linux": f"linux-{'musl' if musl else 'gnu'}", "Darwin": "apple-macos", "Windows": "pc-windows-msvc"}
    return f"{arch}-{endings.get(system, 'unknown')}"


def _x86(triple: str, flags: frozenset[str]) -> Compiler:
    cpu, bits, known = "x86-64", 128, list[str]()
    for level, added, width in reversed(X86_LEVELS):
        if not added <= flags:
            break
        cpu, bits = level, width
        known.append(level)
    possible = (pair for level, words in X86_FEATURES.items() if level in known for pair in words.items())
    features = tuple(feature for flag, feature in possible if flag in flags)
    return Compiler(kind="llvm", triple=triple, cpu=cpu, features=features, vector_bits=bits)


def _arm64(triple: str, flags: frozenset[str], processors: Iterable[Mapping[str, str]]) -> Compiler:
    found = {ARM_CORES.get((each.get("CPU implementer", ""), each.get("CPU part", ""))) for each in processors}
    core = found.pop() if len(found) == 1 else None
    # every Mac with an arm64 processor is an M1 or what came after it
    cpu = core or ("apple-m1" if triple.endswith("apple-macos") else "generic")
    features = tuple(feature for needed, feature in ARM64_FEATURES if set(needed.split()) <= flags)
    return Compiler(kind="llvm", triple=triple, cpu=cpu, features=features, vector_bits=128)


def _riscv(triple: str, isa: str) -> Compiler:
    base, *words = isa.lower().split("_")
    letters = base.removeprefix("rv64").replace("g", "imafd")
    names = [letter for letter in RISCV_LETTERS if letter in letters]
    lengths = [int(found[1]) for word in words if (found := re.fullmatch(r"zvl(\d+)b", word))]
    bits = max([128, *lengths]) if "v" in names else 0
    names += [word for word in RISCV_WORDS if word in words]
    names += [f"zvl{bits}b"] if bits > 128 else []
    abi = "lp64d" if "d" in names else "lp64f" if "f" in names else "lp64"
    return Compiler(
        kind="llvm", triple=triple, cpu="generic-rv64", features=tuple(f"+{name}" for name in names),
        abi=abi, vector_bits=bits,
    )  # fmt: skip

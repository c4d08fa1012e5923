"""Which targets libraries are made for, what zig calls them, and whether LLVM knows what a board file says of them."""

from dataclasses import dataclass
from functools import cache

from ...graph import GatewrightError, OptionError, UnsupportedError
from ...graph.errors import unknown
from ..loops.machine import Machine

ARCHITECTURES = {
    "x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64", "armv7": "arm", "armv7a": "arm",
    "riscv64": "riscv64",
}  # fmt: skip
"""First words of triples, and zig's for them."""
KNOWN = (
    "x86_64-linux-gnu, aarch64-linux-gnu, armv7-linux-gnueabihf, riscv64-linux-gnu, aarch64-linux-android, "
    "arm64-apple-ios, arm64-apple-macos"
)
VECTORS = (0, 128, 256, 512)
"""The widths of vectors that kernels are written for."""
X86_VECTORS = {256: "avx2", 512: "avx512bw"}
"""What x86 needs for the instructions that kernels name at a width."""
LLVM_OPTIONS = ("-enable-tbaa=false", "-vectorizer-min-trip-count=0")
"""The second one: short loops are not made vectors with a mask for the last one. (LLVM 22 writes a narrowed vector
whole where the mask is a constant: beyond the end of what it belongs to.)"""
NAMES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm": "armv7", "riscv64": "riscv64"}


@dataclass(frozen=True)
class Platform:
    """The system of a target: ``arch`` as zig spells it, ``system`` "linux", "android", "ios" or "macos"."""

    arch: str
    system: str

    @property
    def apple(self) -> bool:
        """Whether objects are Mach-O."""
        return self.system in ("ios", "macos")

    @property
    def machine(self) -> str:
        """The architecture as people call it: x86_64, aarch64, armv7, riscv64."""
        return NAMES[self.arch]

    @property
    def zig(self) -> str:
        """The target for zig; without a C library, of which nothing but functions is used."""
        match self.system:
            case "ios":
                return f"{self.arch}-ios.15.0"
            case "macos":
                return f"{self.arch}-macos.11.0"
            case "android":
                return f"{self.arch}-linux-android"
        return f"{self.arch}-linux-none"

    @property
    def library(self) -> str:
        """How the name of a shared library ends."""
        return "dylib" if self.apple else "so"

    @property
    def math_library(self) -> str:
        """What the loader calls the library of mathematical functions."""
        return "libm.so" if self.system == "android" else "libm.so.6"


def platform(triple: str) -> Platform:
    """Read a triple. Raises UnsupportedError for one that no libraries are made for."""
    first, *rest = triple.split("-")
    arch, system = ARCHITECTURES.get(first), _system(rest)
    if arch is None or not system or (system in ("ios", "macos") and arch == "arm"):
        raise UnsupportedError(f"no library can be made for {triple!r}", where="triple", hint=f"known: {KNOWN}")
    return Platform(arch, system)


def _system(words: list[str]) -> str:
    for word in words:
        for start, system in (("android", "android"), ("ios", "ios"), ("macos", "macos"), ("darwin", "macos")):
            if word.startswith(start):
                return system
    return "linux" if "linux" in words else ""


def check_machine(machine: Machine) -> None:
    """Raise OptionError for a processor or a feature that LLVM does not know (it would only print a warning)."""
    platform(machine.triple)
    query = _queries()
    if machine.cpu and not query.valid(machine.cpu, machine.triple):
        raise unknown("processor", machine.cpu, query.processors(machine.triple), where=machine.triple)
    for feature in machine.features:
        name = feature[1:]
        if feature[:1] not in ("+", "-") or not name:
            raise OptionError(
                f"the feature {feature!r} has no sign", where=machine.triple, hint="+ or - in front of it"
            )
        if name not in features(machine.triple) and name not in query.features(machine.triple, f"+{name}"):
            raise unknown("processor feature", name, features(machine.triple), where=machine.triple)
    _check_vectors(machine, query)


def _check_vectors(machine: Machine, query: "_Queries") -> None:
    """Raise OptionError for vectors that kernels are not written for, or that LLVM would give up on."""
    bits = machine.vector_bits
    if bits not in VECTORS:
        hint = f"one of {', '.join(map(str, VECTORS))}; code with narrower vectors runs on wider ones too"
        raise OptionError(f"vector_bits = {bits}", where=machine.triple, hint=hint)
    needed = X86_VECTORS.get(bits) if machine.is_x86 else None
    if needed and needed not in query.features(machine.triple, *machine.features, cpu=machine.cpu):
        what = f"vectors of {bits} bits need {needed}, which {' '.join([machine.cpu, *machine.features])} has not"
        raise OptionError(what, where=machine.triple, hint="narrower vector_bits, or another cpu")


class _Queries:
    """What TVM's LLVM can be asked."""

    def __init__(self) -> None:
        from .load import tvm

        self.target, self.find = tvm.target.Target, tvm.get_global_func

    def processors(self, triple: str) -> list[str]:
        target = self.target({"kind": "llvm", "mtriple": triple})
        return [str(name) for name in self.find("target.llvm_get_cpu_archlist")(target)]

    def valid(self, cpu: str, triple: str) -> bool:
        return bool(self.find("target.llvm_is_valid_cpu")(cpu, triple))

    def features(self, triple: str, *wanted: str, cpu: str = "") -> set[str]:
        target: dict[str, object] = {"kind": "llvm", "mtriple": triple, **({"mcpu": cpu} if cpu else {})}
        if wanted:
            target["mattr"] = list(wanted)
        return {str(name) for name in self.find("target.llvm_get_cpu_features")(self.target(target))}


@cache
def features(triple: str) -> frozenset[str]:
    """Every feature that some processor of an architecture has."""
    query = _queries()
    return frozenset().union(*(query.features(triple, cpu=name) for name in query.processors(triple)))


@cache
def _queries() -> _Queries:
    try:
        return _Queries()
    except ImportError as error:
        raise missing_tvm(error) from None


def missing_tvm(error: Exception) -> GatewrightError:
    """Say that TVM is not there."""
    what = f"TVM, which makes the machine code, cannot be imported: {error}"
    return GatewrightError(what, hint="pip install 'gatewright[tvm]'")


def llvm_target(machine: Machine) -> dict[str, object]:
    """Give what TVM calls a target."""
    found: dict[str, object] = {"kind": "llvm", "mtriple": machine.triple}
    if machine.cpu:
        found["mcpu"] = machine.cpu
    if machine.features:
        found["mattr"] = list(machine.features)
    if machine.abi:
        found["mabi"] = machine.abi
    if machine.arch.startswith("armv7"):
        found["mfloat-abi"] = "hard"
    return {**found, "cl-opt": list(LLVM_OPTIONS)}

"""From a program to machine code: TVM's LLVM back end for the kernels, ziglang for the driver, the constants, the link.

Everything that is written is the same on every machine and in every directory: no dates, no paths.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..loops.program import Program
from ..zig import BuildError, zig, zig_path
from . import driver
from .objects import Contents, hide, read
from .targets import Platform, check_machine, llvm_target, missing_tvm, platform

LIBC = frozenset({"memcpy", "memset", "memmove"})
LIBM = frozenset(
    f"{name}{kind}"
    for name in (
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "erf", "exp", "exp2",
        "expm1", "fabs", "floor", "fma", "fmod", "log", "log10", "log1p", "log2", "nearbyint", "pow", "rint", "round",
        "roundeven", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    )
    for kind in ("", "f")
)  # fmt: skip
"""Functions of the C library, and of its mathematical part, that a library may leave to others."""
ARM = Path(__file__).with_name("arm.c")
ARM_CALLS = frozenset(
    {"__fixdfdi", "__fixsfdi", "__floatdidf", "__floatdisf"}
    | {f"__{sign}{name}{size}3" for sign in ("", "u") for name in ("div", "mod") for size in ("si", "di")}
)
"""What code for 32-bit Arm may call beside the C library; it is written in arm.c."""
AMX = Path(__file__).with_name("amx.c")
FLAGS = (
    "-O2", "-fPIC", "-g0", "-DNDEBUG", "-std=c99", "-fno-sanitize=all", "-fno-stack-protector", "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
)  # fmt: skip
SHIMS = {
    "assert.h": "#define assert(condition) ((void)0)\n",
    "string.h": (
        "#include <stddef.h>\nvoid *memcpy(void *restrict, const void *restrict, size_t);\n"
        "void *memset(void *, int, size_t);\n"
    ),
}
"""The C library's headers as far as a driver needs them: zig has none for phones."""
FORMS = {"asm": ("asm", "s"), "llvm-ir": ("ll", "ll")}
"""Texts of the kernels: what TVM calls each, and how its file ends."""
_MODULES: "WeakKeyDictionary[Program, dict[str, Any]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Built:
    """A compiled network: libraries and header (``files``), what they are made of (``sources``), for whom."""

    name: str
    platform: Platform
    files: Mapping[str, bytes]
    sources: Mapping[str, bytes]

    @property
    def shared(self) -> bytes:
        """The shared library."""
        return self.files[f"lib{self.name}.{self.platform.library}"]

    @property
    def static(self) -> bytes:
        """The static library."""
        return self.files[f"lib{self.name}.a"]

    @property
    def header(self) -> bytes:
        """The header."""
        return self.files[f"{self.name}.h"]


def build(program: Program, name: str) -> Built:
    """Compile and link a program into a shared and a static library whose C names begin with ``name``.

    Raises what ``compiled`` raises.
    """
    sources, target = compiled(program, name), platform(program.machine.triple)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        lay_out(sources, folder)
        made = _link(folder, name, target)
        return Built(name, target, {**made, f"{name}.h": sources[f"{name}.h"]}, sources)


def lay_out(sources: Mapping[str, bytes], folder: Path) -> None:
    """Write what is linked into a folder, the headers that stand in for a C library's beside it."""
    (folder / "shims").mkdir()
    for path, data in (dict(sources) | {f"shims/{k}": v.encode() for k, v in SHIMS.items()}).items():
        (folder / path).write_bytes(data)


def compiled(program: Program, name: str) -> dict[str, bytes]:
    """Compile the kernels and write the C around them: every file that is linked.

    Raises BuildError where ziglang or TVM is missing or refuses, OptionError for a processor or a feature, and
    UnsupportedError for a system, that is not known.
    """
    zig_path()
    check_machine(program.machine)
    return {
        f"{name}.c": driver.source(program, name).encode(), f"{name}.h": driver.header(program, name).encode(),
        **machine_code(program, name),
    }  # fmt: skip


def machine_code(program: Program, name: str) -> dict[str, bytes]:
    """Compile the kernels and put the constants into assembly: what is linked beside the C. Raises BuildError."""
    target = platform(program.machine.triple)
    kernels = hide(kernels_object(program, name))
    constants = bytes(program.constants) + b"\0" * 64
    sources = {
        "constants.S": _constants(name, target, constants).encode(), "constants.bin": constants, "kernels.o": kernels,
    }  # fmt: skip
    if target.arch == "arm" and ARM_CALLS & set(read(kernels).undefined):
        sources["arm.c"] = ARM.read_bytes()
    if program.tiled:
        sources["amx.c"] = AMX.read_bytes()
    return sources


def kernels_object(program: Program, name: str) -> bytes:
    """Compile the kernels to one object file."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        path = Path(folder) / "kernels.o"
        _generated(program, name).write_to_file(str(path), "o")
        return path.read_bytes()


def kernels_text(program: Program, name: str, form: str) -> str:
    """Give LLVM's assembly of the kernels ("asm"), or its optimised intermediate code ("llvm-ir")."""
    check_machine(program.machine)
    return str(_generated(program, name).inspect_source(FORMS[form][0]))


def _generated(program: Program, name: str) -> Any:
    """Let TVM's LLVM back end make a module of the kernels, once a program.

    The kernels are written with flat memory and explicit vectors: of TVM's passes they need only those that lower
    its own operations. (Its simplifier and search for common subexpressions take minutes on them, and LLVM does both.)
    """
    if (known := _MODULES.get(program, {}).get(name)) is not None:
        return known
    try:
        from .load import tirx, tvm
    except ImportError as error:
        raise missing_tvm(error) from None
    from .tir import module

    target = tvm.target.Target(llvm_target(program.machine))
    mod = module({f"{name}_{k}": f for k, f in program.kernels.items()}, program.machine)
    passes = [tirx.transform.BindTarget(target.with_host(target)), tirx.transform.LowerIntrin()]
    with tvm.transform.PassContext(opt_level=3):
        lowered = tvm.transform.Sequential(passes)(mod)
        made = tvm.get_global_func("target.build.llvm")(lowered, target)
    _MODULES[program] = {name: made}
    return made


def _link(folder: Path, name: str, target: Platform) -> dict[str, bytes]:
    """Make one object of driver, constants and kernels, and both libraries of it."""
    static, shared = f"lib{name}.a", f"lib{name}.{target.library}"
    contents = _object(folder, name, target)
    _check_undefined(contents, target)
    zig(["ar", "rcsD", static, f"{name}.o"], folder)
    _link_shared(folder, name, target, contents)
    return {each: (folder / each).read_bytes() for each in (static, shared)}


def _object(folder: Path, name: str, target: Platform) -> Contents:
    """Make one object of what was laid out: NAME.c, the constants, the kernels and other C."""
    own = [file for file in ("arm.c", "amx.c") if (folder / file).exists()]
    parts = [f"{name}.c", "constants.S", "kernels.o", *own]
    zig(["cc", "-target", target.zig, *FLAGS, "-isystem", "shims", "-c", *parts, "-o", f"{name}.o"], folder)
    return read((folder / f"{name}.o").read_bytes())


def _link_shared(folder: Path, name: str, target: Platform, contents: Contents) -> None:
    common = ["cc", "-target", target.zig]
    more = _stand_ins(folder, common, contents, target)
    zig([*common, *_shared(name, target), f"{name}.o", *more, "-o", f"lib{name}.{target.library}"], folder)


def shared_library(sources: Mapping[str, bytes], name: str, target: Platform) -> bytes:
    """Link a shared library of NAME.c and what ``machine_code`` gives, which may call the C library.

    Raises BuildError.
    """
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        lay_out(sources, folder)
        _link_shared(folder, name, target, _object(folder, name, target))
        return (folder / f"lib{name}.{target.library}").read_bytes()


def _shared(name: str, target: Platform) -> list[str]:
    """Options of the linker for a shared library."""
    own = f"lib{name}.{target.library}"
    if target.apple:
        return ["-dynamiclib", "-nostdlib", "-fPIC", f"-Wl,-install_name,@rpath/{own}", "-Wl,-dead_strip"]
    pages = ["-Wl,-z,max-page-size=16384"] if target.system == "android" else []
    return ["-shared", "-nostdlib", "-fPIC", "-s", "-Wl,--gc-sections", f"-Wl,-soname,{own}", *pages]


def _stand_ins(folder: Path, common: Sequence[str], contents: Contents, target: Platform) -> list[str]:
    """Make what stands for the system's libraries while linking, so that the loader is asked for the real ones."""
    if target.system == "ios" and contents.undefined:
        (folder / "libSystem.tbd").write_text(_text_library(contents, target))
        return ["libSystem.tbd"]
    wanted = sorted(LIBM & set(contents.undefined))
    if target.apple or not wanted:
        return []
    (folder / "math.c").write_text("".join(f"void {function}(void) {{}}\n" for function in wanted))
    flags = ["-shared", "-nostdlib", "-fPIC", "-fno-builtin", f"-Wl,-soname,{target.math_library}"]
    zig([*common, *flags, "math.c", "-o", "libm.so"], folder)
    return ["libm.so"]


def _text_library(contents: Contents, target: Platform) -> str:
    """Describe Apple's library of the system as far as it is used, in Apple's text form; zig has that of macOS only.

    It goes by its other name: zig would take the usual one for the library that it knows already.
    """
    names = ", ".join(["dyld_stub_binder", *(f"_{name}" for name in contents.undefined)])
    return (
        f"--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-{target.system} ]\n"
        "install-name: '/usr/lib/libSystem.dylib'\ncurrent-version: 1\n"
        f"exports:\n  - targets: [ arm64-{target.system} ]\n    symbols: [ {names} ]\n...\n"
    )


def _check_undefined(contents: Contents, target: Platform) -> None:
    left = sorted(set(contents.undefined) - LIBC - LIBM)
    if left:
        raise BuildError(
            f"the machine code calls {', '.join(left)}, which no C library has", where=target.machine,
            hint="please report this",
        )  # fmt: skip


def _constants(name: str, target: Platform, data: bytes) -> str:
    """Assembly that takes the constants in as they are; their hash, so that no cache mistakes one file for another."""
    if target.apple:
        head = [".section __TEXT,__const", ".balign 64", f".globl _{name}_constants",
                f".private_extern _{name}_constants", f"_{name}_constants:"]  # fmt: skip
        tail = []
    else:
        head = ['.section .rodata,"a",%progbits', ".balign 64", f".globl {name}_constants", f".hidden {name}_constants",
                f"{name}_constants:"]  # fmt: skip
        tail = ['.section .note.GNU-stack,"",%progbits']
    return "\n".join([f"/* SHA-256 {sha256(data).hexdigest()} */", *head, '.incbin "constants.bin"', *tail]) + "\n"

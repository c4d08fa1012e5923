"""The emulator of a project as a shared library: compiled by ziglang, kept by content beside the C simulations."""

import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from ....boards import load as load_board
from ....graph import OptionError
from ...hls4ml.compiler import cache_root, keep_newest
from ...zig import BuildError, zig
from .runtime.plan import Plan
from .text import as_cpp

SHIMS = Path(__file__).with_name("shims")
LIBRARY = "library.so"
FLAGS = (
    "-x", "c++", "-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-g0", "-nostdinc++", "-fno-exceptions", "-fno-rtti",
    "-fno-sanitize=all", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-fwrapv", "-ffp-contract=off", "-fsigned-char",
    "-fno-strict-aliasing", "-fvisibility=hidden", "-fno-math-errno",
)  # fmt: skip
"""Integers wrap, as they do on graphics processors."""


def compile_emulator(plan: Plan, sources: Mapping[str, str]) -> Path:
    """Compile the kernels of a plan for this machine; give the library's place.

    Raises BuildError where they are refused, OptionError where this system cannot run them.
    """
    if os.name != "posix":
        raise OptionError("kernels are emulated on Linux and macOS only", hint="--no-verify; run it on the device")
    try:
        text = as_cpp(plan, sources)
    except ValueError as error:
        raise BuildError(str(error), where=", ".join(plan.sources), hint="compile again") from None
    host = load_board("host").compiler
    tuned = ("-march=native",) if host is not None and host.triple.startswith("x86_64") else ()
    flags = (*FLAGS, *tuned)
    key = sha256(repr((flags, host, _version())).encode())
    for data in (text.encode(), *(p.read_bytes() for p in sorted(SHIMS.glob("*.h")))):
        key.update(f"{len(data)} ".encode() + data)
    place = cache_root() / key.hexdigest()[:40] / LIBRARY
    if place.is_file():
        os.utime(place.parent)
        return place
    place.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=place.parent.parent) as name:
        folder = Path(name)
        (folder / "kernels.cpp").write_text(text, encoding="utf-8")
        zig(["cc", *flags, f"-I{SHIMS}", "kernels.cpp", "-lm", "-o", LIBRARY], folder)
        place.parent.mkdir(exist_ok=True)
        (folder / LIBRARY).replace(place)
    keep_newest(place.parent.parent)
    return place


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ziglang")
    except PackageNotFoundError:
        return ""


__all__ = ["compile_emulator"]

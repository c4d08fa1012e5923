"""The compiler and linker of the package ziglang: C for every target, from pip."""

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..graph import GatewrightError


class BuildError(GatewrightError):
    """The compiler refused what was written for it, or is not there; ``log``: all that it said."""

    log = ""


@cache
def zig_path() -> str:
    """Find zig. Raises BuildError where the package is not installed."""
    try:
        import ziglang
    except ImportError as error:
        what = f"ziglang, which compiles and links, cannot be imported: {error}"
        raise BuildError(what, hint="pip install ziglang") from None
    folder = Path(str(ziglang.__file__)).parent
    return str(next((p for p in (folder / "zig", folder / "zig.exe") if p.is_file()), folder / "zig"))


def bare_target(triple: str, cpu: str, features: Sequence[str] = (), abi: str = "") -> tuple[str, ...]:
    """Give the flags of ``zig cc`` for a core without an operating system, from LLVM's words for it.

    Zig writes a processor and its features as one word, ``cortex_m4+dsp``, where a dash takes a feature away; it gives
    a core no features that its name only allows, so the features have to be told.
    """
    arch, _, rest = triple.partition("-")
    arm = arch.startswith("thumb")
    system = f"thumb-freestanding-{'eabihf' if rest.endswith('hf') else 'eabi'}" if arm else f"{arch}-freestanding-none"
    words = "".join(f[0] + f[1:].replace("-", "_").replace(".", "_") for f in features)
    named = cpu.replace("-", "_").replace(".", "_")
    return ("-target", system, f"-mcpu={named}{words}", *([f"-mabi={abi}"] if abi else []))


def _zig_cache() -> str:
    """Give a folder that zig can write to, also where there is no home, or one that is read only."""
    from .hls4ml.compiler import cache_root

    return str(cache_root().parent / "zig") if cache_root().name == "csim" else str(cache_root() / "zig")


def zig(arguments: Sequence[str], folder: Path) -> None:
    """Run zig in a folder, which also keeps its cache. Raises BuildError where it fails."""
    environment = {"ZIG_GLOBAL_CACHE_DIR": _zig_cache(), **os.environ, "ZIG_LOCAL_CACHE_DIR": str(folder / "cache")}
    command = [zig_path(), *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"ziglang cannot be started: {error}", hint="pip install --force-reinstall ziglang") from None
    if done.returncode:
        message = done.stderr.strip()[-600:] or f"no message, status {done.returncode}"
        hint = "is the disk full? Otherwise please report this"
        refused = BuildError(f"zig {arguments[0]} refused: {message}", hint=hint)
        refused.log = done.stderr
        raise refused

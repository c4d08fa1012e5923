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

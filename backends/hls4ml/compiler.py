"""C++ compilers: g++ where there is one, else that of the package ziglang; compiled libraries are kept by content."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from ...graph import GatewrightError, OptionError

FLAGS = ("-O1", "-std=c++17", "-fPIC", "-shared", "-w")
KEPT = 64
"""Compiled libraries that the cache holds."""
TIMEOUT = 1800.0


class CompileError(GatewrightError):
    """The C++ compiler refused the project."""


@dataclass(frozen=True)
class Compiler:
    """A command that compiles C++, its name for reports, and the flags that only it knows."""

    command: tuple[str, ...]
    name: str
    flags: tuple[str, ...] = ()


@cache
def find_compiler() -> Compiler:
    """Find a compiler: g++ on the path, else ziglang. Raises OptionError where there is none."""
    if (path := shutil.which("g++")) is not None and (version := _version((path, "-dumpfullversion"))):
        return Compiler((path,), f"g++ {version}", ("-fno-gnu-unique",) if sys.platform == "linux" else ())
    if find_spec("ziglang") is not None:
        command = (sys.executable, "-m", "ziglang", "c++")
        return Compiler(command, "ziglang c++", ("-fno-sanitize=undefined",))
    raise OptionError(
        "no C++ compiler for the C simulation", hint="install g++, or pip install ziglang; or --no-verify"
    )


def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compile_library(files: Mapping[str, bytes], main: str, includes: tuple[str, ...]) -> Path:
    """Compile ``main`` of ``files`` (relative path -> content) into a shared library; give its folder, which holds
    ``library.so``.

    What was compiled before, with the same compiler, flags and bytes, is taken from the cache. Raises CompileError
    with the
    compiler's first lines, OptionError without a compiler.
    """
    compiler = find_compiler()
    key = _key(files, main, includes, compiler)
    place = cache_root() / key
    if (place / "library.so").is_file():
        os.utime(place)
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=place.parent) as folder:
        _compile(compiler, Path(folder), files, main, includes)
        _keep(Path(folder), place, files)
    keep_newest(place.parent)
    return place


def _key(files: Mapping[str, bytes], main: str, includes: tuple[str, ...], compiler: Compiler) -> str:
    total = sha256(repr((main, includes, compiler, FLAGS)).encode())
    for path in sorted(files):
        total.update(f"{path} {len(files[path])} ".encode() + files[path])
    return total.hexdigest()[:40]


def cache_root() -> Path:
    """Give the user's folder for compiled simulations: GATEWRIGHT_CACHE, else XDG_CACHE_HOME, else ~/.cache; else a
    temporary one.
    """
    base = os.environ.get("GATEWRIGHT_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(os.path.expanduser(base)) / "gatewright" / "csim"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    except OSError:
        pass
    return _temporary_root()


@cache
def _temporary_root() -> Path:
    import atexit

    folder = tempfile.mkdtemp(prefix="gatewright-csim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _compile(
    compiler: Compiler, folder: Path, files: Mapping[str, bytes], main: str, includes: tuple[str, ...]
) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    paths = [f"-I{path}" for path in includes]
    command = [*compiler.command, *FLAGS, *compiler.flags, *paths, main, "-o", "library.so"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise CompileError(
            f"compiling the C simulation took over {TIMEOUT:.0f} s",
            hint="--no-verify; or --io stream, which compiles faster",
        ) from None
    except OSError as error:
        raise CompileError(f"{compiler.name} does not start: {error}") from None
    if done.returncode:
        raise CompileError(f"{compiler.name} refused the project:\n{_first_errors(done.stderr, done.returncode)}")


def _first_errors(text: str, status: int) -> str:
    lines = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()
    return "\n".join(line[:300] for line in lines[:8]) or f"exit status {status}: out of memory?"


def _keep(folder: Path, place: Path, files: Mapping[str, bytes]) -> None:
    """Keep the library and the weights that it reads; another process may have been faster."""
    ready = folder / "ready"
    ready.mkdir()
    (folder / "library.so").rename(ready / "library.so")
    for path, data in files.items():
        if path.endswith(".txt"):
            (ready / path).parent.mkdir(parents=True, exist_ok=True)
            (ready / path).write_bytes(data)
    if place.exists() and not (place / "library.so").is_file():
        shutil.rmtree(place, ignore_errors=True)  # what an interrupted clean-up left
    try:
        ready.rename(place)
    except OSError:
        if not (place / "library.so").is_file():
            raise


def keep_newest(root: Path) -> None:
    """Forget the libraries that were not used for longest."""
    entries = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith("building-")]
    entries.sort(key=lambda p: p.stat().st_mtime if p.exists() else 0.0, reverse=True)
    for old in entries[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)

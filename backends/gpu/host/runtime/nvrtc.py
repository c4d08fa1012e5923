"""CUDA's text to machine code: by NVRTC (of the toolkit, or of pip's nvidia-cuda-nvrtc), else by nvcc."""

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .device import DeviceError

HINT = "pip install nvidia-cuda-nvrtc (the major version of the driver's CUDA), or install the CUDA toolkit"
VERSIONS = ("13", "12", "11.2")


def compile_cuda(source: str, arch: str) -> bytes:
    """Compile a file of kernels for a processor (``sm_90``). Raises DeviceError."""
    library = _library()
    if library is not None:
        return _Program(library, source).compiled(arch)
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path=str(_toolkit() / "bin"))
    if nvcc is None:
        raise DeviceError("no compiler for CUDA: neither NVRTC nor nvcc is there", hint=HINT)
    return _by_nvcc(nvcc, source, arch)


def _toolkit() -> Path:
    return Path(os.environ.get("CUDA_PATH") or os.environ.get("CUDA_HOME") or "/usr/local/cuda")


def _candidates() -> Iterator[str]:
    """Name what may be NVRTC: what the loader finds, what pip installed, what the toolkit holds."""
    if sys.platform == "win32":
        for folder in (_toolkit() / "bin", _toolkit() / "bin" / "x64"):
            yield from (str(p) for p in sorted(folder.glob("nvrtc64_*_0.dll"), reverse=True))
        return
    yield from (f"libnvrtc.so.{version}" for version in VERSIONS)
    found = find_spec("nvidia")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        yield from (str(p) for p in sorted(Path(folder).glob("*/lib/libnvrtc.so.*"), reverse=True))
    yield from (str(p) for p in sorted((_toolkit() / "lib64").glob("libnvrtc.so*")))


def _library() -> ctypes.CDLL | None:
    for name in _candidates():
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


class _Program:
    """A program of NVRTC."""

    def __init__(self, library: ctypes.CDLL, source: str) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        self._call("nvrtcCreateProgram", ctypes.byref(self._handle), source.encode(), b"kernels.cu", 0, None, None)

    def compiled(self, arch: str) -> bytes:
        """Compile; give the machine code, which is the program's own to hand over once."""
        options = [f"--gpu-architecture={arch}".encode(), b"--std=c++17"]
        try:
            given = (ctypes.c_char_p * len(options))(*options)
            if self._library.nvrtcCompileProgram(self._handle, len(options), given):
                log = self._text("nvrtcGetProgramLogSize", "nvrtcGetProgramLog").rstrip(b"\0").decode(errors="replace")
                raise DeviceError(f"NVRTC refuses the kernels for {arch}: {log.strip()[:800]}", hint="a newer NVRTC?")
            return self._text("nvrtcGetCUBINSize", "nvrtcGetCUBIN")
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(self._handle))

    def _text(self, size: str, content: str) -> bytes:
        length = ctypes.c_size_t()
        self._call(size, self._handle, ctypes.byref(length))
        room = ctypes.create_string_buffer(length.value)
        self._call(content, self._handle, room)
        return room.raw

    def _call(self, name: str, *arguments: Any) -> None:
        if code := self._library[name](*arguments):
            text = self._library.nvrtcGetErrorString(code).decode(errors="replace")
            raise DeviceError(f"{name}: {text}")


def _by_nvcc(nvcc: str, source: str, arch: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "kernels.cu").write_text(source, encoding="utf-8")
        command = [nvcc, "-cubin", f"-arch={arch}", "-std=c++17", "-o", "kernels.cubin", "kernels.cu"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise DeviceError(f"nvcc does not start: {error}", hint=HINT) from None
        if done.returncode:
            raise DeviceError(f"nvcc refuses the kernels for {arch}: {done.stderr.strip()[:800]}", hint=HINT)
        return (folder / "kernels.cubin").read_bytes()

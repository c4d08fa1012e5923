"""A device that is emulated: what the loaders do on a graphics processor, on a CPU, with every access looked at."""

import ctypes
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ....graph import GatewrightError, NDArray
from .compiled import compile_emulator
from .rules import LIMITS, broken
from .runtime.plan import Launch, Plan

NAMES = {"cuda": "CUDA", "opencl": "OpenCL", "metal": "Metal", "webgpu": "WebGPU"}
POISON = 0xA5
LOCK = threading.Lock()
"""Emulators of the same kernels are one library, which runs one launch at a time."""
ALIGNMENT = 256


class EmulationError(GatewrightError):
    """A kernel did what no device may be asked to."""


class _Report(ctypes.Structure):
    _fields_ = (
        ("problem", ctypes.c_int32), ("line", ctypes.c_int32), ("other", ctypes.c_int32), ("argument", ctypes.c_int32),
        ("offset", ctypes.c_int64), ("thread", ctypes.c_uint32 * 3), ("block", ctypes.c_uint32 * 3),
    )  # fmt: skip


class _Call:
    """A launch with its arguments as C takes them."""

    def __init__(self, launch: Launch, number: int, buffers: Mapping[str, NDArray]) -> None:
        self.launch, self.number, self.count = launch, number, len(launch.arguments)
        spans, n = launch.arguments, len(launch.arguments)
        self.blocks = (ctypes.c_uint32 * 3)(*launch.blocks)
        self.threads = (ctypes.c_uint32 * 3)(*launch.kernel.threads)
        self.data = (ctypes.c_void_p * n)(*(buffers[s.buffer].ctypes.data + s.offset for s in spans))
        self.bytes = (ctypes.c_size_t * n)(*(s.bytes for s in spans))
        self.writes = (ctypes.c_ubyte * n)(*launch.kernel.writes)


class Emulator:
    """Runs a plan on this machine's CPU. ``sources`` and ``constants`` are the files that the plan names.

    Threads, blocks and the places of arguments change their order from run to run: what depends on an order that no
    device promises gives different results. Memory that no launch wrote holds a pattern, never zeros.
    Raises BuildError, OptionError where the kernels cannot be compiled.
    """

    def __init__(self, plan: Plan, sources: Mapping[str, str], constants: bytes) -> None:
        self.plan = plan
        self.name = f"emulated {NAMES[plan.language]}"
        for launch, what in broken(plan, sources):
            raise _beyond(launch, what)
        self._library = ctypes.CDLL(str(compile_emulator(plan, sources)))
        self._end = weakref.finalize(self, _released, self._library)
        try:
            self._buffers = {name: _room(size) for name, size in plan.sizes.items()}
        except MemoryError:
            total = sum(plan.sizes.values())
            raise EmulationError(f"no memory for the network's {total:,} bytes", hint="a smaller model") from None
        self._buffers["constants"][:] = np.frombuffer(constants, np.uint8)
        numbers = {name: i for i, name in enumerate(plan.kernels)}
        self._calls = [_Call(launch, numbers[launch.kernel.name], self._buffers) for launch in plan.launches]
        self._runs = 0

    def write(self, buffer: str, data: NDArray) -> None:
        """Copy bytes into the beginning of a buffer."""
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        self._buffers[buffer][: flat.size] = flat

    def read(self, buffer: str, into: NDArray) -> None:
        """Copy the beginning of a buffer into an array, which is contiguous."""
        flat = into.reshape(-1).view(np.uint8)
        flat[:] = self._buffers[buffer][: flat.size]

    def launch(self) -> None:
        """Run every launch. Raises EmulationError."""
        self._begin()
        for call in self._calls:
            self._run(call)

    def times(self, repeats: int) -> list[float]:
        """Measure every launch here, in seconds: this says nothing of a graphics processor."""
        best = [np.inf] * len(self._calls)
        for _ in range(repeats):
            self._begin()
            for i, call in enumerate(self._calls):
                start = time.perf_counter()
                self._run(call)
                best[i] = min(best[i], time.perf_counter() - start)
        return [float(t) for t in best]

    def close(self) -> None:
        """Give the memory back, and the library."""
        self._end()

    def _begin(self) -> None:
        self._runs += 1
        self._buffers["arena"][:] = POISON
        self._buffers["status"][:] = 0

    def _run(self, call: _Call) -> None:
        report = _Report()
        with LOCK:
            problem = self._library.gatewright_launch(
                call.number, call.blocks, call.threads, call.count, call.data, call.bytes, call.writes,
                self._runs % 2 == 0, ctypes.byref(report),
            )  # fmt: skip
            shared = self._library.gatewright_shared_bytes() if self._runs == 1 else 0
        if problem:
            raise self._error(call.launch, report)
        if shared > (most := LIMITS[self.plan.language].shared):
            raise _beyond(call.launch, f"{shared} bytes of shared memory, {self.plan.language} takes {most}")

    def _error(self, launch: Launch, report: _Report) -> EmulationError:
        at = f"thread {tuple(report.thread)} of block {tuple(report.block)}"
        what = {
            1: f"{at} does not wait where others of its block do",
            2: f"{at} waits at another barrier (line {report.line} of the emulated text) than others ({report.other})",
            3: f"{at} {self._touched(launch, report)}",
            4: f"{at} divides by zero, or the lowest integer by -1",
            5: "no memory, or more threads or arguments than are emulated",
            8: f"{at} has more memory of its own than is emulated",
            6: f"{at} waits in a kernel that was taken for one without barriers",
            7: f"some thread {self._touched(launch, report, 'writes')}",
        }.get(report.problem, f"problem {report.problem}")
        where = f"{launch.kernel.name} ({launch.layer})"
        return EmulationError(f"kernel {where}: {what}", hint="please report this, with the model")

    def _touched(self, launch: Launch, report: _Report, verb: str = "touches") -> str:
        """Say which memory was touched that is not the kernel's."""
        if report.argument < 0:
            return f"{verb} memory that is none of its arguments"
        span, offset = launch.arguments[report.argument], report.offset
        name = f"argument {report.argument} ({span.buffer} at {span.offset}, {span.bytes} bytes)"
        if 0 <= offset < span.bytes:
            return f"writes to {name}, which is only read"
        away = f"{-offset} bytes before" if offset < 0 else f"{offset - span.bytes} bytes after"
        return f"{verb} what lies {away} {name}"


def _beyond(launch: Launch, what: str) -> EmulationError:
    where = f"kernel {launch.kernel.name} ({launch.layer})"
    return EmulationError(f"{where} asks for what not every device has: {what}", hint="please report this")


def _released(library: ctypes.CDLL) -> None:
    """Unload a library: a process has room for some thousands of mappings only."""
    import _ctypes

    with LOCK:
        library.gatewright_release()
        _ctypes.dlclose(library._handle)


def _room(size: int) -> NDArray:
    """Make a buffer that begins at a multiple of 256 bytes."""
    raw = np.full(max(size, 1) + ALIGNMENT, POISON, np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size]


def library_of(plan: Plan, sources: Mapping[str, str]) -> Path:
    """Give the compiled emulator of a plan, for those who call its C function themselves."""
    return compile_emulator(plan, sources)


__all__ = ["EmulationError", "Emulator", "library_of"]

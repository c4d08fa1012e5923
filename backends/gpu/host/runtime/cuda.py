"""A plan on an NVIDIA processor, by the driver's interface alone: no runtime library of CUDA is needed."""

import ctypes
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from .device import Array, DeviceError, flat
from .nvrtc import compile_cuda
from .plan import Launch, Plan

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
THREAD_LOCAL = 1
"""Of cuStreamBeginCapture: what other threads do meanwhile is theirs."""
NON_BLOCKING = 1
MAJOR, MINOR = 75, 76
Handle = ctypes.c_void_p


class _Driver:
    """The driver's functions, which give 0 or an error."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            hint = "install NVIDIA's driver; without one the emulated kernels run everywhere"
            raise DeviceError(f"no driver for CUDA: {error}", hint=hint) from None
        self("cuInit", 0)

    def __call__(self, name: str, *arguments: Any) -> None:
        """Call a function. Raises DeviceError for what it refuses."""
        if code := self._library[name](*arguments):
            raise DeviceError(f"{name}: {self._text(code)}")

    def _text(self, code: int) -> str:
        text = ctypes.c_char_p()
        self._library.cuGetErrorString(code, ctypes.byref(text))
        return f"error {code}" + (f", {text.value.decode(errors='replace')}" if text.value else "")


class Cuda:
    """The plan's buffers and kernels on the first device; all launches are one graph where the driver takes it so.

    Raises DeviceError where there is no driver, device or compiler, or the kernels are for a newer processor.
    """

    def __init__(self, plan: Plan, sources: Mapping[str, str], constants: bytes) -> None:
        self._driver = call = _Driver()
        self._device, self._context, self._stream = ctypes.c_int(), Handle(), Handle()
        count = ctypes.c_int()
        call("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise DeviceError("no device for CUDA", hint="does nvidia-smi list one?")
        call("cuDeviceGet", ctypes.byref(self._device), 0)
        capability = self._checked(plan)
        self.name = f"CUDA on {self._title()}"
        call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        call("cuCtxSetCurrent", self._context)
        call("cuStreamCreate", ctypes.byref(self._stream), NON_BLOCKING)
        self._buffers = {name: self._room(size) for name, size in plan.sizes.items()}
        self.write("constants", np.frombuffer(constants, np.uint8))
        functions = self._functions(plan, sources, f"sm_{capability}")
        self._launches = [self._bound(launch, functions) for launch in plan.launches]
        self._graph = self._captured()

    def write(self, buffer: str, data: Array) -> None:
        """Copy an array to the beginning of a buffer."""
        array = flat(data)
        self._driver("cuCtxSetCurrent", self._context)
        if array.size:
            pointer = ctypes.c_void_p(array.ctypes.data)
            self._driver(
                "cuMemcpyHtoDAsync_v2", self._buffers[buffer], pointer, ctypes.c_size_t(array.size), self._stream
            )
            self._driver("cuStreamSynchronize", self._stream)

    def read(self, buffer: str, into: Array) -> None:
        """Copy the beginning of a buffer into an array, after what was launched."""
        self._driver("cuCtxSetCurrent", self._context)
        pointer, size = ctypes.c_void_p(into.ctypes.data), ctypes.c_size_t(into.nbytes)
        self._driver("cuMemcpyDtoHAsync_v2", pointer, self._buffers[buffer], size, self._stream)
        self._driver("cuStreamSynchronize", self._stream)

    def launch(self) -> None:
        """Run the plan."""
        self._driver("cuCtxSetCurrent", self._context)
        if self._graph is not None:
            self._driver("cuGraphLaunch", self._graph, self._stream)
        else:
            self._enqueue()

    def times(self, repeats: int) -> list[float]:
        """Measure each launch between two events of the device."""
        call, n = self._driver, len(self._launches)
        call("cuCtxSetCurrent", self._context)
        events = [Handle() for _ in range(n + 1)]
        for event in events:
            call("cuEventCreate", ctypes.byref(event), 0)
        best, passed = [float("inf")] * n, ctypes.c_float()
        for _ in range(repeats):
            call("cuMemsetD32Async", self._buffers["status"], 0, ctypes.c_size_t(1), self._stream)
            call("cuEventRecord", events[0], self._stream)
            for i, (arguments, _) in enumerate(self._launches):
                call("cuLaunchKernel", *arguments)
                call("cuEventRecord", events[i + 1], self._stream)
            call("cuStreamSynchronize", self._stream)
            for i in range(n):
                call("cuEventElapsedTime", ctypes.byref(passed), events[i], events[i + 1])
                best[i] = min(best[i], passed.value * 1e-3)
        for event in events:
            call("cuEventDestroy_v2", event)
        return best

    def close(self) -> None:
        """Give memory, kernels and the context back."""
        call = self._driver
        call("cuCtxSetCurrent", self._context)
        if self._graph is not None:
            call("cuGraphExecDestroy", self._graph)
        for buffer in self._buffers.values():
            call("cuMemFree_v2", buffer)
        for module in self._modules:
            call("cuModuleUnload", module)
        call("cuStreamDestroy_v2", self._stream)
        call("cuDevicePrimaryCtxRelease_v2", self._device)

    def _checked(self, plan: Plan) -> int:
        """Give the device's compute capability times ten; refuse a plan for a newer one."""
        parts = []
        for attribute in (MAJOR, MINOR):
            value = ctypes.c_int()
            self._driver("cuDeviceGetAttribute", ctypes.byref(value), attribute, self._device)
            parts.append(value.value)
        here = parts[0] * 10 + parts[1]
        wanted = int("".join(c for c in plan.arch or "" if c.isdigit()) or 0)
        if here < wanted:
            what = f"the kernels are for {plan.arch}, {self._title()} is sm_{here}"
            raise DeviceError(what, hint="compile the model for a board with this processor")
        return here

    def _title(self) -> str:
        room = ctypes.create_string_buffer(256)
        self._driver("cuDeviceGetName", room, len(room), self._device)
        return room.value.decode(errors="replace")

    def _room(self, size: int) -> ctypes.c_uint64:
        pointer = ctypes.c_uint64()
        try:
            self._driver("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(max(size, 4)))
        except DeviceError as error:
            raise DeviceError(f"no room for {size:,} bytes on the device: {error.what}") from None
        return pointer

    def _functions(self, plan: Plan, sources: Mapping[str, str], arch: str) -> dict[str, Handle]:
        self._modules, found = [], {}
        for source in plan.sources:
            module, code = Handle(), compile_cuda(sources[source], arch)
            self._driver("cuModuleLoadData", ctypes.byref(module), code)
            self._modules.append(module)
            for kernel in (k for k in plan.kernels.values() if k.source == source):
                found[kernel.name] = Handle()
                self._driver("cuModuleGetFunction", ctypes.byref(found[kernel.name]), module, kernel.entry.encode())
        return found

    def _bound(self, launch: Launch, functions: Mapping[str, Handle]) -> tuple[tuple[Any, ...], list[ctypes.c_uint64]]:
        """Give the arguments of cuLaunchKernel, and what they point to."""
        held = [ctypes.c_uint64((self._buffers[s.buffer].value or 0) + s.offset) for s in launch.arguments]
        places = (ctypes.c_void_p * len(held))(*(ctypes.addressof(h) for h in held))
        shape = (*launch.blocks, *launch.kernel.threads)
        return (functions[launch.kernel.name], *shape, 0, self._stream, places, None), held

    def _enqueue(self) -> None:
        self._driver("cuMemsetD32Async", self._buffers["status"], 0, ctypes.c_size_t(1), self._stream)
        for arguments, _ in self._launches:
            self._driver("cuLaunchKernel", *arguments)

    def _captured(self) -> Handle | None:
        """Make one graph of all launches; None where the driver does not."""
        graph, ready = Handle(), Handle()
        try:
            self._driver("cuStreamBeginCapture_v2", self._stream, THREAD_LOCAL)
            try:
                self._enqueue()
            finally:
                self._driver("cuStreamEndCapture", self._stream, ctypes.byref(graph))
            self._driver("cuGraphInstantiateWithFlags", ctypes.byref(ready), graph, ctypes.c_uint64(0))
            self._driver("cuGraphDestroy", graph)
        except (DeviceError, AttributeError):  # a driver from before CUDA 11.4
            return None
        return ready

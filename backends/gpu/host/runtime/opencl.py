"""A plan on a device of OpenCL 1.1 or later, by the library that finds the drivers."""

import ctypes
import ctypes.util
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .device import Array, DeviceError, flat
from .plan import Launch, Plan, Span

ALIGNMENT = 256
"""Bytes to a multiple of which the plan's tensors begin."""
CPU, GPU, ACCELERATOR = 2, 4, 8
NAME, ALIGN_BITS, EXTENSIONS = 0x102B, 0x1019, 0x1030
BUILD_LOG = 0x1183
READ_WRITE, REGION = 1, 0x1220
PROFILING, STARTED, ENDED = 2, 0x1282, 0x1283
NO_DEVICE, NO_PLATFORM = -1, -1001
Handle = ctypes.c_void_p
SYSTEM_LIBRARY = {"win32": "OpenCL.dll", "darwin": "/System/Library/Frameworks/OpenCL.framework/OpenCL"}


class _Functions:
    """OpenCL's functions: some give an error, others take a place for one at the end."""

    def __init__(self) -> None:
        name = SYSTEM_LIBRARY.get(sys.platform) or "libOpenCL.so.1"
        try:
            self._library = ctypes.CDLL(name)
        except OSError as error:
            hint = "install the processor's driver and an OpenCL loader (Debian: ocl-icd-libopencl1)"
            raise DeviceError(f"no OpenCL: {error}", hint=hint) from None

    def __call__(self, name: str, *arguments: Any) -> None:
        if code := self._library[name](*arguments):
            raise DeviceError(f"{name}: error {code}")

    def status(self, name: str, *arguments: Any) -> int:
        """Call a function and give what it says."""
        return int(self._library[name](*arguments))

    def make(self, name: str, *arguments: Any) -> Handle:
        """Call a function that makes something."""
        function, error = self._library[name], ctypes.c_int32()
        function.restype = Handle
        made = function(*arguments, ctypes.byref(error))
        if error.value:
            raise DeviceError(f"{name}: error {error.value}")
        return Handle(made)


class _Region(ctypes.Structure):
    _fields_ = (("origin", ctypes.c_size_t), ("size", ctypes.c_size_t))


class OpenCL:
    """The plan's buffers and kernels on the first device that is found: a graphics processor, else an accelerator,
    else (with ``processors``) a CPU. Raises DeviceError.
    """

    def __init__(self, plan: Plan, sources: Mapping[str, str], constants: bytes, *, processors: bool = True) -> None:
        self._call = call = _Functions()
        self._device, kind = self._found(processors)
        self.name = f"OpenCL on {self._text(NAME)}{' (CPU)' if kind == CPU else ''}"
        self._check_alignment()
        devices = (Handle * 1)(self._device)
        self._context = call.make("clCreateContext", None, 1, devices, None, None)
        self._queue = call.make("clCreateCommandQueue", self._context, self._device, ctypes.c_uint64(PROFILING))
        self._buffers = {name: self._room(size) for name, size in plan.sizes.items()}
        self._parts: dict[Span, Handle] = {}
        self.write("constants", np.frombuffer(constants, np.uint8))
        self._programs = {s: self._built(sources[s]) for s in plan.sources}
        self._launches = [self._bound(launch, plan) for launch in plan.launches]

    def write(self, buffer: str, data: Array) -> None:
        """Copy an array to the beginning of a buffer."""
        array = flat(data)
        self._copy("clEnqueueWriteBuffer", buffer, array)

    def read(self, buffer: str, into: Array) -> None:
        """Copy the beginning of a buffer into an array."""
        self._copy("clEnqueueReadBuffer", buffer, into)

    def launch(self) -> None:
        """Run the plan."""
        self.write("status", np.zeros(1, np.int32))
        for kernel, sizes, threads in self._launches:
            self._call("clEnqueueNDRangeKernel", self._queue, kernel, 3, None, sizes, threads, 0, None, None)
        self._call("clFlush", self._queue)

    def times(self, repeats: int) -> list[float]:
        """Measure each launch by the device's own clock."""
        best = [float("inf")] * len(self._launches)
        for _ in range(repeats):
            self.write("status", np.zeros(1, np.int32))
            for i, (kernel, sizes, threads) in enumerate(self._launches):
                event, ends = Handle(), []
                self._call(
                    "clEnqueueNDRangeKernel", self._queue, kernel, 3, None, sizes, threads, 0, None, ctypes.byref(event)
                )
                self._call("clFinish", self._queue)
                for which in (STARTED, ENDED):
                    value = ctypes.c_uint64()
                    self._call("clGetEventProfilingInfo", event, which, ctypes.c_size_t(8), ctypes.byref(value), None)
                    ends.append(value.value)
                self._call("clReleaseEvent", event)
                best[i] = min(best[i], (ends[1] - ends[0]) * 1e-9)
        return best

    def close(self) -> None:
        """Give everything back."""
        for kernel, _, _ in self._launches:
            self._call("clReleaseKernel", kernel)
        for program in self._programs.values():
            self._call("clReleaseProgram", program)
        for buffer in (*self._parts.values(), *self._buffers.values()):
            self._call("clReleaseMemObject", buffer)
        self._call("clReleaseCommandQueue", self._queue)
        self._call("clReleaseContext", self._context)

    def _copy(self, name: str, buffer: str, array: Array) -> None:
        """Copy, and wait for it."""
        if array.size:
            size, pointer = ctypes.c_size_t(array.nbytes), ctypes.c_void_p(array.ctypes.data)
            start = ctypes.c_size_t(0)
            self._call(name, self._queue, self._buffers[buffer], 1, start, size, pointer, 0, None, None)

    def _found(self, processors: bool) -> tuple[Handle, int]:
        for kind in (GPU, ACCELERATOR, *([CPU] if processors else [])):
            for platform in self._platforms():
                device, count = Handle(), ctypes.c_uint32()
                status = self._call.status(
                    "clGetDeviceIDs", platform, ctypes.c_uint64(kind), 1, ctypes.byref(device), ctypes.byref(count)
                )
                if status == 0 and count.value:
                    return device, kind
        raise DeviceError(
            "no device for OpenCL", hint="install the driver of the graphics processor; clinfo lists them"
        )

    def _platforms(self) -> Iterator[Handle]:
        count = ctypes.c_uint32()
        if self._call.status("clGetPlatformIDs", 0, None, ctypes.byref(count)) or not count.value:
            return
        found = (Handle * count.value)()
        self._call("clGetPlatformIDs", count.value, found, None)
        yield from (Handle(p) for p in found)

    def _text(self, what: int) -> str:
        size = ctypes.c_size_t()
        self._call("clGetDeviceInfo", self._device, what, ctypes.c_size_t(0), None, ctypes.byref(size))
        room = ctypes.create_string_buffer(size.value)
        self._call("clGetDeviceInfo", self._device, what, size, room, None)
        return room.value.decode(errors="replace").strip()

    def _check_alignment(self) -> None:
        bits = ctypes.c_uint32()
        self._call("clGetDeviceInfo", self._device, ALIGN_BITS, ctypes.c_size_t(4), ctypes.byref(bits), None)
        if ALIGNMENT * 8 % max(bits.value, 1):
            raise DeviceError(f"{self.name} wants buffers at multiples of {bits.value // 8} bytes, the plan has 256")

    def _room(self, size: int) -> Handle:
        try:
            return self._call.make(
                "clCreateBuffer", self._context, ctypes.c_uint64(READ_WRITE), ctypes.c_size_t(max(size, 4)), None
            )
        except DeviceError as error:
            raise DeviceError(f"no room for {size:,} bytes on the device: {error.what}") from None

    def _built(self, source: str) -> Handle:
        text, devices = ctypes.c_char_p(source.encode()), (Handle * 1)(self._device)
        program = self._call.make("clCreateProgramWithSource", self._context, 1, ctypes.byref(text), None)
        if self._call.status("clBuildProgram", program, 1, devices, b"", None, None):
            room = ctypes.create_string_buffer(1 << 16)
            self._call(
                "clGetProgramBuildInfo", program, self._device, BUILD_LOG, ctypes.c_size_t(len(room)), room, None
            )
            raise DeviceError(f"{self.name} refuses the kernels: {room.value.decode(errors='replace').strip()[:800]}")
        return program

    def _bound(self, launch: Launch, plan: Plan) -> tuple[Handle, Any, Any]:
        """Give a kernel with its arguments, and how many threads run it: in all, and in a block."""
        kernel = self._call.make("clCreateKernel", self._programs[launch.kernel.source], launch.kernel.entry.encode())
        for i, span in enumerate(launch.arguments):
            part = self._part(span, plan)
            self._call("clSetKernelArg", kernel, i, ctypes.c_size_t(ctypes.sizeof(Handle)), ctypes.byref(part))
        total = [b * t for b, t in zip(launch.blocks, launch.kernel.threads, strict=True)]
        return kernel, (ctypes.c_size_t * 3)(*total), (ctypes.c_size_t * 3)(*launch.kernel.threads)

    def _part(self, span: Span, plan: Plan) -> Handle:
        """Give a buffer for a part of one."""
        whole = self._buffers[span.buffer]
        if span.offset == 0 and span.bytes == plan.sizes[span.buffer]:
            return whole
        if span not in self._parts:
            region = _Region(span.offset, max(span.bytes, 1))
            self._parts[span] = self._call.make(
                "clCreateSubBuffer", whole, ctypes.c_uint64(READ_WRITE), REGION, ctypes.byref(region)
            )
        return self._parts[span]

"""What every device offers, and which there is for a plan."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from .plan import Plan

Array = np.ndarray[Any, np.dtype[Any]]


class DeviceError(RuntimeError):
    """There is no device, no driver or no compiler, or one of them refuses. ``hint`` says what to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}\n  try: {hint}" if hint else what)
        self.what, self.hint = what, hint


class Device(Protocol):
    """A device that holds the buffers and kernels of one plan."""

    name: str
    """What it is, for reports."""

    def write(self, buffer: str, data: Array) -> None:
        """Copy an array to the beginning of a buffer."""

    def read(self, buffer: str, into: Array) -> None:
        """Copy the beginning of a buffer into a contiguous array, after everything that was launched before."""

    def launch(self) -> None:
        """Set the status to 0 and run all launches of the plan, in order."""

    def times(self, repeats: int) -> list[float]:
        """Run the plan ``repeats`` times; give the shortest time of each launch, in seconds."""

    def close(self) -> None:
        """Give the device back."""


def open_device(plan: Plan, sources: Mapping[str, str], constants: bytes, *, processors: bool = True) -> Device:
    """Open the device for a plan's language: ``sources`` by file name, ``constants`` as in the plan's file.

    ``processors``: whether a CPU that a driver offers as a device will do. Raises DeviceError where there is none.
    """
    match plan.language:
        case "cuda":
            from .cuda import Cuda

            return Cuda(plan, sources, constants)
        case "opencl":
            from .opencl import OpenCL

            return OpenCL(plan, sources, constants, processors=processors)
        case "webgpu":
            from .webgpu import WebGPU

            return WebGPU(plan, sources, constants, processors=processors)
    raise DeviceError("Metal runs from Swift or Objective-C only", hint="build src/host.mm with Xcode, on the device")


def flat(data: Array) -> Array:
    """Give the bytes of an array, one after the other."""
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)

"""What a language's devices have in common, and no project may go beyond: checked where kernels are emulated, as a
device that grants more would not notice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import prod

from .runtime.plan import Launch, Plan
from .runtime.webgpu import accesses

ALIGNMENT = 256


@dataclass(frozen=True)
class Limits:
    """The largest grid, threads of a block, bytes of shared memory, and buffers of a launch (0: as many as wanted)."""

    blocks: tuple[int, int, int]
    threads: int
    shared: int
    buffers: int = 0


LIMITS = {
    "cuda": Limits(((1 << 31) - 1, 65535, 65535), 1024, 48 << 10),
    "opencl": Limits(((1 << 31) - 1,) * 3, 256, 32 << 10),
    "metal": Limits(((1 << 31) - 1,) * 3, 512, 32 << 10, 31),
    "webgpu": Limits((65535,) * 3, 256, 16 << 10, 8),
}
"""CUDA C++ Programming Guide (compute capabilities); OpenCL 1.2 (least local memory; 256 threads are usual); Metal
feature set tables (512: the least of any family); WebGPU (default limits).
"""


def broken(plan: Plan, sources: Mapping[str, str]) -> Iterator[tuple[Launch, str]]:
    """Give the launches that not every device of the language takes, and why."""
    limits = LIMITS[plan.language]
    for launch in plan.launches:
        if any(b > most for b, most in zip(launch.blocks, limits.blocks, strict=True)):
            yield launch, f"{launch.blocks} blocks, {plan.language} takes {limits.blocks}"
        if prod(launch.kernel.threads) > limits.threads:
            yield launch, f"{prod(launch.kernel.threads)} threads a block, {plan.language} takes {limits.threads}"
        if limits.buffers and len(launch.arguments) > limits.buffers:
            yield launch, f"{len(launch.arguments)} buffers, {plan.language} takes {limits.buffers}"
        if any(s.offset % ALIGNMENT for s in launch.arguments):
            yield launch, f"an argument that begins at no multiple of {ALIGNMENT} bytes"
        if plan.language == "webgpu" and (what := _usage(launch, sources[launch.kernel.source])):
            yield launch, what


def _usage(launch: Launch, source: str) -> str:
    """Say what WebGPU refuses: a buffer is either read or written in a launch, as its bindings declare it, and bindings
    that are written do not overlap.
    """
    written = accesses(source, len(launch.arguments))
    spans = list(zip(launch.arguments, written, strict=True))
    for (a, wa), (b, wb) in combinations(spans, 2):
        if a.buffer == b.buffer and wa != wb:
            return f"{a.buffer} is bound to be read and to be written"
        overlap = a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes
        if a.buffer == b.buffer and wa and wb and overlap:
            return f"parts of {a.buffer} are bound to be written that overlap"
    return ""


__all__ = ["LIMITS", "broken"]

"""A plan on a device of WebGPU, by the package wgpu (Vulkan, Metal or Direct3D below it)."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from .device import Array, DeviceError, flat
from .plan import Launch, Plan

HINT = "pip install wgpu, and a driver for Vulkan, Metal or Direct3D 12"
LIMITS = (
    "max-storage-buffer-binding-size", "max-buffer-size", "max-storage-buffers-per-shader-stage",
    "max-compute-workgroup-storage-size", "max-compute-invocations-per-workgroup", "max-compute-workgroup-size-x",
)  # fmt: skip
"""What is asked for as far as the device goes, which is beyond what every device has."""
TIMES = "timestamp-query"


class WebGPU:
    """The plan's buffers and pipelines on the adapter that the system prefers; ``processors`` as in ``open_device``.

    Raises DeviceError.
    """

    def __init__(self, plan: Plan, sources: Mapping[str, str], constants: bytes, *, processors: bool = True) -> None:
        try:
            import wgpu
        except (ImportError, OSError) as error:
            raise DeviceError(f"WebGPU needs the package wgpu: {error}", hint=HINT) from None
        self._wgpu: Any = wgpu
        adapter = self._adapter(processors)
        self._timed = TIMES in adapter.features
        limits = {name: adapter.limits[name] for name in LIMITS if name in adapter.limits}
        self._device = adapter.request_device_sync(
            required_limits=limits, required_features=[TIMES] if self._timed else []
        )
        self.name = f"WebGPU on {adapter.info['device']}{' (CPU)' if adapter.info['adapter_type'] == 'CPU' else ''}"
        self._sizes = plan.sizes
        self._buffers = {name: self._room(size) for name, size in plan.sizes.items()}
        self.write("constants", np.frombuffer(constants, np.uint8))
        modules = {s: self._module(sources[s]) for s in plan.sources}
        self._layouts: dict[tuple[bool, ...], Any] = {}
        self._pipelines: dict[tuple[str, tuple[bool, ...]], Any] = {}
        self._launches = [self._bound(launch, sources, modules) for launch in plan.launches]

    def write(self, buffer: str, data: Array) -> None:
        """Copy an array to the beginning of a buffer."""
        array = flat(data)
        if array.size:
            padded = np.zeros(-(-array.size // 4) * 4, np.uint8)
            padded[: array.size] = array
            self._device.queue.write_buffer(self._buffers[buffer], 0, padded)

    def read(self, buffer: str, into: Array) -> None:
        """Copy the beginning of a buffer into an array."""
        size = -(-into.nbytes // 4) * 4
        if size:
            data = np.frombuffer(self._device.queue.read_buffer(self._buffers[buffer], 0, size), np.uint8)
            into.reshape(-1).view(np.uint8)[:] = data[: into.nbytes]

    def launch(self) -> None:
        """Run the plan: one pass, in which each launch sees what the ones before it wrote."""
        self.write("status", np.zeros(1, np.int32))
        encoder = self._device.create_command_encoder()
        running = encoder.begin_compute_pass()
        for pipeline, group, blocks in self._launches:
            running.set_pipeline(pipeline)
            running.set_bind_group(0, group)
            running.dispatch_workgroups(*blocks)
        running.end()
        self._device.queue.submit([encoder.finish()])

    def times(self, repeats: int) -> list[float]:
        """Measure each launch by the device's clock; where it has none, by the time until it is done."""
        best = [float("inf")] * len(self._launches)
        for _ in range(repeats):
            self.write("status", np.zeros(1, np.int32))
            for i in range(len(self._launches)):
                best[i] = min(best[i], self._stamped(i) if self._timed else self._waited(i))
        return best

    def close(self) -> None:
        """Give the memory back."""
        for buffer in self._buffers.values():
            buffer.destroy()

    def _adapter(self, processors: bool) -> Any:
        try:
            adapter = self._wgpu.gpu.request_adapter_sync(power_preference="high-performance")
        except Exception as error:  # the package has no class of its own for this
            raise DeviceError(f"no device for WebGPU: {error}", hint=HINT) from None
        if adapter is None or (adapter.info["adapter_type"] == "CPU" and not processors):
            raise DeviceError("no device for WebGPU", hint=HINT)
        return adapter

    def _room(self, size: int) -> Any:
        usage = self._wgpu.BufferUsage
        flags = usage.STORAGE | usage.COPY_SRC | usage.COPY_DST
        return self._device.create_buffer(size=max(-(-size // 4) * 4, 4), usage=flags)

    def _module(self, source: str) -> Any:
        try:
            return self._device.create_shader_module(code=source)
        except Exception as error:
            raise DeviceError(f"{self.name} refuses the kernels: {str(error)[:800]}") from None

    def _bound(self, launch: Launch, sources: Mapping[str, str], modules: Mapping[str, Any]) -> tuple[Any, ...]:
        kernel = launch.kernel
        written = tuple(accesses(sources[kernel.source], len(kernel.arguments)))
        key = (kernel.name, written)
        try:
            if key not in self._pipelines:
                layout = self._device.create_pipeline_layout(bind_group_layouts=[self._layout(written)])
                stage = {"module": modules[kernel.source], "entry_point": kernel.entry}
                self._pipelines[key] = self._device.create_compute_pipeline(layout=layout, compute=stage)
            entries = [
                {
                    "binding": i,
                    "resource": {"buffer": self._buffers[s.buffer], "offset": s.offset, "size": _words(s.bytes)},
                }
                for i, s in enumerate(launch.arguments)
            ]
            group = self._device.create_bind_group(layout=self._layout(written), entries=entries)
        except Exception as error:
            raise DeviceError(f"{self.name} refuses {kernel.name} ({launch.layer}): {str(error)[:800]}") from None
        return self._pipelines[key], group, launch.blocks

    def _layout(self, written: tuple[bool, ...]) -> Any:
        if written not in self._layouts:
            kinds = self._wgpu.BufferBindingType
            stage = self._wgpu.ShaderStage.COMPUTE
            entries = [
                {"binding": i, "visibility": stage, "buffer": {"type": kinds.storage if w else kinds.read_only_storage}}
                for i, w in enumerate(written)
            ]
            self._layouts[written] = self._device.create_bind_group_layout(entries=entries)
        return self._layouts[written]

    def _stamped(self, number: int) -> float:
        wgpu, device = self._wgpu, self._device
        pipeline, group, blocks = self._launches[number]
        queries = device.create_query_set(type=wgpu.QueryType.timestamp, count=2)
        usage = wgpu.BufferUsage
        result = device.create_buffer(size=16, usage=usage.QUERY_RESOLVE | usage.COPY_SRC)
        encoder = device.create_command_encoder()
        stamps = {"query_set": queries, "beginning_of_pass_write_index": 0, "end_of_pass_write_index": 1}
        running = encoder.begin_compute_pass(timestamp_writes=stamps)
        running.set_pipeline(pipeline)
        running.set_bind_group(0, group)
        running.dispatch_workgroups(*blocks)
        running.end()
        encoder.resolve_query_set(queries, 0, 2, result, 0)
        device.queue.submit([encoder.finish()])
        begin, end = np.frombuffer(device.queue.read_buffer(result), np.uint64)
        return float(int(end) - int(begin)) * 1e-9

    def _waited(self, number: int) -> float:
        pipeline, group, blocks = self._launches[number]
        start = time.perf_counter()
        encoder = self._device.create_command_encoder()
        running = encoder.begin_compute_pass()
        running.set_pipeline(pipeline)
        running.set_bind_group(0, group)
        running.dispatch_workgroups(*blocks)
        running.end()
        self._device.queue.submit([encoder.finish()])
        self._device.queue.read_buffer(self._buffers["status"], 0, 4)
        return time.perf_counter() - start


def accesses(source: str, count: int) -> list[bool]:
    """Say which bindings a source declares as written. A buffer that a launch writes is bound as such everywhere in it.

    Raises DeviceError where one is missing.
    """
    import re

    found = {
        int(number): kind == "read_write"
        for number, kind in re.findall(r"@binding\((\d+)\)\s*var<storage,\s*(read_write|read)>", source)
    }
    if set(range(count)) - set(found):
        raise DeviceError(f"the source has {len(found)} bindings, the plan {count} arguments", hint="compile again")
    return [found[i] for i in range(count)]


def _words(size: int) -> int:
    """Round bytes up to whole words, which bindings consist of."""
    return max(-(-size // 4) * 4, 4)

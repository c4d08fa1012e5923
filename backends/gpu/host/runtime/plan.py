"""The launch plan of a project for a graphics processor: its buffers, its kernels, and in which order they run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

SCHEMA = 1
PLAN = "plan.json"
LANGUAGES = ("cuda", "opencl", "metal", "webgpu")
TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")
LARGEST = 1 << 40
THREADS, BLOCKS = 1024, (1 << 31) - 1
"""What no device has more of: bytes of a buffer, threads of a block, blocks along an axis."""
Triple = tuple[int, int, int]


class PlanError(ValueError):
    """The plan is damaged, or does not fit to what it is run with."""


@dataclass(frozen=True)
class Port:
    """An input or output: ``shape`` in the layout of the source model, without batch; ``type`` of its elements.

    ``stored``: type of an element on the device, which differs where a language has no narrow ones.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    stored: str

    @property
    def bytes(self) -> int:
        """What the port takes on the device."""
        return prod(self.shape) * np.dtype(self.stored).itemsize


@dataclass(frozen=True)
class Kernel:
    """A function ``entry`` of the file ``source``, run by ``threads`` a block. ``writes``: which of its arguments."""

    name: str
    source: str
    entry: str
    threads: Triple
    arguments: tuple[str, ...]
    writes: tuple[bool, ...]


@dataclass(frozen=True)
class Span:
    """Part of a buffer."""

    buffer: str
    offset: int
    bytes: int


@dataclass(frozen=True)
class Launch:
    """``blocks`` of a kernel on its ``arguments``; ``layer`` is the source's name of what it computes."""

    kernel: Kernel
    blocks: Triple
    arguments: tuple[Span, ...]
    layer: str
    macs: int

    @property
    def bytes(self) -> int:
        """What it reads and writes, each element once."""
        return sum(span.bytes for span in self.arguments if span.buffer != "status")


@dataclass(frozen=True)
class Plan:
    """``sizes``: bytes of every buffer, by name: ``in0``, ..., ``out0``, ..., ``arena``, ``constants``, ``status``."""

    name: str
    language: str
    arch: str | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    constants: str
    sizes: Mapping[str, int]
    kernels: Mapping[str, Kernel]
    launches: tuple[Launch, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that hold kernels."""
        return tuple(dict.fromkeys(k.source for k in self.kernels.values()))


def read_plan(text: bytes | str) -> Plan:
    """Read a plan. Raises PlanError for one that is damaged or whose launches leave their buffers."""
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise PlanError(f"schema {data['schema']!r}; {SCHEMA} is read here")
        plan = _plan(data)
        _check(plan)
    except PlanError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise PlanError(f"damaged: {error!r}") from None
    return plan


def _plan(data: Mapping[str, Any]) -> Plan:
    inputs, outputs = (tuple(_port(p) for p in data[side]) for side in ("inputs", "outputs"))
    sizes = {
        f"in{i}": max(p.bytes, int(d["bytes"])) for i, (p, d) in enumerate(zip(inputs, data["inputs"], strict=True))
    }
    sizes |= {
        f"out{i}": max(p.bytes, int(d["bytes"])) for i, (p, d) in enumerate(zip(outputs, data["outputs"], strict=True))
    }
    sizes |= {"arena": int(data["arena_bytes"]), "constants": int(data["constants"]["bytes"]), "status": 4}
    kernels = {
        name: Kernel(
            name, k["source"], k["entry"], _triple(k["threads"]), tuple(k["arguments"]), tuple(map(bool, k["writes"]))
        )
        for name, k in data["kernels"].items()
    }
    launches = tuple(
        Launch(
            kernels[d["kernel"]], _triple(d["blocks"]),
            tuple(Span(a["buffer"], int(a["offset"]), int(a["bytes"])) for a in d["arguments"]), d["layer"],
            int(d["macs"]),
        )
        for d in data["launches"]
    )  # fmt: skip
    arch = data.get("arch")
    return Plan(
        data["name"], data["language"], arch, inputs, outputs, data["constants"]["file"], sizes, kernels, launches
    )


def _port(data: Mapping[str, Any]) -> Port:
    shape = tuple(int(n) for n in data["shape"])
    return Port(data["name"], shape, data["type"], data.get("stored", data["type"]))


def _triple(data: Sequence[int]) -> Triple:
    x, y, z = (int(n) for n in data)
    return x, y, z


def _check(plan: Plan) -> None:
    _check_words(plan)
    if min(plan.sizes.values()) < 0 or max(plan.sizes.values()) > LARGEST:
        raise PlanError(f"the buffers have {', '.join(map(str, plan.sizes.values()))} bytes")
    for number, launch in enumerate(plan.launches):
        where = f"launch {number} ({launch.layer})"
        _check_shape(launch, where)
        for span, written in zip(launch.arguments, launch.kernel.writes, strict=True):
            _check_span(span, plan.sizes, where)
            if written and span.buffer == "constants":
                raise PlanError(f"{where} writes to the constants")


def _check_words(plan: Plan) -> None:
    texts = [plan.name, plan.language, plan.constants, plan.arch or "", *(x.layer for x in plan.launches)]
    for kernel in plan.kernels.values():
        texts += [kernel.source, kernel.entry, *kernel.arguments]
    if not all(isinstance(t, str) for t in texts):
        raise PlanError("damaged: a name is no text")
    if plan.language not in LANGUAGES:
        raise PlanError(f"language {plan.language!r}; one of {', '.join(LANGUAGES)} is run here")
    for port in (*plan.inputs, *plan.outputs):
        if port.type not in TYPES or port.stored not in TYPES:
            raise PlanError(f"{port.name} has elements of {port.type}, stored as {port.stored}")


def _check_shape(launch: Launch, where: str) -> None:
    kernel = launch.kernel
    if not len(launch.arguments) == len(kernel.arguments) == len(kernel.writes):
        raise PlanError(f"{where} passes {len(launch.arguments)} arguments, {kernel.name} takes {len(kernel.writes)}")
    if min(*launch.blocks, *kernel.threads) < 1 or prod(kernel.threads) > THREADS or max(launch.blocks) > BLOCKS:
        raise PlanError(f"{where} has {launch.blocks} blocks of {kernel.threads} threads")


def _check_span(span: Span, sizes: Mapping[str, int], where: str) -> None:
    if span.buffer not in sizes:
        raise PlanError(f"{where} takes a buffer {span.buffer!r}, which there is not")
    if span.offset < 0 or span.bytes < 0 or span.offset + span.bytes > sizes[span.buffer]:
        size = sizes[span.buffer]
        raise PlanError(f"{where} takes {span.bytes} bytes at {span.offset} of {span.buffer}, which has {size}")

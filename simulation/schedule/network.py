"""The streaming design as processes and FIFOs, for the simulator."""

from math import prod

import numpy as np

from ..design import Design, LayerSpec
from ..stream.model import Fifo, Network, Process
from .programs import packs, program

SHIFT_REGISTER_BITS = 1024
"""A FIFO of at most so many bits is a shift register; larger ones are block memories, a cycle slower."""
PORT_DEPTH = 2
"""Depth of the FIFOs at the ports: the registers of an AXI stream."""


def network(design: Design, *, input_interval: int = 1) -> Network:
    """Give the processes of a streaming design, with a source for each input (a pack every ``input_interval`` cycles)
    and a sink for each output.

    Raises UnsupportedError for a layer of which no program is known.
    """
    assert design.stream, "arrays do not stream"
    widths = _widths(design)
    processes = [_process(spec, design) for spec in design.layers]
    sources = [
        Process(f"source {name}", (count - 1) * input_interval + 1, {}, {name: np.arange(count) * input_interval})
        for name, shape in zip(design.inputs, design.input_shapes, strict=True)
        for count in (packs(shape),)
    ]
    sent = {name: cycles.size for p in processes for name, cycles in p.writes.items()}
    sinks = [
        Process(f"sink {name}", sent[name], {name: np.arange(sent[name], dtype=np.int64)}, {})
        for name in design.outputs
    ]
    names = [*design.inputs, *(name for p in processes for name in p.writes)]
    ports = {*design.inputs, *design.outputs}
    fifos = (
        fifo(name, PORT_DEPTH if name in ports else design.fifo_depths.get(name, sent.get(name, 1)), widths[name])
        for name in names
    )
    return Network((*sources, *processes, *sinks), tuple(fifos))


def fifo(name: str, depth: int, width: int) -> Fifo:
    """Give a FIFO of the kind that the tool makes of its depth and width."""
    in_memory = depth > 2 and depth * width > SHIFT_REGISTER_BITS
    return Fifo(name, max(depth, 1), width, 2 if in_memory else 1)


def _widths(design: Design) -> dict[str, int]:
    """Bits of a pack of each stream."""
    found: dict[str, int] = {}
    for spec in design.layers:
        for port, (name, shape) in enumerate(zip(spec.inputs, spec.shapes, strict=True)):
            kind = spec.types.get("input" if port == 0 else f"input{port}")
            found.setdefault(name, _bits(shape, kind.width if kind else 16))
        for name, shape in zip(spec.outputs, spec.out_shapes, strict=True):
            kind = spec.types.get("output")
            found[name] = _bits(shape, kind.width if kind else 16)
    return found


def _bits(shape: tuple[int, ...], width: int) -> int:
    return prod(shape[-1:]) * width


def _process(spec: LayerSpec, design: Design) -> Process:
    found = program(spec, design)
    return Process(
        spec.name, found.length, dict(zip(spec.inputs, found.reads, strict=True)),
        dict(zip(spec.outputs, found.writes, strict=True)), 0, spec.source,
    )  # fmt: skip


__all__ = ["PORT_DEPTH", "SHIFT_REGISTER_BITS", "fifo", "network"]

"""The launch plan: what a program that runs the kernels has to know, as JSON.

Schema 1, an object: ``name``, ``language``, ``arch``; ``inputs`` and ``outputs`` in the layout of the source model,
without a batch axis; ``arena_bytes``; ``constants``; ``kernels`` by name; ``launches`` in order, each of which sees
what those before it wrote. Every argument begins at a multiple of 256 bytes of a buffer: the arena, the constants, the
status or a port. The status is one int32, zero before the first launch: 1 an index was out of range, 2 a divisor was
zero.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from ...graph import Node
from ...graph.evaluate.run import surface_shape
from ...graph.ops import Input, Output
from ..loops.code import INDEX
from ..loops.layout import interface_type
from ..loops.program import Call, Copy, Loop, Pointer, Statement
from ..loops.widths import HALVES, WIDTHS
from .program import GpuProgram
from .threads import Kernel

SCHEMA = 1
FILE = "plan.json"
CONSTANTS = "constants.bin"


def plan(program: GpuProgram, name: str, files: Mapping[str, str]) -> bytes:
    """Write the plan of a program; ``files``: the source file of each kernel."""
    graph, machine = program.graph, program.gpu
    constants = bytes(program.constants)
    told = {
        "schema": SCHEMA, "name": name, "language": machine.language, "arch": machine.device or None,
        "inputs": [_port(n, machine.narrow_storage) for n in graph.inputs],
        "outputs": [_port(n, machine.narrow_storage) for n in graph.outputs],
        "arena_bytes": program.arena,
        "constants": {"file": CONSTANTS, "bytes": len(constants), "sha256": sha256(constants).hexdigest()},
        "kernels": {k: _kernel(k, v, files[k]) for k, v in program.launched.items()},
        "launches": list(_launches(program, program.statements, {})),
    }  # fmt: skip
    return json.dumps(told, indent=1).encode() + b"\n"


def _port(node: Node, narrow: bool) -> dict[str, Any]:
    op, dtype, shape = node.op, interface_type(node), surface_shape(node)
    assert isinstance(op, Input | Output)
    if dtype in HALVES:  # numpy, and C, know the bits of bfloat16 only
        dtype = "float32" if not narrow else "uint16" if dtype == "bfloat16" else dtype
    stored = dtype if narrow or WIDTHS[dtype] >= 32 else INDEX
    own = {} if stored == dtype else {"stored": stored}
    return {"name": op.name, "shape": list(shape), "type": dtype, **own, "bytes": node.type.size * WIDTHS[stored] // 8}


def _kernel(name: str, kernel: Kernel, file: str) -> dict[str, Any]:
    return {
        "source": file, "entry": name, "threads": [kernel.threads, 1, 1],
        "arguments": [p.dtype for p in kernel.ports], "writes": [p.written for p in kernel.ports],
    }  # fmt: skip


Turns = Mapping[Loop, int]


def _launches(program: GpuProgram, statements: Sequence[Statement], turns: Turns) -> Iterator[dict[str, Any]]:
    """List the launches; those in loops once for each turn."""
    for s in statements:
        match s:
            case Call():
                yield {
                    "kernel": s.kernel, "blocks": list(program.launched[s.kernel].blocks),
                    "arguments": [_argument(*a, turns) for a in zip(s.arguments, program.sizes[s], strict=True)],
                    "layer": s.node.where, "macs": s.macs,
                }  # fmt: skip
            case Loop():
                for turn in range(s.steps):
                    own = s.steps - 1 - turn if s.reverse else turn
                    yield from _launches(program, s.body, {**turns, s: own})
            case Copy():
                raise AssertionError("copies are kernels")


def _argument(pointer: Pointer, size: int, turns: Turns) -> dict[str, Any]:
    """Say where a pointer leads to."""
    block = pointer.block
    away = pointer.offset + (pointer.stride * turns[pointer.loop] if pointer.loop is not None else 0)
    if block is None or block.port:
        return {"buffer": "constants" if block is None else block.port, "offset": away, "bytes": size}
    return {"buffer": "arena", "offset": block.offset + away, "bytes": size}

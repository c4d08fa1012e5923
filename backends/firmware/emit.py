"""The project that a user gets for a microcontroller: the network in C, and a description that the simulation reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from ...boards import Board
from ...graph import FileError, GatewrightError, Graph, OptionError, unknown
from ...graph.evaluate.run import surface_shape
from ..loops.layout import interface_type
from ..loops.machine import Machine
from ..loops.names import library_name
from ..loops.program import Program
from ..project import Project
from .flash import constants_of, too_large
from .interface import Layer
from .memory import choose, parse
from .memory_map import memory_map
from .share import shared
from .source import sources
from .toolchain import OPTIMIZE, toolchain

FILE = "network.json"
"""What the simulation reads: the network's name, its core, its ports."""
STORAGES = ("packed", "bytes")
"""How weights of at most four bits are stored: several to a word, or as others are."""
KIND = "c"
"""What a board file calls a compiler of C."""


def machine_of(board: Board, weight_storage: str | None = None) -> Machine:
    """Give what the kernels know of a board's core. Raises OptionError for a board that has none, or whose core or
    features no compiler knows.
    """
    found = board.compiler
    if found is None or found.kind != KIND:
        hint = next((note for note in board.notes if note.startswith("no firmware")), "gatewright boards lists others")
        raise OptionError(f"no C is written for board {board.name}", hint=hint)
    packed = storage(weight_storage) == "packed"
    machine = Machine(found.triple, found.cpu, tuple(found.features), 0, found.abi, packed)
    toolchain(machine)
    return machine


def storage(asked: str | None) -> str:
    """Read the option ``weight_storage``; None is "packed". Raises OptionError."""
    if asked is None:
        return STORAGES[0]
    if asked not in STORAGES:
        raise unknown("way to store weights", asked, STORAGES)
    return asked


def not_here(machine: Machine) -> str | None:
    """Say why this machine does not run what is written for a core: it always does, the C compiled for itself."""
    del machine
    return None


def emit(
    graph: Graph, board: Board, memory: str | int | None = None, weight_storage: str | None = None,
    code: str | None = None,
) -> Project:  # fmt: skip
    """Write the network of a graph in C for a board: the sources, and what they are called.

    ``memory``: "fastest" (also None), "smallest", or how many bytes the arena may take at most; ``weight_storage``:
    "packed" (also None) or "bytes"; ``code``: "fastest" (also None), or "smallest", where layers that differ only in
    numbers share a function. Raises UnsupportedError for what cannot be written or does not fit, OptionError for a
    board whose file does not say what is needed.
    """
    planned = choose(graph, machine_of(board, weight_storage), board, parse(memory))
    program = shared(planned.program) if code == "smallest" else planned.program
    if (problem := too_large(program, board)) is not None:
        raise problem
    name, constants = library_name(graph), constants_of(program)
    made = sources(program, name)
    written = {f"src/{path}": data for path, data in {**made.files, **includes()}.items()}
    described = description(program, name, made.layers)
    described |= {"board": board.name, "code": code or "fastest", "memory": memory_map(board, program.arena).as_dict()}
    described |= {"arena_bound": planned.bound, "planner": planned.placement.solver}
    described |= {"constants_bytes": constants.bytes, "constants_unpacked_bytes": constants.plain}
    written[FILE] = json.dumps(described, indent=1, sort_keys=True).encode() + b"\n"
    return Project(written, _notes(program.arena, planned.bound))


def _notes(size: int, bound: int) -> tuple[str, ...]:
    """Say where a plan could be better, and how."""
    if size <= bound or find_spec("ortools") is not None:
        return ()
    less = f"the arena takes {size:,} bytes, at least {bound:,}: OR-tools may find less"
    return (f"{less} (pip install 'gatewright[firmware]')",)


def includes() -> dict[str, bytes]:
    """Give the headers that every network uses."""
    folder = files(__package__) / "include"
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name.endswith(".h")}


def description(program: Program, name: str, layers: Sequence[Layer]) -> dict[str, Any]:
    """Say how the network is called, where its inputs and outputs stand in the arena, and what its layers are in C."""
    machine, graph = program.machine, program.graph
    blocks = {b.port: b for b in program.blocks if b.port}

    def port(name: str, node: Any) -> dict[str, Any]:
        return {
            "name": node.op.name, "shape": list(surface_shape(node)), "type": interface_type(node),
            "offset": blocks[name].offset,
        }  # fmt: skip

    return {
        "name": name, "triple": machine.triple, "cpu": machine.cpu, "features": list(machine.features),
        "abi": machine.abi, "arena_bytes": program.arena,
        "inputs": [port(f"in{i}", n) for i, n in enumerate(graph.inputs)],
        "outputs": [port(f"out{i}", n) for i, n in enumerate(graph.outputs)],
        "states": [
            {
                "name": r.state.name, "shape": list(r.layout.shape), "type": r.layout.dtype, "offset": r.block.offset,
                "bytes": r.layout.bytes,
            }
            for r in program.residents
        ],
        "layers": [
            {
                "name": layer.name, "symbol": layer.symbol, "macs": layer.macs,
                "weights": [f"{name}_w{offset}" for offset in layer.weights], "output": [layer.begin, layer.end],
            }
            for layer in layers
        ],
    }  # fmt: skip


def read_description(project: Mapping[str, bytes]) -> dict[str, Any]:
    """Read what a project says of its network. Raises FileError."""
    if FILE not in project:
        raise FileError("is not there", where=FILE, hint="compile again")
    try:
        found: dict[str, Any] = json.loads(project[FILE])
        _ = found["name"], found["arena_bytes"], found["states"]
        _ = [(p["shape"], p["type"]) for p in found["inputs"] + found["outputs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"damaged: {error!r}", where=FILE, hint="compile again") from None
    return found


def costs(project: Mapping[str, bytes]) -> dict[str, Any]:
    """Give what is known of a project's cost without running it, as the manifest has it."""
    found = read_description(project)
    bound, size = found.get("arena_bound", 0), found["arena_bytes"]
    least = "no placement of these steps takes less" if bound >= size else f"none takes less than {bound:,}"
    source = f"memory plan ({found.get('planner', 'greedy')}), inputs and outputs included; {least}"
    figures = {"arena_bytes": _bytes(size, source)}
    if (constants := found.get("constants_bytes")) is not None:
        plain = found.get("constants_unpacked_bytes", constants)
        saved = f"; weights of at most 4 bits are packed, as bytes {plain:,} in all" if plain > constants else ""
        figures["constants_bytes"] = _bytes(constants, f"arrays of the C: weights, biases, tables{saved}")
    if (flash := found.get("flash_bytes")) is not None:
        linked = f"linked image, zig cc {OPTIMIZE[found['code']]}: code, constants, start-up; no self-test"
        figures["flash_bytes"] = _bytes(flash, linked)
    return {"memory": figures}


def _bytes(size: int, source: str) -> dict[str, Any]:
    return {"value": size, "low": size, "high": size, "unit": "bytes", "kind": "exact", "source": source}


def missing(
    graph: Graph, board: Board, memory: str | int | None = None, weight_storage: str | None = None
) -> Iterator[GatewrightError]:
    """Give the first thing that stands in the way of writing a graph for a board."""
    try:
        planned = choose(graph, machine_of(board, weight_storage), board, parse(memory))
    except GatewrightError as error:
        yield error
        return
    if (problem := too_large(planned.program, board)) is not None:
        yield problem

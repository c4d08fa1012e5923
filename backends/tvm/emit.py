"""The project that a user gets for a CPU: libraries, header, sources, and a description that the loader reads."""

import json
from collections.abc import Iterator
from importlib.util import find_spec

from ...boards import Board
from ...graph import GatewrightError, Graph, Node, OptionError, UnsupportedError
from ...graph.ops import Input, Output
from ..project import Project
from .layout import interface_type
from .machine import Machine

FILE = "network.json"
"""What the loader reads: the library's name, the ports' C types, the arena's size."""


def available() -> bool:
    """Whether TVM is installed."""
    return find_spec("tvm") is not None


def machine_of(board: Board) -> Machine:
    """Give what the schedules know of a board's processor. Raises OptionError for a board that has none."""
    found = board.compiler
    if found is None or found.kind != "llvm":
        what = "compiles for GPUs, which no back end does yet" if found is not None else "names no compiler"
        raise OptionError(f"board {board.name} {what}", hint="gatewright boards lists boards of kind cpu and phone")
    return Machine(found.triple, found.cpu, tuple(found.features), found.vector_bits, found.abi)


def emit(graph: Graph, board: Board) -> Project:
    """Compile a graph for a board's processor. Raises UnsupportedError for what cannot be compiled."""
    if not available():
        raise UnsupportedError("TVM is not installed", hint="pip install 'gatewright[tvm]'")
    from .build import build
    from .driver import library_name
    from .packages import packages
    from .program import make_program

    machine = machine_of(board)
    program = make_program(graph, machine)
    name = library_name(graph)
    built = build(program, name)
    files = {f"{'include' if file.endswith('.h') else 'lib'}/{file}": data for file, data in built.files.items()}
    files |= {f"src/{file}": data for file, data in built.sources.items()}
    files |= packages(name, built, program, graph)
    files[FILE] = (
        json.dumps(description(graph, name, machine, program.arena), indent=1, sort_keys=True).encode() + b"\n"
    )
    return Project(files)


def description(graph: Graph, name: str, machine: Machine, arena: int) -> dict[str, object]:
    """Say how the library is called."""
    return {
        "name": name,
        "triple": machine.triple,
        "cpu": machine.cpu,
        "features": list(machine.features),
        "vector_bits": machine.vector_bits,
        "arena_bytes": arena,
        "inputs": [_port(n) for n in graph.inputs],
        "outputs": [_port(n) for n in graph.outputs],
    }


def _port(node: Node) -> dict[str, object]:
    op = node.op
    assert isinstance(op, Input | Output)
    return {"name": op.name, "shape": list(surface_shape(node)), "type": interface_type(node)}


def surface_shape(node: Node) -> tuple[int, ...]:
    """Give the shape of a port in the layout of the source model."""
    op = node.op
    axes = op.axes if isinstance(op, Input | Output) else None
    if axes is None:
        return node.shape
    if isinstance(op, Input):
        return tuple(node.shape[axes.index(i)] for i in range(len(axes)))
    return tuple(node.shape[a] for a in axes)


def missing(graph: Graph, board: Board) -> Iterator[GatewrightError]:
    """Give the first thing that stands in the way of compiling a graph for a board."""
    if not available():
        yield UnsupportedError("TVM is not installed", hint="pip install 'gatewright[tvm]'")
        return
    from .program import make_program

    try:
        make_program(graph, machine_of(board))
    except GatewrightError as error:
        yield error

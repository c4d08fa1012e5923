"""The project that a user gets for a CPU: libraries, header, sources, and a description that the loader reads."""

import json
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...boards import Board
from ...boards import load as load_board
from ...graph import GatewrightError, Graph, Node, OptionError, UnsupportedError
from ...graph.evaluate.run import surface_shape
from ...graph.ops import Input, Output
from ..loops.layout import interface_type
from ..loops.machine import Machine
from ..project import Project

if TYPE_CHECKING:
    from ..loops.program import Program
    from .tuning import Tuning

FILE = "network.json"
"""What the loader reads: the library's name, the ports' C types, the arena's size."""

TUNING = "tuning.json"
"""What was tuned, where something was."""

WIDEST = 512
"""Bits of the widest vectors that kernels are written for; they run on wider ones too."""


def available() -> bool:
    """Whether TVM is installed."""
    try:
        return find_spec("tvm") is not None
    except (ImportError, ValueError):  # what stands in for it, or guards it, refuses
        return False


def check_tvm() -> None:
    """Raise GatewrightError where TVM is there but cannot be imported."""
    try:
        from .load import tvm  # noqa: F401
    except (ImportError, OSError) as error:
        from .targets import missing_tvm

        raise missing_tvm(error) from None


def machine_of(board: Board) -> Machine:
    """Give what the schedules know of a board's processor. Raises OptionError for a board that has none."""
    found = board.compiler
    if found is None or found.kind != "llvm":
        what = f"board {board.name} names no compiler for its processor"
        raise OptionError(what, hint="gatewright boards lists boards of kind cpu and phone")
    return Machine(found.triple, found.cpu, tuple(found.features), min(found.vector_bits, WIDEST), found.abi)


def not_here(wanted: Machine) -> str | None:
    """Say why this machine does not run what is compiled for another; None where it does."""
    board = load_board("host")
    if board.compiler is None:
        return "nothing is known of this machine's processor"
    here = machine_of(board)
    if wanted.runs_on(here):
        return None
    if wanted.arch != here.arch:
        return f"this machine ({here.arch}) does not run libraries for {wanted.triple}"
    if wanted.system != here.system:
        return f"this machine ({here.triple}) does not run libraries for {wanted.triple}"
    return f"this machine has not all of {' '.join([wanted.cpu, *wanted.features])}"


def emit(graph: Graph, board: Board, tuning: "Tuning | None" = None) -> Project:
    """Compile a graph for a board's processor, with the tiles that a tuner found, or the formula's.

    Raises UnsupportedError for what cannot be compiled, OptionError for a tuning of another kind of machine.
    """
    return emit_for(graph, machine_of(board), tuning)


def emit_for(graph: Graph, machine: Machine, tuning: "Tuning | None" = None) -> Project:
    """Compile a graph for a machine, as ``emit`` does for a board's."""
    return emit_program(graph, program_for(graph, machine, tuning), tuning)


def program_for(graph: Graph, machine: Machine, tuning: "Tuning | None" = None) -> "Program":
    """Write the kernels of a graph for a processor; raises as ``emit``, and GatewrightError where TVM is missing."""
    if not available():
        raise UnsupportedError("TVM is not installed", hint="pip install 'gatewright[tvm]'")
    check_tvm()
    from ..loops.builder import make_program
    from .targets import check_machine

    check_machine(machine)
    return make_program(graph, machine, tuning.tiles_for(machine) if tuning is not None else None)


def emit_program(
    graph: Graph, program: "Program", tuning: "Tuning | None" = None, forms: Collection[str] = ()
) -> Project:
    """Compile kernels that are written, as ``emit`` does; ``forms`` ("asm", "llvm-ir"): texts of them to add."""
    from ..loops.names import library_name
    from ..loops.program import layers_of
    from .build import FORMS, build, kernels_text
    from .packages import packages

    machine = program.machine
    name = library_name(graph)
    built = build(program, name)
    files = {f"{'include' if file.endswith('.h') else 'lib'}/{file}": data for file, data in built.files.items()}
    files |= {f"src/{file}": data for file, data in built.sources.items()}
    files |= {f"src/kernels.{FORMS[form][1]}": kernels_text(program, name, form).encode() for form in forms}
    files |= packages(name, built, program, graph)
    files[FILE] = (
        json.dumps(description(graph, name, machine, program), indent=1, sort_keys=True).encode() + b"\n"
    )
    notes: tuple[str, ...] = ()
    if tuning is not None:
        files[TUNING] = tuning.to_bytes()
        if unused := len(tuning.tiles.keys() - layers_of(program).keys()):
            notes = (f"{unused} of {len(tuning.tiles)} tuned layers are not in this network",)
    return Project(files, notes)


def description(graph: Graph, name: str, machine: Machine, program: "Program") -> dict[str, object]:
    """Say how the library is called."""
    return {
        "name": name,
        "triple": machine.triple,
        "cpu": machine.cpu,
        "features": list(machine.features),
        "vector_bits": machine.vector_bits,
        "abi": machine.abi,
        "arena_bytes": program.arena,
        "states": [{"name": r.state.name, "bytes": r.layout.bytes} for r in program.residents],
        "inputs": [_port(n) for n in graph.inputs],
        "outputs": [_port(n) for n in graph.outputs],
    }


def _port(node: Node) -> dict[str, object]:
    op = node.op
    assert isinstance(op, Input | Output)
    return {"name": op.name, "shape": list(surface_shape(node)), "type": interface_type(node)}


def missing(graph: Graph, board: Board) -> Iterator[GatewrightError]:
    """Give the first thing that stands in the way of compiling a graph for a board."""
    if not available():
        yield UnsupportedError("TVM is not installed", hint="pip install 'gatewright[tvm]'")
        return
    try:
        check_tvm()
        from ..loops.builder import make_program
        from ..zig import zig_path
        from .targets import check_machine

        zig_path()
        machine = machine_of(board)
        check_machine(machine)
        make_program(graph, machine)
    except GatewrightError as error:
        yield error

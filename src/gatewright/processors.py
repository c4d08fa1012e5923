"""What a network costs on a processor: estimated from its machine code, or measured where it can be run."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .boards import Board
from .graph import Graph
from .targets import TVM

if TYPE_CHECKING:
    from .backends.loops.program import Program


def library_cost(graph: Graph, board: Board, program: "Program", artefact: Mapping[str, bytes]) -> dict[str, Any]:
    """Give the manifest's ``cost`` of a library, whose kernels are ``program``; ``artefact``: its project's files."""
    from .backends.loops.names import library_name
    from .backends.tvm.build import kernels_text
    from .simulation.cpu import cost_of_program

    name = library_name(graph)
    shared = next((len(d) for f, d in artefact.items() if f.startswith("lib/") and not f.endswith(".a")), None)
    return cost_of_program(program, kernels_text(program, name, "asm"), board, name, shared)


def estimated(graph: Graph, board: Board, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Estimate a network on a board's processor, for ``profile``. Raises what the back end raises."""
    from .backends.tvm import machine_of
    from .backends.tvm.emit import program_for

    progress(f"compiling for {board.name}, and counting its instructions")
    cost = library_cost(graph, board, program_for(graph, machine_of(board)), {})
    return {
        "board": board.name, "target": TVM, "options": {}, "macs": graph.macs, "parameters": graph.parameters,
        "cost": cost,
    }  # fmt: skip

"""The project that a user gets for a graphics processor: the kernels, the plan of their launches, the constants, and
what runs them.
"""

from collections.abc import Iterator

from ...boards import Board
from ...graph import GatewrightError, Graph
from ..loops.names import library_name
from ..project import Project
from ..states import without_states
from .host.files import surroundings
from .languages import LANGUAGES
from .machine import machine_of
from .plan import CONSTANTS, FILE, plan
from .program import GpuProgram, make_program


def emit(graph: Graph, board: Board) -> Project:
    """Compile a graph for a board's graphics processor. Raises UnsupportedError for what cannot be compiled."""
    without_states(graph, "a project for a graphics processor")
    program = make_program(graph, machine_of(board))
    made = sources(program, library_name(graph))
    return Project({f"src/{path}": data for path, data in made.items()} | surroundings(made, graph))


def sources(program: GpuProgram, name: str) -> dict[str, bytes]:
    """Write the files of a program: the kernels, the plan and the constants."""
    language = LANGUAGES[program.gpu.language]
    files, texts = language.files(program.launched)
    return {
        **{path: text.encode() for path, text in texts.items()},
        FILE: plan(program, name, files), CONSTANTS: bytes(program.constants),
    }  # fmt: skip


def missing(graph: Graph, board: Board) -> Iterator[GatewrightError]:
    """Give the first thing that stands in the way of compiling a graph for a board."""
    try:
        emit(graph, board)
    except GatewrightError as error:
        yield error

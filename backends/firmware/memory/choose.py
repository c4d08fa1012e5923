"""From a graph to the plan that a user asks for: the fastest, the smallest, or the fastest in so many bytes."""

from ....boards import Board
from ....graph import Graph, UnsupportedError
from ...loops.machine import Machine
from ...loops.program import make_program
from .limits import Wish, _larger, too_much
from .plan import Plan, plan


def choose(graph: Graph, machine: Machine, board: Board, wish: Wish) -> Plan:
    """Write the program of a graph and place it.

    Raises UnsupportedError for what cannot be compiled, and for what does not fit: which layer needs how much, and what
    would help; OptionError for a board whose file does not say what memory it has.
    """
    found = plan(make_program(graph, machine))
    problem = too_much(found, wish, board)
    if problem is None:
        return found
    raise UnsupportedError(problem.what, where=problem.where, hint=_larger(found.bytes))

"""From a graph to the plan that a user asks for: the fastest, the smallest, or the fastest in so many bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from ....boards import Board
from ....graph import GatewrightError, Graph, Node, UnsupportedError
from ...loops.builder import make_program
from ...loops.layout import arena_type
from ...loops.machine import Machine
from ...loops.plan import Style, flat, group
from ...loops.prepare import prepare
from ...loops.widths import WIDTHS
from .limits import Wish, larger, too_much
from .lives import rules
from .parts import program_of, row_bytes
from .place import greedy, peak
from .plan import Plan, plan
from .stripes import Part, choices, extra, part, passages, size, striped

TRIES = 6
"""Ways to cut a part of a network into stripes that are tried out in one round; those that promise least are."""
ROUNDS = 4
REACH = 5
"""How many tensors before and behind the steps that take most a part may begin and end."""
NEARLY = 1.02
"""How many times the fewest bytes of a round may be taken, to do fewer products twice."""
WORTH = 0.97
"""Share of the bytes that is left after a round, at most: less saved is not worth its products."""


def choose(graph: Graph, machine: Machine, board: Board, wish: Wish) -> Plan:
    """Write the program of a graph and place it.

    Raises UnsupportedError for what cannot be compiled, and for what does not fit: which layer needs how much, and what
    would help; OptionError for a board whose file does not say what memory it has.
    """
    first = plan(make_program(graph, machine))
    problem = too_much(first, wish, board)
    if problem is None and wish.goal != "smallest":
        return first
    found = first
    for smaller in _smaller(graph, machine, first, wish.most or 0):
        found = smaller
        if wish.goal == "limit" and too_much(found, wish, board) is None:
            return found
    still = too_much(found, wish, board)
    if still is None and wish.goal == "smallest":
        return found
    raise _refused(problem or still, first, found, wish, board)


def _refused(
    problem: UnsupportedError | None, first: Plan, least: Plan, wish: Wish, board: Board
) -> UnsupportedError:
    """Say what does not fit, what ``smallest`` would give, and how large a board has to be."""
    assert problem is not None
    tries = []
    if wish.goal != "smallest" and least.bytes < first.bytes:
        fits = too_much(least, Wish("smallest"), board) is None
        tries.append(f"--memory smallest, which takes {least.bytes:,} bytes" + ("" if fits else ", still too many"))
    if too_much(least, Wish("smallest"), board) is not None:
        tries.append(larger(least.bytes))
    elif not tries:
        tries.append(f"--memory {least.bytes}, the least there is")
    return UnsupportedError(problem.what, where=problem.where, hint="; ".join(tries))


@dataclass(frozen=True, eq=False)
class _Way:
    """A way to compute a part of a network by stripes of so many rows."""

    part: Part
    rows: int
    size: int
    extra: int


def _smaller(graph: Graph, machine: Machine, first: Plan, enough: int) -> Iterator[Plan]:
    """Give plans that take less and less, each with more products done twice, at most as many again as the network has;
    where something takes no more than ``enough`` bytes, that with the fewest of them.
    """
    graph, found = prepare(flat(graph)), first
    allowed = 2 * graph.macs
    for _ in range(ROUNDS):
        affordable = (w for w in _ways(graph, found) if graph.macs + w.extra <= allowed)
        ways = sorted(affordable, key=lambda w: (max(w.size, enough), w.extra))[:TRIES]
        tried: list[tuple[int, int, int, Graph]] = []
        for i, way in enumerate(ways):
            cut = striped(graph, way.part, way.rows)
            if cut is None:
                continue
            try:
                rule = rules(program_of(cut, machine))
            except GatewrightError:
                continue
            tried.append((peak(rule, greedy(rule)), way.extra, i, cut))
        if not tried:
            return
        least = min(t[0] for t in tried)
        best = min((t for t in tried if t[0] <= max(least * NEARLY, enough)), key=lambda t: t[1:3])
        next_plan = plan(program_of(best[3], machine), reorder=False)
        if next_plan.bytes > found.bytes * WORTH:
            return
        graph, found = best[3], next_plan
        yield found


def _ways(graph: Graph, found: Plan) -> Iterator[_Way]:
    """List the ways that would make the steps smaller that take most."""
    standing = group(graph, Style(narrow=True)).standing
    stops = [(i, n) for i, n in passages(graph) if n in standing]
    numbers = {n: i for i, n in enumerate(graph.nodes)}
    most = [numbers[n.node] for n in found.needs() if n.bytes > found.bytes * WORTH and n.node in numbers]
    if not most:
        return
    begin, end = (sum(i < at for i, _ in stops) for at in (min(most), max(most)))
    bytes_of = {n: n.type.size * WIDTHS[arena_type(n, unsigned_bytes=False)[0]] // 8 for n in standing}
    align = found.rules.alignment
    for first in range(max(begin - REACH, 0), begin):
        for last in range(end, min(end + REACH, len(stops))):
            cut = part(graph, stops[first][0], stops[last][0])
            if cut is None:
                continue
            for rows in choices(cut.exit.shape[0], _multiple(cut.exit, align)):
                need = size(cut, rows, bytes_of)
                if need < found.bytes * WORTH:
                    yield _Way(cut, rows, need, extra(cut, rows))


def _multiple(node: Node, alignment: int) -> int:
    """Say of how many rows stripes have to be a multiple, so that each begins at an aligned address."""
    return next(rows for rows in range(1, alignment + 1) if row_bytes(node) * rows % alignment == 0)

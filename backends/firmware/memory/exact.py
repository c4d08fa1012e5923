"""The least arena, by a solver of constraints: OR-tools' CP-SAT, where it is installed."""

from dataclasses import dataclass
from importlib.util import find_spec

from .lives import Rules
from .place import greedy, lower_bound, peak

EFFORT = 5.0
"""Deterministic time, in the solver's unit: about seconds."""
MOST_PAIRS = 20_000
"""Pairs of blocks that live at one time, up to which the solver is asked."""


@dataclass(frozen=True)
class Placement:
    """Offsets of the blocks, the bytes they take, bytes that no plan is under, and who found it."""

    offsets: tuple[int, ...]
    peak: int
    bound: int
    solver: str


def place(rules: Rules) -> Placement:
    """Give every block its offset: greedy, then (where OR-tools is installed) as good as can be in a limited time.

    The same rules give the same offsets on every run.
    """
    offsets = greedy(rules)
    found = Placement(tuple(offsets), peak(rules, offsets), lower_bound(rules), "greedy")
    if found.peak <= found.bound or len(rules.near) > MOST_PAIRS or find_spec("ortools") is None:
        return found
    return solved(rules, found)


def solved(rules: Rules, known: Placement, effort: float = EFFORT) -> Placement:
    """Look for a better plan than the one that is known, and for a better bound."""
    from ortools.sat.python import cp_model

    unit = rules.alignment
    model = cp_model.CpModel()
    top = model.new_int_var(-(-known.bound // unit), -(-known.peak // unit), "top")
    ends = [-(-b.bytes // unit) for b in rules.blocks]
    room = -(-known.peak // unit)
    at = [model.new_int_var(0, max(room - end, 0), f"b{i}") for i, end in enumerate(ends)]
    for i, end in enumerate(ends):
        model.add(at[i] + end <= top)
        model.add_hint(at[i], known.offsets[i] // unit)
    for (i, j), near in rules.near.items():
        above, below = -(-near.above // unit), -(-near.below // unit)
        if above + below <= 1:  # any two places are far enough apart
            continue
        over = model.new_bool_var("")
        model.add(at[i] - at[j] >= above).only_enforce_if(over)
        model.add(at[j] - at[i] >= below).only_enforce_if(over.negated())
        model.add_hint(over, known.offsets[i] - known.offsets[j] >= near.above)
    model.minimize(top)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return known
    bound = max(known.bound, int(solver.best_objective_bound) * unit)
    offsets = [solver.value(v) * unit for v in at]
    if peak(rules, offsets) >= known.peak:
        return Placement(known.offsets, known.peak, min(bound, known.peak), known.solver)
    return Placement(tuple(offsets), peak(rules, offsets), min(bound, peak(rules, offsets)), "CP-SAT")

"""The memory plan of a program: order of its steps, offsets in the arena, and what it is that takes most."""

from dataclasses import dataclass, replace
from functools import partial

from ....graph import Node
from ...loops.program import Block, Call, Program
from ...loops.resident import in_place
from .exact import Placement, place
from .lives import Rules, rules
from .order import best_order
from .overlap import distance
from .place import lower_bound


@dataclass(frozen=True, eq=False)
class Need:
    """Bytes of the arena that hold something while a step of a layer runs."""

    node: Node
    bytes: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A placed program. ``bound``: bytes that no placement of these steps is under; ``solver``: who found it."""

    program: Program
    rules: Rules
    placement: Placement

    @property
    def bytes(self) -> int:
        """Size of the arena."""
        return self.program.arena

    @property
    def bound(self) -> int:
        """Bytes that no placement of these steps is under."""
        return self.placement.bound

    def needs(self) -> list[Need]:
        """Say it for every step, in order."""
        placed = list(zip(self.rules.blocks, self.placement.offsets, self.rules.lives, strict=True))
        found = []
        for step, s in self.rules.steps.items():
            if isinstance(s, Call):
                alive = [(o, o + b.bytes) for b, o, life in placed if life.first <= step <= life.last]
                found.append(Need(s.node, _covered(alive)))
        return found

    @property
    def largest(self) -> Need:
        """The step that takes most."""
        return max(self.needs(), key=lambda n: n.bytes)


def plan(program: Program, *, reorder: bool = True) -> Plan:
    """Choose the order of a program's steps (with ``reorder``) and the offsets of its blocks; the program that is given
    back has both.
    """
    in_place(program, partial(_same_place, program))
    own = _placed(program, rules(program))
    if reorder and (order := best_order(program)) is not None:
        moved = replace(program, statements=order)
        found = rules(moved)
        if lower_bound(found) < own.bytes:  # else no placement of it takes less
            other = _placed(moved, found)
            own = other if other.bytes < own.bytes else own
    return _set(own)


def _same_place(program: Program, call: Call, state: Block, fresh: Block) -> bool:
    """Whether a kernel may write its result over the state that it reads."""
    near = distance(call, program.kernels[call.kernel], program.arrays, state, fresh)
    return near.above <= 0 or near.below <= 0


def _placed(program: Program, found: Rules) -> Plan:
    placement = place(found)
    return Plan(replace(program, arena=placement.peak), found, placement)


def _set(plan: Plan) -> Plan:
    """Write offsets and lives into the blocks."""
    for block, offset, life in zip(plan.rules.blocks, plan.placement.offsets, plan.rules.lives, strict=True):
        block.offset, block.first, block.last = offset, life.first, life.last
    return plan


def _covered(spans: list[tuple[int, int]]) -> int:
    """Count the bytes that lie in at least one of some spans."""
    total = end = 0
    for low, high in sorted(spans):
        total += max(0, high - max(low, end))
        end = max(end, high)
    return total

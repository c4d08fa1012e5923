"""Offsets of blocks: greedy ones, and a bound that no plan is under."""

from collections.abc import Iterator, Sequence
from random import Random

from .lives import Rules

ROUNDS = 200
"""Random changes of the order that are tried; fewer where many blocks live at one time."""
LARGEST = 8
"""Blocks that may share with others, the largest first, for which the bound is worked out."""
MOST_PAIRS = 400_000
"""Pairs of blocks that are looked at in all rounds together."""


def touching(rules: Rules, i: int) -> Iterator[tuple[int, int, int]]:
    """Give the blocks that live beside block i: their numbers j, and how far above or below j block i must be."""
    for (a, b), near in rules.near.items():
        if a == i:
            yield b, near.above, near.below
        elif b == i:
            yield a, near.below, near.above


def peak(rules: Rules, offsets: Sequence[int]) -> int:
    """Give the bytes that a plan takes."""
    return max((o + b.bytes for o, b in zip(offsets, rules.blocks, strict=True)), default=0)


def lower_bound(rules: Rules) -> int:
    """Give bytes that every plan takes: at each step, what must stand side by side."""
    sizes = [b.bytes for b in rules.blocks]
    common = {(i, j): saved(sizes[i], sizes[j], n.above, n.below) for (i, j), n in rules.near.items()}
    common = {pair: both for pair, both in common.items() if both}
    most = 0
    for step in {life.first for life in rules.lives}:
        alive = [i for i, life in enumerate(rules.lives) if life.first <= step <= life.last]
        most = max(most, _beside(rules, alive, common))
    return -(-most // rules.alignment) * rules.alignment


def _beside(rules: Rules, alive: Sequence[int], common: "dict[tuple[int, int], int]") -> int:
    """Bound what blocks take that are alive at one time: those that share nothing, and one pair that may."""
    sizes = {i: rules.blocks[i].bytes for i in alive}
    inside = set(alive)
    pairs = {(i, j): both for (i, j), both in common.items() if i in inside and j in inside}
    both = {i for p in pairs for i in p}
    apart = sum(size for i, size in sizes.items() if i not in both)
    best = 0
    for i in sorted(both, key=lambda i: -sizes[i])[:LARGEST]:  # i, and those that share nothing with it or each other
        rest = [j for j in both if j != i]
        beside = _independent([j for j in rest if (min(i, j), max(i, j)) not in pairs], pairs, sizes)
        best = max(best, sizes[i] + beside)
    for (i, j), together in pairs.items():
        best = max(best, sizes[i] + sizes[j] - together)
    return apart + best


def _independent(blocks: Sequence[int], pairs: "dict[tuple[int, int], int]", sizes: "dict[int, int]") -> int:
    """Sum blocks, the largest first, of which no two may share."""
    taken: list[int] = []
    for i in sorted(blocks, key=lambda i: -sizes[i]):
        if all((min(i, j), max(i, j)) not in pairs for j in taken):
            taken.append(i)
    return sum(sizes[i] for i in taken)


def saved(x: int, y: int, above: int, below: int) -> int:
    """Give the most bytes that two blocks can have in common."""
    up, down = max(above, min(0, y - x)), max(below, min(0, x - y))
    return max(0, x + y - min(_extent(x, y, up), _extent(y, x, down)))


def _extent(x: int, y: int, away: int) -> int:
    """Give the bytes from the first to the last of y at 0 and x at ``away``."""
    return max(away + x, y) - min(away, 0)


def greedy(rules: Rules) -> list[int]:
    """Place blocks one after the other at the lowest offset that is left, in several orders; give the best plan.

    The first order is by size (Y. Pisarchyk and J. Lee, Efficient Memory Management for Deep Neural Net Inference,
    2020, section 5.1); from there blocks that reach the top are tried earlier.
    """
    count = len(rules.blocks)
    beside = [list(touching(rules, i)) for i in range(count)]
    by_size = sorted(range(count), key=lambda i: -rules.blocks[i].bytes)
    by_step = sorted(range(count), key=lambda i: rules.lives[i].first)
    best, order, least = [0] * count, by_size, 1 << 62
    bound, random = lower_bound(rules), Random(0)
    for start in (by_size, by_step, by_step[::-1]):
        offsets = _placed(rules, beside, start)
        if peak(rules, offsets) < least:
            best, order, least = offsets, start, peak(rules, offsets)
    for _ in range(min(ROUNDS, MOST_PAIRS // (len(rules.near) + 1)) if count > 2 else 0):
        if least <= bound:
            break
        changed = _earlier(rules, best, order, random)
        offsets = _placed(rules, beside, changed)
        if peak(rules, offsets) <= least:
            best, order, least = offsets, changed, peak(rules, offsets)
    return best


def _earlier(rules: Rules, offsets: Sequence[int], order: Sequence[int], random: Random) -> list[int]:
    """Move a block that reaches the top, or any, to an earlier place."""
    top = peak(rules, offsets)
    highest = [i for i in order if offsets[i] + rules.blocks[i].bytes == top]
    moved = random.choice(highest if random.random() < 0.7 else list(order))
    changed = [i for i in order if i != moved]
    changed.insert(random.randrange(list(order).index(moved) + 1), moved)
    return changed


def _placed(rules: Rules, beside: Sequence[Sequence[tuple[int, int, int]]], order: Sequence[int]) -> list[int]:
    offsets: dict[int, int] = {}
    step = rules.alignment
    for i in order:
        taken = sorted((offsets[j] - below + 1, offsets[j] + above) for j, above, below in beside[i] if j in offsets)
        at = 0
        for begin, end in taken:  # places from begin up to before end are not free
            if begin <= at < end:
                at = -(-end // step) * step
        offsets[i] = at
    return [offsets[i] for i in range(len(order))]

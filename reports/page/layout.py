"""Places for the boxes of a graph: rows in dataflow order, few crossings, straight skips.

The method of Sugiyama, Tagawa and Toda (1981): rows by longest path; edges over several rows pass through a lane in
each; the order in a row by the mean place of the neighbours; places by least squares under that order (pool adjacent
violators).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Key = tuple[str, int]
"""A box (its name, -1), or the lane of an edge (edge number as text, row)."""

SWEEPS = 8
BOX, LANE, GAP = 216.0, 14.0, 22.0


@dataclass(frozen=True)
class Layout:
    """``places``: the middle of each box across (from 0 on), ``rows``: its row; ``paths``: of each edge, the middle
    across in every row from its start to its end. ``width``: of all.
    """

    places: Mapping[str, float]
    rows: Mapping[str, int]
    paths: Sequence[Sequence[float]]
    width: float


def arrange(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layout:
    """Place boxes that are given in an order in which every edge points forward."""
    level = _levels(nodes, edges)
    chains = [_chain(i, a, b, level) for i, (a, b) in enumerate(edges)]
    ordered: list[list[Key]] = [[] for _ in range(max(level.values(), default=0) + 1)]
    for name in nodes:
        ordered[level[name]].append((name, -1))
    for a, chain in zip((a for a, _ in edges), chains, strict=True):
        for offset, key in enumerate(chain[1:-1], 1):
            ordered[level[a] + offset].append(key)
    links = _links(chains)
    for sweep in range(SWEEPS):
        _sort_rows(ordered, links, down=sweep % 2 == 0)
    x = _coordinates(ordered, links)
    left = min((x[k] - _half(k) for k in x), default=0.0)
    right = max((x[k] + _half(k) for k in x), default=0.0)
    return Layout(
        {name: x[name, -1] - left for name in nodes}, level, [[x[k] - left for k in chain] for chain in chains],
        right - left,
    )  # fmt: skip


def _levels(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    before: dict[str, list[str]] = {}
    for a, b in edges:
        before.setdefault(b, []).append(a)
    level: dict[str, int] = {}
    for name in nodes:
        level[name] = max((level[a] + 1 for a in before.get(name, ())), default=0)
    return level


def _chain(number: int, a: str, b: str, level: Mapping[str, int]) -> list[Key]:
    lanes = [(f"{number}", row) for row in range(level[a] + 1, level[b])]
    return [(a, -1), *lanes, (b, -1)]


def _links(chains: Sequence[Sequence[Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    """Neighbours above and below."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _sort_rows(
    ordered: list[list[Key]], links: tuple[dict[Key, list[Key]], dict[Key, list[Key]]], *, down: bool
) -> None:
    """Sort each row by the mean place of the neighbours in the row before it; the sort is stable."""
    neighbours = links[0] if down else links[1]
    rows = ordered if down else ordered[::-1]
    for before, row in itertools.pairwise(rows):
        place = {key: (i + 0.5) / len(before) for i, key in enumerate(before)}
        own = {key: (i + 0.5) / len(row) for i, key in enumerate(row)}
        mean = {key: _mean([place[n] for n in neighbours.get(key, ())], own[key]) for key in row}
        row.sort(key=lambda key: (mean[key], key[1] >= 0))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _coordinates(
    ordered: Sequence[Sequence[Key]], links: tuple[dict[Key, list[Key]], dict[Key, list[Key]]]
) -> dict[Key, float]:
    x: dict[Key, float] = {}
    for row in ordered:
        _place(row, dict.fromkeys(row, 0.0), x)
    for sweep in range(2 * SWEEPS):
        rows = ordered if sweep % 2 == 0 else ordered[::-1]
        for row in rows:
            _place(row, {key: _wanted(key, links, x) for key in row}, x)
    return x


def _wanted(key: Key, links: tuple[dict[Key, list[Key]], dict[Key, list[Key]]], x: Mapping[Key, float]) -> float:
    """The mean of the neighbours; lanes pull lanes harder, so that long edges are straight."""
    total = weight = 0.0
    for side in links:
        for other in side.get(key, ()):
            pull = 8.0 if key[1] >= 0 and other[1] >= 0 else 2.0 if key[1] < 0 and other[1] < 0 else 0.2
            total, weight = total + pull * x[other], weight + pull
    return total / weight if weight else x[key]


def _place(row: Sequence[Key], wanted: Mapping[Key, float], x: dict[Key, float]) -> None:
    """Put the keys of a row as near to where they want to be as their order and widths allow."""
    offsets, at = [], 0.0
    for i, key in enumerate(row):
        at += _half(key) + (_half(row[i - 1]) + GAP if i else 0.0)
        offsets.append(at)
    blocks: list[tuple[float, float, int]] = []  # sum of weighted wishes, weight, members
    for key, offset in zip(row, offsets, strict=True):
        weight = 1.0 if key[1] < 0 else 0.5
        blocks.append((weight * (wanted[key] - offset), weight, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            (sa, wa, na), (sb, wb, nb) = blocks[-2:]
            blocks[-2:] = [(sa + sb, wa + wb, na + nb)]
    starts = [total / weight for total, weight, members in blocks for _ in range(members)]
    for key, offset, start in zip(row, offsets, starts, strict=True):
        x[key] = start + offset


def _half(key: Key) -> float:
    return (BOX if key[1] < 0 else LANE) / 2

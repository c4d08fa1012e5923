"""Places for the boxes of a graph: rows in dataflow order, straight columns, skips beside what they skip.

A row is the longest path from an input. The longest path of all is the first column; the rest is cut into paths too,
each as far left as it fits. Then each edge over several rows gets a lane, the short ones first, so that skips nest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX, LANE, GAP = 216.0, 8.0, 22.0


@dataclass(frozen=True)
class Layout:
    """``places``: the middle of each box across (from 0 on), ``rows``: its row; ``paths``: of each edge, the middle
    across in every row from its start to its end. ``width``: of all.
    """

    places: Mapping[str, float]
    rows: Mapping[str, int]
    paths: Sequence[Sequence[float]]
    width: float


@dataclass(frozen=True)
class _Strip:
    """What is taken already: rows ``first`` to ``last``, ``half`` to each side of ``x``."""

    first: int
    last: int
    x: float
    half: float


def arrange(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layout:
    """Place boxes that are given in an order in which every edge points forward."""
    rows = _rows(nodes, edges)
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    strips: list[_Strip] = []
    places: dict[str, float] = {}
    for path in _columns(nodes, after):
        first, last = rows[path[0]], rows[path[-1]]
        x = _free(strips, first, last, BOX / 2, 0.0)
        strips.append(_Strip(first, last, x, BOX / 2))
        places |= dict.fromkeys(path, x)
    lanes = _lanes(edges, rows, places, strips)
    paths = [
        [places[a], *[lanes.get(i, places[a])] * (rows[b] - rows[a] - 1), places[b]] for i, (a, b) in enumerate(edges)
    ]
    left = min((s.x - s.half for s in strips), default=0.0)
    right = max((s.x + s.half for s in strips), default=0.0)
    return Layout({n: x - left for n, x in places.items()}, rows, [[x - left for x in p] for p in paths], right - left)


def _rows(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    before: dict[str, list[str]] = {}
    for a, b in edges:
        before.setdefault(b, []).append(a)
    rows: dict[str, int] = {}
    for name in nodes:
        rows[name] = max((rows[a] + 1 for a in before.get(name, ())), default=0)
    return rows


def _columns(nodes: Sequence[str], after: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Cut the graph into paths, the longest first."""
    left = set(nodes)
    found: list[list[str]] = []
    while left:
        length: dict[str, int] = {}
        for name in reversed(nodes):
            if name in left:
                length[name] = 1 + max((length[b] for b in after.get(name, ()) if b in left), default=0)
        path = [max((n for n in nodes if n in left), key=length.__getitem__)]
        while following := [b for b in after.get(path[-1], ()) if b in left]:
            path.append(max(following, key=length.__getitem__))
        found.append(path)
        left -= set(path)
    return found


def _lanes(
    edges: Sequence[tuple[str, str]], rows: Mapping[str, int], places: Mapping[str, float], strips: list[_Strip]
) -> dict[int, float]:
    """Give each edge over several rows a lane; of one tensor's skips the shorter is nearer."""
    lanes: dict[int, float] = {}
    long = [i for i, (a, b) in enumerate(edges) if rows[b] > rows[a] + 1]
    for i in sorted(long, key=lambda i: (rows[edges[i][1]] - rows[edges[i][0]], rows[edges[i][0]])):
        a, b = edges[i]
        first, last = rows[a] + 1, rows[b] - 1
        lanes[i] = _free(strips, first, last, LANE / 2, max(places[a], places[b]))
        strips.append(_Strip(first, last, lanes[i], LANE / 2))
    return lanes


def _free(strips: Sequence[_Strip], first: int, last: int, half: float, wanted: float) -> float:
    """Give the first place from ``wanted`` on to the right that is free in these rows."""
    near = [s for s in strips if s.first <= last and first <= s.last]
    for x in sorted({wanted, *(x for s in near if (x := s.x + s.half + GAP + half) > wanted)}):
        if all(abs(x - s.x) >= half + s.half + GAP - 1e-6 for s in near):
            return x
    return wanted

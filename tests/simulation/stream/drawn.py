"""Small designs, drawn: chains, forks, joins, skips, several rates, short FIFOs."""

import numpy as np

from gatewright.simulation.stream import Fifo, Network, Process


def cycles(rng: np.random.Generator, count: int, length: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.sort(rng.choice(length, count, replace=False)).astype(np.int64)


def network(seed: int, *, most_depth: int = 6) -> Network:
    """Draw a design: processes in order, each FIFO from an earlier to a later one."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 7))
    joins = [(i, i + 1) for i in range(count - 1)]
    for _ in range(int(rng.integers(0, 4))):
        a, b = sorted(int(v) for v in rng.choice(count, 2, replace=False))
        joins.append((a, b))
    if rng.random() < 0.15:  # feedback: deadlocks, or not, with what is read late
        joins.append((count - 1, 0))
    packs = [int(rng.integers(1, 9)) for _ in joins]
    busiest = [max([p for p, j in zip(packs, joins, strict=True) if n in j], default=0) for n in range(count)]
    lengths = [int(rng.integers(1, 12)) + n for n in busiest]
    reads: list[dict[str, object]] = [{} for _ in range(count)]
    writes: list[dict[str, object]] = [{} for _ in range(count)]
    for i, ((a, b), n) in enumerate(zip(joins, packs, strict=True)):
        writes[a][f"f{i}"] = cycles(rng, n, lengths[a])
        reads[b][f"f{i}"] = cycles(rng, n, lengths[b])
    processes = tuple(
        Process(f"p{n}", lengths[n], reads[n], writes[n], int(rng.choice([0, 0, 3])))  # type: ignore[arg-type]
        for n in range(count)
    )
    fifos = tuple(
        Fifo(f"f{i}", int(rng.integers(1, most_depth + 1)), int(rng.integers(1, 65)), int(rng.integers(1, 3)))
        for i in range(len(joins))
    )
    return Network(processes, fifos)


def overlapping(seed: int) -> Network:
    """Draw a design of few packs and long programs, whose frames overlap; FIFOs between any two, also of one process
    to itself.
    """
    rng = np.random.default_rng(seed)
    count, packs = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    joins = [(i, i + 1) for i in range(count - 1)]
    joins += [(int(a), int(b)) for a, b in rng.integers(0, count, (int(rng.integers(0, 3)), 2))]
    lengths = [int(rng.integers(packs, 9)) for _ in range(count)]
    uses = [
        [{f"f{i}": cycles(rng, packs, n) for i, j in enumerate(joins) if j[end] == p} for p, n in enumerate(lengths)]
        for end in (0, 1)
    ]
    return Network(
        tuple(Process(f"p{p}", n, uses[1][p], uses[0][p], int(rng.integers(0, 9))) for p, n in enumerate(lengths)),
        tuple(Fifo(f"f{i}", int(rng.choice([1, 2, 3, 20])), 8, int(rng.integers(1, 9))) for i in range(len(joins))),
    )


def skipping(stages: int, length: int, packs: int = 1) -> Network:
    """A chain of slow processes and a way around it: many frames are in the chain at once."""
    every = np.arange(packs, dtype=np.int64)
    body = [Process(f"p{i}", length, {f"c{i}": every}, {f"c{i + 1}": every + length - packs}) for i in range(stages)]
    last = {f"c{stages}": every, "skip": every}
    ends = (Process("source", packs, {}, {"c0": every, "skip": every}), Process("join", packs, last, {}))
    fifos = (Fifo("skip", 1, 16), *(Fifo(f"c{i}", 1, 8) for i in range(stages + 1)))
    return Network((*ends, *body), fifos)

"""The definition, cycle by cycle: registers, a clock enable a process. Slow, and obviously what ``model`` says."""

from collections import deque
from dataclasses import dataclass, field

from gatewright.simulation.stream import Network

IDLE = 64
"""Cycles without any movement after which nothing can move: more than any latency and start in the tests."""


@dataclass
class Stepped:
    """When each FIFO was written and read, the largest occupancy, who was left, what each process did."""

    writes: dict[str, list[int]] = field(default_factory=dict)
    reads: dict[str, list[int]] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    stuck: dict[str, int] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)


def step(network: Network, frames: int) -> Stepped:
    """Run the design until it ends or nothing moves any more."""
    result = Stepped({f.name: [] for f in network.fifos}, {f.name: [] for f in network.fifos})
    result.most = {f.name: 0 for f in network.fifos}
    inside: dict[str, deque[int]] = {f.name: deque() for f in network.fifos}  # the cycle from which each can be read
    limits = {f.name: f for f in network.fifos}
    local = {p.name: 0 for p in network.processes}
    uses = {
        p.name: ({n: set(c.tolist()) for n, c in p.reads.items()}, {n: set(c.tolist()) for n, c in p.writes.items()})
        for p in network.processes
    }
    clock = idle = 0
    while idle < IDLE and any(local[p.name] < p.length * frames for p in network.processes):
        enabled = []
        for p in network.processes:
            if clock < p.start or local[p.name] >= p.length * frames:
                continue
            place = local[p.name] % p.length
            reads = [n for n, at in uses[p.name][0].items() if place in at]
            writes = [n for n, at in uses[p.name][1].items() if place in at]
            can_read = all(inside[n] and inside[n][0] <= clock for n in reads)
            if can_read and all(len(inside[n]) < limits[n].depth for n in writes):
                enabled.append((p.name, reads, writes))
        for name, reads, writes in enabled:
            local[name] += 1
            result.began.setdefault(name, clock)
            result.ended[name] = clock + 1
            for n in reads:
                inside[n].popleft()
                result.reads[n].append(clock)
            for n in writes:
                inside[n].append(clock + limits[n].latency)
                result.writes[n].append(clock)
        for n, packs in inside.items():
            result.most[n] = max(result.most[n], len(packs))
        idle = 0 if enabled else idle + 1
        clock += 1
    result.busy = local
    result.stuck = {p.name: local[p.name] for p in network.processes if local[p.name] < p.length * frames}
    return result

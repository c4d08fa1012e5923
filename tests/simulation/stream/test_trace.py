"""The trace: every cycle of a process is in one slice, the file stays small."""

import itertools
import json

import numpy as np
import pytest

from gatewright.simulation.stream import Fifo, Network, Process, simulate
from gatewright.simulation.stream.trace import MOST_POINTS, MOST_SLICES, chrome_trace

from .drawn import network


@pytest.mark.parametrize("seed", range(40))
def test_slices_tile_the_run(seed: int) -> None:
    run = simulate(network(seed), 2)
    trace = chrome_trace(run, 5.0)
    json.dumps(trace)
    for number, process in enumerate(run.network.processes):
        every = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["tid"] == number]
        slices = [e["args"] for e in every if e["cat"] != "deadlock"]
        stuck = {w.process for w in run.deadlock.waits} if run.deadlock else set[str]()
        assert (len(slices) < len(every)) == (process.name in stuck)
        at = process.start
        for entry in slices:
            assert entry["from_cycle"] == at
            at += entry["cycles"]
        assert at == max(process.start, run.activity(process).end)
        waits = sum(e["args"]["cycles"] for e in trace["traceEvents"] if e.get("cat") == "wait" and e["tid"] == number)
        assert waits == sum(run.activity(process).waits.values())


def test_long_runs_stay_small() -> None:
    every = np.arange(20_000, dtype=np.int64)
    design = Network(
        (Process("source", 20_000, {}, {"f": every}), Process("sink", 60_000, {"f": every * 3}, {})), (Fifo("f", 2),)
    )
    run = simulate(design)
    events = chrome_trace(run, 4.0)["traceEvents"]
    source = [e["args"] for e in events if e["ph"] == "X" and e["tid"] == 0]
    did = run.activity(design.processes[0])
    assert did.waits == {"f": sum(e["waited"].get("f", 0) for e in source)}
    assert did.busy == sum(e["cycles"] - sum(e["waited"].values()) for e in source)
    assert all(e["from_cycle"] + e["cycles"] == f["from_cycle"] for e, f in itertools.pairwise(source))
    assert len(events) < 4 * MOST_SLICES + MOST_POINTS + 8

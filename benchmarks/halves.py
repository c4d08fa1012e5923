"""Networks kept in 16 bits beside the same ones in float32, on this machine, one thread.

    python -m benchmarks.halves [jet,dense,mobilenet_v2_100_224]

The three libraries of a network take turns; printed are the medians over the rounds of the process's own time, as a
share of that of float32, and how far the answers are off, as a share of the largest.
"""

import statistics
import sys
import time
from typing import Any

import numpy as np

from gatewright.backends.tvm import machine_of
from gatewright.backends.tvm.emit import emit_for
from gatewright.backends.tvm.simulation import Network, Simulation
from gatewright.boards import load as load_board
from gatewright.frontend import load
from gatewright.graph import Array, Graph, Node
from gatewright.graph.ops import Constant, Dense, Input, Output, Relu
from gatewright.lowering import lower

from .cpu.networks import build

FORMATS = (None, "fp16", "bf16")
ROUNDS, SECONDS = 30, 0.02
WIDE = 4096


def dense() -> Graph:
    """Two dense layers whose weights are read from memory."""
    rng = np.random.default_rng(0)
    x = end = Node(Input("x", (WIDE,)))
    for _ in range(2):
        weights = rng.normal(0, WIDE**-0.5, (WIDE, WIDE)).astype(np.float32)
        end = Node(Relu(), (Node(Dense(), (end, Node(Constant(Array(weights))))),))
    return Graph((x,), (Node(Output("y"), (end,)),), "dense")


def networks(graph: Graph) -> dict[str | None, Network]:
    """Compile a graph in each format; equal inputs stand in the networks."""
    found: dict[str | None, Network] = {}
    for name in FORMATS:
        own = lower(graph, board="host", floats=True, float_format=name)
        files = emit_for(own, machine_of(load_board("host"))).files
        found[name] = Simulation(own, files).loaded()
        for held in found[name].inputs:
            held[...] = np.random.default_rng(1).normal(0, 1, held.shape)
        found[name].run()
    return found


def seconds(network: Network, turns: int) -> float:
    """Time a call."""
    begin = time.process_time()
    for _ in range(turns):
        network.run()
    return (time.process_time() - begin) / turns


def measured(found: dict[str | None, Network]) -> dict[str | None, list[float]]:
    """Let the networks take turns."""
    turns = {name: max(1, int(SECONDS / seconds(n, 2))) for name, n in found.items()}
    rounds = [{name: seconds(n, turns[name]) for name, n in found.items()} for _ in range(ROUNDS)]
    return {name: [one[name] for one in rounds] for name in found}


def main(arguments: list[str]) -> None:
    """Print a line for each network and format."""
    names = arguments[0].split(",") if arguments else ["dense", "mobilenet_v2_100_224", "jet"]
    for network in names:
        graph: Any = dense() if network == "dense" else load(build(network))
        found = networks(graph)
        times = measured(found)
        right = found[None].outputs[0].astype(np.float64)
        for name in FORMATS:
            share = statistics.median(a / b for a, b in zip(times[name], times[None], strict=True))
            off = float(np.abs(found[name].outputs[0] - right).max() / np.abs(right).max())
            told = f"{statistics.median(times[name]) * 1e6:.1f} us, {share:.2f}, off {off:.1e}"
            print(f"{network} {name or 'fp32'}: {told}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""How many inferences a second the integer graph's interpreter makes.

    python benchmarks/evaluate.py                on one core: set OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    python benchmarks/evaluate.py --profile      and where the time goes

To keep, on one core: 50,000 a second for the jet tagger, 50 for ResNet-8's shape.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable

import numpy as np
from networks import jet_tagger, mobilenet, resnet8

from gatewright.graph import Graph, evaluate

NETWORKS: dict[str, tuple[Callable[[], Graph], int, float]] = {
    "jet_tagger": (jet_tagger, 100_000, 50_000.0),
    "resnet8": (resnet8, 32, 50.0),
    "mobilenet": (mobilenet, 16, 0.0),
}
"""The network, how many samples, and the inferences a second to keep."""


def speed(graph: Graph, batch: int, rounds: int = 3) -> float:
    """Give inferences per second, the best of a few rounds."""
    x = np.random.default_rng(0).uniform(0, 1, (batch, *graph.inputs[0].shape)).astype(np.float32)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        evaluate(graph, x)
        best = min(best, time.perf_counter() - start)
    return batch / best


def main() -> None:
    """Print one line a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("names", nargs="*", default=list(NETWORKS))
    arguments = parser.parse_args()
    for name in arguments.names:
        build, batch, keep = NETWORKS[name]
        graph = build()
        profile = cProfile.Profile()
        if arguments.profile:
            profile.enable()
        rate = speed(graph, batch)
        profile.disable()
        mark = "" if rate >= keep else f"   below {keep:,.0f}"
        print(f"{name:12} {graph.macs:12,} MACs {rate:12,.0f} inferences/s{mark}")
        if arguments.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()

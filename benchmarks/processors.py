"""Estimated beside measured times of libraries on this machine: what the bands of estimates rest on.

    python -m benchmarks.processors [--networks resnet8_int8,vit_tiny_fp32] [--cache DIR] [--files DIR] [--json FILE]

A network's measured time is the sum of the fastest times of its calls, each over some turns: a neighbour on the machine
slows some turns, never all. Networks are those of benchmarks.cpu. The last lines tell how far estimates were off, for
networks and for layers that take at least 1 % of their network.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.names import library_name
from gatewright.backends.tvm import machine_of
from gatewright.backends.tvm.build import kernels_text
from gatewright.backends.tvm.measure import profile
from gatewright.boards import load as load_board
from gatewright.frontend import load
from gatewright.lowering import keeps_floats, lower, make_config
from gatewright.simulation.cpu import estimate

from .cpu.files import CASES, cache, onnx_file

TURNS = 30
SHORT = 2e-6
"""Seconds below which a network's time is mostly that of reading the clock and of calls."""
SHARE = 0.01


def compare(path: Path) -> dict[str, Any]:
    """Estimate and measure a network on this machine."""
    board, settings = load_board("host"), make_config(None, None)
    source = load(path)
    graph = lower(source, board=board, config=settings, floats=keeps_floats(source, board, settings))
    machine = machine_of(board)
    program = make_program(graph, machine)
    name = library_name(graph)
    found = estimate(program, kernels_text(program, name, "asm"), board, name)
    measured = profile(graph, machine, turns=TURNS)
    layers = [
        {
            "layer": call.node.where,
            "estimated_s": call.cycles * call.count / found.mhz / 1e6,
            "measured_s": timed.seconds,
        }
        for call, timed in zip(found.calls, measured.calls, strict=True)
    ]
    return {
        "core": found.core.name, "mhz": found.mhz, "estimated_s": found.seconds,
        "measured_s": sum(c.seconds for c in measured.calls), "whole_s": measured.seconds,
        "instructions": found.instructions, "exact": found.exact, "layers": layers,
    }  # fmt: skip


def row(case: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    ratios = layer_ratios([found])
    ends = (math.exp(np.percentile(np.log(ratios), q)) for q in (10, 50, 90)) if ratios else (0.0, 0.0, 0.0)
    low, middle, high = ends
    return (
        f"{case:<26}{1e6 * found['estimated_s']:>12,.1f}{1e6 * found['measured_s']:>12,.1f}"
        f"{found['estimated_s'] / found['measured_s']:>8.2f}{low:>10.2f}{middle:>7.2f}{high:>7.2f}"
        f"{found['instructions']:>16,}"
    )


def layer_ratios(results: Sequence[dict[str, Any]]) -> list[float]:
    """Give estimated / measured of the layers that matter."""
    return [
        layer["estimated_s"] / layer["measured_s"]
        for found in results
        for layer in found["layers"]
        if layer["measured_s"] > SHARE * found["measured_s"]
    ]


def summary(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Say how far estimates were off."""
    long = [r for r in results.values() if r["measured_s"] >= SHORT]
    if not long:
        return
    of_networks = [r["estimated_s"] / r["measured_s"] for r in long]
    for what, ratios in (
        (f"{len(long)} networks above {SHORT * 1e6:g} us", of_networks),
        ("their layers", layer_ratios(long)),
    ):
        logs = np.log(ratios)
        spread = " to ".join(f"{math.exp(np.percentile(logs, q)):.2f}" for q in (5, 95))
        mean = math.exp(float(logs.mean()))
        yield (
            f"{what}: estimated / measured {min(ratios):.2f} to {max(ratios):.2f}, 90 % of {len(ratios)} in {spread}, "
            f"mean {mean:.2f}, mean error {100 * float(np.abs(np.array(ratios) - 1).mean()):.0f} %"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", help=", ".join(CASES))
    parser.add_argument("--cache", type=Path, metavar="DIR")
    parser.add_argument("--files", type=Path, metavar="DIR", help="where other forms of the networks are")
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    cases = chosen.networks.split(",") if chosen.networks else CASES
    folder = cache(chosen.cache)
    heads = f"{'estimated':>12}{'measured':>12}{'ratio':>8}{'layers 10 %':>12}{'50 %':>6}{'90 %':>6}"
    print(f"{'us an inference':<26}{heads}{'instructions':>15}")
    results: dict[str, dict[str, Any]] = {}
    for case in cases:
        given = [chosen.files / f"{case}{end}" for end in (".onnx", ".tflite")] if chosen.files else []
        path = next((p for p in given if p.exists()), None) or onnx_file(case, folder)
        results[case] = compare(path)
        print(row(case, results[case]), flush=True)
    print("\n".join(["", *summary(results)]))
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

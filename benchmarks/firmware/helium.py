"""What the networks of MLPerf Tiny take on a Cortex-M55: with Helium, and with the DSP extension alone.

    python -m benchmarks.firmware.helium                        counts of QEMU, which has to be installed
    python -m benchmarks.firmware.helium --networks VWW --layers    each layer's instructions a product

Instructions are exact, of one inference; the image's self-test, which passes before they are counted, compares the
outputs with those of the graph. Cycles are estimates of ``simulation.mcu``, with memories that never wait.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gatewright as gw
from gatewright.backends.firmware.emulator import Counts, core_of, run_qemu
from gatewright.boards import Board, load
from gatewright.simulation.mcu import core_cycles, timing_of

from .__main__ import MODELS, NETWORKS

BOARD = "corstone-300"
KERNEL = re.compile(r"k\d+")
PASSED = "the self-test passed"


def boards() -> Iterator[tuple[str, Board]]:
    """Give the board, and one whose core has no vectors."""
    board = load(BOARD)
    assert board.compiler is not None
    features = tuple(f for f in board.compiler.features if not f.startswith("+mve"))
    yield "DSP", replace(board, compiler=replace(board.compiler, features=features, vector_bits=0))
    yield "Helium", board


@dataclass(frozen=True)
class Run:
    """A network on a board: ``steps`` are names and products of its layers with the instructions of each."""

    project: gw.Project
    cycles: float
    steps: list[tuple[str, int, float]]

    @property
    def instructions(self) -> float:
        """Instructions of one inference."""
        return sum(count for _, _, count in self.steps)


def run(model: Path, board: Board) -> Run:
    """Compile a network, let its image test itself on QEMU, and count."""
    project = gw.compile(gw.load(model), board=board, vectors=4)
    told = project.simulation.description
    found = run_qemu(project.artefact[f"image/{told['name']}.elf"], core_of(board), count=True)
    assert PASSED in found.console, found.console
    assert found.counts is not None
    steps = [(s["name"], s["macs"], _each(found.counts, s["symbol"])) for s in told["layers"]]
    return Run(project, _cycles(found.counts, [s["symbol"] for s in told["layers"]], board), steps)


def _each(counts: Counts, symbol: str) -> float:
    """Give the instructions of one call of a function, with those of all that it calls."""
    found = counts.functions.get(symbol)
    return found.inclusive / found.calls if found is not None and found.calls else 0.0


def _cycles(counts: Counts, symbols: Sequence[str], board: Board) -> float:
    """Estimate the cycles of one inference: of the layers and their kernels, which all run once in each."""
    timing, functions = timing_of(board), counts.functions
    own = [f for name, f in functions.items() if name in symbols or KERNEL.fullmatch(name)]
    return sum(core_cycles(f.mix, timing) for f in own) / functions[symbols[0]].calls


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--layers", action="store_true")
    asked = parser.parse_args(arguments)
    print(f"{'core':8} {'network':8} {'instructions':>14} {'a product':>9} {'cycles':>12} {'arena':>8} {'flash':>8}")
    for name in asked.networks.split(","):
        model = asked.models / f"{NETWORKS[name]}.tflite"
        macs = gw.load(model).macs
        for kind, board in boards():
            found = run(model, board)
            memory = found.project.manifest["cost"]["memory"]
            print(
                f"{kind:8} {name:8} {found.instructions:14,.0f} {found.instructions / macs:9.3f} {found.cycles:12,.0f}"
                f" {memory['arena_bytes']['value']:8,} {memory['flash_bytes']['value']:8,}", flush=True,
            )  # fmt: skip
            for layer, products, count in found.steps if asked.layers else ():
                each = f"{count / products:9.3f}" if products else f"{'-':>9}"
                print(f"{'':17} {count:14,.0f} {each}  {layer[-60:]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

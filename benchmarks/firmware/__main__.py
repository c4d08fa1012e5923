"""What the networks of MLPerf Tiny take on emulated microcontrollers, beside a runtime's reference kernels.

    python -m benchmarks.firmware                 the four int8 networks on a Cortex-M4, M7, M0+, M33 and an RV32
    python -m benchmarks.firmware --boards nucleo-l4r5zi --layers    each layer, and what limits it
    python -m benchmarks.firmware --models DIR    where ad01_int8.tflite, dscnn_kws_int8.tflite, ... stand

Instructions are exact, of one inference; "a product" is one of the model's own (its nominal multiply-accumulates), also
where channels that never vary were left out. Every image is compared with the graph on the emulated core first. Arena
and flash are of the linked image; weights are those of the model as it is read. The reference is ``reference.c``: loops
as TensorFlow Lite's reference kernels have them, with the same compiler and flags, equal to the graph in every byte.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gatewright as gw
from gatewright.boards import load
from gatewright.graph import Graph
from gatewright.graph.ops import Constant

from .program import PARTS, Program
from .reference import Reference

NETWORKS = {"AD": "ad01_int8", "IC": "resnet8_int8", "KWS": "dscnn_kws_int8", "VWW": "vww_96_int8"}
BOARDS = ("nucleo-l4r5zi", "nucleo-h743zi", "raspberry-pi-pico", "nucleo-u575zi-q", "raspberry-pi-pico-2-riscv")
MODELS = Path(__file__).parents[3] / "shared" / "models" / "mlperf_tiny"
VECTORS = 2
HEAD = (
    f"{'board':26} {'network':8} {'instructions':>14} {'a product':>9} {'arena':>8} {'stack':>6} {'flash':>8}"
    f" {'weights':>8} {'reference':>14} {'a product':>9} {'times':>6} {'arena':>8} {'flash':>8}  proof"
)


def weight_bytes(graph: Graph) -> int:
    """Bytes of the model's weights: bytes and biases of 32 bits, tables left out."""
    used = {n: u for n, u in graph.users.items() if isinstance(n.op, Constant)}
    constants = [n for n, readers in used.items() if any(len(u.inputs) > 1 and u.inputs[0] is not n for u in readers)]
    return sum(n.type.size * (1 if n.type.quantized.width <= 8 else 4) for n in constants)  # type: ignore[operator]


def reference_of(source: Graph, board: str) -> tuple[Reference, int]:
    """Give the reference of a network, compared with the graph, and the instructions of an inference."""
    reference = Reference(source, load(board))
    shapes = [(VECTORS, *n.shape) for n in source.inputs]
    vectors = [np.random.default_rng(i).integers(-128, 128, shape) for i, shape in enumerate(shapes)]
    right = gw.evaluate(source, vectors, integers=True)
    expected = right if isinstance(right, tuple) else (right,)
    for k in range(VECTORS):
        for got, want in zip(reference.run([v[k] for v in vectors]), expected, strict=True):
            assert (got == want[k]).all(), f"{board}: the reference kernels differ from the graph"
    return reference, reference.program.device.counts().instructions


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--memory", default="fastest")
    parser.add_argument("--layers", action="store_true")
    asked = parser.parse_args(arguments)
    if not asked.models.is_dir():
        print(f"no folder {asked.models}: --models DIR with {', '.join(f'{n}.tflite' for n in NETWORKS.values())}")
        return 1
    print(HEAD)
    for board in asked.boards.split(","):
        for name in asked.networks.split(","):
            source = gw.load(asked.models / f"{NETWORKS[name]}.tflite")
            project = gw.compile(source, board=board, vectors=4, memory=asked.memory)
            reference, slower = reference_of(source, board)
            cost = project.manifest["cost"]
            count, memory = int(cost["instructions"]["value"]), cost["memory"]
            print(
                f"{board:26} {name:8} {count:14,} {count / source.macs:9.2f} {memory['arena_bytes']['value']:8,}"
                f" {memory['stack_bytes']['value']:6,} {memory['flash_bytes']['value']:8,} {weight_bytes(source):8,}"
                f" {slower:14,} {slower / source.macs:9.2f} {slower / count:6.1f} {reference.arena:8,}"
                f" {reference.program.flash:8,}  {project.manifest['verification']['status']}", flush=True,
            )  # fmt: skip
            if asked.layers:
                layers(project, reference)
    return 0


@dataclass
class Row:
    """A layer: its nominal products, what its instructions are for, and how many those of the reference are."""

    macs: int
    parts: Counter[str]
    reference: int = 0


def layers(project: gw.Project, reference: Reference) -> None:
    """Print what each layer's instructions are for, and what most of them are for: that limits it."""
    shares = " ".join(f"{p:>12}" for p in PARTS)
    print(f"    {'instructions':>12} {'a product':>9} {'reference':>12}  {shares}  limit")
    for name, row in _rows(project, reference).items():
        total = max(sum(row.parts.values()), 1)
        each = f"{total / row.macs:9.2f}" if row.macs else f"{'-':>9}"
        shares = " ".join(f"{100 * row.parts[p] / total:10.0f} %" for p in PARTS)
        most = max(PARTS, key=lambda p: row.parts[p])
        print(f"    {total:12,} {each} {row.reference:12,}  {shares}  {most:12}  {name[-44:]}")


def _rows(project: gw.Project, reference: Reference) -> dict[str, Row]:
    """Bring both together, by the names of layers: what ours has fused counts to the layer that it is fused with."""
    simulation = project.simulation
    told = simulation.description
    files = {f.removeprefix("src/"): data for f, data in project.artefact.items() if f.startswith("src/")}
    files.pop(f"{told['name']}_selftest.c")
    own = Program(told["name"], files, load(project.board.name), told["arena_bytes"])
    rows: dict[str, Row] = {}
    for i, layer in enumerate(told["layers"]):
        row = rows.setdefault(layer["name"], Row(0, Counter()))
        row.macs += layer["macs"]
        row.parts += own.parts(f"{told['name']}_step", i)
    pending = 0
    for step, symbol in zip(reference.steps, reference.symbols, strict=True):
        pending += reference.program.parts(symbol).total()
        if step.end.where in rows:
            rows[step.end.where].reference += pending
            pending = 0
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

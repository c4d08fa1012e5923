"""What packed weights take: networks of MLPerf Tiny with their weights rounded to four and two bits.

    python -m benchmarks.firmware.narrow          on a Cortex-M4, an M0+ and an RV32: packed, and as bytes
    python -m benchmarks.firmware.narrow --networks KWS --bits 2,1 --boards nucleo-l4r5zi --storage packed

Instructions are exact, of one inference of an image that is compared with the graph on the emulated core; "a product"
is a nominal multiply-accumulate of the model. What such networks say is worth nothing; what they take is the same.
"""

import argparse
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

import gatewright as gw
from gatewright.graph import Affine, Array, Graph, Node
from gatewright.graph.ops import Constant, Conv, Dense, MultiplyShift

from .__main__ import MODELS, NETWORKS

BOARDS = ("nucleo-l4r5zi", "raspberry-pi-pico", "raspberry-pi-pico-2-riscv")


def narrowed(graph: Graph, bits: int) -> Graph:
    """Round the weights of a network of 8-bit integers to ``bits`` bits; changes of scale make up for it, so that the
    numbers between the layers stay what they were, but for rounding.
    """
    less, new = 8 - bits, dict[Node, Node]()
    for node in graph.nodes:
        inputs = tuple(new[i] for i in node.inputs)
        op = node.op
        match op:
            case Conv() | Dense():
                x, w, *bias = inputs
                inputs = (x, _rounded(w, less, bits), *(_rounded(b, less, None) for b in bias))
            case MultiplyShift() if isinstance(node.inputs[0].op, Conv | Dense):
                op = replace(op, shift=tuple(s + less for s in op.shift))
        new[node] = replace(node, op=op, inputs=inputs)
    return Graph(tuple(new[n] for n in graph.inputs), tuple(new[n] for n in graph.outputs), f"{graph.name}_{bits}")


def _rounded(node: Node, less: int, bits: int | None) -> Node:
    """Give a constant of integers without its last ``less`` bits; ``bits``: of its format, None: those it has."""
    op = node.op
    assert isinstance(op, Constant)
    format = node.type.quantized
    assert isinstance(format, Affine)
    data = np.rint(op.value.data / (1 << less)).astype(np.int64)
    if bits is not None:
        data, format = np.clip(data, -(1 << bits - 1), (1 << bits - 1) - 1), replace(format, width=bits)
    return replace(node, op=Constant(Array(data), format))


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--bits", default="4,2")
    parser.add_argument("--storage", default="packed,bytes")
    parser.add_argument("--models", type=Path, default=MODELS)
    asked = parser.parse_args(arguments)
    print(f"{'board':26} {'network':8} {'bits':>4} {'stored':7} {'instructions':>14} {'a product':>9} {'arena':>8}"
          f" {'flash':>8}  proof")  # fmt: skip
    ways = product(*(text.split(",") for text in (asked.boards, asked.networks, asked.bits, asked.storage)))
    for board, name, bits, storage in ways:
        source = gw.load(asked.models / f"{NETWORKS[name]}.tflite")
        project = gw.compile(narrowed(source, int(bits)), board=board, vectors=1, weight_storage=storage)
        cost, proof = project.manifest["cost"], project.manifest["verification"]["status"]
        count, memory = int(cost["instructions"]["value"]), cost["memory"]
        print(
            f"{board:26} {name:8} {bits:>4} {storage:7} {count:14,} {count / source.macs:9.2f}"
            f" {memory['arena_bytes']['value']:8,} {memory['flash_bytes']['value']:8,}  {proof}", flush=True,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the networks of MLPerf Tiny take on emulated microcontrollers.

    python -m benchmarks.firmware                 the four int8 networks on a Cortex-M4, M7, M0+, M33 and an RV32
    python -m benchmarks.firmware --boards nucleo-l4r5zi --layers    each layer, and what its instructions do
    python -m benchmarks.firmware --models DIR    where ad01_int8.tflite, dscnn_kws_int8.tflite, ... stand

Instructions are exact, of one inference; "a product" is one of the model's own (its nominal multiply-accumulates), also
where channels that never vary were left out. Every image is compared with the graph on the emulated core first. Arena
and flash are of the linked image; weights are those of the model as it is read.
"""

import argparse
import sys
from pathlib import Path

import gatewright as gw
from gatewright.graph import Graph
from gatewright.graph.ops import Constant

NETWORKS = {"AD": "ad01_int8", "IC": "resnet8_int8", "KWS": "dscnn_kws_int8", "VWW": "vww_96_int8"}
BOARDS = ("nucleo-l4r5zi", "nucleo-h743zi", "raspberry-pi-pico", "nucleo-u575zi-q", "raspberry-pi-pico-2-riscv")
MODELS = Path(__file__).parents[3] / "shared" / "models" / "mlperf_tiny"


def weight_bytes(graph: Graph) -> int:
    """Bytes of the model's weights: bytes and biases of 32 bits, tables left out."""
    used = {n: u for n, u in graph.users.items() if isinstance(n.op, Constant)}
    constants = [n for n, readers in used.items() if any(len(u.inputs) > 1 and u.inputs[0] is not n for u in readers)]
    return sum(n.type.size * (1 if n.type.quantized.width <= 8 else 4) for n in constants)  # type: ignore[operator]


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
    print(f"{'board':26} {'network':8} {'instructions':>14} {'a product':>9} {'arena':>8} {'stack':>6} {'flash':>8}"
          f" {'weights':>8}  proof")  # fmt: skip
    for board in asked.boards.split(","):
        for name in asked.networks.split(","):
            source = gw.load(asked.models / f"{NETWORKS[name]}.tflite")
            project = gw.compile(source, board=board, vectors=4, memory=asked.memory)
            cost = project.manifest["cost"]
            count, memory = int(cost["instructions"]["value"]), cost["memory"]
            print(
                f"{board:26} {name:8} {count:14,} {count / source.macs:9.2f} {memory['arena_bytes']['value']:8,}"
                f" {memory['stack_bytes']['value']:6,} {memory['flash_bytes']['value']:8,} {weight_bytes(source):8,}"
                f"  {project.manifest['verification']['status']}", flush=True,
            )  # fmt: skip
            if asked.layers:
                layers(project)
    return 0


def layers(project: gw.Project) -> None:
    """Print what each layer's instructions do."""
    device = project._simulation.device
    functions = device._emulator.counts().functions
    for layer in device.layers():
        mix = functions[layer.symbol].mix if layer.symbol in functions else None
        products = f"{layer.instructions / layer.macs:6.2f}" if layer.macs else "     -"
        parts = ""
        if mix is not None and mix.instructions:
            multiply = mix.multiply + mix.multiply_long + mix.multiply_pairs
            shares = {
                "multiply": multiply, "load": mix.loads, "store": mix.stores,
                "other": mix.instructions - multiply - mix.loads - mix.stores,
            }  # fmt: skip
            parts = ", ".join(f"{100 * n / mix.instructions:.0f} % {what}" for what, n in shares.items())
        print(f"    {layer.instructions:12,} {products}  {layer.name[-46:]:46}  {parts}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

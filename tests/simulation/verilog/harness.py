"""Many designs in one Verilator build; what each FIFO did, cycle by cycle."""

import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from gatewright.simulation.stream import Network

HERE = Path(__file__).parent
VERILATOR = shutil.which("verilator")
MAIN = """
#include "Vtop.h"
#include "verilated.h"
#include <cstdlib>
int main(int argc, char **argv) {
    VerilatedContext context;
    Vtop top{&context};
    const long cycles = std::atol(argv[1]);
    for (long c = 0; c <= cycles; c++) {
        top.stop = c == cycles;
        top.clk = 0; top.eval();
        top.clk = 1; top.eval();
    }
    top.final();
    return 0;
}
"""


@dataclass
class Ran:
    """A design in hardware: cycles of writes and reads, largest occupancy and what is left, by FIFO; who is stuck."""

    writes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    reads: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    most: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)


def top_text(designs: list[tuple[Network, int, list[str]]]) -> str:
    """Write the top module: all designs side by side, each with its wires."""
    body = []
    for number, (network, _, text) in enumerate(designs):
        used = " ".join(text)
        wires = sorted(set(re.findall(r"@(f\d+_\w+|open\w+)", used)))
        body += [f"    wire d{number}_{name};" for name in wires]
        for place, fifo in enumerate(network.fifos):
            name = f"d{number}_{fifo.name}"
            slow = int(fifo.latency == 2)
            body.append(
                f"    fifo {name} (.clk(clk), .cycle(cycle), .stop(stop), .id({number * 1000 + place}), "
                f".depth({fifo.depth}), .slow({slow}), .wr({name}_wr), .full({name}_full), .rd({name}_rd), "
                f".empty({name}_empty));"
            )
        for line in text:
            line = re.sub(r"@i(\d+)", lambda m: str(number * 1000 + int(m[1])), line)  # noqa: B023
            body.append("    " + re.sub(r"@(\w+)", rf"d{number}_\1", line))
    head = "module top (input wire clk, input wire stop);\n    reg [31:0] cycle = 0;\n"
    return f"{head}    always @(posedge clk) cycle <= cycle + 1;\n" + "\n".join(body) + "\nendmodule\n"


def run(designs: list[tuple[Network, int, list[str]]], folder: Path, cycles: int) -> list[Ran]:
    """Build and run designs for so many cycles."""
    assert VERILATOR is not None
    (folder / "top.v").write_text(top_text(designs))
    (folder / "main.cpp").write_text(MAIN)
    command = [
        VERILATOR, "--cc", "--exe", "--build", "-O1", "-Wno-fatal", "-Wno-lint", "-Wno-WIDTH", "--top-module", "top",
        "--Mdir", str(folder / "obj"), "-CFLAGS", "-O0", "-j", "2", str(HERE / "stages.v"), str(folder / "top.v"),
        str(folder / "main.cpp"),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    done = subprocess.run([str(folder / "obj/Vtop"), str(cycles)], capture_output=True, text=True, check=True)
    return _read(done.stdout, designs)


def _read(text: str, designs: list[tuple[Network, int, list[str]]]) -> list[Ran]:
    found = [Ran() for _ in designs]
    for line in text.splitlines():
        kind, *numbers = line.split()
        assert kind != "BAD", line
        design, place = divmod(int(numbers[0]), 1000)
        ran, network = found[design], designs[design][0]
        if kind == "P":
            if int(numbers[1]):
                ran.stuck.add(network.processes[place].name)
            continue
        name = network.fifos[place].name
        if kind == "W":
            ran.writes[name].append(int(numbers[1]))
        elif kind == "R":
            ran.reads[name].append(int(numbers[1]))
        else:
            ran.most[name], ran.left[name] = int(numbers[1]), int(numbers[2])
    return found

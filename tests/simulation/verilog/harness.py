"""Many designs in one Verilator build; what each FIFO and each stage did."""

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .builder import Drawn

HERE = Path(__file__).parent
VERILATOR = shutil.which("verilator")
PLACES = 1000
"""Identifiers of a design: more than it has processes or FIFOs."""
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
class Seen:
    """What a stage did: cycles in which it moved, the first, the one behind the last; at the end: is it under way, and
    the FIFOs that hold it up, with whether they are full.
    """

    active: bool
    busy: int
    start: int
    end: int
    blocked: set[tuple[str, bool]]


@dataclass
class Ran:
    """A design in hardware. By FIFO: cycles and values of writes and reads, largest occupancy, what is left."""

    writes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    reads: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    most: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)

    @property
    def stuck(self) -> set[str]:
        return {name for name, seen in self.seen.items() if seen.active}


def top_text(designs: Sequence[Drawn]) -> str:
    """Write the top module: all designs side by side, each with its wires."""
    body = []
    for number, design in enumerate(designs):
        name = f"d{number}_"
        wires = sorted(set(re.findall(r"@(f\d+_\w+|open\w+)", " ".join(design.text))))
        body += [f"    wire {'[15:0] ' if w.endswith(('_in', '_out')) else ''}{name}{w};" for w in wires]
        for place, fifo in enumerate(design.network.fifos):
            wired = ", ".join(f".{w}({name}{fifo.name}_{w})" for w in ("wr", "full", "in", "rd", "empty", "out"))
            body.append(
                f"    fifo {name}{fifo.name} (.clk(clk), .cycle(cycle), .stop(stop), .id({number * PLACES + place}), "
                f".depth({fifo.depth}), .slow({int(fifo.latency == 2)}), {wired});"
            )
        for line in design.text:
            placed = re.sub(r"@i(\d+)", lambda m, n=number: str(n * PLACES + int(m[1])), line)  # type: ignore[misc]
            body.append("    " + placed.replace("@", name))
    head = "module top (input wire clk, input wire stop);\n    reg [31:0] cycle = 0;\n"
    return f"{head}    always @(posedge clk) cycle <= cycle + 1;\n" + "\n".join(body) + "\nendmodule\n"


def run(designs: Sequence[Drawn], folder: Path, cycles: int) -> list[Ran]:
    """Build and run designs for so many cycles."""
    assert VERILATOR is not None
    assert all(f.depth <= 1024 for d in designs for f in d.network.fifos)
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


def _read(text: str, designs: Sequence[Drawn]) -> list[Ran]:
    found = [Ran() for _ in designs]
    for line in text.splitlines():
        kind, *words = line.split()
        identifier, *numbers = (int(word) for word in words)
        design, place = divmod(identifier, PLACES)
        ran, network = found[design], designs[design].network
        if kind == "P":
            process = network.processes[place]
            active, busy, start, end, *held = numbers
            blocked = {
                (name, is_full)
                for names, bits, is_full in zip((process.reads, process.writes), held, (False, True), strict=True)
                for bit, name in enumerate(names)
                if bits >> bit & 1
            }
            ran.seen[process.name] = Seen(bool(active), busy, start, end, blocked)
            continue
        name = network.fifos[place].name
        if kind == "F":
            ran.most[name], ran.left[name] = numbers
            continue
        cycles, values = (ran.writes, ran.sent) if kind == "W" else (ran.reads, ran.taken)
        cycles[name].append(numbers[0])
        values[name].append(numbers[1])
    return found

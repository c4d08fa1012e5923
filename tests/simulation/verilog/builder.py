"""Designs that grow stage by stage: the network for the simulator, the Verilog for hardware, and what the packs are.

Hardware gets numbers (sizes, intervals, depths of pipelines), never a list of cycles.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gatewright.simulation.design import Design, LayerSpec, Type
from gatewright.simulation.schedule import program
from gatewright.simulation.schedule.script import Script
from gatewright.simulation.stream import Fifo, Network, Process

Packs = NDArray[np.int64]
TYPES = {n: Type(16, 6) for n in ("input", "output", "weight", "accum")}
CONTEXT = Design("stream", (), "vitis", "2023.2", "xcu250", "virtexuplus")


@dataclass(frozen=True, eq=False)
class Stream:
    """A stream of a grid of packs: ``packs[frame, row, column]``, of 16 bits."""

    name: str
    packs: Packs

    @property
    def rows(self) -> int:
        return self.packs.shape[1]

    @property
    def columns(self) -> int:
        return self.packs.shape[2]

    @property
    def count(self) -> int:
        return self.rows * self.columns

    @property
    def flat(self) -> Packs:
        """By frame, one after the other."""
        return self.packs.reshape(len(self.packs), -1)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A design. ``text``: its Verilog instances, names begin with @; ``packs``: what passes each FIFO."""

    network: Network
    frames: int
    text: list[str]
    packs: dict[str, list[int]]
    kinds: list[str]


@dataclass
class Builder:
    """A design that grows."""

    rng: np.random.Generator
    frames: int
    processes: list[Process] = field(default_factory=list)
    fifos: list[Fifo] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    packs: dict[str, list[int]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)

    def drawn(self) -> Drawn:
        return Drawn(Network(tuple(self.processes), tuple(self.fifos)), self.frames, self.text, self.packs, self.kinds)

    def draw(self, *choices: int) -> int:
        return int(self.rng.choice(choices))

    def stream(self, packs: Packs) -> Stream:
        """A new FIFO, of a drawn depth and latency."""
        made = Stream(f"f{len(self.fifos)}", packs & 0xFFFF)
        depth = self.draw(1, 1, 2, 3, max(1, made.count // 2), made.count)
        self.fifos.append(Fifo(made.name, depth, 16, self.draw(1, 2)))
        self.packs[made.name] = made.packs.reshape(-1).tolist()
        return made

    def stage(
        self, module: str, kind: str, length: int, inputs: Mapping[str, Packs], outputs: Mapping[str, Packs],
        numbers: Mapping[str, int], ports: str,
    ) -> None:  # fmt: skip
        number, start = len(self.processes), self.draw(0, 0, 0, 0, 0, 20)
        self.processes.append(Process(f"p{number}", length, dict(inputs), dict(outputs), start))
        self.kinds.append(kind)
        common = {"frames": self.frames, "start": start, **numbers}
        values = ", ".join(f".{n}({v})" for n, v in common.items())
        self.text.append(
            f"{module} @p{number} (.clk(clk), .cycle(cycle), .stop(stop), .id(@i{number}), {values}, {ports});"
        )

    def loop(
        self, name: str, kind: int, grid: tuple[int, int], interval: int, depth: int, idle: int, script: Script,
        inputs: Sequence[Stream], outputs: Sequence[Stream], **more: int,
    ) -> None:  # fmt: skip
        """A pipelined loop."""
        ins, outs = [x.name for x in inputs], [y.name for y in outputs]
        numbers = {
            "kind": kind, "rows": grid[0], "columns": grid[1], "interval": interval, "depth": depth, "idle": idle,
            "window": 1, "stride": 1, "top": 0, "left": 0, "high": 0, "wide": 0, "step": 1,
            "uses": (1 << len(ins)) - 1, "gives": (1 << len(outs)) - 1, **more,
        }  # fmt: skip
        ports = ", ".join((
            bus("empties", "empty", ins, "1'b0"), bus("rds", "rd", ins), bus("ins", "out", ins, "16'd0"),
            bus("fulls", "full", outs, "1'b0"), bus("wrs", "wr", outs), bus("outs", "in", outs),
        ))  # fmt: skip
        reads, writes = dict(zip(ins, script.reads(), strict=True)), dict(zip(outs, script.writes(), strict=True))
        self.stage(f"loop_stage #(.WINDOWS({int(kind == 1)}))", name, script.now + idle, reads, writes, numbers, ports)

    def single(
        self, module: str, kind: str, x: Stream, out: Stream, spec: LayerSpec,
        numbers: Callable[[Packs, Packs, int], Mapping[str, int]],
    ) -> None:  # fmt: skip
        """A stage of one operand and one result whose schedule is a layer's: ``numbers`` of reads, writes, length."""
        found = program(spec, CONTEXT)
        reads, writes = found.reads[0], found.writes[0]
        double = module == "store_stage"
        ports = ", ".join((
            bus("empties", "empty", [x.name], "1'b1"), bus("rds", "rd", [x.name]), bus("ins", "out", [x.name], "16'd0"),
        ) if double else (f".empty(@{x.name}_empty), .rd(@{x.name}_rd), .in(@{x.name}_out)",))  # fmt: skip
        ports += f", .full(@{out.name}_full), .wr(@{out.name}_wr), .out(@{out.name}_in)"
        self.stage(
            module, kind, found.length, {x.name: reads}, {out.name: writes}, numbers(reads, writes, found.length), ports
        )

    def loop_of_layer(
        self, kind: int, x: Stream, out: Stream, spec: LayerSpec, grid: tuple[int, int], first: int, **more: int
    ) -> None:
        """A pipelined loop whose schedule is a layer's; iteration ``first`` is the first that writes. Interval and
        depth are read off, which iterations read or write is the stage's own decision.
        """
        found = program(spec, CONTEXT)
        reads_always = len(found.reads[0]) == grid[0] * grid[1] > 1
        interval = int(found.reads[0][1] - found.reads[0][0]) if reads_always else 1
        depth = int(found.writes[0][0]) - first * interval + 1
        idle = found.length - ((grid[0] * grid[1] - 1) * interval + depth)
        assert idle >= 0
        script = Script(1, 1)
        script.read(0, found.reads[0])
        script.write(0, found.writes[0])
        script.wait(found.length - idle)
        self.loop(spec.op, kind, grid, interval, depth, idle, script, (x,), (out,), **more)


def layer(op: str, x: Stream, out: Stream, *, function: str = "", reuse: int = 1, **sizes: int) -> LayerSpec:
    """A layer of one channel from x to out."""
    shapes = [(s.rows, s.columns, 1) for s in (x, out)]
    grid = {"in_height": x.rows, "in_width": x.columns, "out_height": out.rows, "out_width": out.columns}
    return LayerSpec(
        "layer", op, function, inputs=("x",), outputs=("y",), shapes=(shapes[0],), out_shapes=(shapes[1],),
        sizes={**grid, "n_chan": 1, "n_filt": 1, **sizes}, types=TYPES, reuse_factor=reuse,
    )  # fmt: skip


def bus(port: str, wire: str, names: Sequence[str], rest: str = "") -> str:
    """Two wires of a port, the second operand first; what is not used is ``rest``, or left open."""
    wires = [f"@{name}_{wire}" for name in names]
    owner = names[0] if names else "none"
    wires += [rest or f"@open{port}{n}_{owner}_{wire}" for n in range(2 - len(wires))]
    return f".{port}({{{wires[1]}, {wires[0]}}})"


__all__ = ["Builder", "Drawn", "Packs", "Stream", "bus", "layer"]

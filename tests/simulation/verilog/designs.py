"""Streaming designs twice: as Verilog instances, whose control is their own, and as processes of the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gatewright.simulation.design import Design, LayerSpec, Type
from gatewright.simulation.schedule import program
from gatewright.simulation.schedule.script import Script
from gatewright.simulation.stream import Fifo, Network, Process

TYPES = {n: Type(16, 6) for n in ("input", "output", "weight", "accum")}
CONTEXT = Design("stream", (), "vitis", "2023.2", "xcu250", "virtexuplus")


@dataclass
class Stream:
    """A stream of a grid of packs: who writes it is known, who reads it is not yet."""

    name: str
    rows: int
    columns: int

    @property
    def packs(self) -> int:
        return self.rows * self.columns


@dataclass
class Builder:
    """A design that grows stage by stage; ``text`` are Verilog instances, ``{id}`` is filled in later."""

    rng: np.random.Generator
    frames: int
    processes: list[Process] = field(default_factory=list)
    fifos: list[Fifo] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def stream(self, rows: int, columns: int) -> Stream:
        """A new FIFO, of a drawn depth and latency."""
        name = f"f{len(self.fifos)}"
        packs = rows * columns
        depth = int(self.rng.choice([1, 1, 2, 3, max(1, packs // 2), packs]))
        self.fifos.append(Fifo(name, depth, 16, int(self.rng.integers(1, 3))))
        return Stream(name, rows, columns)

    def add(
        self, kind: str, length: int, reads: "Mapping[str, np.ndarray]", writes: "Mapping[str, np.ndarray]", ports: str
    ) -> None:  # type: ignore[type-arg]
        number = len(self.processes)
        self.processes.append(Process(f"p{number}", length, dict(reads), dict(writes)))
        self.text.append(
            f"{kind} @p{number} (.clk(clk), .stop(stop), .frames({self.frames}), .id(@i{number}), {ports});"
        )

    # -- stages

    def source(self, rows: int, columns: int) -> Stream:
        out, interval = self.stream(rows, columns), int(self.rng.choice([1, 1, 2, 3]))
        idle = int(self.rng.integers(0, 3))
        script = Script(0, 1)
        script.loop(out.packs, interval=interval, depth=1, writes=(0,))
        self.loop(5, (rows, columns), interval, 1, idle, script, (), (out,))
        return out

    def sink(self, x: Stream) -> None:
        interval = int(self.rng.choice([1, 1, 1, 4]))
        script = Script(1, 0)
        script.loop(x.packs, interval=interval, depth=1, reads=(0,))
        self.loop(4, (x.rows, x.columns), interval, 1, 0, script, (x,), ())

    def loop(
        self, kind: int, grid: tuple[int, int], interval: int, depth: int, idle: int, script: Script,
        inputs: tuple[Stream, ...], outputs: tuple[Stream, ...], **more: int,
    ) -> None:  # fmt: skip
        sizes = {"window": 1, "stride": 1, "top": 0, "left": 0, "high": 0, "wide": 0, "step": 1, **more}
        numbers = {
            "kind": kind,
            "rows": grid[0],
            "columns": grid[1],
            "interval": interval,
            "depth": depth,
            "idle": idle,
            **sizes,
        }
        ports = [f".{n}({v})" for n, v in numbers.items()]
        ins, outs = [x.name for x in inputs], [y.name for y in outputs]
        ports += [_bus("empties", "empty", ins, "1'b0"), f".uses(2'd{(1 << len(ins)) - 1})", _bus("rds", "rd", ins, "")]
        ports += [
            _bus("fulls", "full", outs, "1'b0"),
            f".gives(2'd{(1 << len(outs)) - 1})",
            _bus("wrs", "wr", outs, ""),
        ]
        reads, writes = dict(zip(ins, script.reads(), strict=True)), dict(zip(outs, script.writes(), strict=True))
        self.add("loop_stage", script.now + idle, reads, writes, ", ".join(ports))

    def from_program(
        self, spec: LayerSpec, x: Stream, out: Stream, kind: int, grid: tuple[int, int], **more: int
    ) -> None:
        """A loop whose schedule is that of a layer: interval and depth are read off, the rest is the stage's own."""
        found = program(spec, CONTEXT)
        interval = int(np.diff(found.reads[0]).min()) if len(found.reads[0]) > 1 else 1
        count = grid[0] * grid[1]
        at = {1: _first_window(more, grid), 2: 0}.get(kind, 0)
        depth = int(found.writes[0][0]) - at * interval + 1
        idle = found.length - ((count - 1) * interval + depth)
        script = Script(1, 1)
        script.read(0, found.reads[0])
        script.write(0, found.writes[0])
        script.wait(found.length - idle)
        self.loop(kind, grid, interval, depth, idle, script, (x,), (out,), **more)

    def conv(self, x: Stream, kernel: int, stride: int, reuse: int) -> Stream:
        out = self.stream((x.rows - kernel) // stride + 1, (x.columns - kernel) // stride + 1)
        spec = self._window("conv2d", "filt", x, out, kernel, stride, reuse)
        self.from_program(spec, x, out, 1, (x.rows, x.columns), window=kernel, stride=stride)
        return out

    def pool(self, x: Stream, kernel: int) -> Stream:
        out = self.stream((x.rows - kernel) // kernel + 1, (x.columns - kernel) // kernel + 1)
        spec = self._window("pool2d", "pool", x, out, kernel, kernel, 1)
        self.from_program(spec, x, out, 1, (x.rows, x.columns), window=kernel, stride=kernel)
        return out

    def conv_resource(self, x: Stream, kernel: int, stride: int, reuse: int) -> Stream:
        from dataclasses import replace

        out = self.stream((x.rows - kernel) // stride + 1, (x.columns - kernel) // stride + 1)
        spec = replace(self._window("conv2d", "filt", x, out, kernel, stride, reuse), strategy="resource")
        found = program(spec, CONTEXT)
        starts = np.diff(found.reads[0], append=[0])
        windows = np.searchsorted(found.reads[0], found.writes[0], side="right") - 1
        busy = int(found.writes[0][0] - found.reads[0][windows[0]] + 1)
        others = np.setdiff1d(np.arange(len(starts) - 1), windows)
        skip = int(starts[others[0]]) if len(others) else 1
        last_is_window = windows[-1] == x.packs - 1
        idle = found.length - int(found.reads[0][-1]) - (busy if last_is_window else skip)
        numbers = {
            "rows": x.rows, "columns": x.columns, "window": kernel, "stride": stride, "skip": skip, "busy": busy,
            "idle": idle,
        }  # fmt: skip
        ports = [f".{n}({v})" for n, v in numbers.items()]
        ports += [f".empty(@{x.name}_empty), .rd(@{x.name}_rd), .full(@{out.name}_full), .wr(@{out.name}_wr)"]
        self.add("place_stage", found.length, {x.name: found.reads[0]}, {out.name: found.writes[0]}, ", ".join(ports))
        return out

    def _window(self, op: str, kind: str, x: Stream, out: Stream, kernel: int, stride: int, reuse: int) -> LayerSpec:
        sizes = {
            "in_height": x.rows, "in_width": x.columns, "out_height": out.rows, "out_width": out.columns, "n_chan": 1,
            "n_filt": 1, f"{kind}_height": kernel, f"{kind}_width": kernel, "stride_height": stride,
            "stride_width": stride,
        }  # fmt: skip
        return LayerSpec(
            "c", op, inputs=("x",), outputs=("y",), shapes=((x.rows, x.columns, 1),),
            out_shapes=((out.rows, out.columns, 1),), sizes=sizes, types=TYPES, reuse_factor=reuse,
        )  # fmt: skip

    def pad(self, x: Stream, by: int) -> Stream:
        out = self.stream(x.rows + 2 * by, x.columns + 2 * by)
        sizes = {
            "in_height": x.rows, "in_width": x.columns, "out_height": out.rows, "out_width": out.columns,
            "pad_top": by, "pad_bottom": by, "pad_left": by, "pad_right": by,
        }  # fmt: skip
        spec = LayerSpec(
            "z", "zeropad2d", inputs=("x",), outputs=("y",), shapes=((x.rows, x.columns, 1),),
            out_shapes=((out.rows, out.columns, 1),), sizes=sizes, types=TYPES,
        )  # fmt: skip
        grid = (out.rows, out.columns)
        self.from_program(spec, x, out, 2, grid, top=by, left=by, high=x.rows, wide=x.columns)
        return out

    def each(self, x: Stream) -> Stream:
        out, interval, depth = self.stream(x.rows, x.columns), int(self.rng.choice([1, 1, 2, 5])), self._depth()
        script = Script(1, 1)
        script.loop(x.packs, interval=interval, depth=depth, reads=(0,), writes=(0,))
        self.loop(0, (x.rows, x.columns), interval, depth, int(self.rng.integers(0, 3)), script, (x,), (out,))
        return out

    def upsample(self, x: Stream, by: int) -> Stream:
        out, depth = self.stream(x.rows * by, x.columns * by), self._depth()
        script = Script(1, 1)
        step = by * by
        reading = np.arange(x.packs, dtype=np.int64) * step
        script.loop(out.packs, depth=depth, reads=(0,), writes=(0,), reading=reading)
        self.loop(3, (out.rows, out.columns), 1, depth, 1, script, (x,), (out,), step=step)
        return out

    def fork(self, x: Stream) -> tuple[Stream, Stream]:
        a, b, depth = self.stream(x.rows, x.columns), self.stream(x.rows, x.columns), self._depth()
        script = Script(1, 2)
        script.loop(x.packs, depth=depth, reads=(0,), writes=(0, 1))
        self.loop(0, (x.rows, x.columns), 1, depth, 1, script, (x,), (a, b))
        return a, b

    def join(self, a: Stream, b: Stream) -> Stream:
        out, depth = self.stream(a.rows, a.columns), self._depth()
        script = Script(2, 1)
        script.loop(a.packs, depth=depth, reads=(0, 1), writes=(0,))
        self.loop(0, (a.rows, a.columns), 1, depth, 1, script, (a, b), (out,))
        return out

    def store(self, x: Stream, other: Stream | None, packs: tuple[int, int]) -> Stream:
        """Reads all (of one operand, then of the other), then writes all."""
        out = self.stream(*packs)
        pause, interval, idle = (
            int(self.rng.integers(0, 6)),
            int(self.rng.choice([1, 2])),
            int(self.rng.integers(0, 3)),
        )
        first, second = x.packs, other.packs if other is not None else 0
        inputs = [x] if other is None else [x, other]
        script = Script(len(inputs), 1)
        for port, operand in enumerate(inputs):
            script.loop(operand.packs, depth=1, reads=(port,))
        script.wait(pause)
        script.loop(out.packs, interval=interval, depth=1, writes=(0,))
        numbers = {
            "first": first,
            "second": second,
            "pause": pause,
            "out": out.packs,
            "interval": interval,
            "idle": idle,
        }
        ports = [f".{n}({v})" for n, v in numbers.items()]
        ports += [
            _bus("empties", "empty", [i.name for i in inputs], "1'b1"),
            _bus("rds", "rd", [i.name for i in inputs], ""),
        ]
        ports += [f".full(@{out.name}_full), .wr(@{out.name}_wr)"]
        reads = dict(zip((i.name for i in inputs), script.reads(), strict=True))
        self.add("store_stage", script.now + idle, reads, {out.name: script.writes()[0]}, ", ".join(ports))
        return out

    def _depth(self) -> int:
        return int(self.rng.choice([1, 2, 3, 7]))


def _first_window(more: Mapping[str, int], grid: tuple[int, int]) -> int:
    kernel = more.get("window", 1)
    return (kernel - 1) * grid[1] + kernel - 1


def _bus(port: str, wire: str, names: list[str], rest: str) -> str:
    """Two wires of a port, the second operand first; what is not used is a constant, or left open."""
    wires = [f"@{name}_{wire}" for name in names]
    if rest:
        wires += [rest] * (2 - len(wires))
    elif len(wires) < 2:
        wires += [f"@open{port}{len(wires)}_{names[0] if names else 'none'}_{wire}"] * (2 - len(wires))
    return f".{port}({{{wires[1]}, {wires[0]}}})" if len(wires) == 2 else f".{port}({wires[0]})"


def drawn(seed: int) -> tuple[Network, int, list[str]]:
    """Draw a design: its network, its frames, its Verilog with names that begin with @."""
    rng = np.random.default_rng(seed)
    make = Builder(rng, int(rng.integers(1, 4)))
    side = int(rng.integers(4, 8))
    x = make.source(side, side)
    for _ in range(int(rng.integers(1, 5))):
        x = _stage(make, x, 2)
    if rng.random() < 0.3:
        x = make.store(x, None, (1, int(rng.integers(1, 4))))
    make.sink(x)
    return Network(tuple(make.processes), tuple(make.fifos)), make.frames, make.text


def _stage(make: Builder, x: Stream, nested: int) -> Stream:
    """Add a stage, or a few that belong together."""
    rng = make.rng
    fits = min(x.rows, x.columns)
    choices = ["each", "store"]
    choices += ["conv", "resource", "pool"] if fits >= 3 else []
    choices += ["pad"] if fits <= 6 else []
    choices += ["upsample"] if fits <= 3 else []
    choices += ["skip", "skip", "blocks"] if nested else []
    choices += ["valley"] if nested and fits >= 4 and x.rows % 2 == x.columns % 2 == 0 else []
    chosen = str(rng.choice(choices))
    if chosen in ("skip", "blocks", "valley"):
        return _branches(make, x, nested, chosen)
    match chosen:
        case "each":
            return make.each(x)
        case "store":
            return make.store(x, None, (x.rows, x.columns))
        case "conv":
            return make.conv(x, int(rng.choice([2, 3])), int(rng.choice([1, 2])), int(rng.choice([1, 1, 3])))
        case "resource":
            return make.conv_resource(x, int(rng.choice([2, 3])), int(rng.choice([1, 2])), int(rng.choice([2, 4])))
        case "pool":
            return make.pool(x, 2)
        case "pad":
            return make.pad(x, 1)
        case _:
            return make.upsample(x, 2)


def _branches(make: Builder, x: Stream, nested: int, kind: str) -> Stream:
    """Fork, and join what became of the branches."""
    a, b = make.fork(x)
    if kind == "blocks":
        return make.store(b, make.each(a), (x.rows, x.columns))
    if kind == "valley":
        low = make.pool(a, 2)
        for _ in range(int(make.rng.integers(0, 2))):
            low = make.each(low)
        return make.join(make.upsample(low, 2), b)
    for _ in range(int(make.rng.integers(0, 3))):
        a = _same(make, a, nested - 1)
    for _ in range(int(make.rng.integers(0, 2))):
        b = _same(make, b, 0)
    return make.join(a, b)


def _same(make: Builder, x: Stream, nested: int) -> Stream:
    """A stage, or more, whose result has the operand's size."""
    match str(make.rng.choice(["each", "store", "padded"] + (["skip"] if nested else []))):
        case "each":
            return make.each(x)
        case "store":
            return make.store(x, None, (x.rows, x.columns))
        case "padded":
            if make.rng.random() < 0.5:
                return make.conv(make.pad(x, 1), 3, 1, 1)
            return make.conv_resource(make.pad(x, 1), 3, 1, 2)
        case _:
            a, b = make.fork(x)
            return make.join(make.each(a), b)

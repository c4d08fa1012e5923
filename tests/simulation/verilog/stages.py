"""The stages: layers by their programs of the schedule model, and loops of free shape; each with what it computes."""

from dataclasses import replace

import numpy as np

from gatewright.simulation.schedule import program
from gatewright.simulation.schedule.script import Script

from .builder import CONTEXT, TYPES, Builder, Packs, Stream, bus, layer


def source(make: Builder, rows: int, columns: int) -> Stream:
    number = np.arange(make.frames * rows * columns, dtype=np.int64)
    out = make.stream((number * 40503 + 7).reshape(make.frames, rows, columns))
    interval, script = make.draw(1, 1, 2, 3), Script(0, 1)
    script.loop(out.count, interval=interval, depth=1, writes=(0,))
    make.loop("source", 5, (rows, columns), interval, 1, make.draw(0, 1, 2), script, (), (out,))
    return out


def sink(make: Builder, x: Stream) -> None:
    interval, script = make.draw(1, 1, 1, 4), Script(1, 0)
    script.loop(x.count, interval=interval, depth=1, reads=(0,))
    make.loop("sink", 4, (x.rows, x.columns), interval, 1, 0, script, (x,), ())


# -- layers by their programs


def _windows(x: Stream, kernel: int, stride: int) -> Packs:
    """The sum of each window, weighted with the distance from its last place."""
    every = np.lib.stride_tricks.sliding_window_view(x.packs, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    back = np.arange(kernel)[::-1]
    return np.asarray((every * (back[:, None] * 3 + back + 1)).sum((-2, -1)))


def _window_layer(make: Builder, op: str, x: Stream, kernel: int, stride: int, reuse: int, kind: str) -> Stream:
    out = make.stream(_windows(x, kernel, stride))
    sizes = {f"{kind}_height": kernel, f"{kind}_width": kernel, "stride_height": stride, "stride_width": stride}
    first = (kernel - 1) * x.columns + kernel - 1
    spec = layer(op, x, out, reuse=reuse, **sizes)
    make.loop_of_layer(1, x, out, spec, (x.rows, x.columns), first, window=kernel, stride=stride)
    return out


def conv(make: Builder, x: Stream, kernel: int, stride: int, reuse: int) -> Stream:
    return _window_layer(make, "conv2d", x, kernel, stride, reuse, "filt")


def pool(make: Builder, x: Stream, kernel: int) -> Stream:
    return _window_layer(make, "pool2d", x, kernel, kernel, 1, "pool")


def conv_resource(make: Builder, x: Stream, kernel: int, stride: int, reuse: int) -> Stream:
    """Strategy resource: places do not overlap."""
    out = make.stream(_windows(x, kernel, stride))
    sizes = {"filt_height": kernel, "filt_width": kernel, "stride_height": stride, "stride_width": stride}
    spec = replace(layer("conv2d", x, out, reuse=reuse, **sizes), strategy="resource")

    def numbers(reads: Packs, writes: Packs, length: int) -> dict[str, int]:
        windows = np.searchsorted(reads, writes, side="right") - 1
        others = np.setdiff1d(np.arange(x.count - 1), windows)
        busy = int(writes[0] - reads[windows[0]]) + 1
        skip = int(reads[others[0] + 1] - reads[others[0]])
        idle = length - int(reads[-1]) - (busy if windows[-1] == x.count - 1 else skip)
        return {
            "rows": x.rows, "columns": x.columns, "window": kernel, "stride": stride, "skip": skip, "busy": busy,
            "idle": idle,
        }  # fmt: skip

    make.single("place_stage", "conv2d resource", x, out, spec, numbers)
    return out


def conv_rows(make: Builder, x: Stream, kernel: int, stride: int, reuse: int) -> Stream:
    """The kernels' own convolution: row by row."""
    high, wide = (x.rows - kernel) // stride + 1, (x.columns - kernel) // stride + 1
    sizes = {
        "in0": x.rows, "rows_out": high, "kernel0": kernel, "kernel1": kernel, "stride0": stride, "dilation0": 1
    }  # fmt: skip
    shape = np.zeros((make.frames, high, wide), np.int64)
    spec = layer("kernel", x, Stream("", shape), function="conv", reuse=reuse, **sizes)
    found = program(spec, CONTEXT)
    interval = int(np.diff(found.writes[0])[0]) if wide > 1 else 1
    depth = int(found.writes[0][0]) - kernel * (x.columns + 1) + 1
    rows = x.packs[:, : (high - 1) * stride + kernel].sum(2).cumsum(1)[:, kernel - 1 :: stride]
    out = make.stream(rows[:, :, None] + np.arange(wide) * interval + depth - 1)
    given = {
        "rows": x.rows, "columns": x.columns, "window": kernel, "stride": stride, "high": high, "wide": wide,
        "interval": interval, "depth": depth,
    }  # fmt: skip
    make.single("rows_stage", "kernel conv", x, out, spec, lambda *_: given)
    return out


def pad(make: Builder, x: Stream, by: int) -> Stream:
    out = make.stream(np.pad(x.packs, ((0, 0), (by, by), (by, by))))
    spec = layer("zeropad2d", x, out, pad_top=by, pad_bottom=by, pad_left=by, pad_right=by)
    make.loop_of_layer(2, x, out, spec, (out.rows, out.columns), 0, top=by, left=by, high=x.rows, wide=x.columns)
    return out


def repack(make: Builder, x: Stream, step: int, *, more: bool) -> Stream:
    """``step`` packs of each, or one of ``step``."""
    if more:
        out = make.stream(np.repeat(x.packs, step, axis=2))
        make.loop_of_layer(3, x, out, layer("repack", x, out), (out.rows, out.columns), 0, step=step)
        return out
    out = make.stream(x.packs.reshape(make.frames, x.rows, -1, step).sum(3))
    make.loop_of_layer(6, x, out, layer("repack", x, out), (x.rows, x.columns), step - 1, step=step)
    return out


def stored(make: Builder, x: Stream, op: str, rows: int, columns: int, reuse: int = 1) -> Stream:
    """All in, then all out: dense, a pool over everything, a transposition, a resize."""
    given, turn = rows * columns, 1 if op == "resize" else x.rows
    out = make.stream(_turned(x.flat, given, turn).reshape(-1, rows, columns))

    def numbers(reads: Packs, writes: Packs, length: int) -> dict[str, int]:
        return {
            "first": x.count, "second": 0, "pause": int(writes[0] - reads[-1]) - 1, "made": given,
            "interval": int(writes[1] - writes[0]) if given > 1 else 1, "turn": turn,
            "idle": length - int(writes[-1]) - 1,
        }  # fmt: skip

    make.single("store_stage", op, x, out, layer(op, x, out, reuse=reuse), numbers)
    return out


def _turned(packs: Packs, given: int, turn: int) -> Packs:
    places = np.arange(given) * turn % packs.shape[1]
    return np.asarray(packs[:, places] + packs.sum(1, keepdims=True))


def concat(make: Builder, a: Stream, b: Stream) -> Stream:
    """Along the rows: the one operand, then the other."""
    out = make.stream(np.concatenate([a.packs, b.packs], 1))
    spec = replace(
        layer("kernel", a, out, function="concat", by_channel=0, outer=1), inputs=("a", "b"), types=TYPES,
        shapes=((a.rows, a.columns, 1), (b.rows, b.columns, 1)),
    )  # fmt: skip
    found = program(spec, CONTEXT)
    names = [a.name, b.name]
    ports = ", ".join((bus("empties", "empty", names), bus("rds", "rd", names), bus("ins", "out", names)))
    ports += f", .full(@{out.name}_full), .wr(@{out.name}_wr), .out(@{out.name}_in)"
    reads = dict(zip(names, found.reads, strict=True))
    numbers = {"first": a.count, "second": b.count}
    make.stage("concat_stage", "concat", found.length, reads, {out.name: found.writes[0]}, numbers, ports)
    return out


# -- loops of free shape


def each(make: Builder, x: Stream) -> Stream:
    out, interval, depth, script = make.stream(x.packs + 1), make.draw(1, 1, 2, 5), make.draw(1, 2, 3, 7), Script(1, 1)
    script.loop(x.count, interval=interval, depth=depth, reads=(0,), writes=(0,))
    make.loop("loop", 0, (x.rows, x.columns), interval, depth, make.draw(0, 1, 2), script, (x,), (out,))
    return out


def upsample(make: Builder, x: Stream, by: int) -> Stream:
    step, depth, script = by * by, make.draw(1, 2, 3, 7), Script(1, 1)
    out = make.stream(np.repeat(x.flat, step, axis=1).reshape(-1, x.rows * by, x.columns * by))
    script.loop(out.count, depth=depth, reads=(0,), writes=(0,), reading=np.arange(x.count, dtype=np.int64) * step)
    make.loop("upsample", 3, (out.rows, out.columns), 1, depth, 1, script, (x,), (out,), step=step)
    return out


def fork(make: Builder, x: Stream) -> tuple[Stream, Stream]:
    a, b, depth, script = make.stream(x.packs + 1), make.stream(x.packs + 1), make.draw(1, 2, 3, 7), Script(1, 2)
    script.loop(x.count, depth=depth, reads=(0,), writes=(0, 1))
    make.loop("fork", 0, (x.rows, x.columns), 1, depth, 1, script, (x,), (a, b))
    return a, b


def join(make: Builder, a: Stream, b: Stream) -> Stream:
    out, depth, script = make.stream(a.packs + 3 * b.packs + 1), make.draw(1, 2, 3, 7), Script(2, 1)
    script.loop(a.count, depth=depth, reads=(0, 1), writes=(0,))
    make.loop("join", 0, (a.rows, a.columns), 1, depth, 1, script, (a, b), (out,))
    return out


def blocks(make: Builder, a: Stream, b: Stream) -> Stream:
    """First all of the one operand, then all of the other, then the results."""
    both = np.concatenate([a.flat, b.flat], 1)
    out = make.stream(_turned(both, a.count, a.rows).reshape(a.packs.shape))
    pause, interval, idle, script = make.draw(0, 1, 5), make.draw(1, 2), make.draw(0, 1, 2), Script(2, 1)
    for port, operand in enumerate((a, b)):
        script.loop(operand.count, depth=1, reads=(port,))
    script.wait(pause)
    script.loop(out.count, interval=interval, depth=1, writes=(0,))
    numbers = {
        "first": a.count, "second": b.count, "pause": pause, "made": out.count, "interval": interval, "turn": a.rows,
        "idle": idle,
    }  # fmt: skip
    names = [a.name, b.name]
    ports = ", ".join((bus("empties", "empty", names), bus("rds", "rd", names), bus("ins", "out", names)))
    ports += f", .full(@{out.name}_full), .wr(@{out.name}_wr), .out(@{out.name}_in)"
    reads = dict(zip(names, script.reads(), strict=True))
    make.stage("store_stage", "blocks", script.now + idle, reads, {out.name: script.writes()[0]}, numbers, ports)
    return out

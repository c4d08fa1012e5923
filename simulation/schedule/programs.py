"""What each streaming process does in which cycle: its template, loop by loop.

Native layers: hls4ml 1.3.0, ``nnet_*_stream.h`` of its Vitis and Vivado templates. Kernels of ours: ``gw_*.h``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...graph import UnsupportedError
from ..design import Design, LayerSpec
from ..stream.model import Cycles
from .cores import element_cycles, is_resource, matrix, product_cycles
from .script import Script

OVERHEAD = 1
"""Cycles between the end of a process and its next start: the state in which it says that it is done."""


@dataclass(frozen=True, eq=False)
class Program:
    """The program of one frame: ``reads`` by operand, ``writes`` by result, in local cycles.

    ``least`` and ``most``: between which the HLS tool's report gives its latency; ``printed``: the maximum that the
    report is expected to print.
    """

    length: int
    reads: list[Cycles]
    writes: list[Cycles]
    least: int
    printed: int
    most: int
    note: str = ""


Bounds = tuple[int, int, int]
"""Least, printed and greatest cycles."""
Rule = Callable[[LayerSpec, Design, Script], "tuple[str, Bounds | None]"]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register the rule of these operations: it writes the script; gives a note, and bounds of the report."""

    def register(found: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, found))
        return found

    return register


def program(spec: LayerSpec, design: Design) -> Program:
    """Give the program of a layer. Raises UnsupportedError for one that has none."""
    name = spec.function if spec.op == "kernel" else spec.op
    found = _rule("kernel_dense" if (spec.op, name) == ("kernel", "dense") else name)
    if found is None:
        raise UnsupportedError(f"no schedule is known of {name}", where=spec.source or spec.name)
    wired = spec.op == "kernel" or bool(spec.inputs)  # layers of a report may come without their connections
    script = Script(len(spec.inputs) if wired else 1, len(spec.outputs) if wired else 1)
    note, bounds = found(spec, design, script)
    least, printed, most = (b + OVERHEAD for b in bounds or (script.now,) * 3)
    return Program(script.now + OVERHEAD, script.reads(), script.writes(), least, printed, most, note)


def _rule(name: str) -> Rule | None:
    starts = (found for key, found in RULES.items() if key.endswith("*") and name.startswith(key[:-1]))
    return RULES.get(name) or next(starts, None)


def packs(shape: tuple[int, ...]) -> int:
    """How many packs carry a tensor: one for each place of all axes but the last."""
    return int(np.prod(shape[:-1], dtype=np.int64))


def in_packs(spec: LayerSpec, port: int = 0) -> int:
    """Packs of an operand in a frame."""
    if port < len(spec.shapes):
        return packs(spec.shapes[port])
    return _stated(spec, "in")


def out_packs(spec: LayerSpec, port: int = 0) -> int:
    """Packs of a result in a frame."""
    if port < len(spec.out_shapes):
        return packs(spec.out_shapes[port])
    return _stated(spec, "out")


def _stated(spec: LayerSpec, end: str) -> int:
    """Packs by the sizes of a layer whose tensors are not known."""
    if spec.size(f"{end}_width"):
        return spec.size(f"{end}_width") * max(1, spec.size(f"{end}_height", 1))
    return max(1, spec.size("n_in", 1) // max(1, spec.size("n_chan") or spec.size("n_filt") or spec.size("n_in", 1)))


def every(spec: LayerSpec) -> tuple[range, range]:
    """All operands, all results."""
    return range(len(spec.inputs)), range(len(spec.outputs))


@rule(
    "activation", "normalize", "merge", "clone", "copy", "fork", "quantize", "rescale", "lookup", "step", "relu",
    "elementwise", "elementwise_constant", "multiply_shift",
)  # fmt: skip
def by_pack(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """One pack of each operand in, one of each result out, every cycle."""
    reads, writes = every(spec)
    count = out_packs(spec)
    script.loop(count, depth=2 + element_cycles(spec, design), reads=reads, writes=writes)
    return f"{count:,} packs, one a cycle", None


@rule("softmax", "fixed_softmax")
def softmax(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """A row is a pack: exponentials, their sum, its inverse, products."""
    count, interval = out_packs(spec), max(1, spec.reuse_factor if spec.op == "softmax" else 1)
    script.loop(count, interval=interval, depth=2 + max(6, element_cycles(spec, design)), reads=(0,), writes=(0,))
    return f"{count:,} rows, one in {interval} cycles", None


def dense_stream(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """hls4ml's dense: all packs in, the product, one pack out (``nnet_dense_stream.h``)."""
    count, core = in_packs(spec), product_cycles(spec, design)
    script.loop(count, depth=1 if count == 1 else 2, reads=(0,))
    script.wait(core)
    script.loop(1, depth=1, writes=(0,))
    return f"{count:,} packs in, then a product of {core} cycles", None


RULES["dense"] = dense_stream


def dense_kernel(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Our dense: pack by pack, every reuse factor."""
    count = out_packs(spec)
    script.loop(count, interval=spec.reuse_factor, depth=3 + element_cycles(spec, design), reads=(0,), writes=(0,))
    return f"{count:,} packs, one in {spec.reuse_factor} cycles", None


def windows(length: int, kernel: int, stride: int, out: int) -> Cycles:
    """Give the places of an axis at which a window is complete."""
    places = kernel - 1 + stride * np.arange(out, dtype=np.int64)
    return places[places < length]


def complete(spec: LayerSpec, kind: str) -> tuple[int, Cycles]:
    """Give how many places are read, and at which of them a window is complete, row by row."""
    flat = spec.op.endswith("1d")
    high = 1 if flat else spec.size("in_height", 1)
    wide = spec.size("in_width", 1) if spec.size("in_width") else spec.size("n_in", 1)
    out_wide = spec.size("out_width") or spec.size("n_out", 1)
    columns = windows(wide, spec.size(f"{kind}_width", 1), spec.size("stride_width", 1), out_wide)
    if flat:
        return wide, columns
    rows = windows(high, spec.size(f"{kind}_height", 1), spec.size("stride_height", 1), spec.size("out_height", 1))
    return high * wide, (rows[:, None] * wide + columns).reshape(-1)


PIXEL = {"vitis": (4, 5, 19), "vivado": (3, 6, 8), "vivado 2020": (6, 8, 9)}
"""Cycles of a place at which no window is complete, and those beside the reuse factor at one that is (expected, and the
most that was reported), by tool: the strategy resource does not overlap them. Fitted: see docs/schedule-model.md."""


@rule("conv1d", "conv2d", "depthwise1d", "depthwise2d")
def line_buffer(spec: LayerSpec, design: Design, script: Script) -> tuple[str, Bounds | None]:
    """A convolution: each place shifts into the line buffer, a complete window is multiplied
    (``nnet_conv*_stream.h``).
    """
    count, at = complete(spec, "filt")
    core, reuse = product_cycles(spec, design), max(1, spec.reuse_factor)
    if not is_resource(spec):
        interval = min(reuse, core + 1)  # the next place no later than the last one's end
        script.loop(count, interval=interval, depth=3 + core, reads=(0,), writes=(0,), writing=at)
        bounds = (script.now, script.now, max(script.now, (count - 1) * reuse + 3 + core))
        return f"{count:,} places, one in {interval} cycles", bounds
    skipped, extra, most = _pixel(spec, design)
    cost = np.full(count, skipped, np.int64)
    cost[at] = reuse + extra
    ends = np.cumsum(cost)
    script.read(0, ends - cost)
    script.write(0, ends[at] - 1)
    script.wait(int(ends[-1]))
    note = f"{at.size:,} windows of {reuse + extra} cycles, {count - at.size:,} other places of {skipped}"
    return note, (count * skipped, count * (reuse + extra), count * (reuse + most))


def _pixel(spec: LayerSpec, design: Design) -> tuple[int, int, int]:
    """Cycles of a place. Vivado HLS 2020 does not unroll the copy of a two-dimensional window with several channels: it
    takes its elements one by one.
    """
    if design.tool != "vivado":
        return PIXEL["vitis"]
    if design.version < "2020":
        return PIXEL["vivado"]
    if spec.size("n_chan", 1) == 1:
        return PIXEL["vivado 2020"]
    n_in = matrix(spec)[0]
    return (8, 11, 12) if spec.op.endswith("1d") else (n_in - 2, n_in + 1, n_in + 2)


@rule("pool1d", "pool2d")
def pooling(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """A line buffer whose complete windows are reduced, one place a cycle (``nnet_pooling_stream.h``)."""
    count, at = complete(spec, "pool")
    script.loop(count, depth=3, reads=(0,), writes=(0,), writing=at)
    return f"{count:,} places, one a cycle", None


@rule("global_pool", "reduce_all")
def global_pool(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """A running result over all packs, then one pack."""
    count = in_packs(spec)
    script.loop(count, depth=2, reads=(0,))
    script.loop(out_packs(spec), depth=1, writes=(0,))
    return f"{count:,} packs, one a cycle, then the result", None


@rule("zeropad1d", "zeropad2d")
def zero_padding(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Zeros around: every place of the result in one cycle (``nnet_padding_stream.h``)."""
    flat = spec.op == "zeropad1d"
    high, wide = (1 if flat else spec.size("in_height", 1)), spec.size("in_width", 1)
    out_high, out_wide = (1 if flat else spec.size("out_height", 1)), spec.size("out_width", 1)
    top, left = (0 if flat else spec.size("pad_top")), spec.size("pad_left")
    inside = (np.arange(top, top + high)[:, None] * out_wide + np.arange(left, left + wide)).reshape(-1)
    script.loop(out_high * out_wide, depth=2, reads=(0,), writes=(0,), reading=inside.astype(np.int64))
    return f"{out_high * out_wide:,} places, one a cycle", None


@rule("pad")
def pad_kernel(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Our padding over up to three axes."""
    grid = np.arange(out_packs(spec), dtype=np.int64).reshape([spec.size(f"out{i}", 1) for i in range(3)])
    inside = grid[tuple(slice(spec.size(f"pad{i}"), spec.size(f"pad{i}") + spec.size(f"in{i}", 1)) for i in range(3))]
    script.loop(grid.size, depth=2, reads=(0,), writes=(0,), reading=inside.reshape(-1))
    return f"{grid.size:,} packs, one a cycle", None


@rule("repack")
def repack(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Packs of another size: the smaller ones pass one a cycle (``nnet_stream.h``, repack_stream)."""
    taken, given = in_packs(spec), out_packs(spec)
    if given >= taken:
        first = np.arange(taken, dtype=np.int64) * (given // taken)
        script.loop(given, depth=2, reads=(0,), writes=(0,), reading=first)
    else:
        last = (np.arange(given, dtype=np.int64) + 1) * (taken // given) - 1
        script.loop(taken, depth=2, reads=(0,), writes=(0,), writing=last)
    return f"{max(taken, given):,} packs, one a cycle", None


@rule("reshape")
def reshape_kernel(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Our change of pack sizes: each cycle either takes a pack or gives one, as soon as one is there."""
    taken, given = in_packs(spec), out_packs(spec)
    elements = int(np.prod(spec.out_shapes[0]))
    size_in, size_out = elements // taken, elements // given
    # the j-th result leaves behind the reads that it needs and the j results before it
    needs = -(-(np.arange(1, given + 1, dtype=np.int64) * size_out) // size_in)
    writing = needs + np.arange(given, dtype=np.int64)
    reading = np.setdiff1d(np.arange(taken + given, dtype=np.int64), writing, assume_unique=True)
    script.loop(taken + given, depth=2, reads=(0,), writes=(0,), reading=reading, writing=writing)
    return f"{taken:,} packs in and {given:,} out, one a cycle", None


@rule("keep_packs")
def keep(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """All packs in, some of them out."""
    count = in_packs(spec)
    script.loop(count, depth=2, reads=(0,), writes=(0,), writing=np.array(spec.kept, np.int64))
    return f"{count:,} packs, one a cycle", None


@rule("concat*")
def concat(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Along the channels one pack of each operand; else the operands' blocks one after the other."""
    reads, _ = every(spec)
    if spec.size("by_channel", 1):
        script.loop(out_packs(spec), depth=2, reads=reads, writes=(0,))
        return f"{out_packs(spec):,} packs, one a cycle", None
    outer, blocks = max(1, spec.size("outer", 1)), [in_packs(spec, i) for i in reads]
    given = out_packs(spec) // outer
    ours = [b // outer for b in blocks]
    constant = given - sum(ours)  # concat_constant: packs of the table
    for _ in range(outer):
        if constant and spec.size("first"):
            script.loop(constant, depth=2, writes=(0,))
        for port, count in zip(reads, ours, strict=True):
            script.loop(count, depth=2, reads=(port,), writes=(0,))
        if constant and not spec.size("first"):
            script.loop(constant, depth=2, writes=(0,))
    return f"{out_packs(spec):,} packs, one a cycle, block by block", None


def buffered(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """The generic adapter: all operands in, side by side, the shorter one last; then one pack every reuse factor."""
    counts = [in_packs(spec, i) for i in range(max(1, len(spec.inputs)))]
    if len(counts) > 2:
        for port, count in enumerate(counts):
            script.loop(count, depth=2, reads=(port,))
    else:
        most = max(counts)
        for port, count in enumerate(counts):
            script.read(port, np.arange(most - count, most, dtype=np.int64))
        script.wait(most + 1)
    given, interval = out_packs(spec), max(1, spec.reuse_factor)
    script.loop(given, interval=interval, depth=2 + element_cycles(spec, design), writes=(0,))
    return f"{max(counts):,} packs in, then {given:,} out", None


for _name in (
    "move", "gather", "reduce", "matmul*", "elementwise_broadcast", "elementwise_constant_broadcast", "arg_max",
    "take*", "select*", "gather_nd*", "scatter_nd", "top_k", "division*", "transpose", "resize", "other", "layernorm",
):  # fmt: skip
    RULES[_name] = buffered


@rule("conv", "conv_transpose", "pool")
def by_rows(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """Our line buffer: before each row of the result the rows that it needs, then its packs."""
    wide = max(1, packs(spec.shapes[0]) // max(1, spec.size("in0", 1)))
    rows, given = spec.size("rows_out", 1), out_packs(spec)
    interval = max(spec.reuse_factor, -(-spec.size("kernel1", 1) * spec.size("kernel2", 1) // 2))
    depth = 4 + element_cycles(spec, design)
    have = np.concatenate([[0], np.minimum(_needed(spec, rows), spec.size("in0", 1))])
    new = np.diff(np.maximum.accumulate(have))
    each = given // rows
    tail = (each - 1) * interval + depth
    spent = new * (wide + 1)  # each row of the operand is a loop of its own, with a cycle to leave it
    begins = np.concatenate([[0], np.cumsum(spent + tail)])
    places = np.arange(wide, dtype=np.int64)
    for row in np.flatnonzero(new):
        starts = begins[row] + np.arange(new[row], dtype=np.int64) * (wide + 1)
        script.read(0, (starts[:, None] + places).reshape(-1))
    out = (begins[:-1] + spent)[:, None] + np.arange(each, dtype=np.int64) * interval + depth - 1
    script.write(0, out.reshape(-1))
    script.wait(int(begins[-1]))
    left = in_packs(spec) - int(new.sum()) * wide
    script.loop(left, depth=1, reads=(0,))
    return f"{rows:,} rows of {each:,} packs, one in {interval} cycles", None


def _needed(spec: LayerSpec, rows: int) -> Cycles:
    """How many rows of the operand must be there for each row of the result."""
    row = np.arange(rows, dtype=np.int64)
    if spec.function == "conv_transpose":
        return np.minimum((row + spec.size("pad0")) // spec.size("stride0", 1) + 1, spec.size("in0", 1))
    span = (spec.size("kernel0", 1) - 1) * spec.size("dilation0", 1) + 1
    return np.clip(row * spec.size("stride0", 1) + span - spec.size("pad0"), 0, spec.size("in0", 1))


@rule("scan*")
def scan(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """A recurrence: a step reads its packs, computes, gives its emission; the next one waits for its states."""
    steps, late, last = spec.size("steps", 1), spec.size("late"), spec.size("last")
    early = [i for i in range(len(spec.inputs)) if spec.size("early") >> i & 1]
    for port in early:
        script.loop(in_packs(spec, port), depth=2, reads=(port,))
    core = element_cycles(spec, design) + spec.reuse_factor - 1
    live = [i for i in range(len(spec.inputs)) if i not in early]
    given = out_packs(spec)
    for _ in range(steps):
        for port in live:
            script.loop(in_packs(spec, port) // steps, depth=2, reads=(port,))
        script.wait(core + 2)
        if not late and not last:
            script.loop(given // steps, depth=2, writes=(0,))
    if late or last:
        script.loop(given, depth=2, writes=(0,))
    return f"{steps:,} steps of about {core + 2} cycles", None


@rule("gru", "lstm")
def recurrent(spec: LayerSpec, design: Design, script: Script) -> tuple[str, None]:
    """hls4ml's recurrent layers, static: a step takes both products and the gates."""
    steps = max(1, spec.size("n_sequence", 1))
    core = (spec.reuse_factor if is_resource(spec) or spec.reuse_factor > 1 else 1) + 9
    for _ in range(steps):
        script.loop(1, depth=1, reads=(0,))
        script.wait(core)
    script.loop(out_packs(spec), depth=1, writes=(0,))
    return f"{steps:,} steps of about {core + 1} cycles", None


RULES["kernel_dense"] = dense_kernel

__all__ = ["OVERHEAD", "RULES", "Program", "in_packs", "out_packs", "packs", "program"]

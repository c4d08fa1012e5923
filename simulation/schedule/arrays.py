"""Cycles of layers that hand arrays over: one pipeline, or processes with ping-pong buffers."""

from math import ceil, log2, prod

from ..design import Design, LayerSpec
from .cores import TABLES, element_cycles, is_resource, product_cycles, serial_cycles
from .delays import budget_ns, level_ns

WIRES = ("reshape", "transpose", "clone", "repack", "zeropad1d", "zeropad2d", "concat", "resize")
"""Layers that only rename or move: in one pipeline they are wires."""


FAST_NS = 1.6
"""Below so many nanoseconds a level, a step of a recurrence takes 10 or 11 cycles beside the reuse factor, else 16.
Fitted on 5 designs of one repository."""
DIVIDER = 21
"""Cycles of the division by how many places a window has at the border, which Vivado HLS builds."""


def cycles(spec: LayerSpec, design: Design) -> tuple[int, int, str]:
    """Give latency and interval of a layer, and what decides them."""
    if spec.op in ("dense", "conv1d", "conv2d", "depthwise1d", "depthwise2d"):
        return _product(spec, design)
    if spec.op in WIRES:
        return (0, 1, "wires") if not design.dataflow else (1, 1, "wires behind a register")
    if spec.op in ("gru", "lstm"):
        steps, reuse = max(1, spec.size("n_sequence", 1)), max(spec.reuse_factor, 1)
        fast = level_ns(design) < FAST_NS
        total = steps * (reuse + ((10 if reuse == 1 else 11) if fast else 16)) + 1
        return total, total, f"{steps} steps, one after the other"
    if spec.op == "softmax":
        return _softmax(spec, design)
    if spec.op in ("pool1d", "pool2d", "global_pool"):
        divides = spec.size("padded") and spec.function == "average" and design.tool == "vivado"
        return (DIVIDER if divides else 0), 1, "unrolled"
    if spec.op == "layernorm":
        slow = level_ns(design) / budget_ns(design)
        return (
            (18, 10, "a loop over the rows")
            if design.tool == "vivado" or design.version < "2021"
            else (round(15 * slow), 1, "unrolled")
        )
    if spec.op == "attention":
        return 115, 42, "a dataflow of its own"
    if spec.op == "kernel" and spec.function.startswith("scan"):
        steps, core = spec.size("steps", 1), element_cycles(spec, design) + spec.reuse_factor + 1
        return steps * core, steps * core, f"{steps} steps, one after the other"
    latency = element_cycles(spec, design)
    reused = spec.reuse_factor if spec.op == "kernel" and spec.size("products") else 1
    return latency, max(1, reused), "unrolled"


def _product(spec: LayerSpec, design: Design) -> tuple[int, int, str]:
    core, reuse = product_cycles(spec, design), max(1, spec.reuse_factor)
    places = spec.size("n_partitions", 1) or 1
    if spec.op != "dense" and places == 1 and "n_partitions" not in spec.sizes:
        places = max(1, spec.size("out_height", 1)) * max(1, spec.size("out_width", 1))
    if spec.op == "dense" or places == 1:
        if is_resource(spec):
            return core, reuse, f"{reuse} cycles of the loop over the weights"
        return core, _interval(spec, core), "unrolled" if serial_cycles(spec) == 1 else "multipliers shared"
    if is_resource(spec) and reuse > 1:
        return places * (reuse + 4), places * (reuse + 4), f"{places:,} places of {reuse} cycles each"
    return places * reuse + core + 3, places * reuse + 1, f"{places:,} places, one in {reuse} cycles"


def _interval(spec: LayerSpec, latency: int) -> int:
    """A pipeline can start again no later than when it has ended."""
    return min(max(1, spec.reuse_factor), latency + 1)


def _softmax(spec: LayerSpec, design: Design) -> tuple[int, int, str]:
    """Differences to the greatest, a table, a sum, a table, products: two trees, and about five levels beside them."""
    slow = level_ns(design) / budget_ns(design)
    levels = ceil(log2(max(2, spec.size("n_in", 4) or 4)))
    return int(1 + slow * (SOFTMAX_LEVELS * levels + 5)), 1, "tables and trees"


SOFTMAX_LEVELS = 2.25
"""Levels for each doubling of a softmax's length, in its two trees. Fitted on 7 reported layers of 4 repositories."""


def depth_of(spec: LayerSpec) -> int:
    """Elements of a layer's result."""
    return prod(spec.out_shapes[0]) if spec.out_shapes else spec.size("n_out", 1)


__all__ = ["TABLES", "WIRES", "cycles", "depth_of"]

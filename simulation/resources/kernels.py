"""What the kernels of ours are made of: no report of them exists, so these are counts of their structure."""

from math import ceil, log2

from ..design import Design, LayerSpec
from .amounts import Amounts
from .rules import bits, dsp_blocks, is_dsp, stages
from .storage import line_luts, ram_blocks, table_blocks, table_luts

MOVES = ("move", "gather", "keep_packs", "pad", "reshape", "copy", "fork")
SMALL = 1024
"""A buffered operand of at most so many elements stands in registers."""


def kernel_amounts(spec: LayerSpec, design: Design) -> Amounts:
    """Give what a kernel is made of."""
    made = Amounts()
    lanes = _lanes(spec, design)
    given, result, name = bits(spec, "input"), bits(spec, "output"), spec.function
    if spec.size("products"):
        _products(made, spec, design)
    elif name == "lookup":
        width = bits(spec, "output")
        size = max(1, max(spec.tables.values(), default=0) // width)
        made.fixed["bram"] += table_blocks(lanes, size, width)
        made.lut["rom"] += table_luts(lanes, size, width)
    elif name == "step":
        count = max((s.count for s in spec.weights.values()), default=16)
        made.lut["compare_bit"] += lanes * count * given
    elif name in ("rescale", "multiply_shift") or (name.startswith("elementwise") and spec.size("operation") == 2):
        _multiplier(made, lanes, given, bits(spec, "input1", 18))
    elif name.startswith(("elementwise", "select", "division")):
        made.lut["adder_bit"] += lanes * max(result, spec.size("work_width", result))
    elif name in ("reduce", "reduce_all", "pool", "arg_max", "top_k"):
        taps = spec.size("count", 0) or max(
            2, spec.size("kernel1", 1) * spec.size("kernel2", 1) * spec.size("kernel0", 1)
        )
        made.lut["adder_bit"] += lanes * taps * result
        made.ff["tree_bit"] += lanes * taps * result * stages(design, taps)
    elif name == "fixed_softmax":
        made.lut["softmax_bit"] += lanes * 32 * 4
        made.ff["softmax_bit"] += lanes * 32
        made.fixed["dsp"] += 4 * lanes
    elif name not in MOVES:
        made.lut["relu_bit"] += lanes * (given + result)
    _buffers(made, spec, design)
    if design.stream:
        made.lut["process"] += 1
        made.ff["process"] += 1
        made.ff["relu_bit"] += lanes * result
    made.inexact |= {"dsp", "bram"}
    return made


def _lanes(spec: LayerSpec, design: Design) -> int:
    """Elements of the result that are made at once."""
    shape = spec.out_shapes[0] if spec.out_shapes else (spec.size("n_out", 1),)
    if design.stream:
        return shape[-1] if shape else 1
    return max(1, spec.size("n_out", 1))


def _multiplier(made: Amounts, count: int, a: int, b: int) -> None:
    if is_dsp(a, b):
        made.fixed["dsp"] += count * dsp_blocks(a, b)
        made.lut["dsp"] += count
    else:
        made.lut["multiplier_bit2"] += count * a * b


def _products(made: Amounts, spec: LayerSpec, design: Design) -> None:
    """Sums of products with constants: by their digits; with computed operands: multipliers."""
    at_once = spec.size("products") * (1 if design.stream else max(1, spec.size("out_packs", 1)))
    reuse, given, wide = max(1, spec.reuse_factor), bits(spec, "input"), bits(spec, "output")
    stats = spec.weights.get("weights") or max(spec.weights.values(), key=lambda s: s.count, default=None)
    width = stats.type.width if stats and stats.type else bits(spec, "input1")
    if stats is None or spec.function == "matmul":
        _multiplier(made, ceil(at_once / reuse), given, bits(spec, "input1", given))
        made.lut["adder_bit"] += at_once / reuse * wide
        return
    share = (1 - stats.zeros / stats.count) if stats.count else 1.0
    hard = sum((stats.csd_hist or ())[3:]) / stats.count if stats.csd_hist and stats.count else 0.5
    made.lut["adder_bit"] += at_once * share * wide
    made.ff["tree_bit"] += at_once * share * wide * stages(design, max(2.0, at_once / max(1, _lanes(spec, design))))
    _multiplier(made, ceil(at_once * hard / reuse), given, width)
    made.most["dsp"] += ceil(at_once * share / reuse) * dsp_blocks(given, width)


def _buffers(made: Amounts, spec: LayerSpec, design: Design) -> None:
    """Whole operands that a kernel keeps, and line buffers."""
    if not design.stream:
        return
    given, name = bits(spec, "input"), spec.function
    if name in ("conv", "conv_transpose", "pool"):
        columns, channels = max(1, spec.size("row_in", 1) // max(1, spec.size("c_in", 1))), spec.size("c_in", 1)
        rows = max(1, spec.size("depth", 1))
        if columns * given <= SMALL:
            made.lut["line"] += line_luts(rows, columns, channels * given)
        else:
            made.fixed["bram"] += rows * channels * ram_blocks(given, columns)
        return
    for shape in spec.shapes if name in BUFFERED or name.startswith(("matmul", "take", "gather", "division")) else ():
        count = 1
        for n in shape:
            count *= n
        if count <= SMALL:
            made.ff["window_bit"] += count * given
            made.lut["window_bit"] += count * given * max(1.0, log2(max(count, 2)) / 4)
        else:
            banks = 2 ** max(1, int(log2(max(2, (shape[-1] if shape else 1) + 1))) - 1)
            made.fixed["bram"] += banks * ram_blocks(given, ceil(count / banks))


BUFFERED = (
    "move",
    "reduce",
    "elementwise_broadcast",
    "elementwise_constant_broadcast",
    "arg_max",
    "top_k",
    "scatter_nd",
)

__all__ = ["kernel_amounts"]

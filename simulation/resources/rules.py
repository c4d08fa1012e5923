"""What layers are made of, by operation: hls4ml 1.3.0's templates and the kernels of ours."""

from collections.abc import Callable
from math import ceil, log2

from ..design import Design, LayerSpec
from ..schedule.cores import TABLES, is_resource, matrix, multipliers
from ..schedule.delays import budget_ns, level_ns
from .amounts import Amounts
from .constants import products
from .storage import line_luts, ram_blocks, table_blocks, table_luts, weight_blocks

Rule = Callable[[LayerSpec, Design], Amounts]
RULES: dict[str, Rule] = {}
DSP_WIDTH = 18
"""Operands of together so many bits make a multiplier a DSP block; below it is logic."""

LOOP_DSP_WIDTH = {"vivado": 21, "vitis": 12}
"""The same where the weight is read from a memory (strategy resource), by tool."""


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register the rule of these operations."""

    def register(found: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, found))
        return found

    return register


def amounts(spec: LayerSpec, design: Design) -> Amounts:
    """Give what a layer is made of; for operations without a rule, what an element-wise layer of its size would be."""
    if spec.op == "kernel":
        from .kernels import kernel_amounts

        return kernel_amounts(spec, design)
    found = RULES.get(spec.op)
    if found is None:
        made = elements(spec, design)
        made.unknown = spec.function or spec.op
        return made
    return found(spec, design)


def bits(spec: LayerSpec, name: str, default: int = 16) -> int:
    """Width of one of a layer's types."""
    kind = spec.types.get(name)
    return kind.width if kind else default


def dsp_blocks(a: int, b: int) -> int:
    """DSP blocks of a multiplier of ``a`` by ``b`` bits that is not made of logic (27x18 or 25x18 in a block)."""
    wide, narrow = max(a, b), min(a, b)
    if narrow <= 18 and wide <= 27:
        return 1
    return 2 if narrow <= 18 or wide <= 27 else 4


def is_dsp(a: int, b: int) -> bool:
    """Whether the tools take a DSP block for a product of ``a`` by ``b`` bits."""
    return a + b >= DSP_WIDTH and min(a, b) > 4


def stages(design: Design, terms: float, slowed: float = 0.0) -> float:
    """Registers of an adder tree that is cut into cycles, in operands: each cycle keeps what its levels left.

    ``slowed``: levels that are lost to what comes before the tree.
    """
    per_cycle = max(0.25, budget_ns(design) / level_ns(design))
    levels = log2(terms) if terms > 1 else 0.0
    cut, kept = max(0.5, per_cycle - slowed), 0.0
    while cut < levels + 0.5:
        kept += 2.0 ** -(cut - 0.5)
        cut += max(1.0, per_cycle)
    return kept


@rule("dense", "conv1d", "conv2d", "depthwise1d", "depthwise2d")
def product(spec: LayerSpec, design: Design) -> Amounts:
    """A product with a constant matrix, and around it the line buffer of a streaming convolution."""
    made = resource(spec, design) if is_resource(spec) and spec.reuse_factor > 1 else unrolled(spec, design)
    if spec.op != "dense":
        made.add(window(spec, design))
    if design.stream:
        made.lut["process"] += 1
        made.ff["process"] += 1
    return made


def unrolled(spec: LayerSpec, design: Design) -> Amounts:
    """Strategy latency: adders by the weights that are not zero, multipliers for those of many digits."""
    made = Amounts()
    n_in, n_out = matrix(spec)
    channels = spec.size("n_chan", 1) if spec.op.startswith("depthwise") else 1
    copies = parallel_copies(spec, design) * channels
    found = products(spec, design)
    per = channels if spec.weights.get("weight") else 1
    terms, hard, limit = found.terms / per, found.hard / per, multipliers(spec)[1]
    wide, weight, given = accumulator_bits(spec, n_in), bits(spec, "weight"), bits(spec, "input")
    block = is_dsp(given, weight)
    built = min(hard, limit) if spec.reuse_factor > 1 and block else hard
    made.lut["adder_bit"] += copies * (terms - found.wires / per) * wide
    made.lut["wire_bit"] += copies * found.wires / per * wide
    made.lut["digit_bit"] += copies * found.adders / per * (weight + given)
    slowed = DSP_LEVELS * min(1.0, hard / max(terms, 1.0)) if block else 0.0
    made.ff["tree_bit"] += copies * terms * wide * stages(design, max(1.0, terms / max(n_out, 1)), slowed)
    if built < hard:  # products wait for each other
        made.lut["share_bit"] += copies * (hard - built) * given
        made.ff["wait_bit"] += copies * terms * wide
    if block and is_resource(spec):
        made.ff["held_bit"] += copies * min(terms, 2 * hard) * wide
    if block:
        made.fixed["dsp"] += round(copies * built) * dsp_blocks(given, weight)
        made.lut["dsp"] += copies * built
    else:
        made.lut["multiplier_bit2"] += copies * built * given * weight
    made.inexact.add("dsp")
    made.most["dsp"] = copies * min(terms, limit) * dsp_blocks(given, weight)
    return made


DSP_LEVELS = 1.3
"""Levels of an adder tree that take as long as a DSP block, beside a product of shifts."""


def accumulator_bits(spec: LayerSpec, n_in: int) -> int:
    """Bits that an accumulator needs: its type's, and no more than the sum of so many products can have."""
    grown = bits(spec, "input") + bits(spec, "weight") + ceil(log2(max(n_in, 2)))
    return min(bits(spec, "accum"), grown)


def parallel_copies(spec: LayerSpec, design: Design) -> int:
    """How many places a convolution of arrays does at once: with one pipeline as top level, all."""
    if design.stream or spec.op == "dense" or design.dataflow:
        return 1
    return max(1, spec.size("out_height", 1)) * max(1, spec.size("out_width", 1))


def resource(spec: LayerSpec, design: Design) -> Amounts:
    """Strategy resource: one multiplier for each weight of a word, a multiplexer of operands, one of accumulators."""
    made = Amounts()
    n_in, n_out = matrix(spec)
    reuse, width = spec.reuse_factor, bits(spec, "weight")
    given, wide = bits(spec, "input"), bits(spec, "accum")
    blocks = ceil(n_in * n_out / reuse)
    made.lut["select_bit"] += n_in * given
    made.lut["sum_bit"] += n_out * wide
    shared = reuse / n_in
    if shared > 2:
        made.lut["choose_bit"] += blocks * 2 ** ceil(log2(max(n_out, 2))) * wide
    elif shared > 1:
        made.lut["pair_bit"] += blocks * wide
    else:
        made.lut["word_bit"] += blocks * wide
    for name, amount in (
        ("select_bit", n_in * given), ("sum_bit", n_out * wide), ("block", blocks), ("word", blocks * width),
        ("counter", log2(reuse)),
    ):  # fmt: skip
        made.ff[name] += amount
    if width <= 4:
        pass  # in look-up tables, of which the report shows no more than of wider ones
    elif given + width >= LOOP_DSP_WIDTH["vivado" if design.tool == "vivado" else "vitis"]:
        spared = 1 if width <= 6 and design.tool == "vivado" else 0
        in_blocks = blocks if design.tool == "vivado" or is_dsp(given, width) else fused(blocks, n_out)
        made.fixed["dsp"] += max(0, in_blocks - spared) * dsp_blocks(given, width)
    else:
        made.lut["multiplier_bit2"] += blocks * given * width
    made.fixed["bram"] += weight_blocks(n_in, n_out, reuse, width, design.tool)
    if design.tool != "vivado":  # reports of one repository were at hand
        made.inexact |= {"dsp", "bram"}
    if 4 < width < 8:
        made.inexact.add("dsp")
    if reuse > 1024:
        made.inexact.add("bram")
    return made


def fused(blocks: int, n_out: int) -> int:
    """DSP blocks of small products that are added up (Vitis): a product with the sum that it goes into; the other one
    of a pair is logic. Sums are halved until one or two products are left.
    """

    def tree(n: int) -> int:
        return 1 if n <= 2 else tree(n // 2) + tree(n - n // 2)

    sums = min(blocks, n_out)
    each, more = divmod(blocks, sums)
    return (sums - more) * tree(each) + more * tree(each + 1)


def window(spec: LayerSpec, design: Design) -> Amounts:
    """The line buffer and the window of a streaming convolution or pooling; nothing where arrays are read in place."""
    made = Amounts()
    if not design.stream:
        return made
    kind = "pool" if spec.op.startswith("pool") else "filt"
    high, wide = spec.size(f"{kind}_height", 1), spec.size(f"{kind}_width", 1)
    pack = (spec.size("n_chan") or spec.size("n_filt", 1)) * bits(spec, "input")
    made.lut["line"] += line_luts(high - 1, spec.size("in_width", 1), pack)
    made.lut["window_bit"] += high * wide * pack
    made.ff["window_bit"] += high * wide * pack
    return made


@rule("pool1d", "pool2d", "global_pool")
def pooling(spec: LayerSpec, design: Design) -> Amounts:
    """Comparisons or sums over a window, in each channel."""
    made = window(spec, design) if spec.op != "global_pool" else Amounts()
    taps = max(2, spec.size("pool_height", 1) * spec.size("pool_width", 1))
    lanes = max(1, spec.size("n_filt", 1))
    if not design.stream:
        lanes *= max(1, spec.size("out_height", 1)) * max(1, spec.size("out_width", 0) or spec.size("n_out", 1))
    made.lut["compare_bit"] += (taps - 1) * lanes * bits(spec, "input")
    if not design.stream:  # in a stream the window holds what is compared
        made.ff["compare_bit"] += (taps - 1) * lanes * bits(spec, "input")
    if spec.function == "average" and design.tool == "vivado":
        made.lut["divider_bit"] += lanes * bits(spec, "input")
        made.ff["divider_bit"] += lanes * bits(spec, "input")
    made.lut["process"] += design.stream
    made.ff["process"] += design.stream
    return made


@rule("activation")
def activation(spec: LayerSpec, design: Design) -> Amounts:
    """A choice an element, with rounding; or a table."""
    made = Amounts()
    lanes = element_lanes(spec, design)
    if spec.function in TABLES:
        size, width = spec.size("table_size", 1024), bits(spec, "table", 18)
        made.fixed["bram"] += table_blocks(lanes, size, width)
        made.lut["rom"] += table_luts(lanes, size, width)
        made.lut["index_bit"] += lanes * bits(spec, "input")
        made.ff["index_bit"] += lanes * bits(spec, "input")
        made.inexact.add("bram")
    elif spec.function not in ("linear",) or bits(spec, "input") != bits(spec, "output"):
        made.lut["relu_bit"] += lanes * (bits(spec, "input") + bits(spec, "output"))
        made.ff["relu_bit"] += lanes * bits(spec, "output") * (level_ns(design) / budget_ns(design) > 1.1)
    made.lut["passing"] += design.stream
    made.ff["passing"] += design.stream
    return made


def element_lanes(spec: LayerSpec, design: Design) -> int:
    """Elements that are done at once: those of a pack of a stream, all of an array."""
    count = spec.size("n_in", 1)
    if not design.stream:
        return count
    if spec.out_shapes:
        return spec.out_shapes[0][-1] if spec.out_shapes[0] else 1
    return min(count, spec.size("n_filt") if spec.size("n_filt", 0) > 0 else spec.size("n_chan", 0) or min(count, 64))


@rule("normalize", "merge")
def elements(spec: LayerSpec, design: Design) -> Amounts:
    """A product or a sum an element."""
    made = Amounts()
    lanes, given = element_lanes(spec, design), bits(spec, "input")
    if spec.op == "normalize" or spec.function == "multiply":
        other = bits(spec, "scale", bits(spec, "weight", given))
        made.fixed["dsp"] += lanes * is_dsp(given, other) * dsp_blocks(given, other)
        made.inexact.add("dsp")
    made.lut["add_bit"] += lanes * bits(spec, "output")
    made.lut["passing"] += design.stream
    made.ff["passing"] += design.stream
    made.ff["relu_bit"] += lanes * bits(spec, "output") * design.stream
    return made


@rule("softmax")
def softmax(spec: LayerSpec, design: Design) -> Amounts:
    """Differences to the greatest, exponentials from a table, their sum, its inverse from a table, products."""
    made = Amounts()
    count, given = max(2, spec.size("n_in", 4)), bits(spec, "input")
    lanes = ceil(count / max(1, spec.reuse_factor)) if design.stream else count
    size = spec.size("table_size", 1024)
    made.lut["softmax_bit"] += lanes * given * (log2(count) + 2)
    made.ff["softmax_bit"] += lanes * given
    made.fixed["bram"] += table_blocks(lanes, size, bits(spec, "exp_table", 18)) + 1
    made.fixed["dsp"] += lanes if bits(spec, "exp_table", 18) + bits(spec, "inv_table", 18) >= 22 else 0
    made.inexact |= {"bram", "dsp"}
    made.lut["passing"] += design.stream
    made.ff["passing"] += design.stream
    return made


@rule("layernorm")
def layernorm(spec: LayerSpec, design: Design) -> Amounts:
    """Rows of sums, squares, an inverse root from a table, products."""
    made = Amounts()
    rows = max(1, spec.size("seq_len", 1))
    dim, given = max(1, spec.size("n_in", 1) // rows), bits(spec, "input")
    made.fixed["dsp"] += rows * (3 * dim + 2) * is_dsp(given, given)
    made.fixed["bram"] += (
        rows * 2 * max(1, ceil(spec.size("table_size", 1024) * bits(spec, "table", 18) / 18432) // 2 or 1)
    )
    made.lut["norm_bit"] += rows * dim * given
    made.ff["norm_bit"] += rows * dim * given
    made.inexact |= {"bram", "dsp"}
    return made


@rule("gru", "lstm")
def recurrent(spec: LayerSpec, design: Design) -> Amounts:
    """Two products a step and the gates (``nnet_recurrent.h``): g = 3 (GRU) or 4 (LSTM) of them."""
    made = Amounts()
    gates = 3 if spec.op == "gru" else 4
    state = max(1, spec.size("n_state", 0) or spec.size("n_out", 1))
    given, width, reuse = bits(spec, "input"), bits(spec, "weight"), max(1, spec.reuse_factor)
    products = ceil(spec.size("n_in", 1) * gates * state / reuse) + ceil(state * gates * state / reuse)
    known = spec.weights.get("weight")
    dense = 1 - known.zeros / known.count if known and known.count and reuse == 1 else 1.0
    unit = dsp_blocks(given, width) * is_dsp(given, width)
    made.fixed["dsp"] += round(products * dense * (0.85 if reuse == 1 else 1)) * unit + gates * state * unit
    made.fixed["bram"] += table_blocks(2 * state, 1024, 18) + table_blocks(state, 1024, 18)
    if reuse > 1:
        made.fixed["bram"] += ceil(products * width / 36)
    made.lut["step_bit"] += products * bits(spec, "accum")
    made.lut["state_bit"] += state * given * max(1, spec.size("n_sequence", 1))
    made.ff["step_bit"] += products * bits(spec, "accum")
    made.inexact |= {"bram", "dsp"}
    return made


@rule("zeropad1d", "zeropad2d", "clone", "repack", "concat", "resize", "transpose", "reshape")
def moving(spec: LayerSpec, design: Design) -> Amounts:
    """Control of a stream; nothing for arrays."""
    made = Amounts()
    made.lut["passing"] += design.stream
    made.ff["passing"] += design.stream
    return made


def frame_blocks(shape: tuple[int, ...], width: int) -> int:
    """18-kbit blocks of a ping-pong buffer that holds a whole array."""
    count = 1
    for n in shape:
        count *= n
    return 2 * ram_blocks(width, count) if count * width > 18432 else 0


__all__ = ["DSP_WIDTH", "RULES", "amounts", "bits", "dsp_blocks", "element_lanes", "is_dsp", "stages"]

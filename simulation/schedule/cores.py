"""Cycles of one computation of a layer: what is between its reads and its writes."""

from math import ceil, exp

from ..design import Design, LayerSpec
from .delays import budget_ns, level_ns, terms_of, tree_cycles

TABLES = ("sigmoid", "tanh", "elu", "selu", "softplus", "softsign", "hard_sigmoid", "hard_tanh")
"""Activations that hls4ml reads from tables."""


def matrix(spec: LayerSpec) -> tuple[int, int]:
    """Rows and columns of the matrix by which a layer multiplies."""
    if spec.op == "dense":
        return spec.size("n_in", 1), spec.size("n_out", 1)
    kernel = spec.size("filt_height", 1) * spec.size("filt_width", 1)
    if spec.op.startswith("depthwise"):
        return kernel, 1
    n_in = spec.size("mult_n_in") or kernel * spec.size("n_chan", 1)
    return n_in, spec.size("mult_n_out") or spec.size("n_filt", 1)


def is_resource(spec: LayerSpec) -> bool:
    """Whether the layer's products are made one after the other in a loop."""
    return spec.strategy.startswith("resource") and spec.strategy != "resource_unrolled"


def product_cycles(spec: LayerSpec, design: Design) -> int:
    """Cycles of a product with the layer's matrix (strategy latency, distributed arithmetic; resource: the loop)."""
    n_in, n_out = matrix(spec)
    if is_resource(spec):
        weight = spec.types.get("weight")
        bare = spec.reuse_factor == 2 * n_in and weight is not None and weight.width <= LOGIC_BITS
        return spec.reuse_factor + (not bare) if spec.reuse_factor > 1 else 1
    products = OLD_DSP if design.tool == "vivado" and "2000" < design.version < "2018" and _wide(spec) else 0.0
    return tree_cycles(design, terms_of(spec, n_in, n_out), products=products) + serial_cycles(spec) - 1


def _wide(spec: LayerSpec) -> bool:
    """Whether products are made by DSP blocks, not in logic."""
    return all(spec.types[name].width > DSP_BITS for name in ("input", "weight") if name in spec.types)


LOGIC_BITS = 4
"""Products by weights of so few bits need no cycle of their own where two results share a multiplier (exact in 28 of 28
reports; with more bits or more results it is there, in 588 of 588)."""
OLD_DSP, DSP_BITS = 4.4, 10
"""Levels that a DSP block takes beside a product in logic, where Vivado HLS before 2018 puts registers around it."""


def multipliers(spec: LayerSpec) -> tuple[int, int]:
    """Give how many products are multipliers, and how many of these may be built (strategy latency).

    Of the constant products those of three signed digits and more, each once an input; hls4ml limits the multipliers to
    ``ceil(n_in * n_out / RF) - floor(zeros / RF)`` (``nnet_dense_latency.h``).
    """
    n_in, n_out = matrix(spec)
    stats, reuse = spec.weights.get("weight"), max(1, spec.reuse_factor)
    zeros = stats.zeros if stats else 0
    limit = max(1, -(-n_in * n_out // reuse) - zeros // reuse)
    return hard_products(spec), limit


def hard_products(spec: LayerSpec) -> int:
    """Products by constants that an HLS tool makes with multipliers; of unknown weights the expected number."""
    n_in, n_out = matrix(spec)
    stats, weight = spec.weights.get("weight"), spec.types.get("weight")
    if stats is not None and stats.hard_per_input is not None:
        return stats.hard_per_input
    if stats is not None and stats.csd_hist is not None:
        return sum(stats.csd_hist[3:])
    bits = weight.width if weight else 16
    count = (stats.count - stats.zeros) if stats else n_in * n_out
    known = stats is not None and stats.csd_digits is not None and count
    digits = stats.csd_digits / count if known and stats and stats.csd_digits else (bits + 1) / 3
    return round(count * hard_share(digits))


def hard_share(digits: float) -> float:
    """The share of products that are multipliers, by the mean of their signed digits: a logistic curve through 60
    reported layers. Weights that are spread evenly over b bits have (b + 1) / 3 digits.
    """
    return 0.93 / (1 + exp((2.6 - digits) / 0.5))


def serial_cycles(spec: LayerSpec) -> int:
    """Cycles in which the multipliers of strategy latency do all products."""
    if spec.reuse_factor <= 1:
        return 1
    count, limit = multipliers(spec)
    return max(1, -(-count // limit))


def element_cycles(spec: LayerSpec, design: Design) -> int:
    """Cycles of an activation, a normalisation, a sum of two: 0 where it fits behind what gives its operand."""
    slow = level_ns(design) / budget_ns(design)
    if spec.op == "activation" and spec.function in TABLES:
        return ceil(3 * slow) if design.tool == "vivado" or design.version < "2021" else 3
    if spec.op == "normalize":
        return int(slow)
    if spec.op == "kernel":
        return kernel_cycles(spec, design)
    return 1 if slow >= 1.1 else 0


def kernel_cycles(spec: LayerSpec, design: Design) -> int:
    """Cycles of one pack of a kernel of ours: sums and products as trees, tables as reads of a memory."""
    name = spec.function
    if name in ("lookup",):
        return 2
    if name in ("copy", "fork", "reshape", "move", "gather", "keep_packs", "pad") or name.startswith("concat"):
        return 0
    slow = level_ns(design) / budget_ns(design)
    if spec.size("products"):
        lanes = max(1, spec.out_shapes[0][-1] if spec.out_shapes and spec.out_shapes[0] else 1)
        return tree_cycles(design, spec.size("products") / lanes + 1, products=2)
    if name in ("reduce", "reduce_all", "pool", "arg_max"):
        terms = max(
            1, spec.size("count", 0) or spec.size("kernel0", 1) * spec.size("kernel1", 1) * spec.size("kernel2", 1)
        )
        return tree_cycles(design, terms)
    if name in ("rescale", "multiply_shift", "division") or name.startswith(("elementwise", "division")):
        return int(3 * slow) if spec.size("operation") == 2 or name in ("rescale", "multiply_shift") else int(slow)
    if name == "step":
        return tree_cycles(design, max(1, spec.weights["thresholds"].count) if "thresholds" in spec.weights else 16)
    if name == "top_k":
        return tree_cycles(design, spec.size("length", 2))
    if name == "fixed_softmax":
        return 12
    if name.startswith("scan"):
        return max(2, tree_cycles(design, spec.size("products", 16) or 16, products=6))
    return int(slow)


__all__ = [
    "TABLES", "element_cycles", "hard_products", "is_resource", "kernel_cycles", "matrix", "multipliers",
    "product_cycles",
    "serial_cycles",
]  # fmt: skip

"""Kernels: the layers of ours that hls4ml lacks or computes inexactly.

A ``Kernel`` says which C++ template of ours computes a node, with what numbers. Whatever the kernel, the project gets

    struct configN {
        static const unsigned n_in0 = ..., n_in1 = ..., n_out = ...;   // elements of each input and of the output
        static const unsigned reuse_factor = ...;
        typedef <type> <name>_t;                                       // the element type of each constant ...
        static const unsigned n_<name> = ...;                          // ... and how many it has
        <the kernel's own config: int -> static const long long, bool -> static const bool, Fixed -> typedef>
    };

and the call ``gw::function<in0_t, ..., out_t, configN>(in0, ..., out, constants...)``: with io_parallel ``in0`` is
``in0_t[n_in0]`` and ``in0_t`` the element's type; with io_stream it is ``hls::stream<in0_t> &`` where ``in0_t`` is
``nnet::array<T, C>`` with C the last axis of the tensor (a tensor [C] is one array, [H, W, C] is H * W of them).
Constants are arrays ``name_t name[n_name]``.

How a tensor's integers are carried: ``carrier``. A kernel works on the carried integers: the value's bits (``range``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...graph import Array, Fixed, Node, Op, Tensor, UnsupportedError
from ...graph.arrays import Ints, as_array
from ...graph.formats import bits_for

DOUBLE_BITS = 53
"""Constants travel as decimal numbers that C++ reads as double."""


@dataclass(frozen=True)
class Numbers:
    """Constant numbers of a kernel: stored integers (row-major) and the format in which C++ carries them (plain
    numbers, no grid).
    """

    values: Array
    format: Fixed

    def __post_init__(self) -> None:
        low, high = self.format.bounds
        assert ((self.values.data >= low) & (self.values.data <= high)).all(), "a constant does not fit its format"


@dataclass(frozen=True)
class Kernel:
    """One call of ``gw::function`` from ``header`` (a file name in ``kernels/``): reads ``inputs``, computes
    ``output``.

    ``constants`` are passed after the output, in this order. ``config`` becomes members of the configuration structure.
    ``products`` counts the multiplications by which one pack of the result (its last axis) is made. ``sources`` are
    headers written for this kernel, by file name. ``is_loop``: it takes its time, so it must be a process of its own.
    """

    function: str
    header: str
    inputs: tuple[Node, ...]
    output: Node
    config: Mapping[str, "int | bool | Fixed"] = field(default_factory=dict[str, "int | bool | Fixed"])
    constants: Mapping[str, Numbers] = field(default_factory=dict[str, Numbers])
    products: int = 0
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    is_loop: bool = False


KernelRule = Callable[[Node], Kernel]
KERNEL_RULES: dict[type[Op], KernelRule] = {}
"""Which rule makes the kernel of an operation; ``kernels/`` fills it."""


def kernel_rule(*ops: type[Op]) -> Callable[[KernelRule], KernelRule]:
    """Register the function that makes the ``Kernel`` of a node of these operations. It raises UnsupportedError for
    what it cannot.
    """

    def register(rule: KernelRule) -> KernelRule:
        for op in ops:
            assert op not in KERNEL_RULES, f"two kernels for {op.__name__}"
            KERNEL_RULES[op] = rule
        return rule

    return register


def carrier(tensor: Tensor) -> Fixed:
    """Give the one fixed-point format in which the hardware carries a tensor of integers.

    One ``Fixed`` format for all elements is carried as it is (``ap_fixed<width, integer>``). ``Fixed`` formats that
    differ by channel
    or element are carried in the narrowest common one, which holds the centred integers (units of ``format.scale``).
    ``Affine`` is
    carried as plain integers, ``ap_fixed<width, width>`` holding the stored integer. See ``to_carried`` and
    ``from_carried``.
    """
    format = tensor.quantized
    if isinstance(format, Fixed) and is_plain(tensor):
        return format
    ends = [format.centre(b) if isinstance(format, Fixed) else b for b in format.bounds]
    low, high = (int(pick(v)) for pick, v in zip((np.min, np.max), ends, strict=True))
    width = bits_for(low, high)
    return Fixed(width, width - (format.common_fraction if isinstance(format, Fixed) else 0), low < 0)


def to_carried(tensor: Tensor, stored: Ints) -> Ints:
    """Stored integers [..., *shape] -> the integers that the hardware carries: the same, but for formats that differ
    by element.
    """
    return tensor.quantized.centre(stored) if isinstance(tensor.format, Fixed) else stored


def from_carried(tensor: Tensor, carried: Ints) -> Ints:
    """Carried integers [..., *shape] -> stored integers."""
    format = tensor.format
    return carried >> (format.common_fraction - as_array(format.fraction)) if isinstance(format, Fixed) else carried


def is_plain(tensor: Tensor) -> bool:
    """Whether the tensor has one ``Fixed`` format for all of its elements."""
    format = tensor.format
    return isinstance(format, Fixed) and all(
        isinstance(v, (int, bool)) for v in (format.width, format.integer, format.signed)
    )


def numbers(node: Node) -> Numbers:
    """Give a constant node's stored integers in the format that carries them."""
    assert node.type.value is not None
    return Numbers(Array(to_carried(node.type, node.type.value.data)), carrier(node.type))


def is_constant(node: Node) -> bool:
    """Whether a node's value is known and is no computation."""
    return node.type.value is not None


def refuse(node: Node, what: str, hint: str = "") -> UnsupportedError:
    """Give the error for a node that the hls4ml back end cannot emit."""
    return UnsupportedError(f"the hls4ml back end cannot emit {what}", where=node.where, hint=hint)


__all__ = [
    "DOUBLE_BITS", "KERNEL_RULES", "Kernel", "KernelRule", "Numbers", "carrier", "from_carried", "is_constant",
    "is_plain", "kernel_rule",
    "numbers", "refuse", "to_carried",
]  # fmt: skip

"""The design as the cost models see it: layers with sizes, types, strategies and statistics of the weights, on a part,
by a tool.

Made from a plan of the hls4ml back end (``of_plan``), or from what is known of a design that someone else built. So the
same code estimates both, and is judged on reports of designs that Gatewright did not make.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Io: TypeAlias = Literal["parallel", "stream"]
Level: TypeAlias = Literal["hls", "synthesis", "implementation"]
LEVELS: tuple[Level, ...] = ("hls", "synthesis", "implementation")
"""What a count of resources is of: the HLS tool's report, the report after logic synthesis, that after place and route.
They are never mixed: for constant matrices the first is about twice the second."""

Resource: TypeAlias = Literal["lut", "ff", "dsp", "bram", "uram"]
RESOURCES: tuple[Resource, ...] = ("lut", "ff", "dsp", "bram", "uram")
"""``bram``: 18-kbit blocks."""


@dataclass(frozen=True)
class Type:
    """``ap_[u]fixed<width, integer>``."""

    width: int
    integer: int
    signed: bool = True

    @staticmethod
    def parse(text: str) -> "Type | None":
        """Read ``ap_fixed<16,6>``, ``ap_ufixed<8,0,AP_RND,AP_SAT>``, ``ap_int<8>``, ``ap_uint<1>``; None for others."""
        if found := re.search(r"ap_(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)", text):
            return Type(int(found[2]), int(found[3]), not found[1])
        if found := re.search(r"ap_(u?)int<\s*(\d+)", text):
            return Type(int(found[2]), int(found[2]), not found[1])
        return None


@dataclass(frozen=True)
class WeightStats:
    """What the cost of a constant matrix depends on, of the integers that the hardware holds.

    ``csd_hist``: how many weights have 0, 1, 2, 3, ... non-zero digits in canonical signed-digit form (the last entry
    counts that many and more); so ``csd_hist[0]`` are zeros, ``csd_hist[1]`` wires. ``csd_digits``: all non-zero
    digits. ``odd_per_input``: different odd parts > 1 of the magnitudes, summed over the rows: what remains when equal
    products of one input are made once; ``hard_per_input``: those of them with three digits and more. None where it is
    not known.
    """

    count: int
    zeros: int
    type: Type | None = None
    csd_hist: tuple[int, ...] | None = None
    csd_digits: int | None = None
    distinct: int | None = None
    odd_per_input: int | None = None
    hard_per_input: int | None = None


@dataclass(frozen=True)
class LayerSpec:
    """One layer (process) of a design.

    ``op``: dense, conv1d, conv2d, depthwise1d, depthwise2d, pool1d, pool2d, global_pool, zeropad1d, zeropad2d,
    activation, softmax, normalize, merge, concat, clone, repack, transpose, resize, reshape, layernorm, embedding, gru,
    lstm, kernel (of ours), other. ``function``: which activation, pooling, merge or kernel (relu, tanh, max, add, ...).
    ``sizes``: by hls4ml's names (n_in, n_out, in_height, n_chan, filt_width, stride_height, pad_top, n_partitions,
    table_size, ...); of a kernel: ``products`` (multiplications by which one pack of the result is made), ``in_packs``,
    ``out_packs``, and the whole numbers of its configuration.
    ``inputs``, ``outputs``: names of the arrays or streams. ``types``: input, output, weight, bias, accum, table, ...
    ``tables``: bits of the constant tables of a kernel, by name. ``kept``: which packs of its operand a kernel passes
    on.
    """

    name: str
    op: str
    function: str = ""
    source: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    out_shapes: tuple[tuple[int, ...], ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    types: Mapping[str, Type] = field(default_factory=dict[str, Type])
    strategy: str = "latency"
    reuse_factor: int = 1
    weights: Mapping[str, WeightStats] = field(default_factory=dict[str, WeightStats])
    tables: Mapping[str, int] = field(default_factory=dict[str, int])
    kept: tuple[int, ...] = ()

    def size(self, name: str, default: int = 0) -> int:
        """Give a size, or what it is where the layer does not say."""
        return self.sizes.get(name, default)


@dataclass(frozen=True)
class Design:
    """A whole design. ``tool``: vivado, vitis, oneapi, quartus, ...; ``version`` its release ("2020.1"; "" unknown).

    ``family``: AMD's name in small letters (zynq, zynquplus, virtexuplus, kintexu, artix7, virtex7, ...; "" unknown).
    ``clock_ns``: the target period; ``uncertainty``: the fraction of it that the HLS tool keeps back. ``dataflow``:
    layers are processes side by side, not one pipeline. ``fifo_depths``: by stream name. ``inputs``, ``outputs``: names
    of the design's ports.
    """

    io: Io
    layers: tuple[LayerSpec, ...]
    tool: str = "vitis"
    version: str = ""
    part: str = ""
    family: str = ""
    clock_ns: float = 5.0
    uncertainty: float | None = None
    dataflow: bool = True
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    input_shapes: tuple[tuple[int, ...], ...] = ()
    fifo_depths: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def stream(self) -> bool:
        """Whether tensors travel through FIFOs."""
        return self.io == "stream"

    @property
    def hls_uncertainty(self) -> float:
        """The fraction of the period that the HLS tool keeps back: 12.5 % (Vivado HLS), 27 % (Vitis HLS) by default."""
        if self.uncertainty is not None:
            return self.uncertainty
        return 0.125 if self.tool == "vivado" else 0.27


def family_of(part: str) -> str:
    """Give the family of an AMD part by its number, "" for others: xcvu13p -> virtexuplus, xc7z020 -> zynq."""
    for pattern, family in _FAMILIES:
        if re.match(pattern, part.lower()):
            return family
    return ""


_FAMILIES = (
    (r"xc7z", "zynq"), (r"xc7a", "artix7"), (r"xc7k", "kintex7"), (r"xc7v", "virtex7"), (r"xc7s", "spartan7"),
    (r"xczu\d+dr", "zynquplusRFSOC"), (r"xczu", "zynquplus"), (r"xck26|xck24", "zynquplus"), (r"xcau", "artixuplus"),
    (r"xcku\d+p", "kintexuplus"), (r"xcku", "kintexu"), (r"xcvu\d+p", "virtexuplus"), (r"xcvu", "virtexu"),
    (r"xcu(50|55|280)", "virtexuplusHBM"), (r"xcu(200|250|26|30)", "virtexuplus"), (r"xcv[cmphe]\d", "versal"),
    (r"xqzu", "zynquplus"),
)  # fmt: skip

__all__ = [
    "LEVELS", "RESOURCES", "Design", "Io", "LayerSpec", "Level", "Resource", "Type", "WeightStats", "family_of",
]  # fmt: skip

"""What a board file holds: frozen dataclasses, one field a key, every figure with its source.

The dataclasses are the schema. A key of a TOML table is the field of the same name; a field without a default must be
given; a field of type ``Figure`` is written ``{ value = 53200, source = "hls" }``, where the source is a key of the
file's ``[sources]`` table. Units are part of the names: ``mhz``, ``kib``, ``mib``, ``gb_s`` (10^9 bytes a second).
A figure that is not known is absent; so is a resource that the device does not have.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

Kind = Literal["fpga", "mcu", "cpu", "gpu", "phone"]
FpgaVendor = Literal["AMD", "Intel", "Lattice", "Gowin", "Microchip"]
HlsBackend = Literal["Vitis", "Vivado", "oneAPI", "Quartus", "Catapult", "Libero"]
Synthesis = Literal[
    "vivado", "quartus", "libero", "diamond", "radiant", "gowin-eda",
    "yosys-nextpnr-ecp5", "yosys-nextpnr-ice40", "yosys-nextpnr-gowin", "yosys-nextpnr-xilinx",
]  # fmt: skip
Reach = Literal["processor", "fabric", "both"]
RegionKind = Literal["ram", "flash", "itcm", "dtcm", "rom", "external"]
CacheKind = Literal["instruction", "data", "unified"]
AcceleratorKind = Literal["npu", "dla", "dsp", "ai-engine", "tensor-core"]
CompilerKind = Literal["llvm", "c", "cuda", "opencl", "metal", "webgpu"]
NumberFormat = Literal["int4", "int8", "int16", "int32", "fp8", "bf16", "fp16", "tf32", "fp32", "fp64"]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Number = TypeVar("Number", int, float)

NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
TRIPLE = r"[a-z0-9_.]+(-[a-z0-9_.]+){1,3}"


@dataclass(frozen=True)
class Figure(Generic[Number]):
    """A number and where it comes from; ``verified`` is false where the source was not read again for this table."""

    value: Number
    source: str
    verified: bool = True

    def __str__(self) -> str:
        return f"{self.value:,}" + ("" if self.verified else " (not verified)")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a device has, counted in the vendor's own units; a field that is None is one that it does not have.

    AMD: ``lut`` (6 inputs), ``ff``, ``dsp``, ``bram36`` (36 kbit tiles; HLS reports count 18 kbit halves), ``uram``
    (288 kbit). Intel: ``alm``, ``alut`` (2 an ALM), ``ff``, ``dsp``, ``m20k`` (20 kbit), ``mlab`` (640 bit). Lattice
    and Gowin: ``lut4`` (4 inputs), ``ff``, ``ebr18`` / ``bsram18`` (18 kbit), ``ebr4`` (4 kbit), ``spram256``
    (256 kbit), ``ssram_bits``, ``mult18`` (18x18), ``mult16`` (16x16 with accumulator). Microchip: ``lut4``, ``ff``,
    ``lsram20`` (20 kbit), ``mult18``.
    """

    lut: Figure[int] | None = None
    alm: Figure[int] | None = None
    alut: Figure[int] | None = None
    lut4: Figure[int] | None = None
    ff: Figure[int] | None = None
    dsp: Figure[int] | None = None
    mult18: Figure[int] | None = None
    mult16: Figure[int] | None = None
    bram36: Figure[int] | None = None
    uram: Figure[int] | None = None
    m20k: Figure[int] | None = None
    mlab: Figure[int] | None = None
    ebr18: Figure[int] | None = None
    ebr4: Figure[int] | None = None
    spram256: Figure[int] | None = None
    bsram18: Figure[int] | None = None
    ssram_bits: Figure[int] | None = None
    lsram20: Figure[int] | None = None

    def count(self, name: str) -> int:
        """Give the number of ``name`` ("lut", "uram", ...), 0 where the device has none."""
        figure: Figure[int] | None = getattr(self, name)
        return figure.value if figure else 0

    @property
    def bram18(self) -> int:
        """18-kbit block RAMs as HLS reports count them: two a tile."""
        return 2 * self.count("bram36")

    @property
    def memory_bits(self) -> int:
        """All dedicated on-chip memory in bits: blocks times their size, look-up-table memory not counted."""
        return sum(self.count(name) * bits for name, bits in BLOCK_BITS.items())


BLOCK_BITS = {
    "bram36": 36 * 1024, "uram": 288 * 1024, "m20k": 20 * 1024, "ebr18": 18 * 1024, "ebr4": 4 * 1024,
    "spram256": 256 * 1024, "bsram18": 18 * 1024, "lsram20": 20 * 1024,
}  # fmt: skip
"""Bits of one block of each memory resource."""

REQUIRED: dict[FpgaVendor, tuple[str, ...]] = {
    "AMD": ("lut", "ff", "dsp", "bram36"),
    "Intel": ("alm", "ff", "dsp", "m20k"),
    "Lattice": ("lut4", "ff"),
    "Gowin": ("lut4", "ff"),
    "Microchip": ("lut4", "ff"),
}
"""The resources that a board file must give, by the vendor of the device."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Fabric clock in MHz: what a project gets unless it asks, and the range that published designs use."""

    default_mhz: Figure[float]
    lowest_mhz: Figure[float] | None = None
    highest_mhz: Figure[float] | None = None

    @property
    def period_ns(self) -> float:
        """The default clock period in nanoseconds."""
        return 1000.0 / self.default_mhz.value


@dataclass(frozen=True, kw_only=True)
class ToolPart:
    """The name by which one HLS back end knows the device, where it is not the part number."""

    tool: HlsBackend
    part: str = field(metadata={"pattern": r"\S+"})


@dataclass(frozen=True, kw_only=True)
class Fpga:
    """The programmable device: part number as its tools take it, resources, clock, and the tools that know it."""

    vendor: FpgaVendor
    family: str
    part: str = field(metadata={"pattern": r"\S+"})
    speed_grade: str | None = None
    hls: tuple[HlsBackend, ...] = ()
    synthesis: tuple[Synthesis, ...] = ()
    slr: Figure[int] | None = None
    clock: Clock
    resources: Resources
    tool_parts: tuple[ToolPart, ...] = ()

    def part_for(self, tool: HlsBackend) -> str:
        """Give the name of the device as the HLS back end ``tool`` takes it."""
        return next((known.part for known in self.tool_parts if known.tool == tool), self.part)


@dataclass(frozen=True, kw_only=True)
class Core:
    """A group of equal processor cores: ``isa`` is the base ("armv8.2-a", "x86_64"), ``extensions`` what it adds.

    ``count`` is absent where the board stands for a class of machines. ``nj_per_cycle`` is what the board takes from
    its supply in a cycle of a busy core, in 10^-9 joules.
    """

    name: str
    isa: str
    extensions: tuple[str, ...] = ()
    count: Figure[int] | None = None
    clock_mhz: Figure[float] | None = None
    mac_per_cycle: Figure[float] | None = None
    nj_per_cycle: Figure[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Cache:
    """A cache: ``level`` 1, 2, 3; ``size_kib`` of one of them; ``shared_by`` how many cores.

    The caches of a board of kind "gpu" are those of its graphics processor.
    """

    level: int
    kind: CacheKind
    size_kib: Figure[float]
    cores: str | None = None
    shared_by: Figure[int] | None = None
    line_bytes: Figure[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Region:
    """Memory of a microcontroller that a linker script places things in."""

    name: str
    kind: RegionKind
    size_kib: Figure[float]
    address: int | None = None
    bytes_per_cycle: Figure[float] | None = None
    wait_states: Figure[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """External memory: ``reach`` says who is wired to it; sizes and bandwidth (peak) are of all channels together."""

    name: str
    technology: str
    reach: Reach = "processor"
    size_mib: Figure[float] | None = None
    channels: Figure[int] | None = None
    width_bits: Figure[int] | None = None
    rate_mt_s: Figure[float] | None = None
    bandwidth_gb_s: Figure[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A graphics processor: ``compute_units`` are its multiprocessors, ``lanes`` the fp32 lanes of them all."""

    name: str
    architecture: str
    compute_units: Figure[int] | None = None
    lanes: Figure[int] | None = None
    clock_mhz: Figure[float] | None = None
    shared_memory_kib: Figure[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A fixed engine beside the cores: ``count`` units of ``mac_per_cycle`` multiply-accumulates (int8) each."""

    name: str
    kind: AcceleratorKind
    count: Figure[int] | None = None
    clock_mhz: Figure[float] | None = None
    mac_per_cycle: Figure[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak arithmetic in 10^9 operations a second (a multiply-add is two); ``sparse`` figures assume zeros."""

    unit: str
    format: NumberFormat
    gops: Figure[float]
    sparse: bool = False


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """What a compiler of tensor programs (TVM, LLVM itself) has to be told to build for the board.

    ``kind`` is what generates the code that does the arithmetic: "llvm" on processor cores, "c" on microcontrollers
    (whose C a compiler of the user's takes), the others on a graphics processor. The rest, but for ``arch`` and
    ``vector_bits``, is of the processor cores, which on a board of kind "gpu" run the host part: ``triple`` is LLVM's
    target triple ("aarch64-linux-gnu", "thumbv7em-none-eabihf"), ``cpu`` its -mcpu name or level ("cortex-a76",
    "x86-64-v3", "generic"), ``features`` its -mattr words, "+" for what the cores have, "-" for what programs may not
    use although the name implies it ("-sve" where the kernel hides it), ``abi`` that of RISC-V ("lp64d"), empty
    elsewhere. ``arch`` is CUDA's name of the graphics processor ("sm_87"), empty for other kinds. ``vector_bits`` is
    the width of the vectors that schedules use: 0 where there are none, as on a graphics processor.
    """

    kind: CompilerKind
    triple: str = field(metadata={"pattern": TRIPLE})
    cpu: str = field(metadata={"pattern": r"\S+"})
    features: tuple[str, ...] = ()
    abi: str = field(default="", metadata={"pattern": r"\S+"})
    arch: str = field(default="", metadata={"pattern": r"\S+"})
    vector_bits: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """A target: everything that lowering, the back ends and the cost models may know of it.

    ``fpga`` is given for kind "fpga", ``gpu`` for "gpu", ``cores`` for "mcu", "cpu" and "phone" (an FPGA's are its
    processing system), ``regions`` for "mcu", ``compiler`` for "cpu", "gpu", "phone", and an "mcu" that firmware is
    written for.
    """

    name: str = field(metadata={"pattern": NAME})
    kind: Kind
    title: str
    maker: str
    notes: tuple[str, ...] = ()
    price_usd: Figure[float] | None = None
    power_w: Figure[float] | None = None
    fpga: Fpga | None = None
    gpu: Gpu | None = None
    compiler: Compiler | None = None
    cores: tuple[Core, ...] = ()
    caches: tuple[Cache, ...] = ()
    regions: tuple[Region, ...] = ()
    memories: tuple[Memory, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    peaks: tuple[Peak, ...] = ()

    def as_dict(self) -> dict[str, Json]:
        """Give what is known of the board as plain values for JSON; what is not known is left out."""
        return _plain_fields(self)


def _plain_fields(table: object) -> dict[str, Json]:
    assert is_dataclass(table)
    known = ((each.name, getattr(table, each.name)) for each in fields(table))
    return {name: _plain(value) for name, value in known if value not in (None, (), "")}


def _plain(value: object) -> Json:
    match value:
        case tuple():
            return [_plain(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return _plain_fields(value)

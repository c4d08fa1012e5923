"""What the shipped board files must be: complete, consistent, sourced, quick to read."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib.resources import files

import pytest

from gatewright.boards import Board, Figure, Resources, boards, load, names
from gatewright.boards.model import NAME, REQUIRED

SHIPPED = [name for name in names() if name != "host"]
FPGAS = [name for name in SHIPPED if load(name).kind == "fpga"]
COMPILED = [name for name in SHIPPED if load(name).kind in ("cpu", "gpu", "phone")]
DATA = files("gatewright.boards") / "data"

WANTED = [
    "pynq-z2", "pynq-z1", "arty-z7-20", "zedboard", "zcu102", "zcu104", "ultra96-v2", "kv260", "alveo-u50",
    "alveo-u55c", "alveo-u200", "alveo-u250", "alveo-u280", "vcu118", "vcu1525", "vu13p", "arty-a7-35t", "basys-3",
    "arty-a7-100t", "nexys-a7", "kcu1500", "vck190", "xc7z007s", "xc7z030", "xc7z100", "xc7a200t", "xc7vx690t",
    "xcku035", "xcku15p", "xczu49dr", "stratix-10-gx", "agilex-7", "arria-10-gx", "ulx3s-85f", "icebreaker",
    "upduino", "fomu", "tang-nano-9k", "tang-nano-20k",
    "x86-amx", "x86-avx512", "x86-avx2", "aarch64-generic", "armv7-neon", "riscv64-generic", "riscv-k1",
    "raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano", "jetson-agx-orin", "apple-m1", "pixel-8", "galaxy-s23",
    "snapdragon-8-gen-3", "iphone-14-pro", "iphone-15", "iphone-15-pro", "cuda-jetson-orin-nano",
    "cuda-jetson-agx-orin", "cuda-h100", "cuda-rtx-4090", "cuda-t4", "opencl-adreno-740", "opencl-mali-g715",
    "metal-a17", "webgpu-generic",
]  # fmt: skip

# LUT, FF, DSP, 36-kbit block RAM, UltraRAM as the vendor's own tools print them for the die
DIES = {
    "xc7z020": (53200, 106400, 220, 140, 0),
    "xczu9eg": (274080, 548160, 2520, 912, 0),
    "xczu7ev": (230400, 460800, 1728, 312, 96),
    "xczu3eg": (70560, 141120, 360, 216, 0),
    "xck26": (117120, 234240, 1248, 144, 64),
    "xcu50": (871680, 1743360, 5952, 1344, 640),
    "xcu55c": (1303680, 2607360, 9024, 2016, 960),
    "xcu280": (1303680, 2607360, 9024, 2016, 960),
    "xcu200": (1182240, 2364480, 6840, 2160, 960),
    "xcvu9p": (1182240, 2364480, 6840, 2160, 960),
    "xcu250": (1728000, 3456000, 12288, 2688, 1280),
    "xcvu13p": (1728000, 3456000, 12288, 2688, 1280),
    "xc7a35t": (20800, 41600, 90, 50, 0),
    "xc7a100t": (63400, 126800, 240, 135, 0),
    "xcku115": (663360, 1326720, 5520, 2160, 0),
    "xcvc1902": (899840, 1799680, 1968, 967, 463),
    "xc7z007s": (14400, 28800, 66, 50, 0),
    "xc7z030": (78600, 157200, 400, 265, 0),
    "xc7z100": (277400, 554800, 2020, 755, 0),
    "xc7a200t": (134600, 269200, 740, 365, 0),
    "xc7vx690t": (433200, 866400, 3600, 1470, 0),
    "xcku035": (203128, 406256, 1700, 540, 0),
    "xcku15p": (522720, 1045440, 1968, 984, 128),
    "xczu49dr": (425280, 850560, 4272, 1080, 80),
}


def figures(value: object) -> Iterator[Figure[float]]:
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from figures(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from figures(getattr(value, each.name))


def numbers(value: object, key: str = "") -> Iterator[str]:
    """Give the keys of the numbers of a raw file that stand outside a figure."""
    if isinstance(value, dict):
        if "value" not in value:
            for name, each in value.items():
                yield from numbers(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each, key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key


def test_all_wanted_boards_ship() -> None:
    assert set(WANTED) <= set(SHIPPED)
    assert "host" in names()
    assert names() == sorted(names())
    assert list(boards()) == names()


@pytest.mark.parametrize("name", SHIPPED)
def test_file_name_fits(name: str) -> None:
    assert load(name).name == name
    assert re.fullmatch(NAME, name)


@pytest.mark.parametrize("name", FPGAS)
def test_part_fits(name: str) -> None:
    board = load(name)
    assert board.fpga
    part, grade = board.fpga.part, board.fpga.speed_grade
    if board.fpga.vendor == "AMD":
        assert grade
        assert re.search(rf"{grade}($|-)", part), "the speed grade is the part's"
        assert next(die for die in DIES if part.startswith(die))
    if name.startswith("xc"):
        assert part.startswith(name.removesuffix("t"))


@pytest.mark.parametrize("name", [name for name in FPGAS if load(name).fpga.vendor == "AMD"])
def test_resources_are_those_of_the_die(name: str) -> None:
    fpga = load(name).fpga
    assert fpga
    die = next(die for die in DIES if fpga.part.startswith(die))
    have = fpga.resources
    assert tuple(have.count(each) for each in ("lut", "ff", "dsp", "bram36", "uram")) == DIES[die]
    assert have.bram18 == 2 * have.count("bram36")


@pytest.mark.parametrize("name", FPGAS)
def test_resources_are_positive_whole_numbers(name: str) -> None:
    fpga = load(name).fpga
    assert fpga
    given = {each.name: getattr(fpga.resources, each.name) for each in fields(Resources)}
    given = {key: figure.value for key, figure in given.items() if figure}
    assert all(type(value) is int and value > 0 for value in given.values())
    assert set(REQUIRED[fpga.vendor]) <= set(given)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_figure_has_a_source(name: str) -> None:
    document = tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(numbers(document)) <= {"schema", "level", "address", "vector_bits"}, "every other number is a figure"
    found = list(figures(load(name)))
    assert len(found) >= 5 or load(name).kind != "fpga"
    assert all(len(figure.source) >= 20 for figure in found), "a source says which document or report"
    assert {figure.source for figure in found} == set(document.get("sources", {}).values()), (
        "no source without a figure"
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_bandwidth_is_width_times_rate(name: str) -> None:
    for memory in load(name).memories:
        if memory.width_bits and memory.rate_mt_s and memory.bandwidth_gb_s:
            channels = memory.channels.value if memory.channels else 1
            computed = channels * memory.width_bits.value / 8 * memory.rate_mt_s.value / 1000
            assert memory.bandwidth_gb_s.value == pytest.approx(computed, rel=0.02), memory.name


@pytest.mark.parametrize("name", SHIPPED)
def test_figures_from_memory_are_not_shipped_as_verified(name: str) -> None:
    """A source from which some figure is not verified gives no verified one: it was not read again."""
    by_source: dict[str, set[bool]] = {}
    for figure in figures(load(name)):
        by_source.setdefault(figure.source, set()).add(figure.verified)
    assert all(len(seen) == 1 for seen in by_source.values()), by_source


WIDTHS = {"x86-64-v4": 512, "x86-64-v3": 256}
"""Bits of the vectors by the level of x86; elsewhere the features say."""


@pytest.mark.parametrize("name", COMPILED)
def test_every_board_that_code_is_generated_for_says_how(name: str) -> None:
    board = load(name)
    told = board.compiler
    assert told
    assert not board.fpga
    assert (board.kind == "gpu") == (told.kind != "llvm")
    assert (told.abi == "lp64d") == told.triple.startswith("riscv64")
    assert ("-sve" in told.features) == (told.cpu in ("cortex-x3", "cortex-x4")), "LLVM's name implies SVE"
    if board.kind == "phone":
        assert told.triple in ("aarch64-linux-android", "arm64-apple-ios")
        assert len(board.cores) >= 2, "fast and slow cores"
    if board.kind == "gpu":
        assert name.startswith(f"{told.kind}-"), "the name says how it is programmed"


@pytest.mark.parametrize("name", COMPILED)
def test_width_of_vectors_agrees_with_the_features(name: str) -> None:
    board = load(name)
    told = board.compiler
    arch = told.triple.partition("-")[0]
    if board.kind == "gpu":
        expected = 0
    elif arch == "x86_64":
        expected = WIDTHS[told.cpu]
    elif arch == "riscv64":
        lengths = [int(word[4:-1]) for word in told.features if word.startswith("+zvl")]
        expected = max([128, *lengths]) if "+v" in told.features else 0
    else:
        assert arch in ("aarch64", "arm64", "armv7")
        expected = 128
    assert told.vector_bits == expected
    dots = {"dotprod": "+dotprod", "fp16": "+fullfp16", "i8mm": "+i8mm", "bf16": "+bf16", "avx512_vnni": "+avx512vnni",
            "amx_tile": "+amx-tile", "amx_int8": "+amx-int8", "amx_bf16": "+amx-bf16"}  # fmt: skip
    for core in board.cores:
        assert {dots[word] for word in core.extensions if word in dots} == set(told.features) & set(dots.values()), core


@pytest.mark.parametrize("name", COMPILED)
def test_llvm_knows_the_names(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    llvm = pytest.importorskip("llvmlite.binding")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    told = load(name).compiler
    machine = llvm.Target.from_triple(told.triple).create_target_machine(cpu=told.cpu, features=",".join(told.features))
    module = llvm.parse_assembly(f'target triple = "{told.triple}"\ndefine i32 @f(i32 %x) {{ ret i32 %x }}')
    assert machine.emit_assembly(module)
    assert "not a recognized" not in capfd.readouterr().err


COMPUTED = re.compile(r"computed: (\d+) (cores|lanes) x (\d+) operations a cycle x ([\d.]+) GHz")


@pytest.mark.parametrize("name", COMPILED)
def test_computed_peaks_are_what_they_say(name: str) -> None:
    """Peak = cores or lanes x operations a cycle x clock, with the board's own number and clock."""
    board = load(name)
    for peak in board.peaks:
        if found := COMPUTED.match(peak.gops.source):
            unit = board.cores[0] if found[2] == "cores" else board.gpu
            number = unit.count if found[2] == "cores" else unit.lanes
            assert (number.value, unit.clock_mhz.value / 1000) == (int(found[1]), float(found[4]))
            assert peak.gops.value == pytest.approx(int(found[1]) * int(found[3]) * float(found[4]))
        else:
            assert not peak.gops.source.startswith("computed")


def test_some_peaks_are_computed() -> None:
    computed = [name for name in COMPILED if any(COMPUTED.match(p.gops.source) for p in load(name).peaks)]
    assert {"raspberry-pi-4", "raspberry-pi-5", "cuda-jetson-orin-nano", "cuda-rtx-4090"} <= set(computed)


@pytest.mark.parametrize("name", COMPILED)
def test_caches_are_shared_by_cores_that_there_are(name: str) -> None:
    board = load(name)
    count = {core.name: core.count.value for core in board.cores if core.count}
    for each in board.caches:
        if each.shared_by:
            assert each.shared_by.value <= (count[each.cores] if each.cores else sum(count.values()))
    for kind in ("data", "instruction"):
        levels = [each.level for each in board.caches if each.kind == kind]
        assert set(levels) <= {1}, "only the first level is split"


def test_on_chip_memory_adds_up() -> None:
    """The totals that Sipeed and Lattice print: 468 and 828 kbit, 120 kbit and 1 Mbit, 3,744 kbit."""
    kbit = {name: load(name).fpga.resources.memory_bits / 1024 for name in FPGAS}
    assert kbit["tang-nano-9k"] == 468
    assert kbit["tang-nano-20k"] == 828
    assert kbit["fomu"] == 120 + 1024
    assert kbit["ulx3s-85f"] == 3744
    assert kbit["pynq-z2"] == 630 * 8  # Digilent: 630 KB of block RAM


def test_the_boards_of_hls4ml_have_its_parts() -> None:
    parts = {
        "pynq-z2": "xc7z020clg400-1", "zcu102": "xczu9eg-ffvb1156-2-e", "alveo-u50": "xcu50-fsvh2104-2-e",
        "alveo-u250": "xcu250-figd2104-2L-e", "alveo-u200": "xcu200-fsgd2104-2-e", "alveo-u280": "xcu280-fsvh2892-2L-e",
        "vu13p": "xcvu13p-flga2577-2-e",
    }  # fmt: skip
    assert {name: load(name).fpga.part for name in parts} == parts
    assert load("agilex-7").fpga.part_for("oneAPI") == "Agilex7"
    assert load("arria-10-gx").fpga.part_for("Quartus") == "Arria10"
    assert load("pynq-z2").fpga.part_for("Vitis") == "xc7z020clg400-1"
    assert load("pynq-z2").fpga.clock.period_ns == 10


def test_dictionary_is_json_and_leaves_out_what_is_not_known() -> None:
    for name, board in boards().items():
        plain = board.as_dict()
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert "null" not in json.dumps(plain)
        assert plain["name"] == name
    plain = load("pynq-z2").as_dict()
    assert plain["fpga"]["resources"]["lut"]["value"] == 53200
    assert plain["memories"][0]["bandwidth_gb_s"]["verified"] is False
    assert "price_usd" not in plain


def test_boards_are_frozen_and_shared() -> None:
    board = load("pynq-z2")
    assert isinstance(board, Board)
    with pytest.raises(FrozenInstanceError):
        board.name = "other"  # type: ignore[misc]
    assert load("pynq-z2") is board
    assert hash(board) == hash(load("pynq-z2"))

"""The machine itself as a board: recorded texts of /proc/cpuinfo and /sys, and what LLVM is told of each."""

import os
import platform
from pathlib import Path

import pytest

from gatewright.boards import Board, load
from gatewright.boards.host import CPUINFO, host, tiles_are_granted
from gatewright.boards.instruction_sets import compiler_for

V3 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"
SERVER = f"""\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse2 {V4} avx512_vnni avx512_bf16 avx512vbmi avx512_vbmi2 avx512ifma avx_vnni amx_bf16 amx_tile amx_int8

processor\t: 1
flags\t\t: x
"""
DESKTOP = f"processor\t: 0\nmodel name\t: AMD Ryzen 7 5800X 8-Core Processor\nflags\t\t: fpu sse2 {V3} avx_vnni\n"
PI_4 = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
"""
PI_5 = (
    "\n".join(
        f"""\
processor\t: {number}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1
"""
        for number in range(4)
    )
    + "\nRevision\t: c04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
)
# a phone's two kinds of cores; its kernel hides SVE, which both have
BIG_LITTLE = "\n".join(
    f"processor : {number}\nFeatures: asimd fphp asimdhp asimddp i8mm bf16\nCPU implementer : 0x41\nCPU part : {part}\n"
    for number, part in enumerate(("0xd46", "0xd4e"))
)
GRAVITON = (
    "processor : 0\nFeatures : fp asimd fphp asimdhp asimddp sve i8mm bf16\nCPU implementer : 0x41\nCPU part : 0xd40\n"
)
K1 = "processor\t: 0\nisa\t\t: rv64imafdcv_zicbom_zicsr_zfh_zba_zbb_zbc_zbs_zvfh_zvl256b\nuarch\t\t: spacemit,x60\n"
SCALAR = "processor\t: 0\nisa\t\t: rv64gc\nmmu\t\t: sv39\n"
PI_2 = "processor\t: 0\nFeatures\t: half thumb vfp neon vfpv3\nCPU implementer\t: 0x41\nCPU part\t: 0xc07\n"

# cpuinfo, what platform.machine() says, then triple, cpu, features, abi, vector_bits
MACHINES = {
    "server": (
        SERVER, "x86_64", "x86_64-linux-gnu", "x86-64-v4",
        "+avx512vnni +avx512bf16 +avx512vbmi +avx512vbmi2 +avx512ifma +avxvnni +amx-tile +amx-int8 +amx-bf16", "", 512,
    ),
    "desktop": (DESKTOP, "x86_64", "x86_64-linux-gnu", "x86-64-v3", "+avxvnni", "", 256),
    "no fma": (DESKTOP.replace(" fma", ""), "x86_64", "x86_64-linux-gnu", "x86-64-v2", "", "", 128),
    "old": ("processor : 0\nflags : fpu sse2 avx512_vnni\n", "x86_64", "x86_64-linux-gnu", "x86-64", "", "", 128),
    "pi 4": (PI_4, "aarch64", "aarch64-linux-gnu", "cortex-a72", "", "", 128),
    "pi 5": (PI_5, "aarch64", "aarch64-linux-gnu", "cortex-a76", "+dotprod +fullfp16", "", 128),
    "phone": (BIG_LITTLE, "aarch64", "aarch64-linux-gnu", "generic", "+dotprod +fullfp16 +i8mm +bf16", "", 128),
    "sve": (GRAVITON, "aarch64", "aarch64-linux-gnu", "generic", "+dotprod +fullfp16 +i8mm +bf16 +sve", "", 128),
    "k1": (
        K1, "riscv64", "riscv64-linux-gnu", "generic-rv64",
        "+m +a +f +d +c +v +zba +zbb +zbs +zfh +zvfh +zvl256b", "lp64d", 256,
    ),
    "scalar": (SCALAR, "riscv64", "riscv64-linux-gnu", "generic-rv64", "+m +a +f +d +c", "lp64d", 0),
    "pi 2": (PI_2, "armv7l", "armv7-linux-gnueabihf", "generic", "+neon", "", 128),
    "nothing shown": ("", "x86_64", "x86_64-linux-gnu", "x86-64", "", "", 128),
    "power": ("processor : 0\ncpu : POWER9\n", "ppc64le", "powerpc64le-linux-gnu", "generic", "", "", 0),
}  # fmt: skip


def machine(
    monkeypatch: pytest.MonkeyPatch, folder: Path, cpuinfo: str, name: str, system: str = "Linux", *, tiles: bool = True
) -> Board:
    """Give the board of a machine that shows ``cpuinfo``, and the caches that ``folder`` has."""
    if cpuinfo:
        (folder / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr("gatewright.boards.host.CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr("gatewright.boards.host.CACHES", folder / "cache")
    monkeypatch.setattr("gatewright.boards.host.tiles_are_granted", lambda: tiles)
    monkeypatch.setattr(platform, "machine", lambda: name)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr("sysconfig.get_config_var", lambda _: "cpython-311-x86_64-linux-gnu")
    return host.__wrapped__()


def test_host_is_this_machine() -> None:
    board = load("host")
    assert (board.name, board.kind, board.fpga) == ("host", "cpu", None)
    assert board.cores[0].isa == platform.machine()
    assert board.cores[0].count.value == os.cpu_count()
    assert board.compiler.kind == "llvm"
    if Path("/proc/meminfo").exists():
        kib = int(Path("/proc/meminfo").read_text().split()[1])
        assert board.memories[0].size_mib.value == pytest.approx(kib / 1024, rel=0.1)
    if CPUINFO.exists() and platform.machine() == "x86_64":
        wide = "avx512vl" in board.cores[0].extensions
        assert (board.compiler.vector_bits == 512) == wide == (board.compiler.cpu == "x86-64-v4")


@pytest.mark.parametrize("name", MACHINES)
def test_what_the_compiler_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, arch, triple, cpu, features, abi, bits = MACHINES[name]
    board = machine(monkeypatch, tmp_path, text, arch)
    told = board.compiler
    assert (told.kind, told.triple, told.cpu, told.arch) == ("llvm", triple, cpu, "")
    assert (" ".join(told.features), told.abi, told.vector_bits) == (features, abi, bits)
    assert board.caches == ()
    assert board.as_dict()["cores"][0]["isa"] == arch


def test_tiles_that_the_system_does_not_grant_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = machine(monkeypatch, tmp_path, SERVER, "x86_64", tiles=False)
    assert "+avx512vnni" in board.compiler.features
    assert not any("amx" in word for word in (*board.compiler.features, *board.cores[0].extensions))


def test_the_system_is_asked_for_tiles() -> None:
    shown = CPUINFO.exists() and "amx_tile" in CPUINFO.read_text()
    assert tiles_are_granted() <= shown


@pytest.mark.parametrize(
    ("system", "arch", "musl", "triple", "cpu"),
    [
        ("Darwin", "arm64", False, "arm64-apple-macos", "apple-m1"),
        ("Darwin", "x86_64", False, "x86_64-apple-macos", "x86-64"),
        ("Windows", "AMD64", False, "x86_64-pc-windows-msvc", "x86-64"),
        ("Windows", "ARM64", False, "aarch64-pc-windows-msvc", "generic"),
        ("Linux", "aarch64", True, "aarch64-linux-musl", "generic"),
        ("Linux", "armv7l", True, "armv7-linux-musleabihf", "generic"),
        ("Linux", "", False, "unknown-linux-gnu", "generic"),
        ("Haiku", "x86_64", False, "x86_64-unknown", "x86-64"),
    ],
)
def test_other_systems(system: str, arch: str, musl: bool, triple: str, cpu: str) -> None:
    told = compiler_for(system, arch, (), musl=musl)
    assert (told.triple, told.cpu, told.features) == (triple, cpu, ())


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (DESKTOP, tuple(sorted(["fpu", "sse2", "avx_vnni", *V3.split()]))),
        (PI_4, ("asimd", "cpuid", "crc32", "evtstrm", "fp")),
        ("", ()),
    ],
)
def test_flags_of_the_first_processor(
    text: str, flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = machine(monkeypatch, tmp_path, text, "x86_64")
    assert board.cores[0].extensions == flags
    assert board.cores[0].name


def test_caches_as_the_kernel_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [
        ("1", "Data", "48K", "0,64", "64"), ("1", "Instruction", "32K", "0,64", "64"),
        ("2", "Unified", "2M", "0,64", "64"), ("3", "Unified", "107520K", "0-31,64-95", "64"),
    ]  # fmt: skip
    for index, values in enumerate(shown):
        folder = tmp_path / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for file, value in zip(
            ("level", "type", "size", "shared_cpu_list", "coherency_line_size"), values, strict=True
        ):
            (folder / file).write_text(f"{value}\n")
    caches = machine(monkeypatch, tmp_path, SERVER, "x86_64").caches
    assert [(c.level, c.kind, c.size_kib.value, c.shared_by.value, c.line_bytes.value) for c in caches] == [
        (1, "data", 48, 2, 64), (1, "instruction", 32, 2, 64),
        (2, "unified", 2048, 2, 64), (3, "unified", 107520, 64, 64),
    ]  # fmt: skip
    assert caches[3].size_kib.source.endswith("cache/index3/size")


def test_what_the_kernel_leaves_out_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index, files in enumerate(
        ({"level": "1", "type": "Data", "size": "32K"}, {"level": "2", "type": "Unified"}, {"size": "64K"}, {},
         {"level": "1", "type": "Trace", "size": "8K"}, {"level": "3", "type": "Unified", "size": "huge"},
         {"level": "3", "type": "Unified", "size": "8M", "shared_cpu_list": "all", "coherency_line_size": "0"})
    ):  # fmt: skip
        folder = tmp_path / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for file, value in files.items():
            (folder / file).write_text(value)
    caches = machine(monkeypatch, tmp_path, "", "riscv64").caches
    assert [(c.level, c.size_kib.value, c.shared_by, c.line_bytes) for c in caches] == [
        (1, 32, None, None),
        (3, 8192, None, None),
    ]

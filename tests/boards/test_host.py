"""The machine itself as a board."""

import os
import platform
from pathlib import Path

import pytest

from gatewright.boards import load
from gatewright.boards.host import host

X86 = "processor\t: 0\nmodel name\t: Some CPU @ 3.0 GHz\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\nflags\t: x\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\n\nprocessor\t: 1\n"


def test_host_is_this_machine() -> None:
    board = load("host")
    assert (board.name, board.kind, board.fpga) == ("host", "cpu", None)
    assert board.cores[0].isa == platform.machine()
    assert board.cores[0].count.value == os.cpu_count()
    if Path("/proc/meminfo").exists():
        kib = int(Path("/proc/meminfo").read_text().split()[1])
        assert board.memories[0].size_mib.value == pytest.approx(kib / 1024, rel=0.1)


@pytest.mark.parametrize(
    ("text", "flags"), [(X86, ("avx2", "avx512f", "fpu")), (ARM, ("asimd", "asimddp", "fp")), ("", ())]
)
def test_flags_of_the_first_processor(
    text: str, flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    if text:
        info.write_text(text)
    monkeypatch.setattr("gatewright.boards.host.CPUINFO", info)
    board = host.__wrapped__()
    assert board.cores[0].extensions == flags
    assert board.cores[0].name
    assert board.as_dict()["cores"][0]["isa"] == platform.machine()

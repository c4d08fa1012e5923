"""Libraries that are cut off or damaged are errors: they do not end the process."""

from pathlib import Path

import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.tvm.objects import check_whole
from gatewright.graph import FileError

from .networks import digits


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("damaged") / "digits"
    gatewright.compile(digits(), board="host", verify=False).write(out)
    return out


@pytest.mark.parametrize("part", [0.0, 0.001, 0.05, 0.5, 0.9, 0.999])
def test_a_library_that_is_cut_off_is_told(compiled: Path, part: float, tmp_path: Path) -> None:
    library = next((compiled / "project" / "lib").glob("*.so"))
    whole = library.read_bytes()
    try:
        library.write_bytes(whole[: int(part * len(whole))])
        module = gatewright.open(compiled, force=True)
        with pytest.raises(FileError):
            module.network()
        with pytest.raises(FileError, match="was changed"):
            gatewright.open(compiled)
    finally:
        library.write_bytes(whole)


@pytest.mark.parametrize("board", ["iphone-15", "pixel-8", "armv7-neon"])
def test_libraries_of_other_systems_are_checked_too(board: str) -> None:
    project = gatewright.compile(digits(), board=board, verify=False)
    data = next(d for n, d in project.artefact.items() if n.startswith("lib/") and n.endswith((".so", ".dylib")))
    check_whole(data)
    with pytest.raises(FileError, match=r"cut off|damaged"):
        check_whole(data[: 2 * len(data) // 3])


def test_an_object_file_is_no_library() -> None:
    project = gatewright.compile(digits(), board="raspberry-pi-5", verify=False)
    with pytest.raises(FileError, match="no shared library"):
        check_whole(project.artefact["src/kernels.o"])


def test_a_library_in_the_place_of_another_processor_s_is_told(compiled: Path) -> None:
    library = next((compiled / "project" / "lib").glob("*.so"))
    whole = library.read_bytes()
    other = gatewright.compile(digits(), board="riscv64-generic", verify=False).artefact[f"lib/{library.name}"]
    try:
        library.write_bytes(other)
        with pytest.raises(FileError, match="is for riscv64, network"):
            gatewright.open(compiled, force=True).network()
    finally:
        library.write_bytes(whole)

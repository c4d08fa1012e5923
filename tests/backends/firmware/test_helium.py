"""Helium on QEMU's Cortex-M55: functions do what their twins in plain C do, images compute what the graph does."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ziglang", reason="the firmware is compiled by ziglang")

import gatewright as gw
from gatewright.backends.firmware.emit import emit, includes
from gatewright.backends.firmware.emulator import Image, core, find_qemu, run_qemu, stack_bound
from gatewright.boards import Board, load
from gatewright.graph import Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import AvgPool, Input, Output, Quantize

from ..cases.drawn import cases_of, drawn_graphs
from .emulator.programs import MAIN, board_of, build
from .projects.made import NETWORKS, described, made, needs_gcc
from .test_networks import TINY, here

pytestmark = pytest.mark.skipif(find_qemu(core("cortex-m55")) is None, reason="QEMU is not installed")
BOARD = "corstone-300"
TWINS = Path(__file__).parent / "twins.c"


def program() -> str:
    """A program that says what ``twins.c`` finds."""
    headers = "".join(includes()[name].decode() for name in ("gw.h", "gw_mve.h")).replace('#include "gw.h"', "")
    text = MAIN.replace("sum += given;", "sum += (int32_t)twins();")
    return text.replace("int main(void)", f"{headers}\n{TWINS.read_text()}\nint main(void)")


def test_functions_are_their_twins() -> None:
    plain = run_qemu(build(board_of("cortex-m33"), program(), "-O2"), core("cortex-m33"))
    found = run_qemu(build(load("cortex-m55"), program(), "-O2"), core("cortex-m55"))
    assert found.status == 7
    assert found.console == plain.console


def console(graph: Graph) -> str:
    """Let the image of a network test itself: its outputs are those of the graph. Its stack has a bound."""
    project = made(graph, BOARD)
    (image,) = (data for path, data in project.files.items() if path.endswith(".elf"))
    assert stack_bound(Image.read(image), f"{described(project)['name']}_run", core("cortex-m55")).bytes > 0
    return run_qemu(image, core("cortex-m55")).console


@pytest.mark.slow
def test_an_image_on_the_emulated_core() -> None:
    assert "the self-test passed" in console(drawn_graphs(range(700, 703)).graph)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_drawn_networks(seed: int) -> None:
    assert "the self-test passed" in console(drawn_graphs(range(seed, seed + 6)).graph)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["choose", "linear", "pointwise", "runtimes", "shape"])
def test_cases(module: str) -> None:
    assert "the self-test passed" in console(cases_of(module, 4, 6).graph)


def test_loops_that_a_compiler_makes_into_gathers() -> None:
    """Windows at borders: two counters, and sums of elements that lie apart."""
    x = Node(Input("x", (14, 15, 2), Fixed(8, 4)))
    mean = Node(AvgPool((3, 3), (1, 1), ((1, 1), (2, 0)), (1, 1)), (x,))
    rounded = Node(Quantize(Fixed(8, 3), Rounding.RND, Overflow.SAT), (mean,))
    assert "the self-test passed" in console(Graph((x,), (Node(Output("y"), (rounded,)),), "borders"))


@here
@pytest.mark.slow
@pytest.mark.parametrize("model", ["ad01", "dscnn_kws", "resnet8", "vww_96"])
def test_networks_of_a_benchmark(model: str) -> None:
    assert "the self-test passed" in console(gw.lower(gw.load(TINY / f"{model}_int8.tflite"), board="host"))


def without(board: Board, feature: str, *instead: str) -> Board:
    assert board.compiler is not None
    features = (*(f for f in board.compiler.features if f != feature), *instead)
    return replace(board, compiler=replace(board.compiler, features=features))


def test_a_core_has_what_its_board_says() -> None:
    """No Helium, no vectors; integers have them on cores that have no floating point in theirs."""
    graph, board = NETWORKS["small_cnn"](), load(BOARD)

    def written(own: Board) -> bytes:
        return b"".join(data for path, data in emit(graph, own).files.items() if re.fullmatch(r"src/(?!gw).*\.c", path))

    assert b"gw_mve.h" in written(board)
    assert written(without(board, "+mve.fp", "+mve")) == written(board)
    assert b"gw_mve.h" not in written(without(board, "+mve.fp", "-mve"))
    assert b"gw_dsp.h" in written(without(board, "+mve.fp", "-mve"))


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("flag", ["-mcpu=cortex-m55", "-mcpu=cortex-m55+nomve.fp", "-mcpu=cortex-m55+nomve"])
def test_gcc_compiles_twins(flag: str, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(program())
    flags = ["-mthumb", flag, "-mfloat-abi=hard", "-O2", "-std=c99", "-ffreestanding"]
    subprocess.run(["arm-none-eabi-gcc", *flags, "-c", "main.c"], cwd=tmp_path, check=True, capture_output=True)

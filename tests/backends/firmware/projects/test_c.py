"""The C compiles without a warning for every kind of core, and links nothing of floating point."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.firmware.build import FLAGS, build, sizes
from gatewright.backends.firmware.emit import emit, machine_of
from gatewright.backends.firmware.toolchain import COMMON, WARNINGS, Toolchain, toolchain
from gatewright.backends.zig import zig
from gatewright.boards import load
from gatewright.graph import Affine, Fixed, Graph, Grid, Node
from gatewright.graph.ops import Input, Output, Power, Relu

from .cores import symbols
from .made import completed, described, made, needs_gcc, written_c

SLOW = [pytest.param(board, marks=pytest.mark.slow) for board in ("cortex-m3", "cortex-m7", "cortex-m33")]
ARM = ["cortex-m0plus", "cortex-m4", "cortex-m55", *SLOW]
BOARDS = [*ARM, "riscv32-generic"]
FLOATS = (
    "aeabi_f", "aeabi_d", "aeabi_i2f", "aeabi_i2d", "aeabi_ui2", "aeabi_l2", "aeabi_ul2", "aeabi_cf", "aeabi_cd",
    "addsf", "adddf", "subsf", "subdf", "mulsf", "muldf", "divsf", "divdf", "float", "fix", "sqrt", "exp", "log", "pow",
    "floor", "round", "tanh",
)  # fmt: skip
"""How the names of functions begin that compute with floating point."""


def _written(network: str, board: str, folder: Path) -> tuple[list[str], Toolchain]:
    written_c(network, board).write(folder)
    units = sorted(str(p.relative_to(folder)) for p in folder.glob("src/*.c"))
    return [*units, "board/startup.c", "board/main.c", "board/memory.c"], toolchain(machine_of(load(board)))


@pytest.mark.parametrize("board", BOARDS)
def test_zig_has_nothing_to_warn_of(board: str, tmp_path: Path) -> None:
    units, tools = _written("small_cnn", board, tmp_path)
    for unit in units:
        zig(("cc", *tools.zig, "-O2", *FLAGS, "-Isrc", "-c", unit, "-o", "unit.o"), tmp_path)


@needs_gcc
@pytest.mark.parametrize("board", ARM)
@pytest.mark.parametrize("level", ["-O2", pytest.param("-Os", marks=pytest.mark.slow)])
def test_gcc_has_nothing_to_warn_of(board: str, level: str, tmp_path: Path) -> None:
    units, tools = _written("small_cnn", board, tmp_path)
    flags = [*tools.gcc, level, *COMMON, *WARNINGS, "-Isrc"]
    for unit in units:
        command = [tools.gcc_name, *flags, "-c", unit, "-o", "unit.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert not done.stderr


@pytest.mark.parametrize(
    ("network", "board"),
    [
        ("digits", "cortex-m4"),
        ("small_cnn", "cortex-m4"),
        ("small_cnn", "cortex-m0plus"),
        ("small_cnn", "riscv32-generic"),
    ],
)
def test_no_float_is_linked_for_a_network_of_integers(network: str, board: str) -> None:
    project = completed(network, board)
    name = described(project)["name"]
    found = sizes(project.files[f"image/{name}.elf"])
    assert found is not None
    assert f"{name}_run" in found.functions
    words = {word for function in found.functions for word in function.split(".")}  # compiler_rt.divmod.__aeabi_ldivmod
    assert not [word for word in words if word.lstrip("_").startswith(FLOATS) and not word.startswith(name)]


def test_the_report_has_the_sizes_of_the_linked_image() -> None:
    project = completed("small_cnn", "cortex-m4")
    found, known = described(project), symbols(project.files["image/small_cnn.elf"])
    assert known["small_cnn_arena"][1] == found["arena_bytes"]
    built = build(project.files, found)
    application = sizes(built.application)
    assert application is not None
    assert application.flash == found["flash_bytes"] < len(built.application)
    assert not any("selftest" in name or "layer_name" in name for name in application.functions)
    assert application.arena == found["arena_bytes"]


def test_the_stack_has_room_behind_the_variables() -> None:
    known = symbols(completed("small_cnn", "cortex-m4").files["image/small_cnn.elf"])
    assert known["_estack"][0] - known["_stack_limit"][0] >= 2048


def test_a_program_in_cpp_uses_the_header(tmp_path: Path) -> None:
    project = completed("small_cnn", "cortex-m4")
    project.write(tmp_path)
    (tmp_path / "user.cpp").write_text(
        '#include "small_cnn.h"\n'
        "static_assert(SMALL_CNN_IN0_ELEMENTS == 189 && SMALL_CNN_OUT0_ELEMENTS == 10, \"sizes\");\n"
        "static_assert(SMALL_CNN_IN0_ZERO_POINT == 5 && SMALL_CNN_OUT0_ZERO_POINT == -128, \"formats\");\n"
        "int main()\n{\n    small_cnn_init();\n"
        "    for (int i = 0; i < SMALL_CNN_IN0_ELEMENTS; i++) small_cnn_in0[i] = 1;\n"
        "    return small_cnn_run() + small_cnn_out0[0] + small_cnn_selftest();\n}\n"
    )  # fmt: skip
    strict = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Isrc", "-fno-sanitize=all")
    zig(("c++", *toolchain(machine_of(load("cortex-m4"))).zig, *strict, "-c", "user.cpp", "-o", "user.o"), tmp_path)
    if (compiler := shutil.which("g++")) is not None:
        subprocess.run([compiler, *strict[:-1], "-c", "user.cpp", "-o", "host.o"], cwd=tmp_path, check=True)


def test_an_image_that_does_not_fit_the_flash_is_told() -> None:
    project = completed("small_cnn", "cortex-m4")
    found = described(project)
    for span in found["memory"]["spans"]:
        if span["kind"] == "flash":
            span["bytes"] = 4096
    with pytest.raises(gw.UnsupportedError, match=r"board cortex-m4: FLASH has 4,096 bytes; the image needs \d,\d+"):
        build(project.files, found)


def test_without_a_c_library_there_is_no_image_of_what_calls_it() -> None:
    x = Node(Input("x", (5,)))
    graph = Graph((x,), (Node(Output("y"), (Node(Power(), (x, x)),)),), "powers")
    project = made(graph, "cortex-m4")
    assert project.notes == ("no image is linked: the network calls powf of the C library (--integer-only: tables)",)
    assert {path for path in project.files if path.startswith("image/")} == {"image/libpowers.a"}
    assert "flash_bytes" not in described(project)


def test_the_header_says_what_inputs_may_be() -> None:
    """Tables are read at places that follow from them."""
    formats = (Fixed(5, 1, False), Fixed(8, 4), Affine(4, True, Grid(np.array([Fraction(1, 3), Fraction(1)], object))))
    inputs = tuple(Node(Input(f"x{i}", (2,), format)) for i, format in enumerate(formats))
    outputs = tuple(Node(Output(f"y{i}"), (Node(Relu(), (x,)),)) for i, x in enumerate(inputs))
    header = emit(Graph(inputs, outputs, "ranges"), load("cortex-m4")).files["src/ranges.h"].decode()
    assert "in0: x0, 2 uint8_t, value = q * 2^-4; q from 0 to 31; fill before every run." in header
    assert "#define RANGES_IN0_MIN 0\n#define RANGES_IN0_MAX 31\n" in header
    assert "in1: x1, 2 int8_t, value = q * 2^-4; fill before every run." in header
    assert "#define RANGES_IN1_MIN (-128)\n#define RANGES_IN1_MAX 127\n" in header
    assert "#define RANGES_IN2_MIN (-8)\n#define RANGES_IN2_MAX 7\n" in header
    assert "OUT0_MIN" not in header

"""Libraries for every target: what they export and ask for, the same bytes every time; what is told when it fails."""

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends import zig as zigs
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.tvm import targets
from gatewright.backends.tvm.build import LIBC, LIBM, build
from gatewright.backends.tvm.objects import archive_members, read
from gatewright.backends.zig import BuildError
from gatewright.graph import FileError, Float, GatewrightError, Graph, Node, OptionError, UnsupportedError
from gatewright.graph.ops import Activation, Input, Output

from .emulated import MACHINES
from .networks import digits, large, small_cnn

ENTRIES = ["net_parallel_for_tvm", "net_run", "net_run_bound", "net_run_bound_parallel", "net_run_parallel"]
SYSTEM = {"/usr/lib/libSystem.B.dylib", "/usr/lib/libSystem.dylib"}
LOADERS = {"dyld_stub_binder", "__dso_handle", "_mh_dylib_header"}
BOARDS = {
    name: board.compiler
    for name, board in gatewright.boards().items()
    if board.compiler and board.compiler.kind == "llvm"
}
TARGETS = {c.triple: Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi) for c in BOARDS.values()}
FORMATS = {
    "x86_64-linux-gnu": ("elf", "x86_64", "libm.so.6"), "aarch64-linux-gnu": ("elf", "aarch64", "libm.so.6"),
    "armv7-linux-gnueabihf": ("elf", "armv7", "libm.so.6"), "riscv64-linux-gnu": ("elf", "riscv64", "libm.so.6"),
    "aarch64-linux-android": ("elf", "aarch64", "libm.so"), "arm64-apple-ios": ("mach-o", "aarch64", ""),
    "arm64-apple-macos": ("mach-o", "aarch64", ""),
}  # fmt: skip


def sines() -> Graph:
    x = Node(Input("x", (5,), Float()))
    return Graph((x,), (Node(Output("y"), (Node(Activation("sin"), (x,)),)),), "sines")


def test_every_board_has_a_target_that_is_tested() -> None:
    assert set(TARGETS) - {"host"} <= set(FORMATS)


@pytest.mark.parametrize("graph", [digits, large, sines])
@pytest.mark.parametrize("triple", FORMATS)
def test_libraries_export_the_header_and_ask_for_the_c_library(triple: str, graph) -> None:  # type: ignore[no-untyped-def]
    built = build(make_program(graph(), TARGETS[triple]), "net")
    format, machine, math = FORMATS[triple]
    shared = read(built.shared)
    assert (shared.format, shared.machine, shared.shared) == (format, machine, True)
    assert sorted(set(shared.exported) - LOADERS) == ENTRIES
    assert set(shared.undefined) - LOADERS <= LIBC | LIBM
    wanted = {math} if graph is sines and math else set()
    assert set(shared.libraries) - SYSTEM == wanted
    assert ("sinf" in shared.undefined) == (graph is sines)
    (member,) = (read(data) for data in archive_members(built.static).values())
    assert member.exported == ENTRIES
    assert set(member.undefined) <= LIBC | LIBM
    assert (member.format, member.machine) == (format, machine)


@pytest.mark.parametrize("board", sorted(BOARDS))
def test_llvm_knows_what_the_boards_name(board: str) -> None:
    c = BOARDS[board]
    targets.check_machine(Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi))


def test_two_networks_go_into_one_program(tmp_path: Path) -> None:
    for name, graph in (("one", digits()), ("two", small_cnn())):
        built = build(make_program(graph, TARGETS["x86_64-linux-gnu"]), name)
        for path, data in built.files.items():
            (tmp_path / path).write_bytes(data)
    body = "void fill(void) { both[0] = (void *)one_run; both[1] = (void *)two_run; }"
    (tmp_path / "both.c").write_text(f'#include "one.h"\n#include "two.h"\nvoid *both[2];\n{body}\n')
    link = ["-shared", "-nostdlib", "-fPIC", "both.c", "libone.a", "libtwo.a", "-o", "both.so"]
    zigs.zig(["cc", "-target", "x86_64-linux-none", *link], tmp_path)


def digests() -> str:
    """Hashes of everything that is made of a small network for some targets."""
    lines = []
    for triple in ("aarch64-linux-gnu", "arm64-apple-macos", "x86_64-linux-gnu"):
        built = build(make_program(small_cnn(), TARGETS[triple]), "net")
        for name, data in sorted({**built.files, **built.sources}.items()):
            lines.append(f"{triple} {name} {sha256(data).hexdigest()}")
    return "\n".join(lines)


def test_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (root / "src", root))), "TMPDIR": str(tmp_path), "PYTHONHASHSEED": "7",
    }  # fmt: skip
    without_torch = "import sys; sys.modules['torch'] = None"  # TVM imports it where it is, which takes seconds
    command = [
        sys.executable,
        "-c",
        f"{without_torch}; from tests.backends.tvm.test_build import digests; print(digests())",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digests()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"triple": "sparc-sun-solaris"},
            UnsupportedError,
            "no library can be made for 'sparc-sun-solaris'.*known: x86_64",
        ),
        ({"triple": "x86_64-pc-windows"}, UnsupportedError, "no library can be made"),
        ({"triple": "nonsense"}, UnsupportedError, "no library can be made"),
        ({"cpu": "cortex-a67"}, OptionError, "no processor called 'cortex-a67'.*did you mean 'cortex-a6?7"),
        ({"features": ("+dotprodd",)}, OptionError, "no processor feature called 'dotprodd'.*did you mean 'dotprod'"),
        ({"features": ("dotprod",)}, OptionError, "the feature 'dotprod' has no sign"),
    ],
)
def test_unknown_targets_are_told(change: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        targets.check_machine(replace(MACHINES["aarch64"].machine, **change))  # type: ignore[arg-type]


def test_missing_tools_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = make_program(small_cnn(), MACHINES["aarch64"].machine)
    zigs.zig_path.cache_clear()
    monkeypatch.setitem(sys.modules, "ziglang", None)
    with pytest.raises(BuildError, match=r"(?s)ziglang.*cannot be imported.*pip install ziglang"):
        build(program, "net")
    monkeypatch.undo()
    targets._queries.cache_clear()
    monkeypatch.setitem(sys.modules, "gatewright.backends.tvm.load", None)
    with pytest.raises(GatewrightError, match=r"(?s)TVM.*pip install 'gatewright\[tvm\]'"):
        build(program, "net")
    monkeypatch.undo()
    for script, message in (
        ("#!/bin/sh\necho no space left >&2\nexit 3\n", "no space left"),
        ("", "cannot be started"),
    ):
        (tmp_path / "zig").write_text(script)
        (tmp_path / "zig").chmod(0o755 if script else 0o644)
        monkeypatch.setattr(zigs, "zig_path", lambda: str(tmp_path / "zig"))
        with pytest.raises(BuildError, match=message):
            build(program, "net")


def test_what_is_no_object_file_is_told() -> None:
    built = build(make_program(small_cnn(), MACHINES["aarch64"].machine), "net")
    for data in (b"", b"hello", built.static):
        with pytest.raises(FileError, match="neither ELF nor Mach-O"):
            read(data)
    for length in range(4, 400, 7):
        with pytest.raises(FileError):
            read(built.shared[:length], "libnet.so")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("digits", "digits"), ("3 layers", "net_3_layers"), ("string", "net_string"), ("import", "net_import"),
        ("\u00e9t\u00e9", "t"), ("", "model"), ("Net-1.2", "net_1_2"), ("numpy", "net_numpy"),
        ("c", "net_c"), ("amx", "net_amx"), ("kernels", "net_kernels"), ("gw", "net_gw"), ("gw dot", "net_gw_dot"),
    ],
)  # fmt: skip
def test_names_serve_c_linkers_and_python(model: str, name: str) -> None:
    assert library_name(replace(small_cnn(), name=model)) == name

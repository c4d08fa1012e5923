"""The project: the same bytes from the same graph, a test bench that compares, no trace of the machine in it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends import Project
from gatewright.backends.hls4ml import Options, emit, make_options
from gatewright.backends.hls4ml.description import read
from gatewright.boards import load
from gatewright.graph import FileError, Fixed, Graph, Node, UnsupportedError
from gatewright.graph.ops import Dense, Input, Output, Relu
from gatewright.simulation import make_vectors

from .networks import KINDS, Draw, graph, jet_tagger

PART = "xc7z020clg400-1"
TOOLS = ("oneapi", "quartus", "catapult", "libero")


def small(outputs: int = 1) -> Graph:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    y = Node(Input("y", (2,), Fixed(6, 2, False)), (), "y")
    a = Node(Dense(), (x, Draw(0).constant((3, 2), Fixed(4, 1))), "a")
    b = Node(Relu(), (y,), "b")
    return graph([x, y], [a, b][: outputs + 1], "two in, two out")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_the_same_graph_gives_the_same_bytes(io: str) -> None:
    first, second = (emit(jet_tagger(), None, Options(PART, io=io), make_vectors(jet_tagger(), 8)) for _ in range(2))
    assert dict(first.files) == dict(second.files)
    assert first.digest == second.digest


def test_the_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import networks\n"
        "from gatewright.backends.hls4ml import Options, emit\n"
        f"print(emit(networks.jet_tagger(), None, Options({PART!r})).digest)"
    )
    here = Path(__file__).parent
    roots = [str(here), str(here.parents[2] / "src")]
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONHASHSEED": "7", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, *roots], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == emit(jet_tagger(), None, Options(PART)).digest, done.stderr


def test_nothing_of_the_machine_is_in_the_files() -> None:
    files = emit(jet_tagger(), None, Options(PART)).files
    for word in (b"/tmp", b"gatewright-", str(Path.home()).encode() + b"/", b"/usr/"):
        assert not [path for path, data in files.items() if word in data and "ap_types" not in path], word


def test_the_scripts_have_the_boards_part_and_clock() -> None:
    board = load("pynq-z2")
    options = make_options(board, clock_ns=7.5)
    files = emit(jet_tagger(), board, options).files
    script = files["project.tcl"].decode()
    assert board.fpga is not None
    assert f'set part "{board.fpga.part}"' in script
    assert "set clock_period 7.5" in script
    assert "build_prj.tcl" in files
    assert "build_lib.sh" in files
    assert b"vitis-run --mode hls --tcl build_prj.tcl" in files["build.sh"]
    readme = files["README.md"].decode()
    assert f"part `{board.fpga.part}`, clock period 7.5 ns, io_parallel" in readme
    assert set(re.findall(r"`([\w/]+\.(?:cpp|tcl|yml|sh))`", readme)) <= set(files)


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="no /bin/sh")
@pytest.mark.parametrize(("tool", "runner"), [("vitis", "vitis-run"), ("vitis", "vitis_hls"), ("vivado", "vivado_hls")])
def test_the_script_starts_the_tool_that_is_there(tool: str, runner: str, tmp_path: Path) -> None:
    emit(small(), None, Options(PART, tool=tool)).write(tmp_path / "project")
    tools = tmp_path / "tools"
    tools.mkdir()
    command = ["/bin/sh", str(tmp_path / "project" / "build.sh"), "csim=1"]
    found = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    (tools / runner).write_text('#!/bin/sh\npwd\necho "$@"\n')
    (tools / runner).chmod(0o755)
    path = f"{tools}:/usr/bin:/bin"
    found = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    where, arguments = found.stdout.splitlines()
    assert Path(where).resolve() == (tmp_path / "project").resolve()
    assert "build_prj.tcl" in arguments


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_in_a_dataflow_region_each_variable_has_one_writer_and_one_reader(io: str) -> None:
    drawn = [KINDS[kind](Draw(seed)) for kind in KINDS for seed in range(3)]
    seen = 0
    for one in drawn:
        files = emit(one, None, Options(PART, io=io, strategy="resource")).files
        code = next(d for p, d in files.items() if re.fullmatch(r"firmware/\w+\.cpp", p)).decode()
        if "#pragma HLS DATAFLOW" not in code:
            continue
        call = re.compile(r"^    (?:nnet|gw)::(?!save_|load_)\w+<.*?>\((.*)\);", re.MULTILINE)
        calls = [arguments.split(", ") for arguments in call.findall(code)]
        aliases = dict(re.findall(r"auto& (\w+) = (\w+);", code))
        outside = [d.rsplit(" ", 1)[1].partition("[")[0] for d in read(files).variables]
        declared = re.findall(r"^    (?:hls::stream<\w+>|\w+_t) (layer\w+_out)\b", code, re.MULTILINE)
        inside = [name for name in declared if name not in outside]
        used = [root(name, aliases) for call in calls for name in call]
        assert {name: used.count(name) for name in inside} == dict.fromkeys(inside, 2), code
        assert {name: used.count(name) for name in outside} == dict.fromkeys(outside, 1), code
        seen += 1
    assert seen > 5


def test_each_fifo_holds_the_whole_tensor_so_that_no_fork_can_block() -> None:
    seen = 0
    for kind in KINDS:
        files = emit(KINDS[kind](Draw(1)), None, Options(PART, io="stream")).files
        code = next(d for p, d in files.items() if re.fullmatch(r"firmware/\w+\.cpp", p)).decode()
        depths = {name: int(depth) for name, depth in re.findall(r"STREAM variable=(\w+) depth=(\d+)", code)}
        assert set(depths) == set(re.findall(r"^    hls::stream<\w+> (\w+)\(", code, re.MULTILINE))
        for name, shape in re.findall(r'save_layer_output<\w+>\((\w+), "\w+", ([\d*]+)\)', code):
            if name in depths:
                assert depths[name] == prod(int(n) for n in shape.split("*")[:-1]), (kind, name)
                seen += 1
    assert seen > 20


def root(name: str, aliases: Mapping[str, str]) -> str:
    while name in aliases:
        name = aliases[name]
    return name


def test_the_weights_that_are_synthesised_are_those_that_are_simulated() -> None:
    files = emit(KINDS["conv"](Draw(0)), None, Options(PART)).files | emit(jet_tagger(), None, Options(PART)).files
    headers = [path for path in files if path.startswith("firmware/weights/") and path.endswith(".h")]
    assert headers
    for path in headers:
        found = re.search(r"#else\n.* = \{(.*?)\};", files[path].decode(), re.DOTALL)
        assert found, path
        values = files[path.removesuffix(".h") + ".txt"].decode()
        assert fractions(found.group(1)) == fractions(values), path


def fractions(text: str) -> list[Fraction]:
    return [Fraction(number) for number in re.split(r"[\s,{}]+", text) if number]


def test_vivado_gets_its_own_script() -> None:
    assert (
        'set backend "vivado"' in emit(jet_tagger(), None, Options(PART, tool="vivado")).files["project.tcl"].decode()
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_the_bench_returns_nonzero_where_a_bit_differs(io: str, tmp_path: Path) -> None:
    """Built as the vendor's tools do: C++11, the vendor's own types, weights from the headers' text files."""
    network = small()
    project = emit(network, None, Options(PART, io=io), make_vectors(network, 16))
    project.write(tmp_path)
    command = ["g++", "-O0", "-std=c++11", "-w", "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"']
    sources = ["firmware/two_in_two_out.cpp", "two_in_two_out_test.cpp", "-o", "bench"]
    built = subprocess.run([*command, *sources], cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    good = subprocess.run(["./bench"], cwd=tmp_path, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout
    assert "0 of 64 outputs differ" in good.stdout
    expected = tmp_path / "tb_data" / "tb_output_predictions.dat"
    lines = expected.read_text().splitlines()
    numbers = lines[3].split()
    lines[3] = " ".join([*numbers[:-1], str(int(numbers[-1]) ^ 1)])
    expected.write_text("\n".join(lines) + "\n")
    bad = subprocess.run(["./bench"], cwd=tmp_path, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "vector 3, output 3" in bad.stdout
    expected.write_text("\n".join(lines[:9]) + "\n")
    assert subprocess.run(["./bench"], cwd=tmp_path, capture_output=True).returncode == 1


def test_the_bench_has_our_vectors_as_integers() -> None:
    network = small()
    vectors = make_vectors(network, 5)
    files = emit(network, None, Options(PART), vectors).files
    rows = [[int(n) for n in line.split()] for line in files["tb_data/tb_input_features.dat"].decode().splitlines()]
    assert np.array_equal(rows, np.concatenate([v.reshape(5, -1) for v in vectors], axis=1))


@pytest.mark.parametrize("tool", TOOLS)
def test_other_tools_write_a_project(tool: str) -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    network = graph([x], [Node(Relu(), (Node(Dense(), (x, Draw(0).constant((3, 2))), "a"),), "b")])
    options = Options("part", tool=tool)
    assert not options.verifiable
    project = emit(network, None, options, make_vectors(network, 4))
    assert project == emit(network, None, options, make_vectors(network, 4))
    files = project.files
    assert any(path.startswith("firmware/") or path.startswith("src/firmware/") for path in files)
    assert not [path for path, data in files.items() if b"/tmp/" in data and "ac_" not in path]


def test_a_layer_that_a_tool_lacks_is_refused() -> None:
    """hls4ml leaves such a layer out of the code without a word."""
    from .networks import conv

    with pytest.raises(UnsupportedError, match="no code"):
        emit(conv(Draw(0)), None, Options("part", tool="libero"))


def test_a_users_keras_is_neither_imported_nor_touched() -> None:
    """hls4ml's writer imports keras where it is there; one that is loaded already must stay."""
    code = (
        "import sys, types\n"
        "sys.path[:0] = sys.argv[1:3]; import networks\n"
        "mine = sys.modules['keras'] = types.ModuleType('keras'); mine.models = types.SimpleNamespace(Model=dict)\n"
        "from gatewright.backends.hls4ml import Options, emit\n"
        f"emit(networks.jet_tagger(), None, Options({PART!r}))\n"
        "assert sys.modules['keras'] is mine\n"
        "assert not {'tensorflow', 'torch', 'tf_keras', 'qkeras'} & set(sys.modules), sorted(sys.modules)"
    )
    here = Path(__file__).parent
    roots = [str(here), str(here.parents[2] / "src")]
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, *roots], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_a_failure_of_hls4ml_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from hls4ml.model.graph import ModelGraph

    def fail(*_: object, **__: object) -> None:
        sys.stdout.write("something about the reason")
        raise KeyError("vitsi")

    monkeypatch.setattr(ModelGraph, "from_layer_list", fail)
    with pytest.raises(UnsupportedError, match="vitsi") as error:
        emit(jet_tagger(), None, Options(PART))
    assert "something about the reason" in error.value.hint


def test_a_type_that_hls4ml_changes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewright.backends.hls4ml import convert

    original = convert._config
    monkeypatch.setattr(convert, "_config", lambda y, p: original(y, p) | {"Precision": {"result": "fixed<9,4>"}})
    with pytest.raises(UnsupportedError, match="hls4ml changed layer fc0"):
        emit(jet_tagger(), None, Options(PART))


def test_projects_are_safe_and_comparable(tmp_path: Path) -> None:
    project = Project({"b/c.sh": b"#!", "a": b"1"}, ("a note",))
    assert list(project.files) == ["a", "b/c.sh"]
    assert project == Project({"a": b"1", "b/c.sh": b"#!"})
    assert project.digest != Project({"a": b"1b/c.sh", "b": b"#!"}).digest
    with pytest.raises(TypeError):
        project.files["x"] = b""  # type: ignore[index]
    project.write(tmp_path)
    assert os.access(tmp_path / "b" / "c.sh", os.X_OK)
    assert Project.read(tmp_path) == project
    with pytest.raises(FileError, match="no such directory"):
        Project.read(tmp_path / "none")
    for path in ("/etc/x", "../x", "a/../b", "a//b", "./a", "C:/x", "a\\b", "", "."):
        with pytest.raises(ValueError, match="not a path"):
            Project({path: b""})


def test_outputs_that_are_used_inside_are_emitted() -> None:
    x = Node(Input("x", (3,), Fixed(8, 3)), (), "x")
    relu = Node(Relu(), (x,), "relu")
    network = Graph((x,), (Node(Output("x again"), (x,)), Node(Output("relu"), (relu,))), "out")
    assert b"gw::copy" in emit(network, None, Options(PART)).files["firmware/out.cpp"]

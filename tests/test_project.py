"""A compiled project: the proof, a fault that is found and named, samples, options, check, the report."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner, Result

import gatewright as gw
from gatewright.check import obstacles
from gatewright.cli import app
from gatewright.graph import Affine, Array, Fixed, Float, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import Activation, Add, Constant, Dense, Input, Output, Quantize, Relu, Reshape
from gatewright.manifest import schema
from gatewright.options import Choices
from gatewright.report import render
from gatewright.samples import SMALL, read_samples

from .models import tiny

WEIGHTS = "project/firmware/weights/w{}.h"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "out"
    gw.compile(tiny(), board="pynq-z2", vectors=40).write(out)
    return out


def two_ports() -> Graph:
    """Two inputs, one of them channels first, two outputs."""
    a, b = Node(Input("a", (3,), Float(32)), (), "a"), Node(Input("b", (3,), Float(32)), (), "b")
    total = Node(Add(), (a, b), "total")
    return Graph((a, b), (Node(Output("sum"), (total,), "sum"), Node(Output("positive"), (Node(Relu(), (a,), "r"),))))


def printed(what: RenderableType, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(what)
    return console.export_text()


# The proof


def test_the_written_project_is_exact(written: Path) -> None:
    manifest = json.loads((written / "manifest.json").read_text())
    jsonschema.validate(manifest, schema())
    assert manifest["verification"] == {
        "status": "exact", "engine": "C simulation (lean fixed-point types)", "vectors": 40, "mismatches": 0,
        "first_mismatch": None,
    }  # fmt: skip
    module = gw.open(written)
    x = np.random.default_rng(3).uniform(-9, 9, (1000, 4)).astype(np.float32)
    np.testing.assert_array_equal(module(x), gw.evaluate(module.graph, x))
    assert module.verify(x)["status"] == "exact"


def test_nothing_of_the_machine_is_in_the_output(written: Path) -> None:
    words = [str(written).encode(), str(Path.home()).encode(), os.uname().nodename.encode(), b"g++ ", b"/tmp/"]
    for file in written.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert not [w for w in words if len(w) > 5 and w in data], file


def corrupted(written: Path, to: Path) -> Path:
    """Copy an output directory and change one weight of its first layer, in the header and in the table of numbers."""
    shutil.copytree(written, to)
    header = next(f for f in sorted((to / "project/firmware/weights").glob("*.h")) if "{" in f.read_text())
    text = header.read_text()
    start = text.index("{") + 1
    first = text[start:].split(",")[0]
    header.write_text(text[:start] + str(float(first) + 1) + text[start + len(first) :])
    table = header.with_suffix(".txt")
    if table.is_file():
        numbers = table.read_text().split(",")
        table.write_text(",".join([str(float(numbers[0]) + 1), *numbers[1:]]))
    return to


def test_a_corrupted_weight_is_found_and_named(written: Path, tmp_path: Path) -> None:
    bad = corrupted(written, tmp_path / "bad")
    with pytest.raises(gw.FileError, match=r"was changed since it was compiled: project/firmware/weights"):
        gw.open(bad)
    result = gw.open(bad, force=True).verify()
    assert result["status"] == "failed"
    assert result["mismatches"] > 0
    first = result["first_mismatch"]
    assert first["layer"] == "fc0"
    assert len(first["index"]) == 1
    assert first["expected"] != first["got"]
    manifest = {**json.loads((bad / "manifest.json").read_text()), "verification": result}
    jsonschema.validate(manifest, schema())
    said = " ".join(printed(render(manifest), 120).split())
    assert f"First: layer fc0, vector {first['vector']}" in said


def test_simulate_refuses_a_changed_project_unless_forced(written: Path, tmp_path: Path) -> None:
    bad = corrupted(written, tmp_path / "bad")
    result = run("simulate", bad, "--engine", "artefact")
    assert result.exit_code == 1
    assert "was changed since it was compiled" in result.stderr
    assert run("simulate", bad, "--engine", "artefact", "--force").exit_code == 0
    (written / "project/solution1").mkdir()  # what a synthesis adds does not matter
    (written / "project/solution1/log").write_text("done")
    assert run("simulate", written).exit_code == 0


def test_a_missing_file_is_a_change(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "bad")
    (tmp_path / "bad/weights.npz").unlink()
    with pytest.raises(gw.FileError, match=r"changed since it was compiled: weights\.npz"):
        gw.open(tmp_path / "bad")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "project/../../x", "", "project//x"])
def test_a_manifest_that_points_outside_is_refused(tmp_path: Path, path: str) -> None:
    gw.compile(tiny(), board="host").write(tmp_path / "out")
    file = tmp_path / "out/manifest.json"
    manifest = json.loads(file.read_text())
    manifest["files"].append({"path": path, "sha256": "0" * 64})
    file.write_text(json.dumps(manifest))
    with pytest.raises(gw.FileError, match="is not a file in the directory"):
        gw.open(tmp_path / "out", force=True)


# Ports


def test_several_inputs_and_outputs_in_every_form(tmp_path: Path) -> None:
    project = gw.compile(two_ports(), board="host")
    project.write(tmp_path / "out")
    a, b = np.array([[1, -2, 3.5]], np.float32), np.array([[0.5, 1, -1]], np.float32)
    by_name = gw.open(tmp_path / "out")({"a": a, "b": b})
    assert isinstance(by_name, dict)
    np.testing.assert_array_equal(by_name["sum"], a + b)
    np.testing.assert_array_equal(by_name["positive"], np.maximum(a, 0))
    in_order = project.predict([a, b])
    assert isinstance(in_order, tuple)
    np.testing.assert_array_equal(in_order[0], a + b)
    np.savez(tmp_path / "x.npz", a=a, b=b)
    files = ("--inputs", tmp_path / "x.npz", "--outputs", tmp_path / "y.npz")
    result = run("simulate", tmp_path / "out", *files, "--json")
    assert json.loads(result.stdout)["outputs"] == {"sum": [1, 3], "positive": [1, 3]}
    with np.load(tmp_path / "y.npz") as y:
        np.testing.assert_array_equal(y["sum"], a + b)


# Samples


def bad_samples(folder: Path) -> dict[str, str]:
    x = np.ones((5, 4), np.float32)
    np.save(folder / "nan.npy", np.where(np.arange(4) == 2, np.nan, x))
    np.save(folder / "inf.npy", x * np.inf)
    np.save(folder / "pickled.npy", np.array([1, "a", None], dtype=object), allow_pickle=True)
    np.save(folder / "text.npy", np.array(["a", "b"]))
    np.save(folder / "complex.npy", x.astype(complex))
    np.save(folder / "empty.npy", x[:0])
    np.save(folder / "scalar.npy", np.float32(3))
    np.save(folder / "one.npy", x[0])
    (folder / "short.npy").write_bytes((folder / "one.npy").read_bytes()[:-3])
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 4), }".ljust(117) + b"\n"
    (folder / "lies.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"abcd")
    np.savez(folder / "names.npz", a=x, b=x)
    np.savez(folder / "nothing.npz")
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as z, z.open("x.npy", "w") as f:
        for _ in range((SMALL >> 24) + 1):
            f.write(bytes(1 << 24))
    (folder / "folder.npy").mkdir()
    return {
        "nan.npy": "NaN or infinite", "inf.npy": "NaN or infinite", "pickled.npy": "Python objects",
        "text.npy": "give numbers", "complex.npy": "give numbers", "empty.npy": "no samples",
        "scalar.npy": "has shape", "one.npy": "needs a batch axis", "short.npy": "cannot read samples",
        "lies.npy": "cannot read samples", "names.npz": "the inputs are called x", "nothing.npz": "holds nothing",
        "bomb.npz": "far more than the file holds", "folder.npy": "Is a directory", "missing.npy": "no such file",
    }  # fmt: skip


def test_samples_that_do_not_do_are_one_clear_error(tmp_path: Path) -> None:
    tiny().save(tmp_path / "tiny.gw")
    for name, message in bad_samples(tmp_path).items():
        arguments = ("--board", "host", "--out", tmp_path / "out", "--samples", tmp_path / name)
        result = run("compile", tmp_path / "tiny.gw", *arguments)
        assert result.exit_code == 1, name
        assert message in result.stderr, name
        assert "Gatewright itself" not in result.stderr, name
        assert not (tmp_path / "out").exists()


def test_samples_that_do(tmp_path: Path) -> None:
    x = np.arange(12).reshape(3, 4)
    for name, data in {"i.npy": x, "h.npy": x.astype(np.float16), "b.npy": x > 3, "be.npy": x.astype(">f8")}.items():
        np.save(tmp_path / name, data)
        np.testing.assert_array_equal(read_samples(tmp_path / name, tiny()), data)
    np.savez_compressed(tmp_path / "one.npz", whatever=x)
    np.testing.assert_array_equal(read_samples(tmp_path / "one.npz", tiny()), x)


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_a_quantizer_behind_a_view_of_a_sum(io: str) -> None:
    x = Node(Input("x", (3,), Fixed(6, 2)), (), "x")
    w = Node(Constant(Array(np.arange(12).reshape(3, 4) - 6), Fixed(4, 1)), (), "fc")
    view = Node(Reshape((2, 2)), (Node(Dense(), (x, w), "fc"),), "view")
    q = Node(Quantize(Fixed(5, 2), Rounding.RND_MIN_INF, Overflow.WRAP), (view,), "q")
    made = gw.compile(Graph((x,), (Node(Output("y"), (q,)),)), board="pynq-z2", io=io, vectors=64)
    assert made.manifest["verification"]["status"] == "exact"


def test_long_formats_leave_place_for_the_names_of_layers() -> None:
    manifest = gw.compile(int8_model(), board="host").manifest
    entry = {
        "name": "fc", "source": "a_network/with_long_names/a_layer/MatMul", "op": "multiply_shift", "shape": [40],
        "format": "int8(scale=0.00391921, zero=-128)", "macs": 5760, "parameters": 5760, "inserted": "",
        "constants": [{"format": "int8(scale=[0.00138658..0.00142178])"}], "range": {"proved": [-1.678, 2.6]},
    }  # fmt: skip
    said = printed(render({**manifest, "layers": [entry]}), 120)
    assert "a_network" in said
    assert "multiply_shift" in "".join(said.split())
    assert all(len(line) <= 120 for line in said.splitlines())


def int8_model() -> Graph:
    x = Node(Input("x", (3,), Affine(8, True, Fraction(1, 3), 5)))
    return Graph((x,), (Node(Output("y"), (x,)),), "int8")


def test_stored_integers_are_never_taken_for_real_values(tmp_path: Path) -> None:
    int8_model().save(tmp_path / "m.gw")
    assert run("compile", tmp_path / "m.gw", "--board", "host", "--out", tmp_path / "out").exit_code == 0
    q = np.array([[-128, 5, 127], [0, 1, 2]], np.int8)
    np.save(tmp_path / "q.npy", q)
    np.savez(tmp_path / "q.npz", x=q)
    for name in ("q.npy", "q.npz"):
        refused = run("simulate", tmp_path / "out", "--inputs", tmp_path / name)
        assert refused.exit_code == 1
        assert "--integers" in refused.stderr
        arguments = ("--inputs", tmp_path / name, "--outputs", tmp_path / "y.npy", "--integers", "--json")
        assert json.loads(run("simulate", tmp_path / "out", *arguments).stdout)["ranges"] == {"y": [-128, 127]}
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), q)
    np.save(tmp_path / "real.npy", (q - 5.0) / 3)
    assert run("simulate", tmp_path / "out", "--inputs", tmp_path / "real.npy").exit_code == 0
    refused = run("simulate", tmp_path / "out", "--inputs", tmp_path / "real.npy", "--integers")
    assert "leave --integers out" in refused.stderr
    assert json.loads(run("simulate", tmp_path / "out", "--integers", "--json").stdout)["ranges"]["y"][0] == -128


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_lower_refuses_samples_that_are_no_numbers(value: float) -> None:
    with pytest.raises(gw.ShapeError, match="NaN or infinite"):
        gw.lower(tiny(), board="host", samples=np.full((2, 4), value))


# Options and check


def test_check_lists_everything_at_once(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 5), np.float32))
    config = {"layer": [{"name": "fc3", "precision": "fixed<8,4>"}, {"name": "conv*", "strategy": "latency"}]}
    found = obstacles(
        tiny(), board="pynq-z3", config=config, samples=tmp_path / "x.npy", output="logit",
        choices=Choices(strategy="fast", io="steam", clock_ns=-1.0, reuse_factor=0),
    )  # fmt: skip
    said = "\n".join(map(str, found.problems))
    for text in ("pynq-z2", "'fast'", "'stream'", "-1.0 ns", "factor of 0", "'fc3'", "'conv*'", "(3, 5)", "logit"):
        assert text in said
    assert "did you mean 'fc" in said
    assert len(found.problems) == 9


def test_check_finds_what_the_back_end_lacks() -> None:
    assert obstacles(tiny(), board="pynq-z2").problems == []
    (problem,) = obstacles(tiny(), board="pynq-z2", choices=Choices(hls="oneapi")).problems
    assert problem.where == "pynq-z2"


def test_options_are_looked_at_before_the_model_is_read() -> None:
    for wrong in ({"io": "x"}, {"types": "x"}, {"hls": "x"}, {"clock_ns": float("nan")}, {"vectors": 1 << 40}):
        for board in ("host", "pynq-z2"):
            with pytest.raises(gw.OptionError):
                gw.compile("there is no such model.h5", board=board, **wrong)


def test_an_override_without_a_layer_is_an_error_and_one_without_effect_is_said() -> None:
    with pytest.raises(gw.OptionError, match=r"no layer matches 'fc9'"):
        gw.compile(tiny(), board="host", config={"layer": [{"name": "fc9", "precision": "fixed<8,4>"}]})
    rule = {"name": "fc1", "table_bits": 8, "reuse_factor": 2}
    manifest = gw.compile(tiny(), board="host", config={"layer": [rule]}).manifest
    assert [n for n in manifest["notes"] if "no effect" in n] == [
        "configuration: table_bits for 'fc1' has no effect: no table is there",
        "configuration for 'fc1': reuse_factor: no effect on host, which takes no HLS project",
    ]
    assert manifest["options"]["layer"] == [rule]


def test_options_without_effect_are_said() -> None:
    manifest = gw.compile(tiny(), board="host", io="stream", clock_ns=3.0).manifest
    assert manifest["notes"] == ["io, clock_ns: no effect on host, which takes no HLS project"]
    assert "io" not in manifest["options"]


# The command line's edges


@pytest.mark.parametrize("arguments", [("nonsense",), ("compile", "m.h5"), ("compile", "--vectors", "x"), ("report",)])
def test_usage_errors_are_json_too(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--json")
    assert result.exit_code == 2
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["kind"] == "UsageError"
    assert problem["what"]


def test_an_error_of_ours_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("gatewright.check.obstacles", fail)
    result = run("check", "m.h5", "--json")
    assert result.exit_code == 1
    assert "ZeroDivisionError: by nothing" in json.loads(result.stdout)["problems"][0]["what"]
    assert isinstance(run("check", "m.h5", "--debug").exception, ZeroDivisionError)


def test_places_that_do_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = gw.compile(tiny(), board="host")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    monkeypatch.chdir(tmp_path / "empty")
    for out, message in {
        tmp_path / "file/out": "is not a directory", Path(): "that you are in", Path(".."): "that you are in",
        Path("x" * 300): "File name too long", tmp_path / "link": "is not a directory",
    }.items():  # fmt: skip
        with pytest.raises(gw.FileError, match=message):
            project.write(out)
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "link"]
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    tiny().save(tmp_path / "tiny.gw")
    (tmp_path / "tmp").mkdir()
    # a process in the background of a script has inherited a SIGINT that is ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "import gatewright.compiling as p, sys, time; "
    code += "p.lower = lambda *a, **k: (print('asleep', file=sys.stderr, flush=True), time.sleep(60)); "
    code += "import gatewright.cli as c; c.main()"
    command = [sys.executable, "-c", code, "compile", "tiny.gw", "--board", "host", "--out", "out"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("asleep" in line for line in process.stderr)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    process.stderr.close()
    assert sorted(os.listdir(tmp_path)) == ["tiny.gw", "tmp"]
    assert os.listdir(tmp_path / "tmp") == []


# The report


@pytest.mark.parametrize(("width", "narrow"), [(80, True), (120, False)])
def test_the_report_folds_the_steps_of_a_layer(width: int, narrow: bool) -> None:
    x = Node(Input("x", (4,), Float(32)), (), "x")
    w = Node(Constant(Array(np.eye(4, 3, dtype=np.float32))), (), "fc1/kernel")
    y = Node(Activation("tanh"), (Node(Dense(), (x, w), "fc1"),), "squash")
    project = gw.compile(Graph((x,), (Node(Output("y"), (y,)),)), board="host", samples=np.ones((2, 4), np.float32))
    lines = printed(render(project.manifest, narrow=narrow), width).splitlines()
    assert all(len(line) <= width for line in lines)
    table = lines[lines.index(next(line for line in lines if line.startswith("Layers"))) :]
    assert [line.split()[0] for line in table[2 : table.index(next(t for t in table if not t.strip()))]] == [
        "fc1", "squash",
    ]  # fmt: skip


def test_patterns_are_about_the_names_of_the_source() -> None:
    x = Node(Input("x", (4,), Float(32)), (), "x")
    w = Node(Constant(Array(np.eye(4, 3, dtype=np.float32))), (), "block/fc__1/kernel")
    y = Node(Relu(), (Node(Dense(), (x, w), "block/fc__1"),), "block/act")
    rule = {"name": "block/*__1", "strategy": "resource", "reuse_factor": 4}
    project = gw.compile(
        Graph((x,), (Node(Output("y"), (y,)),)), board="pynq-z2", verify=False, config={"layer": [rule]}
    )
    layers = json.loads(project.artefact["hls4ml_config.yml"])["HLSConfig"]["LayerName"]
    assert [entry["ReuseFactor"] for entry in layers.values() if "ReuseFactor" in entry] == [4]
    assert not project.notes


def test_the_boards_are_there_whatever_was_imported_before() -> None:
    code = "import gatewright as gw; gw.compile; gw.Board; from gatewright.boards import load; b = gw.boards(); "
    code += "assert b['pynq-z2'] == load('pynq-z2'); assert 'boards' in dir(gw)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert gw.boards()["pynq-z2"].name == "pynq-z2"


@pytest.mark.parametrize("options", [{"board": None}, {"config": 3}, {"samples": "no.npy"}, {"precision": 16}])
def test_arguments_of_the_wrong_type(options: dict[str, object]) -> None:
    with pytest.raises(gw.GatewrightError):
        gw.compile(tiny(), **{"board": "host", **options})


def test_samples_by_file_name(tmp_path: Path) -> None:
    x = np.full((2, 4), 1.5, np.float32)
    np.save(tmp_path / "x.npy", x)
    assert (
        gw.compile(tiny(), board="host", samples=tmp_path / "x.npy").files
        == gw.compile(tiny(), board="host", samples=x).files
    )


NAMES = ("in", "out", "n", "count", "trace", "weights", "log", "got", "expected", "i", "vectors", "errno", "NULL", "gw")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_inputs_may_be_called_anything(io: str) -> None:
    ports = [Node(Input(name, (2,), Float(32)), (), name) for name in NAMES]
    total = ports[0]
    for port in ports[1:]:
        total = Node(Add(), (total, port), f"and_{port.where}")
    project = gw.compile(Graph(tuple(ports), (Node(Output("int"), (total,)),)), board="pynq-z2", io=io, vectors=8)
    assert project.verification["status"] == "exact"


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for hls in ("vitis", "vivado", "catapult"):
        gw.compile(tiny(), board="pynq-z2", hls=hls, vectors=8)
    assert os.listdir(tmp_path) == []

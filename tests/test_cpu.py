"""Boards with processors, through the front door: a library is written, opened, run, verified, profiled."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gatewright as gw
from gatewright.backends.loops.machine import Dot, Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.loops.verify import _distance
from gatewright.backends.loops.verify import verify as compare
from gatewright.backends.tvm import Simulation, machine_of
from gatewright.backends.tvm.measure import peak
from gatewright.boards import load as load_board
from gatewright.cli import app
from gatewright.compiling import FEWEST_VECTORS, VECTORS, usual_vectors
from gatewright.graph import Array, Fixed, Float, Graph, Node, Rounding
from gatewright.graph.ops import Activation, Constant, Dense, Input, MatMul, Output, Quotient, Relu, Slice
from gatewright.targets import not_here
from gatewright.wording import summary

pytest.importorskip("tvm", reason="pip install 'gatewright[tvm]'")
ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "examples" / "digits_qkeras.h5"


def dense(axes: tuple[int, ...] | None = None) -> Graph:
    rng = np.random.default_rng(0)
    x = Node(Input("x", (3, 5), Float(32), axes=axes))
    w = Node(Constant(Array(rng.standard_normal((5, 7)).astype(np.float32))))
    y = Node(Activation("tanh"), (Node(Relu(), (Node(Dense(), (x, w), "fc"),), "relu"),), "squash")
    return Graph((x,), (Node(Output("y"), (y,)),), name="dense")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cpu") / "digits"
    done = CliRunner().invoke(app, ["compile", str(DIGITS), "--board", "host", "--out", str(out), "--vectors", "64"])
    assert done.exit_code == 0, done.output
    assert "exact: compiled library equals the graph on all 64 vectors" in done.output
    return out


def test_a_model_of_integers_is_exact(digits: Path) -> None:
    module = gw.open(digits)
    assert module.manifest["target"] == "tvm-llvm"
    assert module.manifest["verification"]["status"] == "exact"
    x = np.load(ROOT / "examples" / "digits_test_x.npy")[:20]
    assert np.array_equal(module(x), gw.evaluate(module.graph, x))


def test_arrays_that_are_made_once(digits: Path) -> None:
    module = gw.open(digits)
    network = module.network()
    rng = np.random.default_rng(1)
    for _ in range(3):
        q = rng.integers(0, 16, (1, *network.inputs[0].shape))
        network.inputs[0][...] = q[0]
        assert network.run() == 0
        assert np.array_equal(network.outputs[0], gw.evaluate(module.graph, q, integers=True)[0])


def test_a_division_is_verified_without_zeros() -> None:
    x, y = (Node(Input(name, (4,), Fixed(8, 8))) for name in "xy")
    quotient = Node(Quotient(Rounding.TRN_ZERO), (x, Node(Slice((3,), (None,), (-1,)), (y,))))
    project = gw.compile(Graph((x, y), (Node(Output("q"), (quotient,)),), name="division"), board="host", vectors=64)
    assert project.verification["status"] == "exact"
    with pytest.raises(gw.GatewrightError, match="by zero"):
        project.predict([np.ones((1, 4)), np.zeros((1, 4))])


def test_threads_share_large_layers() -> None:
    rng = np.random.default_rng(4)
    x = Node(Input("x", (64, 96), Float(32)))
    w = Node(Constant(Array(rng.standard_normal((96, 128)).astype(np.float32))))
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (x, w), "fc"),)),), name="large")
    project = gw.compile(graph, board="host", vectors=4)
    values = rng.standard_normal((1, 64, 96)).astype(np.float32)
    for threads in (1, 2):
        network = project.network(threads)
        network.inputs[0][...] = values[0]
        assert network.run() == 0
        assert np.allclose(network.outputs[0], gw.evaluate(graph, values)[0], atol=1e-4)
    with pytest.raises(gw.OptionError, match="threads"):
        project.network(0)


def test_the_same_bytes_twice(digits: Path) -> None:
    again = gw.compile(DIGITS, board="host", vectors=64)
    assert {k: v for k, v in again.files.items() if k.startswith("project/")} == {
        f"project/{p.relative_to(digits / 'project').as_posix()}": p.read_bytes()
        for p in (digits / "project").rglob("*") if p.is_file()
    }  # fmt: skip


def test_floats_stay_floats_unless_integers_are_asked_for() -> None:
    project = gw.compile(dense(), board="host", vectors=8)
    assert project.verification["status"] == "close"
    assert project.verification["difference"] < 1e-5
    assert not project.graph.is_integer
    x = np.random.default_rng(2).standard_normal((4, 3, 5)).astype(np.float32)
    assert np.allclose(project.predict(x), gw.evaluate(dense(), x), atol=1e-6)
    for options in ({"integer_only": True}, {"precision": "fixed<16,6>"}):
        integer = gw.compile(dense(), board="host", vectors=8, **options)  # type: ignore[arg-type]
        assert integer.graph.is_integer
        assert integer.verification["status"] == "exact"


def test_the_source_s_layout() -> None:
    project = gw.compile(dense(axes=(1, 0)), board="host", vectors=8)
    assert project.network().inputs[0].shape == (5, 3)
    x = np.random.default_rng(3).standard_normal((2, 5, 3)).astype(np.float32)
    assert np.allclose(project.predict(x), gw.evaluate(project.graph, x), atol=1e-6)


def test_a_profile_measures_every_layer(digits: Path) -> None:
    done = CliRunner().invoke(app, ["profile", str(digits), "--json"])
    assert done.exit_code == 0, done.output
    (design,) = json.loads(done.stdout)["designs"]
    measured = design["measured"]
    layers = measured["layers"]
    assert sum(layer["macs"] for layer in layers) == design["macs"]
    assert 0 < max(layer["seconds"] for layer in layers) <= measured["seconds"]
    assert all(rate > 1e8 for rate in measured["peaks"].values())
    assert "roofline" in CliRunner().invoke(app, ["profile", str(digits)]).output


def test_simulate_and_report(digits: Path, tmp_path: Path) -> None:
    y = tmp_path / "y.npy"
    x = ROOT / "examples" / "digits_test_x.npy"
    arguments = ["simulate", str(digits), "--inputs", str(x), "--outputs", str(y), "--engine", "artefact"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    module = gw.open(digits)
    assert np.array_equal(np.load(y), gw.evaluate(module.graph, np.load(x)))
    told = CliRunner().invoke(app, ["report", str(digits)])
    assert "Exact: the compiled library equals the graph" in " ".join(told.output.split())


def test_a_library_for_another_processor_is_written_and_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.backends.tvm.qemu.shutil.which", lambda name: None)
    other = "raspberry-pi-5" if load_board("host").compiler.triple.startswith("x86") else "x86-avx2"  # type: ignore[union-attr]
    project = gw.compile(dense(), board=other, vectors=4)
    assert project.verification["status"] == "skipped"
    assert "does not run libraries for" in project.verification["reason"]
    with pytest.raises(gw.GatewrightError, match="does not run libraries for"):
        project.predict(np.zeros((1, 3, 5), np.float32))


def test_tvm_is_not_imported_before_something_is_compiled() -> None:
    code = "import sys, gatewright.cli, gatewright.backends.tvm\nprint(sorted({'tvm', 'tvm_ffi'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_what_this_machine_runs() -> None:
    host = load_board("host")
    assert not_here(host) is None
    assert "does not run" in str(not_here(load_board("armv7-neon")))


def test_a_gpu_is_told_apart() -> None:
    assert gw.compile(dense(), board="cuda-h100", vectors=1).target == "gpu-cuda"


def pointwise(function: str) -> Graph:
    x = Node(Input("x", (4,), Float(32)))
    return Graph((x,), (Node(Output("y"), (Node(Activation(function), (x,)),)),), name=function)


def test_nan_is_equal_to_itself_and_the_manifest_can_be_written() -> None:
    project = gw.compile(pointwise("log"), board="host", vectors=8)
    assert project.verification["status"] == "close"
    json.loads(project.files["manifest.json"])


def test_infinite_values_do_not_hide_what_differs() -> None:
    a = np.array([[np.inf, np.nan, 1.0, 2.0]], np.float32)
    assert not _distance(a, a).any()
    assert (_distance(a, np.array([[np.inf, np.nan, 1.5, np.inf]])) == [[0, 0, 0.25, np.inf]]).all()
    assert _distance(a, np.array([[0, 0, 1, 2]]))[0, :2].tolist() == [np.inf, np.inf]


def board_file(folder: Path, compiler: str) -> Path:
    text = (ROOT / "boards" / "data" / "x86-avx2.toml").read_text(encoding="utf-8")
    before, _, rest = text.partition("[compiler]")
    file = folder / "mine.toml"
    file.write_text(before.replace('"x86-avx2"', '"mine"') + f"[compiler]\nkind = 'llvm'\n{compiler}\n" +
                    rest[rest.index("[[cores]]"):], encoding="utf-8")  # fmt: skip
    return file


X86 = "triple = 'x86_64-linux-gnu'\ncpu = 'x86-64-v3'\n"


@pytest.mark.parametrize(
    ("compiler", "told"),
    [(X86 + "features = ['-avx2']\nvector_bits = 256", "need avx2"), (X86 + "vector_bits = 64", "vector_bits = 64"),
     (X86 + "vector_bits = 512", "need avx512bw")],
)  # fmt: skip
def test_vectors_that_the_processor_has_not_are_told_before_llvm_ends_the_process(
    tmp_path: Path, compiler: str, told: str
) -> None:
    file = board_file(tmp_path, compiler)
    with pytest.raises(gw.OptionError, match=told):
        gw.compile(dense(), board=str(file), vectors=1)
    checked = CliRunner().invoke(app, ["check", str(DIGITS), "--board", str(file)])
    assert checked.exit_code == 1
    assert told in " ".join(checked.output.split())


def test_a_library_with_instructions_that_are_not_here_is_not_loaded(tmp_path: Path) -> None:
    host = load_board("host").compiler
    assert host is not None
    if not host.triple.startswith("x86_64-linux") or "+amx-fp16" in host.features:
        pytest.skip("the instructions are those of x86")
    file = board_file(tmp_path, X86 + "features = ['+amx-fp16']\nvector_bits = 128")
    gw.compile(dense(), board=str(file), vectors=1).write(tmp_path / "out")
    with pytest.raises(gw.GatewrightError, match=r"has not all of x86-64-v3 \+amx-fp16"):
        gw.open(tmp_path / "out")(np.zeros((1, 3, 5), np.float32))


def test_other_systems_are_told_apart() -> None:
    android, linux = Machine("aarch64-linux-android"), Machine("aarch64-linux-gnu")
    assert not android.runs_on(linux)
    assert Machine("aarch64-linux-musl").runs_on(linux)
    assert not Machine("arm64-apple-ios").runs_on(Machine("arm64-apple-macos"))


def test_a_directory_of_a_board_file_is_profiled_without_the_file(tmp_path: Path) -> None:
    host = load_board("host").compiler
    assert host is not None
    if not host.triple.startswith("x86_64-linux"):
        pytest.skip("the board file is that of an x86")
    file = board_file(tmp_path, "triple = 'x86_64-linux-gnu'\ncpu = 'x86-64'\nvector_bits = 128")
    gw.compile(dense(), board=str(file), vectors=1).write(tmp_path / "out")
    file.unlink()
    done = CliRunner().invoke(app, ["profile", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def test_measured_peaks_are_products_that_are_computed() -> None:
    if not_here(load_board("x86-avx2")) is not None:
        pytest.skip("the widths of the products are those of AVX2")
    machine = machine_of(load_board("x86-avx2"))
    floats = peak(machine, Dot.FLOAT)
    assert peak(machine, Dot.PAIRS) < 4 * floats  # twice as many lanes; what is taken out of the loop gives ten times
    assert peak(machine, Dot.WIDE) < 2 * floats


@pytest.mark.parametrize("content", [b"{}", b"[]", b"no"])
def test_a_damaged_description_is_told(content: bytes) -> None:
    project = gw.compile(dense(), board="host", verify=False)
    files = {**project.artefact, "network.json": content}
    with pytest.raises(gw.FileError, match="damaged"):
        _ = Simulation(project.graph, files).network


def test_check_keeps_floats_as_compile_does() -> None:
    told = CliRunner().invoke(app, ["check", str(ROOT / "examples" / "jet_tagger.onnx"), "--board", "host"])
    assert told.exit_code == 0
    assert "softmax" not in told.output


def test_libraries_are_compared_with_their_graphs(digits: Path) -> None:
    assert gw.diff(digits, DIGITS, engine="artefact").first is None


def test_a_home_that_cannot_be_written_to(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/proc/nowhere", "PATH": ""}
    arguments = ["compile", str(DIGITS), "--board", "host", "--out", str(tmp_path / "out"), "--vectors", "4"]
    command = [sys.executable, "-m", "gatewright.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=80)
    assert done.returncode == 0, done.stderr


def test_a_tvm_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    (tmp_path / "tvm").mkdir()
    (tmp_path / "tvm" / "__init__.py").write_text("raise ImportError('a library of it is missing')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "gatewright.cli", "compile", str(DIGITS), "--board", "host"]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "TVM, which makes the machine code, cannot be imported: a library of it is missing" in done.stderr


def test_a_package_does_not_take_the_place_of_gatewright() -> None:
    graph = dense()
    assert library_name(Graph(graph.inputs, graph.outputs, name="Gatewright")) == "net_gatewright"


def test_large_inputs_are_verified_on_fewer_vectors() -> None:
    a, b = (Node(Input(name, shape, Float(32))) for name, shape in (("a", (2, 2048)), ("b", (2048, 2048))))
    graph = Graph((a, b), (Node(Output("y"), (Node(MatMul(), (a, b), "product"),)),), name="wide")
    assert usual_vectors(graph, load_board("host")) == FEWEST_VECTORS
    assert usual_vectors(dense(), load_board("host")) == VECTORS


def test_rounding_that_a_network_amplifies_is_no_fault() -> None:
    """A norm divides by the deviation of numbers that are all alike: those of a convolution over ones."""
    onnx = pytest.importorskip("onnx")
    rng, make = np.random.default_rng(4), onnx.helper.make_node
    stored = {"w": rng.standard_normal((6, 3, 3, 3)), "scale": rng.standard_normal(6), "bias": rng.standard_normal(6)}
    norm = make("InstanceNormalization", ["t", "scale", "bias"], ["y"], epsilon=1e-8)
    nodes = [make("Conv", ["x", "w"], ["t"]), norm]
    ends = [onnx.helper.make_tensor_value_info(n, 1, s) for n, s in (("x", (1, 3, 11, 9)), ("y", (1, 6, 9, 7)))]
    weights = [onnx.numpy_helper.from_array(v.astype(np.float32), n) for n, v in stored.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "norm", ends[:1], ends[1:], weights))
    project = gw.compile(model, board="host", vectors=64)
    assert project.verification["status"] == "close"
    told = {**project.manifest, "verification": {**project.verification, "difference": 2e-5}}
    assert any("more on vectors on which" in line for line in summary(told, Path("out")))

    class Wrong:
        engine = "wrong"

        def __init__(self, vector: int, by: float) -> None:
            self.vector, self.by = vector, by

        def run(self, vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
            (y,) = project.simulation.run(vectors)
            y[self.vector, 0] += self.by
            return [y]

    for vector, by in ((1, 1.0), (40, 1e-3)):
        assert compare(project.graph, Wrong(vector, by), project.vectors)["status"] == "failed"

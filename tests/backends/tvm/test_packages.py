"""The packages of a compiled network: built, installed and used where the tools are here, else read."""

import ast
import importlib
import platform
import plistlib
import shutil
import subprocess
import sys
import venv
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.machine import Machine
from gatewright.backends.tvm.build import Built, build
from gatewright.backends.tvm.objects import archive_members, read
from gatewright.backends.tvm.packages import packages
from gatewright.backends.tvm.packages.runtime import Port
from gatewright.backends.zig import zig
from gatewright.graph import Affine, Fixed, Graph, Grid, Node, Overflow, Rounding, evaluate
from gatewright.graph.evaluate import feed
from gatewright.graph.ops import Input, Output

from .networks import digits, large, small_cnn

ROOT = Path(__file__).parents[3]


def machine(board: str) -> Machine:
    c = gatewright.boards()[board].compiler
    assert c is not None
    return Machine(c.triple, c.cpu, c.features, c.vector_bits, c.abi)


@cache
def project(graph: Graph, board: str = "host") -> tuple[Built, dict[str, bytes]]:
    program = make_program(graph, machine(board))
    built = build(program, "net")
    files = packages("net", built, program, graph)
    files |= {f"include/{k}" if k.endswith(".h") else f"lib/{k}": v for k, v in built.files.items()}
    return built, files


def write(files: dict[str, bytes], root: Path) -> None:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def load(graph: Graph, name: str = "net", edit=lambda files: files) -> ModuleType:  # type: ignore[no-untyped-def]
        write(edit(project(graph)[1]), tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path / "python"))
        for each in [m for m in sys.modules if m.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, each)
        return importlib.import_module(name)

    yield load
    for each in [m for m in sys.modules if m.split(".")[0] == "net"]:
        del sys.modules[each]


def test_the_module_computes_what_evaluate_computes(module) -> None:  # type: ignore[no-untyped-def]
    x = np.load(ROOT / "examples/digits_test_x.npy")[:20]
    net = module(digits())
    np.testing.assert_array_equal(net.run(x), evaluate(digits(), x))


def test_threads_change_nothing(module) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).normal(0, 1, (3, 32, 32, 16))
    net = module(large())
    wanted = evaluate(large(), x)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(net.run(x, threads=threads), wanted)
    named = net.run({"x": x})
    np.testing.assert_array_equal(named["y"], wanted)


def test_a_network_runs_in_its_own_arrays(module) -> None:  # type: ignore[no-untyped-def]
    net = module(small_cnn())
    network = net.Network()
    q = np.random.default_rng(1).integers(-128, 128, (9, 7, 3))
    network.inputs[0][...] = q
    assert network.run() == 0
    wanted = evaluate(small_cnn(), q[None], integers=True)
    np.testing.assert_array_equal(network.outputs[0], wanted[0])


def test_what_the_model_does_not_read_is_told(module) -> None:  # type: ignore[no-untyped-def]
    net = module(small_cnn())
    good = np.zeros((2, 9, 7, 3))
    for bad, message in [
        (np.zeros((9, 7, 3)), r"one sample needs a batch axis: x\[None\]"),
        (np.zeros((2, 3, 9, 7)), "axes are in another order"),
        (np.zeros((2, 9, 7)), r"shape \(2, 9, 7\), the model reads \('batch', 9, 7, 3\)"),
        (np.zeros((0, 9, 7, 3)), "no samples"),
        (good.astype("complex64"), "type complex64"),
        (np.full_like(good, np.nan), "NaN"),
        ([[1], [1, 2]], "not an array"),
        ({"picture": good}, "called image; got picture"),
    ]:
        with pytest.raises(ValueError, match=message):
            net.run(bad)
    with pytest.raises(ValueError, match="0 threads"):
        net.run(good, threads=0)


def test_a_library_for_another_machine_is_told(module) -> None:  # type: ignore[no-untyped-def]
    other = "raspberry-pi-5" if platform.machine() == "x86_64" else "x86-avx2"
    with pytest.raises(ImportError, match=f"libnet.so is compiled for {machine(other).triple}, this machine is"):
        module(small_cnn(), edit=lambda files: project(small_cnn(), other)[1])


def test_a_processor_without_the_instructions_is_told(module) -> None:  # type: ignore[no-untyped-def]
    def edit(files: dict[str, bytes]) -> dict[str, bytes]:
        text = files["python/net/__init__.py"].decode()
        lines = ["    needs=['avx9000']," if line.startswith("    needs=") else line for line in text.split("\n")]
        return files | {"python/net/__init__.py": "\n".join(lines).encode()}

    if not Path("/proc/cpuinfo").exists():
        pytest.skip("no /proc/cpuinfo here")
    with pytest.raises(ImportError, match="needs a processor with avx9000"):
        module(small_cnn(), edit=edit)


CHANNELS = Grid(np.array([Fraction(1, 3), Fraction(1, 5), Fraction(2, 7)], dtype=object))
FORMATS = [
    Fixed(8, 3), Fixed(7, -1, False), Fixed(Grid(np.array([5, 8, 6])), 2), Fixed(6, 9),
    Affine(8, True, Fraction(1, 50), 5), Affine(8, False, Fraction(1), 0),
    Affine(8, False, Fraction(1, 255), 128), Affine(16, True, CHANNELS),
]  # fmt: skip


def samples(rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Real numbers, ties, what is far out of range, and whole numbers."""
    near, far = rng.normal(0, 3, shape), rng.normal(0, 1e20, shape)
    return [near, np.round(near * 50) / 8, near * 3000, far, rng.integers(-300, 300, shape)]


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("rounding", Rounding)
def test_numbers_are_brought_to_formats_as_the_graph_does(rounding: Rounding, overflow: Overflow) -> None:
    from gatewright.backends.tvm.packages.python import port

    rng = np.random.default_rng(5)
    axes = (1, 2, 0)
    for format in FORMATS:
        x = Node(Input("x", (4, 2, 3), format, rounding, overflow, axes=axes))
        graph = Graph((x,), (Node(Output("y", axes=(2, 0, 1)), (x,)),), "formats")
        own = eval(port(graph.inputs[0]), {"Port": Port})
        out = eval(port(graph.outputs[0]), {"Port": Port})
        for values in samples(rng, (6, 3, 4, 2)):
            stored = own.quantize(own.array(values))
            np.testing.assert_array_equal(stored.transpose(0, 2, 3, 1), feed(graph, values)[0], str(format))
            np.testing.assert_array_equal(out.values(stored), evaluate(graph, values))


def test_an_input_of_whole_numbers_refuses_others() -> None:
    strict = Port("x", (2,), "uint8", scale=1.0, high=255, strict=True)
    np.testing.assert_array_equal(strict.quantize(np.array([[1, 255]])), [[1, 255]])
    with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
        strict.quantize(np.array([[1, 256]]))


def test_the_wheel_is_installed_and_used(tmp_path: Path) -> None:
    write(project(digits())[1], tmp_path)
    venv.EnvBuilder(with_pip=False, system_site_packages=False).create(tmp_path / "env")
    own = tmp_path / "env/bin/python"
    site = subprocess.run(
        [own, "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True
    )
    (Path(site.stdout.strip()) / "numpy.pth").write_text(str(Path(np.__file__).parents[1]))  # numpy, without a network
    flags = ["--no-index", "--no-deps", "--disable-pip-version-check", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "--python", str(own), "install", *flags, str(tmp_path / "python")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    x = np.load(ROOT / "examples/digits_test_x.npy")[:8]
    np.save(tmp_path / "x.npy", x)
    code = "import sys, numpy as np, net; np.save('y.npy', net.run(np.load('x.npy'))); print(net.__file__)"
    used = subprocess.run([own, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    assert "site-packages" in used.stdout
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), evaluate(digits(), x))


def test_the_wheel_is_the_same_every_time(tmp_path: Path) -> None:
    write(project(digits())[1], tmp_path)
    wheels = []
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
        code = f"import sys; sys.path.insert(0, 'python'); import backend; print(backend.build_wheel({each!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        wheels.append((tmp_path / each / done.stdout.strip()).read_bytes())
    assert wheels[0] == wheels[1]


MAIN = """
#include "net.h"
#include <stdio.h>
static int8_t in[NET_IN0_ELEMENTS], out[NET_OUT0_ELEMENTS];
static _Alignas(NET_ALIGNMENT) unsigned char arena[NET_ARENA_BYTES];
int main(void)
{
    if (net_run(in, out, arena)) return 1;
    for (int i = 0; i < NET_OUT0_ELEMENTS; i++) printf("%d ", out[i]);
    return 0;
}
"""
LISTS = """
cmake_minimum_required(VERSION 3.15)
project(app LANGUAGES C)
find_package(net REQUIRED PATHS ${CMAKE_SOURCE_DIR}/project/cmake NO_DEFAULT_PATH)
add_executable(static main.c)
target_link_libraries(static PRIVATE net::net)
add_executable(shared main.c)
target_link_libraries(shared PRIVATE net::shared)
"""


def cmake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["cmake", *words], cwd=folder, capture_output=True, text=True, check=False)


needs_cmake = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("cc") and shutil.which("make")),
    reason="cmake, make or cc is not installed: apt install cmake make gcc",
)


@needs_cmake
def test_cmake_finds_and_links_both_libraries(tmp_path: Path) -> None:
    write(project(small_cnn())[1], tmp_path / "project")
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "CMakeLists.txt").write_text(LISTS)
    for words in (["-S", ".", "-B", "build"], ["--build", "build"]):
        done = cmake(tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    wanted = evaluate(small_cnn(), np.zeros((1, 9, 7, 3), np.int64), integers=True)
    for program in ("static", "shared"):
        got = subprocess.run([tmp_path / "build" / program], capture_output=True, text=True, check=True)
        assert [int(v) for v in got.stdout.split()] == np.asarray(wanted)[0].tolist()


@needs_cmake
def test_cmake_installs_the_network_and_refuses_other_processors(tmp_path: Path) -> None:
    write(project(small_cnn())[1], tmp_path / "project")
    assert cmake(tmp_path, "-S", "project/cmake", "-B", "a").returncode == 0
    done = cmake(tmp_path, "--install", "a", "--prefix", "installed")
    assert done.returncode == 0, done.stderr
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "CMakeLists.txt").write_text(LISTS.replace("/project/cmake", "/installed"))
    assert cmake(tmp_path, "-S", ".", "-B", "b").returncode == 0
    other = "raspberry-pi-5" if platform.machine() == "x86_64" else "x86-avx2"
    write(project(small_cnn(), other)[1], tmp_path / "project")
    done = cmake(tmp_path, "-S", "project/cmake", "-B", "c")
    assert done.returncode
    assert f"compiled for {machine(other).triple}" in " ".join(done.stderr.split())


def test_android_gets_the_library_and_sources_for_the_rest(tmp_path: Path) -> None:
    _built, files = project(small_cnn(), "pixel-8")
    library = read(files["android/jniLibs/arm64-v8a/libnet.so"])
    assert (library.format, library.machine, library.shared) == ("elf", "aarch64", True)
    assert all(name.startswith(("net_run", "net_parallel_for")) for name in library.exported)
    assert "class Net" in files["android/kotlin/gatewright/Net.kt"].decode()
    assert "the NDK has to compile it" in files["android/README.md"].decode()
    headers = next(iter(sorted(Path("/usr/lib/jvm").glob("*/include/jni.h"))), None)
    if headers is None:
        pytest.skip("jni.h is not here: apt install default-jdk-headless")
    write(files, tmp_path)
    includes = ["-I", str(headers.parent), "-I", str(headers.parent / "linux")]
    flags = ["-Wall", "-Wextra", "-Werror", "-std=c99"]
    zig(
        ["cc", "-target", "x86_64-linux-gnu", *flags, *includes, "-c", "android/jni/net_jni.c", "-o", "jni.o"], tmp_path
    )
    assert "Java_gatewright_Net_call" in read((tmp_path / "jni.o").read_bytes()).exported


@pytest.mark.parametrize(("board", "system"), [("iphone-15", "ios"), ("apple-m1", "macos")])
def test_apple_gets_a_framework_bundle(board: str, system: str) -> None:
    _built, files = project(small_cnn(), board)
    inside = f"apple/net.xcframework/{system}-arm64"
    for data in archive_members(files[f"{inside}/libnet.a"]).values():
        member = read(data)
        assert (member.format, member.machine, member.system) == ("mach-o", "aarch64", system)
        assert all(name.startswith(("net_run", "net_parallel_for")) for name in member.exported)
    plist = plistlib.loads(files["apple/net.xcframework/Info.plist"])
    (entry,) = plist["AvailableLibraries"]
    assert f"{inside}/{entry['LibraryPath']}" in files
    assert f"{inside}/{entry['HeadersPath']}/net.h" in files
    assert "Xcode has to link and sign it" in files["apple/README.md"].decode()


def test_packages_name_no_path_of_this_machine() -> None:
    secrets = [f"{Path.home()}/", "/tmp/", str(ROOT)]
    for board in ("host", "pixel-8", "iphone-15"):
        for path, data in project(small_cnn(), board)[1].items():
            assert not [s for s in secrets if s.encode() in data], path
            if path.endswith(".py"):
                ast.parse(data)

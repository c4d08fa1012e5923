"""A network of float32 kept in 16 bits on request, and one that is of 16 bits itself, from a file to its answers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright as gw
from gatewright.backends.loops.halves import bits_of, from_port, port_type
from gatewright.graph import Array, Float, Graph, Node
from gatewright.graph.formats import BFLOAT, FLOAT, HALF
from gatewright.graph.ops import Add, Cast, Constant, Conv, Dense, Input, Output, Reduce, Reduction, Relu, Softmax
from gatewright.lowering import lower

NAMES = {"fp16": HALF, "bf16": BFLOAT}
each = pytest.mark.parametrize("name", [pytest.param("fp16", marks=pytest.mark.slow), "bf16"])


def real(rng: np.random.Generator, *shape: int) -> Node:
    return Node(Constant(Array(rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32))))


def network(format: Float = FLOAT) -> Graph:
    """A residual block, a mean, a product and a softmax."""
    rng = np.random.default_rng(6)
    x = Node(Input("image", (8, 8, 3), format))
    a = Node(Relu(), (Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (x, real(rng, 3, 3, 3, 8))),))
    b = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (a, real(rng, 3, 3, 8, 8)))
    mean = Node(Reduce(Reduction.MEAN, (0, 1)), (Node(Relu(), (Node(Add(), (a, b)),)),))
    y = Node(Softmax(0), (Node(Dense(), (mean, real(rng, 8, 5))),))
    y = y if format == FLOAT else Node(Cast(format), (y,))
    return Graph((x,), (Node(Output("classes"), (y,)),), "halves")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_kept_in_16_bits(name: str) -> None:
    format, graph = NAMES[name], network()
    project = gw.compile(graph, board="host", float_format=name, vectors=16)
    assert project.verification["status"] == "close"
    assert project.verification["tolerance"] == 1e-2
    assert project.manifest["options"]["float"] == name
    nodes = project.graph.nodes
    weights = [n.inputs[1] for n in nodes if isinstance(n.op, Conv | Dense)]
    assert {w.type.format for w in weights} == {format}
    assert project.graph.inputs[0].type.format == project.graph.outputs[0].type.format == FLOAT
    rounded = [n.inputs[0].op for n in nodes if isinstance(n.op, Cast)]
    assert rounded
    assert not any(isinstance(op, Reduce | Softmax) for op in rounded), "statistics stay in float32"
    x = np.random.default_rng(1).normal(0, 1, (16, 8, 8, 3)).astype(np.float32)
    wide = np.asarray(gw.evaluate(graph, x))
    assert np.abs(project.predict(x) - wide).max() <= 1e-2 * wide.max()


def test_its_constants_take_half_the_memory() -> None:
    rng = np.random.default_rng(3)
    x = Node(Input("x", (64,)))
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (x, real(rng, 64, 512))),)),), "large")
    sizes = {}
    for name in (None, "fp16", "bf16"):
        project = gw.compile(graph, board="host", float_format=name, verify=False)
        sizes[name] = len(project.artefact["src/constants.bin"])
    assert sizes["fp16"] == sizes["bf16"]
    assert sizes["fp16"] < 0.55 * sizes[None]


@each
def test_ports_of_16_bits(name: str) -> None:
    """Arrays of the network's own numbers, real ones for a whole batch, and the header."""
    format = NAMES[name]
    project = gw.compile(network(format), board="host", vectors=16)
    assert project.verification["status"] == "close"
    assert [p["format"] for p in (*project.manifest["inputs"], *project.manifest["outputs"])] == [str(format)] * 2
    x = np.random.default_rng(2).normal(0, 1, (2, 8, 8, 3)).astype(np.float32)
    y = np.asarray(project.predict(x))
    assert y.dtype == (np.float16 if format == HALF else np.float32)
    wanted = np.asarray(gw.evaluate(project.graph, x))
    np.testing.assert_allclose(y.astype(np.float32), wanted.astype(np.float32), rtol=1e-2)
    loaded = project.network()
    assert loaded.inputs[0].dtype == port_type(str(format))
    loaded.inputs[0][...] = bits_of(x[0], str(format)).view(loaded.inputs[0].dtype)
    assert loaded.run() == 0
    np.testing.assert_array_equal(from_port(loaded.outputs[0], str(format)), y[0].astype(np.float32))
    header = project.artefact["include/halves.h"].decode()
    assert f"uint16_t, the bits of {format}" in header


@each
def test_the_wheels_module(name: str, tmp_path: Path) -> None:
    """numpy alone: float16 as it is, bfloat16 as float32 in and out."""
    format = NAMES[name]
    project = gw.compile(network(format), board="host", vectors=4)
    prefix = "python/halves/"
    (tmp_path / "halves").mkdir()
    for path, data in project.artefact.items():
        if path.startswith(prefix):
            (tmp_path / "halves" / path.removeprefix(prefix)).write_bytes(data)
    x = np.random.default_rng(2).normal(0, 1, (2, 8, 8, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    code = "import halves, numpy as np; y = halves.run(np.load('x.npy')); np.save('y.npy', y)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == (np.float16 if format == HALF else np.float32)
    np.testing.assert_array_equal(y, project.predict(x))


def test_what_has_no_floats_says_so() -> None:
    for board in ("pynq-z2", "nucleo-l4r5zi"):
        with pytest.raises(gw.OptionError, match="everything is integers"):
            gw.compile(network(), board=board, float_format="fp16")
    with pytest.raises(gw.OptionError, match="integers"):
        gw.compile(network(), board="host", float_format="bf16", precision="fixed<16,6>")
    with pytest.raises(gw.OptionError, match="fp8"):
        gw.compile(network(), board="host", float_format="fp8")


def test_weights_beyond_float16_are_refused() -> None:
    x = Node(Input("x", (2,)))
    w = Node(Constant(Array(np.array([[1e5], [1.0]], np.float32))), (), "dense/kernel")
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (x, w)),)),))
    with pytest.raises(gw.GatewrightError, match="float16 does not hold"):
        lower(graph, floats=True, float_format="fp16")
    assert lower(graph, floats=True, float_format="bf16").outputs


def test_numbers_beyond_float16_are_told() -> None:
    x = Node(Input("x", (3, 2), axes=(1, 0)))
    w = Node(Constant(Array(np.full((2, 2), 3e4, np.float32))))
    large = Node(Relu(), (Node(Dense(), (x, w), "large"),), "large")
    graph = Graph((x,), (Node(Output("y"), (Node(Dense(), (large, w), "small"),)),))
    samples = np.full((1, 2, 3), 2.0, np.float32)
    notes = {
        n: gw.compile(graph, board="host", float_format=n, samples=samples, vectors=8, verify=False).notes
        for n in NAMES
    }
    assert not notes["bf16"]
    assert notes["fp16"] == (
        "large: numbers up to 1.2e+05 become infinite in float16; bf16 has the range of float32",
    )

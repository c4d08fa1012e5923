"""Planted faults are named, first, with their channel; what is right is not blamed; a script shows what differs."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.comparison import diff, fed_inputs, write_reproducer
from gatewright.graph import Graph, Node
from gatewright.graph.evaluate import give
from gatewright.graph.ops import Add, Concat, Constant, Input, Output, Scan
from gatewright.simulation.diff import Difference, compare

from ..drawn import Drawer, network
from ..recurrent import lstm_and_dense
from .planted import FAULTS, Planted, affine_network, changed, plant, put, scaled, swapped

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = ("jet_tagger.h5", "jet_tagger.onnx", "digits_cnn.keras", "digits_qkeras.h5")


def samples(name: str) -> np.ndarray:
    return np.load(EXAMPLES / ("jet_test_x.npy" if name.startswith("jet") else "digits_test_x.npy"))[:32]


def branched(seed: int = 0) -> Graph:
    """Two branches, joined, and a third that is added."""
    draw = Drawer(seed)
    x = Node(Input("x", (6, 6, 3)), (), "x")
    left, right = (draw.conv(x) for _ in range(2))
    while left.shape != right.shape:
        right = draw.conv(x)
    joined = draw.node(Concat(2), left, right)
    more = draw.node(Add(), joined, draw.node(Concat(2), right, left))
    return Graph((x,), (Node(Output("y"), (draw.dense(draw.activation(more)),)),), "branched")


def floats() -> list[tuple[str, Graph, np.ndarray]]:
    rng = np.random.default_rng(0)
    found = [(name, gw.load(EXAMPLES / name), samples(name)) for name in FILES]
    found += [(f"branched{s}", branched(s), np.round(rng.normal(size=(32, 6, 6, 3)), 2)) for s in range(2)]
    return found


NETWORKS = floats()


def lowered(graph: Graph, x: np.ndarray, precision: str) -> Graph:
    return gw.lower(graph, board="host", precision=precision, samples=x)


def named(found: Difference, fault: Planted) -> bool:
    """Whether the fault's layer is the first that differs, and its channel is named."""
    first = found.first
    if first is None or first.name != (fault.node.where or "?"):
        return False
    return fault.channel is None or first.channel == fault.channel


def told(what: str, fault: Planted, found: Difference) -> str:
    return f"{what}: {fault.kind} in {fault.node.where}[{fault.channel}], found {found}"


def missed(cases: list[tuple[str, Graph, Graph, np.ndarray]], count: int, faults: tuple = FAULTS) -> list[str]:  # type: ignore[type-arg]
    """Plant ``count`` faults into the second graphs, in turn; give those that were not named first."""
    wrong = []
    for seed in range(count):
        name, reference, graph, x = cases[seed % len(cases)]
        fault = plant(graph, np.random.default_rng([seed, 7]), [x], faults)
        found = diff(reference, fault.graph, x)
        if not named(found, fault):
            wrong.append(told(f"{seed} {name}", fault, found))
    return wrong


def test_faults_between_float_graphs() -> None:
    assert not missed([(n, g, g, x) for n, g, x in NETWORKS], 30)


def test_faults_between_integer_graphs() -> None:
    cases = []
    for name, graph, x in NETWORKS:
        integer = lowered(graph, x, "fixed<16,6>")
        cases.append((name, integer, integer, x))
    for seed in range(3):
        graph = affine_network(seed)
        cases.append((f"affine{seed}", graph, graph, np.random.default_rng(seed).normal(size=(16, 8, 8, 3))))
    assert not missed(cases, 45)


@pytest.mark.parametrize("precision", ["fixed<16,6>", "fixed<10,4>"])
def test_faults_between_a_float_graph_and_integers(precision: str) -> None:
    assert not missed([(n, g, lowered(g, x, precision), x) for n, g, x in NETWORKS], 36)


@pytest.mark.parametrize("seed", range(40))
def test_lowering_is_not_blamed(seed: int) -> None:
    """Drawn networks and their integer graphs: every error is that of the formats."""
    graph = network(seed)
    x = np.round(np.random.default_rng(seed).normal(size=(32, *graph.inputs[0].shape)), 3).astype(np.float32)
    try:
        integer = gw.lower(graph, board="host", precision="fixed<18,8>", samples=x)
    except gw.GatewrightError:
        pytest.skip("has no integer form")
    found = diff(graph, integer, x)
    assert not found, str(found)
    assert found.tensors[-1].op


@pytest.mark.parametrize(("name", "precision"), [(n, p) for n in FILES for p in ("fixed<16,6>", "fixed<8,3>")])
def test_the_examples_lowered_do_not_differ(name: str, precision: str) -> None:
    graph, x = gw.load(EXAMPLES / name), samples(name)
    integer = lowered(graph, x, precision)
    for a, b in ((graph, integer), (integer, graph)):
        found = diff(a, b, x)
        assert not found, str(found)
        assert len(found.tensors) > 5


def test_one_network_in_two_formats_does_not_differ() -> None:
    found = gw.diff(EXAMPLES / "jet_tagger.h5", EXAMPLES / "jet_tagger.onnx")
    assert not found
    assert {"fc1", "fc2", "fc3", "probabilities"} <= {t.name for t in found.tensors}
    assert gw.diff(EXAMPLES / "jet_tagger.onnx", EXAMPLES / "jet_tagger.h5", seed=3).first is None


def test_a_graph_and_itself() -> None:
    graph = gw.load(EXAMPLES / "jet_tagger.h5")
    assert not diff(graph, graph)


def test_what_is_different_is_said() -> None:
    graph = gw.load(EXAMPLES / "jet_tagger.h5")
    fault = scaled(graph, np.random.default_rng(0))
    assert fault is not None
    first = diff(graph, fault.graph, samples("jet")).first
    assert first is not None
    assert any("weights" in text and "factor of 1.5" in text for text in first.why)
    crossed = swapped(branched(), np.random.default_rng(0))
    assert crossed is not None
    first = diff(branched(), crossed.graph).first
    assert first is not None
    assert "the operands stand in another order" in first.why


def test_models_that_are_not_one_network_are_refused() -> None:
    with pytest.raises(gw.ShapeError, match="has shape"):
        gw.diff(EXAMPLES / "jet_tagger.h5", EXAMPLES / "digits_cnn.keras")
    with pytest.raises(gw.OptionError, match="engine"):
        gw.diff(EXAMPLES / "jet_tagger.h5", EXAMPLES / "jet_tagger.h5", engine="hardware")


def test_random_inputs_suit_both() -> None:
    graph = gw.load(EXAMPLES / "digits_qkeras.h5")
    integer = gw.lower(graph, board="host", precision="fixed<16,6>")
    (x,) = fed_inputs(graph, integer, None, 20, 0)
    assert x.shape == (20, 8, 8, 1)
    assert 0 <= x.min() < 0.2
    assert 1.5 < x.max() < 2
    shown = Graph(integer.inputs, (Node(Output("x"), (integer.inputs[0],)),))
    np.testing.assert_allclose(give(shown, fed_inputs(integer, graph, None, 3, 0)), x[:3], atol=2)


@pytest.mark.parametrize("name", ["residual", "perceptron", "mobile"])
def test_grids_that_lowering_adds_to_a_quantized_model_are_not_blamed(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "tests/data/torch/quantized.zip") as z:
        graph = gw.load(z.extract(f"{name}.pt2", tmp_path))
    found = diff(graph, gw.lower(graph, board="host"), samples=16)
    assert not found, str(found)


@pytest.mark.parametrize(
    ("archive", "member"),
    [
        ("hgq/hgq2/attention", "attention_0.keras"),
        ("qonnx/binary", "qonnx.onnx"),
        ("keras/keras3", "dot_8.h5"),
        ("torch/operators", "layer_norm.pt2"),
        ("tflite/operators", "chain-36.tflite"),
    ],
)
def test_what_lowering_moves_is_not_blamed(archive: str, member: str, tmp_path: Path) -> None:
    """An input that takes over the quantizer of all its readers; the same numbers in other units; a function in several
    tables.
    """
    with zipfile.ZipFile(ROOT / f"tests/data/{archive}.zip") as z:
        graph = gw.load(z.extract(member, tmp_path))
    for seed in range(2):
        found = diff(graph, gw.lower(graph, board="host"), samples=8, seed=seed)
        assert not found, str(found)


def executed(script: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); sys.argv = [{str(script)!r}]; import runpy; "
    code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def in_a_body(graph: Graph, layer: str) -> Graph:
    """A graph with weights that are 1.5 times as large in the body of one scan."""

    def larger(node: Node) -> Node:
        if not isinstance(node.op, Scan) or node.where != layer:
            return node
        body = node.op.body
        weights = next(n for n in body.nodes if isinstance(n.op, Constant) and len(n.shape) == 2)
        other, _ = put(body, weights, lambda inputs: changed(weights, lambda w: 1.5 * w))
        return replace(node, op=replace(node.op, body=other))

    return graph.map(larger)


@pytest.mark.parametrize("precision", ["fixed<16,6>", "fixed<12,4>"])
@pytest.mark.parametrize("seed", range(2))
def test_recurrent_layers(seed: int, precision: str, tmp_path: Path) -> None:
    """Rounding at each step of a scan is no fault; a fault in its body is, and the script shows it."""
    graph = lstm_and_dense(6, 3, 4, seed=seed)
    x = np.round(np.random.default_rng(seed).normal(size=(32, 6, 3)), 2)
    assert not diff(graph, lowered(graph, x, precision), x)
    for layer in ("lstm", "lstm_1"):
        faulty = in_a_body(graph, layer)
        integer = lowered(faulty, x, precision)
        for good, bad in ((graph, faulty), (graph, integer), (lowered(graph, x, precision), integer)):
            found = diff(good, bad, x)
            assert found.first is not None
            assert found.first.name == layer
            assert all(len(text) < 300 for text in found.first.why)
        write_reproducer(found, tmp_path / "case.py")
        assert executed(tmp_path / "case.py").stdout.startswith(f"{layer}: ")


@pytest.mark.parametrize("pair", ["float", "integer", "both"])
def test_the_script_shows_the_difference(pair: str, tmp_path: Path) -> None:
    graph, x = gw.load(EXAMPLES / "digits_cnn.keras"), samples("digits")
    integer = lowered(graph, x, "fixed<16,6>")
    good, bad = {"float": (graph, graph), "integer": (integer, integer), "both": (graph, integer)}[pair]
    for seed in range(3):
        fault = plant(bad, np.random.default_rng(seed), [x])
        found = diff(good, fault.graph, x)
        script = tmp_path / f"case{seed}.py"
        assert write_reproducer(found, script) == [script, script.with_suffix(".npz")]
        done = executed(script)
        lines = done.stdout.splitlines()
        first = found.first
        assert first is not None
        assert lines[0].startswith(f"{first.name}: ")
        shown = [float(line.split(": ")[1]) for line in lines[1:]]
        np.testing.assert_allclose(sorted(shown), sorted(first.values), rtol=1e-6)


def test_two_graphs_compare_without_a_front_door() -> None:
    graph = branched()
    found = compare(graph, graph, [np.zeros((2, 6, 6, 3), np.float32)])
    assert not found
    assert json.loads(json.dumps(found.as_dict()))["status"] == "equal"

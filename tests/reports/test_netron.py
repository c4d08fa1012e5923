"""The graph as ONNX: the checker takes it, the figures are on the nodes, standard operations compute what ours do."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import gatewright as gw
from gatewright.graph import Array, Fixed, Graph, Node, evaluate
from gatewright.graph.ops import Add, Concat, Constant, Input, Maximum, Output, Relu, Reshape, Sub, Transpose
from gatewright.reports.netron import DOMAIN, build, to_onnx

from ..graph.drawn import Draw

EXAMPLES = Path(__file__).parents[2] / "examples"


def compiled(name: str, **options: Any) -> tuple[Graph, dict[str, Any]]:
    project = gw.compile(EXAMPLES / name, board="pynq-z2", verify=False, **options)
    return project.graph, project.manifest


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_the_checker_takes_an_example(io: str) -> None:
    graph, manifest = compiled("digits_cnn.keras", io=io)
    model = build(graph, manifest)
    onnx.checker.check_model(model, full_check=True)
    named = {n.name: {p.key: p.value for p in n.metadata_props} for n in model.graph.node}
    assert named["conv1"]["macs"] == "4608"
    assert named["conv1"]["format"].startswith("fixed<")
    assert "estimated" in named["conv1"]["LUT (after logic synthesis)"]
    assert {p.key: p.value for p in model.metadata_props}["board"] == "pynq-z2"
    assert to_onnx(graph, manifest) == to_onnx(graph, manifest)


@pytest.mark.parametrize("seed", range(40))
def test_the_checker_takes_whatever_is_drawn(seed: int) -> None:
    graph = Draw(seed).graph(8)
    model = build(graph, {"layers": [], "cost": {}})
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.output) == len(graph.outputs)


def test_operations_of_onnx_compute_what_ours_do() -> None:
    form = Fixed(8, 4)
    x = Node(Input("x", (2, 3, 4), form, axes=(1, 2, 0)), (), "x")
    c = Node(Constant(Array(np.arange(4) * 3 - 5), form), (), "c")
    a = Node(Add(), (x, c), "a")
    b = Node(Relu(), (Node(Sub(), (a, x), "s"),), "b")
    joined = Node(Concat(1), (a, b), "joined")
    flat = Node(
        Reshape((48,)), (Node(Maximum(), (joined, Node(Transpose((1, 0, 2)), (turned(joined),))), "m"),), "flat"
    )
    graph = Graph((x,), (Node(Output("y"), (flat,)), Node(Output("z", (2, 0, 1)), (joined,))))
    model = build(graph, {})
    onnx.checker.check_model(model, full_check=True)
    assert {n.domain for n in model.graph.node} == {""}
    values = np.random.default_rng(0).integers(-8, 8, (5, 4, 2, 3)).astype(np.float32)
    ours = evaluate(graph, values)
    for got, expected in zip(ReferenceEvaluator(model).run(None, {"x_source": values}), ours, strict=True):
        np.testing.assert_array_equal(got, expected)


def turned(node: Node) -> Node:
    return Node(Transpose((1, 0, 2)), (node,), "turned")


def test_what_onnx_does_not_have_is_named_as_ours() -> None:
    graph, manifest = compiled("digits_cnn.keras")
    kinds = {(n.domain, n.op_type) for n in build(graph, manifest).graph.node}
    assert {(DOMAIN, "Conv"), (DOMAIN, "Quantize"), ("", "Relu")} <= kinds


def test_the_command_writes_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gatewright.cli import app

    gw.compile(EXAMPLES / "jet_tagger.h5", board="pynq-z2", verify=False).write(tmp_path / "out")
    file = tmp_path / "jets.onnx"
    done = CliRunner().invoke(app, ["report", str(tmp_path / "out"), "--onnx", str(file)])
    assert done.exit_code == 0, done.output
    onnx.checker.check_model(str(file), full_check=True)

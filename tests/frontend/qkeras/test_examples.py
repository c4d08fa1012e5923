"""Trained models: the integers before the softmax are those of qkeras."""

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import Graph, Node, evaluate
from gatewright.graph.ops import Output, Softmax

TESTS = Path(__file__).parents[2]
MODELS = TESTS.parents[1] / "shared" / "models" / "hls4ml_examples"
FILES = {
    "qkeras_3layer.json": "qkeras_3layer",
    "qkeras_mnist_cnn.json": "qkeras_mnist_cnn",
    "qkeras-v3_3layer.keras": "qkeras_3layer",
}


def script():
    spec = spec_from_file_location("qkeras_examples", TESTS / "record" / "qkeras_examples.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def logits(graph: Graph) -> Graph:
    """The graph without the softmax at its output."""
    softmax = graph.outputs[0].inputs[0]
    assert isinstance(softmax.op, Softmax)
    return replace(graph, outputs=(Node(Output("logits"), softmax.inputs),))


@pytest.mark.skipif(not MODELS.is_dir(), reason="the models folder is not beside the repository")
@pytest.mark.parametrize("file", FILES)
def test_same_values_before_the_softmax(file):
    name = FILES[file]
    weights = MODELS / f"{name}_weights.h5" if file.endswith(".json") else None
    graph = load(MODELS / file, weights=weights)
    x = script().samples(graph.inputs[0].shape, script().COUNTS[name])
    with np.load(TESTS / "data" / "qkeras" / "examples.npz") as recorded:
        expected = recorded[name]
    got = evaluate(logits(graph), x)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(evaluate(graph, x).argmax(axis=1), expected.argmax(axis=1))
    assert logits(graph).outputs[0].type.is_integer
    assert graph.notes == ()

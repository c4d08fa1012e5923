"""Quantizers against the recorded answers of qkeras, value by value, on floats and on integers."""

import json
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend.qkeras import from_config
from gatewright.frontend.qkeras.numbers import real_values
from gatewright.graph import Affine, Fixed, Float, Graph, Node, evaluate
from gatewright.graph.ops import Input, Output, Quantize

DATA = Path(__file__).parents[2] / "data" / "qkeras"
WIDE = Fixed(24, 12)
"""Holds every recorded input."""


def load(name):
    with np.load(DATA / name) as file:
        return {key: file[key] for key in file.files}


TENSORS, WEIGHTS = load("tensors.npz"), load("weights.npz")
TENSOR_CASES, WEIGHT_CASES = json.loads(str(TENSORS["cases"])), json.loads(str(WEIGHTS["cases"]))
SHAPES = [key.removeprefix("x/") for key in WEIGHTS if key.startswith("x/")]


def title(case):
    name, parameters = case
    return f"{name}({', '.join(f'{k}={v}' for k, v in parameters.items() if k != 'use_ste')})"


def graph_of(quantizer, format=None):
    """A quantizer on a tensor of numbers, float or of a format."""
    source = Node(Input("x", (), format) if format else Input("x", ()))
    return Graph((source,), (Node(Output("y"), (quantizer.nodes(source, "q"),)),))


def through(x, y):
    """What float32 makes of the straight-through estimator x + (y - x)."""
    return (x + (y - x).astype(np.float32)).astype(np.float32)


def expected(case, y):
    """Our values as qkeras would print them: binary and ternary with an alpha off the grid go through x + (y - x)."""
    name, parameters = case
    rounds = name in ("binary", "ternary") and parameters.get("alpha") not in (None, 1, 0.5, 2.0)
    return through(TENSORS["x"], y) if rounds else y


def tolerance(case):
    """Logarithms differ by a bit between libraries; everything else is exact."""
    return 3e-7 if case[0] == "quantized_ulaw" else 0.0


@pytest.mark.parametrize("i", range(len(TENSOR_CASES)), ids=map(title, TENSOR_CASES))
def test_on_floats(i):
    case = TENSOR_CASES[i]
    y = evaluate(graph_of(from_config(*case)), TENSORS["x"]).astype(np.float32)
    np.testing.assert_allclose(expected(case, y), TENSORS["y"][i], rtol=tolerance(case), atol=0)


@pytest.mark.parametrize("i", range(len(TENSOR_CASES)), ids=map(title, TENSOR_CASES))
def test_on_integers(i):
    case = TENSOR_CASES[i]
    graph = graph_of(from_config(*case), WIDE)
    y = evaluate(graph, TENSORS["x"]).astype(np.float32)
    np.testing.assert_allclose(expected(case, y), TENSORS["y"][i], rtol=tolerance(case), atol=0)
    assert graph.outputs[0].type.is_integer


SUMS = ("binary", "ternary")
"""With alpha="auto", their scale is a quotient of two sums, whose last bit depends on the order of adding."""


@pytest.mark.parametrize(
    ("i", "shape"), [(i, s) for i in range(len(WEIGHT_CASES)) for s in SHAPES if f"{i}/{s}" in WEIGHTS]
)
def test_on_weights(i, shape):
    (name, parameters), x = WEIGHT_CASES[i], WEIGHTS[f"x/{shape}"]
    constant = from_config(name, parameters).weights(x, "w")
    auto, values = parameters.get("alpha") == "auto", real_values(constant)
    wide = parameters.get("bits") == 8 and name == "quantized_po2" and (x == 0).any()
    affine = auto or parameters.get("alpha") == 0.3
    assert isinstance(constant.format, Float if wide else Affine if affine else Fixed)
    assert constant.value.data.shape == x.shape
    np.testing.assert_allclose(values, WEIGHTS[f"{i}/{shape}"], rtol=4e-7 if auto and name in SUMS else 0, atol=0)


def test_weights_are_stored_in_as_many_bits_as_the_quantizer_has():
    for name, parameters in WEIGHT_CASES:
        if name == "quantized_bits" and parameters["bits"] > 1:
            assert from_config(name, parameters).weights(WEIGHTS["x/dense"], "w").format.width == parameters["bits"]


def test_a_scale_for_each_channel_is_a_format_for_each_channel():
    values = WEIGHTS["x/conv2d"] * np.float32([0.25, 1, 1, 8])
    constant = from_config("quantized_bits", {"bits": 4, "alpha": "auto_po2"}).weights(values, "w")
    assert constant.format.width == 4
    np.testing.assert_array_equal(constant.format.integer.data - constant.format.integer.data[1], [-2, 0, 0, 3])


@pytest.mark.parametrize(("parameters", "format"), [
    ({"bits": 6, "integer": 2, "alpha": 1}, "fixed<6,3>"),
    ({"bits": 6, "integer": -2, "alpha": 1}, "fixed<6,-1>"),
    ({"bits": 6, "integer": 2, "keep_negative": False}, "ufixed<6,2>"),
])  # fmt: skip
def test_plain_bits_are_one_quantize(parameters, format):
    node = from_config("quantized_bits", parameters).nodes(Node(Input("x", (3,))), "q")
    assert isinstance(node.op, Quantize)
    assert str(node.op.format) == format


def test_powers_of_two_that_span_too_much_stay_floats():
    constant = from_config("quantized_po2", {"bits": 8}).weights(np.float32([0.0, 0.5]), "w")
    assert isinstance(constant.format, Float)
    np.testing.assert_array_equal(constant.value.data, np.float32([2.0**-64, 0.5]))

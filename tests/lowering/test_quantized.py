"""Lowering of graphs whose scales are no powers of two: nothing is inserted where the model says enough."""

from typing import Any

import numpy as np
import pytest

from gatewright import lower
from gatewright.frontend.onnx import from_object
from gatewright.graph import Affine, Graph
from gatewright.graph.ops import Lookup, Mul, Quantize

from ..frontend.onnx.quantized import Builder, outputs, reference


def inserted(graph: Graph) -> list[str]:
    return [n.op.inserted for n in graph.nodes if isinstance(n.op, Quantize) and n.op.inserted]


def network(kind: str) -> Any:
    """A product by weights per channel, plus a bias of some kind, between two quantizers."""
    rng = np.random.default_rng(0)
    b = Builder(20)
    x = b.qdq(b.input((6,)), 0.031, 3, "int8")
    w = b.weights(rng.integers(-128, 127, (6, 4)), rng.uniform(0.002, 0.01, 4), axis=1)
    match kind:
        case "int32":
            bias = b.weights(rng.integers(-900, 900, 4), 0.000123, "int32")
        case "int8":
            bias = b.weights(rng.integers(-128, 127, 4), 0.0017)
        case _:
            bias = b.const(rng.normal(size=4) * 0.3)
    return b.model(b.qdq(b.op("Add", b.op("MatMul", x, w), bias), 0.02, 0, "int8"))


@pytest.mark.parametrize("kind", ["int32", "int8", "float"])
def test_biases_of_any_scale_meet_the_product_on_its_grid(kind: str) -> None:
    model = network(kind)
    graph = lower(from_object(model))
    x = np.random.default_rng(1).normal(size=(400, 6)).astype(np.float32)
    assert not inserted(graph)
    assert not any(isinstance(n.op, Mul) for n in graph.nodes)
    assert (np.abs(outputs(graph, x)[0] - reference(model, x)[0]) > 0.01).mean() <= 0.001


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Gelu", "Exp"])
def test_functions_of_eight_bits_are_tables_of_their_integers(function: str) -> None:
    b = Builder(20)
    x = b.qdq(b.input((40,)), 0.031, 11, "int8")
    model = b.model(b.qdq(b.op(function, x), 0.0123, 5, "uint8"))
    graph = lower(from_object(model))
    table = next(n for n in graph.nodes if isinstance(n.op, Lookup))
    assert table.inputs[1].shape == (256,)
    assert isinstance(table.inputs[0].type.format, Affine)
    assert not inserted(graph)
    x_data = np.random.default_rng(1).normal(size=(60, 40)).astype(np.float32) * 2
    off = np.abs(outputs(graph, x_data)[0] - reference(model, x_data)[0]) > 0.001
    assert off.mean() <= 0.002


def test_functions_between_scales_per_channel() -> None:
    """A function reads one scale: a quantizer is inserted; its result may have a scale for each channel."""
    b = Builder(20)
    x = b.qdq(b.input((3, 8)), [0.031, 0.02, 0.05], [3, 0, -9], "int8", axis=1)
    model = b.model(b.qdq(b.op("Sigmoid", x), [0.01, 0.02, 0.005], [0, 1, 2], "uint8", axis=1))
    graph = lower(from_object(model))
    assert graph.is_integer
    data = np.random.default_rng(1).normal(size=(60, 3, 8)).astype(np.float32) * 2
    assert np.abs(outputs(graph, data)[0] - reference(model, data)[0]).max() <= 0.021


@pytest.mark.parametrize("function", ["Sigmoid", "Exp", "Floor"])
@pytest.mark.parametrize("precision", ["fixed<18,8>", "fixed<24,12>"])
def test_functions_of_powers_of_two_per_channel_read_one_format(function: str, precision: str) -> None:
    """A table is indexed by stored integers, which mean something else in each channel."""
    b = Builder(20)
    x = b.qdq(b.input((4, 8)), [0.25, 0.5, 0.125, 1.0], [0, 0, 0, 0], "int8", axis=1)
    model = b.model(b.op(function, x))
    data = np.random.default_rng(1).uniform(-4, 4, (60, 4, 8)).astype(np.float32)
    graph = lower(from_object(model), precision=precision, samples=data)
    assert graph.is_integer
    assert np.abs(outputs(graph, data)[0] - reference(model, data)[0]).max() <= 0.01

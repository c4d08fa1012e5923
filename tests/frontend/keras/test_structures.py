"""Calls with dictionaries, classes and functions of the author's own, axes that count the batch."""

from typing import Any

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.frontend.keras.assemble import assemble
from gatewright.frontend.keras.config import parse
from gatewright.frontend.keras.registry import Dialect
from gatewright.graph import Graph, NDArray, UnsupportedError, evaluate


def imported(layers: list[dict[str, Any]], inputs: Any, outputs: Any, dialect: Dialect = Dialect.KERAS3) -> Graph:
    return assemble(parse(model("m", layers, inputs, outputs), "f"), {}, dialect, "f")


def model(name: str, layers: list[dict[str, Any]], inputs: Any, outputs: Any, **more: Any) -> dict[str, Any]:
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config, **more}


def source(name: str, *shape: int) -> dict[str, Any]:
    return {"class_name": "InputLayer", "config": {"name": name, "batch_shape": [None, *shape]}}


def layer(kind: str, name: str, reads: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}, "inbound_nodes": [reads]}


def tensor(name: str, call: int = 0, number: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, number]}}


def call(value: Any, **options: Any) -> dict[str, Any]:
    return {"args": [value], "kwargs": options}


def difference(inputs: Any, dialect: Dialect) -> list[dict[str, Any]]:
    """The layers inside a model that subtracts: p - q."""
    reads = [["p", 0, 0, {}], ["q", 0, 0, {}]]
    if dialect is Dialect.KERAS3:
        reads = call([tensor("p"), tensor("q")])  # type: ignore[assignment]
    return [source("p", 2), source("q", 2), layer("Subtract", "minus", reads)]


DICTIONARIES = [
    ([["q", 0, 0], ["p", 0, 0]], {"q": "x", "p": "y"}, -1),  # by the names of the inputs
    ([["q", 0, 0], ["p", 0, 0]], {"p": "x", "q": "y"}, 1),
    ([["q", 0, 0], ["p", 0, 0]], {"b": "x", "a": "y"}, 1),  # no names of inputs: sorted keys
    ({"u": ["p", 0, 0], "t": ["q", 0, 0]}, {"u": "x", "t": "y"}, 1),
    ({"u": ["p", 0, 0], "t": ["q", 0, 0]}, {"t": "x", "u": "y"}, -1),
]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(("inputs", "given", "sign"), DICTIONARIES)
def test_a_model_inside_is_called_with_a_dictionary(
    inputs: Any, given: dict[str, str], sign: int, dialect: Dialect
) -> None:
    reads: Any = {key: [name, 0, 0, {}] for key, name in given.items()}
    if dialect is Dialect.KERAS3:
        reads = call({key: tensor(name) for key, name in given.items()}, mask=dict.fromkeys(given))
    inner = model("inner", difference(inputs, dialect), inputs, [["minus", 0, 0]], inbound_nodes=[reads])
    at = 1 if dialect is Dialect.TF_KERAS else 0
    tail = layer("Identity", "end", [["inner", at, 0, {}]] if at else call(tensor("inner")))
    graph = imported([source("x", 2), source("y", 2), inner, tail], [["x", 0, 0], ["y", 0, 0]], ["end", 0, 0], dialect)
    x, y = np.array([[1, 5]], np.float32), np.array([[2, 3]], np.float32)
    np.testing.assert_array_equal(evaluate(graph, [x, y]), sign * (x - y))


def test_outputs_in_a_dictionary_are_numbered_by_sorted_keys() -> None:
    inner_layers = [
        source("a", 2),
        layer("Identity", "same", call(tensor("a"))),
        layer("Rescaling", "twice", call(tensor("a")), scale=2.0),
    ]
    outputs = {"v": ["same", 0, 0], "u": ["twice", 0, 0]}
    inner = model("inner", inner_layers, [["a", 0, 0]], outputs, inbound_nodes=[call(tensor("x"))])
    tail = layer("Identity", "end", call(tensor("inner", 0, 0)))
    graph = imported([source("x", 2), inner, tail], [["x", 0, 0]], ["end", 0, 0])
    x = np.array([[1, 5]], np.float32)
    np.testing.assert_array_equal(evaluate(graph, x), 2 * x)


def test_a_mask_is_refused() -> None:
    reads = call(tensor("x"), mask=[None, 1])
    with pytest.raises(UnsupportedError, match="mask"):
        imported([source("x", 2), layer("Identity", "it", reads)], [["x", 0, 0]], ["it", 0, 0])


def test_a_number_as_further_argument_is_refused() -> None:
    reads = {"args": [tensor("x"), 0], "kwargs": {}}
    with pytest.raises(UnsupportedError, match=r"\[0\]"):
        imported([source("x", 2), layer("Identity", "it", reads)], [["x", 0, 0]], ["it", 0, 0])


def one(kind: str, shape: tuple[int, ...], **config: Any) -> Graph:
    return imported([source("x", *shape), layer(kind, "it", call(tensor("x")), **config)], [["x", 0, 0]], ["it", 0, 0])


X = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)


@pytest.mark.parametrize("scale", [2.0, [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]]])
def test_rescaling_counts_the_batch(scale: Any) -> None:
    np.testing.assert_allclose(evaluate(one("Rescaling", (3,), scale=scale), X), X * np.float32(scale), rtol=1e-6)


@pytest.mark.parametrize("scale", [[[1.0], [2.0]], [[[1.0]]]])
def test_rescaling_of_the_batch_is_refused(scale: Any) -> None:
    with pytest.raises(UnsupportedError, match="'scale'"):
        one("Rescaling", (3,), scale=scale)


def softmax(x: NDArray, axis: int) -> NDArray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def test_a_layer_as_activation_counts_the_axes_of_one_step() -> None:
    activation = {"class_name": "Softmax", "config": {"name": "s", "axis": 1}}
    inner = {"class_name": "Activation", "config": {"name": "inner", "activation": activation}}
    graph = one("TimeDistributed", (4, 3, 5), layer=inner)
    x = np.random.default_rng(2).normal(size=(2, 4, 3, 5)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, x), softmax(x, 2), rtol=1e-5)


OWN = [
    {"class_name": "ReLU", "registered_name": "ReLU"},
    {"class_name": "ReLU", "registered_name": "My>ReLU", "module": "my.layers"},
    {"class_name": "My>ReLU"},
]


@pytest.mark.parametrize("names", OWN)
def test_a_class_of_your_own_with_a_name_of_keras_is_refused(names: dict[str, str]) -> None:
    own = {**layer("ReLU", "it", call(tensor("x"))), **names}
    with pytest.raises(UnsupportedError, match="of your own called ReLU"):
        imported([source("x", 2), own], [["x", 0, 0]], ["it", 0, 0])


def test_a_class_of_keras_is_no_class_of_your_own() -> None:
    keras = {**layer("ReLU", "it", call(tensor("x"))), "registered_name": "ReLU", "module": "keras.src.layers.relu"}
    assert imported([source("x", 2), keras], [["x", 0, 0]], ["it", 0, 0]).outputs


def test_a_registered_function_with_a_name_of_keras_is_refused() -> None:
    function = {"class_name": "function", "config": "My>relu", "module": "builtins", "registered_name": "function"}
    with pytest.raises(UnsupportedError, match="My>relu"):
        one("Activation", (3,), activation=function)
    assert one("Activation", (3,), activation={**function, "config": "relu"}).outputs


def test_weights_beside_a_graph_are_refused() -> None:
    graph = one("ReLU", (3,))
    assert load(graph) is graph
    with pytest.raises(UnsupportedError, match="weights="):
        load(graph, weights="m.h5")

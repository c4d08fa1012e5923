"""Stateful recurrent layers: step by step they give what one call over the whole sequence gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatewright as gw
from gatewright.frontend.keras.assemble import assemble
from gatewright.frontend.keras.config import parse
from gatewright.frontend.keras.registry import Dialect, Layer
from gatewright.graph import Graph

LAYERS = ["SimpleRNN", "GRU", "LSTM"]
RECORDED = Path(__file__).parents[2] / "data" / "qkeras" / "layers.npz"


@pytest.fixture
def weights_of_any_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def array(self: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(len(name)).normal(0, 0.5, shape).astype(np.float32)

    monkeypatch.setattr(Layer, "array", array)


def built(name: str, steps: int, dialect: Dialect = Dialect.KERAS3, calls: int = 1, **config: Any) -> Graph:
    key = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    nodes = [{"args": [key], "kwargs": {}}] * calls
    layers = [
        {"class_name": "InputLayer", "config": {"name": "a", "batch_shape": [1, steps, 3]}},
        {"class_name": name, "module": "keras.layers", "config": {"name": "it", **config}, "inbound_nodes": nodes},
    ]
    outputs = ["it", 0, 0] if calls == 1 else [["it", i, 0] for i in range(calls)]
    model = {"name": "m", "layers": layers, "input_layers": [["a", 0, 0]], "output_layers": outputs}
    return assemble(parse({"class_name": "Functional", "config": model}, "file.keras"), {}, dialect, "file.keras")


@pytest.mark.usefixtures("weights_of_any_shape")
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_calls_go_on_where_the_one_before_ended(name: str, steps: int) -> None:
    x = np.random.default_rng(1).normal(0, 1, (2, 12, 3)).astype(np.float32)
    whole = np.asarray(gw.evaluate(built(name, 12, units=4, return_sequences=True), x))
    graph = built(name, steps, units=4, return_sequences=True, stateful=True)
    assert [s.name for s in graph.states] == [f"it/state{i}" for i in range(2 if name == "LSTM" else 1)]
    y = np.asarray(gw.evaluate(graph, x.reshape(2, 12 // steps, steps, 3)))
    np.testing.assert_allclose(y.reshape(whole.shape), whole, atol=1e-6)
    last = np.asarray(gw.evaluate(built(name, steps, units=4, stateful=True), x.reshape(2, 12 // steps, steps, 3)))
    np.testing.assert_allclose(last, whole[:, steps - 1 :: steps], atol=1e-6)


@pytest.mark.parametrize("name", ["rnn_lstm", "rnn_gru", "rnn_simple"])
def test_a_step_of_qkeras_is_exact(name: str, tmp_path: Path) -> None:
    with np.load(RECORDED) as file:
        found = {k.partition("/")[2]: file[k] for k in file.files if k.startswith(f"{name}/")}
    config = json.loads(str(found["config"]))
    for layer in config["config"]["layers"]:
        if (shape := layer["config"].get("batch_input_shape")) is not None:
            layer["config"]["batch_input_shape"] = [1, 1, shape[-1]]
        if layer["class_name"] in ("QLSTM", "QGRU", "QSimpleRNN"):
            layer["config"] |= {"stateful": True, "return_sequences": False}
    (tmp_path / "model.json").write_text(json.dumps(config))
    (tmp_path / "weights.h5").write_bytes(found["h5"].tobytes())
    graph = gw.load(tmp_path / "model.json", weights=tmp_path / "weights.h5")
    x = found["x"][:, :, None]
    lowered = gw.lower(graph, precision="fixed<18,6>", samples=x)
    for one in (graph, lowered):
        np.testing.assert_array_equal(np.asarray(gw.evaluate(one, x))[:, -1], found["y"])


@pytest.mark.usefixtures("weights_of_any_shape")
def test_what_is_refused() -> None:
    with pytest.raises(gw.UnsupportedError, match="a stateful layer that is called twice"):
        built("LSTM", 2, calls=2, units=2, stateful=True)
    inner = {"class_name": "LSTM", "config": {"name": "one", "units": 2, "stateful": True}}
    with pytest.raises(gw.UnsupportedError, match="a stateful layer in both directions"):
        built("Bidirectional", 2, layer=inner)

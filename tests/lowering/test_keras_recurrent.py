"""Recurrent layers as the Keras importer writes them, lowered to integers: close to their real numbers."""

from typing import Any

import numpy as np
import pytest

import gatewright as gw
from gatewright.frontend.keras.assemble import assemble
from gatewright.frontend.keras.config import parse
from gatewright.frontend.keras.registry import Dialect
from gatewright.frontend.keras.weights import stored

UNITS, STEPS, WIDTH = 3, 5, 2


def shape_of(name: str, kind: str) -> tuple[int, ...]:
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]
    sizes = {"kernel": (WIDTH, gates * UNITS), "recurrent_kernel": (UNITS, gates * UNITS), "bias": (gates * UNITS,)}
    return (2, gates * UNITS) if kind == "GRU" and name.endswith("bias") else sizes[name.rpartition(".")[2]]


def imported(kind: str, both: bool, **options: Any) -> Any:
    layer: dict[str, Any] = {"class_name": kind, "config": {"name": "rnn", "units": UNITS, **options}}
    if both:
        layer = {"class_name": "Bidirectional", "config": {"name": "two", "layer": layer}}
    start = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, STEPS, WIDTH]}}
    root = parse({"class_name": "Sequential", "config": {"name": "s", "layers": [start, layer]}}, "f")
    entry, rng = root.children[1], np.random.default_rng(7)
    weights = {w.name: rng.uniform(-0.7, 0.7, shape_of(w.name, kind)).astype(np.float32) for w in stored(entry)}
    return assemble(root, {entry: weights}, Dialect.KERAS3, "f")


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_lowered_recurrent_layers_are_close(kind: str, sequences: bool, both: bool) -> None:
    graph = imported(kind, both, return_sequences=sequences)
    x = np.random.default_rng(3).uniform(-1, 1, (64, STEPS, WIDTH)).astype(np.float32)
    lowered = gw.lower(graph, board="host", precision="fixed<18,6>", samples=x)
    assert lowered.is_integer
    real, found = (np.asarray(gw.evaluate(g, x)) for g in (graph, lowered))
    assert real.shape == found.shape
    assert np.abs(real - found).max() < 0.02

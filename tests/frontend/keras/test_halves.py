"""Policies of 16 bits: what Keras 3 answered (tests/record/keras_halves.py), and what is rounded."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright import load
from gatewright.frontend import qkeras  # noqa: F401 - registers its layers
from gatewright.frontend.keras.registry import Dialect
from gatewright.graph import UnsupportedError, evaluate
from gatewright.graph.ops import Cast, Conv, Dense

from .test_attributes import built

ARCHIVE = Path(__file__).parents[2] / "data/keras/halves.zip"
WITHIN = {"mixed_float16": 2e-3, "mixed_bfloat16": 1e-2, "bfloat16": 1e-2}
"""Of the greatest answer. Keras rounds sums, biases and activations of a layer one after the other."""


@pytest.mark.parametrize("policy", WITHIN)
def test_recorded(policy: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        (tmp_path / "model.keras").write_bytes(archive.read(f"{policy}.keras"))
        answers = np.load(io.BytesIO(archive.read("answers.npz")))
    graph = load(tmp_path / "model.keras")
    given, wanted = np.asarray(evaluate(graph, answers["x"])), answers[policy]
    assert given.dtype == np.float32
    assert np.abs(given - wanted).max() <= WITHIN[policy] * np.abs(wanted).max()
    name = policy.removeprefix("mixed_")
    assert {str(n.op.format) for n in graph.nodes if isinstance(n.op, Cast)} == {name}
    weights = [n.inputs[1] for n in graph.nodes if isinstance(n.op, Conv | Dense)]
    assert weights
    assert {str(w.type.format) for w in weights} == {name}


def test_quantizers_are_of_float32() -> None:
    config = {"activation": "quantized_relu(4)", "dtype": "float16"}
    with pytest.raises(UnsupportedError, match="dtype"):
        built("QActivation", config, Dialect.TF_KERAS)

"""Modules in float16 and bfloat16: what PyTorch answered (tests/record/torch_halves.py), and what is rounded."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright import load
from gatewright.graph import evaluate
from gatewright.graph.ops import Cast, Conv, Dense

ARCHIVE = Path(__file__).parents[2] / "data/torch/halves.zip"
WITHIN = {"float16": 2e-3, "bfloat16": 1e-2}
"""Of the greatest answer."""


@pytest.mark.parametrize("kind", WITHIN)
def test_recorded(kind: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        (tmp_path / "model.pt2").write_bytes(archive.read(f"{kind}.pt2"))
        answers = np.load(io.BytesIO(archive.read("answers.npz")))
    graph = load(tmp_path / "model.pt2")
    given, wanted = np.asarray(evaluate(graph, answers["x"])), answers[kind]
    assert np.abs(given - wanted).max() <= WITHIN[kind] * np.abs(wanted).max()
    assert str(graph.inputs[0].type.format) == kind
    assert {str(n.op.format) for n in graph.nodes if isinstance(n.op, Cast)} == {kind}
    weights = [n.inputs[1] for n in graph.nodes if isinstance(n.op, Conv | Dense)]
    assert len(weights) >= 6
    assert {str(w.type.format) for w in weights} == {kind}

"""Recurrent layers of qkeras, lowered to integers: what qkeras itself answered, to the last bit."""

from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

with np.load(Path(__file__).parents[1] / "data" / "qkeras" / "layers.npz") as file:
    RECORDED = {key: file[key] for key in file.files if key.startswith("rnn_")}
NAMES = sorted({key.partition("/")[0] for key in RECORDED} - {"rnn_gru_after"})
"""Those that end in integers; the other one ends in a layer with a bias that is a real number."""


@pytest.mark.parametrize("name", NAMES)
def test_lowered_layers_give_what_qkeras_gave(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(str(RECORDED[f"{name}/config"]))
    (tmp_path / "weights.h5").write_bytes(RECORDED[f"{name}/h5"].tobytes())
    graph = gw.load(tmp_path / "model.json", weights=tmp_path / "weights.h5")
    lowered = gw.lower(graph, board="host", precision="fixed<18,6>", samples=RECORDED[f"{name}/x"])
    assert lowered.is_integer
    np.testing.assert_array_equal(gw.evaluate(lowered, RECORDED[f"{name}/x"]), RECORDED[f"{name}/y"])

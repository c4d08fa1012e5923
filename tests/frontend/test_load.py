"""Errors of a file name the file."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import gatewright as gw


def test_nan_weights_name_the_weight_and_the_file(tmp_path: Path) -> None:
    config = {"name": "fc", "units": 2, "use_bias": False, "batch_input_shape": [None, 3]}
    layers = [{"class_name": "Dense", "config": config}]
    model = {"class_name": "Sequential", "config": layers, "keras_version": "2.4.0"}
    with h5py.File(tmp_path / "m.h5", "w") as f:
        f.attrs["model_config"] = json.dumps(model)
        weights = f.create_group("model_weights")
        weights.attrs["layer_names"] = [b"fc"]
        group = weights.create_group("fc")
        group.attrs["weight_names"] = [b"fc/kernel:0"]
        group["fc/kernel:0"] = np.full((3, 2), np.nan, np.float32)
    with pytest.raises(gw.ShapeError, match=r"m\.h5: fc/kernel: NaN or infinite weights"):
        gw.load(tmp_path / "m.h5")

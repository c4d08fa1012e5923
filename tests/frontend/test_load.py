"""Errors of a file name the file."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import gatewright as gw

from ..models import tiny

SUFFIXES = ("keras", "h5", "json", "onnx", "tflite", "pt2", "pth", "gw", "xyz")


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


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_that_is_no_file_is_told_alike_for_every_format(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(gw.FileError, match="no such file") as missing:
        gw.load(tmp_path / f"m.{suffix}")
    assert str(tmp_path) in missing.value.where
    assert "check the name" in missing.value.hint
    (tmp_path / f"m.{suffix}").mkdir()
    with pytest.raises(gw.FileError, match="a directory that Gatewright did not write"):
        gw.load(tmp_path / f"m.{suffix}")


@pytest.mark.parametrize("name", ["a" * 300 + ".onnx", "nul\0.onnx"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(gw.FileError):
        gw.load(tmp_path / name)


def test_files_of_other_frameworks_come_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name, way in {"saved": "tflite", "frozen.pb": "onnx", "w.safetensors": "pt2", "m.bin": "gw"}.items():
        if name != "saved":
            (tmp_path / name).touch()
        with pytest.raises(gw.FileError) as refused:
            gw.load(tmp_path / name)
        assert way in refused.value.hint


def test_the_graph_of_an_output_directory_may_be_named(tmp_path: Path) -> None:
    tiny().save(tmp_path / "out")
    assert str(gw.load(tmp_path / "out" / "graph.json")) == str(gw.load(tmp_path / "out")) == str(tiny())

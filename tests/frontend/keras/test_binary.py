"""BinaryDense and binary_tanh against their definition, computed in numpy."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import gatewright as gw

RNG = np.random.default_rng(3)


def binary_tanh(x: np.ndarray) -> np.ndarray:
    half = np.float32(0.5)
    return 2 * np.rint(np.clip(half * x.astype(np.float32) + half, 0, 1)) - 1


def save(folder: Path, extra: dict[str, object], kernel: np.ndarray, bias: np.ndarray) -> tuple[Path, Path]:
    dense = {
        "name": "fc",
        "units": kernel.shape[1],
        "activation": "linear",
        "batch_input_shape": [None, kernel.shape[0]],
        "kernel_lr_multiplier": 7.3,
    }
    layers = [
        {"class_name": "BinaryDense", "config": {**dense, **extra}},
        {"class_name": "Activation", "config": {"name": "sign", "activation": "binary_tanh"}},
    ]
    (folder / "m.json").write_text(json.dumps({"class_name": "Sequential", "config": layers, "keras_version": "2.2.4"}))
    with h5py.File(folder / "m.h5", "w") as f:
        f.attrs["layer_names"] = [b"fc", b"sign"]
        f.create_group("sign").attrs["weight_names"] = []
        group = f.create_group("fc")
        group.attrs["weight_names"] = [b"fc/kernel:0", b"fc/bias:0"]
        group["fc/kernel:0"], group["fc/bias:0"] = kernel, bias
    return folder / "m.json", folder / "m.h5"


@pytest.mark.parametrize("scale", [1.0, 0.5, "Glorot"])
def test_binary_dense(tmp_path: Path, scale: float | str) -> None:
    kernel = RNG.normal(0, 1, (6, 4)).astype(np.float32)
    kernel[0, 0] = 0.0
    bias = (RNG.integers(-8, 8, 4) / 8).astype(np.float32)
    config, weights = save(tmp_path, {"H": scale, "use_bias": True}, kernel, bias)
    graph = gw.load(config, weights=weights)
    x = (RNG.integers(-64, 64, (100, 6)) / 32).astype(np.float32)
    height = np.float32(np.sqrt(1.5 / 10)) if scale == "Glorot" else np.float32(scale)
    want = binary_tanh(x @ (height * binary_tanh(kernel / height)) + bias)
    np.testing.assert_array_equal(gw.evaluate(graph, x), want)
    assert gw.lower(graph, board="host").is_integer


def test_the_edge_of_binary_tanh(tmp_path: Path) -> None:
    save(tmp_path, {"use_bias": True}, np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    graph = gw.load(tmp_path / "m.json", weights=tmp_path / "m.h5")
    edge = np.float32(2.0**-24)
    x = np.array([-1, -1e-30, 0, 1e-30, edge, np.nextafter(edge, np.float32(1)), 1e-6, 1], np.float32)[:, None]
    np.testing.assert_array_equal(gw.evaluate(graph, x), binary_tanh(x))


def test_a_scale_that_is_none(tmp_path: Path) -> None:
    save(tmp_path, {"H": -1.0, "use_bias": True}, np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    with pytest.raises(gw.UnsupportedError, match=r"'H' = -1\.0"):
        gw.load(tmp_path / "m.json", weights=tmp_path / "m.h5")

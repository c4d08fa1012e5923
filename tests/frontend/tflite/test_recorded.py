"""Drawn models of every operator: equal to what TensorFlow's reference kernels gave, as recorded.

Written by tests/record/tflite_operators.py.
"""

import io
import json
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import GatewrightError, Graph, Node

FILE = Path(__file__).parents[2] / "data/tflite/operators.zip"
REFUSED = (
    "quantized_bias_type", "the kernel reads them as int8", "axis 0 of input", "pot_scale_int16", "the batch of",
    "differs along the batch",
)  # fmt: skip
"""What a drawn model may be refused for."""


@cache
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(FILE)


def names() -> list[str]:
    return sorted(n.removesuffix(".tflite") for n in archive().namelist() if n.endswith(".tflite"))


def loaded(name: str, folder: Path) -> Graph:
    (folder / "model.tflite").write_bytes(archive().read(f"{name}.tflite"))
    return gw.load(folder / "model.tflite")


@pytest.mark.parametrize("name", names())
def test_equals_the_reference_kernels(name: str, tmp_path: Path) -> None:
    arrays = np.load(io.BytesIO(archive().read(f"{name}.npz")))
    xs = [arrays[k] for k in sorted(arrays) if k.startswith("x")]
    ys = [arrays[k] for k in sorted(arrays) if k.startswith("y")]
    try:
        graph = loaded(name, tmp_path)
    except GatewrightError as error:
        assert any(reason in str(error) for reason in REFUSED), error  # noqa: PT017
        return
    fed = [x.reshape(-1, *n.shape) for x, n in zip(xs, graph.inputs, strict=True)]
    given = gw.evaluate(graph, fed if len(fed) > 1 else fed[0], integers=True)
    results = given if isinstance(given, tuple) else (given,)
    for node, got, wanted in zip(graph.outputs, results, ys, strict=True):
        check(node, got, wanted, described(name))


def described(name: str) -> str:
    return json.dumps(json.loads(archive().read(f"{name}.json")), indent=1)


def check(node: Node, got: np.ndarray, wanted: np.ndarray, text: str) -> None:
    if wanted.dtype != np.float32:
        assert np.array_equal(got.reshape(wanted.shape), wanted), text
        return
    if node.type.is_integer:  # a DEQUANTIZE at the end: the integers are there, the file has their values
        format = node.type.quantized
        got = (float(format.scale) * (got - format.zero)).astype(np.float32)
    got = np.clip(got.reshape(wanted.shape), np.finfo(np.float32).min, np.finfo(np.float32).max)
    finite = np.isfinite(wanted)
    most = float(np.abs(wanted[finite]).max(initial=0.0))
    np.testing.assert_allclose(got[finite], wanted[finite], rtol=1e-4, atol=1e-5 * (1 + most))


def test_few_are_refused(tmp_path: Path) -> None:
    refused = 0
    for name in names():
        try:
            loaded(name, tmp_path)
        except GatewrightError:
            refused += 1
    assert refused < 0.12 * len(names())

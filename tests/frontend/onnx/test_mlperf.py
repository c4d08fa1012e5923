"""Networks of MLPerf Tiny, quantized by ONNX Runtime: every quantized tensor against onnx's evaluator.

They agree everywhere but behind average pools, whose means of 2^n integers lie on ties in one case of 2^n: there the
float32 sums of the evaluator go to either side.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gatewright import lower
from gatewright.frontend.onnx import from_object
from gatewright.graph import NDArray, evaluate

from .mlperf import from_keras, from_tflite, quantized, samples
from .quantized import reference

MODELS = Path(__file__).resolve().parents[4] / "shared" / "models" / "mlperf_tiny"
COUNT = 6
NAMES = ("ad01.h5", "dscnn_kws_fp32.tflite", "resnet8.h5", "vww_96.h5")
pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, onnx.ModelProto]:
    pytest.importorskip("h5py")
    ort = pytest.importorskip("onnxruntime.quantization")
    path = MODELS / request.param
    name, read = path.stem, from_tflite if path.suffix == ".tflite" else from_keras
    if not path.exists():
        pytest.skip("the network is not there")
    kinds = {"activation_type": ort.QuantType.QInt8, "weight_type": ort.QuantType.QInt8}
    options = {"quant_format": ort.QuantFormat.QDQ, "per_channel": True, **kinds}
    return name, quantized(read(path), samples(name, 20, 1), tmp_path_factory.mktemp(name), **options)


def with_tensors(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The model with every quantized tensor as an output."""
    names = [n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"]
    more = onnx.ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.INT8, None) for n in names)
    return more, names


def shares(model: onnx.ModelProto, x: NDArray) -> dict[str, tuple[float, int]]:
    """For each quantized tensor the share of integers that differ, and by how many steps."""
    more, names = with_tensors(model)
    got: Any = evaluate(from_object(more), x, integers=True)
    runs = [reference(more, v[None]) for v in x]
    found = {}
    for k, name in enumerate(names, 1):
        off = np.abs(got[k] - np.concatenate([r[k] for r in runs]).astype(np.int64))
        found[name] = (float((off > 0).mean()), int(off.max()))
    return found


def test_every_tensor(network: tuple[str, onnx.ModelProto]) -> None:
    name, model = network
    found = list(shares(model, samples(name, COUNT, 2)).values())
    pool = len(found) if name == "ad01" else len(found) - 4  # the pool, its reshape, the logits, the probabilities
    assert max(share for share, _ in found[:3]) <= 1e-4
    assert max(share for share, _ in found[:pool]) <= 2.5e-3  # what differs is passed on, and joined by others
    assert max(step for _, step in found[: pool + 2]) <= 2
    assert all(share <= 1 / 8 for share, _ in found[pool : pool + 2])


def test_lowered(network: tuple[str, onnx.ModelProto]) -> None:
    name, model = network
    graph = from_object(model)
    lowered = lower(graph, output="model" if name == "ad01" else "logits")
    assert lowered.is_integer
    x = samples(name, COUNT, 3)
    got, expected = np.asarray(evaluate(lowered, x)), np.asarray(evaluate(graph, x))
    if name == "ad01":
        np.testing.assert_array_equal(got, expected)
    else:
        assert (got.argmax(1) == expected.argmax(1)).all()

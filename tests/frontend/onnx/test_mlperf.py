"""ResNet-8 of MLPerf Tiny, quantized by ONNX Runtime: every quantized tensor against onnx's evaluator.

They agree everywhere but behind the average pool, whose means of 64 integers lie on ties in one case of 64: there the
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

from .mlperf import from_keras, images, quantized
from .quantized import reference

MODEL = Path(__file__).resolve().parents[4] / "shared" / "models" / "mlperf_tiny" / "resnet8.h5"
COUNT = 6
pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    pytest.importorskip("h5py")
    ort = pytest.importorskip("onnxruntime.quantization")
    if not MODEL.exists():
        pytest.skip("the network is not there")
    kinds = {"activation_type": ort.QuantType.QInt8, "weight_type": ort.QuantType.QInt8}
    folder = tmp_path_factory.mktemp("resnet8")
    return quantized(
        from_keras(MODEL), images(20, 1), folder, quant_format=ort.QuantFormat.QDQ, per_channel=True, **kinds
    )


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


def test_every_tensor(network: onnx.ModelProto) -> None:
    found = list(shares(network, images(COUNT, 2)).values())
    pool = len(found) - 4  # the pool, its reshape, the logits, the probabilities
    assert max(share for share, _ in found[:pool]) <= 1e-4
    assert max(step for _, step in found[: pool + 2]) <= 1
    assert max(share for share, _ in found[pool : pool + 2]) <= 1 / 64


def test_lowered(network: onnx.ModelProto) -> None:
    graph = from_object(network)
    lowered = lower(graph, output="logits")
    assert lowered.is_integer
    x = images(COUNT, 3)
    assert (np.asarray(evaluate(lowered, x)).argmax(1) == np.asarray(evaluate(graph, x)).argmax(1)).all()

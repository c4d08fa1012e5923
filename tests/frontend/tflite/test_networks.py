"""The MLPerf Tiny networks against what the reference kernels gave; with TensorFlow, on 1,000 inputs each."""

from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.lowering.passes.drop_dead_channels import drop_dead_channels

from ...fuzz.tflite_build import Reference
from ...record.tflite_networks import FILE, MODELS, NAMES, inputs

here = pytest.mark.skipif(not MODELS.is_dir(), reason="the models folder is not beside the repository")


def compare(name: str, x: np.ndarray, wanted: np.ndarray) -> None:
    graph = gw.load(MODELS / f"{name}.tflite")
    got = np.asarray(gw.evaluate(graph, x, integers=x.dtype == np.int8))
    if x.dtype == np.int8:
        assert graph.is_integer
        assert gw.lower(graph) is graph
        less = drop_dead_channels(graph)
        assert (less is graph) == (name != "vww_96_int8")
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.asarray(gw.evaluate(less, x, integers=True)), wanted)
    else:
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * (1 + np.abs(wanted).max()))


@here
@pytest.mark.parametrize("name", NAMES)
def test_recorded(name: str) -> None:
    compare(name, inputs(name), np.load(FILE)[name])


@here
@pytest.mark.live
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_inputs(name: str) -> None:
    pytest.importorskip("tensorflow")
    x = inputs(name, 1000)
    compare(name, x, Reference((MODELS / f"{name}.tflite").read_bytes())([x[:, None]])[0][:, 0])


@here
def test_a_hybrid_file_is_refused() -> None:
    with pytest.raises(gw.UnsupportedError, match="hybrid kernel"):
        gw.load(MODELS / "dscnn_kws_fp32.tflite")


def test_the_folder_of_models_is_where_other_tests_look() -> None:
    assert MODELS.name == "mlperf_tiny"
    assert Path(FILE).is_file()

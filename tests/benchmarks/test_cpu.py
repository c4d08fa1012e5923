"""The networks of the CPU benchmark are valid and read as they are meant; its figures are told in the right units."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import gatewright as gw
from benchmarks.cpu import files
from benchmarks.cpu.build import same
from benchmarks.cpu.engines import ENGINES, Engine, Skip
from benchmarks.cpu.inputs import draw
from benchmarks.cpu.measure import Loaded, difference, differences, load, rounds
from benchmarks.cpu.networks import build, window_mask
from benchmarks.cpu.quantize import output_step
from benchmarks.cpu.table import agreement, ratio, row, skips
from gatewright.graph import NDArray


class Fixed(Engine):
    """Gives what it is told to."""

    name = "fixed"
    reads = (".onnx",)
    calls: ClassVar[list[str]] = []

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def load(self, path: Path, threads: int) -> object:  # type: ignore[override]
        return lambda: self.calls.append(path.name)

    def outputs(self) -> list[NDArray]:
        return [np.array([1.0, self.value])]


class Other(Fixed):
    """A second one."""

    name = "other"


@pytest.mark.parametrize("name", ["jet", "dscnn_kws"])
def test_networks_are_read_as_they_are_written(name: str) -> None:
    model = build(name)
    told = model.graph.input[0].type.tensor_type
    x = draw([d.dim_value for d in told.shape.dim], np.dtype(np.float32))
    expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(gw.evaluate(gw.load(model), x), expected, rtol=1e-4, atol=1e-6)


def test_a_network_is_the_same_each_time() -> None:
    assert build("jet").SerializeToString() == build("jet").SerializeToString()


def test_files_are_kept_by_the_code_that_writes_them(tmp_path: Path) -> None:
    folder = files.cache(tmp_path)
    path = files.onnx_file("jet_fp32", folder)
    assert path == folder / "jet_fp32.onnx"
    written = path.stat().st_mtime_ns
    assert files.onnx_file("jet_fp32", folder).stat().st_mtime_ns == written
    given = tmp_path / "jet_fp32.tflite"
    given.touch()
    assert files.files_of("jet_fp32", folder, tmp_path)[:2] == [given, path]


@pytest.mark.parametrize("name", ["jet", "dscnn_kws", "espcn"])
def test_tflite_files_are_those_networks(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    path = files.tflite_file(f"{name}_fp32", tmp_path)
    assert path is not None
    graph, model = gw.load(path), gw.load(build(name))
    (node,) = graph.inputs
    x = draw((1, *node.shape), np.dtype(np.float32))
    expected = gw.evaluate(model, x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
    expected = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    np.testing.assert_allclose(gw.evaluate(graph, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"), [(96, 3, 2, (0, 1)), (49, 10, 2, (4, 5)), (5, 1, 2, (0, 0))]
)
def test_padding_as_tensorflow_pads(size: int, kernel: int, stride: int, pads: tuple[int, int]) -> None:
    assert same(size, kernel, stride) == pads


def test_windows_that_the_shift_did_not_tear_see_all_of_themselves() -> None:
    mask = window_mask(16, 8, 4)
    assert mask.shape == (1, 4, 1, 64, 64)
    assert not mask[0, 0].any()
    assert (mask[0, 3, 0, 0] == -100).sum() == 48


def test_the_step_of_a_quantized_output(tmp_path: Path) -> None:
    scale = onnx.numpy_helper.from_array(np.float32(0.25), "s")
    info = onnx.helper.make_tensor_value_info
    nodes = [
        onnx.helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        onnx.helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        onnx.helper.make_node("Transpose", ["d"], ["y"]),
    ]
    graph = onnx.helper.make_graph(nodes, "g", [info("x", 1, [1, 2])], [info("y", 1, [2, 1])], [scale])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "q.onnx")
    onnx.save(build("jet"), tmp_path / "f.onnx")
    assert output_step(tmp_path / "q.onnx") == 0.25
    assert output_step(tmp_path / "f.onnx") == 0


def test_differences_are_told_in_steps_or_relative() -> None:
    a, b = [np.array([1.0, 4.0])], [np.array([1.5, 4.0])]
    assert difference(a, b, 0) == {"difference": 0.125, "unit": "relative"}
    assert difference(a, b, 0.25) == {"difference": 2, "unit": "steps"}
    whole = [np.array([127], np.int8)], [np.array([-128], np.int8)]
    assert difference(*whole, 0) == {"difference": 255, "unit": "steps"}
    ready = [Loaded(e, Path(p), lambda: None) for e, p in ((Fixed(2.0), "a"), (Other(1.0), "a"), (Other(5.0), "b"))]
    (told,) = differences(ready, lambda _: 0.0)
    assert told == {"file": "a", "engine": "other", "from": "fixed", "difference": 0.5, "unit": "relative"}


def test_rounds_take_every_engine_by_turns() -> None:
    ready = [Loaded(Fixed(), Path(p), lambda p=p: Fixed.calls.append(p)) for p in "ab"]  # type: ignore[misc]
    rounds(ready, 3, 1e-5, 1)
    assert all(len(one.seconds) == 3 and min(one.seconds) > 0 for one in ready)
    assert set(Fixed.calls) == {"a", "b"}


def test_engines_that_cannot_are_skipped_with_a_reason() -> None:
    ready, skipped = load(["gatewright", "executorch"], [Path("x.onnx")], 1)
    assert not [one for one in ready if one.engine.name == "executorch"]
    assert skipped["executorch"] == "no .pte file of this network"
    with pytest.raises(Skip):
        ENGINES["litert"]().readable([Path("x.onnx")])


def test_a_file_that_an_engine_refuses_is_passed_over(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.onnx", tmp_path / "good.onnx"
    bad.write_bytes(b"no model")
    onnx.save(build("jet"), good)
    (one,), skipped = load(["evaluate"], [bad, good], 1)
    assert one.path == good
    assert skipped["evaluate"].startswith("bad.onnx: FileError: ")


def test_the_table() -> None:
    times = {"gatewright": 2.0, "litert": 4.0, "evaluate": 1.0}
    assert ratio(times) == "0.50 litert"
    assert ratio({"litert": 4.0}) == "- litert"
    assert ratio({"gatewright": 1.0}) == ""
    result = {
        "engines": {n: {"median_us": t * 1000, "min_us": t} for n, t in times.items()},
        "skipped": {"tvm": "not installed: tvm"},
        "agreement": [{"engine": "gatewright", "from": "litert", "difference": 1.0, "unit": "steps"}],
    }
    median, least = row("jet_fp32", ["gatewright", "tvm"], result)
    assert median.split() == ["jet_fp32", "2,000", "-", "0.50", "litert"]
    assert least.split() == ["least", "2.00", "-", "0.50", "litert"]
    assert list(agreement("jet_fp32", result)) == ["  jet_fp32                 gatewright from litert: 1 steps"]
    assert list(skips({"jet_fp32": result})) == ["  tvm: not installed: tvm (everywhere)"]

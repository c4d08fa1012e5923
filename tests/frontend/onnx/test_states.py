"""States on the surface of a model, handed on by the user there and by the graph here."""

from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

onnx = pytest.importorskip("onnx")


def gru(folder: Path) -> Path:
    """Write a GRU of one step: x [1, 1, 4], h_in -> h_out [1, 1, 4]."""
    from onnx import TensorProto, helper

    rng = np.random.default_rng(0)
    sizes = {"W": (1, 12, 4), "R": (1, 12, 4), "B": (1, 24)}
    weights = [
        helper.make_tensor(k, TensorProto.FLOAT, s, rng.normal(0, 0.5, s).ravel().tolist()) for k, s in sizes.items()
    ]
    node = helper.make_node("GRU", ["x", "W", "R", "B", "", "h_in"], ["y", "h_out"], hidden_size=4)

    def info(name: str, *shape: int) -> "onnx.ValueInfoProto":
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    ins, outs = [info("x", 1, 1, 4), info("h_in", 1, 1, 4)], [info("y", 1, 1, 1, 4), info("h_out", 1, 1, 4)]
    graph = helper.make_graph([node], "gru", ins, outs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, str(folder / "gru.onnx"))
    return folder / "gru.onnx"


def test_a_recurrent_step_as_onnxruntime_gives_it(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(gru(tmp_path))
    start = np.random.default_rng(1).normal(0, 1, (1, 1, 4)).astype(np.float32)
    x = np.random.default_rng(2).normal(0, 1, (20, 1, 1, 4)).astype(np.float32)
    state, rows = start, []
    for frame in x:
        y, state = session.run(None, {"x": frame, "h_in": state})
        rows.append(y.reshape(-1))
    graph = gw.load(tmp_path / "gru.onnx", states={"h_in": ("h_out", start[0])})
    assert [op.name for op in (*graph.input_ops, *graph.output_ops)] == ["x", "y"]
    got = np.asarray(gw.evaluate(graph, x[:, 0])).reshape(20, 4)
    np.testing.assert_allclose(got, np.stack(rows), atol=1e-6)


def test_it_is_told_before_any_work(tmp_path: Path) -> None:
    from gatewright.check import obstacles

    path = gru(tmp_path)
    assert not obstacles(path, board="nucleo-l4r5zi", states={"h_in": "h_out"}).problems
    (problem,) = obstacles(path, board="pynq-z2", states={"h_in": "h_out"}).problems
    assert "an HLS project keeps nothing between inferences: the states 'h_in'" in str(problem)
    (problem,) = obstacles(path, board="nucleo-l4r5zi", states={"h_in": "y"}).problems
    assert "has shape (1, 4), its output 'y' has (1, 1, 4)" in str(problem)

"""The test models that come with the onnx package: each is refused, or computes what onnx says that it does."""

import warnings
from typing import Any

import numpy as np
import onnx
import pytest

from gatewright.frontend import load
from gatewright.graph import GatewrightError, evaluate


def collect() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return [c for c in collect_testcases(None) if len(c.data_sets) == 1 and _floats(c)]


def _floats(case: Any) -> bool:
    inputs = case.data_sets[0][0]
    return bool(inputs) and all(isinstance(a, np.ndarray) for a in inputs) and inputs[0].dtype == np.float32


CASES = collect()


def frozen(case: Any) -> onnx.ModelProto:
    """The model with every input but the first stored in it: what a user's file has as weights."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    rest = list(model.graph.input)[1:]
    for value, array in zip(rest, case.data_sets[0][0][1:], strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        model.graph.input.remove(value)
    return model


def outcome(case: Any, model: onnx.ModelProto) -> str:
    """``refused`` or ``right``; fails where the answer is wrong."""
    try:
        graph = load(model)
    except GatewrightError:
        return "refused"
    inputs, outputs = case.data_sets[0]
    given = dict(zip((i.name for i in case.model.graph.input), inputs, strict=True))
    fed = {op.name: given[op.name] for op in graph.input_ops}
    real, raw = evaluate(graph, fed), evaluate(graph, fed, integers=True)
    assert isinstance(real, dict)
    assert isinstance(raw, dict)
    wanted = dict(zip((o.name for o in case.model.graph.output), outputs, strict=True))
    got = {name: raw[name] if want.dtype.kind in "iu" else real[name] for name, want in wanted.items()}
    assert real.keys() == wanted.keys()
    for name, want in wanted.items():
        assert got[name].shape == want.shape
        np.testing.assert_allclose(got[name], want, rtol=1e-3, atol=1e-5)
    return "right"


def test_refused_or_right() -> None:
    wrong, counts = [], {"refused": 0, "right": 0}
    for case in CASES:
        for model in (case.model, frozen(case)):
            try:
                counts[outcome(case, model)] += 1
            except AssertionError as error:
                wrong.append(f"{case.name}: {str(error).strip().splitlines()[0]}")
    assert not wrong, "\n".join(wrong)
    assert counts["right"] > 400, counts


ONCE_REFUSED = ["test_convtranspose_output_shape", "test_resize_downsample_scales_linear_align_corners"]


@pytest.mark.parametrize("name", ONCE_REFUSED)
def test_not_refused(name: str) -> None:
    case = next(c for c in CASES if c.name == name)
    assert outcome(case, frozen(case)) == "right"

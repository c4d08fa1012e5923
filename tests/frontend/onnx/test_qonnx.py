"""QONNX operators against the recorded answers of qonnx (tests/record/qonnx_models.py)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray, evaluate
from gatewright.graph.ops import Dense

from .qonnx_cases import GENERAL, cases, quant
from .quantized import Builder

DATA = Path(__file__).parents[2] / "data" / "qonnx"
CASES = {name: (model, x) for name, model, x in cases()}


@pytest.fixture(scope="module")
def answers() -> dict[str, NDArray]:
    with np.load(DATA / "operators.npz") as file:
        return {name: file[name] for name in file.files}


def test_every_case_is_recorded(answers: dict[str, NDArray]) -> None:
    assert set(answers) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_recorded(name: str, answers: dict[str, NDArray]) -> None:
    """Scales that are powers of two: equal in every bit. Others: within the rounding of float32."""
    model, x = CASES[name]
    got = np.asarray(evaluate(from_object(model), x))
    assert got.shape == answers[name].shape
    np.testing.assert_allclose(got, answers[name], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", [n for n in CASES if n.split("-")[0] in ("quant", "trunc1", "trunc2", "bipolar")])
def test_powers_of_two_are_exact(name: str, answers: dict[str, NDArray]) -> None:
    """Where float32 is exact, so are we: no tolerance."""
    if any(part in name for part in ("scale-0.3", "channel", "one", "0.5")):
        pytest.skip("scales that are no powers of two")
    model, x = CASES[name]
    np.testing.assert_array_equal(np.asarray(evaluate(from_object(model), x)), answers[name])


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"])
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_domains(domain: str, op: str) -> None:
    b = Builder()
    parts = [b.const(np.float32(v)) for v in (0.25, 0.0, 4.0)]
    y = b.op(op, b.input((6,)), *parts, domain=domain, signed=1, narrow=0, rounding_mode="ROUND")
    assert str(from_object(b.model(y)).outputs[0].type.format) == "fixed<4,2>"


def test_quantized_weights_are_integers_through_transposes_and_reshapes() -> None:
    """As Brevitas leaves them: nothing is asked to be cleaned up."""
    rng = np.random.default_rng(0)
    b = Builder()
    x = quant(b, b.input((4,)), 0.3, bits=8.0)
    w = quant(b, b.const(rng.normal(size=(3, 2, 2))), rng.uniform(0.1, 0.2, (3, 1, 1)), bits=4.0, narrow=1)
    w = b.op("Transpose", b.op("Reshape", w, b.const([3, 4], "int64")), perm=[1, 0])
    bias = quant(b, b.const(rng.normal(size=3)), 0.01, bits=16.0)
    graph = from_object(b.model(b.op("Add", b.op("MatMul", x, w), bias)))
    assert all(n.type.is_integer for n in graph.nodes if isinstance(n.op, Dense))


def test_bit_widths_by_channel() -> None:
    """The definition has them; qonnx 1.0 itself cannot run them."""
    bits = np.float32([2, 4, 3]).reshape(1, 3, 1)
    b = Builder()
    model = b.model(quant(b, b.input((3, 9)), 0.3, bits=bits))
    x = np.random.default_rng(0).normal(size=(2, 3, 9)).astype(np.float32) * 3
    units = np.clip(x / np.float32(0.3), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    expected = np.rint(units) * np.float32(0.3)
    np.testing.assert_allclose(np.asarray(evaluate(from_object(model), x)), expected, rtol=1e-6)


REFUSALS: dict[str, tuple[Any, str]] = {
    "scale of zero": (lambda b, x: quant(b, x, 0.0), "not positive"),
    "NaN": (lambda b, x: quant(b, x, np.nan), "NaN"),
    "no bits": (lambda b, x: quant(b, x, 0.5, bits=0.0), "bits"),
    "too many bits": (lambda b, x: quant(b, x, 0.5, bits=64.0), "bits"),
    "mode": (lambda b, x: quant(b, x, 0.5, rounding_mode="STOCHASTIC"), "STOCHASTIC"),
    "shape": (lambda b, x: quant(b, x, np.ones(5)), "shape"),
    "computed scale": (
        lambda b, x: b.op("Quant", x, x, b.const(0.0), b.const(4.0), domain=GENERAL, signed=1, narrow=0),
        "run time",
    ),
    "signed left out": (
        lambda b, x: b.op("Quant", x, *[b.const(v) for v in (1.0, 0.0, 4.0)], domain=GENERAL, narrow=0),
        "signed",
    ),
    "unknown attribute": (lambda b, x: quant(b, x, 0.5, colour=1), "colour"),
    "float": (lambda b, x: b.op("FloatQuant", x, domain=GENERAL), "small floats"),
    "trunc with a zero point": (
        lambda b, x: b.op(
            "Trunc", x, *[b.const(v) for v in (1.0, 1.0, 8.0, 4.0)], domain=GENERAL, rounding_mode="FLOOR"
        ),
        "zero point",
    ),
    "thresholds": (lambda b, x: b.op("MultiThreshold", x, b.const(np.ones((3, 2))), domain=GENERAL), "thresholds"),
    "layout": (
        lambda b, x: b.op("MultiThreshold", x, b.const(np.ones((1, 2))), domain=GENERAL, data_layout="NCHW"),
        "data_layout",
    ),
    "other operators": (lambda b, x: b.op("Im2Col", x, domain=GENERAL), "LowerConvs"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what: str) -> None:
    build, message = REFUSALS[what]
    b = Builder()
    model = b.model(build(b, b.input((4,))))
    with pytest.raises(GatewrightError, match=message):
        from_object(model)


@pytest.mark.live
def test_qonnx_still_says_so(answers: dict[str, NDArray]) -> None:
    wrapper = pytest.importorskip("qonnx.core.modelwrapper")
    execution = pytest.importorskip("qonnx.core.onnx_exec")
    shapes = pytest.importorskip("qonnx.transformation.infer_shapes")
    for name, (model, x) in CASES.items():
        wrapped = wrapper.ModelWrapper(model).transform(shapes.InferShapes())
        got = next(iter(execution.execute_onnx(wrapped, {model.graph.input[0].name: x}).values()))
        np.testing.assert_array_equal(got, answers[name], err_msg=name)

"""Quantization by the range of the data at run time, against onnx's evaluator and ONNX Runtime."""

from typing import Any

import numpy as np
import pytest

from gatewright import lower
from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray, UnsupportedError

from .dynamic import MICROSOFT, dynamic, each, product, samples
from .quantized import RANGES, Builder, ours


def integers(dtype: str, *shape: int, seed: int = 0) -> NDArray:
    low, high = RANGES[dtype]
    return np.random.default_rng(seed).integers(low, high + 1, shape)


def same(model: Any, *xs: NDArray, run: Any = None) -> None:
    """Every output of every sample equals the evaluator's, in every bit."""
    expected = each(model, *xs) if run is None else each(model, *xs, run=run)
    for got, want in zip(ours(model, *xs, integers=True), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def session(model: Any, *xs: NDArray) -> list[NDArray]:
    """What ONNX Runtime gives without its fusions."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    run = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in model.graph.input]
    return [np.asarray(y) for y in run.run(None, dict(zip(names, xs, strict=True)))]


@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 4, 3)])
@pytest.mark.parametrize("batch", ["N", 1])
def test_integers_scale_and_zero_point_of_each_sample(shape: tuple[int, ...], batch: str | int) -> None:
    b = Builder(20)
    q, scale, zero = dynamic(b, b.input(shape, batch=batch))
    same(b.model(q, scale, zero, types={q: "uint8", zero: "uint8"}), samples(1, 60, *shape))


def test_a_batch_that_the_file_fixes_has_one_range() -> None:
    b = Builder(20)
    q, scale, zero = dynamic(b, b.input((3,), batch=4))
    model = b.model(q, scale, zero, types={q: "uint8", zero: "uint8"})
    x = samples(2, 20, 3).reshape(5, 4, 3)
    for k, got in enumerate(zip(*ours(model, x), strict=True)):
        for mine, want in zip(
            got, each(model, x[k].reshape(1, 4, 3), run=lambda m, v: reference_of(m, v[0])), strict=True
        ):
            np.testing.assert_array_equal(mine, want.reshape(mine.shape))


def reference_of(model: Any, x: NDArray) -> list[NDArray]:
    from .quantized import reference

    return [r[None] for r in reference(model, x)]


SCALES: dict[str, Any] = {"tensor": 0.0123, "one": [0.0123], "columns": np.linspace(0.001, 0.02, 5)}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6)])
def test_a_product_and_its_scales(shape: tuple[int, ...], kind: str, scale: str) -> None:
    b = Builder(20)
    zero = np.full(np.shape(SCALES[scale]), 3 if kind == "uint8" else 0)
    y = product(b, "MatMulInteger", b.input(shape), integers(kind, 6, 5), SCALES[scale], zero, kind)
    same(b.model(b.op("Add", y, b.const(np.linspace(-1, 1, 5)))), samples(3, 40, *shape))


def test_sums_beyond_24_bits_are_exact() -> None:
    b = Builder(20)
    q, scale, zero = dynamic(b, b.input((3000,)))
    y = b.op("MatMulInteger", q, b.const(integers("int8", 3000, 2) & 127 | 1, "uint8"), zero)
    real = b.op("Mul", b.op("Cast", y, to=1), scale)
    model, x = b.model(y, real, types={y: "int32"}), np.abs(samples(4, 8, 3000)) + 1
    assert np.abs(each(model, x)[0]).max() > 2**25
    same(model, x)


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_a_convolution_pads_with_the_zero_point(group: int, kind: str) -> None:
    b = Builder(20)
    w, zero = integers(kind, 8, 4 // group, 3, 3), 7 if kind == "uint8" else 0
    y = product(b, "ConvInteger", b.input((4, 6, 5)), w, 0.01, zero, kind, pads=[1, 0, 1, 1], group=group)
    same(b.model(b.op("Add", y, b.const(np.ones((1, 8, 1, 1))))), samples(5, 20, 4, 6, 5))


def test_both_operands_are_computed() -> None:
    b = Builder(20)
    first, second = dynamic(b, b.input((2, 3, 6))), dynamic(b, b.input((2, 6, 4)))
    y = b.op("MatMulInteger", first[0], second[0], first[2], second[2])
    scale = b.op("Mul", first[1], second[1])
    same(b.model(b.op("Mul", b.op("Cast", y, to=1), scale)), samples(6, 20, 2, 3, 6), samples(7, 20, 2, 6, 4))


@pytest.mark.parametrize("zero", ["computed", "constant", "none"])
def test_quantizers_read_a_computed_scale(zero: str) -> None:
    b = Builder(20)
    x = b.input((3, 4))
    _, scale, point = dynamic(b, x)
    more = {"computed": [point], "constant": [b.const(-3, "int8")], "none": []}[zero]
    q = b.op("QuantizeLinear", b.op("Mul", x, b.const(0.77)), scale, *more)
    model = b.model(q, b.op("DequantizeLinear", q, scale, *more), types={q: "int8" if zero == "constant" else "uint8"})
    same(model, samples(12, 20, 3, 4))
    with pytest.raises(GatewrightError, match="takes its scale from the data"):
        lower(from_object(model))


def test_scales_that_the_model_computes_itself_are_not_lowered() -> None:
    b = Builder(20)
    x = b.input((3, 4), batch=1)
    scale = b.op("Div", b.op("ReduceMax", b.op("Abs", x), keepdims=0), b.const(127.0))
    q = b.op("QuantizeLinear", x, scale, b.const(0, "int8"))
    model, xs = b.model(b.op("DequantizeLinear", q, scale, b.const(0, "int8"))), samples(13, 9, 3, 4)[3:]
    np.testing.assert_array_equal(ours(model, xs)[0], each(model, xs)[0])
    with pytest.raises(GatewrightError, match="QuantizeLinear takes its scale"):
        lower(from_object(model))


@pytest.mark.parametrize("move", ["Transpose", "Reshape", "none"])
def test_the_integers_are_moved_and_dequantized(move: str) -> None:
    b = Builder(20)
    q, scale, zero = dynamic(b, b.input((3, 4)))
    if move == "Transpose":
        q = b.op("Transpose", q, perm=[0, 2, 1])
    elif move == "Reshape":
        q = b.op("Reshape", q, b.const([0, 12], "int64"))
    same(b.model(b.op("DequantizeLinear", q, scale, zero)), samples(8, 20, 3, 4))


def test_scales_keep_their_own_axes() -> None:
    """What is computed from scales alone has no batch axis either."""
    b = Builder(20)
    x = b.input((3, 4))
    _, scale, _ = dynamic(b, x)
    wide = b.op("Mul", b.op("Unsqueeze", scale, b.const([0], "int64")), b.const([1.0, 2.0, 3.0, 4.0]))
    b2 = b.op("Reshape", scale, b.const([1, 1], "int64"))
    length = b.op("Cast", b.op("Shape", wide), to=1)
    model = b.model(b.op("Mul", x, wide), b.op("Add", x, b2), b.op("Mul", x, length))
    same(model, samples(9, 20, 3, 4))


def microsoft(op: str, columns: bool, zero: bool, bias: bool) -> Any:
    b = Builder(20)
    x = b.input((3, 6))
    scale, points = (np.linspace(0.01, 0.03, 5), np.arange(5)) if columns else (0.0123, 2)
    w, w_scale = b.const(integers("uint8", 6, 5), "uint8"), b.const(scale)
    w_zero = b.const(points, "uint8") if zero else ""
    last = [b.const(np.linspace(-1, 1, 5))] if bias else []
    if op == "DynamicQuantizeMatMul":
        y = b.op(op, x, w, w_scale, w_zero, *last, domain=MICROSOFT)
    else:
        q, x_scale, x_zero = dynamic(b, x)
        y = b.op(op, q, w, x_scale, w_scale, x_zero, w_zero, *last, domain=MICROSOFT)
    model = b.model(y)
    model.ir_version = 9
    return model


@pytest.mark.parametrize("op", ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"])
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_operators_of_onnx_runtime(op: str, columns: bool, zero: bool, bias: bool) -> None:
    model, x = microsoft(op, columns, zero, bias), samples(10, 20, 3, 6)
    expected, got = each(model, x, run=session)[0], ours(model, x)[0]
    top = np.maximum(np.abs(expected).max(axis=(1, 2), keepdims=True), 1e-9)
    np.testing.assert_allclose(got / top, expected / top, rtol=0, atol=3e-7)


def test_what_reads_its_scale_at_run_time_is_not_lowered() -> None:
    b = Builder(20)
    y = product(b, "MatMulInteger", b.input((6,)), integers("int8", 6, 5), 0.01, 0, "int8")
    y = product(b, "MatMulInteger", b.op("Relu", y), integers("int8", 5, 5), 0.01, 0, "int8")
    graph = from_object(b.model(y))
    assert any("its own range" in note for note in graph.notes)
    for precision in (None, "fixed<16,6>"):
        with pytest.raises(GatewrightError, match="DynamicQuantizeLinear takes its scale from the data") as found:
            lower(graph, precision=precision, samples=samples(11, 20, 6))
        assert len(getattr(found.value, "errors", ())) == 2
        assert "QDQ" in str(found.value)


def joined(b: Builder) -> str:
    x = b.input((4,))
    return b.op("Concat", x, dynamic(b, x)[1], axis=1)


def by_row(b: Builder) -> str:
    x = b.input((4,))
    zero = b.op("Cast", b.op("ReduceMax", x, b.const([1], "int64")), to=2)
    return b.op("MatMulInteger", dynamic(b, x)[0], b.const(integers("int8", 4, 2), "int8"), zero)


REFUSALS: dict[str, tuple[Any, str]] = {
    "a state": (lambda b: b.op("DynamicQuantizeLSTM", b.input((4,)), domain=MICROSOFT), "DynamicQuantizeLSTM"),
    "attention": (lambda b: b.op("QAttention", b.input((4,)), domain=MICROSOFT), "QAttention"),
    "a scale joined with samples": (joined, "with and without the batch"),
    "zero points by row": (by_row, "not one number"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what: str) -> None:
    build, message = REFUSALS[what]
    b = Builder(20)
    with pytest.raises(UnsupportedError, match=message):
        from_object(b.model(build(b)))

"""QuantizeLinear and DequantizeLinear against onnx's evaluator: every type, axis, block, opset and attribute."""

from typing import Any

import numpy as np
import pytest

from gatewright.frontend.onnx import from_object
from gatewright.graph import Affine, Fixed, GatewrightError, NDArray
from gatewright.graph.ops import Constant, Conv, Dense, Quantize

from .quantized import NEWEST, RANGES, Builder, number_of, ours, reference

TYPES = [t for t in RANGES if t != "int32"]
SINCE = {"int4": 21, "uint4": 21, "int16": 21, "uint16": 21, "int2": 25, "uint2": 25}


def samples(shape: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> NDArray:
    """Values on and beside ties, far outside too."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, *shape)) * scale * 40
    ties = (rng.integers(-300, 300, (5, *shape)) + 0.5) * np.float32(scale)
    return np.where(rng.random((5, *shape)) < 0.3, ties, x).astype(np.float32)


def zeros_for(dtype: str, count: int, seed: int = 0) -> NDArray:
    low, high = RANGES[dtype]
    return np.random.default_rng(seed).integers(low, high + 1, count)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("opset", [10, 13, 19, 21, 23, 24, 25, NEWEST])
def test_per_tensor(dtype: str, opset: int) -> None:
    if opset < SINCE.get(dtype, 10):
        pytest.skip("a type of later versions")
    b = Builder(opset)
    x = b.input((7,))
    q = b.quantize(x, 0.37, zeros_for(dtype, 1)[0], dtype)
    model = b.model(q, b.dequantize(q, 0.37, zeros_for(dtype, 1)[0], dtype), types={q: dtype})
    data = samples((7,), 0.37)
    stored, real = reference(model, data)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], stored.astype(np.int64))
    np.testing.assert_allclose(ours(model, data)[1], real, rtol=3e-7, atol=0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "int4"])
@pytest.mark.parametrize(("axis", "length"), [(1, 3), (2, 4), (-1, 5), (-3, 3)])
def test_per_axis(dtype: str, axis: int, length: int) -> None:
    scale = np.random.default_rng(3).uniform(0.1, 0.9, length)
    b = Builder()
    q = b.quantize(b.input((3, 4, 5)), scale, zeros_for(dtype, length), dtype, axis=axis)
    model = b.model(q, b.dequantize(q, scale, zeros_for(dtype, length), dtype, axis=axis), types={q: dtype})
    data = samples((3, 4, 5), 0.4)
    stored, real = reference(model, data)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], stored.astype(np.int64))
    np.testing.assert_allclose(ours(model, data)[1], real, rtol=3e-7, atol=0)


@pytest.mark.parametrize("dtype", ["int8", "uint4"])
@pytest.mark.parametrize(("axis", "shape"), [(1, (1, 2, 6)), (2, (1, 3, 3)), (-1, (1, 3, 3))])
def test_per_block(dtype: str, axis: int, shape: tuple[int, ...]) -> None:
    """Blocks of 2 along an axis of 3 (the last block is shorter) or 6."""
    scale = np.random.default_rng(3).uniform(0.1, 0.9, shape)
    zero = zeros_for(dtype, int(np.prod(shape))).reshape(shape)
    b = Builder()
    q = b.quantize(b.input((3, 6), batch=1), scale, zero, dtype, axis=axis, block_size=2)
    model = b.model(q, b.dequantize(q, scale, zero, dtype, axis=axis, block_size=2), types={q: dtype})
    data = samples((3, 6), 0.4)[:1]
    stored, real = reference(model, data)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], stored.astype(np.int64))
    np.testing.assert_allclose(ours(model, data)[1], real, rtol=3e-7, atol=0)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint4", ""])
def test_the_type_of_the_output_is_an_attribute(dtype: str) -> None:
    b = Builder()
    x, scale = b.input((7,)), b.const(0.37)
    q = b.op("QuantizeLinear", x, scale, **({"output_dtype": number_of(dtype)} if dtype else {}))
    model = b.model(q, types={q: dtype or "uint8"})
    data = samples((7,), 0.37)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], reference(model, data)[0].astype(np.int64))


def test_saturate_and_precision_change_nothing_for_integers() -> None:
    b = Builder()
    q = b.quantize(b.input((7,)), 0.37, 3, "int8", saturate=0, precision=number_of("float"))
    model = b.model(q, types={q: "int8"})
    data = samples((7,), 0.37)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], reference(model, data)[0].astype(np.int64))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("axis", "block", "shape"), [(0, 0, ()), (0, 0, (6,)), (1, 0, (4,)), (0, 4, (2, 4)), (1, 3, (6, 2))]
)
def test_weights_keep_their_integers(dtype: str, axis: int, block: int, shape: tuple[int, ...]) -> None:
    """Also where the file stores floats and quantizes them itself."""
    rng = np.random.default_rng(5)
    scale = rng.uniform(0.05, 0.1, shape)
    zero = zeros_for(dtype, max(1, int(np.prod(shape)))).reshape(shape)
    more: dict[str, Any] = {"axis": axis} | ({"block_size": block} if block else {})
    b = Builder()
    x = b.qdq(b.input((6,)), 0.11, 3, "int8")
    w = b.const(rng.normal(size=(6, 4)) * 0.3)
    y = b.op("MatMul", x, b.qdq(w, scale, zero, dtype, **more))
    model = b.model(y)
    graph = from_object(model)
    dense = next(n for n in graph.nodes if isinstance(n.op, Dense))
    assert dense.type.is_integer
    data = rng.normal(size=(9, 6)).astype(np.float32)
    np.testing.assert_allclose(ours(model, data)[0], reference(model, data)[0], rtol=1e-5, atol=1e-5)


def test_a_pair_is_one_quantizer_and_scales_that_are_powers_of_two_are_fixed_point() -> None:
    b = Builder()
    x = b.qdq(b.input((3, 4)), 0.25, 0, "int8")
    y = b.qdq(b.op("Relu", x), [0.5, 0.125, 1.0], [0, 0, 0], "uint8", axis=1)
    graph = from_object(b.model(y))
    first, second = (n for n in graph.nodes if isinstance(n.op, Quantize))
    assert first.type.format == Fixed(8, 6, True)
    assert isinstance(second.type.format, Fixed)
    assert isinstance(from_object_quantizer(0.3), Affine)
    assert len(graph.nodes) == 5


def from_object_quantizer(scale: float) -> Any:
    b = Builder()
    graph = from_object(b.model(b.qdq(b.input((3,)), scale, 4, "int8")))
    return next(n for n in graph.nodes if isinstance(n.op, Quantize)).type.format


def test_another_scale_behind_is_a_change_of_numbers() -> None:
    """A DequantizeLinear need not read with the numbers that were written."""
    b = Builder()
    q = b.quantize(b.input((7,)), 0.37, 5, "int8")
    model = b.model(b.dequantize(q, 0.11, -3, "int8"), b.dequantize(q, 0.37, 4, "int8"))
    data = samples((7,), 0.37)
    for got, expected in zip(ours(model, data), reference(model, data), strict=True):
        np.testing.assert_allclose(got, expected, rtol=3e-7)


def test_biases_are_integers_in_the_unit_of_the_product() -> None:
    rng = np.random.default_rng(7)
    scale = rng.uniform(0.01, 0.1, 4).astype(np.float32)
    b = Builder()
    x = b.qdq(b.input((3, 6, 6)), 0.021, 100, "uint8")
    w = b.weights(rng.integers(-128, 128, (4, 3, 3, 3)), scale, axis=0)
    stored = rng.integers(-900, 900, 4)
    bias = b.weights(stored, scale * np.float32(0.021), "int32", axis=0)
    model = b.model(b.op("Conv", x, w, bias))
    graph = from_object(model)
    conv = next(n for n in graph.nodes if isinstance(n.op, Conv))
    assert conv.type.is_integer
    assert isinstance(conv.inputs[2].op, Constant)
    np.testing.assert_array_equal(conv.inputs[2].op.value.data, stored)
    data = rng.normal(size=(4, 3, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(ours(model, data)[0], reference(model, data)[0], rtol=1e-5, atol=1e-4)


def test_biases_of_another_scale_or_of_floats_stay_floats() -> None:
    rng = np.random.default_rng(7)
    for float_bias in (True, False):
        b = Builder()
        x = b.qdq(b.input((6,)), 0.021, 100, "uint8")
        w = b.weights(rng.integers(-128, 128, (4, 6)), 0.03)
        bias = b.const(rng.normal(size=4)) if float_bias else b.weights(rng.integers(-90, 90, 4), 0.01, "int8")
        model = b.model(b.op("Gemm", x, w, bias, transB=1, alpha=0.5, beta=2.0))
        data = rng.normal(size=(4, 6)).astype(np.float32)
        np.testing.assert_allclose(ours(model, data)[0], reference(model, data)[0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "move", ["Transpose", "Reshape", "Squeeze", "Slice", "Gather", "Flatten", "Identity", "Unsqueeze"]
)
def test_weights_that_are_moved_keep_their_integers(move: str) -> None:
    rng = np.random.default_rng(7)
    b = Builder()
    x = b.qdq(b.input((4,)), 0.021, 100, "uint8")
    shape = {"Squeeze": (1, 4, 4), "Unsqueeze": (4,), "Gather": (9, 4), "Slice": (8, 4), "Reshape": (2, 2, 4)}.get(
        move, (4, 4)
    )
    scale = rng.uniform(0.01, 0.1, shape[-1])
    w = b.weights(rng.integers(-128, 128, shape), scale, axis=len(shape) - 1)
    match move:
        case "Transpose":
            w = b.op("Transpose", w, perm=[1, 0])
        case "Reshape":
            w = b.op("Reshape", w, b.const([4, 4], "int64"))
        case "Squeeze" | "Unsqueeze":
            w = b.op(move, w, b.const([0 if move == "Squeeze" else 1], "int64"))
        case "Slice":
            w = b.op(
                "Slice", w, b.const([0], "int64"), b.const([8], "int64"), b.const([0], "int64"), b.const([2], "int64")
            )
        case "Gather":
            w = b.op("Gather", w, b.const([3, 1, 8, 0], "int64"))
        case _:
            w = b.op(move, w)
    model = b.model(b.op("MatMul", x, w))
    dense = next(n for n in from_object(model).nodes if isinstance(n.op, Dense))
    assert dense.type.is_integer
    data = rng.normal(size=(4, 4)).astype(np.float32)
    np.testing.assert_allclose(ours(model, data)[0], reference(model, data)[0], rtol=1e-5, atol=1e-4)


REFUSALS: dict[str, tuple[Any, str]] = {
    "scale of zero": (lambda b, x: b.quantize(x, 0.0), "not positive"),
    "negative scale": (lambda b, x: b.quantize(x, -1.0), "not positive"),
    "infinite scale": (lambda b, x: b.quantize(x, np.inf), "not positive"),
    "NaN scale": (lambda b, x: b.quantize(x, np.nan), "not positive"),
    "computed scale": (
        lambda b, x: b.op("QuantizeLinear", x, b.op("GlobalMaxPool", x), b.const(0, "uint8")),
        "computed, and not one number",
    ),
    "float8": (lambda b, x: b.quantize(x, 1.0, 0, "float8e4m3fn"), "float8"),
    "half scale": (lambda b, x: b.op("QuantizeLinear", x, b.const(1.0, "float16"), b.const(0, "uint8")), "float16"),
    "precision": (lambda b, x: b.quantize(x, 1.0, 0, "uint8", precision=11), "precision"),
    "types that differ": (lambda b, x: b.quantize(x, 1.0, 0, "uint8", output_dtype=number_of("int8")), "type uint8"),
    "the batch": (lambda b, x: b.quantize(x, [1.0, 2.0, 3.0], [0, 0, 0], axis=0), "batch"),
    "too few scales": (lambda b, x: b.quantize(x, [1.0, 2.0, 3.0], [0, 0, 0], axis=1), "3 scales"),
    "no such axis": (lambda b, x: b.quantize(x, [1.0, 2.0], [0, 0], axis=7), "axis 7"),
    "blocks": (
        lambda b, x: b.quantize(x, np.ones((1, 3, 1)), np.zeros((1, 3, 1)), axis=1, block_size=2),
        "blocks of 2",
    ),
    "two zero points": (lambda b, x: b.quantize(x, 1.0, [0, 0]), "zero point"),
    "a type of floats": (lambda b, x: b.op("QuantizeLinear", x, b.const(1.0), output_dtype=1), "float32"),
    "no such type": (lambda b, x: b.op("QuantizeLinear", x, b.const(1.0), output_dtype=99), "output_dtype"),
    "dequantized floats": (lambda b, x: b.op("DequantizeLinear", x, b.const(1.0)), "QuantizeLinear"),
    "half output": (
        lambda b, x: b.op("DequantizeLinear", b.quantize(x, 1.0), b.const(1.0), b.const(0, "uint8"), output_dtype=10),
        "output_dtype",
    ),
    "zero point of another type": (
        lambda b, x: b.op("DequantizeLinear", b.quantize(x, 1.0), b.const(1.0), b.const(0, "int8")),
        "type int8",
    ),
    "unknown attribute": (lambda b, x: b.quantize(x, 1.0, mode=3), "mode"),
    "constants beyond float32": (lambda b, x: b.op("Add", x, b.weights(np.full((4, 1), 100), 3e38)), "float32"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals_name_the_operator_and_the_reason(what: str) -> None:
    build, message = REFUSALS[what]
    b = Builder()
    model = b.model(build(b, b.input((4, 1))))
    with pytest.raises(GatewrightError) as caught:
        from_object(model)
    assert message in str(caught.value)
    assert "Linear" in caught.value.where or "Abs" in caught.value.where or "Many" in type(caught.value).__name__

"""Operators on stored integers against onnx's evaluator, which computes in float64: equal but for exact ties."""

from typing import Any

import numpy as np
import pytest

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray

from .quantized import RANGES, Builder, ours, reference

KINDS = ["int8", "uint8"]


def integers(dtype: str, *shape: int, seed: int = 0) -> NDArray:
    low, high = RANGES[dtype]
    return np.random.default_rng(seed).integers(low, high + 1, shape)


def same(model: Any, *xs: NDArray, steps: int = 0) -> None:
    """Raw integers out, equal to the evaluator's within ``steps``."""
    got, expected = ours(model, *xs, integers=True), reference(model, *xs)
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape
        assert np.abs(g.astype(np.int64) - e.astype(np.int64)).max() <= steps


def qlinear_conv(
    b: Builder, x: str, kinds: tuple[str, str, str], weights: NDArray, per_channel: bool, **more: Any
) -> str:
    first, second, third = kinds
    filters = weights.shape[0]
    rng = np.random.default_rng(filters)
    scale: Any = rng.uniform(0.002, 0.01, filters) if per_channel else 0.0071
    zero = np.zeros(np.shape(scale)) + (3 if second == "uint8" else 0)
    bias = b.const(rng.integers(-3000, 3000, filters), "int32")
    return b.op(
        "QLinearConv",
        x,
        b.const(0.031),
        b.const(RANGES[first][1] // 3, first),
        b.const(weights, second),
        b.const(scale),
        b.const(zero, second),
        b.const(0.173),
        b.const(5, third),
        bias,
        **more,
    )


WINDOWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "padded": {"pads": [1, 0, 2, 1]},
    "strided": {"strides": [2, 1], "pads": [1, 1, 1, 1]},
    "dilated": {"dilations": [2, 1], "kernel_shape": [3, 2]},
    "grouped": {"group": 2},
    "depthwise": {"group": 4, "pads": [1, 1, 1, 1]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER"},
    "valid": {"auto_pad": "VALID"},
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kinds", [("uint8", "int8", "uint8"), ("int8", "int8", "int8"), ("uint8", "uint8", "uint8")])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv(window: str, kinds: tuple[str, str, str], per_channel: bool) -> None:
    if per_channel and kinds[1] == "uint8":
        pytest.skip("per channel is for int8 weights")
    more = WINDOWS[window]
    b = Builder()
    x = b.input((4, 7, 6), kinds[0])
    weights = integers(kinds[1], 8, 4 // more.get("group", 1), 3, 2)
    y = qlinear_conv(b, x, kinds, weights, per_channel, **more)
    same(b.model(y, types={y: kinds[2]}), integers(kinds[0], 3, 4, 7, 6, seed=4))


def powers_of_two(op: str, bias: NDArray) -> Any:
    """An operator whose filters have scales of different powers of two: their biases count in units of their own."""
    b, scales = Builder(), np.array([2.0**-7, 2.0**-8, 2.0**-9, 2.0**-6])
    x = b.input((6, 4, 5) if op == "QLinearConv" else (6,), "int8")
    weights = integers("int8", 4, 6, 1, 2) if op == "QLinearConv" else integers("int8", 4, 6)
    parts = [b.const(weights, "int8"), b.const(scales), b.const(np.zeros(4), "int8")]
    out = [b.const(0.5), b.const(10, "int8")]
    last = b.const(bias, "int32")
    if op == "QLinearConv":
        y = b.op(op, x, b.const(2.0**-4), b.const(7, "int8"), *parts, *out, last)
    else:
        more = {"transB": 1, "alpha": 1.0, "domain": "com.microsoft"}
        y = b.op(op, x, b.const(2.0**-4), b.const(7, "int8"), *parts, last, *out, **more)
    return b.model(y, types={y: "int8"})


@pytest.mark.parametrize("op", ["QLinearConv", "QGemm"])
def test_biases_of_filters_with_different_powers_of_two(op: str) -> None:
    bias = np.array([-2140, 1087, -3442, 2318])
    x = integers("int8", 3, *((6, 4, 5) if op == "QLinearConv" else (6,)), seed=3)
    got = ours(powers_of_two(op, bias), x, integers=True)[0].astype(np.int64)
    weights = (integers("int8", 4, 6, 1, 2) if op == "QLinearConv" else integers("int8", 4, 6)).astype(np.int64)
    if op == "QLinearConv":
        windows = np.stack([x[..., :-1], x[..., 1:]], axis=-1) - 7
        sums = np.einsum("bchwk,ock->bohw", windows, weights[:, :, 0])
    else:
        sums = (x - 7) @ weights.T
    shape = (1, 4, *(1,) * (sums.ndim - 2))
    units = np.array([2.0**-7, 2.0**-8, 2.0**-9, 2.0**-6]).reshape(shape) * 2.0**-4
    expected = np.clip(np.rint((sums + bias.reshape(shape)) * units / 0.5) + 10, -128, 127)
    assert (got == expected).all()


def test_a_network_of_stored_integers() -> None:
    """Convolutions, a pool, a reshape and a product, without any float."""
    b = Builder()
    x = b.input((3, 8, 8), "uint8")
    kinds = ("uint8", "int8", "uint8")
    y = b.op(
        "MaxPool", qlinear_conv(b, x, kinds, integers("int8", 4, 3, 3, 3), True), kernel_shape=[2, 2], strides=[2, 2]
    )
    y = b.op("Transpose", qlinear_conv(b, y, kinds, integers("int8", 6, 4, 2, 2), False), perm=[0, 2, 3, 1])
    y = b.op("Flatten", y)
    y = b.op(
        "QLinearMatMul", y, b.const(0.173), b.const(5, "uint8"), b.const(integers("int8", 24, 5), "int8"),
        b.const(np.linspace(0.001, 0.01, 5)), b.const(np.zeros(5), "int8"), b.const(0.9), b.const(-4, "int8"),
    )  # fmt: skip
    same(b.model(y, types={y: "int8"}), integers("uint8", 6, 3, 8, 8, seed=5))


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("constant", [True, False])
def test_qlinear_matmul(first: str, second: str, constant: bool) -> None:
    b = Builder()
    x = b.input((5, 6), first)
    y = b.const(integers(second, 6, 3), second) if constant else b.input((6, 3), second)
    parts = [b.const(0.031), b.const(7, first), y, b.const(0.0123), b.const(3, second)]
    out = b.op("QLinearMatMul", x, *parts, b.const(0.077), b.const(4, second))
    xs = [integers(first, 3, 5, 6, seed=1)] + ([] if constant else [integers(second, 3, 6, 3, seed=2)])
    same(b.model(out, types={out: second}), *xs)


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("zeros", ["none", "one", "columns"])
def test_matmul_integer(first: str, second: str, zeros: str) -> None:
    b = Builder()
    x, w = b.input((5, 6), first), b.const(integers(second, 6, 3), second)
    more: list[str] = []
    if zeros != "none":
        more = [b.const(9, first), b.const(4 if zeros == "one" else [1, 2, 3], second)]
    y = b.op("MatMulInteger", x, w, *more)
    z = b.op("Mul", b.op("Cast", y, to=1), b.const(0.0123))
    model = b.model(y, z, types={y: "int32"})
    data = integers(first, 4, 5, 6, seed=1)
    stored, real = reference(model, data)
    np.testing.assert_array_equal(ours(model, data, integers=True)[0], stored)
    np.testing.assert_allclose(ours(model, data)[1], real, rtol=3e-7)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kinds", [("uint8", "int8"), ("int8", "uint8")])
def test_conv_integer(window: str, kinds: tuple[str, str]) -> None:
    more = WINDOWS[window]
    b = Builder()
    x, w = b.input((4, 7, 6), kinds[0]), b.const(integers(kinds[1], 8, 4 // more.get("group", 1), 3, 2), kinds[1])
    y = b.op("ConvInteger", x, w, b.const(11, kinds[0]), b.const(3, kinds[1]), **more)
    same(b.model(y, types={y: "int32"}), integers(kinds[0], 3, 4, 7, 6, seed=4))


def test_inputs_of_integers_take_the_numbers_of_their_reader_or_are_themselves() -> None:
    b = Builder()
    x = b.input((6,), "uint8")
    y = b.dequantize(x, 0.37, 5)
    graph = from_object(b.model(y))
    assert str(graph.inputs[0].type.format) == "uint8(scale=0.37, zero=5)"
    b = Builder()
    x = b.input((6,), "int8")
    y, z = b.dequantize(x, 0.37, 5, "int8"), b.dequantize(x, 0.5, 0, "int8")
    model = b.model(y, z)
    assert str(from_object(model).inputs[0].type.format) == "fixed<8,8>"
    data = integers("int8", 4, 6)
    for got, expected in zip(ours(model, data), reference(model, data.astype(np.int8)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=3e-7)


MOVES: dict[str, Any] = {
    "Concat": lambda b, q, other: b.op("Concat", q, other, axis=1),
    "Pad": lambda b, q, other: b.op("Pad", q, b.const([0, 1, 2, 0, 0, 1], "int64")),
    "Pad with a value": lambda b, q, other: b.op("Pad", q, b.const([0, 1, 2, 0, 0, 1], "int64"), b.const(7, "int8")),
    "MaxPool": lambda b, q, other: b.op("MaxPool", q, kernel_shape=[2], strides=[1]),
    "Gather": lambda b, q, other: b.op("Gather", q, b.const([2, 0], "int64"), axis=1),
    "Slice": lambda b, q, other: b.op("Slice", q, b.const([1], "int64"), b.const([3], "int64"), b.const([2], "int64")),
    "Tile": lambda b, q, other: b.op("Tile", q, b.const([1, 2, 1], "int64")),
    "Max": lambda b, q, other: b.op("Max", q, other),
    "Min with a constant": lambda b, q, other: b.op("Min", q, b.const([[[3]]], "int8")),
    "Squeeze": lambda b, q, other: b.op("Squeeze", b.op("Unsqueeze", q, b.const([1], "int64")), b.const([1], "int64")),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("zero", [0, 9])
def test_stored_integers_are_moved(move: str, zero: int) -> None:
    """Also where the two operands have another scale and zero point: it is the stored integers that move."""
    b = Builder()
    q = b.quantize(b.input((3, 4)), 0.31, zero, "int8")
    other = b.quantize(b.input((3, 4)), 0.7, zero - 1, "int8")
    y = MOVES[move](b, q, other)
    used = b.op("Identity", other)
    model = b.model(y, used, types={y: "int8", used: "int8"})
    rng = np.random.default_rng(0)
    same(model, *(rng.normal(size=(3, 3, 4)).astype(np.float32) * 10 for _ in range(2)))


REFUSALS: dict[str, tuple[Any, str]] = {
    "a float operand": (lambda b: b.op("MatMulInteger", b.input((4,)), b.const(np.ones((4, 2)), "int8")), "integers"),
    "float weights": (lambda b: b.op("MatMulInteger", b.input((4,), "int8"), b.const(np.ones((4, 2)))), "integers"),
    "zero point per row": (
        lambda b: b.op(
            "MatMulInteger", b.input((3, 4), "int8"), b.const(np.ones((4, 2)), "int8"), b.const([1, 2, 3], "int8")
        ),
        "zero point",
    ),
    "a sum beyond int32": (
        lambda b: b.op("MatMulInteger", b.input((70000,), "uint8"), b.const(np.full((70000, 1), 255), "uint8")),
        "int32",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what: str) -> None:
    build, message = REFUSALS[what]
    b = Builder()
    model = b.model(build(b))
    with pytest.raises(GatewrightError, match=message):
        from_object(model)

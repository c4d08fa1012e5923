"""Each operation on floats against the plain formula."""

from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np
import pytest

from gatewright.graph import Array, Graph, Node, Op, OptionError, ShapeError, evaluate
from gatewright.graph.ops import (
    FUNCTIONS,
    Activation,
    Add,
    AvgPool,
    Broadcast,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Div,
    Gather,
    Input,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    Output,
    Pad,
    Power,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Sub,
    Transpose,
    Upsample,
)

RNG = np.random.default_rng(11)


def apply(op: Op, *xs: np.ndarray, constants: tuple[np.ndarray, ...] = ()) -> np.ndarray:
    """Run one operation on samples [batch, ...] and constants."""
    inputs = tuple(Node(Input(f"x{i}", x.shape[1:])) for i, x in enumerate(xs))
    fixed = tuple(Node(Constant(Array(c.astype(np.float32)))) for c in constants)
    graph = Graph(inputs, (Node(Output("y"), (Node(op, (*inputs, *fixed)),)),))
    y = evaluate(graph, list(xs) if len(xs) > 1 else xs[0])
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    assert y.shape[1:] == graph.outputs[0].shape
    return y


def real(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1, shape).astype(np.float32)


def close(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("op", "formula"),
    [
        (Add(), lambda a, b: a + b), (Sub(), lambda a, b: a - b), (Mul(), lambda a, b: a * b),
        (Div(), lambda a, b: a / b),
        (Maximum(), np.maximum), (Minimum(), np.minimum),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "shapes", [((3, 2), (3, 2)), ((3, 2), (2,)), ((1, 4), (3, 1)), ((), (2,)), ((2, 1, 3), (4, 1))]
)
def test_pointwise(op: Op, formula: Callable[..., np.ndarray], shapes: Any) -> None:
    a, b = real(5, *shapes[0]), real(5, *shapes[1])
    rank = max(map(len, shapes))
    wide = [v.reshape(5, *(1,) * (rank - v.ndim + 1), *v.shape[1:]) for v in (a, b)]
    close(apply(op, a, b), formula(*wide))


def test_power() -> None:
    a = np.abs(real(4, 3)) + 0.1
    close(
        apply(Power(), a, constants=(np.array([2.0, 0.5, -1.0]),)),
        np.stack([a[:, 0] ** 2, a[:, 1] ** 0.5, 1 / a[:, 2]], 1),
    )


def test_division_by_zero_is_not_an_error_of_ours() -> None:
    y = apply(Div(), np.array([[1.0, -1.0, 0.0]], np.float32), constants=(np.zeros(3),))
    np.testing.assert_array_equal(y, [[np.inf, -np.inf, np.nan]])


def test_relu() -> None:
    x = real(4, 3)
    np.testing.assert_array_equal(apply(Relu(), x), np.where(x > 0, x, 0))


def test_dense() -> None:
    x, w, b = real(4, 2, 3), real(3, 5), real(5)
    close(apply(Dense(), x, constants=(w, b)), np.einsum("abk,kn->abn", x, w) + b)
    close(apply(Dense(), x, constants=(w,)), np.einsum("abk,kn->abn", x, w))


def test_matmul_broadcasts_its_leading_axes() -> None:
    x, y = real(4, 2, 3, 5), real(4, 5, 6)
    close(apply(MatMul(), x, y), np.einsum("zaik,zkj->zaij", x, y))
    close(apply(MatMul(), x, constants=(y[0],)), np.einsum("zaik,kj->zaij", x, y[0]))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 0), (2, 1))])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
def test_convolution(groups: int, strides: Any, padding: Any, dilation: Any) -> None:
    x, w, b = real(2, 7, 6, 4), real(3, 2, 4 // groups, 8), real(8)
    op = Conv(strides, padding, dilation, groups)
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    rows = (padded.shape[1] - 2 * dilation[0] - 1) // strides[0] + 1
    columns = (padded.shape[2] - dilation[1] - 1) // strides[1] + 1
    y = np.zeros((2, rows, columns, 8)) + b
    for i, j, f, u, v, c in np.ndindex(rows, columns, 8, 3, 2, 4 // groups):
        cell = padded[
            :,
            i * strides[0] + u * dilation[0],
            j * strides[1] + v * dilation[1],
            f // (8 // groups) * (4 // groups) + c,
        ]
        y[:, i, j, f] += cell * w[u, v, c, f]
    close(apply(op, x, constants=(w, b)), y)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("stride", "crop", "extra", "dilation"),
    [(1, (0, 0), 0, 1), (2, (1, 0), 1, 1), (3, (0, 2), 0, 2), (2, (0, 0), 3, 1)],
)
def test_transposed_convolution(groups: int, stride: int, crop: tuple[int, int], extra: int, dilation: int) -> None:
    x, w, b = real(2, 5, 4), real(3, 3, 4), real(3 * groups)
    y = np.zeros((2, 4 * stride + 2 * dilation + 1 + extra, 3 * groups))
    for i, t, f, c in np.ndindex(5, 3, 3, 4):
        y[:, i * stride + t * dilation, c // (4 // groups) * 3 + f] += x[:, i, c] * w[t, f, c]
    y = y[:, crop[0] : y.shape[1] - crop[1]] + b
    close(apply(ConvTranspose((stride,), (crop,), (extra,), (dilation,), groups), x, constants=(w, b)), y)


@pytest.mark.parametrize("count_padding", [False, True])
def test_pooling(count_padding: bool) -> None:
    x = real(3, 7, 2)
    window, stride, pads = 3, 2, (1, 2)
    length = (7 + 3 - 3) // 2 + 1
    padded = np.pad(x, ((0, 0), pads, (0, 0)), constant_values=np.nan)
    parts = [padded[:, i * stride : i * stride + window] for i in range(length)]
    close(apply(MaxPool((3,), (2,), (pads,), (1,)), x), np.stack([np.nanmax(p, axis=1) for p in parts], 1))
    mean = [np.nansum(p, axis=1) / 3 if count_padding else np.nanmean(p, axis=1) for p in parts]
    close(apply(AvgPool((3,), (2,), (pads,), (1,), count_padding), x), np.stack(mean, 1))


def test_the_overhang_of_a_rounded_up_length_never_counts() -> None:
    x = real(2, 5, 1)
    y = apply(AvgPool((2,), (2,), ((0, 1),), (1,), True, (1,)), x)
    close(y, np.stack([x[:, :2].mean(1), x[:, 2:4].mean(1), x[:, 4]], 1))


@pytest.mark.parametrize(
    ("kind", "fold"),
    [
        (Reduction.SUM, np.sum),
        (Reduction.MEAN, np.mean),
        (Reduction.MAX, np.max),
        (Reduction.MIN, np.min),
        (Reduction.PROD, np.prod),
    ],
)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(kind: Reduction, fold: Any, axes: tuple[int, ...], keep: bool) -> None:
    x = real(4, 2, 3, 4)
    close(apply(Reduce(kind, axes, keep), x), fold(x, axis=tuple(a + 1 for a in axes), keepdims=keep))


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_does_not_overflow(axis: int) -> None:
    x = real(4, 3, 5) * 300
    e = np.exp(x.astype(np.float64) - x.max(axis=axis + 1, keepdims=True))
    close(apply(Softmax(axis), x), e / e.sum(axis=axis + 1, keepdims=True))


@pytest.mark.parametrize(
    ("op", "formula"),
    [
        (Reshape((6, 2)), lambda v: v.reshape(-1, 6, 2)),
        (Transpose((2, 0, 1)), lambda v: v.transpose(0, 3, 1, 2)),
        (Slice((0, 2, 1), (2, None, 2), (1, -1, 1)), lambda v: v[:, 0:2, 2::-1, 1:2]),
        (Gather(1, (2, 0, 0, 1)), lambda v: v[:, :, [2, 0, 0, 1]]),
        (Broadcast((4, 2, 3, 2)), lambda v: np.broadcast_to(v[:, None], (5, 4, 2, 3, 2))),
        (Upsample((2, 1, 3)), lambda v: v.repeat(2, 1).repeat(3, 3)),
        (
            Pad(((1, 0), (0, 2), (0, 0)), -1.5),
            lambda v: np.pad(v, ((0, 0), (1, 0), (0, 2), (0, 0)), constant_values=-1.5),
        ),
    ],
)
def test_moves(op: Op, formula: Any) -> None:
    x = real(5, 2, 3, 2)
    np.testing.assert_array_equal(apply(op, x), formula(x))


def test_concat_of_several() -> None:
    a, b, c = real(3, 2, 2), real(3, 1, 2), real(3, 4, 2)
    np.testing.assert_array_equal(apply(Concat(0), a, b, c), np.concatenate([a, b, c], 1))


X = np.linspace(-6, 6, 241)
SMALL, LARGE, ABOVE = np.linspace(-0.99, 0.99, 67), np.linspace(1.01, 9, 67), np.linspace(0.01, 9, 67)
SIGMOID = 1 / (1 + np.exp(-X))
ERF = np.array([erf(v) for v in X / np.sqrt(2)])
HALF = np.concatenate([X, X / 3e5, X * 6e3, np.arange(2048, 2080)]).astype(np.float32).astype(np.float64)
"""Numbers that float16 holds, with its subnormal ones, and ties between them."""
FORMULAS: dict[str, tuple[tuple[float, ...], np.ndarray, np.ndarray]] = {
    "sigmoid": ((), X, SIGMOID), "tanh": ((), X, 2 / (1 + np.exp(-2 * X)) - 1), "exp": ((), X, np.e**X),
    "log": ((), ABOVE, np.log(ABOVE)), "sqrt": ((), ABOVE, ABOVE**0.5), "rsqrt": ((), ABOVE, ABOVE**-0.5),
    "reciprocal": ((), ABOVE, ABOVE**-1.0), "erf": ((), X, np.array([erf(v) for v in X])), "sin": ((), X, np.sin(X)),
    "cos": ((), X, np.sin(X + np.pi / 2)), "tan": ((), SMALL, np.sin(SMALL) / np.cos(SMALL)),
    "asin": ((), SMALL, np.arcsin(SMALL)),
    "acos": ((), SMALL, np.pi / 2 - np.arcsin(SMALL)), "atan": ((), X, np.arctan2(X, 1)),
    "sinh": ((), X, (np.exp(X) - np.exp(-X)) / 2), "cosh": ((), X, (np.exp(X) + np.exp(-X)) / 2),
    "asinh": ((), X, np.sign(X) * np.log(np.abs(X) + np.sqrt(X**2 + 1))),
    "acosh": ((), LARGE, np.log(LARGE + np.sqrt(LARGE**2 - 1))),
    "atanh": ((), SMALL, 0.5 * np.log((1 + SMALL) / (1 - SMALL))), "abs": ((), X, np.maximum(X, -X)),
    "sign": ((), X, (X > 0) * 1.0 - (X < 0)), "floor": ((), X, X // 1), "ceil": ((), X, -(-X // 1)),
    "round_float": ((10.0, -14.0, 65504.0, 1.0), HALF, HALF.astype(np.float16).astype(np.float64)),
    "round": ((), np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 2.4]), np.array([-2, 0, 0, 2, 2, 2.0])),
    "softplus": ((), X, np.log(1 + np.exp(X))),
    "softsign": ((), X, X / (1 + np.abs(X))), "silu": ((), X, X * SIGMOID), "gelu": ((), X, X * (1 + ERF) / 2),
    "gelu_tanh": ((), X, X / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X**3)))),
    "mish": ((), X, X * np.tanh(np.log(1 + np.exp(X)))), "elu": ((0.7,), X, np.where(X > 0, X, 0.7 * (np.exp(X) - 1))),
    "selu": ((1.6, 1.05), X, 1.05 * np.where(X > 0, X, 1.6 * (np.exp(X) - 1))),
    "celu": ((1.3,), X, np.where(X > 0, X, 1.3 * (np.exp(X / 1.3) - 1))),
    "leaky_relu": ((0.3,), X, np.where(X > 0, X, 0.3 * X)),
    "threshold": ((1.0,), X, np.where(X > 1, X, 0)),
    "hard_sigmoid": ((0.2, 0.5), X, np.minimum(np.maximum(0.2 * X + 0.5, 0), 1)),
    "hard_silu": ((1 / 6, 0.5), X, X * np.minimum(np.maximum(X / 6 + 0.5, 0), 1)),
    "hard_tanh": ((), X, np.minimum(np.maximum(X, -1), 1)),
    "hard_shrink": ((0.5,), X, np.where((X > 0.5) | (X < -0.5), X, 0)),
    "soft_shrink": ((0.5, 0.2), X, np.where(X > 0.5, X - 0.2, np.where(X < -0.5, X + 0.2, 0))),
    "tanh_shrink": ((), X, X - np.tanh(X)),
    "squareplus": ((4.0,), X, (X + (X**2 + 4) ** 0.5) / 2),
    "sparse_plus": ((), X, np.where(X >= 1, X, np.where(X <= -1, 0, (X + 1) ** 2 / 4))),
    "sparse_sigmoid": ((), X, np.minimum(np.maximum((X + 1) / 2, 0), 1)),
    "log_sigmoid": ((), X, -np.log(1 + np.exp(-X))),
    "power": ((1.5,), ABOVE, ABOVE * ABOVE**0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions(name: str) -> None:
    parameters, x, y = FORMULAS[name]
    x32 = x.astype(np.float32)
    steep = np.abs(np.gradient(y, x)).max() if name not in ("round", "round_float", "floor", "ceil", "sign") else 0
    got = apply(Activation(name, parameters), x32[:, None])[:, 0]
    keep = ~np.isin(name, ["floor", "ceil", "sign"]) | (np.abs(x - np.rint(x)) > 1e-6)
    np.testing.assert_allclose(got[keep], y[keep], rtol=3e-6, atol=1e-6 * (1 + steep))


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.low is not None or f.high is not None])
def test_functions_are_flat_or_straight_beyond_their_ends(name: str) -> None:
    function = FUNCTIONS[name]
    for end, far in ((function.low, -60.0), (function.high, 60.0)):
        if end is None:
            continue
        x = np.array([end, far])
        y = function.call(np.array([end, (end + far) / 2, far]))
        middle = np.interp((end + far) / 2, np.sort(x), y[[0, 2]][np.argsort(x)])
        assert abs(y[1] - middle) < 2.0**-12


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_do_not_warn_at_the_ends_of_float32(name: str) -> None:
    apply(Activation(name, FORMULAS[name][0]), np.array([[-3e38], [3e38], [0.0], [1e-45], [-0.0]], np.float32))


def test_functions_that_do_not_exist() -> None:
    with pytest.raises(OptionError, match="no function called 'sigmoyd'"):
        apply(Activation("sigmoyd"), real(1, 1))
    with pytest.raises(OptionError, match="takes 1 parameters, got 0"):
        apply(Activation("elu"), real(1, 1))


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (Add(), ((3,), (2,))), (Dense(), ((3,), (4, 2))), (Dense(), ((3,), (3, 2), (3,))), (Dense(), ((), (1, 2))),
        (MatMul(), ((3,), (3, 2))), (MatMul(), ((2, 3), (2, 3))), (MatMul(), ((2, 2, 2), (3, 2, 2))),
        (Conv((1,), ((0, 0),), (1,)), ((4, 2), (3, 3, 1))), (Conv((1,), ((0, 0),), (1,)), ((4, 2), (5, 2, 1))),
        (Conv((0,), ((0, 0),), (1,)), ((4, 2), (3, 2, 1))), (Conv((1,), ((-1, 0),), (1,)), ((4, 2), (3, 2, 1))),
        (Conv((1,), ((0, 0),), (0,)), ((4, 2), (3, 2, 1))), (Conv((1,), (), (1,)), ((4, 2), (3, 2, 1))),
        (Conv((1,), ((0, 0),), (1,), 0), ((4, 2), (3, 2, 1))), (Conv((1,), ((0, 0),), (1,)), ((4, 2), ())),
        (ConvTranspose((1,), ((9, 0),), (0,), (1,)), ((4, 2), (3, 1, 2))),
        (ConvTranspose((1,), ((0, 0),), (0,), (1,), 0), ((4, 2), (3, 1, 2))),
        (ConvTranspose((1,), (), (), (1,)), ((4, 2), (3, 1, 2))),
        (ConvTranspose((1,), ((0, 0),), (0,), (1,)), ((4, 2), (2,))),
        (MaxPool((5,), (1,), ((0, 0),), (1,)), ((4, 2),)), (MaxPool((2,), (1,), ((2, 0),), (1,)), ((4, 2),)),
        (MaxPool((2,), (1,), ((0, 0),), (1,)), ((4,),)),
        (AvgPool((2,), (1,), ((2, 0),), (1,)), ((4, 2),)),
        (AvgPool((2,), (1,), ((0, 0),), (1,), True, (1,)), ((4, 2),)),
        (Reduce(Reduction.SUM, (2,)), ((4, 2),)), (Reduce(Reduction.SUM, (1, 0)), ((4, 2),)),
        (Reduce(Reduction.SUM, (-1,)), ((4, 2),)),
        (Softmax(-1), ((4,),)), (Softmax(1), ((4,),)), (Reshape((3, 2)), ((4,),)), (Reshape((-1, 2)), ((4,),)),
        (Transpose((0,)), ((4, 2),)),
        (Transpose((0, 0)), ((4, 2),)), (Slice((0,), (0,), (1,)), ((4,),)), (Slice((0,), (4,), (0,)), ((4,),)),
        (Slice((0,), (4,), (1,)), ((4, 2),)),
        (Gather(0, (4,)), ((4,),)), (Gather(0, (-1,)), ((4,),)), (Gather(1, (0,)), ((4,),)), (Gather(0, ()), ((4,),)),
        (Broadcast((3, 2)), ((4, 2),)), (Upsample((0,)), ((4,),)), (Upsample((2,)), ((4, 2),)),
        (Pad(((-1, 0),)), ((4,),)), (Pad(()), ((4,),)),
        (Concat(1), ((4,), (4,))), (Concat(0), ((4, 2), (4, 3))), (Concat(0), ((4, 2), (4,))),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(op: Op, shapes: Any) -> None:
    with pytest.raises(ShapeError):
        Node(op, tuple(Node(Input(f"x{i}", s)) for i, s in enumerate(shapes)), "layer")

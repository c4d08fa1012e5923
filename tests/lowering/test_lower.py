"""From a float graph to one of integers."""

import numpy as np
import pytest

from gatewright.graph import Array, Fixed, Float, Graph, Node, Overflow, RangeError, Rounding, evaluate
from gatewright.graph.ops import (
    Activation,
    Add,
    AvgPool,
    Constant,
    Conv,
    Dense,
    Input,
    Lookup,
    MaxPool,
    Mul,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Softmax,
    Step,
)
from gatewright.lowering import PIPELINE, lower

RNG = np.random.default_rng(7)


def real(*shape: int, scale: float = 1.0) -> Node:
    return Node(Constant(Array(RNG.normal(0, scale, shape).astype(np.float32))))


def graph(last: Node, *inputs: Node) -> Graph:
    return Graph(inputs, (Node(Output("y"), (last,)),))


def source(*shape: int) -> Node:
    return Node(Input("x", shape), (), "x")


def mlp(softmax: bool) -> Graph:
    x = source(16)
    h = Node(Dense(), (x, real(16, 32, scale=0.25), real(32)), "fc1")
    h = Node(Add(), (Node(Mul(), (h, real(32)), "bn"), real(32)), "bn")
    h = Node(Relu(), (h,), "relu")
    h = Node(Dense(), (h, real(32, 5, scale=0.2), real(5)), "fc2")
    return graph(Node(Softmax(0), (h,), "softmax") if softmax else h, x)


def cnn() -> Graph:
    x = source(8, 8, 2)
    h = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (x, real(3, 3, 2, 4, scale=0.3), real(4)), "conv")
    h = Node(Activation("sigmoid"), (h,), "sigmoid")
    a = Node(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), (h,), "pool")
    b = Node(AvgPool((3, 3), (2, 2), ((0, 1), (0, 1)), (1, 1)), (h,), "mean")
    h = Node(Add(), (a, b), "add")
    h = Node(Reduce(Reduction.MEAN, (0, 1)), (h,), "gap")
    return graph(Node(Dense(), (h, real(4, 3), real(3)), "head"), x)


def block() -> Graph:
    """Layer normalization, GELU, a residual."""
    x = source(6, 8)
    mean = Node(Reduce(Reduction.MEAN, (1,), True), (x,), "ln")
    from gatewright.graph.ops import Sub

    d = Node(Sub(), (x, mean), "ln")
    var = Node(Reduce(Reduction.MEAN, (1,), True), (Node(Mul(), (d, d), "ln"),), "ln")
    eps = Node(Constant(Array(np.float32(1e-2))))
    scale = Node(Activation("rsqrt"), (Node(Add(), (var, eps), "ln"),), "ln")
    n = Node(Mul(), (d, scale), "ln")
    h = Node(Dense(), (n, real(8, 8, scale=0.3)), "up")
    return graph(Node(Add(), (x, Node(Activation("gelu"), (h,), "gelu")), "skip"), x)


@pytest.mark.parametrize("model", [mlp(False), mlp(True), cnn(), block()], ids=["mlp", "mlp softmax", "cnn", "block"])
@pytest.mark.parametrize("with_samples", [False, True])
def test_integers_stay_close_to_the_floats(model: Graph, with_samples: bool) -> None:
    x = RNG.normal(0, 1, (200, *model.inputs[0].shape)).astype(np.float32)
    low = lower(model, precision="fixed<18,8>", samples=x if with_samples else None)
    assert low.is_integer
    want, got = evaluate(model, x), evaluate(low, x)
    assert np.abs(np.asarray(got) - np.asarray(want)).max() < 0.05


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_samples_that_leave_the_domain_of_a_function_are_refused(value: float) -> None:
    """Their logarithm is NaN or minus infinity, which no format holds."""
    x = source(4)
    model = graph(Node(Dense(), (Node(Activation("log"), (x,), "ln"), real(4, 2)), "fc"), x)
    with pytest.raises(RangeError, match="NaN or infinity"):
        lower(model, samples=np.array([[1, 2, 3, value]], np.float32))


def test_batchnorm_disappears_into_float_weights() -> None:
    low = lower(mlp(False))
    assert [type(n.op).__name__ for n in low.nodes if not isinstance(n.op, Constant)] == [
        "Input", "Dense", "Quantize", "Relu", "Dense", "Quantize", "Output",
    ]  # fmt: skip


def test_the_model_s_own_quantizers_stand_and_need_none_beside_them() -> None:
    x = source(4)
    w = Node(Constant(Array(np.array([[3], [-2], [1], [7]])), Fixed(4, 1)))
    h = Node(Quantize(Fixed(8, 0, False), Rounding.RND_CONV), (x,), "q_in")
    h = Node(Relu(), (Node(Dense(), (h, w), "fc"),), "fc")
    own = Quantize(Fixed(6, 2, False), Rounding.RND_CONV)
    low = lower(graph(Node(own, (h,), "q_out"), x))
    assert low.input_ops[0].format == Fixed(8, 0, False)
    assert low.input_ops[0].inserted == ""
    assert [n.op for n in low.nodes if isinstance(n.op, Quantize)] == [own]


def test_a_last_layer_of_quantized_operands_stays_exact() -> None:
    x = source(4)
    w = Node(Constant(Array(np.array([[3], [-2], [1], [7]])), Fixed(4, 1)))
    h = Node(Quantize(Fixed(8, 0, False)), (x,), "q")
    low = lower(graph(Node(Dense(), (h, w), "fc"), x))
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(16, 4)
    np.testing.assert_array_equal(evaluate(low, values), evaluate(graph(Node(Dense(), (h, w), "fc"), x), values))


def test_softmax_keeps_the_class_of_the_logits_and_its_bound() -> None:
    full = mlp(True)
    x = RNG.normal(0, 1, (2000, 16)).astype(np.float32)
    low, logits = lower(full), lower(full, output="logits")
    p = np.asarray(evaluate(low, x))
    np.testing.assert_array_equal(p.argmax(1), np.asarray(evaluate(logits, x)).argmax(1))
    z = np.asarray(evaluate(logits, x), np.float64)
    e = np.exp(z - z.max(1, keepdims=True))
    bound = float(next(n for n in low.notes if "softmax" in n).split("within ")[1].split()[0])
    assert np.abs(p - e / e.sum(1, keepdims=True)).max() <= bound < 0.01


def test_step_thresholds_move_to_the_grid_exactly() -> None:
    x = source(1)
    q = Node(Quantize(Fixed(8, 4)), (x,), "q")
    edges = Node(Constant(Array(np.array([-0.33, 0.33], np.float32))))
    values = Node(Constant(Array(np.array([-1, 0, 1], np.float32))))
    model = graph(Node(Step(), (q, edges, values), "ternary"), x)
    low = lower(model)
    points = np.arange(-128, 128).reshape(-1, 1).astype(np.float32) / 16
    np.testing.assert_array_equal(evaluate(low, points), evaluate(model, points))


def test_a_table_holds_the_model_s_quantizer_of_the_function() -> None:
    x = source(1)
    q = Node(Quantize(Fixed(8, 4)), (x,), "q")
    target = Quantize(Fixed(8, 0, False), Rounding.RND_CONV)
    low = lower(graph(Node(target, (Node(Activation("sigmoid"), (q,), "s"),), "qs"), x))
    points = np.arange(-128, 128).reshape(-1, 1) / 16
    want = np.clip(np.rint(256 / (1 + np.exp(-points))), 0, 255) / 256
    np.testing.assert_array_equal(evaluate(low, points.astype(np.float32)), want)
    assert [n.op.offset for n in low.nodes if isinstance(n.op, Lookup)] == [-128]


def test_every_pass_is_seen_and_named() -> None:
    seen: list[str] = []
    lower(mlp(True), watch=lambda name, _: seen.append(name))
    assert seen == [name for name, _ in PIPELINE]


def test_saturation_is_the_default_of_what_is_inserted() -> None:
    op = lower(mlp(False)).input_ops[0]
    assert (op.format, op.overflow, op.inserted) == (Fixed(16, 6), Overflow.SAT, "default precision")


def test_reshape_of_a_reshape() -> None:
    x = source(4, 4)
    model = graph(Node(Reshape((2, 8)), (Node(Reshape((16,)), (x,)),)), x)
    assert sum(isinstance(n.op, Reshape) for n in lower(model).nodes) == 1
    assert isinstance(model.inputs[0].type.format, Float)


def test_a_bound_far_below_the_resolution_is_rounded_to_it() -> None:
    x = source(3)
    tiny = Node(Constant(Array(np.float32(1e-12))))
    from gatewright.graph.ops import Maximum

    model = graph(Node(Maximum(), (x, tiny), "floor"), x)
    points = np.linspace(-2, 2, 30, dtype=np.float32).reshape(10, 3)
    np.testing.assert_allclose(evaluate(lower(model), points), np.maximum(points, 0), atol=2**-10)


@pytest.mark.parametrize(("value", "expected"), [(1.2, 1229 / 1024), (100.0, 32 - 2**-10), (-np.inf, -32.0)])
def test_padding_takes_the_nearest_value_of_the_format(value: float, expected: float) -> None:
    from gatewright.graph.ops import Pad

    x = source(2)
    low = lower(graph(Node(Pad(((1, 0),), value), (x,), "pad"), x))
    assert evaluate(low, np.zeros((1, 2), np.float32))[0, 0] == expected
    assert bool(low.notes) == (value != 1.2)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [("threshold", (0.7,)), ("hard_shrink", (0.5,)), ("soft_shrink", (0.5, 0.25)), ("sign", ())],
)
def test_piecewise_linear_functions_are_exact_at_their_edges(function: str, parameters: tuple[float, ...]) -> None:
    x = source(1)
    q = Node(Quantize(Fixed(16, 4)), (x,), "q")
    model = graph(Node(Activation(function, parameters), (q,), "f"), x)
    low = lower(model, precision="fixed<24,4>")
    edges = np.array([0.5, 0.7, -0.5, -0.7, 0.0])
    points = (np.rint(edges[:, None] * 4096 + np.arange(-3, 4)) / 4096).reshape(-1, 1).astype(np.float32)
    np.testing.assert_array_equal(evaluate(low, points), evaluate(model, points))


@pytest.mark.parametrize("size", [1e-3, 1e-12, 1e-30])
def test_tiny_values_are_not_lost(size: float) -> None:
    x = Node(Input("x", (4,)))
    graph = Graph((x,), (Node(Output("y"), (Node(Relu(), (x,)),)),))
    samples = (RNG.uniform(-1, 1, (50, 4)) * size).astype(np.float32)
    got = evaluate(lower(graph, samples=samples), samples)
    assert np.abs(got - evaluate(graph, samples)).max() < size * 2.0**-14

"""Real functions over their domains, and float networks, within rounding of ``evaluate``."""

import numpy as np

from gatewright.backends.loops.halves import values_of
from gatewright.graph import Affine, Array, Fixed, Float, Format, Graph, Node, Rounding
from gatewright.graph.formats import BFLOAT, HALF
from gatewright.graph.ops import (
    FUNCTIONS,
    Activation,
    Add,
    AvgPool,
    Cast,
    Compare,
    Comparison,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Div,
    DynamicScale,
    Input,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    Output,
    Pad,
    Power,
    Quotient,
    Reduce,
    Reduction,
    Relu,
    Remainder,
    Select,
    Softmax,
    Sub,
    Take,
    Transpose,
)

from ...drawn import network
from .common import Trial, case, everywhere, graphs_joined, joined, many, of, once, real, sampled

PARAMETERS: dict[str, list[tuple[float, ...]]] = {
    "elu": [(1.0,), (0.3,)], "selu": [(1.6732632, 1.0507010)], "celu": [(1.0,), (2.5,)],
    "leaky_relu": [(0.3,), (-1.5,)], "threshold": [(0.5,)],
    "hard_sigmoid": [(1 / 6, 0.5), (0.2, 0.5)], "hard_silu": [(1 / 6, 0.5)],
    "hard_shrink": [(0.5,)], "soft_shrink": [(0.5, 0.5), (0.3, 0.1)], "squareplus": [(4.0,)],
    "power": [(2.0,), (0.5,), (3.0,), (-1.0,), (1.7,), (0.0,)],
    "round_float": [(3.0, -6.0, 448.0, 0.0), (3.0, -6.0, 448.0, 1.0), (10.0, -14.0, 65504.0, 0.0)],
}  # fmt: skip
DOMAINS: dict[str, tuple[float, float]] = {
    "log": (0, 1e6), "sqrt": (0, 1e6), "rsqrt": (1e-6, 1e6), "asin": (-1, 1), "acos": (-1, 1), "acosh": (1, 1e4),
    "atanh": (-0.9999, 0.9999), "sin": (-50, 50), "cos": (-50, 50), "tan": (-50, 50), "power": (0, 30),
    "sinh": (-80, 80), "cosh": (-80, 80), "exp": (-100, 100),
}  # fmt: skip
SPECIAL = (0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 88.5, -88.5, 1e-3, -1e-3, 1e-10, -1e-10, 120.0, -120.0)


def points(name: str) -> np.ndarray:
    """Real numbers all over a domain, dense near zero, and the special ones that lie in it."""
    low, high = DOMAINS.get(name, (-60.0, 60.0))
    rng = np.random.default_rng(7)
    found = np.concatenate([
        np.linspace(low, high, 2000), np.clip(rng.normal(0, 2, 2000), low, high),
        np.clip(np.exp2(rng.uniform(-20, 3, 1000)) * rng.choice([-1, 1], 1000), low, high),
        np.clip(SPECIAL, low, high),
    ])  # fmt: skip
    return np.resize(found, (8, 39, 17)).astype(np.float32)


@everywhere
def functions(share: int, number: int) -> Trial:
    cases, samples = [], []
    for name, function in FUNCTIONS.items():
        x = Node(Input(f"x_{name}", (39, 17)))
        samples.append(points(name))
        for i, p in enumerate(PARAMETERS.get(name, [()])):
            assert len(p) == function.parameters, name
            cases.append(of(f"{name}_{i}", Node(Activation(name, p), (x,))))
    return Trial(joined(cases), inputs=samples, each=True)


@once
def functions_of_what_is_infinite_or_no_number() -> Trial:
    cases = []
    x = Node(Input("x", (9,)))
    special = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-37, -0.0, 89.0, 1e10], np.float32)
    for name in ("sigmoid", "tanh", "exp", "sqrt", "erf", "abs", "floor", "ceil", "round", "reciprocal", "log"):
        cases.append(of(name, Node(Activation(name), (x,))))
    return Trial(joined(cases), inputs=[special[None]])


def arithmetic() -> list:  # type: ignore[type-arg]
    """Two operands of shapes that broadcast; floats, integers of every kind, and both."""
    made = []
    ops = (Add(), Sub(), Mul(), Maximum(), Minimum(), Div(), Compare(Comparison.LESS), Compare(Comparison.EQUAL),
           Compare(Comparison.LESS_EQUAL))  # fmt: skip
    shapes = [((3, 17), (3, 17)), ((3, 17), (17,)), ((2, 3, 5), (3, 1)), ((7,), ()), ((), ()), ((4, 1, 3), (5, 1))]
    formats: list[Format | None] = [None, Fixed(8, 3), Affine(8, True, Affine(8, True, _third()).scale, 5)]
    for i, (a, b) in enumerate(shapes):
        for j, f in enumerate(formats):
            for k, op in enumerate(ops):
                x = Node(Input(f"x{i}_{j}_{k}", a))
                y = Node(Input(f"y{i}_{j}_{k}", b) if f is None else Input(f"y{i}_{j}_{k}", b, f))
                made.append(of(f"a{i}_{j}_{k}", Node(op, (x, y) if k % 2 else (y, x))))
    return made


def _third():  # type: ignore[no-untyped-def]
    from fractions import Fraction

    return Fraction(1, 3)


@everywhere
def float_arithmetic(share: int, number: int) -> Trial:
    return Trial(joined(sampled(arithmetic(), share)), count=4)


@everywhere
def powers_and_divisions(share: int, number: int) -> Trial:
    rng = np.random.default_rng(2)
    a = Node(Input("a", (5, 7)))
    b = Node(Input("b", (7,)))
    cases = [of("power", Node(Power(), (a, b)))]
    samples = [rng.uniform(0.1, 9, (6, 5, 7)).astype(np.float32), rng.uniform(-3, 3, (6, 7)).astype(np.float32)]
    for mode in (Rounding.TRN, Rounding.TRN_ZERO):
        for op in (Quotient(mode), Remainder(mode)):
            cases.append(of(f"{type(op).__name__}_{mode}".lower(), Node(op, (a, b))))
            cases.append(of(f"{type(op).__name__}_{mode}_other".lower(), Node(op, (b, a))))
    return Trial(joined(cases), inputs=samples)


@everywhere
def rows(share: int, number: int) -> Trial:
    """Softmax along every axis, reductions of every kind, over floats."""
    cases = []
    for i, shape in enumerate([(1,), (7,), (33,), (3, 10), (5, 17, 3), (2, 3, 1), (16, 16), (2, 2, 2, 9)]):
        x = Node(Input(f"x{i}", shape))
        for axis in range(len(shape)):
            cases.append(of(f"softmax_{i}_{axis}", Node(Softmax(axis), (x,))))
            for kind in Reduction:
                for keep in (False, True):
                    axes = (axis,) if keep else tuple(range(axis, len(shape)))
                    cases.append(of(f"reduce_{i}_{axis}_{kind}_{keep}".lower(), Node(Reduce(kind, axes, keep), (x,))))
    graph = joined(sampled(cases, share))
    rng = np.random.default_rng(0)
    return Trial(graph, inputs=[rng.uniform(0.2, 3, (4, *n.shape)).astype(np.float32) for n in graph.inputs])


@once
def large_values_in_a_softmax() -> Trial:
    x = Node(Input("x", (19,), Fixed(16, 12)))
    y = Node(Input("y", (19,)))
    samples = [np.full((2, 19), 32767), np.linspace(-3e4, 3e4, 38).reshape(2, 19).astype(np.float32)]
    return Trial(joined([of("a", Node(Softmax(0), (x,))), of("b", Node(Softmax(0), (y,)))]), inputs=samples)


@everywhere
def products(share: int, number: int) -> Trial:
    rng = np.random.default_rng(3)
    cases = []
    for i, (shape, filters) in enumerate([((1,), 1), ((5, 3), 7), ((10,), 33), ((2, 3, 17), 10), ((33, 5), 1)]):
        w, b = real(rng.normal(0, 1, (shape[-1], filters))), real(rng.normal(0, 1, filters))
        cases.append(case(f"dense{i}", Dense(), Node(Input(f"d{i}", shape)), w, b))
        cases.append(case(f"mixed{i}", Dense(), (shape, Fixed(8, 4)), w))
    for i, (shape, kernel, filters, groups) in enumerate([
        ((9, 3), (3,), 5, 1), ((7, 5, 10), (3, 2), 10, 10), ((6, 6, 4), (3, 3), 6, 2), ((3, 4, 5, 2), (2, 2, 2), 3, 1),
        ((5, 5, 3), (3, 3), 9, 3),
    ]):  # fmt: skip
        rank = len(kernel)
        w = real(rng.normal(0, 1, (*kernel, shape[-1] // groups, filters)))
        op = Conv((1,) * rank, ((1, 0),) * rank, (1,) * rank, groups)
        cases.append(case(f"conv{i}", op, Node(Input(f"c{i}", shape)), w, real(rng.normal(0, 1, filters))))
    for i, (a, b) in enumerate([((3, 5), (5, 17)), ((2, 4, 3), (3, 33)), ((1, 1), (1, 1)), ((2, 1, 3, 7), (5, 7, 2))]):
        x, y = Node(Input(f"m{i}", a)), Node(Input(f"n{i}", b))
        cases.append(of(f"matmul{i}", Node(Relu(), (Node(MatMul(), (x, y)),))))
    return Trial(joined(sampled(cases, share)), count=4)


@once
def choices_and_scales() -> Trial:
    x, y = Node(Input("x", (3, 9), Fixed(8, 2))), Node(Input("y", (9,)))
    chosen = Node(Select(), (Node(Compare(Comparison.LESS), (x, y)), y, x))
    scale = Node(DynamicScale("dynamic"), (x,))
    return Trial(Graph((x, y), (Node(Output("a"), (chosen,)), Node(Output("b"), (scale,)))), count=8)


HALVES = (HALF, BFLOAT)


def every_half(format: Float) -> np.ndarray:
    """Every float of 16 bits but what is no number, those beside each in float32, and the ties between them."""
    own = values_of(np.arange(1 << 16, dtype=np.uint16), str(format))
    own = np.sort(own[np.isfinite(own)])
    with np.errstate(over="ignore"):
        ties = (own[1:].astype(np.float64) + own[:-1]) / 2
        beside = [np.nextafter(ties.astype(np.float32), np.float32(end)) for end in (-np.inf, np.inf)]
    special = np.array([np.inf, -np.inf, np.nan, 65519.996, 65520, 3.4e38, -3.4e38, -0.0], np.float32)
    return np.concatenate([own, ties.astype(np.float32), *beside, special])


@once
def rounding_to_halves() -> Trial:
    """Each number, and what it becomes: equal in every bit, so that nothing hides behind a tolerance."""
    cases, samples = [], []
    for format in HALVES:
        x = Node(Input(f"x_{format}", (1021,)))
        short = Node(Cast(format), (x,))
        same = Node(Compare(Comparison.EQUAL), (short, Node(Input(f"y_{format}", (1021,), format))))
        cases += [of(f"short_{format}", short), of(f"same_{format}", same)]
        points = every_half(format)
        points = np.resize(points, (-(-len(points) // 1021), 1021))
        samples += [points, format.rounded(points)]
    order = joined(cases)
    names = [n.op.name for n in order.inputs]  # type: ignore[attr-defined]
    given = dict(zip([f"{p}_{f}" for f in HALVES for p in "xy"], samples, strict=True))
    count = max(map(len, samples))
    return Trial(order, inputs=[np.resize(given[n], (count, 1021)) for n in names])


def short_constant(values: object, format: Float) -> Constant:
    """Give a constant of floats of 16 bits."""
    return Constant(Array(format.rounded(np.asarray(values, np.float32))), format)


def short_layers(format: Float) -> list:  # type: ignore[type-arg]
    """Products, windows, rows and moves of floats of 16 bits, each rounded once at its end."""
    rng = np.random.default_rng(5)
    made, name = [], str(format)

    def weights(*shape: int) -> Node:
        return Node(short_constant(rng.normal(0, 1, shape), format))

    def one(kind: str, op, *operands: Node) -> None:  # type: ignore[no-untyped-def]
        made.append(of(f"{kind}_{name}_{len(made)}", Node(Cast(format), (Node(op, operands),))))

    def given(shape: tuple[int, ...]) -> Node:
        return Node(Input(f"x_{name}_{len(made)}", shape, format))

    for shape, filters in [((1,), 1), ((5, 3), 7), ((10,), 33), ((2, 3, 17), 10), ((33, 5), 1), ((9, 64), 40)]:
        one("dense", Dense(), given(shape), weights(shape[-1], filters), weights(filters))
        one("wide", Dense(), given(shape), Node(real(rng.normal(0, 1, (shape[-1], filters)))))
    for shape, kernel, filters, groups in [
        ((9, 3), (3,), 5, 1), ((7, 5, 10), (3, 2), 10, 10), ((6, 6, 4), (3, 3), 6, 2), ((9, 8, 40), (3, 3), 40, 40),
    ]:  # fmt: skip
        rank = len(kernel)
        op = Conv((1,) * rank, ((1, 0),) * rank, (1,) * rank, groups)
        one("conv", op, given(shape), weights(*kernel, shape[-1] // groups, filters), weights(filters))
    up = ConvTranspose((2,), ((0, 0),), (0,), (1,))
    one("up", up, given((5, 3)), weights(3, 7, 3), weights(7))
    for a, b in [((3, 5), (5, 17)), ((2, 4, 3), (3, 33)), ((1, 1), (1, 1)), ((2, 9, 8), (2, 8, 7))]:
        one("matmul", MatMul(), given(a), Node(Input(f"y_{name}_{len(made)}", b, format)))
    one("largest", MaxPool((2, 2), (1, 1), ((1, 0), (0, 0)), (1, 1)), given((6, 5, 9)))
    one("mean", AvgPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), given((6, 6, 9)))
    one("softmax", Softmax(1), given((3, 19)))
    one("sum", Reduce(Reduction.SUM, (1,), False), given((3, 19)))
    one("greatest", Reduce(Reduction.MAX, (0,), True), given((3, 19)))
    x = given((4, 18))
    one("chain", Mul(), Node(Cast(format), (Node(Add(), (x, weights(18))),)), Node(Activation("sigmoid"), (x,)))
    one("joined", Concat(1), x, Node(Cast(format), (Node(Mul(), (x, x)),)))
    one("moved", Transpose((1, 0)), Node(Pad(((1, 0), (0, 2)), 0.5), (x,)))
    one("picked", Take(0), weights(12, 5), Node(Input(f"i_{name}", (3,), Fixed(3, 3, False))))
    made.append(of(f"plain_{name}", Node(Relu(), (x,))))
    return made


@everywhere
def halves(share: int, number: int) -> Trial:
    return Trial(joined(sampled([c for f in HALVES for c in short_layers(f)], share)), count=4)


@everywhere
def drawn_networks(share: int, number: int) -> Trial:
    return Trial(graphs_joined(network(seed, 5) for seed in range(36 // share)), count=4)


@many(range(0, 400, 25))
def many_drawn_networks(seed: int) -> Trial:
    return Trial(graphs_joined(network(1000 + seed + i, 7) for i in range(25)), count=4)

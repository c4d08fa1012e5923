"""Moves, choices and computed places; ports of every kind; what a call says of indices and divisors."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Format, GatewrightError, Graph, Grid, Node, Op, Rounding, evaluate
from gatewright.graph.ops import (
    BOOLEAN,
    Activation,
    Add,
    Broadcast,
    Concat,
    Constant,
    Conv,
    FixedSoftmax,
    Gather,
    GatherND,
    Input,
    MaxPool,
    Mul,
    Output,
    Pad,
    Quantize,
    Quotient,
    Reduction,
    Relu,
    Remainder,
    Reshape,
    ScatterND,
    Select,
    Slice,
    Take,
    TakeAlong,
    Transpose,
    Upsample,
)

from .common import Case, Trial, case, constant, drawn, everywhere, joined, many, of, once, sampled, stored, vectors

FORMATS: list[Format | None] = [
    Fixed(8, 3), Affine(8, True, Fraction(1, 3), -7), None, Fixed(16, 8, False), Fixed(40, 20), Fixed(1, 1, False),
]  # fmt: skip
SHAPES = [(), (1,), (17,), (3, 5), (4, 33), (2, 3, 7), (5, 1, 10), (3, 4, 2, 5), (2, 1, 3, 2, 4)]


def placed(name: str, shape: tuple[int, ...], format: Format | None) -> Node:
    return Node(Input(name, shape) if format is None else Input(name, shape, format))


def move(rng: np.random.Generator, x: Node) -> Node:
    """Any operation that moves values."""
    shape, rank = x.shape, len(x.shape)
    if not rank:
        return Node(Broadcast((3,) if rng.integers(2) else (2, 1)), (x,))
    axis = int(rng.integers(rank))
    steps = tuple(int(v) for v in rng.choice([1, 1, 2, -1, -2], rank))
    starts = tuple(int(rng.integers(n)) for n in shape)
    stops = tuple(None if s < 0 else n for s, n in zip(steps, shape, strict=True))
    size = x.type.size
    cut = int(rng.choice([d for d in range(1, size + 1) if size % d == 0]))
    ops: list[Op] = [
        Reshape((size,)), Reshape((cut, size // cut)), Reshape((1, *shape, 1)), Reshape((size // cut, 1, cut)),
        Transpose(tuple(int(a) for a in rng.permutation(rank))), Transpose(tuple(reversed(range(rank)))),
        Slice(starts, stops, steps), Gather(axis, tuple(int(v) for v in rng.integers(shape[axis], size=4))),
        Broadcast((2, *shape)), Upsample(tuple(int(v) for v in rng.integers(1, 3, rank))),
        Upsample((*(1,) * (rank - 1), 3)), Pad(tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (rank, 2)))),
        Pad((*((1, 2),) * (rank - 1), (0, 0))),
    ]  # fmt: skip
    return Node(ops[int(rng.integers(len(ops)))], (x,))


def chains(seed: int, count: int) -> Iterator[Case]:
    """Several moves behind each other, then nothing, a rectifier, a sum with what was before."""
    rng = np.random.default_rng([1, seed])
    for i in range(count):
        x = placed(f"x{i}", SHAPES[i % len(SHAPES)], FORMATS[int(rng.integers(len(FORMATS)))])
        node = x
        for _ in range(int(rng.integers(1, 5))):
            before, node = node, move(rng, node)
            node = before if node.type.size > 2000 else node
        match i % 4:
            case 1:
                node = Node(Relu(), (node,))
            case 2:
                node = Node(Add(), (node, node))
            case 3 if node.shape:
                node = Node(Concat(len(node.shape) - 1), (node, Node(Relu(), (node,)), node))
        yield of(f"c{i}", node)


@everywhere
def moves_behind_each_other(share: int, number: int) -> Trial:
    return Trial(joined(sampled(chains(number, 120), share)), count=4)


@many(range(10, 20))
def many_moves(seed: int) -> Trial:
    return Trial(joined(chains(seed, 180)), count=4)


def joins() -> Iterator[Case]:
    rng = np.random.default_rng(2)
    own = Affine(8, True, Grid(np.array([Fraction(1, 3), Fraction(1, 7), Fraction(2)], dtype=object)))
    for i, shape in enumerate(s for s in SHAPES if s):
        for axis in range(len(shape)):
            formats = Fixed(8, 3), Fixed(5, 7, False), Affine(8, True, Fraction(1, 3), -7)
            xs = [
                placed(f"j{i}_{axis}_{k}", (*shape[:axis], k + 1, *shape[axis + 1 :]), f) for k, f in enumerate(formats)
            ]
            yield of(f"j{i}_{axis}", Node(Concat(axis), tuple(xs)))
            yield of(f"j{i}_{axis}_c", Node(Concat(axis), (xs[0], Node(drawn(rng, xs[1].shape, Fixed(4, 4))), xs[0])))
            yield of(f"j{i}_{axis}_f", Node(Concat(axis), (xs[0], placed(f"f{i}_{axis}", xs[2].shape, None))))
    y, z = placed("own", (4, 3), own), placed("fixed", (4, 3), Fixed(Grid(np.array([4, 9, 5])), 3))
    yield of("own_0", Node(Concat(0), (y, z)))
    yield of("own_1", Node(Concat(1), (y, z)))
    yield of("own_pad", Node(Pad(((1, 0), (2, 1))), (y,)))
    yield of("own_flip", Node(Slice((3, 2), (None, None), (-1, -1)), (z,)))


@everywhere
def joined_tensors(share: int, number: int) -> Trial:
    return Trial(joined(sampled(joins(), share)), count=4)


def indexed(seed: int, index: Format) -> Iterator[Case]:
    """Reads and writes at computed places, among them some that lie outside where the index's format has such."""
    rng = np.random.default_rng([3, seed])
    for i, format in enumerate(FORMATS):
        x = placed(f"x{i}", (4, 5, 4), format)
        for axis in range(3):
            yield of(f"take{i}_{axis}", Node(Take(axis), (x, placed(f"t{i}_{axis}", ((), (3,), (2, 3))[axis], index))))
            shape = tuple(7 if a == axis else n for a, n in enumerate(x.shape))
            yield of(f"along{i}_{axis}", Node(TakeAlong(axis), (x, placed(f"a{i}_{axis}", shape, index))))
        for b, shape in ((0, (3, 2)), (0, (2, 2, 3)), (0, (5, 1)), (1, (4, 3, 1)), (1, (4, 2)), (2, (4, 5, 3, 1))):
            name = f"nd{i}_{b}_{'_'.join(map(str, shape))}"
            yield of(name, Node(GatherND(b), (x, placed(f"{name}_x", shape, index))))
        kinds = (None, Reduction.SUM, Reduction.MAX, Reduction.MIN, Reduction.PROD)
        for j, kind in enumerate(kinds):
            shape = ((6, 1), (2, 3, 2), (4, 3))[j % 3]
            other = format if j % 2 else FORMATS[(i + 1) % 3]
            updates = placed(f"u{i}_{j}", (*shape[:-1], *x.shape[shape[-1] :]), other)
            base = placed(f"b{i}_{j}", x.shape, Fixed(4, 4)) if kind is Reduction.PROD else x
            updates = placed(f"p{i}_{j}", updates.shape, Fixed(3, 3)) if kind is Reduction.PROD else updates
            yield of(f"put{i}_{j}", Node(ScatterND(kind), (base, placed(f"i{i}_{j}", shape, index), updates)))
        table = Node(real_table(rng, format))
        yield of(f"table{i}", Node(Take(0), (table, placed(f"tt{i}", (17,), index))))
    del rng


def real_table(rng: np.random.Generator, format: Format | None) -> Constant:
    if format is None:
        return Constant(Array(rng.normal(0, 1, (4, 7)).astype(np.float32)))
    return drawn(rng, (4, 7), format)


@everywhere
def computed_places(share: int, number: int) -> Trial:
    return Trial(joined(sampled(indexed(0, Fixed(2, 2, False)), share)))


INDICES: list[Format] = [Fixed(3, 3), Fixed(3, 4, False), Affine(3, False, Fraction(1), 1), Fixed(16, 30)]


def places_outside(index: Format) -> Iterator[tuple[Trial, list[int]]]:
    """Status 1 where ``evaluate`` refuses the sample, and nothing is read or written outside of a tensor."""
    rng = np.random.default_rng(4)
    for one in list(indexed(1, index))[2:17:5]:
        graph = joined([one])
        fed = [stored(rng, n.type, 24) for n in graph.inputs]
        statuses = [int(refused(graph, [v[k : k + 1] for v in fed])) for k in range(24)]
        assert 1 in statuses
        yield Trial(graph, fed), statuses


def refused(graph: Graph, fed: list[np.ndarray]) -> bool:
    try:
        evaluate(graph, fed if len(fed) > 1 else fed[0], integers=True)
    except GatewrightError:
        return True
    return False


@everywhere
def divisors(share: int, number: int) -> Trial:
    """Exact, the least dividend by -1 too."""
    formats = [
        Fixed(4, 4), Fixed(32, 32), Fixed(8, 3), Affine(8, True, Fraction(1, 3), 5), Fixed(5, 5, False), Fixed(40, 40),
    ]  # fmt: skip
    cases = []
    for i, f in enumerate(formats):
        for j, g in enumerate((Fixed(2, 2), Fixed(8, 4), Fixed(40, 40))):
            x, y = placed(f"x{i}_{j}", (3, 7), f), placed(f"y{i}_{j}", (7,), g)
            for mode in (Rounding.TRN, Rounding.TRN_ZERO):
                cases += [of(f"{i}_{j}_{mode}".lower(), Node(Quotient(mode), (x, y)))]
                cases += [of(f"r{i}_{j}_{mode}".lower(), Node(Remainder(mode), (x, y)))]
    graph = joined(cases)
    fed = vectors(graph, 12)
    for node, v in zip(graph.inputs, fed, strict=True):
        if node.op.name.startswith("y"):  # type: ignore[attr-defined]
            v[v == node.type.quantized.zero] = -1
    return Trial(graph, fed)


def a_divisor_of_zero() -> tuple[Trial, list[int]]:
    """Status 2."""
    trial = divisors(16, 0)
    fed = trial.fed
    fed[1][5, 3] = 0
    return Trial(trial.graph, fed), [0] * 5 + [2] + [0] * 6


@once
def choices() -> Trial:
    cases = []
    for i, shape in enumerate(SHAPES):
        for j, (a, b) in enumerate([(Fixed(8, 3), Fixed(5, 4)), (Affine(8, True, Fraction(1, 3), 5), Fixed(5, 4)),
                                    (None, Fixed(4, 4)), (None, None)]):  # fmt: skip
            c = placed(f"c{i}_{j}", shape, BOOLEAN)
            x, y = placed(f"x{i}_{j}", shape, a), placed(f"y{i}_{j}", shape[1:], b)
            cases.append(of(f"s{i}_{j}", Node(Select(), (c, x, y))))
            cases.append(of(f"t{i}_{j}", Node(Select(), (placed(f"d{i}_{j}", shape[-1:], BOOLEAN), y, x))))
    return Trial(joined(cases))


def softmaxes() -> Iterator[Case]:
    """The two forms of TensorFlow Lite: of 8 bits with exponentials in units of 2^-31, of 16 with two tables."""
    for i, (shape, axis) in enumerate([((10,), 0), ((1,), 0), ((3, 33), 1), ((5, 4), 0), ((2, 3, 7), 1)]):
        for j, (source, target, scale) in enumerate([
            (Affine(8, True, Fraction(1, 10), 3), Affine(8, True, Fraction(1, 256), -128), 0.1),
            (Affine(8, False, Fraction(1, 100), 3), Affine(8, False, Fraction(1, 256)), 0.01),
            (Affine(8, True, Fraction(1, 5)), Affine(16, True, Fraction(1, 65536), -32768), 0.2),
        ]):  # fmt: skip
            d = np.arange(-255, 1)
            entries = np.minimum(np.rint(np.exp(d * scale) * 2.0**31), 2**31 - 1).astype(np.int64)
            yield case(f"soft{i}_{j}", FixedSoftmax(axis, target), (shape, source), constant(entries, Fixed(32, 1)))
        e = np.minimum(np.rint(np.exp(np.arange(-65535, 1) / 6553.6) * 2**15), 2**15 - 1).astype(np.int64)
        t = np.minimum(np.rint(2**15 / (1 + np.arange(513) / 512)), 2**15 - 1).astype(np.int64)
        source, target = Affine(16, True, Fraction(1, 3000)), Affine(16, True, Fraction(1, 32768))
        tables = constant(e, Fixed(16, 1)), constant(t, Fixed(16, 1))
        yield case(f"soft{i}_16", FixedSoftmax(axis, target), (shape, source), *tables)


@everywhere
def softmax_in_fixed_point(share: int, number: int) -> Trial:
    return Trial(joined(sampled(softmaxes(), share)), count=16)


def outputs(*nodes: Node) -> tuple[Node, ...]:
    return tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(nodes))


@everywhere
def outputs_of_every_kind(share: int, number: int) -> Trial:
    """An input, a constant, the same node twice, what others read too, an alias."""
    rng = np.random.default_rng(5)
    x, unread, scalar = (
        placed(*of) for of in (("x", (3, 7), Fixed(8, 3)), ("unread", (2,), Fixed(4, 4)), ("s", (), Fixed(9, 3)))
    )
    a = Node(Relu(), (x,))
    fixed, number = Node(drawn(rng, (5, 3), Fixed(12, 4))), Node(Constant(Array(np.float32(1.5))))
    b = Node(Reshape((21,)), (a,))
    c = Node(Transpose((1, 0)), (Node(Reshape((7, 3)), (b,)),))
    ends = [x, x, a, a, fixed, number, b, c, Node(Mul(), (a, a)), Node(Reshape((7, 3)), (x,)), scalar, fixed,
            Node(Add(), (scalar, scalar)), Node(Add(), (fixed, Node(constant(3, Fixed(4, 4)))))]  # fmt: skip
    return Trial(Graph((x, unread, scalar), outputs(*ends)))


@everywhere
def the_sources_layout(share: int, number: int) -> Trial:
    """Inputs and outputs whose axes the source has in another order."""
    rng = np.random.default_rng(6)
    made, ends = [], []
    for i, (shape, axes) in enumerate([((5, 6, 3), (1, 2, 0)), ((5, 6, 3), (2, 0, 1)), ((4, 2), (1, 0)),
                                       ((2, 3, 4, 5), (1, 2, 3, 0)), ((17, 1, 3), (2, 1, 0))]):  # fmt: skip
        x = Node(Input(f"x{i}", shape, Affine(8, True, Fraction(1, 3), -3), axes=axes))
        made.append(x)
        results = [x, Node(Relu(), (x,)), Node(Quantize(Fixed(6, 3)), (x,))]
        if len(shape) == 3:
            w = Node(drawn(rng, (3, 1, 3, 5), Fixed(6, 2)))
            results.append(Node(Conv((1, 1), ((1, 1), (0, 0)), (1, 1)), (x, w)))
            results.append(Node(MaxPool((2, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)), (results[1],)))
        for j, r in enumerate(results):
            back = tuple(int(a) for a in np.argsort(axes))
            ends += [Node(Output(f"y{i}_{j}", back), (r,)), Node(Output(f"z{i}_{j}", axes), (r,))]
    return Trial(Graph(tuple(made), tuple(ends)))


@once
def shapes_of_single_elements() -> Trial:
    cases = []
    for i, shape in enumerate([(), (1,), (1, 1), (1, 1, 1), (1, 1, 1, 1, 1)]):
        for j, format in enumerate(FORMATS):
            x = placed(f"x{i}_{j}", shape, format)
            cases.append(of(f"a{i}_{j}", Node(Add(), (x, Node(constant(3, Fixed(5, 3)))))))
            cases.append(of(f"b{i}_{j}", Node(Activation("tanh"), (x,))))
            cases.append(of(f"c{i}_{j}", Node(Reshape((1,)), (x,))))
    return Trial(joined(cases))

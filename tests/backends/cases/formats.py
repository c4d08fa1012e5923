"""Changes of format: every rounding and overflow, from integers and from floats; tables, steps, multipliers."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Format, GatewrightError, Graph, Grid, Node, Overflow, Rounding
from gatewright.graph.ops import Add, Constant, Input, Lookup, MultiplyShift, Output, Quantize, Scaling, Step, Sub

from .common import Case, Trial, case, constant, drawn, everywhere, joined, many, of, once, sampled

MODES = list(product(Rounding, Overflow))
SCALES = [Fraction(1, 3), Fraction(float(np.float32(0.1))), Fraction(3, 8), Fraction(5, 7), Fraction(2)]


def grid(*values: object) -> Grid:
    return Grid(np.array(values, dtype=object if isinstance(values[0], Fraction) else None))


SOURCES: list[Format] = [
    Fixed(8, 4), Fixed(8, 8, False), Fixed(1, 1, False), Fixed(16, 3), Fixed(32, 20), Fixed(33, 10), Fixed(48, 30),
    Fixed(grid(3, 8, 5), grid(1, 4, -2)), Fixed(grid(3, 40, 5), grid(1, 4, 2), grid(True, False, True)),
    Affine(8, True, Fraction(1, 3), -7), Affine(8, False, Fraction(float(np.float32(0.1))), 128),
    Affine(16, True, Fraction(5, 7), 0), Affine(8, True, grid(*SCALES[:3]), grid(-3, 0, 9)),
]  # fmt: skip
TARGETS: list[Format] = [
    Fixed(1, 1), Fixed(1, 0, False), Fixed(4, 2), Fixed(8, 3), Fixed(6, 6, False), Fixed(12, 8), Fixed(32, 12),
    Fixed(40, 20), Fixed(63, 30, False), Fixed(64, 40),
    Fixed(grid(3, 40, 5), grid(1, 4, 2), grid(True, False, True)), Fixed(grid(2, 6, 9), grid(1, 4, -2)),
    Affine(8, True, Fraction(1, 3), -7), Affine(8, False, Fraction(float(np.float32(0.1))), 128),
    Affine(16, True, Fraction(5, 7), 0), Affine(8, True, grid(*SCALES[:3]), grid(-3, 0, 9)),
    Affine(4, False, Fraction(3, 8), 15),
]  # fmt: skip


def quantizers(modes: list[tuple[Rounding, Overflow]]) -> Iterator[Case]:
    """From one input of each format to each format; what needs over 63 bits is left out."""
    for i, source in enumerate(SOURCES):
        x = Node(Input(f"x{i}", (5, 3), source))
        for j, target in enumerate(TARGETS):
            for rounding, overflow in modes:
                try:
                    node = Node(Quantize(target, rounding, overflow), (x,))
                except GatewrightError:
                    continue
                yield of(f"q_{i}_{j}_{rounding}_{overflow}".lower(), node)


@once
def integers_are_quantized() -> Trial:
    return Trial(joined(sampled(quantizers(MODES), 32)), count=12)


@many(range(len(MODES)))
def integers_are_quantized_in_every_mode(seed: int) -> Trial:
    return Trial(joined(quantizers([MODES[seed]])), count=30)


@once
def every_mode() -> Trial:
    """All modes from and to a few formats."""
    x = [Node(Input(f"x{i}", (7,), f)) for i, f in enumerate((Fixed(9, 5), Affine(9, True, Fraction(1, 3), 4)))]
    targets = Fixed(4, 3), Fixed(5, 3, False), Affine(5, True, Fraction(2, 3), 3), Fixed(6, 9)
    cases = [
        of(f"m{i}_{j}_{r}_{o}".lower(), Node(Quantize(t, r, o), (v,)))
        for i, v in enumerate(x) for j, t in enumerate(targets) for r, o in MODES
    ]  # fmt: skip
    every = np.resize(np.arange(-256, 256), (74, 7))
    return Trial(joined(cases), inputs=[every, every])


def real_samples(rng: np.random.Generator, shape: tuple[int, ...], format: Format) -> np.ndarray:
    """Floats on and beside the places where a format rounds, its ends, and what is far beyond."""
    scale = np.array(getattr(format.scale, "data", format.scale), float)  # type: ignore[union-attr]
    halves = rng.integers(-40, 40, shape) / 2 * scale
    wide = rng.normal(0, 1, shape) * np.exp2(rng.integers(-20, 60, shape).astype(float))
    huge = rng.normal(0, 1, shape) * np.exp2(rng.integers(60, 90, shape).astype(float))
    near = np.nextafter(halves.astype(np.float32), np.float32(np.inf))
    kind = rng.integers(0, 4, shape)
    return np.select([kind == 0, kind == 1, kind == 2], [halves, wide, huge], near).astype(np.float32)


@everywhere
def floats_are_quantized(share: int, number: int) -> Trial:
    """An input of its own for each target, as what is beyond float32 in units of a format is refused."""
    rng, cases, samples = np.random.default_rng(1), [], []
    for j, target in enumerate(TARGETS):
        x = Node(Input(f"x{j}", (6, 3)))
        modes = MODES[j % share :: share]
        cases += [of(f"f_{j}_{r}_{o}".lower(), Node(Quantize(target, r, o), (x,))) for r, o in modes]
        samples.append(real_samples(rng, (24, 6, 3), target))
    return Trial(joined(cases), inputs=samples)


def multipliers() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    number = 0
    for scaling, format in product(Scaling, (Affine(8, True, Fraction(1, 3), -7), Affine(8, False, Fraction(1, 3), 99),
                                             Affine(16, True, Fraction(1, 3)), Fixed(8, 8))):  # fmt: skip
        for channels, shape, bits in ((1, (9,), 20), (7, (3, 7), 18), (17, (17,), 24), (1, (), 12), (33, (2, 33), 31)):
            top, low = (1 << 53, -52) if scaling is Scaling.REAL else (1 << 31, -31)
            m = tuple(int(v) for v in rng.integers(top // 2, top, channels))
            s = tuple(int(v) - (22 if scaling is Scaling.REAL else 0) for v in rng.integers(-14, 1, channels))
            m = (*m[:-1], 0) if channels > 7 else m
            s = (*s[:-1], low) if channels == 33 else s
            least, most = sorted(int(v) for v in rng.integers(*format.bounds, 2, endpoint=True))
            x = Node(Input(f"ms{number}", shape, Fixed(bits, bits)))
            number += 1
            yield of(f"ms{number}", Node(MultiplyShift(format, m, s, least, most, scaling), (x,)))


@everywhere
def multipliers_and_shifts(share: int, number: int) -> Trial:
    return Trial(joined(sampled(multipliers(), share)), count=40)


@once
def changes_of_scale_at_their_ends() -> Trial:
    """Factors of 0 and 1 beside large ones, shifts from none to all of a word, zero points, halves away from zero."""
    rng, made = np.random.default_rng(13), []
    for k in range(80):
        channels, width = int(rng.integers(1, 4)), int(rng.choice([2, 5, 8]))
        format = Affine(width, bool(rng.integers(2)), Fraction(1, 3), int(rng.integers(-3, 3)))
        scaling = (Scaling.DOUBLE, Scaling.REDUCED)[k % 2]
        m = tuple(int(v) for v in rng.choice([0, 1, 3, 1 << 30, (1 << 31) - 1, int(rng.integers(1 << 31))], channels))
        s = tuple(int(v) for v in rng.integers(-31, 5, channels))
        low, high = sorted(int(v) for v in rng.integers(*format.bounds, 2, endpoint=True))
        x = Node(Input(f"e{k}", (3, channels), Fixed(bits := int(rng.choice([4, 9, 16, 24])), bits)))
        try:
            made.append(of(f"e{k}", Node(MultiplyShift(format, m, s, low, high, scaling), (x,))))
        except GatewrightError:
            continue
    x, m, s = Node(Input("far", (4, 3), Fixed(8, 8))), (0, 1 << 30, 1), (-4, -30, -6)
    made.append(of("far", Node(MultiplyShift(Affine(2, True, Fraction(1, 3), -3), m, s, 0, 1), (x,))))
    far = Affine(40, True, Fraction(1, 3))
    own = Node(Input("unclamped", (4, 3), Affine(8, False, Fraction(1, 7))))
    for k, shift in enumerate((1, -3, 9)):
        made.append(of(f"unclamped{k}", Node(MultiplyShift(far, (1533916928,), (shift,), -(2**39), 2**39 - 1), (own,))))
    wide = Node(Input("wide", (7,), Fixed(28, 1)))
    for rounding, overflow in MODES:
        quantize = Quantize(Affine(6, False, Fraction(13421773, 134217728), 2), rounding, overflow)
        made.append(of(f"wide_{rounding}_{overflow}".lower(), Node(quantize, (wide,))))
    assert len(made) > 60
    return Trial(joined(made), count=12)


@once
def sums_that_saturate() -> Trial:
    """What a sum of products becomes, channel by channel: on both sides of where results change, and far beyond."""
    rng, cases, samples = np.random.default_rng(14), [], []
    for i, (least, bits) in enumerate(((-9, 20), (-12, 24), (-15, 28), (-2, 12))):
        scales = [Fraction(float(s)) for s in np.exp2(rng.uniform(least, least + 2, 17)).astype(np.float32)]
        x = Node(Input(f"sum{i}", (17,), Affine(bits, True, grid(*scales), 0)))
        for target in (Affine(8, True, Fraction(1), -3), Affine(8, False, Fraction(1), 0), Fixed(8, 8)):
            for rounding, overflow in product(Rounding, (Overflow.SAT_SYM if i else Overflow.SAT,)):
                cases.append(of(f"s{i}_{type(target).__name__}{target.signed}_{rounding}_{overflow}".lower(),
                                Node(Quantize(target, rounding, overflow), (x,))))  # fmt: skip
        edges = rng.integers(-600, 600, (24, 17)) / 2 / np.array([float(s) for s in scales])
        far = rng.integers(-(1 << bits - 1), 1 << bits - 1, (8, 17))
        near = np.round(edges).astype(np.int64) + rng.integers(-1, 2, edges.shape)
        samples.append(np.concatenate([np.clip(near, -(1 << bits - 1), (1 << bits - 1) - 1), far]))
    return Trial(joined(cases), inputs=samples)


def tables() -> Iterator[Case]:
    rng = np.random.default_rng(4)
    for i, (index, shape) in enumerate((
        (Fixed(8, 8), (33,)), (Fixed(8, 3, False), (5, 7)), (Affine(8, True, Fraction(1, 3), -5), (3, 5, 10)),
        (Fixed(1, 1, False), (1,)), (Fixed(12, 4), ()), (Fixed(6, grid(2, 5, 1)), (4, 3)),
    )):  # fmt: skip
        low, high = (int(b.min()) for b in index.bounds)
        for j, entry in enumerate((Fixed(8, 3), Fixed(1, 1, False), Fixed(20, 8), Affine(8, False, Fraction(1, 7), 9))):
            yield case(f"table_{i}_{j}", Lookup(low), (shape, index), drawn(rng, (high - low + 1,), entry))
    small = Node(Quantize(Fixed(4, 4, False)), (Node(Input("small", (9,), Fixed(7, 7))),))
    yield of("part", Node(Lookup(-3), (small, Node(drawn(rng, (19,), Fixed(40, 8))))))


def steps() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    formats: list[Format] = [
        Fixed(8, 4), Fixed(5, 5, False), Affine(8, True, Fraction(1, 3), 5), Fixed(40, 20),
        Affine(6, True, grid(*SCALES[:3]), 2), Fixed(grid(3, 8, 5), grid(1, 4, -2)),
    ]  # fmt: skip
    for i, source in enumerate(formats):
        for j, count in enumerate((1, 3, 16, 17, 31, 100)):
            edge = (Fixed(8, 5), Fixed(12, 3), Affine(8, True, Fraction(2, 7), 1))[(i + j) % 3]
            values = drawn(rng, (count + 1,), (Fixed(8, 3), Fixed(34, 20), Affine(8, False, Fraction(1, 3), 3))[j % 3])
            thresholds = constant(np.sort(drawn(rng, (count,), edge).value.data), edge)
            yield case(f"step_{i}_{j}", Step(), ((5, 3), source), thresholds, values)
            real = Constant(Array(np.sort(rng.normal(0, 2, count)).astype(np.float32)))
            yield case(f"real_step_{i}_{j}", Step(), ((7, 3), source), real, values)


@everywhere
def tables_and_steps(share: int, number: int) -> Trial:
    return Trial(joined(sampled([*tables(), *steps()], share)), count=16)


@once
def steps_of_floats() -> Trial:
    """On the thresholds themselves, beside them, and what is no number."""
    rng, cases = np.random.default_rng(6), []
    x = Node(Input("x", (3, 11)))
    edges = np.array([-1.5, -1.5, -0.25, 0.0, 0.1, 3.0, *np.linspace(4, 9, 30)], np.float32)
    samples = np.concatenate([rng.choice(edges, (20, 3, 11)), rng.normal(0, 3, (20, 3, 11)),
                              np.full((1, 3, 11), np.nan)]).astype(np.float32)  # fmt: skip
    for i, part in enumerate((edges[:6], edges)):
        for j, format in enumerate((Fixed(8, 3), Affine(8, True, Fraction(1, 3), 3))):
            values = Node(drawn(rng, (len(part) + 1,), format))
            cases.append(of(f"v{i}_{j}", Node(Step(), (x, Node(Constant(Array(part))), values))))
        own = Node(constant(np.sort(rng.integers(-20, 20, 7 + 20 * i)), Fixed(8, 6)))
        real = Node(Constant(Array(rng.normal(0, 1, 8 + 20 * i).astype(np.float32))))
        cases.append(of(f"r{i}", Node(Step(), (x, own, real))))
    return Trial(joined(cases), inputs=[samples])


@once
def a_chain_of_formats() -> Trial:
    x = Node(Input("x", (2, 19), Affine(8, True, Fraction(1, 255), -128)))
    a = Node(Quantize(Fixed(10, 2), Rounding.RND_CONV), (x,))
    b = Node(Quantize(Affine(8, False, Fraction(1, 77), 3), Rounding.RND_INF), (a,))
    c = Node(Quantize(Fixed(5, 1), Rounding.TRN_ZERO, Overflow.WRAP), (b,))
    return Trial(Graph((x,), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate((a, b, c)))), count=20)


@everywhere
def sums_are_quantized(share: int, number: int) -> Trial:
    """Bytes of scales that have little in common, added and quantized: every pair, near ties and beyond the bounds."""
    rng, cases = np.random.default_rng(9), []
    scales = [Fraction(12732093, 1 << 28), Fraction(9105383, 1 << 27), Fraction(1, 7), Fraction(3, 64)]
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    x, y = (Node(Input(n, (16, 64, 8), Affine(8, True, s, z))) for n, s, z in zip("xy", scales, (3, -7), strict=False))
    b = Node(drawn(rng, (8,), Affine(8, True, scales[1])))
    targets = (Affine(8, True, scales[2], -9), Affine(8, False, Fraction(1, 50)), Fixed(8, 5))
    for i, (join, target) in enumerate(product((Add(), Sub()), targets)):
        for mode in (Rounding.RND_CONV, Rounding.RND, Rounding.TRN):
            cases.append(of(f"sum{i}_{mode}".lower(), Node(Quantize(target, mode), (Node(join, (x, y)),))))
        cases.append(of(f"bias{i}", Node(Quantize(target, Rounding.RND_CONV, Overflow.WRAP), (Node(join, (x, b)),))))
        cases.append(of(f"same{i}", Node(Quantize(target, Rounding.RND_CONV), (Node(join, (x, x)),))))
    fed = [np.resize(pairs[:, i], (8, 16, 64, 8)) for i in range(2)]
    return Trial(joined(sampled(cases, share)), inputs=fed)

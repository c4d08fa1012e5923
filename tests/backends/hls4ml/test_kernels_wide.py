"""A wide sweep over drawn formats and shapes, and all cases on the vendor's own types in C++11. By hand."""

import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, Format, GatewrightError, Grid, Overflow, Rounding
from gatewright.graph.ops import Add, Maximum, Mul, Quantize, Sub

from . import test_kernels_linear, test_kernels_pointwise, test_kernels_shape
from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = [needs_gxx, pytest.mark.slow]


def vendor_types() -> Path:
    found = find_spec("hls4ml")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "templates" / "vivado" / "ap_types"


def check_all(program: Program, seed: int, count: int) -> None:
    for index in range(len(program.cases)):
        check(program, index, np.random.default_rng([seed, index]), count)


@pytest.mark.parametrize("module", [test_kernels_pointwise, test_kernels_linear, test_kernels_shape])
@pytest.mark.parametrize("part", range(4))
def test_on_the_vendors_types(module: object, part: int, tmp_path: Path) -> None:
    cases = module.CASES[part::4]  # type: ignore[attr-defined]
    flags = ("-std=c++11", "-w", "-fpermissive", "-DNDEBUG")
    check_all(Program(cases, tmp_path, include=vendor_types(), flags=flags), 7, 4)


def draw_format(rng: np.random.Generator, bits: int) -> Format:
    """Any format of at most ``bits`` bits; scales of float32 among them."""
    width, signed = int(rng.integers(2, bits)), bool(rng.integers(2))
    if rng.integers(2):
        return Fixed(width, int(rng.integers(-4, 12)), signed)
    zero = int(rng.integers(-(2 ** (width - 1)), 2 ** (width - 1))) if signed else int(rng.integers(0, 2**width))
    return Affine(width, signed, draw_scale(rng), zero)


def draw_scale(rng: np.random.Generator) -> Fraction:
    if rng.integers(2):
        return Fraction(int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    return Fraction(float(np.float32(rng.uniform(1e-3, 2.0))))


def draw_target(rng: np.random.Generator, channels: int) -> Format:
    if rng.integers(3):
        return draw_format(rng, 16)
    width, integer = rng.integers(1, 12, channels), rng.integers(-3, 9, channels)
    return Fixed(Grid(width), Grid(integer), Grid(rng.integers(0, 2, channels).astype(bool)))


def draw_quantize(rng: np.random.Generator, name: str) -> Case:
    rounding, overflow = rng.choice(list(Rounding)), rng.choice(list(Overflow))
    source = draw_format(rng, int(rng.choice([8, 20, 36])))
    if rng.integers(3) == 0:
        cells = np.empty(3, object)
        cells[:] = [draw_scale(rng) for _ in range(3)]
        source = Affine(12, True, Grid(cells), Grid(rng.integers(-99, 99, 3)))
    return case(name, Quantize(draw_target(rng, 3), Rounding(rounding), Overflow(overflow)), ((2, 3), source))


def draw_pair(rng: np.random.Generator, name: str) -> Case:
    op = rng.choice([Add, Sub, Mul, Maximum])()
    x, y = draw_format(rng, 12), draw_format(rng, 12)
    if rng.integers(2):
        low, high = y.bounds  # type: ignore[union-attr]
        return case(name, op, ((2, 3), x), constant(rng.integers(low, high, (3,), endpoint=True), y))
    return case(name, op, ((2, 3), x), ((3,), y))


@pytest.mark.parametrize("seed", range(8))
def test_drawn_formats(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([11, seed])
    cases: list[Case] = []
    while len(cases) < 120:
        draw = draw_quantize if len(cases) % 2 else draw_pair
        try:
            cases.append(draw(rng, f"{draw.__name__}_{len(cases)}"))
        except (GatewrightError, AssertionError):  # beyond 64 bits: the graph or the rule refuses it
            continue
    check_all(Program(cases, tmp_path), seed, 60)


@pytest.mark.parametrize("seed", range(6))
def test_drawn_windows(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([13, seed])
    module = test_kernels_linear
    cases = [*module.conv_cases(rng, 36), *module.transposed_cases(rng, 24), *module.pool_cases(rng, 18)]
    check_all(Program(cases, tmp_path), seed, 6)


def test_with_the_packaged_compiler(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    modules = (test_kernels_pointwise, test_kernels_linear, test_kernels_shape)
    cases = [c for module in modules for c in module.CASES[::5]]
    compiler = (sys.executable, "-m", "ziglang", "c++")
    check_all(Program(cases, tmp_path, compiler=compiler), 3, 4)

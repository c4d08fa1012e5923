"""gw_float.h against numpy: every exponent, ties, what is no number, infinite, or below the normal numbers."""

import ctypes
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from .support import FLAGS, HANDLERS, includes, zig_path

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "trunc": np.trunc, "floor": np.floor, "ceil": np.ceil, "nearbyint": np.rint, "abs": np.abs, "sqrt": np.sqrt,
}  # fmt: skip
PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "min": lambda a, b: np.where(a < b, a, b), "max": lambda a, b: np.where(a > b, a, b),
}  # fmt: skip
NO_KERNEL = "sqrt", "d"
"""What no kernel asks for."""
KINDS = {"f": ("float", np.dtype(np.float32)), "d": ("double", np.dtype(np.float64))}
SOURCE = """\
#include "gw_float.h"
void {name}_all(const {kind} *x, const {kind} *y, {kind} *r, int32_t n);
void {name}_all(const {kind} *x, const {kind} *y, {kind} *r, int32_t n)
{{
    (void)y;
    for (int32_t i = 0; i < n; i++) r[i] = gw_{name}({operands});
}}
"""
WHOLE = """\
void whole{bits}{suffix}_all(const {kind} *x, int{bits}_t *r, int32_t n);
void whole{bits}{suffix}_all(const {kind} *x, int{bits}_t *r, int32_t n)
{{
    for (int32_t i = 0; i < n; i++) r[i] = gw_whole{bits}{suffix}(x[i]);
}}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """All functions, each over arrays."""
    folder = tmp_path_factory.mktemp("floats")
    for path, data in includes().items():
        (folder / Path(path).name).write_bytes(data)
    text = ""
    for suffix, (kind, _) in KINDS.items():
        names = [n for n in FUNCTIONS if (n, suffix) != NO_KERNEL]
        text += "".join(SOURCE.format(name=n + suffix, kind=kind, operands="x[i]") for n in names)
        text += "".join(SOURCE.format(name=n + suffix, kind=kind, operands="x[i], y[i]") for n in PAIRS)
        text += "".join(WHOLE.format(bits=bits, suffix=suffix, kind=kind) for bits in (32, 64))
    (folder / "all.c").write_text(text)
    command = [zig_path(), "cc", *FLAGS, "all.c", str(HANDLERS), "-o", "all.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "all.so"))


def samples(dtype: np.dtype) -> np.ndarray:  # type: ignore[type-arg]
    """Numbers of every exponent and sign, halves and what is beside them, squares, the ends of everything."""
    rng = np.random.default_rng(0)
    info, bits = np.finfo(dtype), np.dtype(f"u{dtype.itemsize}")
    every = np.arange(1 << info.bits - 1 - info.nmant, dtype=bits) << bits.type(info.nmant)
    fractions = rng.integers(0, 1 << info.nmant, (40, 1), bits)
    fractions[:4, 0] = 0, 1, (1 << info.nmant) - 1, 1 << (info.nmant - 1)
    numbers = (every | fractions).ravel().view(dtype)
    halves = np.arange(-4001, 4001).astype(dtype) / 2
    tops = np.exp2(np.arange(info.nmant - 3, info.nmant + 4))[:, None] + np.arange(-8, 9) / 2
    near = np.concatenate([halves, tops.ravel().astype(dtype)])
    squares = (rng.integers(1, 1 << 12, 4000).astype(dtype)) ** 2
    special = np.array([0.0, np.inf, np.nan, info.tiny, info.smallest_subnormal, info.max, 1.0, 2.0], dtype)
    found = np.concatenate([
        numbers, near, np.nextafter(near, dtype.type(np.inf)), np.nextafter(near, dtype.type(-np.inf)), squares,
        np.nextafter(squares, dtype.type(0)), special,
    ])  # fmt: skip
    return np.concatenate([found, -found]).astype(dtype)


def same(mine: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Whether numbers are the same, zeros with their sign; what is none is none in both."""
    return ((mine == right) & (np.signbit(mine) == np.signbit(right))) | (np.isnan(mine) & np.isnan(right))


def applied(library: ctypes.CDLL, name: str, *arrays: np.ndarray) -> np.ndarray:
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
    library[f"{name}_all"](*pointers, ctypes.c_int32(len(arrays[0])))
    finding = library.undefined_behaviour
    finding.restype = ctypes.c_char_p
    assert not finding(ctypes.byref(ctypes.c_char_p()), ctypes.byref(ctypes.c_uint32()))
    return arrays[-1]


@pytest.mark.parametrize(("name", "suffix"), [p for p in product([*FUNCTIONS, *PAIRS], KINDS) if p != NO_KERNEL])
def test_functions_round_as_numpy(library: ctypes.CDLL, name: str, suffix: str) -> None:
    x = samples(KINDS[suffix][1])
    y = np.random.default_rng(1).permutation(x)
    with np.errstate(invalid="ignore"):
        right = FUNCTIONS[name](x) if name in FUNCTIONS else PAIRS[name](x, y)
    mine = applied(library, name + suffix, x, y, np.empty_like(x))
    wrong = np.flatnonzero(~same(mine, right))
    assert not wrong.size, [(x[i], y[i], mine[i], right[i]) for i in wrong[:9]]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("suffix", KINDS)
def test_whole_numbers(library: ctypes.CDLL, suffix: str, bits: int) -> None:
    x = samples(KINDS[suffix][1])
    x = x[np.isnan(x) | ((x >= -(2.0 ** (bits - 1))) & (x < 2.0 ** (bits - 1)))]
    kind = np.dtype(f"i{bits // 8}")
    right = np.where(np.isnan(x), 0, x).astype(kind)
    assert (applied(library, f"whole{bits}{suffix}", x, np.empty(len(x), kind)) == right).all()

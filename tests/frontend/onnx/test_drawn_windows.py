"""Convolutions and pools over drawn strides, dilations and paddings, against their definitions."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatewright.frontend.onnx import from_object
from gatewright.graph import NDArray, UnsupportedError

from .cases import Case, In, check, floats

COMMON: dict[str, Any] = {"derandomize": True, "deadline": None, "database": None}
FEW = settings(max_examples=25, **COMMON)
MANY = settings(max_examples=1500, **COMMON)
AUTO = st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])


def per_axis(rank: int, low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=rank, max_size=rank)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))
    space, kernel = draw(per_axis(rank, 3, 7)), draw(per_axis(rank, 1, 3))
    groups, filters, channels = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    auto = draw(AUTO)
    attributes: dict[str, Any] = {"group": groups, "strides": draw(per_axis(rank, 1, 3))}
    attributes["dilations"] = draw(per_axis(rank, 1, 2))
    if auto == "NOTSET":
        attributes["pads"] = draw(per_axis(2 * rank, 0, 2))
    else:
        attributes["auto_pad"] = auto
    if draw(st.booleans()):
        attributes["kernel_shape"] = kernel
    w = floats(groups * filters, channels, *kernel)
    bias = (floats(groups * filters, seed=2),) if draw(st.booleans()) else ()
    return Case("Conv", (In((groups * channels, *space)), w, *bias), attributes, draw(st.sampled_from([7, 11, 22])))


def convolved(case: Case) -> NDArray:
    """Convolution by its definition, one window after the other, for explicit padding."""
    x, w = case.samples()["x0"], case.operands[1]
    a, rank = case.attributes, len(case.operands[0].shape) - 1  # type: ignore[union-attr]
    pads, d, s = a["pads"], a["dilations"], a["strides"]
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
    k = w.shape[2:]  # type: ignore[union-attr]
    out = [(n - (k[i] - 1) * d[i] - 1) // s[i] + 1 for i, n in enumerate(x.shape[2:])]
    y = np.zeros((len(x), w.shape[0], *out), np.float32)  # type: ignore[union-attr]
    for f, at in product(range(w.shape[0]), np.ndindex(*out)):  # type: ignore[union-attr]
        per = w.shape[1]  # type: ignore[union-attr]
        g = f // (w.shape[0] // a["group"])  # type: ignore[union-attr]
        cut = tuple(slice(p * s[i], p * s[i] + (k[i] - 1) * d[i] + 1, d[i]) for i, p in enumerate(at))
        y[(slice(None), f, *at)] = (
            (x[(slice(None), slice(g * per, (g + 1) * per), *cut)] * w[f]).reshape(len(x), -1).sum(1)
        )  # type: ignore[index]
    return y if len(case.operands) == 2 else y + case.operands[2].reshape(-1, *[1] * rank)  # type: ignore[union-attr]


def total_padding(case: Case) -> list[int]:
    """How many cells ``auto_pad`` adds along each axis; below 0 where the strides leave cells out."""
    a, space = case.attributes, case.operands[0].shape[1:]  # type: ignore[union-attr]
    if not a.get("auto_pad", "").startswith("SAME"):
        return [0] * len(space)
    kernel = a.get("kernel_shape") or case.operands[1].shape[2:]  # type: ignore[union-attr]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, a.get("dilations", [1] * len(space)), strict=True)]
    return [(int(np.ceil(n / s)) - 1) * s + r - n for n, s, r in zip(space, a["strides"], reach, strict=True)]


def is_refused(case: Case) -> bool:
    """Whether runtimes differ on the padding; then it is refused."""
    if min(total_padding(case)) >= -1:
        return False
    with pytest.raises(UnsupportedError, match="auto_pad"):
        from_object(case.model())
    return True


def padded_explicitly(case: Case) -> Case:
    """The same window with the padding that ``auto_pad`` stands for (formulas of the definitions) as numbers."""
    a = dict(case.attributes)
    auto = a.pop("auto_pad", "NOTSET")
    total = [max(t, 0) for t in total_padding(case)]
    if auto != "NOTSET":
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        a["pads"] = large + small if auto == "SAME_LOWER" else small + large
    return Case(case.op, case.operands, a, case.opset)


def fits(case: Case) -> bool:
    """Whether at least one window fits."""
    a = padded_explicitly(case).attributes
    space = case.operands[0].shape[1:]  # type: ignore[union-attr]
    kernel = a.get("kernel_shape") or case.operands[1].shape[2:]  # type: ignore[union-attr]
    rank = len(space)
    d, p = a.get("dilations", [1] * rank), a["pads"]
    return all(n + p[i] + p[rank + i] >= (kernel[i] - 1) * d[i] + 1 for i, n in enumerate(space))


def run_convolution(case: Case) -> None:
    assume(fits(case))
    if not is_refused(case):
        check(case, expected=convolved(padded_explicitly(case)))


test_convolutions = FEW(given(convolutions())(run_convolution))
test_many_convolutions = pytest.mark.slow(MANY(given(convolutions())(run_convolution)))


@st.composite
def pools(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))
    op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    attributes: dict[str, Any] = {"kernel_shape": draw(per_axis(rank, 1, 3)), "strides": draw(per_axis(rank, 1, 3))}
    attributes["dilations"] = draw(per_axis(rank, 1, 2))
    auto = draw(AUTO)
    if auto.startswith("SAME"):  # runtimes differ: refused
        taps = attributes["kernel_shape"]
        attributes["dilations"] = [d if k == 1 else 1 for d, k in zip(attributes["dilations"], taps, strict=True)]
    if auto == "NOTSET":
        attributes["pads"] = [
            min(p, k - 1) for p, k in zip(draw(per_axis(2 * rank, 0, 2)), attributes["kernel_shape"] * 2, strict=True)
        ]
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    else:
        attributes["auto_pad"] = auto
    if op == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    else:
        attributes["storage_order"] = draw(st.integers(0, 1))
    return Case(op, (In((2, *draw(per_axis(rank, 3, 7)))),), attributes, draw(st.sampled_from([19, 22])))


def pooled(case: Case) -> NDArray:
    """Pooling by its definition (opset 22): windows that would start in the padding after the data do not exist."""
    x, a = case.samples()["x0"], case.attributes
    space, rank = x.shape[2:], x.ndim - 2
    k, s, d, p = a["kernel_shape"], a["strides"], a["dilations"], a["pads"]
    taps, extents = [], []
    for i, n in enumerate(space):
        length = n + p[i] + p[rank + i]
        count = (length - (k[i] - 1) * d[i] - 1) / s[i] + 1
        count = int(np.ceil(count) if a.get("ceil_mode") else np.floor(count))
        count -= int(bool(a.get("ceil_mode")) and (count - 1) * s[i] >= n + p[i])
        taps.append([[w * s[i] + t * d[i] - p[i] for t in range(k[i])] for w in range(count)])
        extents.append((-p[i], n + p[rank + i]))
    y = np.zeros((*x.shape[:2], *[len(t) for t in taps]), np.float32)
    for at in np.ndindex(*y.shape[2:]):
        cells = list(product(*(taps[i][w] for i, w in enumerate(at))))
        real = [c for c in cells if all(0 <= v < n for v, n in zip(c, space, strict=True))]
        counted = [c for c in cells if all(lo <= v < hi for v, (lo, hi) in zip(c, extents, strict=True))]
        values = (
            np.stack([x[(slice(None), slice(None), *c)] for c in real]) if real else np.full((1, *x.shape[:2]), np.nan)
        )
        fold = (
            values.max(0) if case.op == "MaxPool" else values.sum(0) / len(counted if a["count_include_pad"] else real)
        )
        y[(slice(None), slice(None), *at)] = fold
    return y


def run_pool(case: Case) -> None:
    assume(fits(case))
    expected = pooled(padded_explicitly(case))
    assume(not np.isnan(expected).any())
    if not is_refused(case):
        check(case, expected=expected)


test_pools = FEW(given(pools())(run_pool))
test_many_pools = pytest.mark.slow(MANY(given(pools())(run_pool)))


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 2))
    groups, kernel, strides = draw(st.integers(1, 2)), draw(per_axis(rank, 1, 3)), draw(per_axis(rank, 1, 3))
    attributes: dict[str, Any] = {"group": groups, "strides": strides, "dilations": draw(per_axis(rank, 1, 2))}
    if draw(st.booleans()):
        attributes["pads"] = draw(per_axis(2 * rank, 0, 1))
    if draw(st.booleans()):
        attributes["output_padding"] = [draw(st.integers(0, max(s - 1, 0))) for s in strides]
    w = floats(groups * 2, draw(st.integers(1, 2)), *kernel)
    return Case("ConvTranspose", (In((groups * 2, *draw(per_axis(rank, 3, 5)))), w), attributes, 11)


def spread(case: Case, crop: list[tuple[int, int]]) -> NDArray:
    """Transposed convolution by its definition: each input spreads the kernel, and the borders are cut off."""
    x, w, a = case.samples()["x0"], case.operands[1], case.attributes
    assert isinstance(w, np.ndarray)
    rank, k, s, d = x.ndim - 2, w.shape[2:], a["strides"], a["dilations"]
    extra = a.get("output_padding", [0] * rank)
    full = [s[i] * (n - 1) + (k[i] - 1) * d[i] + 1 + extra[i] for i, n in enumerate(x.shape[2:])]
    y = np.zeros((len(x), w.shape[1] * a["group"], *full), np.float64)
    per = x.shape[1] // a["group"]
    for c, f in product(range(x.shape[1]), range(w.shape[1])):
        for at, tap in product(np.ndindex(*x.shape[2:]), np.ndindex(*k)):
            to = tuple(p * s[i] + tap[i] * d[i] for i, p in enumerate(at))
            y[(slice(None), c // per * w.shape[1] + f, *to)] += x[(slice(None), c, *at)] * w[(c, f, *tap)]
    cut = tuple(slice(lo, n - hi) for (lo, hi), n in zip(crop, full, strict=True))
    return y[(slice(None), slice(None), *cut)].astype(np.float32)


@FEW
@given(transposed_convolutions())
def test_transposed_convolutions(case: Case) -> None:
    rank = len(case.operands[0].shape) - 1  # type: ignore[union-attr]
    pads = case.attributes.get("pads", [0] * 2 * rank)
    expected = spread(case, list(zip(pads[:rank], pads[rank:], strict=True)))
    assume(expected.size)
    check(case, expected=expected)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("shape", [None, [9, 6]])
def test_transposed_convolution_to_a_shape(auto: str, shape: list[int] | None) -> None:
    """The odd cell is cut before the data for SAME_LOWER, after them for SAME_UPPER (definition of opset 11)."""
    attributes = {"auto_pad": auto, "strides": [2, 1], "dilations": [1, 1], "group": 1}
    case = Case("ConvTranspose", (In((2, 4, 5)), floats(2, 3, 4, 3)), attributes, 11)
    total = [(4 - 1) * 2 + 4 - (shape or [8])[0], 5 - 1 + 3 - (shape or [8, 5])[1]]
    halves = [(t // 2, t - t // 2) for t in total]
    expected = spread(case, halves if auto == "SAME_UPPER" else [(b, a) for a, b in halves])
    attributes |= {"output_shape": shape} if shape else {}
    check(case, expected=expected)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_dilated_pools_that_pad_themselves_are_refused(op: str) -> None:
    """ONNX Runtime leaves the dilation out of the padding; onnx's evaluator averages something else."""
    case = Case(op, (In((2, 7, 6)),), {"kernel_shape": [3, 1], "dilations": [2, 2], "auto_pad": "SAME_UPPER"})
    with pytest.raises(UnsupportedError, match="give pads"):
        from_object(case.model())

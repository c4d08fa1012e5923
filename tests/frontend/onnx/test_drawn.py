"""Operators over drawn shapes, strides, paddings, axes and modes, against onnx's evaluator or their definitions."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray, evaluate

from .cases import Case, In, check, floats, ints

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


def padded_explicitly(case: Case) -> Case:
    """The same window with the padding that ``auto_pad`` stands for (formulas of the definitions) as numbers."""
    a = dict(case.attributes)
    auto, space = a.pop("auto_pad", "NOTSET"), case.operands[0].shape[1:]  # type: ignore[union-attr]
    rank = len(space)
    kernel = a.get("kernel_shape") or case.operands[1].shape[2:]  # type: ignore[union-attr]
    total = [0] * rank
    if auto.startswith("SAME"):
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, a.get("dilations", [1] * rank), strict=True)]
        rows = zip(space, a["strides"], reach, strict=True)
        total = [max((int(np.ceil(n / s)) - 1) * s + r - n, 0) for n, s, r in rows]
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


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@FEW
@given(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]), SHAPES, st.data())
def test_broadcasting(op: str, shape: list[int], data: st.DataObject) -> None:
    """Constants of fewer axes, or with a leading axis of length 1, on either side."""
    other = [data.draw(st.sampled_from([1, n])) for n in shape][data.draw(st.integers(0, len(shape))) :]
    leading = [1] if len(other) == len(shape) and data.draw(st.booleans()) else []
    constant = np.abs(floats(*leading, *other)) + np.float32(0.5)
    flow = In(tuple(shape), 0.2, 2.0)
    check(Case(op, (flow, constant) if data.draw(st.booleans()) else (constant, flow)))


@FEW
@given(SHAPES, st.data())
def test_slices(shape: list[int], data: st.DataObject) -> None:
    cuts = [
        (data.draw(st.integers(-6, 6)), data.draw(st.integers(-6, 6)), data.draw(st.sampled_from([1, 2, -1, -3])))
        for _ in shape
    ]
    assume(all(range(n)[slice(*c)] for n, c in zip(shape, cuts, strict=True)))
    starts, ends, steps = (ints(*v) for v in zip(*cuts, strict=True))
    axes = ints(*range(1, len(shape) + 1))
    expected = Case("Relu", (In(tuple(shape)),)).samples()["x0"][(slice(None), *(slice(*c) for c in cuts))]
    check(Case("Slice", (In(tuple(shape)), starts, ends, axes, steps)), expected=expected)


@FEW
@given(SHAPES, st.sampled_from(["constant", "reflect", "edge", "wrap"]), st.data())
def test_padding(shape: list[int], mode: str, data: st.DataObject) -> None:
    pads = [(data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))) for n in shape]
    before, after = zip((0, 0), *pads, strict=True)
    value = (np.float32(0.75),) if mode == "constant" else ()
    check(Case("Pad", (In(tuple(shape)), ints(*before, *after), *value), {"mode": mode}))


@FEW
@given(
    st.sampled_from(["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"]),
    SHAPES,
    st.data(),
)
def test_reductions(kind: str, shape: list[int], data: st.DataObject) -> None:
    rank = len(shape) + 1
    chosen = data.draw(st.lists(st.integers(1, rank - 1), min_size=1, unique=True))
    axes = [a - rank if data.draw(st.booleans()) else a for a in chosen]
    flow, keep = In(tuple(shape), 0.1, 2.0), {"keepdims": data.draw(st.integers(0, 1))}
    if data.draw(st.booleans()):
        check(Case(f"Reduce{kind}", (flow,), {"axes": axes, **keep}, 11))
    else:
        check(Case(f"Reduce{kind}", (flow, ints(*axes)), keep, 18))


@pytest.mark.parametrize("kind", ["Sum", "L1", "L2", "SumSquare", "LogSum", "LogSumExp", "Max"])
def test_reductions_over_nothing(kind: str) -> None:
    """The composite ones still do what is not the sum (definition of opset 18)."""
    case = Case(f"Reduce{kind}", (In((3, 4), 0.1, 2.0),), {"noop_with_empty_axes": 1}, 18)
    x = case.samples()["x0"]
    expected = {"L1": np.abs(x), "L2": np.abs(x), "SumSquare": x * x, "LogSum": np.log(x)}.get(kind, x)
    check(case, expected=expected)


@FEW
@given(SHAPES, st.sampled_from(["Softmax", "LogSoftmax"]), st.sampled_from([7, 11, 13]), st.data())
def test_softmax(shape: list[int], op: str, opset: int, data: st.DataObject) -> None:
    """Before opset 13 all axes from ``axis`` on count together, which the evaluator ignores."""
    rank = len(shape) + 1
    axis = data.draw(st.integers(1, rank - 1))
    case = Case(op, (In(tuple(shape)),), {"axis": axis - rank if data.draw(st.booleans()) else axis}, opset)
    x = case.samples()["x0"]
    flat = x if opset >= 13 else x.reshape(*x.shape[:axis], -1)
    e = np.exp(flat.astype(np.float64))
    expected = (e / e.sum(axis=axis, keepdims=True)).astype(np.float32).reshape(x.shape)
    check(case, expected=expected if op == "Softmax" else np.log(expected))


@FEW
@given(st.data())
def test_matmul(data: st.DataObject) -> None:
    """Every pairing of constants and computed tensors that keeps the batch in front."""
    m, k, n, lead = (data.draw(st.integers(1, 4)) for _ in range(4))
    pairs: list[tuple[Any, Any]] = [
        (In((k,)), floats(k, n)), (In((k,)), floats(k)), (In((m, k)), floats(k, n)), (In((m, k)), floats(k)),
        (In((m, k)), floats(1, k, n)), (In((lead, m, k)), floats(lead, k, n)),
        (In((lead, m, k)), floats(1, lead, k, n)),
        (floats(m, k), In((k, n))), (floats(k), In((k, n))), (floats(lead, m, k), In((lead, k, n))),
        (In((m, k)), In((k, n))), (In((lead, m, k)), In((lead, k, n))), (In((lead, m, k)), In((1, k, n))),
    ]  # fmt: skip
    check(Case("MatMul", data.draw(st.sampled_from(pairs))))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(
    "coordinates", ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
)
@pytest.mark.parametrize("sizes", [(8, 10), (3, 7), (5, 2)])
def test_resize(mode: str, coordinates: str, sizes: tuple[int, int]) -> None:
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil") if mode == "nearest" else (None,):
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
        attributes |= {"nearest_mode": nearest} if nearest else {}
        check(Case("Resize", (In((2, 4, 5)), None, None, ints(*sizes)), {**attributes, "axes": [2, 3]}))


@pytest.mark.parametrize(
    "attributes",
    [
        {"antialias": 1},
        {"antialias": 1, "mode": "cubic"},
        {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5},
        {"exclude_outside": 1},
        {"keep_aspect_ratio_policy": "not_larger"},
        {"keep_aspect_ratio_policy": "not_smaller"},
    ],
)
def test_resize_attributes(attributes: dict[str, Any]) -> None:
    attributes = {"mode": "linear", "axes": [2, 3], **attributes}
    check(Case("Resize", (In((2, 6, 7)), None, None, ints(4, 3)), attributes))


def test_resize_counts_axes_from_the_end() -> None:
    """Which the definition allows and the evaluator fails at."""
    case = Case("Resize", (In((2, 4, 5)), None, None, ints(8, 10)), {"axes": [-2, -1]})
    check(case, expected=case.samples()["x0"].repeat(2, axis=2).repeat(2, axis=3))


def test_resize_by_scales() -> None:
    scales = np.array([1, 1, 2, 0.5], np.float32)
    for mode in ("nearest", "linear"):
        check(Case("Resize", (In((2, 4, 6)), None, scales), {"mode": mode}, 11))
    check(Case("Resize", (In((2, 4, 6)), None, np.array([0.5, 1.5], np.float32)), {"axes": [1, 3], "mode": "linear"}))
    check(
        Case(
            "Resize",
            (In((3, 4)), None, np.array([2.5], np.float32)),
            {"axes": [2], "coordinate_transformation_mode": "half_pixel_symmetric"},
        )
    )


def test_resize_10_is_upsample() -> None:
    """Positions are ``index / scale``, rounded down; the evaluator has no opset 10."""
    case = Case("Resize", (In((2, 3, 4)), np.array([1, 1, 2, 3], np.float32)), opset=10)
    check(case, expected=case.samples()["x0"].repeat(2, axis=2).repeat(3, axis=3))


def test_crop_and_resize() -> None:
    roi = np.array([0.2, -0.3, 0.9, 1.1], np.float32)
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "axes": [2, 3], "extrapolation_value": 7.0}
    for mode in ("nearest", "linear"):
        check(Case("Resize", (In((2, 6, 7)), roi, None, ints(4, 5)), {**attributes, "mode": mode}))


def test_upsample_linear() -> None:
    case = Case("Upsample", (In((1, 1, 3)), np.array([1, 1, 1, 2], np.float32)), {"mode": "linear"}, 9)
    x = case.samples()["x0"]
    middle = (x + np.concatenate([x[..., 1:], x[..., -1:]], -1)) / 2
    check(case, expected=np.stack([x, middle], -1).reshape(*x.shape[:-1], 6))


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth"])
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_blocks(op: str, mode: str) -> None:
    case = Case(op, (In((8, 4, 6)),), {"blocksize": 2, "mode": mode})
    x = case.samples()["x0"]
    n, (c, h, w) = len(x), x.shape[1:]
    if op == "DepthToSpace":
        split = x.reshape(n, 2, 2, c // 4, h, w) if mode == "DCR" else x.reshape(n, c // 4, 2, 2, h, w)
        moved = split.transpose(0, 3, 4, 1, 5, 2) if mode == "DCR" else split.transpose(0, 1, 4, 2, 5, 3)
        check(case, expected=moved.reshape(n, c // 4, h * 2, w * 2))
    else:
        back = Case("DepthToSpace", (In((c * 4, h // 2, w // 2)),), case.attributes)
        there = evaluate(from_object(case.model()), x)
        assert isinstance(there, np.ndarray)
        np.testing.assert_array_equal(evaluate(from_object(back.model()), there), x)


REFUSED = [
    Case("Transpose", (In((3, 4)),), {"perm": [1, 0, 2]}),
    Case("Transpose", (In((3, 4)),)),
    Case("Concat", (In((3,)), In((3,))), {"axis": 0}),
    Case("ReduceSum", (In((3,)), ints(0))),
    Case("ReduceSum", (In((3,)),)),
    Case("Softmax", (In((3,)),), {"axis": 0}),
    Case("Reshape", (In((4,)), ints(-1, 2))),
    Case("Reshape", (In((4,)), ints(-1))),
    Case("Reshape", (In((4,)), ints(1, -1))),
    Case("Flatten", (In((4, 3)),), {"axis": 2}),
    Case("Flatten", (In((4, 3)),), {"axis": 0}),
    Case("Squeeze", (In((4,)),), batch=1),
    Case("Unsqueeze", (In((4,)), ints(0))),
    Case("Slice", (In((4,)), ints(0), ints(1))),
    Case("Gather", (In((4,)), ints(0))),
    Case("Pad", (In((4,)), ints(1, 0, 0, 0))),
    Case("Tile", (In((4,)), ints(2, 1))),
    Case("Expand", (In((4,)), ints(2, 1, 4))),
    Case("Add", (In((4,)), floats(3, 4))),
    Case("Add", (In((4,)), floats(3, 4)), batch=3),
    Case("Add", (In((4,)), floats(1, 2, 4))),
    Case("Add", (In((4,)), In((2, 4)))),
    Case("MatMul", (floats(3, 4), In((4,)))),
    Case("MatMul", (In((4,)), In((4,)))),
    Case("Gemm", (In((4,)), floats(4, 2)), {"transA": 1}),
    Case("Gemm", (floats(4, 4), In((4,)))),
    Case("Conv", (In((4, 5)), floats(2, 4, 3)), {"auto_pad": "SAME_UPPER", "pads": [1, 1]}),
    Case("Conv", (In((4, 5)), floats(2, 4, 3)), {"kernel_shape": [2]}),
    Case("Conv", (In((4, 5)), floats(2, 3, 3))),
    Case("Conv", (In((4, 5)), floats(2, 4, 3)), {"pads": [-1, 0]}),
    Case("Conv", (In((4, 5)), floats(2, 4, 3)), {"strides": [1, 1]}),
    Case("MaxPool", (In((4, 5)),), {"kernel_shape": [2], "pads": [2, 0]}),
    Case("BatchNormalization", (In((4,)), *[floats(4)] * 3, np.abs(floats(4))), {"training_mode": 1}),
    Case("Dropout", (In((4,)), np.float32(0.5), np.array(True))),
    Case("Cast", (In((4,)),), {"to": 6}),
    Case("Cast", (In((4,)),), {"to": 10}),
    Case("LayerNormalization", (In((4,)), floats(4)), {"axis": 0}),
    Case("Resize", (In((4,)), None, np.array([2, 1], np.float32))),
    Case("Where", (In((4,)), In((4,)), In((4,)))),
    Case("Split", (In((4,)),), {"axis": 0, "num_outputs": 2}, outputs=2),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.op)
def test_refused(case: Case) -> None:
    with pytest.raises(GatewrightError) as caught:
        from_object(case.model())
    assert caught.value.where.endswith(f"{case.op} 'it'") or "output" in caught.value.where
    assert caught.value.hint

"""Operators over drawn shapes, axes and modes, against onnx's evaluator or their definitions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, UnsupportedError, evaluate

from .cases import Case, In, check, floats, ints

FEW = settings(max_examples=25, derandomize=True, deadline=None, database=None)
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


def test_resize_10_rounds_up_where_it_shrinks() -> None:
    """So do the node case of opset 10 ([1, 3] of [1, 2, 3, 4] at 0.6) and ONNX Runtime."""
    case = Case("Resize", (In((2, 7, 4)), np.array([1, 1, 0.5, 0.6], np.float32)), opset=10)
    check(case, expected=case.samples()["x0"][:, :, [0, 2, 4]][..., [0, 2]])


def test_resize_keeps_whole_positions_whole() -> None:
    """Seven elements at 0.5 about the middle: positions 1, 3, 5 exactly, which rounding up must not move."""
    attributes = {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "half_pixel_symmetric"}
    case = Case("Resize", (In((2, 7)), None, np.array([1, 1, 0.5], np.float32)), attributes)
    check(case, expected=case.samples()["x0"][..., [1, 3, 5]])


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_aligned_corners_of_a_length_that_is_not_whole_are_refused(mode: str) -> None:
    """onnx's evaluator divides by 3.5 - 1, ONNX Runtime by 3 - 1."""
    attributes = {"mode": mode, "coordinate_transformation_mode": "align_corners"}
    case = Case("Resize", (In((2, 7)), None, np.array([1, 1, 0.5], np.float32)), attributes)
    with pytest.raises(UnsupportedError, match="give sizes"):
        from_object(case.model())


def test_positions_that_hang_on_the_length_of_the_float_are_refused() -> None:
    """3.5 / 0.7 - 0.5 is 4.5 in float32 and more in float64: ONNX Runtime takes element 4, onnx's evaluator 5."""
    case = Case("Resize", (In((2, 6)), None, np.array([1, 1, 0.7], np.float32)), {"mode": "nearest"})
    with pytest.raises(UnsupportedError, match="give sizes"):
        from_object(case.model())


def test_crop_and_resize() -> None:
    roi = np.array([0.2, -0.3, 0.87, 1.13], np.float32)
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
    Case("Unsqueeze", (In((4,)), ints(0))),
    Case("Slice", (In((4,)), ints(0), ints(1))),
    Case("Gather", (In((4,)), ints(0))),
    Case("Pad", (In((4,)), ints(1, 0, 0, 0))),
    Case("Tile", (In((4,)), ints(2, 1))),
    Case("Expand", (In((4,)), ints(2, 1, 4))),
    Case("Add", (In((4,)), floats(3, 4))),
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
    Case("LayerNormalization", (In((4,)), floats(4)), {"axis": 0}),
    Case("Resize", (In((4,)), None, np.array([2, 1], np.float32))),
    Case("Where", (In((4,)), In((4,)), In((4,)))),
    Case("Cast", (In((4,)),), {"to": TensorProto.STRING}),
    Case("Split", (In((4,)),), {"axis": 0, "num_outputs": 2}, outputs=2),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.op)
def test_refused(case: Case) -> None:
    with pytest.raises(GatewrightError) as caught:
        from_object(case.model())
    assert caught.value.where.endswith(f"{case.op} 'it'") or "output" in caught.value.where
    assert caught.value.hint

"""Operators that are products, picks or functions of others, with their attributes turned."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError

from .cases import Case, In, check, close, floats, ints, ours, reference

EQUATIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("bij->bji", (In((3, 4)),)), ("bij->b", (In((3, 4)),)), ("bii->bi", (In((4, 4)),)), ("biij->bj", (In((3, 3, 2)),)),
    ("bij,bjk->bik", (In((3, 4)), In((4, 2)))), ("bij,bkj->bik", (In((3, 4)), In((5, 4)))),
    ("...ij,...jk->...ik", (In((2, 3, 4)), In((2, 4, 5)))), ("bi,bi->b", (In((4,)), In((4,)))),
    ("bi,bj->bij", (In((4,)), In((3,)))), ("bij,jk,kl->bil", (In((3, 4)), floats(4, 2), floats(2, 5))),
    ("bhid,bhjd->bhij", (In((2, 3, 4)), In((2, 5, 4)))), ("ij,bj->bi", (floats(3, 4), In((4,)))),
    ("bi,ij,bj->b", (In((3,)), floats(3, 4), In((4,)))), ("bij,k->bijk", (In((2, 3)), floats(4))),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "operands"), EQUATIONS, ids=[e for e, _ in EQUATIONS])
def test_einsum(equation: str, operands: tuple[Any, ...]) -> None:
    check(Case("Einsum", operands, {"equation": equation}))


@pytest.mark.parametrize(("equation", "operands"), [
    ("ij->ji", (In((4,)),)), ("ij->", (In((4,)),)), ("ij,kj->ik", (In((4,)), In((4,)))), ("ii", (In((3,)),)),
    ("ij,jk", (In((3,)), In((5,)))), ("...ii->...i", (In((3,)),)),
], ids=str)  # fmt: skip
def test_einsum_without_a_batch(equation: str, operands: tuple[Any, ...]) -> None:
    assert check(Case("Einsum", operands, {"equation": equation}, batch=3)).input_ops[0].whole


@pytest.mark.parametrize(("equation", "operands"), [
    ("ij,kj->ik", (In((4,)), In((4,)))), ("bij->ij", (In((3, 4)),)), ("bij,bjk->bij", (In((3, 4)), In((5, 2)))),
    ("bij->bix", (In((3, 4)),)), ("bij,bjk", (In((3, 4)),)),
], ids=str)  # fmt: skip
def test_einsum_is_refused(equation: str, operands: tuple[Any, ...]) -> None:
    with pytest.raises(GatewrightError, match="Einsum"):
        from_object(Case("Einsum", operands, {"equation": equation}).model())


GRIDS = list(product(("linear", "nearest", "cubic"), ("zeros", "border", "reflection"), (0, 1)))


@pytest.mark.parametrize(("mode", "padding", "corners"), GRIDS)
@pytest.mark.parametrize("space", [(5, 6), (4,), (3, 4, 2)])
def test_grid_sample(mode: str, padding: str, corners: int, space: tuple[int, ...]) -> None:
    if len(space) == 3 and mode == "cubic":
        pytest.skip("the evaluator takes a minute for it")
    places = (2, 3, 2)[: len(space)]
    operands = (In((2, *space)), In((*places, len(space)), -1.6, 1.6))
    case = Case("GridSample", operands, {"mode": mode, "padding_mode": padding, "align_corners": corners})
    if (mode, padding) == ("cubic", "border"):  # runtimes differ
        with pytest.raises(GatewrightError, match="padding_mode"):
            from_object(case.model())
        return
    check(case)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_lrn(size: int) -> None:
    """By its definition; the evaluator normalizes as many channels as there are samples."""
    case = Case("LRN", (In((4, 3)),), {"size": size, "alpha": 0.5})
    x = case.samples()["x0"]
    total = np.zeros_like(x)
    for c in range(4):
        low, high = max(0, c - (size - 1) // 2), min(3, c + -(-(size - 1) // 2))
        total[:, c] = (x[:, low : high + 1] ** 2).sum(axis=1)
    check(case, expected=x / (1 + 0.5 / size * total) ** 0.75)


@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("ceil", [0, 1])
def test_lp_pool(p: int, ceil: int) -> None:
    attributes = {"kernel_shape": [3], "strides": [2], "p": p, "ceil_mode": ceil, "dilations": [2]}
    check(Case("LpPool", (In((2, 9)),), attributes))
    case = Case("GlobalLpPool", (In((2, 3, 4)),), {"p": p})
    x = np.abs(case.samples()["x0"].astype(np.float64)) ** p
    check(case, expected=(x.sum(axis=(2, 3), keepdims=True) ** (1 / p)).astype(np.float32))


HEADS = {"q_num_heads": 4, "kv_num_heads": 2}
Q, K, MASK = In((2, 5, 4)), In((2, 6, 4)), In((2, 5, 6))
DEFINED = [
    Case("Attention", (Q, Q, Q)), Case("Attention", (Q, Q, Q), {"is_causal": 1}),
    Case("Attention", (In((5, 8)), In((6, 4)), In((6, 4))), {**HEADS, "softcap": 2.0, "scale": 0.3}),
    Case("Attention", (Q, K, K, MASK), {"qk_matmul_output_mode": 2}, outputs=4),
    Case("Attention", (Q, K, K, floats(5, 6))), Case("Attention", (Q, K, K, In((1, 5, 6), 0, 1, "bool"))),
    Case("Attention", (Q, K, K, None, In((2, 3, 4)), In((2, 3, 4))), outputs=3),
    Case("RotaryEmbedding", (Q, In((5, 2)), In((5, 2)))),
    *(Case("RotaryEmbedding", (Q, floats(9, 2), floats(9, 2), In((5,), 0, 8, "int64")), {"interleaved": i})
      for i in (0, 1)),
    Case("RotaryEmbedding", (Q, floats(9, 1), floats(9, 1), In((5,), 0, 8, "int64")), {"rotary_embedding_dim": 2}),
    Case("MeanVarianceNormalization", (Q,), {"axes": [2, 3]}), Case("CenterCropPad", (Q, ints(3, 7)), {"axes": [2, 3]}),
    *(Case("SoftmaxCrossEntropyLoss", (In((4, 5)), In((5,), 0, 3, "int64"), floats(4)), {"reduction": "none", **more})
      for more in ({}, {"ignore_index": 2})),
    Case("NegativeLogLikelihoodLoss", (In((4,)), In((), 0, 3, "int64")), {"reduction": "none"}),
    Case("LayerNormalization", (In((4, 5)), floats(5)), outputs=3),
    Case("AffineGrid", (In((2, 3)), ints(3, 2, 4, 5)), {"align_corners": 1}, batch=3),
]  # fmt: skip


@pytest.mark.parametrize("case", DEFINED, ids=lambda c: c.op)
@pytest.mark.parametrize("batch", ["N", 3])
def test_operators_that_are_functions_of_others(case: Case, batch: str | int) -> None:
    case = case if case.op == "AffineGrid" else replace(case, batch=batch)
    proto, x = case.model(), case.samples()
    graph = from_object(proto)
    assert not graph.input_ops[0].whole
    close(ours(graph, x), reference(proto, x))


def test_a_definition_does_not_swallow_attributes() -> None:
    for op, operands in (("Attention", (Q, Q, Q)), ("MeanVarianceNormalization", (Q,))):
        with pytest.raises(GatewrightError, match="florp"):
            from_object(Case(op, operands).model(florp=1))


@pytest.mark.parametrize("op", ["NonZero", "Unique", "Det"])
def test_what_has_no_fixed_size_is_refused(op: str) -> None:
    with pytest.raises(GatewrightError, match=op):
        from_object(Case(op, (In((4, 4)),)).model())

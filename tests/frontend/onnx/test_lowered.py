"""Imported models in integers: near to the float graph, the choices the same."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from gatewright.frontend.onnx import from_object
from gatewright.graph import UnsupportedError, evaluate
from gatewright.lowering import lower

from .cases import Case, In, floats, ints
from .test_recurrent import Layer, samples

IMAGE, INDEX = In((4, 5, 6)), In((4, 5, 6), -5, 4, "int64")
CASES = [
    (Case("ArgMax", (In((6,)),), {"axis": 1}), 0.0),
    (Case("TopK", (In((6,)), ints(3)), {"axis": 1}, outputs=2), 1e-4),
    (Case("Where", (In((6,), 0, 1, "bool"), In((6,)), In((6,)))), 1e-4),
    (Case("Greater", (In((6,)), In((6,)))), 0.0),
    (Case("Hardmax", (In((6,)),)), 0.0),
    (Case("Gather", (floats(9, 3), In((4,), 0, 8, "int64"))), 1e-4),
    (Case("GatherElements", (IMAGE, INDEX), {"axis": 2}), 1e-4),
    (Case("ScatterElements", (IMAGE, INDEX, IMAGE), {"axis": 2, "reduction": "add"}), 1e-3),
    (Case("GridSample", (In((3, 5, 6)), In((4, 3, 2), -1.3, 1.3))), 1e-3),
    (Case("Einsum", (In((3, 4)), In((4, 2))), {"equation": "bij,bjk->bik"}), 1e-3),
    (Case("CumSum", (IMAGE, np.int64(1))), 1e-3),
    (Case("Mod", (In((6,)), In((6,), 1, 3)), {"fmod": 1}), 1e-3),
    (Case("Cast", (In((6,), -9, 9),), {"to": TensorProto.INT32}), 0.0),
]


@pytest.mark.parametrize(("case", "tolerance"), CASES, ids=lambda v: getattr(v, "op", ""))
def test_operators(case: Case, tolerance: float) -> None:
    agree(case.model(), case.samples(), tolerance)


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_recurrent_layers(op: str) -> None:
    agree(Layer(op, {"direction": "bidirectional"}).model(), {"x": samples()}, 0.02)


def test_minus_infinity_in_masks_is_the_lowest_number() -> None:
    case = Case("Attention", (In((2, 5, 4)),) * 3, {"is_causal": 1})
    agree(case.model(), case.samples(), 5e-3)
    graph = from_object(case.model())
    kept = lower(graph, floats=True)
    assert any("minus infinity is taken as the lowest number of float32" in note for note in kept.notes)
    wanted, got = (evaluate(g, case.samples()) for g in (graph, kept))
    assert isinstance(wanted, dict)
    assert isinstance(got, dict)
    for name, values in wanted.items():
        np.testing.assert_allclose(got[name], values, rtol=0, atol=1e-6)


def test_plus_infinity_is_refused() -> None:
    case = Case("Add", (In((3,)), np.array([1, np.inf, 2], np.float32)))
    with pytest.raises(UnsupportedError, match="a constant is plus infinity"):
        lower(from_object(case.model()), floats=True)


def agree(proto: Any, x: dict[str, np.ndarray], tolerance: float) -> None:
    graph = from_object(proto)
    integers = lower(graph, precision="fixed<24,8>")
    assert integers.is_integer
    expected, found = evaluate(graph, x), evaluate(integers, x)
    assert isinstance(expected, dict)
    assert isinstance(found, dict)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance)

"""A mask before a softmax becomes a number of few bits that is as good."""

import numpy as np
import pytest

from gatewright.graph import Array, Graph, Node, evaluate
from gatewright.graph.ops import Add, Constant, Input, Output, Softmax
from gatewright.lowering import lower

RNG = np.random.default_rng(0)


def masked(mask: np.ndarray) -> Graph:
    x = Node(Input("x", (6, 6)))
    y = Node(Softmax(1), (Node(Add(), (x, Node(Constant(Array(mask.astype(np.float32))))), "mask"),), "softmax")
    return Graph((x,), (Node(Output("y"), (y,)),))


@pytest.mark.parametrize("low", [-100.0, -1e4, -1e9, -3.4e38])
@pytest.mark.parametrize("spread", [1.0, 20.0, 200.0])
@pytest.mark.parametrize("with_samples", [False, True])
def test_a_causal_mask_keeps_its_meaning(low: float, spread: float, with_samples: bool) -> None:
    graph = masked(np.where(np.tri(6) > 0, 0.0, low))
    x = RNG.uniform(-spread, spread, (100, 6, 6)).astype(np.float32)
    precision = "fixed<18,9>" if spread > 30 else "fixed<16,6>"
    if low == -100.0 and spread > 30:
        pytest.skip("no mask: some of what it lowers still counts")
    got = evaluate(lower(graph, precision=precision, samples=x if with_samples else None), x)
    expected = evaluate(graph, x)
    assert np.abs(got - expected).max() < (0.06 if spread > 30 else 0.01)
    above = ~np.tri(6, dtype=bool)
    assert np.abs(got[:, above]).max() < 1e-4


def test_rows_that_are_masked_as_a_whole_stay() -> None:
    graph = masked(np.where(np.arange(6)[:, None] == 2, -1e4, 0.0) * np.ones((6, 6)))
    seen: dict[str, Graph] = {}
    lower(graph, precision="fixed<20,16>", watch=seen.__setitem__)
    constants = [n.op.value.data.min() for n in seen["soften_masks"].nodes if isinstance(n.op, Constant)]
    assert min(constants) == -1e4


def test_what_is_added_elsewhere_stays() -> None:
    x = Node(Input("x", (4,)))
    bias = Node(Constant(Array(np.array([0, -1e3, 5, 1], np.float32))))
    graph = Graph((x,), (Node(Output("y"), (Node(Add(), (x, bias)),)),))
    low = lower(graph, precision="fixed<24,14>")
    assert evaluate(low, np.zeros((1, 4)))[0, 1] == -1e3

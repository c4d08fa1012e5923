"""PyTorch itself: live modules and programs, PT2E by torchao, what is refused. In a process without TensorFlow."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gatewright as gw

from .cases import operators
from .networks import networks, quantized

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("tensorflow" in sys.modules, reason="TensorFlow and PyTorch do not live in one process"),
]
NAMES = ("conv2d", "multihead", "encoder_layer", "lstm_states", "inplace_chain", "pad_circular", "where", "embedding")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def outputs(module: Any, inputs: tuple[Any, ...]) -> list[np.ndarray]:
    import torch

    with torch.no_grad():
        found = module(*(x.clone() for x in inputs))
    return [y.numpy() for y in (found if isinstance(found, tuple | list) else (found,))]


def check(graph: gw.Graph, module: Any, inputs: tuple[Any, ...], tolerance: float = 2e-5) -> None:
    got = gw.evaluate(graph, [x.numpy() for x in inputs])
    for ours, theirs in zip(got if isinstance(got, tuple) else (got,), outputs(module, inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 2])
def test_modules(torch: Any, name: str, batch: int) -> None:
    module, inputs = operators()[name]()
    inputs = tuple(x[:batch] for x in inputs)
    check(gw.load(module, inputs=inputs), module, inputs)


def test_programs(torch: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()).eval()
    x = (torch.randn(5, 4),)
    check(gw.load(torch.export.export(module, x)), module, x)


@pytest.mark.parametrize("name", sorted(networks()))
def test_pt2e(torch: Any, name: str) -> None:
    pytest.importorskip("torchao")
    module, shape = networks()[name]()
    converted, x = quantized(module.eval(), shape), (torch.randn(4, *shape),)
    check(gw.load(converted, inputs=x), converted, x, 2e-2)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "sum of the batch": lambda x: x.sum(0),
    "sum of everything": lambda x: x.sum(),
    "order of samples": lambda x: x.flip(0),
    "softmax over samples": lambda x: x.softmax(0),
    "products of samples": lambda x: x.flatten(1) @ x.flatten(1).t(),
    "one sample": lambda x: x[1:],
    "values choose the shape": lambda x: (x > 0).nonzero(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(torch: Any, what: str) -> None:
    class Module(torch.nn.Module):  # type: ignore[name-defined,misc]
        def forward(self, x: Any) -> Any:
            return REFUSED[what](x)

    with pytest.raises(gw.GatewrightError):
        gw.load(Module().eval(), inputs=(torch.randn(2, 3, 4, 4),))


def test_training_mode_is_refused(torch: Any) -> None:
    with pytest.raises(gw.UnsupportedError, match="training mode"):
        gw.load(torch.nn.Dropout().train(), inputs=(torch.randn(2, 3),))


def test_modules_need_inputs(torch: Any) -> None:
    with pytest.raises(gw.UnsupportedError, match="examples of its inputs"):
        gw.load(torch.nn.ReLU().eval())

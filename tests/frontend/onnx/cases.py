"""Models of one operator, and the comparison of what is imported from them with onnx's own evaluator."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gatewright.frontend.onnx import from_object
from gatewright.graph import Graph, NDArray, evaluate

NEWEST = onnx.defs.onnx_opset_version()
BATCH = 3


@dataclass(frozen=True)
class In:
    """A computed operand: its shape without the batch, the range its values are drawn from, and its type."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    type: str = "float32"

    def draw(self, rng: np.random.Generator, length: int) -> NDArray:
        """Values [length, *shape]; of whole numbers both ends are among them."""
        shape = (length, *self.shape)
        if self.type in ("float32", "float64", "float16"):
            return rng.uniform(self.low, self.high, shape).astype(self.type)
        return rng.integers(int(self.low), int(self.high), shape, endpoint=True).astype(self.type)


@dataclass(frozen=True)
class Case:
    """One operator: operands are ``In``, arrays (constants) or None (left out)."""

    op: str
    operands: tuple[In | NDArray | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = NEWEST
    outputs: int = 1
    domain: str = ""
    batch: str | int = "N"

    def model(self, **more: Any) -> onnx.ModelProto:
        """The model; ``more`` are additional attributes."""
        names, inputs, stored = [], [], []
        for i, operand in enumerate(self.operands):
            names.append("" if operand is None else f"x{i}")
            if isinstance(operand, In):
                kind = helper.np_dtype_to_tensor_dtype(np.dtype(operand.type))
                inputs.append(helper.make_tensor_value_info(f"x{i}", kind, [self.batch, *operand.shape]))
            elif operand is not None:
                stored.append(numpy_helper.from_array(operand, f"x{i}"))
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, names, outputs, name="it", domain=self.domain, **{**self.attributes, **more})
        return model([node], inputs, outputs, stored, self.opset)

    def samples(self, seed: int = 0) -> dict[str, NDArray]:
        """Values for the computed operands."""
        rng = np.random.default_rng(seed)
        length = self.batch if isinstance(self.batch, int) else BATCH
        return {f"x{i}": o.draw(rng, length) for i, o in enumerate(self.operands) if isinstance(o, In)}


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[str],
    stored: list[onnx.TensorProto] | None = None,
    opset: int = NEWEST,
) -> onnx.ModelProto:
    """A model whose outputs have no declared shape."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "test", inputs, infos, stored or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def floats(*shape: int, seed: int = 1) -> NDArray:
    """A constant of normal values."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values: int) -> NDArray:
    """A constant of whole numbers."""
    return np.array(values, np.int64)


def reference(proto: onnx.ModelProto, x: dict[str, NDArray]) -> list[NDArray]:
    """What onnx's evaluator gives."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [np.asarray(y) for y in ReferenceEvaluator(proto).run(None, x)]


def ours(graph: Graph, x: dict[str, NDArray]) -> list[NDArray]:
    """What the imported graph gives, in the order of its outputs; of one without a batch for the whole inputs."""
    whole = any(op.whole for op in graph.input_ops)
    results = evaluate(graph, {name: v[None] for name, v in x.items()} if whole else x)
    assert isinstance(results, dict)
    return [v[0] if whole else v for v in results.values()]


def close(got: list[NDArray], expected: list[NDArray]) -> None:
    """The same shapes, and the same values within 1e-5 of the largest."""
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(e).max(initial=0.0))))


def check(case: Case, *, expected: NDArray | None = None) -> Graph:
    """Import the operator and compare with onnx's evaluator (or with ``expected``, where that is known to be wrong)."""
    proto, x = case.model(), case.samples()
    graph = from_object(proto)
    close(ours(graph, x), reference(proto, x) if expected is None else [expected])
    return graph

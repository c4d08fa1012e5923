"""Small quantized ONNX models, written operator by operator, and their comparison with onnx's own evaluator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gatewright.frontend.onnx import from_object
from gatewright.graph import Graph, NDArray, evaluate

OPERATORS = {
    "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger",
    "DynamicQuantizeLinear",
}  # fmt: skip
"""Those of ONNX's own domain that the tests of quantized models cover."""

NEWEST = onnx.defs.onnx_opset_version()
RANGES = {
    "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535),
    "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3), "int32": (-(2**31), 2**31 - 1),
}  # fmt: skip


def number_of(dtype: str) -> int:
    """ONNX's number of a type."""
    return int(getattr(TensorProto, dtype.upper()))


def typed(values: Any, dtype: str) -> NDArray:
    """An array of an ONNX type."""
    return np.asarray(values).astype(helper.tensor_dtype_to_np_dtype(number_of(dtype)))


class Builder:
    """Collects nodes and initializers; every method gives the name of a tensor."""

    def __init__(self, opset: int = NEWEST) -> None:
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.stored: list[TensorProto] = []
        self.inputs: list[Any] = []
        self.count = 0
        self.domains: set[str] = set()

    def name(self, stem: str = "t") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def input(self, shape: tuple[int, ...], dtype: str = "float", batch: str | int = "N") -> str:
        name = self.name("x")
        self.inputs.append(helper.make_tensor_value_info(name, number_of(dtype), [batch, *shape]))
        return name

    def const(self, value: Any, dtype: str = "float") -> str:
        name = self.name("k")
        self.stored.append(numpy_helper.from_array(typed(value, dtype), name))
        return name

    def op(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        names = [self.name() for _ in range(outputs)]
        self.domains.add(domain)
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"n_{names[0]}", domain=domain, **attributes))
        return names[0]

    def quantize(self, x: str, scale: Any, zero: Any = 0, dtype: str = "uint8", **attributes: Any) -> str:
        return self.op("QuantizeLinear", x, self.const(scale), self.const(zero, dtype), **attributes)

    def dequantize(self, q: str, scale: Any, zero: Any = 0, dtype: str = "uint8", **attributes: Any) -> str:
        return self.op("DequantizeLinear", q, self.const(scale), self.const(zero, dtype), **attributes)

    def qdq(self, x: str, scale: Any, zero: Any = 0, dtype: str = "uint8", **attributes: Any) -> str:
        q = self.quantize(x, scale, zero, dtype, **attributes)
        return self.dequantize(q, scale, zero, dtype, **attributes)

    def weights(self, q: NDArray, scale: Any, dtype: str = "int8", **attributes: Any) -> str:
        """Stored integers and the DequantizeLinear behind them."""
        return self.dequantize(self.const(q, dtype), scale, np.zeros(np.shape(scale)), dtype, **attributes)

    def model(self, *outputs: str, types: Mapping[str, str] | None = None) -> onnx.ModelProto:
        infos = [helper.make_tensor_value_info(o, number_of((types or {}).get(o, "float")), None) for o in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, infos, self.stored)
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, 1) for d in self.domains if d)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=min(onnx.IR_VERSION, 13))


def reference(model: onnx.ModelProto, *xs: NDArray) -> list[NDArray]:
    """What onnx's evaluator gives."""
    names = [i.name for i in model.graph.input]
    if 10 <= model.opset_import[0].version < 19:  # the evaluator has the operators from 19 on only; they mean the same
        model = onnx.ModelProto.FromString(model.SerializeToString())
        model.opset_import[0].version = 19
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(model).run(None, dict(zip(names, xs, strict=True)))
    return [np.asarray(r) for r in results]


def ours(model: onnx.ModelProto, *xs: NDArray, integers: bool = False) -> list[NDArray]:
    """What the imported graph gives."""
    return outputs(from_object(model), *xs, integers=integers)


def outputs(graph: Graph, *xs: NDArray, integers: bool = False) -> list[NDArray]:
    """What a graph gives, as a list."""
    got = evaluate(graph, list(xs) if len(xs) > 1 else xs[0], integers=integers)
    return list(got) if isinstance(got, tuple) else [np.asarray(got)]

"""The integer graph as an ONNX file for viewers such as Netron: operations, formats, and our figures on each node.

It is for looking at: tensors are written as the real numbers that the integers stand for. Operations that ONNX has with
the same meaning are its own; the others are of the domain ``gatewright``, with their attributes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Graph, Node
from ..graph.arrays import as_array
from ..graph.evaluate.run import source_shape
from ..graph.node import describe
from ..graph.numerics import dequantize
from ..graph.ops import (
    Add,
    Concat,
    Constant,
    Div,
    Input,
    Maximum,
    Minimum,
    Mul,
    Output,
    Relu,
    Reshape,
    Softmax,
    Sub,
    Transpose,
)  # fmt: skip
from .page import document, numbers

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

DOMAIN, OPSET, IR_VERSION = "gatewright", 17, 9
BATCH = "N"
ELEMENTWISE = {Add: "Add", Sub: "Sub", Mul: "Mul", Div: "Div", Maximum: "Max", Minimum: "Min", Relu: "Relu"}

Figures = Mapping[str, Mapping[str, str]]


def to_onnx(graph: Graph, manifest: Mapping[str, Any]) -> bytes:
    """Give the ONNX file of an integer graph with the figures of its manifest; equal arguments give equal bytes."""
    return bytes(build(graph, manifest).SerializeToString(deterministic=True))


def build(graph: Graph, manifest: Mapping[str, Any]) -> "ModelProto":
    """Give the ONNX model of ``to_onnx``."""
    from onnx import helper

    figures = _by_layer(manifest)
    nodes = [made for n in graph.nodes for made in _nodes(graph, n, figures)]
    entries, ends = (*graph.inputs, *(s.entry for s in graph.states)), (*graph.outputs, *(s.next for s in graph.states))
    inputs = [_value(_entry(graph, n), source_shape(n.op.shape, n.op.axes), n) for n in entries]  # type: ignore[attr-defined]
    outputs = [_value(graph.names[n], _left(n), n) for n in ends]
    inner = [n for n in graph.nodes if not isinstance(n.op, (Constant, Output))]
    values = [_value(graph.names[n], n.shape, n) for n in inner if graph.names[n] not in {i.name for i in inputs}]
    constants = [t for n in graph.nodes for t in _constants(graph, n)]
    made = helper.make_graph(nodes, graph.name, inputs, outputs, constants, value_info=values)
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(
        made, producer_name="gatewright", producer_version=str(manifest.get("gatewright", "")), opset_imports=imports,
        ir_version=IR_VERSION, doc_string="The integer graph of a compilation; it is for looking at.",
    )  # fmt: skip
    helper.set_model_props(model, _of_model(manifest))
    return model


def _entry(graph: Graph, node: Node) -> str:
    """Name what enters: in the source's layout, before it is transposed to ours."""
    op = node.op
    assert isinstance(op, Input)
    return graph.names[node] if op.axes is None else f"{graph.names[node]}_source"


def _left(node: Node) -> tuple[int, ...]:
    op = node.op
    assert isinstance(op, Output)
    return node.shape if op.axes is None else tuple(node.shape[a] for a in op.axes)


def _value(name: str, shape: tuple[int, ...], node: Node) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape], doc_string=str(node.type.format))


def _constants(graph: Graph, node: Node) -> Iterator[Any]:
    """Give the tensors of a constant, or of a reshape, whose shape ONNX wants as one."""
    from onnx import numpy_helper

    match node.op:
        case Constant(value=value, format=form):
            real = dequantize(as_array(value.data), form) if node.type.is_integer else value.data  # type: ignore[arg-type]
            tensor = numpy_helper.from_array(np.asarray(real, np.float32), graph.names[node])
            tensor.doc_string = str(form)
            yield tensor
        case Reshape(shape=shape):
            yield numpy_helper.from_array(np.array([0, *shape], np.int64), _shape_of(graph, node))


def _shape_of(graph: Graph, node: Node) -> str:
    return f"{graph.names[node]}_shape"


def _nodes(graph: Graph, node: Node, figures: Figures) -> Iterator["NodeProto"]:
    name = graph.names[node]
    match node.op:
        case Constant():
            return
        case Input(axes=axes):
            if axes is not None:
                yield _moved([_entry(graph, node)], name, f"{name}_transpose", axes)
            return
        case Output(axes=axes):
            made = _moved([graph.names[node.inputs[0]]], name, name, axes)
        case _:
            made = _operation(graph, node)
    for key, value in {"format": str(node.type.format), **figures.get(name, {})}.items():
        made.metadata_props.add(key=key, value=value)
    made.doc_string = f"{describe(node.op)}: {node.type}" + (f"; layer {node.where}" if node.where else "")
    yield made


def _moved(reads: list[str], gives: str, name: str, axes: tuple[int, ...] | None) -> "NodeProto":
    from onnx import helper

    if axes is None:
        return helper.make_node("Identity", reads, [gives], name=name)
    return helper.make_node("Transpose", reads, [gives], name=name, perm=[0, *(a + 1 for a in axes)])


def _operation(graph: Graph, node: Node) -> "NodeProto":
    from onnx import helper

    reads, name = [graph.names[i] for i in node.inputs], graph.names[node]
    match node.op:
        case op if type(op) in ELEMENTWISE and _aligned(node):
            return helper.make_node(ELEMENTWISE[type(op)], reads, [name], name=name)
        case Transpose(axes=axes):
            return _moved(reads, name, name, axes)
        case Reshape():
            return helper.make_node("Reshape", [*reads, _shape_of(graph, node)], [name], name=name)
        case Concat(axis=axis) | Softmax(axis=axis) if _aligned(node):
            kind = type(node.op).__name__
            return helper.make_node(kind, reads, [name], name=name, axis=axis + 1 if axis >= 0 else axis)
        case op:
            return helper.make_node(type(op).__name__, reads, [name], name=name, domain=DOMAIN, **_attributes(op))


def _aligned(node: Node) -> bool:
    """Whether broadcasting means the same with a batch axis in front: what is not constant has the result's rank."""
    varying = [i for i in node.inputs if not isinstance(i.op, Constant)]
    fixed = [i for i in node.inputs if isinstance(i.op, Constant)]
    rank = len(node.shape)
    joined = isinstance(node.op, Concat) and fixed
    return not joined and all(len(i.shape) == rank for i in varying) and all(len(i.shape) <= rank for i in fixed)


def _attributes(op: object) -> dict[str, Any]:
    """Give an operation's fields as ONNX attributes: whole numbers and lists of them as such, the rest as text."""
    found = {f.name: getattr(op, f.name) for f in fields(op)}  # type: ignore[arg-type]
    return {name: _attribute(v) for name, v in found.items() if v not in (None, ()) and not isinstance(v, Graph)}


def _attribute(value: object) -> object:
    match value:
        case bool() | int():
            return int(value)
        case float():
            return value
        case (int(), *_) if all(isinstance(v, int) for v in value):
            return list(value)
        case _:
            return str(value)


def _by_layer(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Give what the manifest knows of each layer as texts, by name."""
    found = {str(step["name"]): _of_step(step) for step in manifest.get("layers", ())}
    for row in document.rows(manifest):
        if row.cost:
            found.setdefault(row.name, {}).update(_of_row(row))
    return found


def _of_step(step: Mapping[str, Any]) -> dict[str, str]:
    span = step.get("range") or {}
    texts = {name: f"{span[name][0]:.6g} to {span[name][1]:.6g}" for name in ("proved", "seen") if span.get(name)}
    if "clipped" in span:
        texts["overflowed"] = f"{span['clipped']} of {span.get('count', 0)}"
    plain = {name: str(step[name]) for name in ("source", "macs", "parameters", "inserted") if step.get(name)}
    return {**plain, **texts}


def _of_row(row: document.Row) -> dict[str, str]:
    plain = {name: str(row.cost[name]) for name in ("strategy", "reuse_factor") if row.cost.get(name)}
    cycles = {n: numbers.about(f) for n in ("latency_cycles", "interval_cycles") if (f := row.figure(n)) is not None}
    counts = {
        f"{label} ({document.LEVELS[level].lower() if level != 'hls' else document.LEVELS[level]})": numbers.about(f)
        for level in document.LEVELS
        for name, label in document.NAMES.items()
        if (f := row.count(level, name)) is not None
    }
    return {**plain, **cycles, **counts}


def _of_model(manifest: Mapping[str, Any]) -> dict[str, str]:
    checked = manifest.get("verification", {})
    plain = {name: str(manifest[name]) for name in ("board", "target", "macs", "parameters") if name in manifest}
    totals = {
        " ".join(path): numbers.about(figure)
        for path, figure in document.figures(manifest)
        if path[0] not in ("layers", "stream")
    }
    return {**plain, "verification": f"{checked.get('status', '')} ({checked.get('engine', '')})", **totals}

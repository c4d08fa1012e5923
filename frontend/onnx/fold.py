"""Operators whose inputs are all known are computed at once, by the evaluator that comes with the ``onnx`` package."""

import warnings
from math import prod
from typing import Any

import numpy as np

from ...graph import NDArray, UnsupportedError
from .registry import MAX_ELEMENTS, Call, Known, Scaled, Value

NEVER = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "If",
    "Loop",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceInsert",
    "SequenceMap",
    "SplitToSequence",
    "ImageDecoder",
    "TfIdfVectorizer",
    "StringNormalizer",
}
"""Not folded although nothing is unknown: random, quantized, of sequences, or with graphs inside."""

MOVES = {
    "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Expand", "Tile", "Split",
}  # fmt: skip
"""Folded on constant integers that have a scale: the integers, the scales and the zero points move alike."""

SHAPE_INPUT = {"ConstantOfShape": 0, "Expand": 1, "Reshape": 1}
"""Operators whose result is as large as an input says: which one."""


def fold(node: Any, call: Call) -> list[Value]:
    """Compute a ``NodeProto`` from its known inputs, once for each batch length where they depend on it.

    Raises UnsupportedError where an attribute is unknown or the evaluator cannot compute it.
    """
    _check_attributes(node, call)
    knowns = [call.optional(i) for i in range(len(node.input))]
    if node.op_type in MOVES and isinstance(first := knowns[0], Scaled):
        return _moved(node, call, first, [k for k in knowns if isinstance(k, Known)])
    count = max((len(k.variants) for k in knowns if isinstance(k, Known)), default=1)
    runs = []
    for variant in range(count):
        arrays = {
            name: k.variants[variant % len(k.variants)]
            for name, k in zip(node.input, knowns, strict=True)
            if isinstance(k, Known)
        }
        _check_divisor(node, arrays, call)
        _check_size(node, [arrays.get(name) for name in node.input], call)
        runs.append(_run(node, arrays, call))
    return [Known.of(*(run[i] for run in runs)) for i in range(len(runs[0]))]


def _moved(node: Any, call: Call, first: Scaled, knowns: list[Known]) -> list[Value]:
    """Move constant integers together with their scales and zero points."""
    if any(len(k.variants) > 1 for k in knowns):
        raise call.refuse("it moves constants by the length of the batch", "export the model with a fixed batch of 1")
    rest = {name: k.variants[0] for name, k in zip(list(node.input)[1:], knowns[1:], strict=False)}
    shape = first.stored.shape
    parts = (first.variants[0], first.stored, np.broadcast_to(first.scale, shape), np.broadcast_to(first.zero, shape))
    runs = []
    for part in parts:
        arrays = {node.input[0]: np.ascontiguousarray(part), **rest}
        _check_size(node, [arrays.get(name) for name in node.input], call)
        runs.append(_run(node, arrays, call))
    return [
        Scaled((real,), stored, compress_all(scale), compress_all(zero))
        for real, stored, scale, zero in zip(*runs, strict=True)
    ]


def compress_all(values: NDArray) -> NDArray:
    """Shrink axes along which nothing changes to length 1; the rank stays."""
    for axis in range(values.ndim):
        one = values.take([0], axis) if values.shape[axis] > 1 else values
        values = one if bool((values == one).all()) else values
    return values


def _check_attributes(node: Any, call: Call) -> None:
    """Count as read what the operator's definition knows in this opset; the rest is refused."""
    import onnx

    schema = onnx.defs.get_schema(node.op_type, call.opset, "")
    call.attributes.ignore(*schema.attributes, why="the evaluator of the onnx package reads what the definition has")
    for i in range(len(node.input)):
        call.optional(i)
    call.done()


def _check_divisor(node: Any, arrays: dict[str, NDArray], call: Call) -> None:
    """Refuse whole numbers divided by zero, which numpy makes 0."""
    divisor = arrays.get(node.input[1]) if node.op_type in ("Div", "Mod") and len(node.input) > 1 else None
    if divisor is not None and divisor.dtype.kind in "iu" and not divisor.all():
        raise call.misfit("divides whole numbers by zero")


def _check_size(node: Any, arrays: list[NDArray | None], call: Call) -> None:
    """Refuse what would not fit into memory before it is computed."""
    first = arrays[0] if arrays else None
    size = 0.0
    if node.op_type in SHAPE_INPUT and len(arrays) > SHAPE_INPUT[node.op_type]:
        size = _product(arrays[SHAPE_INPUT[node.op_type]])
        size *= 1 if first is None or node.op_type != "Expand" else max(first.size, 1)
    elif node.op_type == "Tile" and first is not None:
        size = first.size * _product(arrays[1])
    elif node.op_type == "Pad" and first is not None and len(arrays) > 1 and arrays[1] is not None:
        size = prod(n + float(np.abs(arrays[1]).sum()) for n in first.shape)
    elif node.op_type == "Range" and all(a is not None and a.size == 1 for a in arrays):
        start, limit, delta = (float(a.ravel()[0]) for a in arrays if a is not None)
        size = (limit - start) / delta if delta else np.inf
    elif node.op_type in ("Resize", "Upsample", "OneHot", "EyeLike", "CenterCropPad", "Col2Im"):
        raise call.refuse(f"{node.op_type} of constants is not folded", "fold constants where the model is exported")
    if not size <= MAX_ELEMENTS:
        raise call.refuse(
            f"{node.op_type} would give {size:.3g} elements", f"at most {MAX_ELEMENTS:,}; the file may be damaged"
        )


def _product(shape: NDArray | None) -> float:
    return float(np.prod(np.abs(np.asarray(shape if shape is not None else 1, np.float64))))


def _run(node: Any, arrays: dict[str, NDArray], call: Call) -> list[NDArray]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    inputs = [onnx.helper.make_empty_tensor_value_info(name) for name in arrays]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "fold", inputs, outputs)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(graph, opsets={"": call.opset}).run(None, arrays)
    except Exception as error:  # the evaluator raises whatever numpy raises
        raise UnsupportedError(
            f"cannot be computed from its constant inputs: {error}",
            where=call.place,
            hint="fold constants where the model is exported",
        ) from error
    if not all(isinstance(r, (np.ndarray, np.generic)) for r in results):
        raise call.refuse("gives something else than tensors", "sequences and optional values are not supported")
    given = iter(results)
    return [np.asarray(next(given)) if name else np.zeros(()) for name in node.output]

"""Sequences of tensors: what PyTorch's exporter writes for chunk, split and unbind."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError

from .cases import close, floats, ints, model, ours, reference

make = helper.make_node
SHAPE = (5, 7, 3)


def network(nodes: list[onnx.NodeProto], first: str | int = "N", **stored: Any) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in stored.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [first, *SHAPE])]
    outputs = sorted({o for n in nodes for o in n.output if o.startswith("y")})
    return model(nodes, inputs, outputs, tensors)


def same(nodes: list[onnx.NodeProto], first: str | int = "N", **stored: Any) -> None:
    proto, x = network(nodes, first, **stored), {"x": floats(1 if first == 1 else 3, *SHAPE)}
    close(ours(from_object(proto), x), reference(proto, x))


@pytest.mark.parametrize("axis", [2, -2])
@pytest.mark.parametrize("parts", [3, 1, 9, [4, 1, 2], [7]])
def test_parts_of_an_axis(axis: int, parts: Any) -> None:
    nodes = [make("SplitToSequence", ["x", "parts"], ["s"], axis=axis)]
    count = len(parts) if isinstance(parts, list) else -(-7 // parts)
    nodes += [make("SequenceAt", ["s", f"i{k}"], [f"y{k}"]) for k in range(count)]
    same(nodes, parts=np.array(parts, np.int64), **{f"i{k}": np.array(k - count * (k % 2)) for k in range(count)})


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axis", [1, 3])
def test_every_row(axis: int, keepdims: int) -> None:
    nodes = [
        make("SplitToSequence", ["x"], ["s"], axis=axis, keepdims=keepdims),
        make("SequenceAt", ["s", "i"], ["y0"]),
        make("ConcatFromSequence", ["s"], ["y1"], axis=2),
        make("ConcatFromSequence", ["s"], ["y2"], axis=-1, new_axis=1),
        make("SequenceLength", ["s"], ["n"]),
        make("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
        make("Mul", ["x", "f"], ["y3"]),
    ]
    same(nodes, i=np.array(-1))


def test_sequences_are_made_and_changed() -> None:
    nodes = [
        make("Neg", ["x"], ["a"]),
        make("SequenceConstruct", ["x", "a"], ["s0"]),
        make("Exp", ["x"], ["b"]),
        make("SequenceInsert", ["s0", "b", "i"], ["s1"]),
        make("SequenceInsert", ["s1", "a"], ["s2"]),
        make("ConcatFromSequence", ["s2"], ["y0"], axis=3),
        make("SequenceErase", ["s2", "i"], ["s3"]),
        make("SequenceErase", ["s3"], ["s4"]),
        make("ConcatFromSequence", ["s4"], ["y1"], axis=1, new_axis=1),
    ]
    same(nodes, i=np.array(1))


def test_constants_in_sequences() -> None:
    nodes = [
        make("SplitToSequence", ["c", "two"], ["s"], axis=0),
        make("SequenceAt", ["s", "i"], ["part"]),
        make("Add", ["x", "part"], ["y0"]),
        make("ConcatFromSequence", ["s"], ["again"], axis=0),
        make("Slice", ["again", "one", "four"], ["three"]),
        make("Add", ["x", "three"], ["y1"]),
    ]
    same(nodes, c=floats(8, 1), two=np.array(1), i=np.array(2), one=ints(1), four=ints(8))


def test_along_the_batch_of_one() -> None:
    nodes = [
        make("Reshape", ["x", "rows"], ["r"]),
        make("SplitToSequence", ["r", "four"], ["s"], axis=0),
        make("SequenceAt", ["s", "zero"], ["a"]),
        make("SequenceAt", ["s", "one"], ["b"]),
        make("ReduceMax", ["b", "axes"], ["m"], keepdims=1),
        make("SequenceConstruct", ["m", "a"], ["t"]),
        make("ConcatFromSequence", ["t"], ["j"], axis=0),
        make("Reshape", ["j", "flat"], ["y"]),
    ]
    stored = {"rows": ints(7, 15), "four": np.array(4), "zero": np.array(0), "one": np.array(1), "axes": ints(0)}
    same(nodes, 1, flat=ints(1, -1), **stored)


def test_what_is_refused() -> None:
    nodes = [make("SplitToSequence", ["x"], ["s"]), make("SequenceAt", ["s", "i"], ["y"])]
    with pytest.raises(GatewrightError, match="batch"):
        from_object(network(nodes, i=np.array(0)))
    nodes = [make("SequenceConstruct", ["x"], ["s"]), make("SequenceAt", ["s", "i"], ["y"])]
    with pytest.raises(GatewrightError, match="position"):
        from_object(network(nodes, i=np.array(1)))
    with pytest.raises(GatewrightError, match="sequence"):
        from_object(network([make("SequenceConstruct", ["x"], ["y"])]))
    nodes = [make("SplitToSequence", ["x", "p"], ["s"], axis=2), make("SequenceAt", ["s", "i"], ["y"])]
    with pytest.raises(GatewrightError, match="parts"):
        from_object(network(nodes, p=ints(3, 3), i=np.array(0)))


def test_quantized_parts() -> None:
    nodes = [
        make("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        make("SplitToSequence", ["q", "two"], ["s"], axis=2),
        make("SequenceAt", ["s", "i"], ["part"]),
        make("DequantizeLinear", ["part", "scale", "zero"], ["y0"]),
        make("ConcatFromSequence", ["s"], ["j"], axis=2),
        make("DequantizeLinear", ["j", "scale", "zero"], ["y1"]),
    ]
    same(nodes, scale=np.float32(0.03), zero=np.int8(-7), two=np.array(3), i=np.array(1))


def test_parts_of_a_tensor_with_the_batch_elsewhere() -> None:
    nodes = [
        make("Transpose", ["x"], ["t"], perm=[2, 0, 1, 3]),
        make("SplitToSequence", ["t", "two"], ["s"], axis=0),
        make("ConcatFromSequence", ["s"], ["j"], axis=0),
        make("Relu", ["j"], ["r"]),
        make("Transpose", ["r"], ["y"], perm=[1, 2, 0, 3]),
    ]
    same(nodes, two=np.array(3))

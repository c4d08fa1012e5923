"""Models whose batch is fixed to 1 and goes into other axes and back: right for any number of samples that are fed."""

from math import prod
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object
from gatewright.graph import Graph, NDArray, ShapeError, UnsupportedError, evaluate
from gatewright.graph.ops import Dense
from gatewright.lowering import lower

from .cases import close, floats, ints, model, reference

make = helper.make_node


def network(
    nodes: list[onnx.NodeProto], shapes: dict[str, list[Any]], opset: int = 17, **stored: NDArray
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    inputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in shapes.items()]
    return model(nodes, inputs, ["y"], tensors, opset)


def same(proto: onnx.ModelProto, samples: int = 3, seed: int = 0) -> Graph:
    """Import, feed several samples at once, and compare with onnx's evaluator sample by sample."""
    graph = from_object(proto)
    assert not any(op.whole for op in graph.input_ops)
    rng = np.random.default_rng(seed)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim][1:] for i in proto.graph.input}
    x = {name: rng.normal(size=(samples, *shape)).astype(np.float32) for name, shape in shapes.items()}
    got = np.asarray(evaluate(graph, x if len(x) > 1 else next(iter(x.values()))))
    one_by_one = [reference(proto, {name: v[k : k + 1] for name, v in x.items()})[0] for k in range(samples)]
    close([got], [np.concatenate(one_by_one)])
    return graph


def windows() -> list[onnx.NodeProto]:
    """[1, 4, 4, 6] in windows of 2 x 2, attention of 2 heads over each, and back, as PyTorch's exporters write it."""
    return [
        make("Reshape", ["x", "split"], ["a"]),
        make("Transpose", ["a"], ["b"], perm=[0, 1, 3, 2, 4, 5]),
        make("Reshape", ["b", "rows"], ["c"]),
        make("MatMul", ["c", "wqkv"], ["d"]),
        make("Add", ["bqkv", "d"], ["e"]),
        make("Reshape", ["e", "heads"], ["f"]),
        make("Transpose", ["f"], ["g"], perm=[2, 0, 3, 1, 4]),
        *(make("Gather", ["g", f"i{k}"], [name], axis=0) for k, name in enumerate("qkv")),
        make("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        make("MatMul", ["q", "kt"], ["s"]),
        make("Add", ["s", "bias"], ["s1"]),
        make("Reshape", ["s1", "five"], ["s2"]),
        make("Add", ["s2", "mask"], ["s3"]),
        make("Reshape", ["s3", "four"], ["s4"]),
        make("Softmax", ["s4"], ["p"], axis=-1),
        make("MatMul", ["p", "v"], ["o"]),
        make("Transpose", ["o"], ["o1"], perm=[0, 2, 1, 3]),
        make("Reshape", ["o1", "flat"], ["o2"]),
        make("Gemm", ["o2", "wo", "bo"], ["o3"], transB=1),
        make("Reshape", ["o3", "split2"], ["h"]),
        make("Transpose", ["h"], ["h1"], perm=[0, 1, 3, 2, 4, 5]),
        make("Reshape", ["h1", "whole"], ["h2"]),
        make("Add", ["h2", "x"], ["y"]),
    ]


def test_attention_over_windows() -> None:
    stored = {
        "split": ints(1, 2, 2, 2, 2, 6), "rows": ints(4, 4, 6), "heads": ints(4, 4, 3, 2, 3),
        "five": ints(1, 4, 2, 4, 4), "four": ints(-1, 2, 4, 4),
        "flat": ints(16, 6), "split2": ints(-1, 2, 2, 2, 2, 6), "whole": ints(1, 4, 4, 6),
        "i0": np.array(0), "i1": np.array(1), "i2": np.array(-1), "wqkv": floats(6, 18), "bqkv": floats(18),
        "bias": floats(1, 2, 4, 4), "mask": np.where(floats(1, 4, 1, 4, 4) > 0, 0, -100).astype(np.float32),
        "wo": floats(6, 6, seed=2), "bo": floats(6),
    }  # fmt: skip
    graph, x = same(network(windows(), {"x": [1, 4, 4, 6]}, **stored)), floats(5, 4, 4, 6)
    assert sum(isinstance(n.op, Dense) for n in graph.nodes) == 2  # what boards have layers for
    integers = lower(graph, precision="fixed<24,10>")
    assert integers.is_integer
    np.testing.assert_allclose(np.asarray(evaluate(integers, x)), np.asarray(evaluate(graph, x)), rtol=0, atol=0.05)
    with pytest.raises(ShapeError, match="batch"):
        from_object(network(windows(), {"x": ["N", 4, 4, 6]}, **stored))


def test_choices_and_loops_where_the_batch_is_folded() -> None:
    """A graph inside of an operator sees all axes where anything around it has them."""
    body = helper.make_graph(
        [make("Add", ["s", "w"], ["s1"]), make("ReduceMean", ["s1"], ["r"], axes=[0], keepdims=0)],
        "body",
        [helper.make_tensor_value_info(n, t, None) for n, t in (("k", TensorProto.INT64), ("c", TensorProto.BOOL))]
        + [helper.make_tensor_value_info("s", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("s1", "r")],
    )
    body.node.append(make("Identity", ["c"], ["c1"]))
    body.output.insert(0, helper.make_tensor_value_info("c1", TensorProto.BOOL, None))
    nodes = [
        make("Reshape", ["x", "rows"], ["w"]),
        make("Loop", ["rounds", "", "w"], ["last", "rows_of"], body=body),
        make("Concat", ["last", "rows_of"], ["all"], axis=0),
        make("Reshape", ["all", "flat"], ["y"]),
    ]
    graph = from_object(network(nodes, {"x": [1, 2, 6]}, rows=ints(4, 3), rounds=np.array(3), flat=ints(1, -1)))
    x = floats(5, 2, 6)
    w = x.reshape(5, 4, 3)  # after k rounds: k + 1 times this
    expected = np.concatenate([4 * w, np.stack([k * w.mean(1) for k in (2, 3, 4)], 1)], 1).reshape(5, -1)
    close([np.asarray(evaluate(graph, x))], [expected])


def test_an_output_without_a_batch_makes_a_model_without_one() -> None:
    nodes = [make("Reshape", ["x", "rows"], ["a"]), make("Softmax", ["a"], ["y"], axis=0)]
    graph = from_object(network(nodes, {"x": [1, 2, 6]}, rows=ints(4, 3)))
    assert all(op.whole for op in graph.input_ops)


def test_quantized_numbers_where_the_batch_is_folded() -> None:
    nodes = [
        make("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        make("Reshape", ["q", "rows"], ["r"]),
        make("DequantizeLinear", ["r", "scale", "zero"], ["d"]),
        make("MatMul", ["d", "w"], ["m"]),
        make("QuantizeLinear", ["m", "scale", "zero"], ["q1"]),
        make("Reshape", ["q1", "whole"], ["r1"]),
        make("DequantizeLinear", ["r1", "scale", "zero"], ["y"]),
    ]
    stored = {"scale": np.array(0.125, np.float32), "zero": np.array(3, np.int8), "w": floats(3, 5)}
    same(network(nodes, {"x": [1, 2, 6]}, 21, rows=ints(4, 3), whole=ints(1, 4, -1), **stored))


def test_a_product_that_sums_over_another_axis_than_it_seems() -> None:
    """With the batch last, the axis before it is summed over, and not the one before that, which is as long."""
    nodes = [make("Transpose", ["x"], ["t"], perm=[1, 2, 0]), make("MatMul", ["w", "t"], ["m"])]
    nodes.append(make("Transpose", ["m"], ["y"], perm=[2, 0, 1]))
    same(network(nodes, {"x": [1, 4, 4]}, w=floats(4, 4)))
    with pytest.raises(UnsupportedError, match="batch"):
        from_object(network(nodes, {"x": ["N", 4, 4]}, w=floats(4, 4)))


class Drawn:
    """A chain of operators that treat axis 0 as any other, and numbers that come together again."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, NDArray] = {}
        self.shape: tuple[int, ...] = (1, *(int(n) for n in self.rng.integers(1, 5, self.rng.integers(1, 4))))
        self.first, self.last = self.shape, "x"
        for _ in range(int(self.rng.integers(3, 9))):
            self.step()
        self.put("Reshape", [self.const(ints(1, -1))], (1, prod(self.shape)), "y")

    def const(self, value: NDArray) -> str:
        name = f"c{len(self.stored)}"
        self.stored[name] = value
        return name

    def put(self, op: str, more: list[str], shape: tuple[int, ...], out: str = "", **attributes: Any) -> None:
        name = out or f"t{len(self.nodes)}"
        self.nodes.append(make(op, [self.last, *more], [name], **attributes))
        self.last, self.shape = name, shape

    def axis(self) -> int:
        return int(self.rng.integers(len(self.shape)))

    def step(self) -> None:
        steps = [self.reshape, self.transpose, self.unsqueeze, self.squeeze, self.along, self.add, self.matmul]
        steps += [self.concat, self.reduce, self.cut, self.expand, self.gather, self.product]
        steps[int(self.rng.integers(len(steps)))]()

    def reshape(self) -> None:
        rest, shape = prod(self.shape), []
        while rest > 1 and len(shape) < 4:
            n = int(self.rng.choice([d for d in range(1, rest + 1) if rest % d == 0]))
            shape.append(n)
            rest //= n
        shape += [rest] if rest > 1 or not shape else []
        if self.rng.random() < 0.4:
            shape.insert(0, 1)
        self.put("Reshape", [self.const(ints(*shape))], tuple(shape))

    def transpose(self) -> None:
        order = [int(i) for i in self.rng.permutation(len(self.shape))]
        self.put("Transpose", [], tuple(self.shape[i] for i in order), perm=order)

    def unsqueeze(self) -> None:
        if len(self.shape) < 5:
            a = int(self.rng.integers(len(self.shape) + 1))
            self.put("Unsqueeze", [self.const(ints(a))], (*self.shape[:a], 1, *self.shape[a:]))

    def squeeze(self) -> None:
        ones = [i for i, n in enumerate(self.shape) if n == 1]
        if ones and len(self.shape) > 1:
            a = int(self.rng.choice(ones))
            self.put("Squeeze", [self.const(ints(a))], (*self.shape[:a], *self.shape[a + 1 :]))

    def along(self) -> None:
        self.put(str(self.rng.choice(["Softmax", "LogSoftmax"])), [], self.shape, axis=self.axis())

    def add(self) -> None:
        other = tuple(int(self.rng.choice([1, n])) for n in self.shape[int(self.rng.integers(len(self.shape))) :])
        grown = (int(self.rng.integers(1, 3)), *other) if len(other) == len(self.shape) < 5 else other
        value = self.const(self.rng.normal(size=grown).astype(np.float32))
        self.put(str(self.rng.choice(["Add", "Mul", "Max"])), [value], np.broadcast_shapes(self.shape, grown))

    def matmul(self) -> None:
        lead = tuple(int(self.rng.choice([1, n])) for n in self.shape[:-2]) if self.rng.random() < 0.3 else ()
        w = self.rng.normal(size=(*lead, self.shape[-1], int(self.rng.integers(1, 5)))).astype(np.float32)
        if len(self.shape) > 1:
            self.put("MatMul", [self.const(w)], (*self.shape[:-1], w.shape[-1]))

    def concat(self) -> None:
        a = self.axis()
        if prod(self.shape) < 500:
            self.put("Concat", [self.last], (*self.shape[:a], 2 * self.shape[a], *self.shape[a + 1 :]), axis=a)

    def reduce(self) -> None:
        a, keep = self.axis(), bool(self.rng.random() < 0.5 or len(self.shape) == 1)
        shape = (*self.shape[:a], *([1] if keep else []), *self.shape[a + 1 :])
        self.put(str(self.rng.choice(["ReduceMean", "ReduceMax"])), [], shape, axes=[a], keepdims=int(keep))

    def cut(self) -> None:
        a = self.axis()
        start = int(self.rng.integers(self.shape[a]))
        shape = (*self.shape[:a], self.shape[a] - start, *self.shape[a + 1 :])
        self.put("Slice", [self.const(ints(start)), self.const(ints(1 << 40)), self.const(ints(a))], shape)

    def expand(self) -> None:
        wanted = tuple(int(self.rng.integers(1, 4)) if n == 1 else n for n in self.shape)
        if prod(wanted) < 1000:
            self.put("Expand", [self.const(ints(*wanted))], wanted)

    def gather(self) -> None:
        a = self.axis()
        picks = self.rng.integers(0, self.shape[a], () if len(self.shape) > 1 and self.rng.random() < 0.5 else (2,))
        self.put("Gather", [self.const(np.asarray(picks))], self.shape[:a] + picks.shape + self.shape[a + 1 :], axis=a)

    def product(self) -> None:
        """The tensor before this one meets it where the two broadcast."""
        other, shape = ("x", self.first) if self.rng.random() < 0.5 else (self.last, self.shape)
        try:
            joined = np.broadcast_shapes(self.shape, shape)
        except ValueError:
            return
        self.put("Add", [other], joined)


@pytest.mark.parametrize("part", range(5))
def test_drawn_chains(part: int) -> None:
    for seed in range(part * 40, part * 40 + 40):
        drawn = Drawn(seed)
        proto = network(drawn.nodes, {"x": list(drawn.first)}, 13, **drawn.stored)
        try:
            same(proto, seed=seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {[n.op_type for n in drawn.nodes]}") from error

"""Quantized ONNX models against onnx's evaluator.

With scales that are powers of two the evaluator's float32 is exact, and every integer has to be the same. With other
scales it may round to the other side of a tie, rarely: a share of the elements may differ.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

import gatewright as gw
from gatewright.frontend.onnx import from_object
from gatewright.graph import Float, GatewrightError, Graph
from gatewright.graph.ops import Input

from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Unusable, Wrong, reason_of

COUNT = 24
FIRST, LATER = 0.01, 0.2
"""The share of elements that may differ behind the first quantizer, and behind others, where scales are any."""

SMALL = ("int8", "uint8", "int4", "uint4")
RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15), "int16": (-32768, 32767)}


class Drawn:
    """A model that grows operator by operator; ``value`` is the last real tensor, without batch axis ``shape``."""

    def __init__(self, choices: Choices) -> None:
        from tests.frontend.onnx.quantized import Builder

        self.choose, self.b = choices, Builder()
        self.exact: bool = choices.pick((True, False))
        self.rng = np.random.default_rng(choices.whole(0, 9999))
        self.shape: tuple[int, ...] = choices.pick(((6,), (3, 5, 4), (4, 6, 6), (2, 9), (1, 4, 7)))
        self.outputs: dict[str, str] = {}
        self.kept: list[tuple[str, tuple[int, ...]]] = []
        self.words: list[str] = []
        self.dtype = choices.pick(("float", "uint8", "int8"))
        self.x = self.b.input(self.shape, self.dtype)
        if self.dtype == "float":
            self.value = self.quantized(self.x)
        else:
            self.outputs[self.b.op("Identity", self.x)] = self.dtype
            scale, zero = self.scale(), self.zero(self.dtype)
            self.code = (self.x, scale, zero, self.dtype)
            self.value = self.b.dequantize(self.x, scale, zero, self.dtype)

    def scale(self, low: int = -5, high: int = -1) -> float:
        """A scale: a power of two, or any number of that size."""
        power = 2.0 ** self.choose.whole(low, high)
        return power if self.exact else float(np.float32(power * self.rng.uniform(0.6, 1.7)))

    def zero(self, dtype: str, even: bool = False) -> int:
        low, high = RANGES[dtype]
        kind = self.choose.pick((0, 1, 2, 3))
        value = (0 if low <= 0 else low, int(self.rng.integers(low, high + 1)) // 2, low, high)[kind]
        return value // 2 * 2 if even else value

    def types(self) -> tuple[str, ...]:
        return SMALL if self.exact else (*SMALL, "int16")

    def quantized(self, x: str) -> str:
        """Put a QuantizeLinear and a DequantizeLinear behind a real tensor; per axis, and moved between, sometimes."""
        dtype, rank = self.choose.pick(self.types()), len(self.shape) + 1
        axis = self.choose.pick((None, *range(1, rank)))
        count = 1 if axis is None else self.shape[axis - 1]
        scale: Any = np.array([self.scale() for _ in range(count)], np.float32)
        zero: Any = np.array([self.zero(dtype) for _ in range(count)])
        more: dict[str, Any] = {}
        if axis is None:
            scale, zero = float(scale[0]), int(zero[0])
        else:
            more["axis"] = axis - self.choose.pick((0, rank))
        q = self.b.quantize(x, scale, zero, dtype, **more)
        self.outputs[self.b.op("Identity", q)] = dtype
        if axis is None:
            self.last = dtype
            q = self.moved(q)
            self.code = (q, scale, zero, dtype)
        self.words.append(f"quantize {dtype} {scale} {zero} {more}")
        return self.b.dequantize(q, scale, zero, dtype, **more)

    def small(self) -> bool:
        """Whether ONNX defines everything for the type of the last quantizer."""
        return self.last in ("int8", "uint8")

    def moved(self, q: str) -> str:
        """Move stored integers."""
        n, rank = self.shape[0], len(self.shape)
        match self.choose.pick(("", "Transpose", "Reshape", "Slice", "Pad", "MaxPool", "Concat")):
            case "Transpose" if rank > 1:
                perm = (*range(1, rank), 0)
                self.shape = tuple(self.shape[p] for p in perm)
                q = self.b.op("Transpose", q, perm=[0, *(p + 1 for p in perm)])
            case "Reshape" if rank > 1:
                self.shape = (self.shape[0] * self.shape[1], *self.shape[2:])
                q = self.b.op("Reshape", q, self.b.const([0, *self.shape], "int64"))
            case "Slice" if n > 1 and self.small():
                self.shape = (n - 1, *self.shape[1:])
                q = self.b.op("Slice", q, *(self.b.const([v], "int64") for v in (1, n, 1)))
            case "Pad":
                self.shape = (*self.shape[:-1], self.shape[-1] + 3)
                q = self.b.op("Pad", q, self.b.const([0] * rank + [1] + [0] * rank + [2], "int64"))
            case "MaxPool" if rank == 3 and self.small() and min(self.shape[1:]) > 1:
                self.shape = (n, *(m - 1 for m in self.shape[1:]))
                q = self.b.op("MaxPool", q, kernel_shape=[2, 2])
            case "Concat" if self.small():
                self.shape = (2 * n, *self.shape[1:])
                q = self.b.op("Concat", q, q, axis=1)
        return q

    def stored(self, shape: tuple[int, ...], axis: int, count: int) -> str:
        """Weights: integers with a scale per tensor or channel."""
        dtype = self.choose.pick(("int8", "uint8", "int4"))
        low, high = RANGES[dtype]
        q = self.rng.integers(low, high + 1, shape)
        kind = self.choose.pick(("tensor", "channel", "float"))
        if kind == "tensor":
            return self.b.dequantize(self.b.const(q, dtype), self.scale(-9, -6), self.zero(dtype), dtype)
        scale = np.array([self.scale(-9, -6) for _ in range(count)], np.float32)
        zero = self.rng.integers(low, high + 1, count) * self.choose.pick((0, 1))
        if kind == "channel":
            return self.b.dequantize(self.b.const(q, dtype), scale, zero, dtype, axis=axis)
        return self.b.qdq(self.b.const(self.rng.normal(size=shape) * 0.3), scale, zero, dtype, axis=axis)

    def bias(self, count: int) -> list[str]:
        kind = self.choose.pick(("none", "int32", "float"))
        if kind == "none":
            return []
        q = self.rng.integers(-300, 300, count)
        if kind == "float":
            return [self.b.const(q / 64)]
        return [self.b.dequantize(self.b.const(q, "int32"), self.scale(-8, -5), 0, "int32")]

    def step(self) -> None:
        """One operator, and a quantizer behind it."""
        names = ["relu", "conv", "dense", "add", "mul", "pool", "average", "concat", "clip", "qlinear"]
        name = self.choose.pick(names if self.exact else [*names, "sigmoid"])
        before = self.value
        getattr(self, name)()
        if self.value != before:
            self.words.append(name)
            self.value = self.quantized(self.value)
            self.kept.append((self.value, self.shape))

    def relu(self) -> None:
        self.value = self.b.op("Relu", self.value)

    def sigmoid(self) -> None:
        self.value = self.b.op("Sigmoid", self.value)

    def clip(self) -> None:
        self.value = self.b.op("Clip", self.value, self.b.const(-0.5), self.b.const(1.25))

    def conv(self) -> None:
        rank = len(self.shape) - 1
        if rank < 1:
            return
        groups = self.choose.pick((1, self.shape[0]))
        filters = groups * self.choose.pick((2, 1, 3))
        kernel = tuple(min(n, self.choose.pick((2, 1, 3))) for n in self.shape[1:])
        w = self.stored((filters, self.shape[0] // groups, *kernel), 0, filters)
        strides = [self.choose.pick((1, 2)) for _ in kernel]
        pads = [self.choose.pick((0, 1)) if k > 1 else 0 for k in kernel * 2]
        self.value = self.b.op("Conv", self.value, w, *self.bias(filters), group=groups, strides=strides, pads=pads)
        space = (
            (n + a + z - k) // s + 1
            for n, a, z, k, s in zip(self.shape[1:], pads, pads[rank:], kernel, strides, strict=False)
        )
        self.shape = (filters, *space)

    def dense(self) -> None:
        units = self.choose.pick((3, 1, 5))
        if len(self.shape) > 1 and self.choose.pick((True, False)):
            self.value = self.b.op("Flatten", self.value)
            self.shape = (int(np.prod(self.shape)),)
        if self.shape[-1] > 100:
            return
        if len(self.shape) == 1 and self.choose.pick((True, False)):
            w = self.stored((units, self.shape[0]), 0, units)
            self.value = self.b.op("Gemm", self.value, w, *self.bias(units), transB=1)
        else:
            self.value = self.b.op("MatMul", self.value, self.stored((self.shape[-1], units), 1, units))
        self.shape = (*self.shape[:-1], units)

    def _other(self) -> str:
        same = [v for v, s in self.kept if s == self.shape]
        return str(self.choose.pick(same[::-1])) if same else self.value

    def add(self) -> None:
        self.value = self.b.op("Add", self.value, self._other())

    def mul(self) -> None:
        self.value = self.b.op("Mul", self.value, self._other())

    def concat(self) -> None:
        self.value = self.b.op("Concat", self.value, self._other(), axis=1)
        self.shape = (2 * self.shape[0], *self.shape[1:])

    def pool(self) -> None:
        if len(self.shape) == 3 and min(self.shape[1:]) > 1:
            self.value = self.b.op("MaxPool", self.value, kernel_shape=[2, 2], strides=[2, 1])
            self.shape = (self.shape[0], (self.shape[1] - 2) // 2 + 1, self.shape[2] - 1)

    def average(self) -> None:
        if len(self.shape) == 3 and min(self.shape[1:]) > 1:
            self.value = self.b.op("AveragePool", self.value, kernel_shape=[2, 2], strides=[1, 2])
            self.shape = (self.shape[0], self.shape[1] - 1, (self.shape[2] - 2) // 2 + 1)

    def qlinear(self) -> None:
        """A product of stored integers."""
        q = self.b.quantize(self.value, *(first := (self.scale(), self.zero("uint8"))), "uint8")
        parts = [self.b.const(first[0]), self.b.const(first[1], "uint8")]
        kind, units = self.choose.pick(("int8", "uint8")), 3
        scale, zero, dtype = self.scale(-4, 0), self.zero("int8", even=True), "int8"
        last = [self.b.const(scale), self.b.const(zero, dtype)]
        if len(self.shape) == 3:
            w = self.rng.integers(*RANGES[kind], (units, self.shape[0], 1, 1), endpoint=True)
            more = [self.b.const(w, kind), self.b.const(self.scale(-9, -6)), self.b.const(self.zero(kind), kind)]
            y = self.b.op("QLinearConv", q, *parts, *more, *last)
            self.shape = (units, *self.shape[1:])
        else:
            w = self.rng.integers(*RANGES[kind], (self.shape[-1], units), endpoint=True)
            more = [self.b.const(w, kind), self.b.const(self.scale(-9, -6)), self.b.const(self.zero(kind), kind)]
            y = self.b.op("QLinearMatMul", q, *parts, *more, *last)
            self.shape = (*self.shape[:-1], units)
        self.outputs[y] = dtype
        self.value = self.b.dequantize(y, scale, zero, dtype)


def drawn(numbers: list[int]) -> Drawn:
    """The model that a recipe describes."""
    d = Drawn(Choices(numbers))
    for _ in range(d.choose.whole(1, 5)):
        d.step()
    return d


class OnnxQuantized(Fuzzer):
    """QDQ and QOperator models of a few layers."""

    name, needs, live = "onnx-quantized", ("onnx",), False

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"numbers": Choices.draw(rng, 160), "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        d = drawn(recipe["numbers"])
        model = d.b.model(*d.outputs, types=d.outputs)
        x = self.samples(d, recipe["seed"])
        try:
            graph = from_object(model)
        except GatewrightError as error:
            return Refused(reason_of(error))
        wanted = reference(model, x)
        self.compare(d, graph, x, wanted)
        try:
            lowered = gw.lower(graph)
        except GatewrightError as error:
            return Refused("lower: " + reason_of(error))
        if all(n.type.is_integer for n in graph.nodes if not isinstance(n.op, Input)):
            same = zip(outputs(graph, x), outputs(lowered, x), strict=True)
            if not all(np.array_equal(a, b) for a, b in same):
                raise Wrong("lowering changes a number")
        return Right("exact" if d.exact else "any scale")

    def samples(self, d: Drawn, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        shape = tuple(m.dim_value for m in d.b.inputs[0].type.tensor_type.shape.dim)[1:]
        if d.dtype == "float":
            return (rng.integers(-400, 400, (COUNT, *shape)) / 64).astype(np.float32)
        low, high = RANGES[d.dtype]
        return rng.integers(low, high + 1, (COUNT, *shape)).astype(d.dtype)

    def compare(self, d: Drawn, graph: Graph, x: np.ndarray, wanted: list[np.ndarray]) -> None:
        """Raise Wrong where integers differ by more than float32 explains."""
        got = outputs(graph, x)
        exact = d.exact and all(float(np.abs(w.astype(float)).max()) < 2**24 for w in wanted)
        for k, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
            if mine.shape != theirs.shape:
                raise Wrong(f"shape {mine.shape}, not {theirs.shape}")
            share = float((mine != theirs.astype(np.int64)).mean())
            if share > (0.0 if exact else FIRST if k == 0 else LATER):
                raise Wrong(f"output {k}: {share:.1%} of the integers differ ({'exact' if exact else 'any scale'})")

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        numbers = recipe["numbers"]
        for size in (64, 16, 4, 1):
            for start in range(0, len(numbers), size):
                yield {**recipe, "numbers": numbers[:start] + numbers[start + size :]}
        for i, n in enumerate(numbers):
            if n:
                yield {**recipe, "numbers": [*numbers[:i], 0, *numbers[i + 1 :]]}

    def tell(self, recipe: Recipe) -> str:
        d = drawn(recipe["numbers"])
        return "\n".join([f"input {d.dtype}, {'powers of two' if d.exact else 'any scale'}", *d.words])


def reference(model: Any, x: np.ndarray) -> list[np.ndarray]:
    """What onnx's evaluator gives."""
    from tests.frontend.onnx.quantized import reference as run

    try:
        return run(model, x)
    except (ValueError, IndexError, RuntimeError, TypeError) as error:
        raise Unusable(str(error)) from None


def outputs(graph: Graph, x: np.ndarray) -> list[np.ndarray]:
    """Stored integers of every output."""
    float_in = isinstance(graph.inputs[0].type.format, Float)
    given = gw.evaluate(graph, x, integers=True) if float_in or x.dtype.kind in "iu" else _fed(graph, x)
    return [np.asarray(y) for y in (given if isinstance(given, tuple) else (given,))]


def _fed(graph: Graph, x: np.ndarray) -> Any:
    """A lowered graph quantizes its input itself: feed what that gives."""
    from gatewright.graph.evaluate import feed

    stored = feed(graph, x)[0]
    op = graph.input_ops[0]
    if op.axes is not None:
        stored = stored.transpose(0, *(a + 1 for a in np.argsort(op.axes)))
    return gw.evaluate(graph, stored, integers=True)


FUZZERS = (OnnxQuantized(),)

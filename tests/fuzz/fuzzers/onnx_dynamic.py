"""ONNX models that quantize by the range of their data at run time, against onnx's evaluator, in every bit.

The evaluator takes one sample at a time, as a batch of 1; a file that fixes a greater batch is one sample as a whole.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

import gatewright as gw
from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError

from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Unusable, Wrong, reason_of

COUNT = 6
KINDS = {"int8": (-128, 127), "uint8": (0, 255)}


class Drawn:
    """A model that grows layer by layer; ``value`` is the last real tensor, without batch axis ``shape``."""

    def __init__(self, choices: Choices) -> None:
        from tests.frontend.onnx.quantized import Builder

        self.choose, self.b = choices, Builder(choices.pick((21, 13, 19)))
        self.rng = np.random.default_rng(choices.whole(0, 9999))
        self.shape: tuple[int, ...] = choices.pick(((6,), (3, 5), (2, 4, 5), (1,), (3, 1, 4), ()))
        self.batch: str | int = choices.pick(("N", 1, 3))
        self.value = self.b.input(self.shape, batch=self.batch)
        self.kept = [(self.value, self.shape)]
        self.outputs: dict[str, str] = {}
        self.words: list[str] = [f"input {self.shape} batch {self.batch}"]

    def quantized(self) -> tuple[str, str, str]:
        """The last tensor in integers; what it gives is an output of the model, sometimes."""
        from tests.frontend.onnx.dynamic import dynamic

        parts = dynamic(self.b, self.value)
        shown = self.choose.pick(((), (0,), (1, 2), (0, 1, 2)))
        for i in shown:
            self.outputs[parts[i]] = ("uint8", "float", "uint8")[i]
        return parts

    def weights(self, *shape: int, axis: int) -> tuple[str, list[str], Any]:
        """Stored integers, their zero points (none, one, or one an output), and their scale."""
        kind, spread = self.choose.pick(tuple(KINDS)), self.choose.pick(("none", "one", "all"))
        w = self.rng.integers(*KINDS[kind], shape, endpoint=True)
        zero = self.rng.integers(*KINDS[kind], () if spread == "one" else (shape[axis],), endpoint=True)
        points = [] if spread == "none" else [self.b.const(zero, kind)]
        scale = self.rng.uniform(0.001, 0.02, self.choose.pick(((), (1,), (shape[axis],))))
        return self.b.const(w, kind), points, scale

    def scaled(self, y: str, scale: str, own: Any, after: int = 0) -> None:
        """Bring a sum back to real numbers, with the factors in one order or the other."""
        real = self.b.op("Cast", y, to=1)
        if self.choose.pick((True, False)):
            factors = self.b.op("Mul", *self.swapped(scale, self.b.const(self.spread(own, after))))
            self.value = self.b.op("Mul", *self.swapped(real, factors))
        else:
            self.value = self.b.op("Mul", self.b.op("Mul", real, scale), self.b.const(self.spread(own, after)))

    def swapped(self, x: str, y: str) -> tuple[str, str]:
        return self.choose.pick(((x, y), (y, x)))

    def spread(self, own: Any, after: int) -> Any:
        return own.reshape(-1, *(1,) * after) if np.size(own) > 1 else own

    def dense(self) -> None:
        if not self.shape or self.shape[-1] > 60:
            return
        q, scale, zero = self.quantized()
        units = self.choose.pick((3, 1, 5))
        w, points, own = self.weights(self.shape[-1], units, axis=1)
        self.scaled(self.b.op("MatMulInteger", q, w, zero, *points), scale, own)
        self.shape = (*self.shape[:-1], units)
        if self.choose.pick((True, False)):
            self.value = self.b.op("Add", self.value, self.b.const(self.rng.normal(size=units)))

    def conv(self) -> None:
        rank = len(self.shape) - 1
        if rank < 1:
            return
        q, scale, zero = self.quantized()
        groups = self.choose.pick((1, self.shape[0]))
        filters = groups * self.choose.pick((2, 1))
        kernel = tuple(min(n, self.choose.pick((2, 1, 3))) for n in self.shape[1:])
        w, points, own = self.weights(filters, self.shape[0] // groups, *kernel, axis=0)
        pads = [self.choose.pick((0, 1)) if k > 1 else 0 for k in kernel * 2]
        more = {"pads": pads, "group": groups, "strides": [self.choose.pick((1, 2)) for _ in kernel]}
        self.scaled(self.b.op("ConvInteger", q, w, zero, *points, **more), scale, own, rank)
        sizes = zip(self.shape[1:], pads, pads[rank:], kernel, more["strides"], strict=False)
        self.shape = (filters, *((n + a + z - k) // s + 1 for n, a, z, k, s in sizes))

    def square(self) -> None:
        """A product of the tensor and itself, transposed."""
        if len(self.shape) < 2:
            return
        (q, scale, zero), rank = self.quantized(), len(self.shape) + 1
        turned = self.b.op("Transpose", q, perm=[*range(rank - 2), rank - 1, rank - 2])
        self.scaled(self.b.op("MatMulInteger", q, turned, zero, zero), self.b.op("Mul", scale, scale), np.array(0.1))
        self.shape = (*self.shape[:-1], self.shape[-2])

    def dequantize(self) -> None:
        q, scale, zero = self.quantized()
        if self.choose.pick((False, True)) and len(self.shape) > 1:
            q = self.b.op("Flatten", q)
            self.shape = (int(np.prod(self.shape)),)
        self.value = self.b.op("DequantizeLinear", q, scale, zero)

    def requantize(self) -> None:
        """Quantize another tensor by the same scale."""
        _, scale, zero = self.quantized()
        more = self.choose.pick(([zero], [self.b.const(-7, "int8")]))
        other = self.b.op("Mul", self.value, self.b.const(self.choose.pick((0.6, 1.7, -1.0))))
        q = self.b.op("QuantizeLinear", other, scale, *more)
        self.value = self.b.op("DequantizeLinear", q, scale, *more)

    def rescale(self) -> None:
        """Scales in arithmetic of their own."""
        _, scale, _ = self.quantized()
        wide = self.b.op("Add", self.b.op("Mul", scale, self.b.const(3.0)), self.b.const([0.25]))
        self.value = self.b.op(self.choose.pick(("Mul", "Add", "Max")), *self.swapped(self.value, wide))
        self.shape = self.shape or ()

    def relu(self) -> None:
        self.value = self.b.op("Relu", self.value)

    def add(self) -> None:
        same = [v for v, s in self.kept if s == self.shape]
        if same:
            self.value = self.b.op("Add", self.value, self.choose.pick(same))

    def step(self) -> None:
        names = ("dense", "conv", "relu", "square", "dequantize", "requantize", "rescale", "add")
        name, before = self.choose.pick(names), self.value
        getattr(self, name)()
        if self.value != before:
            self.words.append(f"{name} -> {self.shape}")
            self.kept.append((self.value, self.shape))


def drawn(numbers: list[int]) -> Drawn:
    """The model that a recipe describes."""
    d = Drawn(Choices(numbers))
    for _ in range(d.choose.whole(1, 5)):
        d.step()
    d.outputs[d.b.op("Identity", d.value)] = "float"
    return d


def samples(d: Drawn, seed: int) -> np.ndarray:
    """Samples of very different sizes; some without a negative number, or without any."""
    rng = np.random.default_rng(seed)
    shape = tuple(m.dim_value for m in d.b.inputs[0].type.tensor_type.shape.dim)
    shape = shape if shape[0] > 1 else shape[1:]
    x = rng.normal(size=(COUNT, *shape)) * 10.0 ** rng.uniform(-6, 4, (COUNT, *(1,) * len(shape)))
    x[0], x[1] = 0, np.abs(x[1])
    x[2] = rng.integers(-3, 3, x[2].shape) * 0.5
    return x.astype(np.float32)


class OnnxDynamic(Fuzzer):
    """Dynamically quantized models of a few layers."""

    name, needs, live = "onnx-dynamic", ("onnx",), False

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"numbers": Choices.draw(rng, 120), "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        d = drawn(recipe["numbers"])
        model = d.b.model(*d.outputs, types=d.outputs)
        try:
            graph = from_object(model)
        except GatewrightError as error:
            return Refused(reason_of(error))
        if isinstance(d.batch, int) and d.batch > 1 and not graph.inputs[0].op.whole:  # type: ignore[attr-defined]
            raise Unusable("nothing in it takes a range")
        x = samples(d, recipe["seed"])
        wanted = reference(model, x)
        try:
            given = gw.evaluate(graph, x, integers=True)
        except GatewrightError as error:
            return Refused("evaluate: " + reason_of(error))
        for k, (mine, theirs) in enumerate(zip(given if isinstance(given, tuple) else (given,), wanted, strict=True)):
            compare(k, np.asarray(mine), theirs)
        self.refused(graph)
        return Right(f"batch {d.batch}")

    def refused(self, graph: gw.Graph) -> None:
        """Raise Wrong where a scale that follows the data is lowered."""
        if not any(type(node.op).__name__ == "DynamicScale" for node in graph.nodes):
            return
        try:
            gw.lower(graph, precision="fixed<16,8>")
        except GatewrightError as error:
            if "takes its scale from the data" in str(error):
                return
        raise Wrong("it is lowered, or refused for another reason")

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        numbers = recipe["numbers"]
        for size in (64, 16, 4, 1):
            for start in range(0, len(numbers), size):
                yield {**recipe, "numbers": numbers[:start] + numbers[start + size :]}
        for i, n in enumerate(numbers):
            if n:
                yield {**recipe, "numbers": [*numbers[:i], 0, *numbers[i + 1 :]]}

    def tell(self, recipe: Recipe) -> str:
        return "\n".join(drawn(recipe["numbers"]).words)


def reference(model: Any, x: np.ndarray) -> list[np.ndarray]:
    """What onnx's evaluator gives for each sample, tensors without a batch axis stacked."""
    from tests.frontend.onnx.dynamic import each
    from tests.frontend.onnx.quantized import reference as run

    whole = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value > 1
    try:
        return each(model, x, run=lambda m, v: [r[None] for r in run(m, v[0])]) if whole else each(model, x)
    except (ValueError, IndexError, RuntimeError, TypeError) as error:
        raise Unusable(str(error)) from None


def compare(k: int, mine: np.ndarray, theirs: np.ndarray) -> None:
    """Raise Wrong where two results differ in a bit."""
    if mine.shape != theirs.shape:
        raise Wrong(f"output {k}: shape {mine.shape}, not {theirs.shape}")
    if not np.array_equal(mine, theirs):
        raise Wrong(f"output {k}: {np.mean(mine != theirs):.1%} differ, by {np.abs(mine - theirs).max():g}")


FUZZERS = (OnnxDynamic(),)

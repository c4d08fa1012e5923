"""QONNX models against qonnx: scales that are powers of two, so that its float32 is exact and every bit is equal."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import gatewright as gw
from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError
from gatewright.graph.ops import Input

from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Unusable, Wrong, reason_of

GENERAL = "qonnx.custom_op.general"
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN")


class Drawn:
    """A model that grows operator by operator."""

    def __init__(self, choices: Choices) -> None:
        from tests.frontend.onnx.quantized import Builder

        self.choose, self.b, self.words = choices, Builder(20), list[str]()
        self.rng = np.random.default_rng(choices.whole(0, 9999))
        self.start = self.shape = choices.pick(((6,), (3, 5, 4), (4, 6, 6)))
        self.value = self.quant(self.b.input(self.shape, batch=1))

    def scale(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        rank = len(shape)
        axis = self.choose.pick((None, *range(rank)))
        size = [1] * rank
        if axis is None:
            size = []
        else:
            size[axis] = shape[axis]
        return (2.0 ** self.rng.integers(low, high + 1, size)).astype(np.float32)

    def quant(self, x: str, shape: tuple[int, ...] | None = None, low: int = -4, high: int = 0) -> str:
        full = (1, *self.shape) if shape is None else shape
        scale = (
            self.scale(low, high, full) if shape is not None or self.choose.pick((True, False)) else np.float32(0.25)
        )
        if shape is None and scale.ndim and scale.shape[0] != 1:
            scale = scale[:1]
        zero = np.float32(self.choose.pick((0, 0, 1, -3)) if shape is None else 0)
        more = {
            "signed": self.choose.pick((1, 0)),
            "narrow": self.choose.pick((0, 1)),
            "rounding_mode": self.choose.pick(MODES),
        }
        bits = np.float32(self.choose.pick((4, 8, 2, 6, 1)))
        self.words.append(f"quant {np.ravel(scale).tolist()[:4]} {zero} {bits} {more}")
        return self.b.op(
            "Quant", x, self.b.const(scale), self.b.const(zero), self.b.const(bits), domain=GENERAL, **more
        )

    def step(self) -> None:
        kind = self.choose.pick(("relu", "conv", "dense", "add", "bipolar", "threshold", "pool", "norm"))
        before = self.value
        getattr(self, kind)()
        if self.value != before:
            self.words.append(kind)
            self.value = self.quant(self.value)

    def relu(self) -> None:
        self.value = self.b.op("Relu", self.value)

    def add(self) -> None:
        self.value = self.b.op("Add", self.value, self.quant(self.value))

    def bipolar(self) -> None:
        scale = 2.0 ** self.choose.whole(-2, 1) * self.choose.pick((1, -1))
        self.value = self.b.op("BipolarQuant", self.value, self.b.const(scale), domain=GENERAL)

    def threshold(self) -> None:
        rows = self.choose.pick((1, self.shape[0]))
        edges = np.sort(self.rng.integers(-40, 40, (rows, self.choose.whole(1, 7))) / 8, axis=1)
        more = {"out_scale": 2.0 ** self.choose.whole(-2, 1), "out_bias": float(self.choose.pick((0, -2, 3)))}
        self.value = self.b.op(
            "MultiThreshold", self.value, self.b.const(edges), domain=GENERAL, out_dtype="INT8", **more
        )

    def norm(self) -> None:
        if len(self.shape) < 3:
            return
        parts = [2.0 ** self.rng.integers(-2, 2, self.shape[0]) * self.rng.choice([1, -1], self.shape[0])]
        parts += [self.rng.integers(-20, 20, self.shape[0]) / 8, self.rng.integers(-20, 20, self.shape[0]) / 8]
        constants = [self.b.const(np.reshape(p, (-1, 1, 1))) for p in parts[:2]]
        self.value = self.b.op("Add", self.b.op("Mul", self.value, constants[0]), constants[1])

    def pool(self) -> None:
        if len(self.shape) == 3 and min(self.shape[1:]) > 1:
            self.value = self.b.op("MaxPool", self.value, kernel_shape=[2, 2])
            self.shape = (self.shape[0], *(n - 1 for n in self.shape[1:]))

    def conv(self) -> None:
        if len(self.shape) != 3 or min(self.shape[1:]) < 2:
            return
        shape = (3, self.shape[0], 2, 2)
        w = self.quant(self.b.const(self.rng.normal(size=shape) * 0.3), shape, -6, -3)
        self.value = self.b.op("Conv", self.value, w, kernel_shape=[2, 2])
        self.shape = (3, *(n - 1 for n in self.shape[1:]))

    def dense(self) -> None:
        if len(self.shape) == 3:
            self.value = self.b.op("Flatten", self.value)
            self.shape = (int(np.prod(self.shape)),)
        shape = (self.shape[0], 5)
        w = self.quant(self.b.const(self.rng.normal(size=shape) * 0.3), shape, -6, -3)
        self.value, self.shape = self.b.op("MatMul", self.value, w), (5,)


def drawn(numbers: list[int]) -> Drawn:
    """The model that a recipe describes."""
    d = Drawn(Choices(numbers))
    for _ in range(d.choose.whole(1, 5)):
        d.step()
    return d


class Qonnx(Fuzzer):
    """Quantizers of every mode between the operators of small networks."""

    name, needs = "qonnx", ("onnx", "qonnx")

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"numbers": Choices.draw(rng, 120), "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        d = drawn(recipe["numbers"])
        model = d.b.model(d.value)
        for n in (1, *d.shape):
            model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = n
        model.ir_version = 9
        x = np.random.default_rng(recipe["seed"]).integers(-64, 64, (1, *d.start)).astype(np.float32) / 16
        try:
            graph = from_object(model)
        except GatewrightError as error:
            return Refused(reason_of(error))
        wanted = _reference(model, x)
        if not np.array_equal(got := np.asarray(gw.evaluate(graph, x)), wanted):
            raise Wrong(f"{np.mean(got != wanted):.1%} differ, by up to {np.abs(got - wanted).max()}")
        try:
            lowered = gw.lower(graph)
        except GatewrightError as error:
            return Refused("lower: " + reason_of(error))
        exact = all(n.type.is_integer for n in graph.nodes if not isinstance(n.op, Input))
        if exact and not np.array_equal(np.asarray(gw.evaluate(lowered, x)), wanted):
            raise Wrong("lowering changes a number")
        return Right("lowered exactly" if exact else "")

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
        return "\n".join([f"input {d.start}", *d.words])


def _reference(model: Any, x: np.ndarray) -> np.ndarray:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    try:
        wrapped = ModelWrapper(model).transform(InferShapes())
        return np.asarray(next(iter(execute_onnx(wrapped, {model.graph.input[0].name: x}).values())))
    except Exception as error:  # whatever qonnx and onnxruntime raise
        raise Unusable(str(error)) from None


FUZZERS = (Qonnx(),)

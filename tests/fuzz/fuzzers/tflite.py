"""TFLite files against TensorFlow's reference kernels: integers exactly, floats within a tolerance."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import gatewright as gw
from gatewright.graph import GatewrightError, Graph

from .. import tflite_draw2, tflite_moves  # noqa: F401 - they fill the table of makers
from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Refused, Right, Unusable, Wrong, reason_of
from ..tflite_build import Reference, to_bytes
from ..tflite_draw import MAKERS, Maker, drawn_model

COUNT = 6


def load(data: bytes) -> Graph:
    """Load the bytes of a file."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "drawn.tflite").write_bytes(data)
        return gw.load(Path(folder) / "drawn.tflite")


def outputs(graph: Graph, m: Maker, samples: list[np.ndarray]) -> list[np.ndarray]:
    """What Gatewright gives, in the shapes that the model has."""
    fed = {
        op.name: x.reshape(-1, *graph_shape)
        for op, x, graph_shape in zip(graph.input_ops, samples, (n.shape for n in graph.inputs), strict=True)
    }
    given = gw.evaluate(graph, fed, integers=True)
    assert isinstance(given, dict)
    shapes = [m.spec(i).shape for i in m.model.outputs]
    return [y.reshape(len(samples[0]), *s) for y, s in zip(given.values(), shapes, strict=True)]


def compare(m: Maker, got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Raise Wrong where an output differs."""
    for i, y, z in zip(m.model.outputs, got, wanted, strict=True):
        spec = m.spec(i)
        if y.size != z.size:
            raise Wrong(f"{spec}: shape {y.shape} is not {z.shape}")
        y = np.asarray(y).reshape(z.shape)
        if spec.type == "FLOAT32":
            y = np.asarray(y, np.float32)
            y = np.clip(y, np.finfo(np.float32).min, np.finfo(np.float32).max)  # as every fused activation clamps
            finite = np.isfinite(z)
            close = np.isclose(y, z, rtol=1e-4, atol=1e-5 * (1 + float(np.abs(z[finite]).max(initial=0.0))))
            if not (close | ~finite).all():
                raise Wrong(f"{spec}: {y[~(close | ~finite)][:4]} is not {z[~(close | ~finite)][:4]}")
        elif not np.array_equal(y, z):
            bad = np.argwhere(y != z)
            at = tuple(bad[0])
            most = np.abs(y - z.astype(np.int64)).max()
            if any(t.type == "FLOAT32" for t in m.model.tensors):
                raise Unusable("integers of floats that are nearly halfway, or nearly equal")
            raise Wrong(f"{len(bad)} of {z.size} differ, by up to {most}; {y[at]}, {z[at]}")


class TfliteFuzzer(Fuzzer):
    """Operators with every attribute turned, after one another."""

    needs = ("tensorflow",)

    def __init__(self, name: str = "tflite", only: tuple[str, ...] = ()) -> None:
        self.name, self.only = name, only

    def start(self) -> None:
        import tensorflow  # noqa: F401

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"numbers": Choices.draw(rng, 160), "seed": int(rng.integers(1 << 30))}

    def run(self, recipe: Recipe) -> Outcome:
        m = drawn_model(recipe["numbers"], self.only)
        if not m.model.steps:
            raise Unusable("no operator")
        data = to_bytes(m.model)
        try:
            graph = load(data)
        except GatewrightError as error:
            return Refused(reason_of(error))
        samples = m.samples(COUNT, recipe["seed"])
        try:
            wanted = Reference(data)(samples)
        except (RuntimeError, ValueError) as error:
            raise Unusable(str(error)) from None
        got = outputs(graph, m, samples)
        for k, i in enumerate(m.model.outputs):  # a DEQUANTIZE at the end stays integers
            if m.spec(i).type == "FLOAT32" and graph.outputs[k].type.is_integer:
                format = graph.outputs[k].type.quantized
                scale, zero = float(format.scale), int(format.zero)  # type: ignore[arg-type]
                got[k] = (scale * (got[k] - zero)).astype(np.float32)
        compare(m, got, wanted)
        return Right(" ".join(dict.fromkeys(s.op for s in m.model.steps)) if len(m.model.steps) == 1 else "")

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        numbers = recipe["numbers"]
        for size in (64, 16, 4, 1):
            for start in range(0, len(numbers), size):
                yield {**recipe, "numbers": numbers[:start] + numbers[start + size :]}
        for i, n in enumerate(numbers):
            if n:
                yield {**recipe, "numbers": [*numbers[:i], 0, *numbers[i + 1 :]]}

    def tell(self, recipe: Recipe) -> str:
        m = drawn_model(recipe["numbers"], self.only)
        tensors = [
            f"{i}: {t.type} {t.shape} {list(t.scales)[:3]} {list(t.zeros)[:3]}{'' if t.data is None else ' const'}"
            for i, t in enumerate(m.model.tensors)
        ]
        return "\n".join([*tensors, *(f"{s.op} {s.inputs} -> {s.outputs} {s.options}" for s in m.model.steps)])


FUZZERS = (TfliteFuzzer(), *(TfliteFuzzer(f"tflite-{name.lower().replace('_', '-')}", (name,)) for name in MAKERS))

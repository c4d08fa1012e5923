"""QKeras models on tf-keras against the importer: chains of quantized layers, as live objects and through files.

Inputs are multiples of 1/256, and a quantizer stands behind every layer, so that float32 holds every sum. Then the
numbers are equal in every bit, unless a scale is no power of two: those may round the other way in the last place, and
a quantizer behind it may take the neighbour.
"""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.frontend import load
from gatewright.graph import evaluate

from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Right, Unusable, Wrong
from .keras import FORMS, through

SHAPES = ((6,), (3, 5), (9, 3), (6, 6, 2), (5, 7, 4), (4, 4, 1))


class QKerasFuzzer(Fuzzer):
    """Chains of one to four layers."""

    name = "qkeras"
    needs = ("qkeras", "tf_keras", "tensorflow")

    def start(self) -> None:
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import qkeras
            import tf_keras
        self.q, self.k = qkeras, tf_keras

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {
            "shape": int(rng.integers(len(SHAPES))),
            "layers": [Choices.draw(rng, 24) for _ in range(int(rng.integers(1, 5)))],
            "exact": int(rng.random() < 0.7),
            "form": int(rng.choice([0, 0, 1, 2, 3])),
            "seed": int(rng.integers(1 << 20)),
        }

    def run(self, recipe: Recipe) -> Outcome:
        rng = np.random.default_rng(recipe["seed"])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = self.model(recipe, rng)
                shape = tuple(model.input_shape[1:])
                x = (np.rint(rng.normal(0, 1.5, (8, *shape)) * 256) / 256).astype(np.float32)
                expected = np.asarray(model(x, training=False))
        except Exception as error:
            raise Unusable(f"{type(error).__name__}: {error}") from None
        with tempfile.TemporaryDirectory() as folder:
            graph = load(**through(model, FORMS[recipe["form"] % 4], Path(folder)))
        compare(expected, np.asarray(evaluate(graph, x)), bool(recipe["exact"]))
        return Right()

    def model(self, recipe: Recipe, rng: np.random.Generator) -> Any:
        """Build the chain, with random weights."""
        self.k.backend.clear_session()
        maker = Maker(self.q, self.k, bool(recipe["exact"]))
        layers: list[Any] = [self.k.layers.InputLayer(SHAPES[recipe["shape"] % len(SHAPES)])]
        rank = len(SHAPES[recipe["shape"] % len(SHAPES)])
        for numbers in recipe["layers"]:
            made, rank = maker.layer(Choices(numbers), rank)
            layers += made
        model = self.k.Sequential(layers)
        model.set_weights([weight(v, rng) for v in model.weights])
        return model

    def tell(self, recipe: Recipe) -> str:
        try:
            self.start()
            model = self.model(recipe, np.random.default_rng(recipe["seed"]))
            return "\n".join(f"{layer.__class__.__name__} {layer.get_config()}" for layer in model.layers)
        except Exception as error:
            return f"{recipe} ({type(error).__name__})"


def weight(variable: Any, rng: np.random.Generator) -> np.ndarray:
    """Draw weights around the range of the quantizers, zeros among them."""
    shape, name = tuple(variable.shape), variable.name
    if "iteration" in name:
        return np.array(-1, np.int64)
    if "variance" in name or "gamma" in name:
        return rng.uniform(0.3, 3.0, shape).astype(np.float32)
    drawn = rng.normal(0, 0.7, shape)
    return np.where(rng.random(shape) < 0.05, 0.0, drawn).astype(np.float32)


class Maker:
    """Draws layers. ``exact``: only scales that are powers of two."""

    def __init__(self, q: Any, k: Any, exact: bool) -> None:
        self.q, self.k, self.exact = q, k, exact

    def bits(self, c: Choices, *, alphas: tuple[Any, ...] = (1,), most: int = 8) -> Any:
        low = c.whole(2, most)
        return self.q.quantized_bits(
            low, c.whole(0, min(3, low - 1)), c.pick([0, 1]), keep_negative=c.pick([True, True, False]),
            alpha=c.pick(alphas),
        )  # fmt: skip

    def kernel(self, c: Choices) -> Any:
        alphas = (1, None, "auto_po2") if self.exact else (1, "auto", "auto_po2", 0.3)
        kinds = [
            lambda: self.bits(c, alphas=alphas, most=6),
            lambda: self.bits(c, alphas=alphas, most=6),
            lambda: self.q.ternary(alpha=c.pick([1, 0.5])),
            lambda: self.q.binary(alpha=c.pick([1, 2.0])),
            lambda: self.q.quantized_po2(c.pick([3, 4]), c.pick([None, 1])),
        ]
        return c.pick(kinds)()

    def bias(self, c: Choices) -> dict[str, Any]:
        used = c.pick([True, True, False])
        return {"use_bias": used, **({"bias_quantizer": self.bits(c)} if used else {})}

    def activation(self, c: Choices) -> Any:
        kinds = [
            lambda: self.q.quantized_relu(c.whole(2, 6), c.whole(0, 2)),
            lambda: self.bits(c, most=7),
            lambda: self.q.quantized_relu(c.whole(3, 6), c.whole(0, 2), negative_slope=c.pick([0.125, 0.25, 0.5])),
            lambda: self.q.quantized_tanh(c.whole(3, 6)),
            lambda: self.q.quantized_sigmoid(c.whole(3, 6)),
            lambda: self.q.binary(alpha=1),
            lambda: self.q.ternary(alpha=1),
            lambda: self.q.quantized_relu_po2(c.pick([3, 4]), c.pick([None, 2])),
        ]
        return c.pick(kinds)()

    def layer(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        """Draw a layer for tensors of a rank, with the quantizer behind it; gives the rank that follows."""
        made, rank = c.pick([self.dense, self.space, self.space, self.flatten, self.normal, self.pool])(c, rank)
        return [*made, self.q.QActivation(self.activation(c))], rank

    def dense(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        inner = {"activation": self.activation(c)} if c.pick([False, False, True]) else {}
        return [self.q.QDense(c.whole(1, 5), kernel_quantizer=self.kernel(c), **self.bias(c), **inner)], rank

    def flatten(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        return [self.k.layers.Flatten(), *self.dense(c, 1)[0]], 1

    def space(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        if rank < 2:
            return self.dense(c, rank)
        stride, dilation = c.pick([(1, 1), (2, 1), (1, 2), (3, 1)])
        more = {"padding": c.pick(["valid", "same"]), "strides": stride, **self.bias(c)}
        size = c.whole(1, 3)
        if rank == 2:
            more["padding"] = c.pick(["valid", "same", "causal"])
            return [
                self.q.QConv1D(c.whole(1, 4), size, kernel_quantizer=self.kernel(c), dilation_rate=dilation, **more)
            ], 2
        match c.pick(["conv", "conv", "depthwise", "separable", "transpose"]):
            case "depthwise":
                multiplier = c.pick([1, 2])
                return [
                    self.q.QDepthwiseConv2D(
                        size, depthwise_quantizer=self.kernel(c), depth_multiplier=multiplier, **more
                    )
                ], 3
            case "separable":
                quantizers = {"depthwise_quantizer": self.kernel(c), "pointwise_quantizer": self.kernel(c)}
                return [self.q.QSeparableConv2D(c.whole(1, 4), size, **quantizers, **more)], 3
            case "transpose":
                return [self.q.QConv2DTranspose(c.whole(1, 3), size, kernel_quantizer=self.kernel(c), **more)], 3
        return [
            self.q.QConv2D(
                c.whole(1, 4), (size, c.whole(1, 3)), kernel_quantizer=self.kernel(c), dilation_rate=dilation, **more
            )
        ], 3

    def normal(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        if self.exact:
            return self.space(c, rank)
        return [self.q.QBatchNormalization(center=c.pick([True, False]), scale=c.pick([True, False]))], rank

    def pool(self, c: Choices, rank: int) -> tuple[list[Any], int]:
        if rank < 3:
            return self.space(c, rank)
        size = (c.pick([1, 2]), c.pick([1, 2]))
        if c.pick([True, False]):
            return [self.k.layers.MaxPooling2D(size, padding=c.pick(["valid", "same"]))], 3
        return [self.q.QAveragePooling2D(size, average_quantizer=self.q.quantized_bits(6, 0, 1, alpha=1))], 3


def compare(expected: np.ndarray, found: np.ndarray, exact: bool) -> None:
    """Compare: in every bit, or all but a few elements closely."""
    if expected.shape != found.shape:
        raise Wrong(f"shape {found.shape}, should be {expected.shape}")
    if not np.isfinite(expected).all():
        raise Unusable("values that are not finite")
    apart = np.abs(expected - found)
    if exact and apart.any():
        at = tuple(int(i) for i in np.argwhere(apart)[0])
        raise Wrong(f"{np.count_nonzero(apart)} of {apart.size} differ, {at}: {found[at]}, should be {expected[at]}")
    few = np.mean(apart > 1e-4 * max(1.0, float(np.abs(expected).max())))
    if few > 0.05:
        raise Wrong(f"{few:.1%} of the outputs differ, by up to {apart.max():g}")


FUZZERS = (QKerasFuzzer(),)

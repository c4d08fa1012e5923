"""HGQ2 on TensorFlow against the importer: drawn models, bit for bit, as live objects and through files."""

import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.frontend import load
from gatewright.graph import Graph, evaluate
from gatewright.graph.arrays import as_array
from gatewright.graph.ops import Input
from gatewright.lowering import lower

from ...record import hgq2_models
from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Right, Unusable, Wrong

NETWORKS = ("jet_tagger", "conv_net", "transformer", "deep_sets")
FLOAT_BITS = 24
PRECISION = "fixed<24,12>"


class Hgq2Fuzzer(Fuzzer):
    """Layers and networks with bits of their own for each element."""

    name = "hgq2"
    needs = ("tensorflow", "keras", "hgq")

    def start(self) -> None:
        self.k = import_module("keras")
        import_module("hgq.layers")

    def draw(self, rng: np.random.Generator) -> Recipe:
        layers = sorted(set(hgq2_models.KINDS) - set(NETWORKS))
        pool = NETWORKS if rng.random() < 0.1 else layers
        return {
            "kind": pool[int(rng.integers(len(pool)))],
            "file": bool(rng.random() < 0.4),
            "seed": int(rng.integers(1 << 20)),
            "choices": Choices.draw(rng, 96),
        }

    def run(self, recipe: Recipe) -> Outcome:
        model, xs, expected = self.model(recipe)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            if recipe["file"]:
                model.save(path)
            graph = load(path if recipe["file"] else model)
        exact = all(n.type.is_integer or isinstance(n.op, Input) for n in graph.nodes)
        note = ""
        for form in (graph, *([lower(graph, precision=PRECISION)] if exact else [])):
            found = evaluate(form, xs if len(xs) > 1 else xs[0])
            note = compare(form, expected, list(found) if isinstance(found, tuple) else [np.asarray(found)]) or note
        return Right(note or ("" if exact else "floats between"))

    def model(self, recipe: Recipe) -> tuple[Any, list[np.ndarray], list[np.ndarray]]:
        """Build the model, with random bits and weights, and its answers."""
        self.k.backend.clear_session()
        seed = recipe["seed"]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = hgq2_models.KINDS[recipe["kind"]](Choices(recipe["choices"]))
                hgq2_models.randomize(model, seed)
                xs = hgq2_models.samples(model, seed)
                return model, xs, hgq2_models.answers(model, xs)
        except Exception as error:
            raise Unusable(f"{type(error).__name__}: {error}") from None


def widest(graph: Graph) -> int:
    """Give the bits of the widest tensor."""
    formats = [n.type.quantized for n in graph.nodes if n.type.is_integer]
    return max((int(as_array(f.width).max()) for f in formats), default=0)


def compare(graph: Graph, expected: list[np.ndarray], found: list[np.ndarray]) -> str:
    """Compare bits; where something has more than float32 holds, within what that rounds. Give what was special."""
    if [a.shape for a in expected] != [b.shape for b in found]:
        raise Wrong(f"shapes {[b.shape for b in found]}, should be {[a.shape for a in expected]}")
    exact = all(n.type.is_integer or isinstance(n.op, Input) for n in graph.nodes)
    note = ""
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if not np.isfinite(a).all():
            raise Unusable("values that are not finite")
        if np.array_equal(a, b.astype(np.float32)):
            continue
        note = (
            "floats between"
            if not exact
            else "over 24 bits"
            if widest(graph) > FLOAT_BITS
            else next((n for n in graph.notes if "boundary" in n), "")
        )
        worst = float(np.abs(a - b).max())
        if not note or ("boundary" not in note and worst > 1e-4 * max(1.0, float(np.abs(a).max()))):
            raise Wrong(f"output {i}: {np.count_nonzero(a != b)} of {a.size} differ, by up to {worst:g}")
    return "entries near a boundary" if "boundary" in note else note


FUZZERS = (Hgq2Fuzzer(),)

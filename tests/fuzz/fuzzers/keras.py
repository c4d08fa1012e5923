"""Keras 3 and tf-keras on TensorFlow against the importer: drawn models, as live objects and through every file."""

import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.frontend import load
from gatewright.graph import evaluate

from ...record import keras_models
from ..choices import Choices
from ..core import Fuzzer, Outcome, Recipe, Right, Unusable, Wrong

FORMS = ("object", ".keras", ".h5", ".json", ".weights.h5")
LAYERED = ("chain", "nested", "shared", "residual")


class KerasFuzzer(Fuzzer):
    """One of the two frameworks."""

    def __init__(self, framework: str) -> None:
        self.framework, self.name = framework, framework.replace("_", "-")
        self.needs = ("tensorflow", framework)

    def start(self) -> None:
        self.k = import_module(self.framework)

    def draw(self, rng: np.random.Generator) -> Recipe:
        kinds = sorted(keras_models.KINDS)
        pool = [k for k in LAYERED if k in kinds] if rng.random() < 0.3 else kinds
        return {
            "kind": pool[int(rng.integers(len(pool)))],
            "form": int(rng.choice([0, 0, 0, 1, 2, 3, 4])),
            "seed": int(rng.integers(1 << 20)),
            "choices": Choices.draw(rng),
        }

    def run(self, recipe: Recipe) -> Outcome:
        model = self.model(recipe)
        xs = keras_models.samples(model, recipe["seed"], batch=3)
        expected = keras_models.answers(model, xs)
        with tempfile.TemporaryDirectory() as folder:
            graph = load(**through(model, FORMS[recipe["form"] % len(FORMS)], Path(folder)))
        found = evaluate(graph, xs if len(xs) > 1 else xs[0])
        compare(expected, list(found) if isinstance(found, tuple) else [np.asarray(found)])
        return Right()

    def model(self, recipe: Recipe) -> Any:
        """Build the model, with random weights."""
        choices = Choices(recipe["choices"])
        self.k.backend.clear_session()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = keras_models.KINDS[recipe["kind"]](self.k, choices)
                keras_models.refuse_ambiguous(model)
                keras_models.randomize(model, recipe["seed"])
                keras_models.answers(model, keras_models.samples(model, recipe["seed"]))
        except Exception as error:
            raise Unusable(f"{type(error).__name__}: {error}") from None
        return model


def through(model: Any, form: str, folder: Path) -> dict[str, Any]:
    """Give the arguments of ``load``: the model itself, or the file that it was written to."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            match form:
                case "object":
                    return {"model": model}
                case ".keras" | ".h5":
                    model.save(folder / f"m{form}")
                    return {"model": folder / f"m{form}"}
            weights = folder / ("m.weights.h5" if form == ".weights.h5" else "m.h5")
            (folder / "m.json").write_text(model.to_json())
            model.save_weights(weights) if form == ".weights.h5" else model.save(weights)
    except Exception as error:
        raise Unusable(f"cannot be written: {type(error).__name__}: {error}") from None
    return {"model": folder / "m.json", "weights": weights}


def compare(expected: list[np.ndarray], found: list[np.ndarray], tolerance: float = 2e-5) -> None:
    """Compare floats, relative to the largest value of a tensor."""
    if [a.shape for a in expected] != [b.shape for b in found]:
        raise Wrong(f"shapes {[b.shape for b in found]}, should be {[a.shape for a in expected]}")
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if not np.isfinite(a).all():
            raise Unusable("values that are not finite")
        largest = max(1.0, float(np.abs(a).max(initial=0.0)))
        worst = float(np.abs(a - b).max(initial=0.0))
        if not worst <= tolerance * largest:
            raise Wrong(f"output {i}: differs by {worst:g} of {largest:g}")


FUZZERS = (KerasFuzzer("keras"), KerasFuzzer("tf_keras"))

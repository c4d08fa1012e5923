"""ONNX models of real numbers, whole numbers and truth values, against ONNX Runtime and onnx's own evaluator."""

import warnings
from collections.abc import Iterator

import numpy as np

from gatewright.frontend import load
from gatewright.graph import GatewrightError, evaluate

from ..core import Fuzzer, Outcome, Recipe, Right, Unusable, Wrong
from ..onnx_models import Drawn, draw_model

TOLERANCE = 1e-4
"""Relative to the largest value of a tensor: chains of operators in float32."""


class OnnxFuzzer(Fuzzer):
    """Chains of operators with drawn attributes; the batch open, fixed, or not one."""

    name = "onnx"
    needs = ("onnx", "onnxruntime")

    def draw(self, rng: np.random.Generator) -> Recipe:
        return {"seed": int(rng.integers(1 << 30)), "nodes": int(rng.integers(1, 8)), "skip": []}

    def run(self, recipe: Recipe) -> Outcome:
        drawn = draw_model(recipe["seed"], recipe["nodes"], recipe["skip"])
        expected = self.answers(drawn)
        graph = load(drawn.model)
        whole = any(op.whole for op in graph.input_ops)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = evaluate(graph, {k: v[None] if whole else v for k, v in drawn.inputs.items()})
        assert isinstance(found, dict)
        got = [v[0] if whole else v for v in found.values()]
        if not (difference := compare(expected, got)):
            return Right("no batch" if whole else "")
        other = self.evaluator(drawn)
        if other is not None and not compare(other, got):
            return Right("ONNX Runtime differs from onnx's evaluator")
        raise Wrong(difference)

    def answers(self, drawn: Drawn) -> list[np.ndarray]:
        """What ONNX Runtime gives; onnx's evaluator where it does not take the model."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        try:
            session = onnxruntime.InferenceSession(
                drawn.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            names = {i.name for i in session.get_inputs()}
            results = session.run(None, {k: v for k, v in drawn.inputs.items() if k in names})
        except Exception as error:
            found = self.evaluator(drawn)
            if found is None:
                raise Unusable(f"nobody computes it: {str(error)[:200]}") from None
            results = found
        if not all(np.isfinite(r.astype(np.float64)).all() for r in results):
            raise Unusable("values that are not finite")
        return results

    def evaluator(self, drawn: Drawn) -> list[np.ndarray] | None:
        from onnx.reference import ReferenceEvaluator

        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return [np.asarray(y) for y in ReferenceEvaluator(drawn.model).run(None, drawn.inputs)]
        except Exception:  # it does not know an attribute
            return None

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        """Fewer operators: the last ones, or some in the middle, are left out."""
        for count in range(1, recipe["nodes"]):
            yield {**recipe, "nodes": count}
        for k in range(recipe["nodes"]):
            if k not in recipe["skip"]:
                yield {**recipe, "skip": [*recipe["skip"], k]}

    def tell(self, recipe: Recipe) -> str:
        import onnx

        try:
            return str(onnx.printer.to_text(draw_model(recipe["seed"], recipe["nodes"], recipe["skip"]).model))
        except GatewrightError as error:
            return str(error)


def compare(expected: list[np.ndarray], got: list[np.ndarray]) -> str:
    """Say how results differ: whole numbers and truth values in any way, reals beyond the tolerance."""
    for i, (want, have) in enumerate(zip(expected, got, strict=True)):
        if want.shape != have.shape:
            return f"output {i} has shape {have.shape}, should have {want.shape}"
        exactly = want.dtype.kind in "iub"
        largest = max(1.0, float(np.abs(want.astype(np.float64)).max(initial=0.0)))
        worst = float(np.abs(want.astype(np.float64) - have).max(initial=0.0))
        if not worst <= (0.0 if exactly else TOLERANCE * largest):
            return f"output {i} of {want.dtype} differs by {worst:g} of {largest:g}"
    return ""


FUZZERS = (OnnxFuzzer(),)

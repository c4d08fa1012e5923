"""Weights that stand in the file as float16 are kept so: the numbers are the same, the memory is half."""

import numpy as np

from gatewright.frontend.tflite.importer import import_model
from gatewright.frontend.tflite.model import Model, Operator, Tensor
from gatewright.graph import evaluate
from gatewright.graph.formats import FLOAT, HALF
from gatewright.graph.ops import Dense

OPTIONS = {
    "fused_activation_function": 0, "weights_format": 0, "keep_num_dims": False,
    "asymmetric_quantize_inputs": False, "quantized_bias_type": 0,
}  # fmt: skip


def test_weights_through_dequantize() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 1, (5, 7)).astype(np.float16)
    tensors = (
        Tensor(0, "x", (1, 7), "FLOAT32"),
        Tensor(1, "w16", (5, 7), "FLOAT16", data=memoryview(weights.tobytes())),
        Tensor(2, "w", (5, 7), "FLOAT32"),
        Tensor(3, "y", (1, 5), "FLOAT32"),
    )
    steps = (
        Operator(0, "DEQUANTIZE", 1, (1,), (2,), {}),
        Operator(1, "FULLY_CONNECTED", 1, (0, 2, None), (3,), OPTIONS),
    )
    graph = import_model(Model("f.tflite", "f", tensors, steps, (0,), (3,)), "f")
    (dense,) = [n for n in graph.nodes if isinstance(n.op, Dense)]
    assert dense.inputs[1].type.format == HALF
    assert graph.inputs[0].type.format == dense.type.format == FLOAT
    x = rng.normal(0, 1, (3, 7)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, x), x @ weights.astype(np.float32).T, rtol=1e-5)

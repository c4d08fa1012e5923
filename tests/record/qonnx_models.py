"""Record what qonnx computes: single operators, and networks that Brevitas exports.

PYTHONPATH=src:. python tests/record/qonnx_models.py      (qonnx 1.0; torch, brevitas for networks)
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "data" / "qonnx"


def record_operators() -> None:
    """One file with the output of every case of ``tests/frontend/onnx/qonnx_cases.py``."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    from tests.frontend.onnx.qonnx_cases import cases

    outputs = {}
    for name, model, x in cases():
        wrapped = ModelWrapper(model).transform(InferShapes())
        outputs[name] = next(iter(execute_onnx(wrapped, {model.graph.input[0].name: x}).values()))
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / "operators.npz", **outputs)


if __name__ == "__main__":
    record_operators()

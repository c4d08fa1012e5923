"""onnxruntime on its CPU provider with every optimization."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run

DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}


class OnnxRuntime(Engine):
    """A session whose inputs and outputs are bound once."""

    name = "onnxruntime"
    package = "onnxruntime"
    reads = (".onnx",)

    def load(self, path: Path, threads: int) -> Run:
        """Start a session and bind the inputs."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.binding = session.io_binding()
        for i, told in enumerate(session.get_inputs()):
            drawn = draw(told.shape, np.dtype(DTYPES[told.type]), i)
            self.binding.bind_ortvalue_input(told.name, onnxruntime.OrtValue.ortvalue_from_numpy(drawn))
        for told in session.get_outputs():
            empty = np.empty(told.shape, DTYPES[told.type])
            self.binding.bind_ortvalue_output(told.name, onnxruntime.OrtValue.ortvalue_from_numpy(empty))
        return partial(session.run_with_iobinding, self.binding)

    def outputs(self) -> list[NDArray[Any]]:
        """Copies of the bound outputs."""
        return list(self.binding.copy_outputs_to_cpu())

"""OpenVINO's CPU plugin, set for latency; float networks are run in float32, not in bfloat16."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run


class OpenVINO(Engine):
    """An infer request whose inputs are set once."""

    name = "openvino"
    package = "openvino"
    reads = (".onnx",)

    def load(self, path: Path, threads: int) -> Run:
        """Compile the network and set its inputs."""
        import openvino

        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = openvino.Core().compile_model(path, "CPU", options)
        self.request = self.compiled.create_infer_request()
        for i, port in enumerate(self.compiled.inputs):
            drawn = draw(port.shape, port.element_type.to_dtype(), i)
            self.request.set_input_tensor(i, openvino.Tensor(drawn))
        run: Run = self.request.infer
        return run

    def outputs(self) -> list[NDArray[Any]]:
        """Copies of the output tensors."""
        return [np.array(self.request.get_output_tensor(i).data) for i in range(len(self.compiled.outputs))]

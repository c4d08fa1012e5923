"""LiteRT (TensorFlow Lite) with XNNPACK, as its interpreter starts by default."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run


class LiteRT(Engine):
    """The interpreter of the package ai-edge-litert."""

    name = "litert"
    package = "ai-edge-litert"
    reads = (".tflite",)

    def load(self, path: Path, threads: int) -> Run:
        """Allocate, and set the inputs."""
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self.interpreter.allocate_tensors()
        for i, told in enumerate(self.interpreter.get_input_details()):
            self.interpreter.set_tensor(told["index"], draw(told["shape"], told["dtype"], i))
        run: Run = self.interpreter.invoke
        return run

    def outputs(self) -> list[NDArray[Any]]:
        """Copies of the output tensors."""
        return [np.array(self.interpreter.get_tensor(t["index"])) for t in self.interpreter.get_output_details()]

"""The interpreter of Gatewright's graph: not a peer in speed, but what the modules are compared with."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run


class Evaluate(Engine):
    """``gatewright.evaluate`` on the graph as it was loaded."""

    name = "evaluate"
    package = ""
    reads = (".tflite", ".onnx")

    def load(self, path: Path, threads: int) -> Run:
        """Read the file and draw its inputs."""
        import gatewright
        from gatewright.graph.evaluate.run import source_shape

        graph = gatewright.load(path)
        drawn = [
            draw((1, *source_shape(op.shape, op.axes)), _dtype(op.format), i) for i, op in enumerate(graph.input_ops)
        ]
        stored = graph.is_integer

        def run() -> None:
            found = gatewright.evaluate(graph, drawn, integers=stored)
            self.found = list(found) if isinstance(found, tuple) else [found]

        return run

    def outputs(self) -> list[NDArray[Any]]:
        """The outputs of the last evaluation."""
        return [np.asarray(y) for y in self.found]


def _dtype(form: Any) -> np.dtype[Any]:
    """What the file's own engines take for an input of this format."""
    if type(form).__name__ == "Float":
        return np.dtype(np.float32)
    return np.dtype(f"{'' if form.signed else 'u'}int{form.width}")

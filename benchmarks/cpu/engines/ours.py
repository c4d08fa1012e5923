"""Gatewright's own CPU module."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run


class Ours(Engine):
    """A module compiled for the board ``host``."""

    name = "gatewright"
    package = ""
    reads = (".tflite", ".onnx")

    def load(self, path: Path, threads: int) -> Run:
        """Compile the network and set its inputs."""
        run, self.read = ours(path, threads)
        return run

    def outputs(self) -> list[NDArray[Any]]:
        """What the module wrote last."""
        return self.read()


def ours(path: Path, threads: int) -> tuple[Run, Callable[[], list[NDArray[Any]]]]:
    """Give what runs one inference of the compiled module, and what reads its outputs."""
    import gatewright

    network = gatewright.compile(path, board="host", verify=False, vectors=1).network(threads)
    for i, held in enumerate(network.inputs):
        held[...] = draw((1, *held.shape), held.dtype, i)[0]
    return network.run, lambda: [held.copy()[None] for held in network.outputs]

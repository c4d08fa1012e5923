"""ExecuTorch's runtime on programs (.pte) that were exported for its XNNPACK delegate."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run, Skip


class ExecuTorch(Engine):
    """The method ``forward`` of a program."""

    name = "executorch"
    package = "executorch"
    reads = (".pte",)

    def load(self, path: Path, threads: int) -> Run:
        """Load the method and make its inputs."""
        import torch
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(threads)
        method = Runtime.get().load_program(path).load_method("forward")
        if method is None:
            raise Skip("the program has no method forward")
        told = [method.metadata.input_tensor_meta(i) for i in range(method.metadata.num_inputs())]
        drawn = [torch.from_numpy(draw(t.sizes(), _dtype(t.dtype()), i)) for i, t in enumerate(told)]
        self.run = partial(method.execute, drawn)
        return self.run

    def outputs(self) -> list[NDArray[Any]]:
        """The outputs of one more inference."""
        return [np.array(y) for y in self.run()]


def _dtype(code: int) -> np.dtype[Any]:
    """Give numpy's type by PyTorch's number of a scalar type."""
    return np.dtype({0: "uint8", 1: "int8", 3: "int32", 4: "int64", 6: "float32"}[code])

"""TVM's default pipeline on its own import of the ONNX file; slow, so it is run on request."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import draw
from .base import Engine, Run


class TVM(Engine):
    """The virtual machine's function ``main``."""

    name = "tvm"
    package = "apache-tvm"
    reads = (".onnx",)

    def load(self, path: Path, threads: int) -> Run:
        """Import, compile, and set the inputs."""
        os.environ["TVM_NUM_THREADS"] = str(threads)
        import onnx
        import tvm
        from tvm import relax
        from tvm.relax.frontend.onnx import from_onnx

        model = onnx.load(path)
        module = from_onnx(model, keep_params_in_input=False)
        target = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
        built = tvm.compile(module, target=target)
        self.machine = relax.VirtualMachine(built, tvm.cpu())
        drawn = []
        for i, told in enumerate(model.graph.input):
            tensor = told.type.tensor_type
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            drawn.append(tvm.runtime.tensor(draw([d.dim_value for d in tensor.shape.dim], np.dtype(dtype), i)))
        self.machine.set_input("main", *drawn)

        def run() -> None:
            self.machine.invoke_stateful("main")

        return run

    def outputs(self) -> list[NDArray[Any]]:
        """Copies of the last outputs."""
        found = self.machine.get_outputs("main")
        return [y.numpy() for y in (found if isinstance(found, list | tuple) else [found])]

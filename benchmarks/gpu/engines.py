"""What runs a network on a graphics processor: ours, and onnxruntime's providers for CUDA and TensorRT."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cpu.engines.base import Run, Skip
from ..cpu.engines.onnxruntime import DTYPES
from ..cpu.inputs import draw


@dataclass(frozen=True)
class Ready:
    """``call``: one inference, host memory to host memory. ``device``: one inference on what is on the device already,
    to its end. ``outputs``: of the last call.
    """

    name: str
    call: Run
    device: Run
    outputs: Callable[[], list[NDArray[Any]]]


def ours(model: Any, board: str, *, processors: bool) -> Ready:
    """Compile a file or a graph for a board and open the device. Raises Skip where there is none."""
    import gatewright
    from gatewright.backends.gpu.host import UnavailableError, open_network

    project = gatewright.compile(model, board=board, verify=False, vectors=1)
    try:
        network = open_network(project.artefact, "any" if processors else "device")
    except UnavailableError as error:
        raise Skip(str(error)) from None
    for i, held in enumerate(network.inputs):
        held[...] = draw((1, *held.shape), held.dtype, i)[0]
    status = np.zeros(1, np.int32)

    def device() -> None:
        network.device.launch()
        network.device.read("status", status)

    return Ready(
        f"gatewright, {network.device.name}", network.run, device, lambda: [o.copy()[None] for o in network.outputs]
    )


def onnxruntime(path: Path, provider: str) -> Ready:
    """Open a session with a provider, its inputs and outputs once on the host, once on the device."""
    import onnxruntime as runtime

    if f"{provider}ExecutionProvider" not in runtime.get_available_providers():
        raise Skip(f"onnxruntime has no provider {provider}: pip install onnxruntime-gpu")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(path, options, providers=[f"{provider}ExecutionProvider"])
    if f"{provider}ExecutionProvider" not in session.get_providers():
        raise Skip(f"onnxruntime cannot start {provider} here")
    inputs = {
        told.name: draw(told.shape, np.dtype(DTYPES[told.type]), i) for i, told in enumerate(session.get_inputs())
    }
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, runtime.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
    for told in session.get_outputs():
        binding.bind_output(told.name, "cuda", 0)
    return Ready(
        f"onnxruntime {provider}", partial(session.run, None, inputs), partial(session.run_with_iobinding, binding),
        lambda: list(session.run(None, inputs)),
    )  # fmt: skip


__all__ = ["Ready", "onnxruntime", "ours"]

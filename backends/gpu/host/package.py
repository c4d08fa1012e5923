"""A Python package of one network for graphics processors: numpy, the kernels and a loader; no Gatewright."""

from collections.abc import Mapping
from pathlib import Path

from ....graph import Graph
from ...tvm.packages import python as library
from .runtime.plan import PLAN, read_plan

HERE = Path(__file__).parent
TITLES = {"cuda": "NVIDIA's processors (CUDA)", "opencl": "devices of OpenCL", "webgpu": "devices of WebGPU"}
"""Languages that Python can run without a compiler of the system's own."""
NEEDS = {"webgpu": ', "wgpu>=0.19"'}
MODULE = '''\
"""A network compiled by Gatewright for {title}.

    import {name}
    y = {name}.run(x)                # real numbers [batch, ...] in the layout of the source model

    network = {name}.Network()       # one sample, the network's own numbers
    network.inputs[0][...] = ...
    network.run()
    network.outputs[0]
    network.times()                  # seconds of each launch, measured by the device

Raises DeviceError where there is no device, driver or compiler.
"""

import threading
from pathlib import Path

from . import runtime
from .device.device import DeviceError
from .device.network import Network as _Network
from .device.network import open_folder
from .runtime import Port


class _Library(runtime.Library):
    """The ports, and the device, which is opened when it is first needed and takes one call at a time."""

    def __init__(self, inputs: list[Port], outputs: list[Port]) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._lock, self._opened = threading.Lock(), None

    def run(self, x, *, threads: int = 1):
        """As runtime.Library.run; a device uses its own threads."""
        with self._lock:
            return super().run(x, threads=threads)

    def _network(self, threads: int) -> _Network:
        if self._opened is None:
            self._opened = Network()
        return self._opened


def Network() -> _Network:
    """Open the device, with memory for one call at a time."""
    return open_folder(Path(__file__).with_name("data"))


LIBRARY = _Library(
    inputs=[
{inputs}
    ],
    outputs=[
{outputs}
    ],
)
inputs, outputs = LIBRARY.inputs, LIBRARY.outputs
run = LIBRARY.run

__all__ = ["LIBRARY", "DeviceError", "Network", "inputs", "outputs", "run"]
'''


def package(sources: Mapping[str, bytes], graph: Graph) -> dict[str, bytes]:
    """Give the source tree of the package for the files of a project's ``src/``; nothing for Metal, whose interface
    Python does not have. ``graph`` is the one that was compiled: its ports say what the numbers mean.
    """
    plan = read_plan(sources[PLAN])
    if plan.language not in TITLES:
        return {}
    name, title = plan.name, TITLES[plan.language]
    project = library.PROJECT.format(
        name=name, triple=title, platforms='"any"', distribution=name.replace("_", "-").strip("-")
    ).replace('"numpy>=1.26"', f'"numpy>=1.26"{NEEDS.get(plan.language, "")}')
    ports = {
        side: "\n".join(f"        {library.port(node)}," for node in nodes)
        for side, nodes in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    device = {f"device/{p.name}": p.read_bytes() for p in sorted((HERE / "runtime").glob("*.py"))}
    data = {f"data/{file}": sources[file] for file in (PLAN, plan.constants, *plan.sources)}
    module = {
        "__init__.py": MODULE.format(name=name, title=title, **ports).encode(),
        "runtime.py": (library.HERE / "runtime.py").read_bytes(), **device, **data,
    }  # fmt: skip
    return {
        "pyproject.toml": project.encode(), "backend.py": (library.HERE / "backend.py").read_bytes(),
        **{f"{name}/{path}": content for path, content in module.items()},
    }  # fmt: skip


__all__ = ["package"]

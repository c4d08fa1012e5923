"""A Python package of one network: numpy and the shared library, no compiler and no Gatewright."""

from pathlib import Path

import numpy as np

from ....graph import Affine, Fixed, Graph, Node
from ....graph.arrays import NDArray, as_array
from ....graph.ops import Input, Output
from ...loops.layout import interface_type
from ...loops.machine import IMPLIED, Machine
from ...loops.program import Program
from ..build import Built

HERE = Path(__file__).parent
PLATFORMS = {
    "x86_64": ("manylinux_2_17_x86_64", "musllinux_1_1_x86_64"),
    "aarch64": ("manylinux_2_17_aarch64", "musllinux_1_1_aarch64"),
    "armv7": ("manylinux_2_17_armv7l", "musllinux_1_1_armv7l"),
    "riscv64": ("manylinux_2_31_riscv64", "musllinux_1_2_riscv64", "linux_riscv64"),
}
"""Tags of wheels. The library uses functions that every C library has, without their versions."""
FLAGS = {
    "avx": "avx", "avx2": "avx2", "f16c": "f16c", "fma": "fma", "avx512f": "avx512f", "avx512bw": "avx512bw",
    "avx512vl": "avx512vl", "avx512dq": "avx512dq", "avx512vbmi": "avx512vbmi", "avx512vbmi2": "avx512_vbmi2",
    "avx512ifma": "avx512ifma", "avx512fp16": "avx512_fp16", "avx512vnni": "avx512_vnni", "avxvnni": "avx_vnni",
    "avx512bf16": "avx512_bf16", "amx-int8": "amx_int8", "amx-tile": "amx_tile", "amx-bf16": "amx_bf16",
    "dotprod": "asimddp", "fullfp16": "asimdhp", "i8mm": "i8mm", "bf16": "bf16",
}  # fmt: skip
"""LLVM's names of features, and those of Linux in /proc/cpuinfo."""

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{distribution}"
version = "1.0.0"
description = "A network compiled by Gatewright for {triple}"
requires-python = ">=3.11"
dependencies = ["numpy>=1.26"]

[tool.network]
module = "{name}"
platforms = [{platforms}]
"""
MODULE = '''\
"""A network compiled by Gatewright for {triple}.

    import {name}
    y = {name}.run(x)                # real numbers [batch, ...] in the layout of the source model
    y = {name}.run(x, threads=2)     # large layers shared among threads

    network = {name}.Network()       # one sample, the library's own numbers, nothing allocated or copied
    network.inputs[0][...] = ...
    network.run()
    network.outputs[0]
"""

from functools import partial
from pathlib import Path

from . import runtime
from .runtime import Port

LIBRARY = runtime.Library(
    Path(__file__).with_name("lib{name}.so"),
    name="{name}",
    triple="{triple}",
    arena={arena},
    inputs=[
{inputs}
    ],
    outputs=[
{outputs}
    ],
    needs={needs},{remembers}
)
inputs, outputs = LIBRARY.inputs, LIBRARY.outputs
run = LIBRARY.run
Network = partial(runtime.Network, LIBRARY)

__all__ = ["LIBRARY", "Network", "inputs", "outputs", "run"]
'''


def package(name: str, built: Built, program: Program, graph: Graph) -> dict[str, bytes]:
    """Give the source tree of the package; ``pip install`` makes a wheel of it without looking anything up."""
    machine = program.machine
    platforms = ", ".join(f'"{p}"' for p in PLATFORMS[built.platform.machine])
    words = {
        "name": name,
        "triple": machine.triple,
        "platforms": platforms,
        "distribution": name.replace("_", "-").strip("-"),
    }
    ports = {
        side: "\n".join(f"        {port(node)}," for node in nodes)
        for side, nodes in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    remembers = "\n    remembers=True," if program.residents else ""
    module = MODULE.format(**words, **ports, arena=program.arena, needs=needs(machine), remembers=remembers)
    return {
        "pyproject.toml": PROJECT.format(**words).encode(), "backend.py": (HERE / "backend.py").read_bytes(),
        f"{name}/__init__.py": module.encode(), f"{name}/runtime.py": (HERE / "runtime.py").read_bytes(),
        f"{name}/lib{name}.so": built.shared,
    }  # fmt: skip


def needs(machine: Machine) -> list[str]:
    """List what /proc/cpuinfo has to name; empty where the processor's name says more than is known here."""
    wanted = [*IMPLIED.get(machine.cpu, ()), *(f[1:] for f in machine.features if f.startswith("+"))]
    return sorted({FLAGS[f] for f in wanted if f in FLAGS})


def port(node: Node) -> str:
    """Write what the runtime has to know of an input or output."""
    op = node.op
    assert isinstance(op, Input | Output)
    fields: dict[str, object] = {
        "name": op.name,
        "shape": _surface(node, np.empty(node.shape)).shape,
        "dtype": interface_type(node),
    }
    if node.type.is_integer:
        fields |= _format(node)
    if isinstance(op, Input) and node.type.is_integer:
        fields |= {"rounding": op.rounding.value, "overflow": op.overflow.value}
        if op.strict:
            fields["strict"] = True
    return f"Port({', '.join(f'{key}={value!r}' for key, value in fields.items())})"


def _format(node: Node) -> dict[str, object]:
    format = node.type.quantized
    low, high = format.bounds
    found: dict[str, object] = {"low": low, "high": high, "bits": format.width, "signed": format.signed}
    match format:
        case Fixed():
            found["fraction"] = format.fraction
        case Affine():
            found |= {"scale": as_array(format.scale).astype(np.float64), "zero": format.zero_point}
    return {key: _numbers(node, value) for key, value in found.items()}


def _numbers(node: Node, value: object) -> object:
    """Give a number, or those that differ by element in the source's layout, as Python spells them."""
    array = value if isinstance(value, np.ndarray) else as_array(value)  # type: ignore[arg-type]
    if not array.ndim:
        return array.item()
    padded = array.reshape((1,) * (len(node.shape) - array.ndim) + array.shape)
    return _surface(node, padded).tolist()


def _surface(node: Node, array: NDArray) -> NDArray:
    """Graph's layout -> source's."""
    op = node.op
    assert isinstance(op, Input | Output)
    if op.axes is None:
        return array
    return array.transpose(np.argsort(op.axes) if isinstance(op, Input) else op.axes)


__all__ = ["package"]

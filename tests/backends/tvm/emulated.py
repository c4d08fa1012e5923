"""Run a compiled network under qemu-user, for machines that no board has."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.halves import from_port, port_type
from gatewright.backends.loops.layout import interface_type
from gatewright.backends.loops.machine import Machine
from gatewright.backends.tvm import qemu
from gatewright.backends.tvm.build import ARM, build
from gatewright.backends.tvm.emit import description
from gatewright.backends.zig import zig
from gatewright.graph import Graph, evaluate
from gatewright.graph.evaluate.run import surface_shape

from ..cases.common import in_memory


@dataclass(frozen=True)
class Emulated:
    """A machine, and the command of qemu that stands for it."""

    machine: Machine
    qemu: str
    options: tuple[str, ...] = ()
    notes: str = field(default="", compare=False)


ARM64 = "aarch64-linux-gnu"
MACHINES = {
    "aarch64": Emulated(Machine(ARM64, "cortex-a72", ("+neon",), 128), "qemu-aarch64", ("-cpu", "cortex-a72")),
    "aarch64-dotprod": Emulated(Machine(ARM64, "cortex-a76", ("+dotprod",), 128), "qemu-aarch64", ("-cpu", "max")),
    "aarch64-i8mm": Emulated(
        Machine(ARM64, "cortex-a78", ("+dotprod", "+i8mm"), 128), "qemu-aarch64", ("-cpu", "max")
    ),
    "armv7-neon": Emulated(
        Machine("armv7-linux-gnueabihf", "cortex-a9", ("+neon",), 128), "qemu-arm", ("-cpu", "cortex-a9")
    ),
    "riscv64": Emulated(
        Machine("riscv64-linux-gnu", "generic-rv64", ("+m", "+a", "+f", "+d", "+c"), 0, "lp64d"),
        "qemu-riscv64", ("-cpu", "rv64"),
    ),
    "riscv64-v": Emulated(
        Machine("riscv64-linux-gnu", "generic-rv64", ("+m", "+a", "+f", "+d", "+c", "+v", "+zvl256b"), 256, "lp64d"),
        "qemu-riscv64", ("-cpu", "rv64,v=true,vlen=256,elen=64,vext_spec=v1.0"),
    ),
}  # fmt: skip


def expected(graph: Graph, vectors: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give vectors (in the graph's layout) as a user would feed them, and the outputs that ``evaluate`` gives."""
    fed = []
    for _node, op, v in zip(graph.inputs, graph.input_ops, vectors, strict=True):
        if op.axes is not None:
            v = v.transpose(0, *(np.argsort(op.axes) + 1))
        fed.append(np.ascontiguousarray(v))
    outputs = evaluate(graph, fed if len(fed) > 1 else fed[0], integers=True)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    typed = [in_memory(v, interface_type(n)) for n, v in zip(graph.inputs, fed, strict=True)]
    return typed, [
        from_port(in_memory(v, interface_type(n)), interface_type(n))
        for n, v in zip(graph.outputs, outputs, strict=True)
    ]


def need(emulated: Emulated) -> None:
    """Skip where qemu is not installed."""
    if shutil.which(emulated.qemu) is None:
        pytest.skip(f"{emulated.qemu} is not installed: apt install qemu-user")


def link(emulated: Emulated, graph: Graph, folder: Path) -> Path:
    """Compile and link a program that runs a network."""
    made = make_program(graph, emulated.machine)
    said = description(graph, "net", emulated.machine, made)
    return qemu.link(build(made, "net").files, said, emulated.machine, folder)


def run(emulated: Emulated, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Compile, link and run; inputs and outputs are those of the C interface."""
    with tempfile.TemporaryDirectory() as temporary:
        binary = link(emulated, graph, Path(temporary))
        samples = range(len(inputs[0]))
        raw = b"".join(v[k].tobytes() for k in samples for v in inputs)
        command = [emulated.qemu, *emulated.options, str(binary)]
        done = subprocess.run(command, input=raw, capture_output=True, check=False)
        if b"decode_save_opc: Assertion" in done.stderr:
            pytest.skip(f"{emulated.qemu} fails on a vector instruction, in a check of its own: try a later qemu")
        assert done.returncode == 0, f"status {done.returncode}: {done.stderr.decode()[-500:]}"
    return split(graph, done.stdout, len(samples))


def instructions(emulated: Emulated, graph: Graph, inputs: list[np.ndarray]) -> int:
    """Count the instructions of the kernels in one inference."""
    usage = subprocess.run([emulated.qemu, "-help"], capture_output=True, text=True, check=False).stdout
    single = "-one-insn-per-tb" if "one-insn-per-tb" in usage else "-singlestep"
    with tempfile.TemporaryDirectory() as temporary:
        binary, log = link(emulated, graph, Path(temporary)), Path(temporary) / "log"
        command = [emulated.qemu, *emulated.options, single, "-d", "nochain,exec", "-D", str(log), str(binary)]
        raw = b"".join(v[0].tobytes() for v in inputs)
        subprocess.run(command, input=raw, capture_output=True, check=True)
        with log.open() as lines:  # each ends in the name of a function
            return sum(line.rstrip().rpartition(" ")[2].startswith("net_k") for line in lines)


def split(graph: Graph, raw: bytes, batch: int) -> list[np.ndarray]:
    """Cut what a program wrote into outputs [batch, ...]."""
    shapes = [surface_shape(n) for n in graph.outputs]
    types = [interface_type(n) for n in graph.outputs]
    fields = [(f"out{i}", port_type(t), s) for i, (t, s) in enumerate(zip(types, shapes, strict=True))]
    table = np.frombuffer(raw, np.dtype(fields))
    assert len(table) == batch, f"{len(table)} results for {batch} samples"
    return [from_port(table[f"out{i}"], t) for i, t in enumerate(types)]


ARM_MAIN = """
#include <stdint.h>
static long call(long number, long f, void *p, long size) {{ {call} }}
void *memcpy(void *restrict t, const void *restrict s, unsigned n)
{{ unsigned char *a = t; const unsigned char *b = s; while (n--) *a++ = *b++; return t; }}
static struct {{ int64_t quotient, rest, back; double real; int64_t low; }} row;
static volatile int64_t in[2];
static volatile int32_t small[2];
void _start(void)
{{
    while (call({read}, 0, (void *)in, sizeof in) == sizeof in) {{
        row.quotient = in[0] / in[1];
        row.rest = in[0] % in[1];
        row.back = (int64_t)(double)in[0];
        row.real = (float)in[0];
        small[0] = (int32_t)in[0];
        small[1] = (int32_t)in[1] | 1;
        row.low = (int32_t)((uint32_t)(small[0] / small[1]) + (uint32_t)(small[0] % small[1]));
        call({write}, 1, &row, sizeof row);
    }}
    call({leave}, 0, 0, 0);
}}
"""


def arm_helpers(emulated: Emulated, folder: Path, table: np.ndarray) -> np.ndarray:
    """Divide and convert numbers by the functions that 32-bit Arm needs for it."""
    text, read, write, leave = qemu.CALLS["armv7"]
    (folder / "main.c").write_text(ARM_MAIN.format(call=text, read=read, write=write, leave=leave))
    flags = ["-target", "arm-linux-none", "-mcpu=cortex_a9", "-mfloat-abi=hard", "-O1", "-fno-builtin", "-fPIC"]
    more = ["-fno-sanitize=all", "-fno-stack-protector", "-fno-unwind-tables", "-nostdlib", "-static"]
    zig(["cc", *flags, *more, "main.c", str(ARM), "-o", "main"], folder)
    command = [emulated.qemu, *emulated.options, str(folder / "main")]
    done = subprocess.run(command, input=table.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr.decode()[-500:]}"
    return np.frombuffer(
        done.stdout, [("quotient", "i8"), ("rest", "i8"), ("back", "i8"), ("real", "f8"), ("low", "i8")]
    )

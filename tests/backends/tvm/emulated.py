"""Run a compiled network under qemu-user: a program of its own, without a C library, from stdin to stdout."""

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
from gatewright.backends.loops.names import C_TYPES
from gatewright.backends.tvm.build import ARM, SHIMS, Built, build
from gatewright.backends.zig import zig
from gatewright.graph import Graph, evaluate
from gatewright.graph.evaluate.run import surface_shape

from ..cases.common import in_memory

CALLS = {
    "aarch64": ('register long n __asm__("x8") = number, a __asm__("x0") = f, b __asm__("x1") = (long)p, '
                'c __asm__("x2") = size; __asm__ volatile("svc 0" : "+r"(a) : "r"(n), "r"(b), "r"(c) : "memory"); '
                "return a;", 63, 64, 93),
    "armv7": ('register long n __asm__("r7") = number, a __asm__("r0") = f, b __asm__("r1") = (long)p, '
              'c __asm__("r2") = size; __asm__ volatile("svc 0" : "+r"(a) : "r"(n), "r"(b), "r"(c) : "memory"); '
              "return a;", 3, 4, 1),
    "riscv64": ('register long n __asm__("a7") = number, a __asm__("a0") = f, b __asm__("a1") = (long)p, '
                'c __asm__("a2") = size; __asm__ volatile("ecall" : "+r"(a) : "r"(n), "r"(b), "r"(c) : "memory"); '
                "return a;", 63, 64, 93),
}  # fmt: skip
"""How each architecture asks Linux for something, and the numbers of read, write and exit."""

START = """
#include "{name}.h"
#include <stddef.h>
static long call(long number, long f, void *p, long size) {{ {call} }}
void *memcpy(void *restrict t, const void *restrict s, size_t n)
{{ unsigned char *a = t; const unsigned char *b = s; while (n--) *a++ = *b++; return t; }}
void *memset(void *t, int v, size_t n)
{{ volatile unsigned char *a = t; while (n--) *a++ = (unsigned char)v; return t; }}
float truncf(float x) {{ return x < 8388608 && x > -8388608 ? (float)(int)x : x; }}
float floorf(float x) {{ float t = truncf(x); return t > x ? t - 1 : t; }}
float nearbyintf(float x)
{{
    volatile float big = x < 0 ? -8388608.0f : 8388608.0f, sum = x + big;
    return x < 8388608 && x > -8388608 ? sum - big : x;
}}
static int all(long number, long f, void *p, long size)
{{
    unsigned char *at = p;
    while (size > 0) {{
        long done = call(number, f, at, size);
        if (done <= 0) return 0;
        at += done; size -= done;
    }}
    return 1;
}}
{buffers}
static unsigned char arena[{upper}_ARENA_BYTES] __attribute__((aligned({upper}_ALIGNMENT)));
void _start(void)
{{
    for (;;) {{
        {reads}
        for (size_t i = 0; i < sizeof arena; i++) arena[i] = 0xAA;
        if ({name}_run({arguments}, arena)) call({exit}, 3, 0, 0);
        {writes}
    }}
}}
"""


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


def program(built: Built, graph: Graph) -> str:
    """Write a program that runs the network on what comes in, until nothing comes any more."""
    name, upper = built.name, built.name.upper()
    text, read, write, leave = CALLS[built.platform.machine]
    buffers, reads, writes, arguments = [], [], [], []
    for kind, nodes in (("in", graph.inputs), ("out", graph.outputs)):
        for i, node in enumerate(nodes):
            dtype = interface_type(node)
            port, ctype = f"{kind}{i}", C_TYPES[dtype]
            buffers.append(f"static {ctype} {port}[{upper}_{port.upper()}_ELEMENTS];")
            arguments.append(port)
            if kind == "in":
                reads.append(f"if (!all({read}, 0, {port}, (long)sizeof {port})) call({leave}, 0, 0, 0);")
            else:
                writes.append(f"all({write}, 1, {port}, (long)sizeof {port});")
    parts = {"buffers": buffers, "reads": reads, "writes": writes}
    return START.format(
        name=name, upper=upper, call=text, exit=leave, arguments=", ".join(arguments),
        **{key: "\n        ".join(lines) for key, lines in parts.items()},
    )  # fmt: skip


def link(emulated: Emulated, graph: Graph, folder: Path) -> Path:
    """Compile and link a program that runs a network."""
    built = build(make_program(graph, emulated.machine), "net")
    (folder / "shims").mkdir()
    files = {**built.files, "start.c": program(built, graph).encode()}
    files |= {f"shims/{k}": v.encode() for k, v in SHIMS.items()}
    for path, data in files.items():
        (folder / path).write_bytes(data)
    flags = ["-O2", "-fno-builtin", "-fno-sanitize=all", "-fno-stack-protector", "-isystem", "shims", "-static"]
    zig(["cc", "-target", built.platform.zig, *flags, "-nostdlib", "start.c", "libnet.a", "-o", "net"], folder)
    return folder / "net"


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
    text, read, write, leave = CALLS["armv7"]
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

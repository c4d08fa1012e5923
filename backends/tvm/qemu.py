"""Libraries for other processors, run under qemu-user: a program around the library, from its standard input to its
standard output, without a C library.
"""

import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...graph import FileError, GatewrightError
from ...graph.arrays import NDArray
from ..loops.machine import Machine
from ..loops.names import C_TYPES
from ..zig import zig
from .build import SHIMS
from .memory import aligned
from .targets import platform

REFUSED = 64
"""The program's exit status is the network's and this."""

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
"""How each architecture asks Linux for something, and the numbers of read, write and exit (asm/unistd.h)."""
QEMU: Mapping[str, tuple[str, str]] = {
    "aarch64": ("qemu-aarch64", "max"), "armv7": ("qemu-arm", "max"), "riscv64": ("qemu-riscv64", "rv64"),
}  # fmt: skip
"""The program that stands for each architecture, and the processor that it is told to be."""
OPTIONS = {"zfh": "Zfh"}
"""Features of RISC-V that qemu has to be told of beside its defaults, and what it calls them."""
VECTORS = ",v=true,vlen={bits},elen=64,vext_spec=v1.0"

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
    {init}
    for (;;) {{
        int status;
        {reads}
        {fill}
        status = {name}_run({arguments}, arena);
        if (status) call({exit}, {refused} + status, 0, 0);
        {writes}
    }}
}}
"""


def command_for(machine: Machine) -> tuple[str, ...] | None:
    """Give the command that runs programs for a machine here; None where qemu-user is not installed, or has none."""
    program = emulator_of(machine)
    if program is None or shutil.which(program) is None:
        return None
    cpu = QEMU[platform(machine.triple).machine][1]
    if machine.has("v"):
        cpu += VECTORS.format(bits=max(machine.vector_bits, 128))
    return program, "-cpu", cpu + "".join(f",{option}=true" for f, option in OPTIONS.items() if machine.has(f))


def emulator_of(machine: Machine) -> str | None:
    """Name the program of qemu-user that would run libraries for a machine, installed or not."""
    found = QEMU.get(platform(machine.triple).machine) if machine.system in ("linux", "android") else None
    return None if found is None else found[0]


def emulated(machine: Machine) -> bool:
    """Whether libraries for a machine run here under qemu."""
    return command_for(machine) is not None


def program(name: str, machine: str, description: Mapping[str, Any]) -> str:
    """Write a program that runs a network on what comes in, until nothing comes any more; ``machine``: as in CALLS."""
    upper = name.upper()
    text, read, write, leave = CALLS[machine]
    buffers, reads, writes, arguments = [], [], [], []
    for kind in ("in", "out"):
        for i, port in enumerate(description[f"{kind}puts"]):
            own = f"{kind}{i}"
            buffers.append(f"static {C_TYPES[port['type']]} {own}[{upper}_{own.upper()}_ELEMENTS];")
            arguments.append(own)
            if kind == "in":
                reads.append(f"if (!all({read}, 0, {own}, (long)sizeof {own})) call({leave}, 0, 0, 0);")
            else:
                writes.append(f"all({write}, 1, {own}, (long)sizeof {own});")
    fill = "for (size_t i = 0; i < sizeof arena; i++) arena[i] = 0xAA;"
    states = bool(description["states"])
    parts = {"buffers": buffers, "reads": reads, "writes": writes}
    return START.format(
        name=name, upper=upper, call=text, exit=leave, arguments=", ".join(arguments), refused=REFUSED,
        init=f"{fill} {name}_init(arena);" if states else "", fill="" if states else fill,
        **{key: "\n        ".join(lines) for key, lines in parts.items()},
    )  # fmt: skip


def link(files: Mapping[str, bytes], description: Mapping[str, Any], machine: Machine, folder: Path) -> Path:
    """Link a program around a library; ``files``: ``NAME.h`` and ``libNAME.a``. Raises BuildError."""
    name, target = description["name"], platform(machine.triple)
    (folder / "shims").mkdir()
    texts = {"start.c": program(name, target.machine, description), **{f"shims/{k}": v for k, v in SHIMS.items()}}
    for path, data in {**files, **{p: t.encode() for p, t in texts.items()}}.items():
        (folder / path).write_bytes(data)
    flags = ["-O2", "-fno-builtin", "-fno-sanitize=all", "-fno-stack-protector", "-isystem", "shims", "-static"]
    zig(["cc", "-target", target.zig, *flags, "-nostdlib", "start.c", f"lib{name}.a", "-o", "net"], folder)
    return folder / "net"


class EmulatorError(GatewrightError):
    """Qemu ended for a reason of its own: an instruction that it does not have, a check that failed."""


class EmulatedNetwork:
    """A library under qemu, with the arrays and calls of ``Network``."""

    def __init__(self, project: Mapping[str, bytes], description: Mapping[str, Any], machine: Machine) -> None:
        name = description["name"]
        command = command_for(machine)
        assert command is not None
        self.inputs: list[NDArray] = [aligned(p["shape"], p["type"]) for p in description["inputs"]]
        self.outputs: list[NDArray] = [aligned(p["shape"], p["type"]) for p in description["outputs"]]
        try:
            files = {f"{name}.h": project[f"include/{name}.h"], f"lib{name}.a": project[f"lib/lib{name}.a"]}
        except KeyError as missing:
            raise FileError("is not there", where=str(missing.args[0]), hint="compile again") from None
        folder = Path(tempfile.mkdtemp(prefix="gatewright-"))
        self._running: list[subprocess.Popen[bytes]] = []
        self._end = weakref.finalize(self, _end, self._running, folder)
        self._command = [*command, str(link(files, description, machine, folder))]

    def reset(self) -> None:
        """Let the network begin anew, with its initial states."""
        _end(self._running)

    def run(self) -> int:
        """Run once on what stands in ``inputs``; gives the network's status, 0 where nothing was wrong."""
        if not self._running:
            pipe = subprocess.PIPE
            self._running.append(subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe))
        (process,) = self._running
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for array in self.inputs:
                process.stdin.write(array.tobytes())
            process.stdin.flush()
        except BrokenPipeError:
            return self._ended(process)
        for array in self.outputs:
            data = process.stdout.read(array.nbytes)
            if len(data) < array.nbytes:
                return self._ended(process)
            array.reshape(-1).view("uint8")[:] = memoryview(data)
        return 0

    def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        """Give the status with which a network ended the program. Raises GatewrightError for another end."""
        _, told = process.communicate()
        self._running.clear()
        if process.returncode > REFUSED:
            return process.returncode - REFUSED
        lines = told.decode(errors="replace").strip().splitlines()
        code = process.returncode
        how = f"status {code}" if code >= 0 else signal.Signals(-code).name
        what = f"{self._command[0]} ended with {how}{': ' + lines[-1] if lines else ''}"
        raise EmulatorError(what, hint="a later qemu may have the instruction")


def _end(running: "list[subprocess.Popen[bytes]]", folder: Path | None = None) -> None:
    """End what runs, and remove its files."""
    for process in running:
        process.kill()
        process.communicate()
    running.clear()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)

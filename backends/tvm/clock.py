"""A library that measures itself: networks, with a clock around every call, run in a process of their own.

It has everything inside: the kernels of all networks (equal ones once), their constants, and memory. It is loaded by
this process or by TVM's RPC server on a device; a network that crashes or does not end takes neither along.
"""

import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from ...graph import GatewrightError
from ..loops.code import Function
from ..loops.layout import interface_type
from ..loops.machine import Machine
from ..loops.program import Call, Pointer, Program, calls_of
from ..loops.widths import WIDTHS
from .build import machine_code, shared_library
from .driver import Lines
from .targets import platform

NAME = "gatewright_clock"
C_TEXT = Path(__file__).with_name("clock.c")
LIMIT_S = 60.0
"""Seconds after which a measurement is given up."""
SIGNALS = {
    4: "ended with an instruction that this processor does not have (SIGILL)", 6: "was aborted (SIGABRT)",
    7: "ended with memory that is not there (SIGBUS)", 8: "ended with a division by zero (SIGFPE)",
    9: "was killed, as when memory runs out (SIGKILL)", 11: "ended with memory that is not its own (SIGSEGV)",
}  # fmt: skip


class MeasuringError(GatewrightError):
    """What was to be measured crashed, or did not end."""


class Meter(Protocol):
    """A library that measures, loaded somewhere."""

    def measure(self, network: int, turns: int, *, clocked: bool, limit_s: float = LIMIT_S) -> list[float]:
        """Run a network ``turns`` times; give the least seconds of each call and of the whole, the last.

        Without ``clocked`` there are no clocks inside: the whole only. Raises MeasuringError.
        """


class Device(Protocol):
    """Where libraries are loaded and measured."""

    @property
    def name(self) -> str:
        """What people call it."""

    def open(self, library: bytes, machine: Machine) -> Any:
        """Load a measuring library; a context that gives its Meter."""


@dataclass(eq=False)
class _Merged:
    """Kernels and constants of several programs, each once."""

    kernels: dict[str, Function] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    constants: bytearray = field(default_factory=bytearray)
    places: dict[bytes, int] = field(default_factory=dict)

    def kernel(self, function: Function, call: Call) -> str:
        """Give a kernel its name."""
        if function.key not in self.names:
            name = self.names[function.key] = f"k{len(self.names)}"
            self.kernels[name] = function
            self.arguments[name] = ", ".join(["void *"] * len(call.arguments) + ["int32_t"] * (2 if call.parts else 0))
        return self.names[function.key]

    def constant(self, data: bytes) -> int:
        """Give a constant its place."""
        if data not in self.places:
            self.constants.extend(b"\0" * (-len(self.constants) % 64))
            self.places[data] = len(self.constants)
            self.constants.extend(data)
        return self.places[data]


class _Lines(Lines):
    """The statements of one program in C, by the names of all; ``clocked``: with a clock around every call."""

    def __init__(self, program: Program, merged: _Merged, *, clocked: bool) -> None:
        super().__init__(program, NAME)
        self.merged, self.clocked, self.count = merged, clocked, 0
        used = {p.offset for c, _ in calls_of(program.statements) for p in c.arguments if p.block is None}
        self.ends = dict(pairwise([*sorted(used), len(program.constants)]))

    def call(self, s: Call, parallel: bool) -> list[str]:
        """Write the call of a kernel."""
        name = self.merged.kernel(self.program.kernels[s.kernel], s)
        operands = ", ".join([*(self.pointer(p) for p in s.arguments), *(["0", str(s.parts)] if s.parts else [])])
        line = f"{NAME}_{name}({operands});"
        if not self.clocked:
            return [line]
        number, self.count = self.count, self.count + 1
        return ["begin = ticks();", line, f"note({number}, begin);"]

    def pointer(self, p: Pointer) -> str:
        """Write an address."""
        if p.block is not None:
            return super().pointer(p)
        data = bytes(self.program.constants[p.offset : self.ends[p.offset]])
        return super().pointer(replace(p, offset=self.merged.constant(data)))


def measuring_library(programs: Sequence[Program]) -> bytes:
    """Compile programs for one machine into a library that measures each, by its number. Raises BuildError."""
    return shared_library(measuring_sources(programs), NAME, platform(programs[0].machine.triple))


def measuring_sources(programs: Sequence[Program]) -> dict[str, bytes]:
    """Give what is linked into a measuring library: its C, the kernels, the constants. Raises BuildError."""
    machine, merged = programs[0].machine, _Merged()
    bodies: list[str] = []
    for i, program in enumerate(programs):
        bodies += _bodies(program, i, merged)
    ports = [max(sizes) for sizes in zip(*map(_port_bytes, programs), strict=True)]
    arena = max(1, *(p.arena for p in programs))
    most = max(len(calls_of(p.statements)) for p in programs) + 1
    ins = len(programs[0].graph.inputs)
    names = [f"in{i}" if i < ins else f"out{i - ins}" for i in range(len(ports))]
    prototypes = [f"void {NAME}_{k}({a});" for k, a in merged.arguments.items()]
    tables = ", ".join(f"plain{i}, clocked{i}" for i in range(len(programs)))
    counts = ", ".join(str(len(calls_of(p.statements))) for p in programs)
    memory = {"a": arena} | {name: max(size, 1) for name, size in zip(names, ports, strict=True)}
    text = [
        f"extern const unsigned char {NAME}_constants[];", *prototypes,
        *(f"static _Alignas(64) unsigned char {name}[{size}];" for name, size in memory.items()),
        "static void clear(void)", "{", *(f"    memset({name}, 0, {size});" for name, size in memory.items()), "}",
        *bodies, f"static void (*const networks[])(void) = {{{tables}}};", f"static const int counts[] = {{{counts}}};",
    ]  # fmt: skip
    c = f"#define FIGURES {most}\n" + C_TEXT.read_text(encoding="utf-8").replace("/* NETWORKS */", "\n".join(text))
    whole = Program(programs[0].graph, machine, merged.kernels, constants=merged.constants)
    return {f"{NAME}.c": c.encode(), **machine_code(whole, NAME)}


def _bodies(program: Program, number: int, merged: _Merged) -> Iterator[str]:
    """Write one program twice: plain and clocked."""
    for kind in ("plain", "clocked"):
        lines = _Lines(program, merged, clocked=kind == "clocked").statements(program.statements, parallel=False)
        body = "\n    ".join(["", *"\n".join(lines).splitlines()])
        yield (
            f"static void {kind}{number}(void)\n{{\n    unsigned char *const w = (unsigned char *){NAME}_constants;\n"
            f"    int32_t status[1] = {{0}};\n    uint64_t begin;\n    (void)w; (void)status; (void)begin;{body}\n}}"
        )


def _port_bytes(program: Program) -> list[int]:
    ports = (*program.graph.inputs, *program.graph.outputs)
    return [n.type.size * WIDTHS[interface_type(n)] // 8 for n in ports]


TOO_LONG, NO_PROCESS = -1000, -1001
"""What ``clock.c`` gives beside negative signals."""


def explain(status: int, where: str, limit_s: float) -> MeasuringError:
    """Say what became of a measurement that gave no figures."""
    if status == TOO_LONG:
        return MeasuringError(f"did not end within {limit_s:g} s", where=where, hint="is the machine busy?")
    if status == NO_PROCESS:
        return MeasuringError("no process can be started", where=where, hint="is its memory full?")
    return MeasuringError(SIGNALS.get(-status, f"ended with signal {-status}"), where=where)


def seconds(figures: Sequence[int]) -> list[float]:
    """Turn the figures of ``clock.c`` into seconds: of each call, and of the whole."""
    *least, runs, ticks, nanoseconds = figures
    unit = nanoseconds * 1e-9 / max(ticks, 1)
    return [*(n * unit for n in least[:-1]), least[-1] * unit / runs]


class LocalMeter:
    """A measuring library in this process."""

    def __init__(self, library: ctypes.CDLL, where: str) -> None:
        self._where = where
        self._measure, self._figure = library[f"{NAME}_measure"], library[f"{NAME}_figure"]
        self._measure.restype = self._figure.restype = ctypes.c_int64

    def measure(self, network: int, turns: int, *, clocked: bool, limit_s: float = LIMIT_S) -> list[float]:
        """Run a network, as ``Meter`` says."""
        count = self._measure(*map(ctypes.c_int64, (2 * network + clocked, turns, int(limit_s * 1000))))
        if count <= 0:
            raise explain(count, self._where, limit_s)
        return seconds([self._figure(ctypes.c_int64(i)) for i in range(count)])


class Local:
    """The machine that this runs on."""

    name = "this machine"

    @contextmanager
    def open(self, library: bytes, machine: Machine) -> Iterator[LocalMeter]:
        """Load a measuring library. Raises MeasuringError where it cannot be."""
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            path = Path(folder) / f"lib{NAME}.{platform(machine.triple).library}"
            path.write_bytes(library)
            try:
                loaded = ctypes.CDLL(str(path))
            except OSError as error:
                raise MeasuringError(f"cannot be loaded: {error}", where=self.name) from None
        try:
            yield LocalMeter(loaded, self.name)
        finally:
            _close(loaded)


def _close(library: ctypes.CDLL) -> None:
    """Give back a library's memory."""
    close = ctypes.CDLL(None).dlclose
    close.argtypes = [ctypes.c_void_p]
    close(library._handle)

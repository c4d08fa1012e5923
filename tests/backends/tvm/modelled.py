"""Kernels for x86 as C without vectors, so that what no processor here has runs here: loops, vectors lane by lane, the
tiles of a matrix unit by a model of them (``amx.h``), dot products of bytes and words as their manual says.
"""

import ctypes
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.code import (
    INDEX,
    Body,
    For,
    Function,
    If,
    Let,
    Local,
    Memory,
    Run,
    Store,
    Value,
)
from gatewright.backends.loops.halves import bits_of, narrowed, widened
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.names import library_name
from gatewright.backends.loops.schedule import Tiles
from gatewright.backends.tvm import driver
from gatewright.backends.zig import zig
from gatewright.graph import Graph

from .support import Library

AMX = Machine("x86_64-linux-gnu", "x86-64-v4", ("+avx512vnni", "+amx-tile", "+amx-int8", "+amx-bf16"), 512)
MODEL = Path(__file__).with_name("amx.h")
INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "bitand": "&", "bitor": "|", "bitxor": "^", "shl": "<<",
    "shr": ">>", "and": "&", "or": "|", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
TYPES = {"bool": "int8_t", "float32": "float", "float64": "double", "bfloat16": "uint16_t"}
DOTS = {"vpdpbusd": ("uint8_t", "int8_t", 4), "vpdpwssd": ("int16_t", "int16_t", 2)}
"""Types of the operands, and how many products a lane sums."""
BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
PARALLEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, BODY, ctypes.c_void_p)


def _type(dtype: str) -> str:
    return TYPES.get(dtype, f"{dtype}_t")


class _Kernel:
    """One kernel being written: every value is an array of its lanes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.alive: list[Value] = []

    def text(self, name: str, function: Function) -> str:
        given = (("int32_t ", p.variable) if p.memory is None else ("void *", p.memory) for p in function.parameters)
        pointers = ", ".join(f"{kind}{one.name}_" for kind, one in given)
        for p in function.parameters:
            if p.memory is None:
                self.lines.append(f"int32_t {p.variable.name}[1] = {{{p.variable.name}_}};")
            else:
                self.lines.append(f"{_type(p.memory.dtype)} *{p.memory.name} = {p.memory.name}_;")
        self.body(function.body)
        return f"void {name}({pointers})\n{{\n" + "\n".join(self.lines) + "\n}\n"

    def body(self, body: Body) -> None:
        for s in body:
            made: dict[int, str] = {}
            match s:
                case Let():
                    found = self.value(s.value, made)
                    lanes = s.value.lanes
                    self.lines.append(f"{_type(s.value.dtype)} {s.variable.name}[{lanes}];")
                    self.lines.append(f"memcpy({s.variable.name}, {found}, sizeof {s.variable.name});")
                case Local():
                    self.lines.append(f"{_type(s.memory.dtype)} {s.memory.name}[{s.memory.size}];")
                case Store():
                    at, v = self.value(s.place, made), self.value(s.value, made)
                    self.lanes(s.value.lanes, f"{s.memory.name}[{at}[l]] = {v}[l]")
                case For():
                    begin, extent = self.value(s.begin, made), self.value(s.extent, made)
                    self.loop(s, begin, extent)
                case If():
                    self.lines.append(f"if ({self.value(s.condition, made)}[0]) {{")
                    self.body(s.body)
                    self.lines.append("}")
                case Run():
                    self.run(s, made)

    def loop(self, s: For, begin: str, extent: str) -> None:
        i = f"{s.variable.name}_"
        self.lines.append(f"for (int32_t {i} = {begin}[0]; {i} < {begin}[0] + {extent}[0]; {i}++) {{")
        self.lines.append(f"int32_t {s.variable.name}[1] = {{{i}}};")
        self.body(s.body)
        self.lines.append("}")

    def run(self, s: Run, made: dict[int, str]) -> None:
        """Tiles by their numbers; a memory with the place in it where something begins."""
        parts: list[str] = []
        for o in s.operands:
            if isinstance(o, Memory):
                parts.append(o.name)
            elif parts and isinstance(s.operands[len(parts) - 1], Memory):
                parts.append(f"{parts.pop()} + {self.value(o, made)}[0]")
                parts.insert(-1, "")
            else:
                parts.append(f"{self.value(o, made)}[0]")
        self.lines.append(f"{s.name}({', '.join(p for p in parts if p)});")

    def lanes(self, count: int, statement: str) -> None:
        self.lines.append(f"for (int l = 0; l < {count}; l++) {statement};")

    def value(self, v: Value, made: dict[int, str]) -> str:
        """Give the name of an array with the lanes of a value."""
        if v.op == "variable":
            return str(v.parts[0].name)
        if id(v) in made:
            return made[id(v)]
        if v.op == "cast" and "bfloat16" in (v.dtype, v.parts[0].dtype):
            convert = narrowed if v.dtype == "bfloat16" else widened
            short = replace(v.parts[0], dtype="uint16") if convert is widened else v.parts[0]
            self.alive.append(found := convert(lambda x: x, short, "bfloat16"))
            return self.value(found, made)
        parts = [self.value(p, made) for p in v.parts if isinstance(p, Value)]
        more = [self.value(p, made) for t in v.parts if isinstance(t, tuple) for p in t if isinstance(p, Value)]
        self.count += 1
        name = made[id(v)] = f"t{self.count}"
        self.lines.append(f"{_type(v.dtype)} {name}[{v.lanes}];")
        self.fill(v, name, parts, more)
        return name

    def fill(self, v: Value, name: str, parts: list[str], more: list[str]) -> None:  # noqa: C901 - a table
        wide = "" if v.dtype[0] in "fb" else f"u{_type(v.dtype)}" if v.dtype[0] == "i" else _type(v.dtype)
        match v.op, *v.parts:
            case ("const",) if v.dtype == "bfloat16":
                self.lanes(v.lanes, f"{name}[l] = {bits_of(np.array(v.known), v.dtype).item()}")
            case ("const",):
                number = f"{v.known!r}" if v.dtype[0] != "f" else f"{float(v.known or 0)!r}"
                self.lanes(v.lanes, f"{name}[l] = {_number(number, v.dtype)}")
            case "broadcast", _:
                self.lanes(v.lanes, f"{name}[l] = {parts[0]}[0]")
            case "ramp", _, stride:
                self.lanes(v.lanes, f"{name}[l] = {parts[0]}[0] + l * {stride}")
            case "load", memory, _:
                self.lanes(v.lanes, f"{name}[l] = {memory.name}[{parts[0]}[l]]")
            case ("min" | "max") as op, _, _:
                sign, (a, b) = "<" if op == "min" else ">", parts
                self.lanes(v.lanes, f"{name}[l] = {a}[l] {sign} {b}[l] ? {a}[l] : {b}[l]")
            case ("add" | "sub" | "mul" | "shl") as op, _, _ if wide:
                self.lanes(v.lanes, f"{name}[l] = ({_type(v.dtype)})(({wide}){parts[0]}[l] {INFIX[op]} {parts[1]}[l])")
            case op, _, _ if op in INFIX:
                self.lanes(v.lanes, f"{name}[l] = {parts[0]}[l] {INFIX[op]} {parts[1]}[l]")
            case "not", _:
                self.lanes(v.lanes, f"{name}[l] = !{parts[0]}[l]")
            case "select", _, _, _:
                self.lanes(v.lanes, f"{name}[l] = {parts[0]}[l] ? {parts[1]}[l] : {parts[2]}[l]")
            case "cast", _:
                self.lanes(v.lanes, f"{name}[l] = ({_type(v.dtype)}){parts[0]}[l]")
            case "reinterpret", _:
                self.lines.append(f"memcpy({name}, {parts[0]}, sizeof {name});")
            case "shuffle", values, places:
                for lane, place in enumerate(places):
                    which, rest = divmod(place, values[0].lanes)
                    self.lines.append(f"{name}[{lane}] = {more[which]}[{rest}];")
            case "llvm", called, (_, a, b):
                kind = next(k for k in DOTS if k in called)
                x, w, count = DOTS[kind]
                total = " + ".join(f"(({x} *){more[1]})[{count} * l + {i}] * (({w} *){more[2]})[{count} * l + {i}]"
                                   for i in range(count))  # fmt: skip
                self.lanes(v.lanes, f"{name}[l] = (int32_t)((uint32_t){more[0]}[l] + (uint32_t)({total}))")
            case "intrinsic", called, _:
                self.lanes(v.lanes, f"{name}[l] = __builtin_{called}f({more[0]}[l])")
            case _:
                raise AssertionError(v.op)


def _number(text: str, dtype: str) -> str:
    if dtype[0] == "f":
        return text if text.lstrip("-")[0].isdigit() else f"{'-' if text[0] == '-' else ''}__builtin_inf()"
    if dtype == "bool":
        return str(int(text == "True" or text == "1"))
    return f"(-{int(text) + 1 and -(int(text) + 1)}LL - 1)" if int(text) < 0 else f"{text}LL"


def kernels(functions: Mapping[str, Function], name: str) -> str:
    """Write kernels as C."""
    own = "".join(_Kernel().text(f"{name}_{k}", f) for k, f in functions.items())
    return f'#include "{MODEL.name}"\n\nint gw_tiles_refused = 0;\n\n{own}'


class Modelled(Library):
    """A graph whose kernels are for a machine that is not here, run as C."""

    def __init__(self, graph: Graph, machine: Machine = AMX, tiles: Tiles | None = None) -> None:
        self.graph, self.program = graph, make_program(graph, machine, tiles)
        name = library_name(graph)
        constants = ", ".join(map(str, bytes(self.program.constants) or b"\0"))
        texts = {
            "net.c": driver.source(self.program, name), f"{name}.h": driver.header(self.program, name),
            "kernels.c": kernels(self.program.kernels, name), MODEL.name: MODEL.read_text(),
            "constants.c": f"const unsigned char __attribute__((aligned(64))) {name}_constants[] = {{{constants}}};\n",
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            for file, text in texts.items():
                Path(folder, file).write_text(text)
            flags = ["-O0", "-w", "-fPIC", "-fwrapv", "-fno-sanitize=all", "-shared", "-fno-strict-aliasing"]
            zig(["cc", *flags, "net.c", "kernels.c", "constants.c", "-o", "net.so"], Path(folder))
            self._library = ctypes.CDLL(str(Path(folder, "net.so")))
        self._run = getattr(self._library, f"{name}_run_bound")
        self._bound_parallel = getattr(self._library, f"{name}_run_bound_parallel")
        for run in (self._run, self._bound_parallel):
            run.argtypes, run.restype = [ctypes.c_void_p], ctypes.c_int
        self.parts = 0

    def in_parts(self) -> None:
        """Let every run hand out the parts of large layers one by one, the last one first, and count them."""
        count = len(self.graph.inputs) + len(self.graph.outputs) + 1
        each = PARALLEL(self._each)

        def run(address: int) -> int:
            given = (ctypes.c_void_p * count).from_address(address)
            pointers = (ctypes.c_void_p * (count + 2))(*given, ctypes.cast(each, ctypes.c_void_p), None)
            return int(self._bound_parallel(ctypes.addressof(pointers)))

        self._run = run

    def _each(self, _: object, parts: int, body: Callable[[int, int, int], None], operands: int) -> None:
        self.parts += parts
        for part in reversed(range(parts)):
            body(operands, part, part + 1)


assert INDEX == "int32"

"""From loops to TVM's TIR."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from ..loops.code import INDEX, Body, For, Function, If, Let, Local, Memory, Run, Store, Value, Variable, index
from ..loops.halves import Keep, bits_of, narrowed, widened
from ..loops.machine import Machine
from ..loops.widths import HALVES, is_float
from .load import tirx, tvm

HUGE = 1 << 28
"""Elements that memory behind a pointer is declared to have."""

BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": tirx.Add, "sub": tirx.Sub, "mul": tirx.Mul, "div": tirx.Div, "mod": tirx.Mod, "min": tirx.Min,
    "max": tirx.Max, "shl": tirx.shift_left, "shr": tirx.shift_right, "bitand": tirx.bitwise_and,
    "bitor": tirx.bitwise_or, "bitxor": tirx.bitwise_xor, "and": tirx.And, "or": tirx.Or, "lt": tirx.LT, "le": tirx.LE,
    "gt": tirx.GT, "ge": tirx.GE, "eq": tirx.EQ, "ne": tirx.NE,
}  # fmt: skip

TILES: Mapping[str, str] = {
    "tile_configure": "ldtilecfg", "tile_release": "tilerelease", "tile_zero": "tilezero",
    "tile_load": "tileloadd64", "tile_store": "tilestored64", "tile_dot_ss": "tdpbssd", "tile_dot_su": "tdpbsud",
    "tile_dot_us": "tdpbusd", "tile_dot_uu": "tdpbuud",
    "tile_dot_bf16": "tdpbf16ps",
}  # fmt: skip
"""LLVM's names of the instructions of x86's matrix unit."""


@cache
def imm(number: int, dtype: str = INDEX) -> Any:
    """Give a literal."""
    return tirx.IntImm(dtype, number)


@cache
def _constant(number: int | float, dtype: str, lanes: int) -> Any:
    scalar = tirx.FloatImm(dtype, number) if is_float(dtype) else imm(int(number), dtype)
    return scalar if lanes == 1 else tirx.Broadcast(scalar, imm(lanes))


def _typed(dtype: str, lanes: int) -> str:
    """Name a vector type as TVM does."""
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


def prim_func(function: Function, machine: Machine) -> Any:
    """Give a TIR function that is called as plain C."""
    return _Writer(machine).function(function)


def module(functions: Mapping[str, Function], machine: Machine) -> Any:
    """Put functions into one module, each with its symbol."""
    return tvm.IRModule({n: prim_func(f, machine).with_attr("global_symbol", n) for n, f in functions.items()})


class _Writer:
    """One function being written."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.variables: dict[Variable, Any] = {}
        self.buffers: dict[Memory, Any] = {}
        self.kept: dict[Variable, Any] = {}
        self.made: dict[int, tuple[Value, Any]] = {}

    def function(self, function: Function) -> Any:
        pointers, declared = [], []
        for p in function.parameters:
            if p.memory is None:
                self.variables[p.variable] = tirx.Var(p.variable.name, INDEX)
                pointers.append(self.variables[p.variable])
                continue
            dtype = self.type(p.memory.dtype)
            kind = tvm.ir.PointerType(tvm.ir.PrimType(dtype), "global")
            pointers.append(tirx.Var(f"{p.variable.name}_pointer", kind))
            self.buffers[p.memory] = tirx.decl_buffer((HUGE,), dtype, name=p.memory.name)
            declared.append(tirx.DeclBuffer(self.buffers[p.memory], data=pointers[-1]))
        body = _sequence([*declared, self.block(function.body)])
        return tirx.PrimFunc(pointers, body).with_attr({"calling_conv": 1, "tirx.noalias": True})

    def type(self, dtype: str) -> str:
        """Name a type: floats of 16 bits that the machine has no instructions for are their bits."""
        return "uint16" if dtype in HALVES and not self.native(dtype) else dtype

    def native(self, dtype: str) -> bool:
        """Whether LLVM converts floats of 16 bits by instructions."""
        return dtype == "float16" and self.machine.converts_halves

    def block(self, statements: Body) -> Any:
        written: list[Any] = []
        for s in statements:
            match s:
                case Let():
                    written += self.let(s)
                case Local():
                    written.append(self.room(s.memory, s.memory.name, s.memory.dtype, s.memory.size or 1))
                case Store():
                    at = [self.value(s.place)]
                    written.append(tirx.BufferStore(self.buffers[s.memory], self.value(s.value), at))
                case For():
                    written.append(self.loop(s))
                case Run():
                    written.append(self.run(s))
                case If():
                    written.append(tirx.IfThenElse(self.value(s.condition), self.block(s.body), None))
        return _sequence(written)

    def let(self, s: Let) -> list[Any]:
        """Keep a value in memory of its own, which LLVM turns into a register.

        Variables (``Bind``) are looked through by TVM's analyser, whose work grows with the product of the expressions
        behind each other.
        """
        value = s.value
        buffer = tirx.decl_buffer((value.lanes,), self.type(value.dtype), name=s.variable.name)
        at = [imm(0) if value.lanes == 1 else tirx.Ramp(imm(0), imm(1), imm(value.lanes))]
        self.kept[s.variable] = tirx.BufferLoad(buffer, at)
        return [tirx.AllocBuffer(buffer), tirx.BufferStore(buffer, self.value(value), at)]

    def room(self, memory: Memory, name: str, dtype: str, size: int) -> Any:
        self.buffers[memory] = tirx.decl_buffer((size,), self.type(dtype), name=name)
        return tirx.AllocBuffer(self.buffers[memory])

    def loop(self, s: For) -> Any:
        variable = tirx.Var(s.variable.name, INDEX)
        begin = self.value(s.begin)
        # what stands in memory is taken for another one where it starts a loop
        start = s.begin if s.begin.op == "variable" and s.begin.parts[0].kept else None
        self.variables[s.variable] = variable if start is None else tirx.Add(variable, begin)
        body = self.block(s.body)
        return tirx.For(variable, imm(0) if start else begin, self.value(s.extent), tirx.ForKind.SERIAL, body)

    def run(self, s: Run) -> Any:
        """Write an instruction for tiles: their numbers, or where memory begins and how far apart its rows are."""
        match s.operands:
            case (Memory() as memory,):
                written = [self.address(memory, index(0))]
            case (Value() as tile, Memory() as memory, Value() as at, Value() as stride):
                address = self.address(memory, at)
                written = [imm(_number(tile), "int8"), address, tirx.Cast("int64", self.value(stride))]
            case numbers:
                written = [imm(_number(o), "int8") for o in numbers]
        return tirx.Evaluate(tirx.call_llvm_intrin("void", f"llvm.x86.{TILES[s.name]}", *written))

    def address(self, memory: Memory, at: Value) -> Any:
        """Give the address of an element."""
        return tirx.address_of(tirx.BufferLoad(self.buffers[memory], [self.value(at)]))

    def value(self, v: Value) -> Any:
        """Write an expression; one that is used twice is written once."""
        if v.op == "const":
            assert v.known is not None
            if (dtype := self.type(v.dtype)) != v.dtype:
                return _constant(bits_of(np.array(v.known), v.dtype).item(), dtype, v.lanes)
            return _constant(v.known, v.dtype, v.lanes)
        if v.op == "variable":
            return self.kept[v.parts[0]] if v.parts[0].kept else self.variables[v.parts[0]]
        found = self.made.get(id(v))
        if found is None:
            found = self.made[id(v)] = v, self.written(v)  # the value stays alive with its number
        return found[1]

    def written(self, v: Value) -> Any:
        kind = _typed(self.type(v.dtype), v.lanes)
        if (make := BINARY.get(v.op)) is not None:
            a, b = v.parts
            return make(self.value(a), self.value(b))
        match v.op, *v.parts:
            case "broadcast", a:
                return tirx.Broadcast(self.value(a), imm(v.lanes))
            case "ramp", base, stride:
                return tirx.Ramp(self.value(base), imm(stride), imm(v.lanes))
            case "load", memory, place:
                return tirx.BufferLoad(self.buffers[memory], [self.value(place)])
            case "not", a:
                return tirx.Not(self.value(a))
            case "select", condition, a, b:
                return tirx.Select(*map(self.value, (condition, a, b)))
            case "cast", a if self.type(a.dtype) != a.dtype:
                return self.converted(widened, a, a.dtype)
            case "cast", a if self.type(v.dtype) != v.dtype:
                return self.converted(narrowed, a, v.dtype)
            case "cast", a:
                return tirx.Cast(kind, self.value(a))
            case "reinterpret", a:
                return tirx.reinterpret(kind, self.value(a))
            case "shuffle", values, places:
                return tirx.Shuffle([self.value(a) for a in values], [imm(p) for p in places])
        return self.call(v, kind)

    def converted(self, convert: Callable[[Keep, Value, str], Value], a: Value, dtype: str) -> Any:
        """Write a conversion from or to floats of 16 bits; what it needs twice has a name within the expression."""
        named: list[tuple[Any, Any]] = []

        def keep(value: Value) -> Value:
            variable = Variable(f"h{len(self.variables)}")
            written = self.value(value)
            self.variables[variable] = tirx.Var(variable.name, _typed(self.type(value.dtype), value.lanes))
            named.append((self.variables[variable], written))
            return Value("variable", (variable,), self.type(value.dtype), value.lanes)

        found = self.value(convert(keep, keep(a), dtype))
        for variable, written in reversed(named):
            found = tirx.Let(variable, written, found)
        return found

    def call(self, v: Value, kind: str) -> Any:
        name, operands = v.parts
        written = [self.value(a) for a in operands]
        match v.op:
            case "intrinsic":
                return getattr(tirx, name)(*written)
            case "llvm":
                return tirx.call_llvm_pure_intrin(kind, name, *written)
            case "extern":
                return tirx.call_pure_extern(kind, name, *written)
        raise AssertionError(v.op)


def _number(tile: Value | Memory) -> int:
    assert isinstance(tile, Value)
    assert isinstance(tile.known, int)
    return tile.known


def _sequence(statements: list[Any]) -> Any:
    if not statements:
        return tirx.Evaluate(imm(0))
    return statements[0] if len(statements) == 1 else tirx.SeqStmt(statements)

"""From loops to C99.

Integers wrap where the graph's arithmetic does, so sums and products of data go through functions that are defined for
every operand (``gw_add32`` and so on, in ``gw.h``); indices, which never leave an array, are plain C.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..loops.code import (
    INDEX,
    Body,
    For,
    Function,
    If,
    Let,
    Local,
    Memory,
    Run,
    Statement,
    Store,
    Value,
    Variable,
    const,
)
from ..loops.fold import Ranges, same
from ..loops.halves import bits_of
from ..loops.walk import parts, values
from ..loops.widths import HALVES, WIDTHS, is_float, limits
from .vectors import Vectors, type_of

TYPES: Mapping[str, str] = {
    "bool": "int", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "float64": "double",
    "float16": "uint16_t", "bfloat16": "uint16_t",
}  # fmt: skip
"""C types of values."""
STORED: Mapping[str, str] = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "gw_i16", "uint16": "gw_u16", "int32": "gw_i32", "uint32": "gw_u32",
    "int64": "gw_i64", "uint64": "gw_u64", "float32": "gw_f32", "float64": "gw_f64", "float16": "gw_u16",
    "bfloat16": "gw_u16",
}  # fmt: skip
"""C types of what stands in the arena, where memory holds one type after the other."""
WRAPPING = {"add", "sub", "mul", "shl"}
ATOM, UNARY, PRODUCT, SUM, SHIFT, RELATION, BITS, LOGIC, CHOICE = range(9, 0, -1)
"""How strongly operations bind. Where few know by heart which one binds more, parentheses say it."""
OPERATORS: Mapping[str, tuple[str, int, int, int]] = {
    "add": ("+", SUM, SUM, PRODUCT), "sub": ("-", SUM, SUM, PRODUCT), "mul": ("*", PRODUCT, PRODUCT, UNARY),
    "div": ("/", PRODUCT, UNARY, UNARY), "mod": ("%", PRODUCT, UNARY, UNARY), "shl": ("<<", SHIFT, UNARY, UNARY),
    "bitand": ("&", BITS, UNARY, UNARY), "bitor": ("|", BITS, UNARY, UNARY), "bitxor": ("^", BITS, UNARY, UNARY),
    "and": ("&&", LOGIC, RELATION, RELATION), "or": ("||", LOGIC, RELATION, RELATION),
    "lt": ("<", RELATION, SUM, SUM), "le": ("<=", RELATION, SUM, SUM), "gt": (">", RELATION, SUM, SUM),
    "ge": (">=", RELATION, SUM, SUM), "eq": ("==", RELATION, SUM, SUM), "ne": ("!=", RELATION, SUM, SUM),
}  # fmt: skip
"""What C writes for an operation of two values, how strongly that binds, and how strongly its operands have to."""
PER_LINE = 120
NARROW = ("int8", "uint8", "int16", "uint16")
SUFFIX = {"int32": "32", "int64": "64", "float32": "f", "float64": "d"}


@dataclass(frozen=True)
class Pointer:
    """What a parameter of a kernel is: ``constant`` ones point to arrays of their own type in flash."""

    constant: bool
    written: bool


def kernel(function: Function, pointers: Sequence[Pointer], name: str, *, shared: bool) -> str:
    """Write a kernel as a function of C; ``pointers`` say what its pointers are, in order. What layers share is not
    written into each of them.
    """
    return _Writer(function, pointers).text(f"{'GW_LAYER' if shared else 'static'} void {name}")


class _Writer:
    """One kernel being written."""

    def __init__(self, function: Function, pointers: Sequence[Pointer]) -> None:
        self.function, self.pointers = function, pointers
        self.plain: dict[int, bool] = {}
        self.indices: set[Variable] = set()
        self.vectors = Vectors(function, self.value)
        self.ranges = Ranges()
        self.lines: list[str] = []
        self.depth = 1

    def text(self, begin: str) -> str:
        """Give the kernel as a function of C; ``begin``: what stands before its parameters."""
        self.body(self.function.body)
        return "\n".join([f"{self.head(begin)}", "{", *self.lines, "}"])

    def head(self, begin: str) -> str:
        """Give its first line."""
        parts, kinds = [], iter(self.pointers)
        for p in self.function.parameters:
            if p.memory is None:
                parts.append(f"int32_t {p.variable.name}")
                continue
            kind = next(kinds)
            stored = TYPES[p.memory.dtype] if kind.constant else STORED[p.memory.dtype]
            alone = "restrict " if kind.constant else ""  # nothing writes to flash: what was read stays so
            parts.append(f"{'' if kind.written else 'const '}{stored} *{alone}{p.memory.name}")
        return "\n".join(wrapped(f"{begin}(", parts, ")"))

    # Statements

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def body(self, statements: Body) -> None:
        """Write statements; a variable is declared where it is first written, if that is in the same block."""
        begun: set[int] = set()
        for place, s in enumerate(statements):
            match s:
                case Let():
                    self.ranges.note(s)
                    if self.indexes(s.value):
                        self.indices.add(s.variable)
                    kind = TYPES[s.value.dtype] if s.value.lanes == 1 else type_of(s.value)
                    self.line(f"const {kind} {s.variable.name} = {self.whole(s.value)};")
                case Local():
                    begun |= self.local(s.memory, statements[place + 1 :])
                case Store() if id(s) in begun:
                    self.beginning(s, statements[place : place + (s.memory.size or 0)])
                case Store() if s.value.lanes > 1:
                    self.line(self.vectors.store(s))
                case Store():
                    self.line(f"{self.place(s.memory, s.place)} = {self.stored(s)};")
                case For():
                    self.ranges.note(s)
                    self.loop(s)
                case If() if place and _otherwise(statements[place - 1], s):
                    self.lines.pop()
                    self.block("} else", s.body)
                case If():
                    self.block(f"if ({self.value(s.condition)})", s.body)
                case Run():
                    operands = (o.name if isinstance(o, Memory) else self.value(o) for o in s.operands)
                    self.line(f"{s.name}({', '.join(operands)});")

    def beginning(self, s: Store, every: Body) -> None:
        """Declare a variable with what is stored in it: ``every`` store from this one on, if this is the first."""
        kind, name, size = TYPES[s.memory.dtype], s.memory.name, s.memory.size
        if size == 1:
            self.line(f"{kind} {name} = {self.stored(s)};")
        elif s.place.known == 0:
            numbers = ", ".join(self.stored(e) for e in every if isinstance(e, Store))
            self.line(f"{kind} {name}[{size}] = {{{numbers}}};")

    def local(self, memory: Memory, after: Body) -> set[int]:
        """Declare a variable, unless it begins with stores among what follows in its block: give those."""
        if memory in self.vectors.locals:
            self.line(f"gw_v4 {memory.name};")
            return set()
        stores = _begins(memory, after)
        if not stores:
            size = "" if memory.size == 1 else f"[{memory.size}]"
            self.line(f"{TYPES[memory.dtype]} {memory.name}{size};")
        return set(map(id, stores))

    def block(self, head: str, body: Body) -> None:
        self.line(f"{head} {{")
        self.depth += 1
        self.body(body)
        self.depth -= 1
        self.line("}")

    def loop(self, s: For) -> None:
        i = s.variable.name
        end = s.extent if s.begin.known == 0 else s.begin + s.extent
        self.block(f"for (int32_t {i} = {self.value(s.begin)}; {i} < {self.part(end, RELATION)}; {i}++)", s.body)

    def stored(self, s: Store) -> str:
        """Write what is stored; a narrower type is said, a wider one is not."""
        v = s.value
        return self.whole(v) if v.op == "cast" and _widens(v) else self.value(v)

    def place(self, memory: Memory, at: Value) -> str:
        if memory.size == 1:
            return memory.name
        return f"{memory.name}[{self.value(at)}]"

    # Values

    def wraps(self, v: Value) -> bool:
        """Whether a sum, a product or a shift may leave its type, as far as anybody knows."""
        return not self.indexes(v) and (v.op == "shl" or not self.ranges.exact(v))

    def indexes(self, v: Value) -> bool:
        """Whether a value is made of indices and constants only."""
        found = self.plain.get(id(v))
        if found is None:
            match v.op:
                case "const":
                    found = v.dtype == INDEX
                case "variable":
                    found = not v.parts[0].kept or v.parts[0] in self.indices
                case "add" | "sub" | "mul" | "div" | "mod" | "min" | "max":
                    found = all(map(self.indexes, v.parts))
                case _:
                    found = False
            self.plain[id(v)] = found
        return found

    def whole(self, v: Value) -> str:
        """Write an expression that C itself converts to the type of what it is assigned to, or passed as."""
        return self.value(v.parts[0] if v.op == "cast" and v.lanes == 1 and _widens(v) else v)

    def value(self, v: Value) -> str:
        """Write an expression."""
        return self.written(v)[0]

    def part(self, v: Value, binds: int) -> str:
        """Write an expression as an operand of an operation; in parentheses where it binds less than that."""
        text, own = self.written(v)
        return text if own >= binds else f"({text})"

    def written(self, v: Value) -> tuple[str, int]:  # noqa: C901 - a table
        """Write an expression, and say how strongly it binds."""
        if v.lanes > 1:
            return self.vectors.value(v), ATOM
        match v.op, *v.parts:
            case ("const",):
                assert v.known is not None
                text = literal(v.known, v.dtype)
                return text, UNARY if text.startswith("-") else ATOM
            case "variable", Variable() as variable:
                return variable.name, ATOM
            case "load", memory, at:
                return self.place(memory, at), ATOM
            case "not", a:
                return f"!{self.part(a, ATOM)}", UNARY
            case "select", condition, a, b:
                return f"{self.part(condition, RELATION)} ? {self.part(a, SUM)} : {self.part(b, SUM)}", CHOICE
            case "cast", a if v.dtype in HALVES or a.dtype in HALVES:
                return self.call(f"gw_{v.dtype}_of_{a.dtype}", a), ATOM
            case "cast", a:
                while a.op == "cast" and _narrows(v, a):
                    (a,) = a.parts
                if a.dtype in NARROW and v.dtype == INDEX:  # C does so by itself
                    return self.written(a)
                if a.dtype[0] == "f" and v.dtype in SUFFIX and v.dtype[0] == "i":
                    return self.call(f"gw_whole{SUFFIX[v.dtype]}{SUFFIX[a.dtype]}", a), ATOM
                return f"({TYPES[v.dtype]}){self.part(a, UNARY)}", UNARY
            case "reinterpret", a:
                return f"gw_{v.dtype}_of_{a.dtype}({self.value(a)})", ATOM
            case "min", a, b if (name := _saturation(a, b)) is not None:
                return f"{name}({self.value(b.parts[1])})", ATOM
            case ("min" | "max") as op, a, b:
                return self.call(f"gw_{op}{SUFFIX[v.dtype]}", a, b), ATOM
            case "intrinsic", name, (a,):
                return self.call(f"gw_{name}{SUFFIX[a.dtype]}", a), ATOM
            case "extern", name, operands:
                return self.call(name, *operands), ATOM
            case op, a, b if op in WRAPPING and v.dtype in ("int32", "int64") and self.wraps(v):
                return self.call(f"gw_{op}{SUFFIX[v.dtype]}", a, b), ATOM
            case "add", _, _ if v.dtype == INDEX:
                return self.sum(_addends(v))
            case "shr", a, b:
                return f"{self.part(a, UNARY)} >> {b.known if b.known is not None else self.part(b, UNARY)}", SHIFT
            case "add", a, Value(known=int(c)) if -limits(v.dtype)[1] <= c < 0:
                return f"{self.part(a, SUM)} - {literal(-c, v.dtype)}", SUM
            case ("and" | "or") as op, a, b if a.op == op:
                return f"{self.value(a)} {OPERATORS[op][0]} {self.part(b, RELATION)}", LOGIC
            case op, a, b if op in OPERATORS:
                sign, own, left, right = OPERATORS[op]
                return f"{self.part(a, left)} {sign} {self.part(b, right)}", own
        raise AssertionError(v.op)

    def sum(self, addends: Sequence[Value]) -> tuple[str, int]:
        """Write a sum of indices, the last of which may be a constant."""
        *others, last = addends
        if not others:
            return self.written(last)
        sign = "-" if isinstance(last.known, int) and last.known < 0 else "+"
        final = str(abs(int(last.known))) if last.known is not None else self.part(last, SUM)
        return f"{' + '.join(self.part(a, SUM) for a in others)} {sign} {final}", SUM

    def call(self, name: str, *operands: Value) -> str:
        """Write a call."""
        return f"{name}({', '.join(map(self.whole, operands))})"


def _begins(memory: Memory, statements: Body) -> Sequence[Store]:
    """Find the stores of a block with which a variable begins: all of it, before anything else speaks of it."""
    for place, s in enumerate(statements):
        if isinstance(s, Store) and s.memory is memory:
            first = [x for x in statements[place : place + (memory.size or 0)] if isinstance(x, Store)]
            every = [x.place.known for x in first if x.memory is memory] == list(range(memory.size or 0))
            return first if every and not any(memory in _memories(x.value) for x in first) else ()
        if isinstance(s, For | If) or (isinstance(s, Run) and memory in s.operands):
            return ()
        if any(memory in _memories(v) for v in values(s)):
            return ()
    return ()


def _otherwise(before: Statement, s: If) -> bool:
    """Whether something is done exactly where what stands before it is not."""
    if not isinstance(before, If) or s.condition.op != "not" or _memories(s.condition):
        return False
    return same(before.condition, s.condition.parts[0])


def _memories(v: Value) -> set[Memory]:
    found = {p for p in parts(v) if isinstance(p, Memory)}
    return found.union(*(_memories(p) for p in parts(v) if isinstance(p, Value)))


def _addends(v: Value) -> list[Value]:
    """Give what an index is the sum of: the longest strides first, constants last, as one."""
    found = _summed(v)
    constants = sum(int(a.known) for a in found if a.known is not None)
    others = sorted((a for a in found if a.known is None), key=lambda a: (-_stride(a), not _kept(a)))
    return [*others, const(constants)] if constants or not others else others


def _summed(v: Value) -> list[Value]:
    return [a for part in v.parts for a in _summed(part)] if v.op == "add" and v.dtype == INDEX else [v]


def _stride(v: Value) -> int:
    return int(v.parts[1].known or 1) * _stride(v.parts[0]) if v.op == "mul" else 1


def _kept(v: Value) -> bool:
    return v.op == "variable" and bool(v.parts[0].kept)


def _widens(v: Value) -> bool:
    """Whether a cast is one from an integer type to another that holds all of its numbers."""
    a, b = v.parts[0].dtype, v.dtype
    if is_float(a) or is_float(b) or "bool" in (a, b):
        return False
    unsigned = a.startswith("uint"), b.startswith("uint")
    return WIDTHS[a] < WIDTHS[b] and (unsigned[0] or not unsigned[1])


def _narrows(v: Value, inner: Value) -> bool:
    """Whether a cast drops what the cast inside of it may have changed."""
    kinds = v.dtype, inner.dtype, inner.parts[0].dtype
    return all("int" in k for k in kinds) and WIDTHS[kinds[0]] <= WIDTHS[kinds[1]] <= WIDTHS[kinds[2]]


def _saturation(most: Value, v: Value) -> str | None:
    """Name the function that saturates, where a value is brought between the bounds of a type."""
    if v.op != "max" or v.dtype != "int32":
        return None
    names = {(-128, 127): "gw_ssat8", (0, 255): "gw_usat8", (-32768, 32767): "gw_ssat16"}
    low, high = v.parts[0].known, most.known
    return None if low is None or high is None else names.get((int(low), int(high)))


def wrapped(begin: str, parts: Sequence[str], end: str, width: int = PER_LINE) -> list[str]:
    """Write a list of things in as many lines as it needs."""
    lines = [begin]
    for k, part in enumerate(parts):
        text = part + (", " if k + 1 < len(parts) else end)
        if len(lines[-1]) + len(text.rstrip()) > width and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append("    ")
        lines[-1] += text
    return lines if parts else [begin + end]


def literal(number: int | float, dtype: str) -> str:
    """Write a constant so that C reads exactly this one."""
    if dtype == "bool":
        return str(int(number))
    if dtype in HALVES:
        return f"{bits_of(np.array(number), dtype).item()}u"
    if is_float(dtype):
        return _real(float(number), dtype)
    whole = int(number)
    if dtype == "int64":
        return "INT64_MIN" if whole == -(1 << 63) else _signed(f"INT64_C({abs(whole)})", whole)
    if dtype == "int32" and whole == -(1 << 31):
        return "INT32_MIN"
    return _signed(str(abs(whole)) + ("u" if dtype.startswith("uint") else ""), whole)


def _signed(text: str, number: int) -> str:
    return f"-{text}" if number < 0 else text


def _real(number: float, dtype: str) -> str:
    if number != number or number in (float("inf"), float("-inf")):
        word = "GW_NAN" if number != number else "GW_INFINITY" if number > 0 else "-GW_INFINITY"
        return word if dtype == "float32" else f"(double){word}"
    return f"{np.float32(number)!s}f" if dtype == "float32" else repr(number)

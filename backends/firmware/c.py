"""From loops to C99.

Integers wrap where the graph's arithmetic does, so sums and products of data go through functions that are defined for
every operand (``gw_add32`` and so on, in ``gw.h``); indices, which never leave an array, are plain C.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..loops.code import INDEX, Body, For, Function, If, Let, Local, Memory, Run, Store, Value, Variable

TYPES: Mapping[str, str] = {
    "bool": "int", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "float64": "double",
}  # fmt: skip
"""C types of values."""
STORED: Mapping[str, str] = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "gw_i16", "uint16": "gw_u16", "int32": "gw_i32", "uint32": "gw_u32",
    "int64": "gw_i64", "uint64": "gw_u64", "float32": "gw_f32", "float64": "gw_f64",
}  # fmt: skip
"""C types of what stands in the arena, where memory holds one type after the other."""
WRAPPING = {"add", "sub", "mul", "shl"}
OPERATORS: Mapping[str, str] = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "shl": "<<", "shr": ">>", "bitand": "&", "bitor": "|",
    "bitxor": "^", "and": "&&", "or": "||", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
SUFFIX = {"int32": "32", "int64": "64", "float32": "f", "float64": "d"}


@dataclass(frozen=True)
class Pointer:
    """What a parameter of a kernel is: ``constant`` ones point to arrays of their own type in flash."""

    constant: bool
    written: bool


def kernel(function: Function, pointers: Sequence[Pointer], name: str) -> str:
    """Write a kernel as a function of C; ``pointers`` say what its pointers are, in order."""
    return _Writer(function, pointers).text(name)


class _Writer:
    """One kernel being written."""

    def __init__(self, function: Function, pointers: Sequence[Pointer]) -> None:
        self.function, self.pointers = function, pointers
        self.plain: dict[int, bool] = {}
        self.lines: list[str] = []
        self.depth = 1

    def text(self, name: str) -> str:
        """Give the kernel as a function of C."""
        self.body(self.function.body)
        return "\n".join([f"{self.head(name)}", "{", *self.lines, "}"])

    def head(self, name: str) -> str:
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
        return f"static void {name}({', '.join(parts)})"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def body(self, statements: Body) -> None:
        for s in statements:
            match s:
                case Let():
                    self.line(f"const {TYPES[s.value.dtype]} {s.variable.name} = {self.value(s.value)};")
                case Local():
                    size = "" if s.memory.size == 1 else f"[{s.memory.size}]"
                    self.line(f"{TYPES[s.memory.dtype]} {s.memory.name}{size};")
                case Store():
                    self.line(f"{self.place(s.memory, s.place)} = {self.stored(s)};")
                case For():
                    self.loop(s)
                case If():
                    self.block(f"if ({self.value(s.condition)})", s.body)
                case Run():
                    operands = (o.name if isinstance(o, Memory) else self.value(o) for o in s.operands)
                    self.line(f"{s.name}({', '.join(operands)});")

    def block(self, head: str, body: Body) -> None:
        self.line(f"{head} {{")
        self.depth += 1
        self.body(body)
        self.depth -= 1
        self.line("}")

    def loop(self, s: For) -> None:
        i = s.variable.name
        end = s.extent if s.begin.known == 0 else s.begin + s.extent
        self.block(f"for (int32_t {i} = {self.value(s.begin)}; {i} < {self.value(end)}; {i}++)", s.body)

    def stored(self, s: Store) -> str:
        return self.value(s.value)

    def place(self, memory: Memory, at: Value) -> str:
        if memory.size == 1:
            return memory.name
        return f"{memory.name}[{self.value(at, top=True)}]"

    def indexes(self, v: Value) -> bool:
        """Whether a value is made of indices and constants only."""
        found = self.plain.get(id(v))
        if found is None:
            match v.op:
                case "const":
                    found = v.dtype == INDEX
                case "variable":
                    found = not v.parts[0].kept
                case "add" | "sub" | "mul" | "div" | "mod" | "min" | "max":
                    found = all(map(self.indexes, v.parts))
                case _:
                    found = False
            self.plain[id(v)] = found
        return found

    def value(self, v: Value, *, top: bool = True) -> str:
        """Write an expression; in parentheses where it is part of another one."""
        assert v.lanes == 1, v.op
        text = self.written(v)
        return text if top or _atomic(v) or (text.endswith(")") and _is_call(text)) else f"({text})"

    def part(self, v: Value) -> str:
        return self.value(v, top=False)

    def written(self, v: Value) -> str:  # noqa: C901 - a table
        match v.op, *v.parts:
            case ("const",):
                assert v.known is not None
                return literal(v.known, v.dtype)
            case "variable", Variable() as variable:
                return variable.name
            case "load", memory, at:
                return self.place(memory, at)
            case "not", a:
                return f"!{self.part(a)}"
            case "select", condition, a, b:
                return f"{self.part(condition)} ? {self.part(a)} : {self.part(b)}"
            case "cast", a:
                return f"({TYPES[v.dtype]}){self.part(a)}"
            case "reinterpret", a:
                return f"gw_{v.dtype}_of_{a.dtype}({self.value(a)})"
            case "min", a, b if (name := _saturation(a, b)) is not None:
                return f"{name}({self.value(b.parts[1])})"
            case ("min" | "max") as op, a, b:
                return f"gw_{op}{SUFFIX[v.dtype]}({self.value(a)}, {self.value(b)})"
            case "intrinsic", name, (a,):
                return f"gw_{name}{SUFFIX[a.dtype]}({self.value(a)})"
            case "extern", name, operands:
                return f"{name}({', '.join(map(self.value, operands))})"
            case op, a, b if op in WRAPPING and v.dtype in ("int32", "int64") and not self.indexes(v):
                return f"gw_{op}{SUFFIX[v.dtype]}({self.value(a)}, {self.value(b)})"
            case op, a, b if op in OPERATORS:
                return f"{self.part(a)} {OPERATORS[op]} {self.part(b)}"
        raise AssertionError(v.op)


def _saturation(most: Value, v: Value) -> str | None:
    """Name the function that saturates, where a value is brought between the bounds of a type."""
    if v.op != "max" or v.dtype != "int32":
        return None
    names = {(-128, 127): "gw_ssat8", (0, 255): "gw_usat8", (-32768, 32767): "gw_ssat16"}
    low, high = v.parts[0].known, most.known
    return None if low is None or high is None else names.get((int(low), int(high)))


def _atomic(v: Value) -> bool:
    return v.op in ("const", "variable", "load", "min", "max", "extern", "intrinsic", "reinterpret")


def _is_call(text: str) -> bool:
    return text.startswith("gw_") and text.find("(") > 0 and _closes(text) == len(text) - 1


def _closes(text: str) -> int:
    """Find where the first parenthesis is closed."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return i
    return -1


def literal(number: int | float, dtype: str) -> str:
    """Write a constant so that C reads exactly this one."""
    if dtype == "bool":
        return str(int(number))
    if dtype[0] == "f":
        return _real(float(number), dtype)
    whole = int(number)
    if dtype == "int64":
        return "INT64_MIN" if whole == -(1 << 63) else _signed(f"INT64_C({abs(whole)})", whole)
    if dtype == "int32" and whole == -(1 << 31):
        return "INT32_MIN"
    return _signed(str(abs(whole)) + ("u" if dtype.startswith("uint") else ""), whole)


def _signed(text: str, number: int) -> str:
    return f"(-{text})" if number < 0 else text


def _real(number: float, dtype: str) -> str:
    if number != number or number in (float("inf"), float("-inf")):
        word = "GW_NAN" if number != number else "GW_INFINITY" if number > 0 else "(-GW_INFINITY)"
        return word if dtype == "float32" else f"(double){word}"
    text = f"{number:.9e}" if dtype == "float32" else f"{number:.17e}"
    return _signed(text.lstrip("-") + ("f" if dtype == "float32" else ""), -1 if text.startswith("-") else 1)

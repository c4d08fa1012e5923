"""Kernels as loops over arrays: what every back end for processors and graphics processors writes, and what each of
them turns into its own form (TVM's TIR, C).

A ``Value`` is an expression with its type (and its constant, where it is one); arithmetic on values folds constants, so
that indices stay short. ``Code`` collects statements: loops and conditions are ``with`` blocks. Vectors are explicit:
nothing is left to a vectoriser.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np

from ...graph.formats import FLOATS
from .widths import HALVES, WIDTHS, is_float, limits

INDEX = "int32"


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """An expression of ``dtype`` with ``lanes`` elements; ``known`` is its number where it is a constant.

    ``op`` with its ``parts`` (values, and what else the operation is told): const; variable (a ``Variable``);
    broadcast; ramp (base, stride); add, sub, mul, div (integers: toward zero), mod, min, max; shl, shr; bitand, bitor,
    bitxor; and, or, not; lt, le, gt, ge, eq, ne; select; cast, reinterpret; shuffle (values, places); load (memory,
    place); intrinsic, llvm, extern (name, values).
    """

    op: str
    parts: tuple[Any, ...]
    dtype: str
    lanes: int = 1
    known: int | float | None = None

    def __add__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        if b.known == 0:
            return a
        if a.known == 0:
            return b
        return _folded("add", a, b, lambda x, y: x + y)

    def __radd__(self, other: "Number") -> "Value":
        return self + other

    def __sub__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else _folded("sub", a, b, lambda x, y: x - y)

    def __rsub__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return b - a

    def __mul__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        if b.known == 1:
            return a
        if a.known == 1:
            return b
        if 0 in (a.known, b.known) and not is_float(a.dtype):
            return const(0, a.dtype, a.lanes)
        return _folded("mul", a, b, lambda x, y: x * y)

    def __rmul__(self, other: "Number") -> "Value":
        return self * other

    def __neg__(self) -> "Value":
        return const(0, self.dtype, self.lanes) - self

    def __truediv__(self, other: "Number") -> "Value":
        """Divide floats."""
        a, b = pair(self, other)
        return _made("div", a, b)

    def __floordiv__(self, other: "Number") -> "Value":
        """Divide integers of which neither is negative (what indices are)."""
        a, b = pair(self, other)
        return a if b.known == 1 else _folded("div", a, b, lambda x, y: x // y)

    def __mod__(self, other: "Number") -> "Value":
        """Give the rest of integers of which neither is negative."""
        a, b = pair(self, other)
        if b.known == 1:
            return const(0, a.dtype, a.lanes)
        return _folded("mod", a, b, lambda x, y: x % y)

    def __rshift__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else _made("shr", a, b)

    def __lshift__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else _made("shl", a, b)

    def __and__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return _made("and" if a.dtype == "bool" else "bitand", a, b)

    def __or__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return _made("or" if a.dtype == "bool" else "bitor", a, b)

    def __xor__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return _made("bitxor", a, b)

    def __invert__(self) -> "Value":
        return Value("not", (self,), "bool", self.lanes)

    def __lt__(self, other: "Number") -> "Value":
        return _compare("lt", self, other)

    def __le__(self, other: "Number") -> "Value":
        return _compare("le", self, other)

    def __gt__(self, other: "Number") -> "Value":
        return _compare("gt", self, other)

    def __ge__(self, other: "Number") -> "Value":
        return _compare("ge", self, other)

    def equals(self, other: "Number") -> "Value":
        """Say whether both are the same number (``==`` compares Python objects)."""
        return _compare("eq", self, other)

    def differs(self, other: "Number") -> "Value":
        """Say whether the two are different numbers."""
        return _compare("ne", self, other)


@dataclass(frozen=True, eq=False, slots=True)
class Lanes:
    """An index that differs by lane: ``base + stride * lane``."""

    base: Value
    lanes: int
    stride: int = 1

    def __add__(self, other: "Number") -> "Lanes":
        return Lanes(self.base + other, self.lanes, self.stride)

    def __radd__(self, other: "Number") -> "Lanes":
        return self + other

    def __sub__(self, other: "Number") -> "Lanes":
        return Lanes(self.base - other, self.lanes, self.stride)

    def __mul__(self, factor: int) -> "Lanes":
        return Lanes(self.base * factor, self.lanes, self.stride * factor)

    def __rmul__(self, factor: int) -> "Lanes":
        return self * factor


Number: TypeAlias = Value | int | float
Index: TypeAlias = Value | Lanes


def lanes_from(begin: Value, width: int) -> Index:
    """Give the index of ``width`` elements from ``begin`` on."""
    return Lanes(begin, width) if width > 1 else begin


@cache
def const(number: int | float, dtype: str = INDEX, lanes: int = 1) -> Value:
    """Give a constant."""
    return Value("const", (), dtype, lanes, float(number) if is_float(dtype) else int(number))


def index(number: int) -> Value:
    """Give a constant index."""
    return const(number, INDEX)


def pair(a: Number, b: Number) -> tuple[Value, Value]:
    """Bring a number to the type of the value beside it, and a scalar to its lanes."""
    if not isinstance(a, Value):
        assert isinstance(b, Value)
        return const(a, b.dtype, b.lanes), b
    if not isinstance(b, Value):
        return a, const(b, a.dtype, a.lanes)
    assert a.dtype == b.dtype, (a, b)
    lanes = max(a.lanes, b.lanes)
    return spread(a, lanes), spread(b, lanes)


def spread(value: Value, lanes: int) -> Value:
    """Repeat a scalar in every lane."""
    if value.lanes == lanes:
        return value
    assert value.lanes == 1, (value.lanes, lanes)
    if value.known is not None:
        return const(value.known, value.dtype, lanes)
    return Value("broadcast", (value,), value.dtype, lanes)


def _made(op: str, a: Value, b: Value) -> Value:
    return Value(op, (a, b), a.dtype, a.lanes)


def _folded(op: str, a: Value, b: Value, fold: Any) -> Value:
    if isinstance(a.known, int) and isinstance(b.known, int) and not is_float(a.dtype):
        return const(wrapped(fold(a.known, b.known), a.dtype), a.dtype, a.lanes)
    return _made(op, a, b)


def wrapped(number: int, dtype: str) -> int:
    """Give the integer of a signed type that is equal modulo its range."""
    half = 1 << (WIDTHS[dtype] - 1)
    return (number + half) % (2 * half) - half


def _compare(op: str, a: Value, b: Number) -> Value:
    x, y = pair(a, b)
    return Value(op, (x, y), "bool", x.lanes)


def maximum(a: Number, b: Number) -> Value:
    """The greater of two; what is no number stays so beside a constant."""
    return _folded("max", *_constant_first(a, b), max)


def minimum(a: Number, b: Number) -> Value:
    """The lesser of two; what is no number stays so beside a constant."""
    return _folded("min", *_constant_first(a, b), min)


def _constant_first(a: Number, b: Number) -> tuple[Value, Value]:
    """Bring two operands in the order in which a comparison with NaN leaves the second one."""
    x, y = pair(a, b)
    return (x, y) if y.known is None else (y, x)


def clip(value: Value, low: Number | None, high: Number | None) -> Value:
    """Bring a value between two bounds, either of which may be missing. Integers that none of its type is beyond do
    nothing.
    """
    least, most = (None, None) if is_float(value.dtype) else limits(value.dtype)
    value = value if low is None or _beyond(least, low) else maximum(value, low)
    return value if high is None or _beyond(high, most) else minimum(value, high)


def _beyond(a: Number | None, b: Number | None) -> bool:
    """Whether the first of two integers is the greater one."""
    return isinstance(a, int) and isinstance(b, int) and a > b


def select(condition: Value, a: Number, b: Number) -> Value:
    """``a`` where the condition holds, else ``b``; both are computed."""
    x, y = pair(a, b)
    lanes = max(condition.lanes, x.lanes)
    condition, x, y = (spread(v, lanes) for v in (condition, x, y))
    return Value("select", (condition, x, y), x.dtype, lanes)


def cast(value: Value, dtype: str) -> Value:
    """Convert numbers; to floats of 16 bits from float32, and from them to it."""
    if value.dtype == dtype:
        return value
    if value.known is not None:
        known = FLOATS[dtype].rounded(np.array(value.known)).item() if dtype in HALVES else value.known
        return const(known, dtype, value.lanes)
    return Value("cast", (value,), dtype, value.lanes)


def reinterpret(value: Value, dtype: str) -> Value:
    """Take the bits as those of another type; lanes follow from the width."""
    lanes = value.lanes * WIDTHS[value.dtype] // WIDTHS[dtype]
    return Value("reinterpret", (value,), dtype, lanes)


def shuffle(values: Sequence[Value], places: Sequence[int]) -> Value:
    """Pick elements of the vectors put one behind the other."""
    return Value("shuffle", (tuple(values), tuple(places)), values[0].dtype, len(places))


def intrinsic(name: str, value: Value) -> Value:
    """Apply an operation of processors to floats: ``sqrt``, ``floor``, ``ceil``, ``trunc``, ``nearbyint``, ``abs``."""
    return Value("intrinsic", (name, (value,)), value.dtype, value.lanes)


def quotient(a: Value, b: Value) -> Value:
    """Divide integers, toward zero."""
    return _made("div", a, b)


def llvm(name: str, dtype: str, lanes: int, *operands: Value) -> Value:
    """Call an LLVM intrinsic without side effects."""
    return Value("llvm", (name, operands), dtype, lanes)


def fma(a: Value, b: Value, c: Value) -> Value:
    """A * b + c of float32, rounded once; for machines that fuse it."""
    name = f"llvm.fma.v{a.lanes}f32" if a.lanes > 1 else "llvm.fma.f32"
    return llvm(name, "float32", a.lanes, a, b, c)


def extern(name: str, value: Value, *more: Value) -> Value:
    """Call a function of the C library on scalars."""
    return Value("extern", (name, (value, *more)), value.dtype)


@dataclass(frozen=True, eq=False, slots=True)
class Variable:
    """A name for one value: a loop's index, a number that a function is given, what was computed once (``kept``)."""

    name: str
    kept: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Memory:
    """Elements of ``dtype``: ``size`` of them on the stack, or (None) those that a pointer leads to.

    ``shared``: all threads of a block see them.
    """

    name: str
    dtype: str
    size: int | None = None
    shared: bool = False

    def load(self, at: Index | int, lanes: int = 1) -> Value:
        """Read one element, ``lanes`` in a row from a scalar index, or those of an index that differs by lane."""
        return self.gather(_place(at, lanes))

    def gather(self, places: Value) -> Value:
        """Read the elements that a vector of indices names."""
        return Value("load", (self, places), self.dtype, places.lanes)


def _place(at: Index | int, lanes: int) -> Value:
    if isinstance(at, int):
        at = index(at)
    if isinstance(at, Lanes):
        return Value("ramp", (at.base, at.stride), INDEX, at.lanes)
    return at if lanes == 1 else Value("ramp", (at, 1), INDEX, lanes)


@dataclass(frozen=True, eq=False, slots=True)
class Let:
    """Compute a value once and give it a name."""

    variable: Variable
    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class Local:
    """Make room, on the stack or (shared) for all threads of a block."""

    memory: Memory


@dataclass(frozen=True, eq=False, slots=True)
class Store:
    """Write one element or, at a ramp, a vector."""

    memory: Memory
    place: Value
    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class For:
    """Repeat for indices from ``begin``, ``extent`` times; ``unrolled``: the compiler is to write the turns out."""

    variable: Variable
    begin: Value
    extent: Value
    body: "Body"
    unrolled: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class If:
    """Do something where a scalar condition holds."""

    condition: Value
    body: "Body"


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Call a function of the target for what it does; memory is passed as where it begins."""

    name: str
    operands: tuple[Value | Memory, ...] = ()


Statement: TypeAlias = Let | Local | Store | For | If | Run
Body: TypeAlias = tuple[Statement, ...]


class Code:
    """The statements of one function, in order. ``reciprocals``: whether to divide vectors by estimates of them."""

    def __init__(self) -> None:
        self.reciprocals = False
        self._blocks: list[list[Statement]] = [[]]
        self._count = 0
        self._short: dict[Variable, Value] = {}

    def add(self, statement: Statement) -> None:
        """Append a statement."""
        self._blocks[-1].append(statement)

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    @contextmanager
    def loop(self, extent: Number, begin: Number = 0, *, unrolled: bool = False) -> Iterator[Value]:
        """Repeat for indices from ``begin``, ``extent`` times; a single turn is no loop."""
        if isinstance(extent, int) and extent == 1:
            yield begin if isinstance(begin, Value) else index(int(begin))
            return
        start, count = (v if isinstance(v, Value) else index(int(v)) for v in (begin, extent))
        variable = Variable(self._name("i"))
        self._blocks.append([])
        yield Value("variable", (variable,), INDEX)
        self.add(For(variable, start, count, tuple(self._blocks.pop()), unrolled))

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do what follows where the (scalar) condition holds."""
        self._blocks.append([])
        yield
        self.add(If(condition, tuple(self._blocks.pop())))

    def let(self, value: Value) -> Value:
        """Compute a value once, here."""
        if value.known is not None or value.op == "variable" or value.dtype == "bool":
            return value
        variable = Variable(self._name("v"), kept=True)
        self.add(Let(variable, value))
        if value.op == "cast" and value.parts[0].dtype in HALVES:
            self._short[variable] = value.parts[0]
        return Value("variable", (variable,), value.dtype, value.lanes)

    def local(self, dtype: str, size: int, stem: str = "local") -> Memory:
        """Make room on the stack, 1 KiB at most: a kernel may run on a small one."""
        assert size * WIDTHS[dtype] <= 8192, (dtype, size)
        memory = Memory(self._name(stem), dtype, size)
        self.add(Local(memory))
        return memory

    def store(self, memory: Memory, at: Index | int, value: Value) -> None:
        """Write one element or a vector; the value gets the memory's type."""
        short = self._short.get(value.parts[0]) if value.op == "variable" else None
        stored = short if short is not None and short.dtype == memory.dtype else cast(value, memory.dtype)
        self.add(Store(memory, _place(at, value.lanes), stored))

    def body(self) -> Body:
        """Give everything."""
        assert len(self._blocks) == 1
        return tuple(self._blocks[0])


@dataclass(frozen=True, eq=False, slots=True)
class Parameter:
    """A pointer (or, without ``memory``, a number) that a function is given."""

    variable: Variable
    memory: Memory | None

    @staticmethod
    def pointer(name: str, dtype: str) -> "Parameter":
        """Give a pointer to elements of ``dtype``."""
        return Parameter(Variable(name), Memory(name, dtype))

    @staticmethod
    def number(name: str) -> "Parameter":
        """Give an integer of 32 bits."""
        return Parameter(Variable(name), None)

    @property
    def value(self) -> Value:
        """The number."""
        return Value("variable", (self.variable,), INDEX)


@dataclass(frozen=True, eq=False)
class Function:
    """A kernel: pointers and numbers in, nothing out."""

    parameters: tuple[Parameter, ...]
    body: Body

    @cached_property
    def written(self) -> frozenset[Memory]:
        """What it writes."""
        return frozenset(_stored(self.body))

    @cached_property
    def key(self) -> bytes:
        """Bytes that are equal where everything is, names included: those of equal kernels are, as they are counted."""
        return _Digest(self).digest()


def _stored(body: Body) -> Iterator[Memory]:
    for s in body:
        match s:
            case Store():
                yield s.memory
            case For() | If():
                yield from _stored(s.body)


class _Digest:
    """Numbers every value as it is met, and puts down what each is made of."""

    def __init__(self, function: Function) -> None:
        self.numbers: dict[int, int] = {}
        self.text = [f"{p.variable.name}:{p.memory.dtype if p.memory else INDEX}" for p in function.parameters]
        self.body(function.body)

    def digest(self) -> bytes:
        return sha256("\n".join(self.text).encode()).digest()

    def of(self, part: object) -> str:
        match part:
            case Value():
                return self.value(part)
            case Variable() | Memory():
                return part.name
            case tuple():
                return f"[{','.join(map(self.of, part))}]"
        return repr(part)

    def value(self, v: Value) -> str:
        number = self.numbers.get(id(v))
        if number is None:
            parts = " ".join(map(self.of, v.parts))
            number = self.numbers[id(v)] = len(self.numbers)
            self.text.append(f"{v.op} {parts} {v.dtype} {v.lanes} {v.known!r}")
        return f"%{number}"

    def body(self, statements: Body) -> None:
        for s in statements:
            match s:
                case Let():
                    self.text.append(f"{s.variable.name} = {self.value(s.value)}")
                case Local():
                    self.text.append(f"{s.memory.name}: {s.memory.dtype} {s.memory.size} {s.memory.shared}")
                case Store():
                    self.text.append(f"{s.memory.name}[{self.value(s.place)}] = {self.value(s.value)}")
                case For():
                    ends = f"{self.value(s.begin)} {self.value(s.extent)}"
                    self.text.append(f"for {s.variable.name} {ends} {s.unrolled}")
                    self.body(s.body)
                    self.text.append("end")
                case If():
                    self.text.append(f"if {self.value(s.condition)}")
                    self.body(s.body)
                    self.text.append("end")
                case Run():
                    self.text.append(f"{s.name}({self.of(s.operands)})")


def function(parameters: Sequence[Parameter], code: Code) -> Function:
    """Give a function of what was written."""
    return Function(tuple(parameters), code.body())

"""Programs in TVM's TIR, built statement by statement.

A ``Value`` is an expression with its type (and its constant, where it is one); arithmetic on values folds constants, so
that indices stay short. ``Code`` collects statements: loops and conditions are ``with`` blocks. Vectors are explicit:
nothing is left to a vectoriser.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from .load import tirx, tvm
from .widths import WIDTHS

INDEX = "int32"
HUGE = 1 << 28


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """An expression of ``dtype`` with ``lanes`` elements; ``known`` is its number where it is a constant.

    ``kept``: it was computed before, and only has to be read.
    """

    code: Any
    dtype: str
    lanes: int = 1
    known: int | float | None = None
    kept: bool = False

    def __add__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        if b.known == 0:
            return a
        if a.known == 0:
            return b
        return _folded(tirx.Add, a, b, lambda x, y: x + y)

    def __radd__(self, other: "Number") -> "Value":
        return self + other

    def __sub__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else _folded(tirx.Sub, a, b, lambda x, y: x - y)

    def __rsub__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return b - a

    def __mul__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        if b.known == 1:
            return a
        if a.known == 1:
            return b
        if 0 in (a.known, b.known) and a.dtype[0] != "f":
            return const(0, a.dtype, a.lanes)
        return _folded(tirx.Mul, a, b, lambda x, y: x * y)

    def __rmul__(self, other: "Number") -> "Value":
        return self * other

    def __neg__(self) -> "Value":
        return const(0, self.dtype, self.lanes) - self

    def __truediv__(self, other: "Number") -> "Value":
        """Divide floats."""
        a, b = pair(self, other)
        return Value(tirx.Div(a.code, b.code), a.dtype, a.lanes)

    def __floordiv__(self, other: "Number") -> "Value":
        """Divide integers of which neither is negative (what indices are)."""
        a, b = pair(self, other)
        return a if b.known == 1 else _folded(tirx.Div, a, b, lambda x, y: x // y)

    def __mod__(self, other: "Number") -> "Value":
        """Give the rest of integers of which neither is negative."""
        a, b = pair(self, other)
        if b.known == 1:
            return const(0, a.dtype, a.lanes)
        return _folded(tirx.Mod, a, b, lambda x, y: x % y)

    def __rshift__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else Value(tirx.shift_right(a.code, b.code), a.dtype, a.lanes)

    def __lshift__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return a if b.known == 0 else Value(tirx.shift_left(a.code, b.code), a.dtype, a.lanes)

    def __and__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        make = tirx.And if a.dtype == "bool" else tirx.bitwise_and
        return Value(make(a.code, b.code), a.dtype, a.lanes)

    def __or__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        make = tirx.Or if a.dtype == "bool" else tirx.bitwise_or
        return Value(make(a.code, b.code), a.dtype, a.lanes)

    def __xor__(self, other: "Number") -> "Value":
        a, b = pair(self, other)
        return Value(tirx.bitwise_xor(a.code, b.code), a.dtype, a.lanes)

    def __invert__(self) -> "Value":
        return Value(tirx.Not(self.code), "bool", self.lanes)

    def __lt__(self, other: "Number") -> "Value":
        return _compare(tirx.LT, self, other)

    def __le__(self, other: "Number") -> "Value":
        return _compare(tirx.LE, self, other)

    def __gt__(self, other: "Number") -> "Value":
        return _compare(tirx.GT, self, other)

    def __ge__(self, other: "Number") -> "Value":
        return _compare(tirx.GE, self, other)

    def equals(self, other: "Number") -> "Value":
        """Say whether both are the same number (``==`` compares Python objects)."""
        return _compare(tirx.EQ, self, other)

    def differs(self, other: "Number") -> "Value":
        """Say whether the two are different numbers."""
        return _compare(tirx.NE, self, other)


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
def imm(number: int, dtype: str = INDEX) -> Any:
    """Give a literal."""
    return tirx.IntImm(dtype, number)


@cache
def _scalar(number: int | float, dtype: str) -> Any:
    if dtype[0] == "f":
        return tirx.FloatImm(dtype, float(number))
    return imm(int(number), dtype)


@cache
def const(number: int | float, dtype: str = INDEX, lanes: int = 1) -> Value:
    """Give a constant."""
    scalar = _scalar(number, dtype)
    return Value(scalar if lanes == 1 else tirx.Broadcast(scalar, imm(lanes)), dtype, lanes, number)


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
    assert a.dtype == b.dtype, (a.dtype, b.dtype, a.code, b.code)
    lanes = max(a.lanes, b.lanes)
    return spread(a, lanes), spread(b, lanes)


def spread(value: Value, lanes: int) -> Value:
    """Repeat a scalar in every lane."""
    if value.lanes == lanes:
        return value
    assert value.lanes == 1, (value.lanes, lanes)
    if value.known is not None:
        return const(value.known, value.dtype, lanes)
    return Value(tirx.Broadcast(value.code, imm(lanes)), value.dtype, lanes)


def _folded(make: Any, a: Value, b: Value, fold: Any) -> Value:
    if isinstance(a.known, int) and isinstance(b.known, int) and a.dtype[0] != "f":
        return const(wrapped(fold(a.known, b.known), a.dtype), a.dtype, a.lanes)
    return Value(make(a.code, b.code), a.dtype, a.lanes)


def wrapped(number: int, dtype: str) -> int:
    """Give the integer of a signed type that is equal modulo its range."""
    half = 1 << (WIDTHS[dtype] - 1)
    return (number + half) % (2 * half) - half


def typed(dtype: str, lanes: int) -> str:
    """Name a vector type as TVM does."""
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


def _compare(make: Any, a: Value, b: Number) -> Value:
    x, y = pair(a, b)
    return Value(make(x.code, y.code), "bool", x.lanes)


def maximum(a: Number, b: Number) -> Value:
    """The greater of two; what is no number stays so beside a constant."""
    return _folded(tirx.Max, *_constant_first(a, b), max)


def minimum(a: Number, b: Number) -> Value:
    """The lesser of two; what is no number stays so beside a constant."""
    return _folded(tirx.Min, *_constant_first(a, b), min)


def _constant_first(a: Number, b: Number) -> tuple[Value, Value]:
    """Bring two operands in the order in which a comparison with NaN leaves the second one."""
    x, y = pair(a, b)
    return (x, y) if y.known is None else (y, x)


def clip(value: Value, low: Number | None, high: Number | None) -> Value:
    """Bring a value between two bounds, either of which may be missing."""
    value = value if low is None else maximum(value, low)
    return value if high is None else minimum(value, high)


def select(condition: Value, a: Number, b: Number) -> Value:
    """``a`` where the condition holds, else ``b``; both are computed."""
    x, y = pair(a, b)
    lanes = max(condition.lanes, x.lanes)
    condition, x, y = (spread(v, lanes) for v in (condition, x, y))
    return Value(tirx.Select(condition.code, x.code, y.code), x.dtype, lanes)


def cast(value: Value, dtype: str) -> Value:
    """Convert numbers."""
    if value.dtype == dtype:
        return value
    if value.known is not None:
        return const(value.known, dtype, value.lanes)
    return Value(tirx.Cast(typed(dtype, value.lanes), value.code), dtype, value.lanes)


def reinterpret(value: Value, dtype: str) -> Value:
    """Take the bits as those of another type; lanes follow from the width."""
    lanes = value.lanes * WIDTHS[value.dtype] // WIDTHS[dtype]
    return Value(tirx.reinterpret(typed(dtype, lanes), value.code), dtype, lanes)


def shuffle(values: Sequence[Value], places: Sequence[int]) -> Value:
    """Pick elements of the vectors put one behind the other."""
    code = tirx.Shuffle([v.code for v in values], [imm(p) for p in places])
    return Value(code, values[0].dtype, len(places))


def intrinsic(name: str, value: Value) -> Value:
    """Call an operation of TVM on floats: ``sqrt``, ``floor``, ``ceil``, ``trunc``, ``nearbyint``, ``abs``."""
    return Value(getattr(tirx, name)(value.code), value.dtype, value.lanes)


def llvm(name: str, dtype: str, lanes: int, *operands: Value) -> Value:
    """Call an LLVM intrinsic without side effects."""
    code = tirx.call_llvm_pure_intrin(typed(dtype, lanes), name, *(v.code for v in operands))
    return Value(code, dtype, lanes)


def extern(name: str, value: Value, *more: Value) -> Value:
    """Call a function of the C library on scalars."""
    code = tirx.call_pure_extern(value.dtype, name, value.code, *(v.code for v in more))
    return Value(code, value.dtype)


@dataclass(frozen=True, eq=False)
class Memory:
    """Elements of ``dtype`` that a pointer leads to."""

    buffer: Any
    dtype: str

    def load(self, at: Index | int, lanes: int = 1) -> Value:
        """Read one element, ``lanes`` in a row from a scalar index, or those of an index that differs by lane."""
        place, count = _place(at, lanes)
        return Value(tirx.BufferLoad(self.buffer, [place]), self.dtype, count)

    def gather(self, places: Value) -> Value:
        """Read the elements that a vector of indices names."""
        return Value(tirx.BufferLoad(self.buffer, [places.code]), self.dtype, places.lanes)


def _place(at: Index | int, lanes: int) -> tuple[Any, int]:
    if isinstance(at, int):
        at = index(at)
    if isinstance(at, Lanes):
        return tirx.Ramp(at.base.code, imm(at.stride), imm(at.lanes)), at.lanes
    return (at.code, 1) if lanes == 1 else (tirx.Ramp(at.code, imm(1), imm(lanes)), lanes)


class Code:
    """The statements of one function, in order."""

    def __init__(self) -> None:
        self._blocks: list[list[Any]] = [[]]
        self._count = 0

    def add(self, statement: Any) -> None:
        """Append a statement of TVM's."""
        self._blocks[-1].append(statement)

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    @contextmanager
    def loop(self, extent: Number, begin: Number = 0) -> Iterator[Value]:
        """Repeat for indices from ``begin``, ``extent`` times; a single turn is no loop."""
        if isinstance(extent, int) and extent == 1:
            yield begin if isinstance(begin, Value) else index(int(begin))
            return
        start, count = (v if isinstance(v, Value) else index(int(v)) for v in (begin, extent))
        variable = tirx.Var(self._name("i"), INDEX)
        self._blocks.append([])
        turn = Value(variable, INDEX)
        if start.kept:  # FlattenBuffer takes what stands in memory for another one where it starts a loop
            yield turn + start
            start = index(0)
        else:
            yield turn
        body = sequence(self._blocks.pop())
        self.add(tirx.For(variable, start.code, count.code, tirx.ForKind.SERIAL, body))

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do what follows where the (scalar) condition holds."""
        self._blocks.append([])
        yield
        self.add(tirx.IfThenElse(condition.code, sequence(self._blocks.pop()), None))

    def let(self, value: Value) -> Value:
        """Compute a value once, here.

        It is kept in memory of its own, which LLVM turns into a register: variables (``Bind``) are looked through by
        TVM's analyser, whose work grows with the product of the expressions behind each other.
        """
        if value.known is not None or isinstance(value.code, tirx.Var) or value.kept:
            return value
        if value.dtype == "bool":
            return value
        kept = self.local(value.dtype, value.lanes, "v")
        self.store(kept, 0, value)
        return Value(kept.load(0, value.lanes).code, value.dtype, value.lanes, None, True)

    def local(self, dtype: str, size: int, stem: str = "local") -> Memory:
        """Make room on the stack (at most 1 KiB each, else TVM would ask a runtime for it)."""
        assert size * WIDTHS[dtype] <= 8192, (dtype, size)
        buffer = tirx.decl_buffer((size,), dtype, name=self._name(stem))
        self.add(tirx.AllocBuffer(buffer))
        return Memory(buffer, dtype)

    def store(self, memory: Memory, at: Index | int, value: Value) -> None:
        """Write one element or a vector; the value gets the memory's type."""
        place, _ = _place(at, value.lanes)
        self.add(tirx.BufferStore(memory.buffer, cast(value, memory.dtype).code, [place]))

    def evaluate(self, code: Any) -> None:
        """Run an expression for what it does."""
        self.add(tirx.Evaluate(code))

    def body(self) -> Any:
        """Give everything as one statement."""
        assert len(self._blocks) == 1
        return sequence(self._blocks[0])


def sequence(statements: list[Any]) -> Any:
    """Join statements."""
    if not statements:
        return tirx.Evaluate(imm(0))
    return statements[0] if len(statements) == 1 else tirx.SeqStmt(statements)


@dataclass(frozen=True, eq=False)
class Parameter:
    """A pointer (or, without ``memory``, a number) that a function is given."""

    variable: Any
    memory: Memory | None

    @staticmethod
    def pointer(name: str, dtype: str) -> "Parameter":
        """Give a pointer to elements of ``dtype``."""
        variable = tirx.Var(f"{name}_pointer", tvm.ir.PointerType(tvm.ir.PrimType(dtype), "global"))
        return Parameter(variable, Memory(tirx.decl_buffer((HUGE,), dtype, name=name), dtype))

    @staticmethod
    def number(name: str) -> "Parameter":
        """Give an integer of 32 bits."""
        return Parameter(tirx.Var(name, INDEX), None)

    @property
    def value(self) -> Value:
        """The number."""
        return Value(self.variable, INDEX)


def function(parameters: Sequence[Parameter], code: Code) -> Any:
    """Give a TIR function that is called as plain C: pointers and numbers in, nothing out."""
    declared = [tirx.DeclBuffer(p.memory.buffer, data=p.variable) for p in parameters if p.memory is not None]
    body = sequence([*declared, code.body()])
    for key, number in (("device_type", 1), ("device_id", 0)):  # what MakePackedAPI would say, for the stack
        body = tirx.AttrStmt("default", key, imm(number), body)
    made = tirx.PrimFunc([p.variable for p in parameters], body)
    return made.with_attr({"calling_conv": 1, "tirx.noalias": True})


def named(made: Any, name: str) -> Any:
    """Give the function its symbol."""
    return made.with_attr("global_symbol", name)


def module(functions: dict[str, Any]) -> Any:
    """Put functions into one module."""
    return tvm.IRModule({name: named(made, name) for name, made in functions.items()})

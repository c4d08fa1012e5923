"""What is known of the integers that a kernel computes, and what needs not be computed because of it."""

from collections.abc import Callable, Mapping
from typing import Any

from .code import INDEX, For, Let, Statement, Value, Variable, clip, const, wrapped
from .walk import with_parts
from .widths import is_float, limits

Ends = tuple[int, int]
EXACT: Mapping[str, Callable[[Ends, Ends], Ends]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": lambda a, b: (min(products := [x * y for x in a for y in b]), max(products)),
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
}
"""Bounds of a result that fits its type, from those of the operands."""
SURE: Mapping[str, Callable[[Ends, Ends], bool | None]] = {
    "lt": lambda a, b: True if a[1] < b[0] else False if a[0] >= b[1] else None,
    "le": lambda a, b: True if a[1] <= b[0] else False if a[0] > b[1] else None,
    "gt": lambda a, b: True if a[0] > b[1] else False if a[1] <= b[0] else None,
    "ge": lambda a, b: True if a[0] >= b[1] else False if a[1] < b[0] else None,
    "eq": lambda a, b: True if a == b and a[0] == a[1] else False if a[1] < b[0] or b[1] < a[0] else None,
    "ne": lambda a, b: False if a == b and a[0] == a[1] else True if a[1] < b[0] or b[1] < a[0] else None,
}
"""What a comparison says where the bounds decide it."""

SATURATED = {(-128, 127), (0, 255), (-32768, 32767)}
"""Bounds for which processors have an instruction."""
SELF: Mapping[str, bool] = {"lt": False, "le": True, "gt": False, "ge": True, "eq": True, "ne": False}
"""What a comparison of a number with itself says."""


def same(a: Any, b: Any) -> bool:
    """Whether two expressions are written in the same way."""
    if isinstance(a, Value) and isinstance(b, Value):
        return a is b or (a.op == b.op and a.dtype == b.dtype and a.known == b.known and same(a.parts, b.parts))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def whole(v: Value) -> bool:
    """Whether a value is an integer."""
    return not is_float(v.dtype) and v.lanes == 1


class Ranges:
    """Bounds of integers; those of variables are noted where they get their values."""

    def __init__(self) -> None:
        self._variables: dict[Variable, Ends] = {}
        self._known: dict[int, tuple[Value, Ends]] = {}

    def note(self, s: Statement) -> None:
        """Note what a statement says of its variable."""
        match s:
            case Let() if whole(s.value):
                self._variables[s.variable] = self.of(s.value)
            case For():
                begin, extent = self.of(s.begin), self.of(s.extent)
                last = max(begin[1] + extent[1] - 1, begin[0])
                self._variables[s.variable] = begin[0], min(last, limits(INDEX)[1])

    def of(self, v: Value) -> Ends:
        """Bound an integer."""
        if id(v) not in self._known:
            own, found = limits(v.dtype), self._of(v)
            self._known[id(v)] = v, found if own[0] <= found[0] and found[1] <= own[1] else own
        return self._known[id(v)][1]

    def exact(self, v: Value) -> bool:
        """Whether a sum, difference or product stays within its type."""
        low, high = limits(v.dtype)
        a, b = EXACT[v.op](*map(self.of, v.parts))
        return low <= a and b <= high

    def _of(self, v: Value) -> Ends:
        own = limits(v.dtype)
        match v.op, *v.parts:
            case ("const",):
                assert v.known is not None
                return int(v.known), int(v.known)
            case "variable", variable:
                return self._variables.get(variable, own)
            case "load", memory, _ if not is_float(memory.dtype):
                return limits(memory.dtype)
            case "cast", a if whole(a):
                return self.of(a)
            case op, a, b if op in EXACT and whole(a):
                return EXACT[op](self.of(a), self.of(b))
            case "shr", a, b if b.known is not None:
                low, high = self.of(a)
                return low >> int(b.known), high >> int(b.known)
            case "bitand", a, b if v.dtype != "bool" and isinstance(mask := b.known, int) and mask >= 0:
                return 0, mask
            case "select", _, a, b:
                (p, q), (r, s) = self.of(a), self.of(b)
                return min(p, r), max(q, s)
            case "div", a, b if isinstance(b.known, int) and b.known > 0 and self.of(a)[0] >= 0:
                low, high = self.of(a)
                return low // b.known, high // b.known
            case "mod", a, b if isinstance(b.known, int) and b.known > 0 and self.of(a)[0] >= 0:
                return 0, min(b.known - 1, self.of(a)[1])
        return own


class Folded:
    """Values of which as much is left as has to be computed."""

    def __init__(self) -> None:
        self.ranges = Ranges()
        self.instead: dict[Variable, Value] = {}
        self._new: dict[int, tuple[Value, Value]] = {}

    def value(self, v: Value) -> Value:
        """Give an equal value."""
        if id(v) not in self._new:
            made = with_parts(v, self.value)
            self._new[id(v)] = v, self._folded(made) if made.lanes == 1 else self._vector(made)
        return self._new[id(v)][1]

    def _vector(self, v: Value) -> Value:
        match v.op, *v.parts:
            case "variable", Variable() as variable:
                return self.instead.get(variable, v)
            case "sub", a, Value(known=int(c)):
                return _plus(a, wrapped(-c, v.dtype))
            case "add", Value(known=int(c)), a:
                return _plus(a, c)
            case "add", a, Value(known=int(c)):
                return _plus(a, c)
            case "max", Value(known=int(c)), Value() as a if c == limits(v.dtype)[0]:
                return a
            case "min", Value(known=int(c)), Value() as a if c == limits(v.dtype)[1]:
                return a
        return v

    def _folded(self, v: Value) -> Value:  # noqa: C901 - a table
        match v.op, *v.parts:
            case "variable", Variable() as variable:
                return self.instead.get(variable, v)
            case op, a, b if op in SELF and same(a, b) and (whole(a) or op in ("lt", "gt")):
                return const(SELF[op], "bool")
            case op, a, b if op in SURE and whole(a):
                sure = SURE[op](self.ranges.of(a), self.ranges.of(b))
                return v if sure is None else const(sure, "bool")
            case "select", condition, Value() as a, Value() as b if condition.known is not None:
                return a if condition.known else b
            case ("and" | "or") as op, Value() as a, Value() as b if a.known is not None or b.known is not None:
                one, other = (a, b) if a.known is not None else (b, a)
                return other if bool(one.known) == (op == "and") else one
            case "not", a if a.known is not None:
                return const(not a.known, "bool")
            case _ if not whole(v) or v.dtype == "bool":
                return v
            case "max", a, b:
                return self._greatest(v, a, b)
            case "min", a, b:
                return self._least(v, a, b)
            case "sub", a, Value(known=int(c)):
                return self._folded(Value("add", (a, const(wrapped(-c, v.dtype), v.dtype)), v.dtype))
            case "add", a, b if a.known is not None and b.known is None:
                return self._folded(Value("add", (b, a), v.dtype))
            case "add", a, Value(known=int(c)) if (moved := self._saturated(v)) is not None:
                return moved
            case "add", a, Value(known=int(c)):
                return _plus(a, c)
            case "mul", Value(op="mul", parts=(a, Value(known=int(c)))), Value(known=int(d)):
                return Value("mul", (a, const(wrapped(c * d, v.dtype), v.dtype)), v.dtype)
            case "mul", Value(op="add", parts=(a, Value(known=int(c)))), Value(known=int(d)):
                product = self._folded(Value("mul", (a, v.parts[1]), v.dtype))
                return _plus(product, wrapped(c * d, v.dtype))
            case "div", Value(op="mul", parts=(a, Value(known=int(c)))) as product, Value(known=int(d)) if (
                c % d == 0 and self.ranges.exact(product)
            ):
                return a if c == d else Value("mul", (a, const(c // d, v.dtype)), v.dtype)
            case "mod", Value() as a, Value(known=int(c)) if self.ranges.of(a)[0] >= 0 and self.ranges.of(a)[1] < c:
                return a
            case ("shl" | "shr") as op, Value(known=int(a)), Value(known=int(b)):
                return const(wrapped(a << b if op == "shl" else a >> b, v.dtype), v.dtype)
        low, high = self.ranges.of(v)
        return const(low, v.dtype) if low == high and v.op not in ("const", "load") else v

    def _saturated(self, v: Value) -> Value | None:
        """Give ``clip(x, p, q) + c`` as ``clip(x + c, p + c, q + c)``, where processors have an instruction for it."""
        match v.parts:
            case Value(op="min", parts=(Value(known=int(q)), Value(op="max") as inner)), Value(known=int(c)) as b:
                low, x = inner.parts
                p = low.known
                moved = Value("add", (x, b), v.dtype)
                if isinstance(p, int) and (p + c, q + c) in SATURATED and self.ranges.exact(moved):
                    return clip(moved, p + c, q + c)
        return None

    def _greatest(self, v: Value, a: Value, b: Value) -> Value:
        (p, q), (r, s) = self.ranges.of(a), self.ranges.of(b)
        return b if r >= q else a if p >= s else v

    def _least(self, v: Value, a: Value, b: Value) -> Value:
        (p, q), (r, s) = self.ranges.of(a), self.ranges.of(b)
        return b if s <= p else a if q <= r else v


def _plus(a: Value, c: int) -> Value:
    """Add a constant; two become one."""
    if a.op == "add" and isinstance(a.parts[1].known, int):
        a, c = a.parts[0], wrapped(a.parts[1].known + c, a.dtype)
    if isinstance(a.known, int):
        return const(wrapped(a.known + c, a.dtype), a.dtype, a.lanes)
    return a if c == 0 else Value("add", (a, const(c, a.dtype, a.lanes)), a.dtype, a.lanes)

"""Points of a loop nest, in order of execution, and what indices are at each of them."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from ....graph.arrays import NDArray
from ...loops.code import Memory, Value, Variable
from ...loops.widths import is_float

Numbers: TypeAlias = "NDArray | int"
OPERATIONS: Mapping[str, Callable[[NDArray, NDArray], NDArray]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "min": np.minimum, "max": np.maximum,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "and": np.logical_and, "or": np.logical_or, "bitand": np.bitwise_and, "bitor": np.bitwise_or,
    "bitxor": np.bitwise_xor, "shl": np.left_shift, "shr": np.right_shift,
}  # fmt: skip
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"}


class Unknown(Exception):  # noqa: N818 - a signal: a number depends on data
    """An index that only the data decide."""


class Space:
    """``count`` points; ``of`` are those of ``parent`` that they stand in, ``own`` the loop variables set here.

    ``tables``: constants that a kernel is given, so that indices read from them are known too.
    """

    def __init__(
        self,
        count: int,
        parent: "Space | None" = None,
        of: NDArray | None = None,
        own: Mapping[Variable, Numbers] | None = None,
        tables: Mapping[Memory, NDArray] | None = None,
    ) -> None:
        self.count, self.parent, self.of = count, parent, of
        self.own: dict[Variable, Numbers] = dict(own or {})
        self.lets: dict[Variable, Value] = {}
        self.tables: Mapping[Memory, NDArray] = tables if tables is not None else parent.tables if parent else {}
        self._found: dict[int, Numbers | None] = {}

    def defined(self, variable: Variable) -> Value | None:
        """Give what a name was given to; None for the index of a loop."""
        if variable in self.lets:
            return self.lets[variable]
        return self.parent.defined(variable) if self.parent is not None else None

    def at(self, value: Value) -> Numbers:
        """Give an integer at every point (one for all where it is the same). Raises Unknown."""
        if value.known is not None:
            return int(value.known)
        key = id(value)
        if key not in self._found:
            try:
                self._found[key] = self._compute(value)
            except Unknown:
                self._found[key] = None
        found = self._found[key]
        if found is None:
            raise Unknown
        return found

    def array(self, value: Value) -> NDArray:
        """Give an integer at every point, one for each. Raises Unknown."""
        return np.broadcast_to(np.asarray(self.at(value)), (self.count,))

    def _variable(self, variable: Variable) -> Numbers:
        if variable in self.own:
            return self.own[variable]
        if variable in self.lets:
            return self.at(self.lets[variable])
        if self.parent is None:
            raise Unknown
        found = self.parent._variable(variable)
        return found if self.of is None or np.ndim(found) == 0 else np.asarray(found)[self.of]

    def _compute(self, value: Value) -> Numbers:
        if is_float(value.dtype) or value.lanes != 1:
            raise Unknown
        match value.op, *value.parts:
            case "variable", Variable() as variable:
                return self._variable(variable)
            case "load", Memory() as memory, Value() as place:
                if memory not in self.tables:
                    raise Unknown
                found: NDArray = self.tables[memory][self.at(place)].astype(np.int64)
                return found
            case "not", Value() as a:
                return np.logical_not(self.at(a))
            case "cast", Value() as a:
                return self._cast(self.at(a), a, value.dtype)
            case "select", Value() as condition, Value() as a, Value() as b:
                return np.where(self.at(condition), self.at(a), self.at(b))
            case ("div" | "mod") as op, Value() as a, Value() as b:
                return _divided(op, np.asarray(self.at(a)), np.asarray(self.at(b)))
            case op, Value() as a, Value() as b if op in OPERATIONS:
                return OPERATIONS[op](np.asarray(self.at(a)), np.asarray(self.at(b)))
        raise Unknown

    @staticmethod
    def _cast(found: Numbers, source: Value, dtype: str) -> Numbers:
        """Convert integers; raises Unknown where it would change one: indices do not wrap around."""
        if is_float(source.dtype) or is_float(dtype):
            raise Unknown
        if dtype == "bool":
            truth: NDArray = np.asarray(found) != 0
            return truth
        ends, array = np.iinfo(dtype), np.asarray(found).astype(np.int64)
        if array.size and (array.min() < ends.min or array.max() > ends.max):
            raise Unknown
        return array


def _divided(op: str, a: NDArray, b: NDArray) -> NDArray:
    """Divide as C does, toward zero."""
    if (b == 0).any():
        raise Unknown
    quotient: NDArray = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
    return quotient if op == "div" else a - quotient * b


def slope(value: Value, variable: Variable, space: Space) -> int | None:
    """Say how a value goes with a growing variable: 1 it never falls, -1 it never rises, 0 it stays; else None."""
    match value.op, *value.parts:
        case ("const",):
            return 0
        case "variable", Variable() as found:
            if found is variable:
                return 1
            meant = space.defined(found)
            return 0 if meant is None else slope(meant, variable, space)
        case "cast", Value() as a if value.dtype != "bool":
            return slope(a, variable, space)
        case ("add" | "min" | "max"), Value() as a, Value() as b:
            return _both(slope(a, variable, space), slope(b, variable, space))
        case "sub", Value() as a, Value() as b:
            down = slope(b, variable, space)
            return _both(slope(a, variable, space), None if down is None else -down)
        case ("mul" | "div") as op, Value() as a, Value() as b:
            if b.known is None and a.known is not None and op == "mul":
                a, b = b, a
            one = slope(a, variable, space)
            if b.known is not None and one is not None:
                return one if b.known > 0 else -one
    return 0 if _free(value, variable, space) else None


def _both(a: int | None, b: int | None) -> int | None:
    if a is None or b is None or a * b < 0:
        return None
    return a or b


def _free(value: Value, variable: Variable, space: Space) -> bool:
    """Whether a value has nothing to do with a variable."""
    for part in value.parts:
        match part:
            case Variable():
                meant = space.defined(part)
                if part is variable or (meant is not None and not _free(meant, variable, space)):
                    return False
            case Value():
                if not _free(part, variable, space):
                    return False
            case tuple():
                if not all(_free(p, variable, space) for p in part if isinstance(p, Value)):
                    return False
    return True

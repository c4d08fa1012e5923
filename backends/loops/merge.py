"""Tables that are read at the same places become one, with what belongs together side by side.

A change of scale has a multiplier, an offset and a shift for each channel. On cores with few registers each array costs
a pointer; one array of records costs one.
"""

from dataclasses import replace

import numpy as np

from ...graph.arrays import NDArray
from .code import Body, For, Function, If, Memory, Parameter, Run, Statement, Value, cast
from .scope import Scope
from .walk import parts, values, with_parts, with_values
from .widths import HALVES


def merged(scope: Scope, function: Function) -> Function:
    """Join the tables of 32 bits and less that have one length; the scope's constants change with them."""
    lengths: dict[int, list[bytes]] = {}
    kept = _operands(function.body)
    for key, (data, parameter) in scope.constants.items():
        fits = data.dtype.kind in "iu" and int(data.min()) >= -(1 << 31) and int(data.max()) < 1 << 31
        memory = parameter.memory
        if fits and data.size > 1 and memory not in kept and memory is not None and memory.dtype not in HALVES:
            lengths.setdefault(data.size, []).append(key)
    groups = [keys for keys in lengths.values() if len(keys) > 1]
    if not groups:
        return function
    places: dict[Memory, tuple[Memory, int, int]] = {}
    constants = dict(scope.constants)
    for number, keys in enumerate(groups):
        columns = [constants.pop(key) for key in keys]
        table: NDArray = np.stack([data.ravel().astype(np.int32) for data, _ in columns], axis=1).ravel()
        parameter = Parameter.pointer(f"records{number}", "int32")
        assert parameter.memory is not None
        constants[b"records" + table.tobytes()] = (table, parameter)
        for i, (_, old) in enumerate(columns):
            assert old.memory is not None
            places[old.memory] = (parameter.memory, len(columns), i)
    before = [p for _, p in scope.constants.values()]
    scope.constants = constants
    first = next(i for i, p in enumerate(function.parameters) if p in before)
    others = [p for p in function.parameters if p not in before]
    parameters = (*others[:first], *(p for _, p in constants.values()), *others[first:])
    return Function(parameters, _Rewriter(places).body(function.body))


def _operands(body: Body) -> set[Memory]:
    """Collect what functions of the target are handed as a whole, and what vectors are loaded from."""
    found: set[Memory] = set()
    for s in body:
        for v in values(s):
            found |= _loaded(v)
        match s:
            case Run():
                found |= {o for o in s.operands if isinstance(o, Memory)}
            case For() | If():
                found |= _operands(s.body)
    return found


def _loaded(v: Value) -> set[Memory]:
    own = {v.parts[0]} if v.op == "load" and v.lanes > 1 else set()
    return own.union(*(_loaded(p) for p in parts(v) if isinstance(p, Value)))


class _Rewriter:
    """Reads the joined tables in place of the old ones."""

    def __init__(self, places: dict[Memory, tuple[Memory, int, int]]) -> None:
        self.places = places
        self.made: dict[int, tuple[Value, Value]] = {}

    def body(self, body: Body) -> Body:
        return tuple(map(self.statement, body))

    def statement(self, s: Statement) -> Statement:
        s = with_values(s, self.value)
        return replace(s, body=self.body(s.body)) if isinstance(s, For | If) else s

    def value(self, v: Value) -> Value:
        """Rewrite an expression; what does not change stays the same object."""
        found = self.made.get(id(v))
        if found is None:
            found = self.made[id(v)] = v, self.rewritten(v)  # the first one stays alive with its number
        return found[1]

    def rewritten(self, v: Value) -> Value:
        if v.op == "load" and v.parts[0] in self.places:
            return cast(self.load(v), v.dtype)
        if v.op == "cast" and v.parts[0].op == "load" and v.parts[0].parts[0] in self.places:
            return cast(self.load(v.parts[0]), v.dtype)
        return with_parts(v, self.value)

    def load(self, v: Value) -> Value:
        table, width, i = self.places[v.parts[0]]
        return table.load(self.value(v.parts[1]) * width + i)

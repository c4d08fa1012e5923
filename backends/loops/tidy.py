"""Kernels as a person would write them down: nothing that nobody reads, and no name for what is used once.

    v1 = x[i]                    y[i] = x[i] * 2
    v2 = w[i]            ->
    y[i] = v1 * 2

For back ends whose loops are read: compilers do the same by themselves.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from .code import Body, For, Function, If, Let, Local, Memory, Run, Statement, Store, Value, Variable
from .fold import Folded, same
from .walk import parts, values, with_parts, with_values

LARGEST = 9
"""Operations that an expression may grow to."""


def tidy(function: Function, constants: frozenset[Memory] = frozenset()) -> Function:
    """Remove what nobody reads and what is known before, and put what is used once where it is used.

    ``constants``: the memory that nobody ever writes.
    """
    body = _needed(function.body, constants)
    body = _needed(_Inlined(body, constants).body, constants)
    living = _Living(body)
    parameters = [p for p in function.parameters if p.memory is None or p.memory in living.memories | living.written]
    return Function(tuple(parameters), body)


def _needed(body: Body, constants: frozenset[Memory]) -> Body:
    body, length = _Folder(constants).body(body, []), -1
    while _length(body) != length:
        length = _length(body)
        body = _Living(body).kept(body)
    return body


class _Folder:
    """Computes what is known, once what is computed twice, and leaves out what never happens."""

    def __init__(self, constants: frozenset[Memory]) -> None:
        self.constants, self.folded = constants, Folded()

    def body(self, body: Body, named: list[Let]) -> Body:
        """Give what is left of statements; ``named``: what has a name where they begin."""
        found: list[Statement] = []
        named, folded = list(named), self.folded
        for s in body:
            s = with_values(s, folded.value)
            match s:
                case Let():
                    if (before := self.named(s.value, named)) is not None:
                        folded.instead[s.variable] = before
                        continue
                    folded.ranges.note(s)
                    named.append(s)
                case Store(memory, place, Value(op="load", parts=(source, at))) if source is memory and same(at, place):
                    continue
                case For():
                    folded.ranges.note(s)
                    s = replace(s, body=self.body(s.body, named))
                case If():
                    inside = self.body(s.body, named)
                    if s.condition.known is not None:
                        found += inside if s.condition.known else ()
                        continue
                    s = replace(s, body=inside)
            found.append(s)
        return tuple(found)

    def named(self, v: Value, named: list[Let]) -> Value | None:
        """Find the name that a value has already; what is read from memory that is written may be another one now."""
        if v.known is not None or v.op == "variable":
            return v
        if not _made_of(v)[0] <= self.constants:
            return None
        found = next((let for let in named if same(let.value, v)), None)
        return None if found is None else Value("variable", (found.variable,), v.dtype, v.lanes)


def _length(body: Body) -> int:
    return sum(1 + (_length(s.body) if isinstance(s, For | If) else 0) for s in body)


class _Uses:
    """How often variables are read, as the text of a value says them."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[Value, Counter[Variable]]] = {}

    def of(self, v: Value) -> Counter[Variable]:
        """Count the variables in a value."""
        if id(v) not in self._of:
            found: Counter[Variable] = Counter()
            for part in parts(v):
                if isinstance(part, Variable):
                    found[part] += 1
                elif isinstance(part, Value):
                    found += self.of(part)
            self._of[id(v)] = v, found
        return self._of[id(v)][1]


class _Living:
    """What somebody reads."""

    def __init__(self, body: Body) -> None:
        self.variables: Counter[Variable] = Counter()
        self.memories: set[Memory] = set()
        self.written: set[Memory] = set()
        self.seen: set[int] = set()
        self.visit(body)

    def value(self, v: Value) -> None:
        if id(v) in self.seen:
            return
        self.seen.add(id(v))
        for part in parts(v):
            match part:
                case Variable():
                    self.variables[part] += 1
                case Memory():
                    self.memories.add(part)
                case Value():
                    self.value(part)

    def visit(self, body: Body) -> None:
        for s in body:
            for v in values(s):
                self.value(v)
            match s:
                case For() | If():
                    self.visit(s.body)
                case Store():
                    self.written.add(s.memory)
                case Run():
                    self.memories.update(o for o in s.operands if isinstance(o, Memory))

    def kept(self, body: Body) -> Body:
        """Leave out what nobody reads."""
        found: list[Statement] = []
        for s in body:
            match s:
                case Let(variable=variable) if not self.variables[variable]:
                    continue
                case Local(memory=memory) if memory not in self.memories:
                    continue
                case Store(memory=memory) if memory.size is not None and memory not in self.memories:
                    continue
                case For() | If():
                    inside = self.kept(s.body)
                    if not inside:
                        continue
                    found.append(s if inside == s.body else replace(s, body=inside))
                    continue
            found.append(s)
        return tuple(found)


@dataclass(eq=False)
class _Waiting:
    """A name that is used once, and has not been so far."""

    let: Let
    loads: set[Memory]
    size: int


class _Inlined:
    """A body in which names that are used once are replaced by what they stand for."""

    def __init__(self, body: Body, constants: frozenset[Memory]) -> None:
        self.uses, self.total, self.constants = _Uses(), Counter[Variable](), constants
        self.count(body)
        self.body = self.block(body)

    def count(self, body: Body) -> None:
        for s in body:
            for v in values(s):
                self.total += self.uses.of(v)
            if isinstance(s, For | If):
                self.count(s.body)

    def block(self, body: Body) -> Body:
        waiting: dict[Variable, _Waiting] = {}
        found: list[Statement] = []

        def flush(which: Any) -> None:
            for variable in [v for v, w in waiting.items() if which(w)]:
                found.append(waiting.pop(variable).let)

        for s in body:
            if not isinstance(s, For):  # what its ends read stays before it
                s = with_values(s, lambda v: self.put(v, waiting, found))
            match s:
                case Let():
                    loads, size = _made_of(s.value)
                    if self.total[s.variable] == 1 and size <= LARGEST:
                        waiting[s.variable] = _Waiting(s, loads - self.constants, size)
                        continue
                case Store():
                    flush(lambda w, s=s: any(_may_be(s.memory, m) for m in w.loads))
                case For() | If():
                    flush(lambda w: True)
                    s = replace(s, body=self.block(s.body))
                case Run():
                    flush(lambda w: True)
            found.append(s)
        flush(lambda w: True)
        return tuple(found)

    def put(self, v: Value, waiting: dict[Variable, _Waiting], found: list[Statement]) -> Value:
        """Put what waits into a value, as long as that does not get too large; what does not fit is written before."""
        size = _made_of(v)[1]
        chosen: dict[Variable, Value] = {}
        for variable in self.uses.of(v):
            if variable not in waiting:
                continue
            one = waiting.pop(variable)
            if size + one.size <= LARGEST:
                chosen[variable] = one.let.value
                size += one.size
            else:
                found.append(one.let)
        return substituted(v, chosen) if chosen else v


def substituted(v: Value, chosen: dict[Variable, Value]) -> Value:
    """Replace variables by values."""
    if v.op == "variable":
        return chosen.get(v.parts[0], v)
    return with_parts(v, lambda part: substituted(part, chosen))


def _made_of(v: Value) -> tuple[set[Memory], int]:
    """Give the memories that a value reads, and how many operations it is."""
    loads: set[Memory] = set()
    size = int(v.op not in ("const", "variable"))
    for part in parts(v):
        if isinstance(part, Memory):
            loads.add(part)
        elif isinstance(part, Value):
            inner, more = _made_of(part)
            loads |= inner
            size += more
    return loads, size


def _may_be(a: Memory, b: Memory) -> bool:
    """Whether two may be the same: what pointers lead to can be."""
    return a is b or (a.size is None and b.size is None)

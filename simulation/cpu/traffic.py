"""Bytes that a kernel moves between the levels of a memory hierarchy, from its loops.

For each loop it is known what its turns touch: indices are sums of loop variables times constants. A loop whose whole
footprint, or that of one turn, fits into a cache brings everything into it once; another one brings in every turn what
a turn brings (the model of reuse that polyhedral cost models share: V. Sarkar, Automatic selection of high-order
transformations in the IBM XL FORTRAN compilers, IBM J. R&D 1997, section 3).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ...backends.loops.code import Body, For, Function, If, Let, Memory, Run, Store, Value, Variable
from ...backends.loops.tiles import ROW_BYTES, ROWS
from ...backends.loops.widths import WIDTHS

LINE = 64
SHARE = 0.8
"""Part of a cache that a kernel's data is held to have."""


@dataclass(frozen=True)
class Affine:
    """``constant`` plus variables times factors; ``loose``: further spans, each with the variables it depends on and
    how far apart its places are.
    """

    constant: float = 0.0
    factors: Mapping[Variable, float] = field(default_factory=dict)
    loose: tuple[tuple[frozenset[Variable], float, float], ...] = ()

    def scaled(self, k: float) -> "Affine":
        """Give k times as much."""
        loose = tuple((v, span * abs(k), step * abs(k)) for v, span, step in self.loose)
        return Affine(self.constant * k, {v: f * k for v, f in self.factors.items()}, loose)

    def plus(self, other: "Affine", sign: float = 1.0) -> "Affine":
        """Give the sum."""
        factors = dict(self.factors)
        for v, f in other.factors.items():
            factors[v] = factors.get(v, 0.0) + sign * f
        return Affine(self.constant + sign * other.constant, factors, self.loose + other.loose)

    @property
    def variables(self) -> frozenset[Variable]:
        """All that it depends on."""
        return frozenset(v for v, f in self.factors.items() if f).union(*(v for v, _, _ in self.loose))


@dataclass(frozen=True)
class Access:
    """Elements of a memory: from ``place`` (in bytes) on, ``bytes`` apart at most, ``lines`` bytes of cache lines."""

    memory: Memory
    place: Affine
    bytes: float
    lines: float
    stores: bool


@dataclass
class Nest:
    """A loop (or the whole function: ``variable`` None) with what stands in it."""

    variable: Variable | None
    turns: int
    accesses: list[Access] = field(default_factory=list)
    inner: list["Nest"] = field(default_factory=list)

    def all(self) -> Iterator[Access]:
        """Give the accesses in it and below."""
        yield from self.accesses
        for nest in self.inner:
            yield from nest.all()


def read(function: Function, numbers: Mapping[Variable, int]) -> Nest:
    """Read a kernel's loops and accesses; ``numbers``: its arguments that are no pointers."""
    reader = _Reader(numbers)
    top = Nest(None, 1)
    reader.body(function.body, top)
    return top


class _Reader:
    def __init__(self, numbers: Mapping[Variable, int]) -> None:
        self.numbers = numbers
        self.values: dict[int, Affine] = {}
        self.kept: dict[Variable, Affine] = {}
        self.seen: set[int] = set()
        self.alive: list[Value] = []

    def body(self, body: Body, nest: Nest) -> None:
        for s in body:
            match s:
                case Let():
                    self.loads(s.value, nest)
                    if s.value.lanes == 1 and s.value.dtype.startswith(("int", "uint")):
                        self.kept[s.variable] = self.affine(s.value)
                case Store():
                    self.loads(s.value, nest)
                    self.access(s.memory, s.place, nest, stores=True)
                case If():
                    self.body(s.body, nest)
                case Run(operands=(_, Memory() as memory, Value() as place, Value() as stride)):
                    rows = Nest(Variable("row"), ROWS)
                    nest.inner.append(rows)
                    self.tile(memory, place, stride, rows, stores=s.name == "tile_store")
                case For():
                    begin, extent = self.affine(s.begin), self.affine(s.extent)
                    turns = max(1, int(extent.constant)) if not extent.factors else 1
                    inner = Nest(s.variable, turns)
                    if begin.factors:
                        self.kept[s.variable] = Affine(0.0, {s.variable: 1.0}).plus(begin)
                    self.seen = set()
                    self.body(s.body, inner)
                    self.seen = set()
                    nest.inner.append(inner)

    def loads(self, value: Value, nest: Nest) -> None:
        """Note what an expression reads; what is used twice is read once."""
        stack = [value]
        while stack:
            v = stack.pop()
            if id(v) in self.seen or v.op in ("const", "variable"):
                continue
            self.seen.add(id(v))
            self.alive.append(v)
            if v.op == "load":
                self.access(v.parts[0], v.parts[1], nest, stores=False)
                stack.append(v.parts[1])
                continue
            for part in v.parts:
                if isinstance(part, Value):
                    stack.append(part)
                elif isinstance(part, tuple):
                    stack += [p for p in part if isinstance(p, Value)]

    def access(self, memory: Memory, place: Value, nest: Nest, *, stores: bool) -> None:
        if memory.size is not None:
            return
        size = WIDTHS[memory.dtype] // 8
        row, base = float(size), place
        if place.op == "ramp":
            base, stride = place.parts
            row = (abs(stride) * (place.lanes - 1) + 1) * size
        lines = max(min(row, float(place.lanes * LINE)), LINE)
        found = self.affine(base).scaled(size)
        nest.accesses.append(Access(memory, found, row, lines, stores))

    def tile(self, memory: Memory, place: Value, stride: Value, rows: Nest, *, stores: bool) -> None:
        """Note the rows of a tile, ``stride`` bytes apart."""
        assert rows.variable is not None
        assert stride.known is not None
        if memory.size is None:
            size = WIDTHS[memory.dtype] // 8
            begin = self.affine(place).scaled(size).plus(Affine(0.0, {rows.variable: float(stride.known)}))
            rows.accesses.append(Access(memory, begin, float(ROW_BYTES), float(LINE), stores))

    def affine(self, v: Value) -> Affine:
        found = self.values.get(id(v))
        if found is None:
            found = self.values[id(v)] = self._affine(v)
            self.alive.append(v)
        return found

    def _affine(self, v: Value) -> Affine:
        if isinstance(v.known, int | float):
            return Affine(float(v.known))
        match v.op, *v.parts:
            case "variable", variable:
                return self.variable(variable)
            case "add", a, b:
                return self.affine(a).plus(self.affine(b))
            case "sub", a, b:
                return self.affine(a).plus(self.affine(b), -1.0)
            case "mul" | "shl" as op, a, b:
                return self.product(a, b, op)
            case "div", a, b if b.known:
                return self.affine(a).scaled(1 / b.known)
            case "mod", a, b if b.known:
                return Affine(0.0, {}, ((self.affine(a).variables, float(b.known - 1), 1.0),))
            case "min" | "max", a, b:
                return self.affine(b if a.known is not None else a)
            case "cast" | "broadcast", a:
                return self.affine(a)
            case "select", _, a, b:
                return self.affine(b if a.known is not None else a)
        return Affine(0.0, {}, ((self.inside(v), float("inf"), float("inf")),))

    def product(self, a: Value, b: Value, op: str) -> Affine:
        if b.known is not None:
            return self.affine(a).scaled(float(2**b.known if op == "shl" else b.known))
        if a.known is not None and op == "mul":
            return self.affine(b).scaled(float(a.known))
        return Affine(0.0, {}, ((self.affine(a).variables | self.affine(b).variables, float("inf"), float("inf")),))

    def variable(self, variable: Variable) -> Affine:
        if variable in self.numbers:
            return Affine(float(self.numbers[variable]))
        return self.kept.get(variable) or Affine(0.0, {variable: 1.0})

    def inside(self, v: Value) -> frozenset[Variable]:
        """Give the variables that anything depends on."""
        found: set[Variable] = set()
        stack: list[Any] = [v]
        while stack:
            each = stack.pop()
            if isinstance(each, Variable):
                found |= self.variable(each).variables
            elif isinstance(each, Value):
                stack += list(each.parts)
            elif isinstance(each, tuple):
                stack += list(each)
        return frozenset(found)


Footprint = dict[Memory, float]


class Traffic:
    """What a kernel brings into caches. ``sizes``: bytes of each memory, where they are known."""

    def __init__(self, nest: Nest, sizes: Mapping[Memory, float]) -> None:
        self.nest, self.sizes = nest, sizes
        self.turns: dict[Variable, int] = {}
        self._prints: dict[int, Footprint] = {}
        self._collect(nest)

    def _collect(self, nest: Nest) -> None:
        if nest.variable is not None:
            self.turns[nest.variable] = nest.turns
        for inner in nest.inner:
            self._collect(inner)

    @property
    def touched(self) -> Footprint:
        """Bytes of each memory that are touched at all."""
        return self._touched(self.nest, self._inside(self.nest), key=id(self.nest))

    def brought(self, cache: float) -> Footprint:
        """Bytes of each memory that come into a cache of so many bytes (0 or fewer: everything once)."""
        return self._brought(self.nest, cache * SHARE)

    def _inside(self, nest: Nest) -> frozenset[Variable]:
        own = frozenset() if nest.variable is None else frozenset({nest.variable})
        return own.union(*(self._inside(i) for i in nest.inner))

    def _touched(self, nest: Nest, moving: frozenset[Variable], key: int) -> Footprint:
        """Give what accesses touch while these variables run."""
        if key in self._prints:
            return self._prints[key]
        spans: dict[Memory, list[tuple[float, float, float]]] = {}
        for a in nest.all():
            low = high = a.place.constant
            steps = [float(LINE)]
            for v, f in a.place.factors.items():
                if v in moving and f:
                    reach = f * (self.turns.get(v, 1) - 1)
                    low, high = low + min(reach, 0.0), high + max(reach, 0.0)
                    steps.append(abs(f))
            for variables, span, step in a.place.loose:
                if variables & moving:
                    high += span
                    steps.append(step)
            count = prod(self.turns.get(v, 1) for v in a.place.variables & moving)
            each = a.lines if a.bytes > LINE else min(a.lines, max(min(steps), a.bytes))
            spans.setdefault(a.memory, []).append((low, high + a.bytes, count * each))
        found: Footprint = {}
        for memory, parts in spans.items():
            across = max(h for _, h, _ in parts) - min(low for low, _, _ in parts)
            found[memory] = min(across, sum(c for _, _, c in parts), self.sizes.get(memory, float("inf")))
        self._prints[key] = found
        return found

    def _brought(self, nest: Nest, cache: float) -> Footprint:
        whole = self._touched(nest, self._inside(nest), id(nest))
        if sum(whole.values()) <= cache:
            return whole
        moving = self._inside(nest) - ({nest.variable} if nest.variable is not None else set())
        turn = self._touched(nest, frozenset(moving), -id(nest))
        if sum(turn.values()) <= cache:
            return whole
        found: Footprint = dict(self._flat(nest, turn))
        for inner in nest.inner:
            for memory, size in self._brought(inner, cache).items():
                found[memory] = found.get(memory, 0.0) + size
        return {memory: max(size * nest.turns, whole.get(memory, 0.0)) for memory, size in found.items()}

    def _flat(self, nest: Nest, turn: Footprint) -> Iterator[tuple[Memory, float]]:
        """What a turn touches outside of the loops in it."""
        inner = {a.memory for i in nest.inner for a in i.all()}
        for memory in dict.fromkeys(a.memory for a in nest.accesses):
            if memory not in inner:
                yield memory, turn[memory]


def total(footprint: Footprint, only: Sequence[Memory] | None = None) -> float:
    """Add up."""
    return sum(size for memory, size in footprint.items() if only is None or memory in only)

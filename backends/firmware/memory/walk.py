"""When a kernel reads one tensor and when it writes another, in order: its loops are walked, not run.

Points of the loops are rows of numpy arrays. A loop that only reads, or only writes, matters by the least and the
greatest address, which stand at its ends where addresses only rise or only fall with its index; other loops are written
out. What only the data decide is taken as any address.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ....graph.arrays import NDArray
from ...loops.code import Body, For, If, Let, Local, Memory, Run, Statement, Store, Value, Variable
from ...loops.widths import WIDTHS
from .space import Numbers, Space, Unknown, slope

LOAD, STORE = 0, 1
MOST_POINTS = 8_000_000
"""Points of a loop nest that are looked at; kernels with more keep their tensors apart."""
NEVER = 1 << 62


class TooManyError(Exception):
    """A kernel has more points than are looked at."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as a kernel sees it: where (in bytes) each pointer leads within it, and its bytes in all."""

    places: dict[Memory, int]
    bytes: int

    def ends(self, memory: Memory, place: Value, space: Space) -> tuple[Numbers, Numbers]:
        """Give the first byte of an access and the one after its last, at every point."""
        width, base = WIDTHS[memory.dtype] // 8, self.places[memory]
        try:
            if place.op == "ramp":
                begin, stride = place.parts
                away = stride * (place.lanes - 1)
                low = space.at(begin)
                return base + (low + min(away, 0)) * width, base + (low + max(away, 0) + 1) * width
            found = space.at(place)
        except Unknown:
            return 0, self.bytes
        return base + found * width, base + (found + 1) * width


@dataclass(frozen=True)
class Events:
    """Accesses in order of execution: the point of each, whether load or store, first byte, byte after the last."""

    point: NDArray
    kind: NDArray
    low: NDArray
    high: NDArray

    def __len__(self) -> int:
        return len(self.point)

    def at(self, point: NDArray) -> "Events":
        """Give the same at other points."""
        return Events(point, self.kind, self.low, self.high)

    def joined(self) -> "Events":
        """Take neighbours of one kind and point together: nothing comes between them."""
        if len(self) < 2:
            return self
        first = np.flatnonzero(np.r_[True, (np.diff(self.point) != 0) | (np.diff(self.kind) != 0)])
        low, high = np.minimum.reduceat(self.low, first), np.maximum.reduceat(self.high, first)
        return Events(self.point[first], self.kind[first], low, high)


def _in_order(parts: Sequence[Events]) -> Events:
    """Merge what statements do, one after the other at each point."""
    parts = [p for p in parts if len(p)]
    if not parts:
        none = np.zeros(0, np.int64)
        return Events(none, none, none, none)
    if len(parts) == 1:
        return parts[0].joined()
    columns = [np.concatenate([getattr(p, name) for p in parts]) for name in ("point", "kind", "low", "high")]
    order = np.argsort(columns[0], kind="stable")
    return Events(*(c[order] for c in columns)).joined()


class Walk:
    """One kernel, the tensor ``x`` that it reads and the tensor ``y`` that it writes."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self._touched: dict[int, frozenset[int]] = {}
        self._loads: dict[int, tuple[Value, ...]] = {}

    # What a statement does

    def kinds(self, s: Statement) -> frozenset[int]:
        """Say whether a statement loads from x, stores to y."""
        found = self._touched.get(id(s))
        if found is None:
            found = self._touched[id(s)] = frozenset(self._kinds(s))
        return found

    def _kinds(self, s: Statement) -> Iterator[int]:
        for value in _values(s):
            if self.loads(value):
                yield LOAD
        match s:
            case Store(memory=memory) if memory in self.y.places:
                yield STORE
            case For(body=body) | If(body=body):
                for inner in body:
                    yield from self.kinds(inner)
            case Run(operands=operands):
                memories = {o for o in operands if isinstance(o, Memory)}
                if memories & self.x.places.keys():
                    yield LOAD
                if memories & self.y.places.keys():
                    yield STORE

    def loads(self, value: Value) -> tuple[Value, ...]:
        """List the loads from x in an expression, inner ones first."""
        found = self._loads.get(id(value))
        if found is None:
            inner = [load for part in _parts(value) for load in self.loads(part)]
            own = [value] if value.op == "load" and value.parts[0] in self.x.places else []
            found = self._loads[id(value)] = tuple(dict.fromkeys([*inner, *own]))
        return found

    # Events

    def events(self, body: Body, space: Space) -> Events:
        """Give what statements do at every point of a space."""
        return _in_order([e for s in body for e in self._statement(s, space)])

    def _statement(self, s: Statement, space: Space) -> Iterator[Events]:
        if isinstance(s, Let):
            space.lets[s.variable] = s.value
        if not self.kinds(s):
            return
        for value in _values(s):
            yield from self._read(value, space)
        match s:
            case Store(memory=memory, place=place) if memory in self.y.places:
                yield _events(space, STORE, *self.y.ends(memory, place, space))
            case For():
                yield self._loop(s, space)
            case If():
                yield self._where(s, space)
            case Run():  # a function of the target may touch all that it is given
                if LOAD in self.kinds(s):
                    yield _events(space, LOAD, 0, self.x.bytes)
                if STORE in self.kinds(s):
                    yield _events(space, STORE, 0, self.y.bytes)
                if LOAD in self.kinds(s):
                    yield _events(space, LOAD, 0, self.x.bytes)

    def _read(self, value: Value, space: Space) -> Iterator[Events]:
        """Give the loads of an expression; of two that a condition chooses from only one is done."""
        if not self.loads(value):
            return
        if value.op == "select":
            condition, *chosen = value.parts
            yield from self._read(condition, space)
            try:
                holds = space.array(condition).astype(bool)
            except Unknown:
                holds = None
            for part, where in zip(chosen, (True, False), strict=True):
                if holds is None:
                    yield from self._read(part, space)
                elif self.loads(part):
                    picked = np.flatnonzero(holds == where)
                    for e in self._read(part, Space(len(picked), space, picked)):
                        yield e.at(picked[e.point])
            return
        for part in _parts(value):
            yield from self._read(part, space)
        if value.op == "load" and value.parts[0] in self.x.places:
            memory, place = value.parts
            yield _events(space, LOAD, *self.x.ends(memory, place, space))

    def _where(self, s: If, space: Space) -> Events:
        try:
            picked = np.flatnonzero(space.array(s.condition))
        except Unknown:
            return self.events(s.body, Space(space.count, space))
        found = self.events(s.body, Space(len(picked), space, picked))
        return found.at(picked[found.point])

    def _loop(self, s: For, space: Space) -> Events:
        if len(self.kinds(s)) == 1 and (found := self._collapsed(s, space)) is not None:
            return found
        try:
            begin, turns = space.array(s.begin), np.maximum(space.array(s.extent), 0)
        except Unknown:
            raise TooManyError from None
        if turns.sum() > MOST_POINTS:
            raise TooManyError
        of = np.repeat(np.arange(space.count), turns)
        turn = np.arange(len(of)) - np.repeat(np.cumsum(turns) - turns, turns)
        inner = Space(len(of), space, of, {s.variable: begin[of] + turn})
        found = self.events(s.body, inner)
        return found.at(of[found.point]).joined()

    # Loops that matter by their ends

    def _collapsed(self, s: For, space: Space) -> Events | None:
        """Give one event for all turns, at every point; None where the ends of loops do not tell the addresses."""
        loops: dict[Variable, tuple[NDArray, NDArray]] = {}
        inner = Space(space.count, space)
        accesses: list[tuple[Tensor, Memory, Value, tuple[Variable, ...]]] = []
        if not self._collect((s,), inner, loops, accesses, ()):
            return None
        low, high = np.full(space.count, NEVER), np.full(space.count, -NEVER)
        for tensor, memory, place, within in accesses:
            ends = self._extremes(tensor, memory, place, [(v, loops[v]) for v in within], inner)
            if ends is None:
                return None
            done = np.all([loops[v][1] > 0 for v in within], axis=0)
            low = np.where(done, np.minimum(low, ends[0]), low)
            high = np.where(done, np.maximum(high, ends[1]), high)
        (kind,) = self.kinds(s)
        keep = np.flatnonzero(low < NEVER)
        return Events(keep, np.full(len(keep), kind), low[keep], high[keep])

    def _collect(
        self,
        body: Body,
        space: Space,
        loops: dict[Variable, tuple[NDArray, NDArray]],
        accesses: list[tuple[Tensor, Memory, Value, tuple[Variable, ...]]],
        within: tuple[Variable, ...],
    ) -> bool:
        """List the accesses of loops that only loops are in; false where there is more."""
        for s in body:
            if isinstance(s, Let):
                space.lets[s.variable] = s.value
            if not self.kinds(s):
                continue
            if any(load.op == "select" for value in _values(s) for load in self._chosen(value)):
                return False
            for value in _values(s):
                accesses += [(self.x, *load.parts, within) for load in self.loads(value)]
            match s:
                case Store(memory=memory, place=place) if memory in self.y.places:
                    accesses.append((self.y, memory, place, within))
                case For():
                    try:
                        loops[s.variable] = space.array(s.begin), space.array(s.extent)
                    except Unknown:
                        return False
                    if len(self.kinds(s)) and not self._collect(s.body, space, loops, accesses, (*within, s.variable)):
                        return False
                case If() | Run():
                    return False
        return True

    def _chosen(self, value: Value) -> Iterator[Value]:
        """List the choices in an expression on which a load depends."""
        if self.loads(value):
            if value.op == "select":
                yield value
            for part in _parts(value):
                yield from self._chosen(part)

    def _extremes(
        self,
        tensor: Tensor,
        memory: Memory,
        place: Value,
        loops: Sequence[tuple[Variable, tuple[NDArray, NDArray]]],
        space: Space,
    ) -> tuple[NDArray, NDArray] | None:
        """Give the least first byte and the greatest byte after the last over all turns of loops, at every point."""
        where = place.parts[0] if place.op == "ramp" else place
        slopes = [slope(where, v, space) for v, _ in loops]
        if any(one is None for one in slopes):
            return None
        ends = []
        for least in (True, False):
            own: dict[Variable, Numbers] = {}
            for (v, (begin, turns)), one in zip(loops, slopes, strict=True):
                own[v] = begin if (one == -1) != least else begin + np.maximum(turns, 1) - 1
            corner = Space(space.count, space.parent, None, own)
            corner.lets = space.lets
            ends.append(tensor.ends(memory, place, corner))
        return np.asarray(ends[0][0]), np.asarray(ends[1][1])


def _events(space: Space, kind: int, low: Numbers, high: Numbers) -> Events:
    shape = (space.count,)
    point = np.arange(space.count)
    return Events(point, np.full(shape, kind), np.broadcast_to(low, shape), np.broadcast_to(high, shape))


def _values(s: Statement) -> tuple[Value, ...]:
    """List the expressions that a statement itself computes, in their order."""
    match s:
        case Let(value=value):
            return (value,)
        case Store(place=place, value=value):
            return place, value
        case For(begin=begin, extent=extent):
            return begin, extent
        case If(condition=condition):
            return (condition,)
        case Run(operands=operands):
            return tuple(o for o in operands if isinstance(o, Value))
        case Local():
            return ()
    raise AssertionError(s)


def _parts(value: Value) -> Iterator[Value]:
    for part in value.parts:
        if isinstance(part, Value):
            yield part
        elif isinstance(part, tuple):
            yield from (p for p in part if isinstance(p, Value))


__all__ = ["LOAD", "STORE", "Events", "Tensor", "TooManyError", "Walk"]

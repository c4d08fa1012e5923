"""Distances between operand and result: equal to what every single access says."""

from collections.abc import Callable

import numpy as np
import pytest

from gatewright.backends.firmware.memory.overlap import Distance, distance
from gatewright.backends.loops.code import Code, Function, Memory, Parameter, Value, function, index, minimum, select
from gatewright.backends.loops.program import Block, Call, Pointer
from gatewright.graph import Fixed, Node
from gatewright.graph.ops import Input

from .interpreter import Kernel

BYTES = 96
Writer = Callable[[Code, Memory, Memory], None]
NODE = Node(Input("x", (1,), Fixed(8, 8)))


def brute_force(made: Function, x: Memory, y: Memory, sizes: tuple[int, int]) -> Distance:
    """Compare every store with every later load."""
    events: list[tuple[int, int, bool]] = []

    def touch(memory: Memory, at: int, size: int, store: bool) -> None:
        if memory is (y if store else x):
            events.append((at, at + size, store))

    tables = {p.memory: TABLE for p in made.parameters if p.memory is not None and p.memory not in (x, y)}
    Kernel(touch, tables, {}).run(made.body)
    above, below = -sizes[0], -sizes[1]
    for i, (low, high, store) in enumerate(events):
        for a, b, other in events[i + 1 :]:
            if store and not other:
                above, below = max(above, high - a), max(below, b - low)
    return Distance(above, below)


TABLE = np.random.default_rng(7).integers(0, 12, 16).astype(np.int32)


class Drawer:
    """A kernel drawn at random: loops in loops, loads and stores at affine places, conditions, tiles shifted back."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.code = Code()
        kinds = ("int8", "int16", "int32")
        self.pointers = [Parameter.pointer(n, str(self.rng.choice(kinds))) for n in ("x", "y")]
        self.table = Parameter.pointer("table", "int32")
        self.x, self.y = (p.memory for p in self.pointers)
        self.variables: list[Value] = []

    def draw(self) -> Function:
        self.block(3)
        self.store()
        return function([*self.pointers, self.table], self.code)

    def place(self, memory: Memory | None) -> Value:
        assert memory is not None
        most = BYTES * 8 // int(memory.dtype[3:]) - 1
        at = index(int(self.rng.integers(0, most // 2)))
        for v in self.variables:
            if self.rng.random() < 0.6:
                at = at + v * int(self.rng.integers(-3, 6))
        if self.variables and self.rng.random() < 0.2:
            at = at + self.pick() % 3
        if self.rng.random() < 0.1:
            assert self.table.memory is not None
            at = at + self.table.memory.load(self.pick() if self.variables else 3)
        at = minimum(at, most)
        at = select(at < 0, index(0), at) if self.rng.random() < 0.3 else minimum(at * at, most)
        return self.code.let(at) if self.rng.random() < 0.5 else at

    def pick(self) -> Value:
        return self.variables[int(self.rng.integers(len(self.variables)))]

    def store(self) -> None:
        assert self.x is not None
        assert self.y is not None
        value = self.x.load(self.place(self.x)) if self.rng.random() < 0.6 else None
        number = index(1) if value is None else value
        if value is not None and self.variables and self.rng.random() < 0.3:
            number = select(self.pick() > 1, value, self.x.load(self.place(self.x)))
        self.code.store(self.y, self.place(self.y), number)

    def load(self) -> None:
        assert self.x is not None
        room = self.code.local(self.x.dtype, 1)
        self.code.store(room, 0, self.x.load(self.place(self.x)))

    def block(self, depth: int) -> None:
        for _ in range(int(self.rng.integers(1, 4))):
            kind = self.rng.random()
            if depth and kind < 0.5:
                outer = self.variables and self.rng.random() < 0.2
                begin = self.pick() if outer else index(int(self.rng.integers(0, 3)))
                extent = index(int(self.rng.integers(0, 5))) if self.rng.random() < 0.8 or not outer else self.pick()
                with self.code.loop(extent, begin) as i:
                    self.variables.append(i)
                    self.block(depth - 1)
                    self.variables.remove(i)
            elif self.variables and kind < 0.6:
                with self.code.when(self.pick() < 3):
                    self.load() if self.rng.random() < 0.5 else self.store()
            elif kind < 0.8:
                self.load()
            else:
                self.store()


@pytest.mark.parametrize("seed", range(160))
def test_distances_are_those_of_every_access(seed: int) -> None:
    drawn = Drawer(seed)
    made = drawn.draw()
    assert drawn.x is not None
    assert drawn.y is not None
    x, y = Block(BYTES), Block(BYTES)
    call = Call("k", (Pointer(x), Pointer(y), Pointer(None)), 0, NODE)
    found = distance(call, made, {0: TABLE}, x, y)
    assert found == brute_force(made, drawn.x, drawn.y, (BYTES, BYTES))


def simple(write: Writer, x: str = "int8", y: str = "int8") -> Function:
    code = Code()
    pointers = [Parameter.pointer("x", x), Parameter.pointer("y", y)]
    assert pointers[0].memory is not None
    assert pointers[1].memory is not None
    write(code, pointers[0].memory, pointers[1].memory)
    return function(pointers, code)


def near(made: Function, x: int, y: int) -> Distance:
    of_x, of_y = Block(x), Block(y)
    return distance(Call("k", (Pointer(of_x), Pointer(of_y)), 0, NODE), made, {}, of_x, of_y)


def test_elementwise_kernels_work_in_place() -> None:
    def write(code: Code, x: Memory, y: Memory) -> None:
        with code.loop(10) as i:
            code.store(y, i, x.load(i))

    assert near(simple(write), 10, 10) == Distance(0, 10)


def test_a_wider_result_grows_into_the_operand_from_below() -> None:
    def write(code: Code, x: Memory, y: Memory) -> None:
        with code.loop(10) as i:
            code.store(y, i, x.load(i))

    # element i of y takes bytes 2 i and 2 i + 1; bytes from i + 1 on of x are still to be read
    assert near(simple(write, "int8", "int16"), 10, 20) == Distance(9, 10)


def test_what_is_read_whole_before_anything_is_written_lies_anywhere() -> None:
    def write(code: Code, x: Memory, y: Memory) -> None:
        total = code.local("int32", 1)
        with code.loop(10) as i:
            code.store(total, 0, total.load(0) + x.load(i))
        code.store(y, 0, total.load(0))

    assert near(simple(write, "int32", "int32"), 40, 4) == Distance(-40, -4)


def test_an_operand_read_again_and_again_stays_whole() -> None:
    def write(code: Code, x: Memory, y: Memory) -> None:
        with code.loop(4) as i, code.loop(10) as j:
            code.store(y, i, y.load(i) + x.load(j))

    # the last row's first store may destroy only what that row has read by then
    assert near(simple(write), 10, 4) == Distance(3, 10)


def test_an_address_from_data_may_be_any() -> None:
    def write(code: Code, x: Memory, y: Memory) -> None:
        with code.loop(4) as i:
            code.store(y, i, x.load(x.load(i)))

    assert near(simple(write, "int32", "int32"), 40, 16) == Distance(12, 40)


def test_where_loops_are_too_long_tensors_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.backends.firmware.memory.walk.MOST_POINTS", 5)

    def write(code: Code, x: Memory, y: Memory) -> None:
        with code.loop(10) as i:
            code.store(y, i, x.load(i))

    assert near(simple(write), 10, 10) == Distance(10, 10)

"""How long a network takes on a processor that is not here: a roofline of the code that LLVM made of it.

Of each kernel it is known how often each block of its machine code runs (``control``), how many cycles the block takes
on a core with all data at hand (``pipeline``), and what its loops bring into each cache (``traffic``). A layer takes as
long as the slower of the two, and a part of the faster one, as neither hides the other wholly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...backends.loops.builder import summed_as
from ...backends.loops.code import Memory
from ...backends.loops.machine import Dot
from ...backends.loops.program import Call, Copy, Loop, Program, Statement
from ...boards import Board
from ...graph import Node
from .assembly import Function, functions
from .control import Counter, Counts
from .cores import Core, core_of
from .isa import InstructionSet, instruction_set
from .micro import Kind
from .pipeline import Pipeline
from .traffic import Traffic, read

HIDDEN = 0.8
"""Part of the shorter of the two, arithmetic and memory, that the longer one hides on a core out of order."""
CALL_CYCLES = 12.0
"""A call of a kernel: arguments, saved registers, the first misses of its instructions."""
OF_PEAK = 0.7
"""Part of a memory's rated bandwidth that one core gets."""
LEVELS = ("level 2", "level 3", "memory")


@dataclass(frozen=True)
class Hierarchy:
    """``caches``: bytes of the data caches, the nearest first; ``rates``: bytes a cycle from behind each of them."""

    caches: tuple[float, ...]
    rates: tuple[float, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class CallEstimate:
    """One call, ``count`` times an inference; figures are of one turn.

    ``mix``: instructions by the kind of their work; ``core``: cycles with all data in the first cache; ``moved``: bytes
    that come from behind each cache; ``memory``: cycles that these take; ``bound``: what keeps it from being faster;
    ``exact``: whether its instructions are counted with certainty; ``kind``: how it sums products, where it says.
    """

    node: Node
    kernel: str
    count: int
    macs: int
    instructions: int
    mix: Mapping[str, float]
    core: float
    moved: Mapping[str, float]
    memory: float
    cycles: float
    bound: str
    exact: bool
    kind: Dot | None = None


@dataclass(frozen=True)
class Estimate:
    """A network on a core; ``mhz`` is its clock, ``assumed`` where the board does not say it."""

    core: Core
    mhz: float
    assumed: bool
    calls: tuple[CallEstimate, ...]

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return sum(c.cycles * c.count for c in self.calls)

    @property
    def seconds(self) -> float:
        """Of one inference."""
        return self.cycles / self.mhz / 1e6

    @property
    def instructions(self) -> int:
        """Of the kernels in one inference."""
        return sum(c.instructions * c.count for c in self.calls)

    @property
    def exact(self) -> bool:
        """Whether all instructions are counted with certainty."""
        return all(c.exact for c in self.calls)


def hierarchy(board: Board, core: Core, mhz: float) -> Hierarchy:
    """Read a board's caches and its memory, the core's usual ones where it does not say."""
    known = {c.level: c.size_kib.value for c in reversed(board.caches) if c.kind != "instruction"}
    if board.kind == "gpu" or not known:
        known = {1: core.level1_kib, 2: core.level2_kib, 3: core.level3_kib}
    rated = [m.bandwidth_gb_s.value for m in board.memories if m.reach != "fabric" and m.bandwidth_gb_s]
    memory = min([core.memory_gb_s, *(OF_PEAK * r for r in rated[:1])])
    sizes = [known.get(level, 0.0) * 1024 for level in (1, 2, 3)]
    rates = [core.level2, core.level3 or core.level2 / 2, memory * 1e3 / mhz]
    there = [k for k in range(3) if sizes[k]]
    behind = [next((n - 1 for n in there if n > k), 2) for k in there]
    return Hierarchy(tuple(sizes[k] for k in there), tuple(rates[k] for k in behind), tuple(LEVELS[k] for k in behind))


def estimate(program: Program, assembly: str, board: Board, prefix: str) -> Estimate:
    """Estimate a program whose kernels' machine code is ``assembly``; their names begin with ``prefix``."""
    core, described = core_of(board)
    clock = described.clock_mhz.value if described is not None and described.clock_mhz else None
    mhz = clock or core.assumed_mhz
    machine = program.machine
    isa = instruction_set(machine.triple, machine.features)
    model = _Model(program, functions(assembly, isa.jumps), isa, core, hierarchy(board, core, mhz), prefix)
    return Estimate(core, mhz, clock is None, tuple(model.calls(program.statements, 1)))


class _Model:
    def __init__(
        self, program: Program, code: Mapping[str, Function], isa: InstructionSet, core: Core, memory: Hierarchy,
        prefix: str,
    ) -> None:  # fmt: skip
        self.program, self.code, self.isa, self.core, self.memory = program, code, isa, core, memory
        self.prefix = prefix
        self.pipeline = Pipeline(core)
        self.known: dict[tuple[str, int], CallEstimate] = {}
        self.resident = program.arena + len(program.constants)
        self.before = 0.0

    def calls(self, statements: Sequence[Statement], count: int) -> list[CallEstimate]:
        found: list[CallEstimate] = []
        for s in statements:
            match s:
                case Call():
                    found.append(self.call(s, count))
                case Loop():
                    found += self.calls(s.body, count * s.steps)
                case Copy():
                    pass  # a few bytes of state
        return found

    def call(self, call: Call, count: int) -> CallEstimate:
        counted = self.counted(call)
        traffic, given, stays = self.traffic(call)
        moved = self.moved(traffic, given, stays)
        each = [size / rate for size, rate in zip(moved, self.memory.rates, strict=True)]
        memory = sum(each) if self.core.in_order else max(each, default=0.0)
        hidden = 0.0 if self.core.in_order else HIDDEN
        cycles = max(counted.core, memory) + (1 - hidden) * min(counted.core, memory) + CALL_CYCLES
        slowest = max(range(len(each)), key=each.__getitem__, default=0)
        bound = self.memory.names[slowest] if memory > counted.core else counted.bound
        named: dict[str, float] = {}
        for name, size in zip(self.memory.names, moved, strict=True):
            named[name] = named.get(name, 0.0) + size
        self.before = sum(traffic.touched.values())
        return replace(
            counted, node=call.node, count=count, macs=call.macs, moved=named, memory=memory, cycles=cycles,
            bound=bound, kind=summed_as(call, self.program.machine),
        )  # fmt: skip

    def counted(self, call: Call) -> CallEstimate:
        """Count the instructions of a kernel, and the cycles that they take without misses."""
        key = (call.kernel, call.parts)
        if key not in self.known:
            function = self.code[f"{self.prefix}_{call.kernel}"]
            arguments = [(k + 1) * self.isa.pointer for k in range(len(call.arguments))]
            counts = Counter(function, self.isa.reader).count([*arguments, *([0, call.parts] if call.parts else [])])
            self.known[key] = self.run(call, function, counts)
        return self.known[key]

    def run(self, call: Call, function: Function, counts: Counts) -> CallEstimate:
        mix: dict[str, float] = {}
        cycles = 0.0
        bounds: dict[str, float] = {}
        total = 0
        for times, block in zip(counts.blocks, function.blocks, strict=True):
            micros = [self.isa.lens.micro(i) for i in block.body]
            if not times:
                continue
            rate = self.pipeline.rate(micros)
            cycles += times * rate.cycles
            bounds[rate.bound] = bounds.get(rate.bound, 0.0) + times * rate.cycles
            total += times * len(block.body)
            for micro in micros:
                kind: Kind | str = micro.work[-1][0] if micro.work else "move"
                mix[kind] = mix.get(kind, 0.0) + times
        bound = max(bounds, key=bounds.__getitem__, default="issue")
        return CallEstimate(call.node, call.kernel, 1, call.macs, total, mix, cycles, {}, 0.0, cycles, bound,
                            counts.exact)  # fmt: skip

    def traffic(self, call: Call) -> tuple[Traffic, list[Memory], list[Memory]]:
        """Read a kernel's loops: its traffic, and which of its memories are constants, and which are not."""
        function = self.program.kernels[call.kernel]
        memories = [p.memory for p in function.parameters if p.memory is not None]
        numbers = [p.variable for p in function.parameters if p.memory is None]
        sizes: dict[Memory, float] = {}
        constants, others = [], []
        for memory, pointer in zip(memories, call.arguments, strict=True):
            if pointer.block is None:
                sizes[memory] = float(self.program.arrays[pointer.offset].nbytes)
                constants.append(memory)
            else:
                sizes[memory] = float(pointer.block.bytes)
                others.append(memory)
        nest = read(function, dict(zip(numbers, (0, call.parts), strict=False)))
        return Traffic(nest, sizes), constants, others

    def moved(self, traffic: Traffic, constants: Sequence[Memory], others: Sequence[Memory]) -> list[float]:
        """Give the bytes that come from behind each cache.

        Constants were read last one inference ago, tensors were written by the calls before: what lies between fits
        into a cache, or they come from behind it; what is up to twice as much does so in part.
        """
        touched = traffic.touched
        near = self.before + sum(touched.values())
        found = []
        for size in self.memory.caches:
            brought = traffic.brought(size)
            total = 0.0
            for group, between in ((constants, self.resident), (others, min(near, self.resident))):
                there = min(max(2.0 - between / size, 0.0), 1.0)
                total += sum(max(brought.get(m, 0.0) - there * touched.get(m, 0.0), 0.0) for m in group)
            found.append(total)
        return found


__all__ = ["CallEstimate", "Estimate", "Hierarchy", "estimate", "hierarchy"]

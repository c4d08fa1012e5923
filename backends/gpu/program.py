"""The whole network as launches of kernels: which, on what memory, in what order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...graph import Graph, Node
from ...graph.ops import Conv, Dense, MatMul, Reduce, ScatterND, Softmax
from ..loops.builder import Builder, Held, matmul_macs
from ..loops.contract import contraction
from ..loops.kernels import Written
from ..loops.kernels.sorting import scatter_apart
from ..loops.layout import Layout
from ..loops.plan import Groups, Work, flat
from ..loops.prepare import prepare
from ..loops.program import STATUS, Call, Pointer, Program, place_blocks
from ..loops.scope import Scope
from .fusion import fusions
from .machine import GpuMachine
from .matrices import matrix_product
from .products import product
from .rows import fused, reduce, softmax
from .threads import Kernel, threaded
from .wgsl import tables


@dataclass(eq=False)
class GpuProgram(Program):
    """A program whose calls are launches: ``launched`` are the kernels with their threads, by name."""

    launched: dict[str, Kernel] = field(default_factory=dict)
    sizes: dict[Call, tuple[int, ...]] = field(default_factory=dict)
    """Bytes of each argument."""

    @property
    def gpu(self) -> GpuMachine:
        """The machine."""
        assert isinstance(self.machine, GpuMachine)
        return self.machine


def make_program(graph: Graph, machine: GpuMachine) -> GpuProgram:
    """Compile a graph to kernels and launches. Raises UnsupportedError for what cannot be compiled."""
    graph = prepare(flat(graph))
    program = GpuProgram(graph, machine)
    builder = _GpuBuilder(program, {})
    builder.surface(graph)
    builder.run(graph)
    program.arena = place_blocks(program.blocks)
    return program


@dataclass(frozen=True, eq=False)
class _Given:
    """Memory that a kernel is given: ``numbers`` are the parameters that it stands for."""

    pointer: Pointer
    bytes: int
    numbers: tuple[int, ...]


class _GpuBuilder(Builder):
    """Writes products in its own way, and gives everything else to threads."""

    program: GpuProgram
    groups: Groups | None = None

    def compute(self, groups: Groups, work: Work, chosen: Mapping[Node, Layout]) -> None:
        if self.groups is not groups:
            found = fusions(groups, self.program.gpu)
            self.groups, self.fused = groups, {f.end: f for f in found}
            self.inside = {w.end for f in found for w in f.works[:-1]}
        if work.end in self.inside:
            return
        if (steps := self.fused.get(work.end)) is None:
            super().compute(groups, work, chosen)
            return
        out = self.target(steps.end, chosen[steps.end], groups.users[steps.end])
        self.border(steps.end, out, chosen[steps.end])
        self.call(fused(self.program.gpu, self.layouts, steps, out.layout), out, steps.end)
        self.held[steps.end] = out

    def kernel(self, made: Written) -> str:
        assert isinstance(made, Kernel)
        names = [[(m.name, made.tables.get(m)) for m in together] for together in made.together]
        key = made.function.key + repr((made.blocks, made.threads, names)).encode()
        name = self.by_key.setdefault(key, f"k{len(self.by_key)}")
        self.program.launched.setdefault(name, made)
        return name

    def call(self, made: Written, out: Held, node: Node, macs: int = 0, *, whole: bool = True) -> None:
        kernel = made if isinstance(made, Kernel) else threaded(made)
        given = self._given(kernel.scope, out)
        if not self.program.gpu.narrow_storage:
            parameters = [p.memory for p in kernel.function.parameters if p.memory is not None]
            together = tuple(tuple(parameters[i] for i in g.numbers) for g in given)
            kernel = replace(kernel, tables=tables(kernel.scope)[1], together=together)
        super().call(kernel, out, node, macs, whole=whole)
        last = self.statements[-1]
        assert isinstance(last, Call)
        self.program.sizes[last] = tuple(g.bytes for g in given)

    def arguments(self, scope: Scope, out: Held) -> list[Pointer]:
        return [g.pointer for g in self._given(scope, out)]

    def _given(self, scope: Scope, out: Held) -> list[_Given]:
        """Say what a kernel is given.

        In WGSL two bindings may not be of the same memory, and there may be eight of them: what has the same address is
        one, and so are all constants.
        """
        held = [self.held[n] for n in (*(v for v, _ in scope.views), *scope.reads)]
        found = [_Given(h.pointer, h.layout.bytes, (i,)) for i, h in enumerate(held)]
        constants = [data for data, _ in scope.constants.values()]
        numbers = tuple(range(len(found), len(found) + len(constants)))
        if self.program.gpu.narrow_storage:
            found += [_Given(self.constant(c), c.nbytes, (i,)) for c, i in zip(constants, numbers, strict=True)]
        else:
            same: dict[tuple[object, ...], _Given] = {}
            for g in found:
                p = g.pointer
                place = (p.block, p.offset, p.stride, p.loop)
                before = same.get(place, replace(g, numbers=()))
                same[place] = _Given(p, max(g.bytes, before.bytes), (*before.numbers, *g.numbers))
            found = list(same.values())
            if constants:
                words = tables(scope)[0]
                found.append(_Given(self.constant(words), words.nbytes, numbers))
        last = len(held) + len(constants)
        flag = [] if scope.status is None else [_Given(Pointer(STATUS), STATUS.bytes, (last,))]
        return [*found, *flag, _Given(out.pointer, out.layout.bytes, (last + len(flag),))]

    def written(self, work: Work, out: Held) -> list[tuple[Written, int]]:
        m, end, anchor = self.program.gpu, work.end, work.anchor
        if anchor is not None and isinstance(anchor.op, Dense | Conv):
            c = contraction(anchor, m)
            assert c is not None
            return [(product(m, self.layouts, c, end, out.layout), c.macs)]
        if anchor is not None and isinstance(anchor.op, MatMul):
            return [(matrix_product(m, self.layouts, anchor, end, out.layout), matmul_macs(anchor))]
        if anchor is not None and isinstance(anchor.op, ScatterND):
            copied, updated = scatter_apart(m, self.layouts, anchor, out.layout)
            x, indices = anchor.inputs[:2]
            inside = sum(n > 1 for n in x.shape[indices.shape[-1] :])
            return [(threaded(copied), 0), (threaded(updated, inside), 0)]
        shared = None
        if anchor is not None and isinstance(anchor.op, Reduce):
            shared = reduce(m, self.layouts, anchor, end, out.layout)
        elif anchor is not None and isinstance(anchor.op, Softmax):
            shared = softmax(m, self.layouts, anchor, out.layout)
        return super().written(work, out) if shared is None else [(shared, 0)]

    def prepare(self, anchor: Node) -> None:
        if (c := contraction(anchor, self.machine)) is not None:
            self.packed(anchor.inputs[0], c)

    def advance(self, entry: Node, held: Held, fresh: Held) -> None:
        self.held[entry] = fresh
        self.move(entry, held)
        self.held[entry] = held

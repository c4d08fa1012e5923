"""The whole network as launches of kernels: which, on what memory, in what order."""

from dataclasses import dataclass, field

from ...graph import Graph, Node
from ...graph.ops import Conv, Dense, MatMul, Reduce, ScatterND, Softmax
from ..loops.contract import contraction
from ..loops.kernels import Written
from ..loops.kernels.sorting import scatter_apart
from ..loops.plan import Work, flat
from ..loops.prepare import prepare
from ..loops.program import STATUS, Builder, Call, Held, Program, matmul_macs, place_blocks
from .machine import GpuMachine
from .matrices import matrix_product
from .products import product
from .rows import reduce, softmax
from .threads import Kernel, threaded


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


class _GpuBuilder(Builder):
    """Writes products in its own way, and gives everything else to threads."""

    program: GpuProgram

    def kernel(self, made: Written) -> str:
        kernel = made if isinstance(made, Kernel) else threaded(made)
        key = kernel.function.key + repr((kernel.blocks, kernel.threads)).encode()
        name = self.by_key.setdefault(key, f"k{len(self.by_key)}")
        self.program.launched.setdefault(name, kernel)
        return name

    def call(self, made: Written, out: Held, node: Node, macs: int = 0, *, whole: bool = True) -> None:
        super().call(made, out, node, macs, whole=whole)
        scope, last = made.scope, self.statements[-1]
        assert isinstance(last, Call)
        read = [self.held[n].layout.bytes for n in (*(v for v, _ in scope.views), *scope.reads)]
        known = [data.nbytes for data, _ in scope.constants.values()]
        flag = [] if scope.status is None else [STATUS.bytes]
        self.program.sizes[last] = (*read, *known, *flag, out.layout.bytes)

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

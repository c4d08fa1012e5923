"""An int8 network as a runtime's reference kernels compute it: ``reference.c``, and a call of it for each layer.

Its tensors stand in an arena of their own, placed by lifetimes, none over another. Flags, start-up and linker script
are those of Gatewright's firmware.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.backends.firmware.source import array
from gatewright.backends.loops.program import Block, place_blocks
from gatewright.boards import Board
from gatewright.graph import Graph, Node, UnsupportedError
from gatewright.graph.arrays import NDArray
from gatewright.graph.ops import (
    Add,
    AvgPool,
    Constant,
    Conv,
    Dense,
    FixedSoftmax,
    MultiplyShift,
    Quantize,
    Reshape,
)
from gatewright.graph.ops.rescale import Scaling, integer_factor

from .program import Program

KERNELS = Path(__file__).with_name("reference.c")
NAME = "reference"
Parameters = Mapping[str, "str | int | Sequence[int]"]


@dataclass(frozen=True)
class Step:
    """A call of a kernel: the tensors that it reads, the last node of those that it computes, its parameters."""

    kernel: str
    operands: tuple[Node, ...]
    end: Node
    parameters: Parameters


class Reference:
    """The reference kernels of a graph on the emulated core of a board.

    Raises UnsupportedError for a graph with layers that they do not have, and where it does not fit the board.
    """

    def __init__(self, graph: Graph, board: Board) -> None:
        self.graph = graph
        writer = _Writer(graph)
        self.steps, self.arena = writer.steps, writer.arena
        self._places = {n: writer.block(n).offset for n in (*graph.inputs, *graph.outputs)}
        files = {f"{NAME}.c": writer.source().encode(), f"{NAME}.h": HEADER.encode()}
        self.program = Program(NAME, files, board, self.arena, "-Wno-unused-function")
        self.symbols = [f"{NAME}_{i}" for i in range(len(self.steps))]

    def run(self, inputs: Sequence[NDArray]) -> list[NDArray]:
        """Run once on stored integers [*shape] an input; give the outputs."""
        device = self.program.device
        begin = device.image.symbol(f"{NAME}_arena").address
        for node, values in zip(self.graph.inputs, inputs, strict=True):
            device.write(begin + self._places[node], values.astype(np.int8).tobytes())
        device.clear()
        device.call(f"{NAME}_run")
        return [
            np.frombuffer(device.read(begin + self._places[n], n.type.size), np.int8).reshape(n.shape)
            for n in self.graph.outputs
        ]


HEADER = f"""\
#include "gw.h"

void {NAME}_init(void);
int {NAME}_run(void);
"""


class _Writer:
    """Finds the kernels of a graph, places its tensors and writes the calls."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.steps = graph, list[Step]()
        self.blocks: dict[Node, Block] = {}
        self.arrays: dict[Node, str] = {}
        self.tables: list[str] = []
        self.made: dict[Node, Node] = {n: n for n in graph.inputs}
        for node in graph.inputs:
            self.blocks[node] = Block(node.type.size, first=0)
        for node in graph.outputs:
            self.made[node] = self.tensor(node.inputs[0])
        for i, step in enumerate(self.steps):
            for n in step.operands:
                self.blocks[n].last = i
            self.blocks[step.end].first, self.blocks[step.end].last = i, i
        for node in graph.outputs:
            self.block(node).last = len(self.steps)
        self.arena = place_blocks(list(self.blocks.values()))

    def block(self, node: Node) -> Block:
        """Give the memory of a tensor."""
        return self.blocks[self.made[node]]

    # Which kernels

    def tensor(self, node: Node) -> Node:
        """Give the node in whose memory a tensor stands, with the steps that lead to it."""
        if node not in self.made:
            self.made[node] = self.tensor(node.inputs[0]) if isinstance(node.op, Reshape) else self.computed(node)
        return self.made[node]

    def computed(self, node: Node) -> Node:
        """Add the step that ends in a node."""
        match node:
            case Node(op=MultiplyShift(), inputs=(Node(op=Conv()) as product,)):
                made = self.conv(node, product)
            case Node(op=MultiplyShift(), inputs=(Node(op=Dense()) as product,)):
                made = self.dense(node, product)
            case Node(op=MultiplyShift(), inputs=(Node(op=Add(), inputs=(a, b)),)):
                made = self.add(node, a, b)
            case Node(op=FixedSoftmax(), inputs=(x, table)):
                entries = self.constant(table, "int32")
                parameters = {"size": x.type.size, "entries": table.type.size, "exponentials": entries}
                made = Step("softmax", (self.tensor(x),), node, parameters)
            case Node(op=Quantize()) if (pool := _pool(node)) is not None:
                made = self.average(node, pool)
            case _:
                raise UnsupportedError(f"no reference kernel for {type(node.op).__name__}", where=node.where)
        self.blocks[node] = Block(-(-node.type.size // 4) * 4)
        self.steps.append(made)
        return node

    def conv(self, end: Node, product: Node) -> Step:
        """Call the kernel of convolutions, or that of depthwise ones."""
        op, scale, (x, weights, bias) = product.op, end.op, product.inputs
        assert isinstance(op, Conv)
        assert isinstance(scale, MultiplyShift)
        assert scale.scaling is Scaling.DOUBLE
        channels, filters = x.shape[-1], product.shape[-1]
        depthwise = op.groups == channels > 1
        parameters = {
            "in": x.shape, "out": product.shape, "top": op.padding[0][0], "left": op.padding[1][0],
            "kernel_height": weights.shape[0], "kernel_width": weights.shape[1],
            "stride_height": op.strides[0], "stride_width": op.strides[1],
            "dilation_height": op.dilation[0], "dilation_width": op.dilation[1],
            "per_group": channels // op.groups, "filters_per_group": filters // op.groups,
            "weights": self.constant(weights, "int8", (0, 1, 2, 3) if depthwise else (3, 0, 1, 2)),
            "bias": self.constant(bias, "int32"),
            "multiplier": self.table(np.resize(np.array(scale.multiplier, np.int32), filters)),
            "shift": self.table(np.resize(np.array(scale.shift, np.int32), filters)),
            "in_zero": _zero(x), "out_zero": _zero(end), "low": scale.low, "high": scale.high,
        }  # fmt: skip
        return Step("depthwise" if depthwise else "conv", (self.tensor(x),), end, parameters)

    def dense(self, end: Node, product: Node) -> Step:
        """Call the kernel of dense layers."""
        scale, (x, weights, bias) = end.op, product.inputs
        assert isinstance(scale, MultiplyShift)
        assert scale.scaling is Scaling.REAL
        low, high = product.type.interval
        reach = max(-int(low.min()), int(high.max()))
        factor = float(np.ldexp(float(scale.multiplier[0]), scale.shift[0] - 31))
        multiplier, shift = integer_factor(factor, reach, 255)
        assert multiplier * reach < 1 << 62
        depth, filters = weights.shape
        parameters = {
            "depth": depth, "filters": filters, "in_zero": _zero(x), "out_zero": _zero(end), "low": scale.low,
            "high": scale.high, "multiplier": multiplier, "shift": shift,
            "weights": self.constant(weights, "int8", (1, 0)), "bias": self.constant(bias, "int32"),
        }  # fmt: skip
        return Step("dense", (self.tensor(x),), end, parameters)

    def add(self, end: Node, *operands: Node) -> Step:
        """Call the kernel of sums: each operand has a change of scale of its own, from units of 2^-left."""
        scales = [n.op for n in (*operands, end)]
        sources = [n.inputs[0].inputs[0] for n in operands]
        assert all(isinstance(s, MultiplyShift) for s in scales)
        last = end.op
        assert isinstance(last, MultiplyShift)
        fine = operands[0].inputs[0].type.quantized
        parameters = {
            "size": end.type.size, "zero": [_zero(s) for s in sources], "out_zero": _zero(end),
            "left": int(sources[0].type.quantized.scale / fine.scale).bit_length() - 1,
            "multiplier": [s.multiplier[0] for s in scales], "shift": [s.shift[0] for s in scales],
            "low": last.low, "high": last.high,
        }  # fmt: skip
        return Step("add", tuple(map(self.tensor, sources)), end, parameters)

    def average(self, end: Node, pool: Node) -> Step:
        """Call the kernel of averages."""
        op, x = pool.op, _before(pool.inputs[0])
        assert isinstance(op, AvgPool)
        assert not any(map(any, op.padding))
        low, high = (int(b) for b in end.type.quantized.bounds)
        parameters = {
            "in": x.shape, "out": pool.shape, "window_height": op.window[0], "window_width": op.window[1],
            "stride_height": op.strides[0], "stride_width": op.strides[1], "low": low, "high": high,
        }
        return Step("average", (self.tensor(x),), end, parameters)

    # C

    def constant(self, node: Node, dtype: str, axes: tuple[int, ...] | None = None) -> str:
        """Write a constant, its axes in another order; give its name."""
        assert isinstance(node.op, Constant)
        return self.table(np.ascontiguousarray(node.type.quantized.centre(node.op.value.data).transpose(axes), dtype))

    def table(self, data: NDArray) -> str:
        """Write an array; give its name."""
        name = f"{NAME}_w{len(self.tables)}"
        self.tables.append(array(name, data))
        return name

    def source(self) -> str:
        """Write the whole program."""
        numbers = range(len(self.steps))
        return "\n".join([
            f'#include "{NAME}.h"', KERNELS.read_text(), *self.tables,
            f"unsigned char {NAME}_arena[{self.arena}] GW_ALIGNED(8);", *map(self.layer, self.steps, numbers),
            f"void {NAME}_init(void)\n{{\n}}\n", f"int {NAME}_run(void)\n{{", *(f"    {NAME}_{i}();" for i in numbers),
            "    return 0;\n}\n",
        ])  # fmt: skip

    def layer(self, step: Step, number: int) -> str:
        """Write the function of a layer: its parameters, a call."""
        values = ", ".join(f".{k} = {_literal(v)}" for k, v in step.parameters.items())
        places = [f"(int8_t *){NAME}_arena + {self.block(n).offset}" for n in (*step.operands, step.end)]
        call = f"{step.kernel}({', '.join(['&p', *places])})"
        kind = PARAMETERS.get(step.kernel, step.kernel)
        head = f"void {NAME}_{number}(void);\n__attribute__((noinline)) void {NAME}_{number}(void)"
        return f"{head}\n{{\n    static const {kind}_parameters p = {{{values}}};\n    {call};\n}}\n"


PARAMETERS = {"depthwise": "conv"}


def _literal(value: "str | int | Sequence[int]") -> str:
    return str(value) if isinstance(value, str | int) else f"{{{', '.join(map(str, value))}}}"


def _zero(node: Node) -> int:
    zero = node.type.quantized.zero
    assert isinstance(zero, int)
    return zero


def _before(node: Node) -> Node:
    """Give what a change of format, by way of a wider one, begins with."""
    while isinstance(node.op, Quantize) or (isinstance(node.op, Add) and isinstance(node.inputs[1].op, Constant)):
        node = node.inputs[0]
    return node


def _pool(node: Node) -> Node | None:
    """Give the pool whose result a change of format brings back to bytes."""
    node = _before(node)
    return node if isinstance(node.op, AvgPool) else None

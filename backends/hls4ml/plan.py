"""From the integer graph to the layers that hls4ml gets: one rule an operation, quantizers merged into what they
read, streams forked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

from ...graph import GatewrightError, Graph, ManyErrors, Node, Op, UnsupportedError, op_name
from ...graph.ops import OPS, Constant, Input, Output, Quantize
from ..states import without_states
from . import rules  # noqa: F401 - it registers the rules
from .kernel import DOUBLE_BITS, KERNEL_RULES, Kernel, is_constant, is_plain, refuse
from .layers import NATIVE, HlsType, Layer, Request, Wire, type_of
from .options import Options
from .reasons import REASONS, unlowered
from .reuse import Schedule, kernel_schedule, schedule

STRUCTURE: tuple[type[Op], ...] = (Input, Constant, Output)
"""Operations that are no layer: ports and operands."""

PORT_CLASHES = re.compile(r"[A-Za-z]+\d+(_\w+)?|\w*_t")
"""Names of inputs that generated variables and types could have too: w2, layer3_out, input_t."""

FORK_LIMIT = 4
"""Copies that one fork makes."""
RESERVED = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "asm",
        "auto",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "constexpr",
        "continue",
        "default",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "main",
        "mutable",
        "namespace",
        "new",
        "not",
        "nullptr",
        "operator",
        "or",
        "private",
        "protected",
        "public",
        "register",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "template",
        "this",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
        "xor",
        "bufsiz",
        "eof",
        "errno",
        "infinity",
        "input",
        "linux",
        "nan",
        "null",
        "output",
        "rand_max",
        "stderr",
        "stdin",
        "stdout",
        "unix",
        "nnet",
        "gw",
        "hls",
        "std",
    ]
)


@dataclass(frozen=True)
class Plan:
    """Layers in order of execution; ``schedules`` by layer name; ``notes`` what was changed of what was asked.

    ``dataflow``: the layers are processes side by side (a DATAFLOW region), not one pipeline.
    """

    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    layers: tuple[Layer, ...]
    schedules: dict[str, Schedule]
    notes: tuple[str, ...] = ()
    dataflow: bool = True


def missing(graph: Graph, options: Options) -> Iterator[GatewrightError]:
    """Give an error for each node that cannot be emitted."""
    try:
        without_states(graph, "an HLS project")
    except UnsupportedError as error:
        yield error
        return
    if not graph.is_integer:
        left = [unlowered(node) for node in graph.nodes if type(node.op) in REASONS]
        yield from left or [UnsupportedError("the graph is not all integers", hint="lower it first")]
        return
    yield from _unread(graph, options)
    builder = _Builder(graph, options)
    for node in graph.nodes:
        try:
            builder.add(node)
        except GatewrightError as error:
            yield error
            builder.wires[node] = Wire(builder.name(node), node.shape or (1,), type_of(node.type), node)


def _unread(graph: Graph, options: Options) -> Iterator[GatewrightError]:
    """Refuse streams into the network that nothing empties: whoever writes them would wait for ever."""
    for node in graph.inputs if options.stream else ():
        if not graph.users[node]:
            what = f"nothing reads the input {graph.names[node]!r}, and a stream that nothing reads stalls its writer"
            yield UnsupportedError(what, hint="leave the input out of the model, or use --io parallel")


def make_plan(graph: Graph, options: Options) -> Plan:
    """Choose the layers. Raises UnsupportedError (ManyErrors for several) for what cannot be emitted."""
    if problems := list(missing(graph, options)):
        raise problems[0] if len(problems) == 1 else ManyErrors(problems)
    builder = _Builder(graph, options)
    for node in graph.nodes:
        builder.add(node)
    return builder.plan()


@dataclass
class _Builder:
    graph: Graph
    options: Options
    wires: dict[Node, Wire] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Emit one node; its operands are there."""
        if node in self.wires or isinstance(node.op, Constant):
            return
        if isinstance(node.op, Input):
            self.wires[node] = Wire(self.name(node), node.shape or (1,), type_of(node.type), node)
        elif isinstance(node.op, Output):
            self._operand(node, node.inputs[0])
        else:
            self._operation(node)

    def name(self, node: Node) -> str:
        """Give a name that C++ and hls4ml take, unique without regard to case."""
        base = re.sub(r"_+", "_", self.graph.names[node])
        base = f"x{base}" if base.startswith("_") else base
        if base.lower() in RESERVED or (isinstance(node.op, Input) and PORT_CLASHES.fullmatch(base)):
            base = f"{base}_in" if isinstance(node.op, Input) else f"{base}_layer"
        name, count = base, 1
        while name.lower() in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.taken.add(name.lower())
        self.sources[name] = node.where
        return name

    def _operand(self, node: Node, operand: Node) -> Wire:
        if operand not in self.wires:
            raise refuse(node, f"{op_name(node.op)} of constants only", "fold the constants before")
        return self.wires[operand]

    def _operation(self, node: Node) -> None:
        if type(node.op) in REASONS:
            raise unlowered(node)
        if all(is_constant(i) for i in node.inputs):
            raise refuse(node, f"{op_name(node.op)} of constants only", "fold the constants before")
        reader = self._quantizer(node)
        name = self.name(node)
        if reader is not None and isinstance(reader.op, Quantize):
            kind = HlsType(type_of(reader.type).format, reader.op.rounding, reader.op.overflow)
            if self._native(node, Wire(name, node.shape or (1,), kind, reader)):
                return
        result = Wire(name, node.shape or (1,), type_of(node.type), node)
        if not self._native(node, result):
            self._kernel(node, result)

    def _quantizer(self, node: Node) -> Node | None:
        """Give the one node that reads ``node``, where it is a quantizer that a layer's result type can express."""
        users = self.graph.users[node]
        if (
            len(users) != 1
            or not isinstance(users[0].op, Quantize)
            or not (is_plain(node.type) and is_plain(users[0].type))
        ):
            return None
        one_bit = users[0].type.quantized.width == 1 and users[0].op.overflow == "SAT_SYM"
        return None if one_bit else users[0]

    def _native(self, node: Node, result: Wire) -> bool:
        rule = NATIVE.get(type(node.op))
        if rule is None or any(is_constant(i) for i in node.inputs[:1]):
            return False
        operands = tuple(self._operand(node, i) for i in node.inputs if not is_constant(i))
        made = rule(Request(node, operands, result, self.options))
        if made is None:
            return False
        self._append(made, result)
        return True

    def _kernel(self, node: Node, result: Wire) -> None:
        from . import kernels  # noqa: F401 - it registers the rules

        if not self.options.verifiable:
            what = f"{op_name(node.op)} with these attributes, shapes and formats for {self.options.tool}"
            hint = "hls4ml has no layer for it, our kernels are for vitis and vivado; --output logits drops a softmax"
            raise refuse(node, what, hint)
        if type(node.op) not in KERNEL_RULES:
            raise refuse(node, f"{op_name(node.op)} with these attributes and shapes")
        kernel = KERNEL_RULES[type(node.op)](node)
        for name, numbers in kernel.constants.items():
            data = numbers.values.data
            if data.size and max(abs(int(data.min())), abs(int(data.max()))) >= 1 << DOUBLE_BITS:
                raise refuse(node, f"constants ({name}) of over {DOUBLE_BITS} bits", "quantize them with fewer bits")
        inputs = tuple(self._operand(node, i) for i in kernel.inputs)
        self._append((Layer("GatewrightKernel", inputs, (result,), kernel=kernel),), result)

    def _append(self, layers: tuple[Layer, ...], result: Wire) -> None:
        self.layers += layers
        assert result.node is not None
        self.wires[result.node] = result

    def plan(self) -> Plan:
        """Finish: ports of their own for the outputs, forks for streams, schedules."""
        inputs = tuple(self.wires[n] for n in self.graph.inputs)
        layers, outputs = _ports(self.layers, inputs, [self.wires[o.inputs[0]] for o in self.graph.outputs])
        if not self.options.verifiable and len(layers) > len(self.layers):
            raise UnsupportedError(
                f"{self.options.tool} cannot give an input, an inner tensor or a reshape as an output",
                hint="use vitis or vivado",
            )
        if self.options.stream:
            layers = _flatten_in_place(layers, outputs)
        layers = [replace(layer, name=layer.outputs[0].name) for layer in layers]
        schedules = {y.name: s for y in layers if (s := self._schedule(y))}
        dataflow = self.options.stream or _needs_dataflow(layers, schedules)
        if dataflow and self.options.verifiable:
            layers = _fork(layers, inputs)
        notes = tuple(s.note for s in schedules.values() if s.note)
        if self.options.tool in ("oneapi", "quartus"):
            _refuse_one_bit(self.options.tool, [*inputs, *(w for y in layers for w in y.outputs)])
        return Plan(inputs, tuple(outputs), tuple(layers), schedules, notes, dataflow)

    def _schedule(self, layer: Layer) -> Schedule | None:
        source = self.sources.get(layer.name, "")
        if layer.product:
            return schedule(self.options, layer.name, *layer.product, source=source)
        if layer.kernel is None or not layer.kernel.products:
            return None
        shape = layer.outputs[0].shape
        return kernel_schedule(self.options, layer.name, layer.kernel.products, prod(shape[:-1]), source=source)


def _needs_dataflow(layers: list[Layer], schedules: dict[str, Schedule]) -> bool:
    """Whether arrays need a DATAFLOW region: one pipeline would unroll what is to be done one after the other.

    hls4ml's convolutions loop over places and its strategy resource over products; a reuse factor is an interval.
    """
    loops = any(y.kind in ("Conv1D", "Conv2D") or (y.kernel and y.kernel.is_loop) for y in layers)
    return loops or any(s.strategy == "resource" or s.reuse_factor > 1 for s in schedules.values())


def _refuse_one_bit(tool: str, wires: list[Wire]) -> None:
    """hls4ml writes formats of one bit as two for these tools: other numbers where something wraps or saturates."""
    for wire in wires:
        if wire.type.width == 1:
            raise UnsupportedError(
                f"{tool} has no formats of one bit",
                where=wire.node.where if wire.node else wire.name,
                hint="use two bits, or vitis",
            )


def _ports(layers: list[Layer], inputs: tuple[Wire, ...], outputs: list[Wire]) -> tuple[list[Layer], list[Wire]]:
    """Give each output a variable that nothing else reads or writes: a copy where it is an input, read inside, or
    given twice.

    With arrays a reshape shares its operand's memory, so an output that is one gets a copy too.
    """
    names = [wire.name for wire in outputs]
    read = {wire.name for layer in layers for wire in layer.inputs} | {wire.name for wire in inputs}
    read |= {name for name in names if names.count(name) > 1}
    views = {layer.output.name for layer in layers if layer.kind == "Reshape"}
    ports: list[Wire] = []
    for wire in outputs:
        if wire.name in read | views:
            port = replace(wire, name=f"{wire.name}_out{len(ports)}")
            layers = [*layers, _copy(wire, (port,))]
            wire = port
        ports.append(wire)
    return layers, ports


def _flatten_in_place(layers: list[Layer], outputs: list[Wire]) -> list[Layer]:
    """Let a Dense that alone reads a flattened stream take its packs as they come: repacked, all would be one pack."""
    readers: dict[str, list[str]] = {}
    for layer in layers:
        for wire in layer.inputs:
            readers.setdefault(wire.name, []).append(layer.kind)
    kept = {wire.name for wire in outputs}

    def inlined(layer: Layer) -> Layer:
        flat = layer.kind == "Repack" and len(layer.output.shape) == 1 and layer.output.name not in kept
        return replace(layer, kind="Reshape") if flat and readers[layer.output.name] == ["Dense"] else layer

    return [inlined(layer) for layer in layers]


def _copy(wire: Wire, copies: tuple[Wire, ...]) -> Layer:
    function = "copy" if len(copies) == 1 else "fork"
    assert wire.node is not None
    kernel = Kernel(function, "gw_wires.h", (wire.node,), wire.node)
    return Layer("GatewrightKernel", (wire,), copies, kernel=kernel, name=copies[0].name)


def _fork(layers: list[Layer], inputs: tuple[Wire, ...]) -> list[Layer]:
    """A stream is read once, an array between processes too: put forks behind tensors that are read more often."""
    spare: dict[str, list[Wire]] = {}
    made: list[Layer] = []
    readers: dict[str, int] = {}
    for layer in layers:
        for wire in layer.inputs:
            readers[wire.name] = readers.get(wire.name, 0) + 1
    for wire in inputs:
        made += _forks(wire, readers.get(wire.name, 0), spare)
    for layer in layers:
        made.append(replace(layer, inputs=tuple(spare[w.name].pop(0) if w.name in spare else w for w in layer.inputs)))
        for wire in layer.outputs:
            made += _forks(wire, readers.get(wire.name, 0), spare)
    return made


def _forks(wire: Wire, count: int, spare: dict[str, list[Wire]]) -> list[Layer]:
    """Give the tree of forks that makes ``count`` copies, which become ``spare`` under the wire's name."""
    if count < 2:
        return []
    open_ends, made, number = [wire], [], 0
    while len(open_ends) < count:
        source = open_ends.pop(0)
        width = min(FORK_LIMIT, count - len(open_ends))
        copies = tuple(replace(wire, name=f"{wire.name}_copy{number + i}") for i in range(width))
        number += width
        made.append(_copy(source, copies))
        open_ends += copies
    spare[wire.name] = open_ends
    return made


__all__ = ["OPS", "REASONS", "STRUCTURE", "Plan", "make_plan", "missing"]

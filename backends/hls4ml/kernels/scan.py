"""The kernel of a recurrence: C++ written for its body, which calls the kernels of the body's operations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from ....graph import Graph, Node, op_name
from ....graph.ops import Constant, Input, Output, Scan
from ..configuration import config_text, spelled_type
from ..kernel import KERNEL_RULES, Kernel, Numbers, carrier, is_constant, kernel_rule, numbers, refuse

NAME = "DIGEST"
"""Stands for the name in the text of which the name is the digest."""


@kernel_rule(Scan)
def scan(node: Node) -> Kernel:
    """One loop over the steps; the body's operations are done by kernels on arrays, whatever hls4ml has for them."""
    op = node.op
    assert isinstance(op, Scan)
    body = _Body(op.body)
    if not (computed := tuple(i for i in node.inputs if not is_constant(i))):
        raise refuse(node, "a scan of constants only", "fold constants before")
    constants = body.constants | {
        f"operand{i}": numbers(x) for i, x in enumerate(node.inputs) if is_constant(x)
    }  # read in place of an operand
    text = _header(node, op, body, list(constants))
    digest = blake2b(text.encode(), digest_size=5).hexdigest()
    header = f"gw_scan_{digest}.h"
    sources = {header: text.replace(NAME, digest)}
    return Kernel(f"scan_{digest}", header, computed, node, {}, constants, body.products, sources=sources, is_loop=True)


@dataclass
class _Body:
    """The body's operations in order: configurations, calls, the constants that the calls read."""

    graph: Graph
    constants: dict[str, Numbers] = field(default_factory=dict)
    configs: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    names: dict[Node, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    products: int = 0

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            self.names[node] = f"v{len(self.names)}"
            if not isinstance(node.op, (Input, Output, Constant)):
                self._operation(node)
        self.results = [self._result(o) for o in self.graph.outputs]

    def _operation(self, node: Node) -> None:
        if isinstance(node.op, Scan):
            raise refuse(node, "a scan inside of a scan", "unroll the inner one")
        if type(node.op) not in KERNEL_RULES:
            raise refuse(node, f"{op_name(node.op)} in the body of a recurrence")
        kernel = KERNEL_RULES[type(node.op)](node)
        index = int(self.names[node][1:])
        own = {name: self._shared(f"k{index}_{name}", found) for name, found in kernel.constants.items()}
        sizes = ([i.type.size for i in kernel.inputs], node.type.size)
        types = {name: spelled_type(found.format) for name, found in kernel.constants.items()}
        self.configs.append(config_text(kernel, index, sizes, "R", types))
        values = [*(self.names[i] for i in kernel.inputs), self.names[node], *own.values()]
        kinds = ", ".join([*(f"t_{self.names[i]}" for i in kernel.inputs), f"t_{self.names[node]}", f"config{index}"])
        self.calls += [self.array(node), f"gw::{kernel.function}<{kinds}>({', '.join(values)}); // {self.title(node)}"]
        self.products += kernel.products

    def _shared(self, name: str, found: Numbers) -> str:
        """Give the name under which a constant is passed: the gates of a layer read one table."""
        shared = next((old for old, known in self.constants.items() if known == found), name)
        self.constants[shared] = found
        return shared

    def title(self, node: Node) -> str:
        """Say in a comment what a call is."""
        return f"{op_name(node.op)} {self.graph.names[node]}"

    def array(self, node: Node) -> str:
        """Declare the array that holds a node's value."""
        name = self.names[node]
        return f"t_{name} {name}[{node.type.size}];\n#pragma HLS ARRAY_PARTITION variable={name} complete"

    def _result(self, output: Node) -> str:
        """Copy what an output reads: a computed value, an input, or a constant."""
        source, to = output.inputs[0], self.names[output]
        if not isinstance(source.op, Constant):
            return f"copy_all<{output.type.size}>({self.names[source]}, {to});"
        name = self._shared(f"k{to}_value", numbers(source))
        return f"copy_all<{output.type.size}>({name}, {to});"

    def text(self) -> str:
        """Give the structure; its function ``step`` reads the inputs and the constants and writes the outputs."""
        ends = [*self.graph.inputs, *self.graph.outputs]
        kept = [n for n in self.graph.nodes if not isinstance(n.op, Constant)]
        typedefs = [f"typedef {spelled_type(carrier(n.type))} t_{self.names[n]};" for n in kept]
        parameters = [f"t_{self.names[n]} *{self.names[n]}" for n in ends]
        parameters += [f"{name}_T *{name}" for name in self.constants]
        head = f"template <{', '.join(f'class {name}_T' for name in self.constants)}>" if self.constants else ""
        lines = ["#pragma HLS PIPELINE II=R", *self.calls, *self.results]
        step = f"static void step({', '.join(parameters)}) {{\n{_indented(lines)}}}"
        members = [*typedefs, *(c.rstrip("\n") for c in self.configs), *([head] if head else []), step]
        return f"template <unsigned R> struct body_{NAME} {{\n{_indented(members)}}};\n"


def _indented(lines: list[str]) -> str:
    return "".join(f"    {row}\n" for line in lines for row in line.split("\n"))


def _header(node: Node, op: Scan, body: _Body, constants: list[str]) -> str:
    structure = body.text()
    names = [*body.constants, *(c for c in constants if c not in body.constants)]
    plan = _Loop(node, op, body, names)
    guard = f"GATEWRIGHT_SCAN_{NAME}_H_"
    parts = [
        f"// A recurrence of {op.steps} steps; written for its network.",
        f"#ifndef {guard}\n#define {guard}\n\n#include \"gw_scan.h\"\n\nnamespace gw {{\n",
        structure, plan.function(stream=False), plan.function(stream=True), "} // namespace gw\n\n#endif\n",
    ]  # fmt: skip
    return "\n".join(parts)


@dataclass
class _Loop:
    """The function around the body. Operands that are constants are read like arrays."""

    node: Node
    op: Scan
    body: _Body
    constants: list[str]

    def function(self, *, stream: bool) -> str:
        """Give the overload for arrays or for streams."""
        ports = [i for i, x in enumerate(self.node.inputs) if not is_constant(x)]
        kinds = [f"class in{k}_T" for k in range(len(ports))] + ["class out_T", "class C"]
        kinds += [f"class {name}_T" for name in self.constants]
        declared = [
            f"hls::stream<in{k}_T> &in{k}" if stream else f"in{k}_T in{k}[C::n_in{k}]" for k in range(len(ports))
        ]
        declared.append("hls::stream<out_T> &out" if stream else "out_T out[C::n_out]")
        declared += [f"{name}_T {name}[C::n_{name}]" for name in self.constants]
        lines = [f"typedef body_{NAME}<C::reuse_factor> B;", *self.lines(ports, stream)]
        return f"template <{', '.join(kinds)}>\nvoid scan_{NAME}({', '.join(declared)}) {{\n{_indented(lines)}}}\n"

    def lines(self, ports: list[int], stream: bool) -> Iterator[str]:
        """Give the function's lines: what is there before the loop, the loop, what is written after it."""
        op, inputs = self.op, self.body.graph.inputs
        sources = {i: (f"in{ports.index(i)}" if i in ports else f"operand{i}") for i in range(len(inputs))}
        whole = {i for i in range(op.sequences) if stream and i in ports and self.waits(i)}
        for i, entry in enumerate(inputs):
            name = self.body.names[entry]
            yield self.local(name, entry)
            if i >= op.sequences:
                yield self.read(sources[i], name, entry.type.size, stream and i in ports)
            elif i in whole:
                size = op.steps * entry.type.size
                yield f"typename B::t_{name} all_{name}[{size}];\nread_tensor<{size}>({sources[i]}, all_{name});"
        for output in self.body.graph.outputs:
            yield self.local(self.body.names[output], output)
        late = stream and (op.reverse or not self.node.shape[1:]) and not op.last
        emitted = self.body.graph.outputs[-1]
        if late:
            yield f"typename B::t_{self.body.names[emitted]} all_out[{self.node.type.size}];"
        turn = _indented(list(self.turn(sources, whole, stream, late)))
        yield f"for (unsigned t = 0; t < {op.steps}; t++) {{\n{turn}}}"
        if op.last:
            call = "write_tensor" if stream else "copy_all"
            yield f"{call}<{emitted.type.size}>({self.body.names[emitted]}, out);"
        elif late:
            yield f"write_tensor<{self.node.type.size}>(all_out, out);"

    def waits(self, i: int) -> bool:
        """Whether a stream has to be read whole before the first step: backwards, or one pack for all steps."""
        return self.op.reverse or not self.body.graph.inputs[i].shape

    def local(self, name: str, node: Node) -> str:
        """Declare registers for what enters or leaves a step."""
        declared = f"typename B::t_{name} {name}[{node.type.size}];"
        return f"{declared}\n#pragma HLS ARRAY_PARTITION variable={name} complete"

    def read(self, source: str, name: str, size: int, stream: bool) -> str:
        """Fill registers from a stream, an array or a table."""
        return f"read_tensor<{size}>({source}, {name});" if stream else f"copy_all<{size}>({source}, {name});"

    def turn(self, sources: dict[int, str], whole: set[int], stream: bool, late: bool) -> Iterator[str]:
        """Give one step: operands, the body, the states handed on, the emission."""
        op, graph, names = self.op, self.body.graph, self.body.names
        yield f"const unsigned at = {f'{op.steps - 1} - t' if op.reverse else 't'};"
        for i, entry in enumerate(graph.inputs[: op.sequences]):
            size, name = entry.type.size, names[entry]
            live = stream and sources[i].startswith("in") and i not in whole
            source = f"all_{name}" if i in whole else sources[i]
            yield self.read(source if live else f"{source} + at * {size}", name, size, live)
        values = [names[n] for n in (*graph.inputs, *graph.outputs)] + list(self.body.constants)
        yield f"B::step({', '.join(values)});"
        for entry, output in zip(graph.inputs[op.sequences :], graph.outputs[: op.states], strict=False):
            yield f"copy_all<{entry.type.size}>({names[output]}, {names[entry]});"
        emitted = graph.outputs[-1]
        size, name = emitted.type.size, names[emitted]
        if op.last:
            return
        if stream and not late:
            yield f"write_tensor<{size}>({name}, out);"
        else:
            yield f"copy_all<{size}>({name}, {'all_out' if late else 'out'} + at * {size});"


__all__ = ["scan"]

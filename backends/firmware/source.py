"""The network's C: kernels, the sequence of layers, the arena, the header."""

import re
from collections.abc import Mapping, Sequence
from textwrap import indent

import numpy as np

from ...graph import Node
from ...graph.arrays import NDArray
from ...graph.evaluate.run import surface_shape
from ...graph.ops import Input
from ..loops.layout import interface_type
from ..loops.names import meaning, walk
from ..loops.program import Block, Call, Copy, Loop, Program, Statement
from ..loops.program import Pointer as Address
from .c import STORED, TYPES, Pointer, kernel, literal

PER_LINE = 120


def sources(program: Program, name: str) -> dict[str, bytes]:
    """Give the files of the network, by name: ``<name>.c``, ``<name>.h``, ``<name>_weights.h``."""
    writer = _Source(program, name)
    return {
        f"{name}.c": writer.source().encode(),
        f"{name}.h": writer.header().encode(),
        f"{name}_weights.h": writer.weights().encode(),
    }


class _Source:
    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.loops: dict[Loop, str] = {}
        self.layers: list[str] = []

    # Kernels

    def kernels(self) -> list[str]:
        """Write every kernel. Two calls of one kernel have pointers of the same kinds."""
        found: dict[str, str] = {}
        for call in walk(self.program.statements):
            if call.kernel not in found:
                function = self.program.kernels[call.kernel]
                kinds = [Pointer(a.block is None, a is call.arguments[-1] or _is_status(a)) for a in call.arguments]
                found[call.kernel] = kernel(function, kinds, call.kernel)
        return list(found.values())

    # Layers

    def statements(self, statements: Sequence[Statement]) -> list[str]:
        """Write statements, in order."""
        lines: list[str] = []
        for s in statements:
            match s:
                case Call():
                    lines.append(self.call(s))
                case Copy():
                    lines.append(f"gw_copy({self.pointer(s.target)}, {self.pointer(s.source)}, {s.bytes});")
                case Loop():
                    t = self.loops[s] = f"t{len(self.loops)}"
                    turns = f"{t} = {s.steps - 1}; {t} >= 0; {t}--" if s.reverse else f"{t} = 0; {t} < {s.steps}; {t}++"
                    body = "\n".join(self.statements(s.body))
                    lines += [f"for (int32_t {turns}) {{", indent(body, "    "), "}"]
        return lines

    def call(self, s: Call) -> str:
        """Write the call of a kernel, in a function of its own that carries the layer's name."""
        function = self.program.kernels[s.kernel]
        pointers = [p for p in function.parameters if p.memory is not None]
        operands = []
        for parameter, address in zip(pointers, s.arguments, strict=True):
            assert parameter.memory is not None
            dtype = parameter.memory.dtype
            if address.block is None:
                operands.append(self.constant(address, dtype))
            elif _is_status(address):
                operands.append("status")
            else:
                const = "" if address is s.arguments[-1] else "const "
                operands.append(f"({const}{STORED[dtype]} *)({self.pointer(address)})")
        if s.parts:
            operands += ["0", str(s.parts)]
        text = f"{s.kernel}({', '.join(operands)});"
        if any(a.loop is not None for a in s.arguments):
            return text
        layer = f"{self.name}_{len(self.layers)}_{_word(s.node)}"
        status = any(map(_is_status, s.arguments))
        head = f"GW_LAYER void {layer}({'int32_t *status' if status else 'void'})"
        self.layers.append(f"/* {_described(s)} */\n{head}\n{{\n    {text}\n}}")
        return f"{layer}({'status' if status else ''});"

    def constant(self, address: Address, dtype: str) -> str:
        array = self.program.arrays[address.offset]
        text = f"{self.name}_w{address.offset}"
        return text if str(array.dtype) == dtype else f"(const {STORED[dtype]} *){text}"

    def pointer(self, p: Address) -> str:
        """Write an address."""
        assert p.block is not None
        text = f"{self.name}_arena + {p.offset + p.block.offset}"
        return f"{text} + {self.loops[p.loop]} * {p.stride}" if p.loop is not None else text

    # Files

    def source(self) -> str:
        """Write ``<name>.c``."""
        program, name = self.program, self.name
        kernels = self.kernels()
        run = self.statements(program.statements)
        text = "\n".join([*kernels, *self.layers])
        floats = re.search(r"\b(float|double)\b", text) is not None
        copies = any("gw_copy" in line for line in run)
        status = ["int32_t status[1] = {0};"] if program.flagged else []
        body = [*status, *run, "return status[0];" if program.flagged else "return 0;"]
        return "\n".join([
            f'#include "{name}.h"', f'#include "{name}_weights.h"', f'#include "gw{"_float" if floats else ""}.h"', "",
            *_library(text), *(COPY if copies else []),
            f"unsigned char {name}_arena[{name.upper()}_ARENA_BYTES] GW_ALIGNED({name.upper()}_ALIGNMENT);", "",
            *self.ports(), "",
            "\n\n".join(kernels), "", "\n\n".join(self.layers), "",
            f"int {name}_run(void)", "{", *(indent(line, "    ") for line in body), "}", "",
        ])  # fmt: skip

    def ports(self) -> list[str]:
        """Define the pointers to inputs and outputs."""
        return [
            f"{kind} *const {self.name}_{block.port} = ({kind} *)({self.name}_arena + {block.offset});"
            for kind, block, _ in self.surface()
        ]

    def surface(self) -> list[tuple[str, Block, Node]]:
        """List the inputs and outputs: C type, memory, node."""
        blocks = {b.port: b for b in self.program.blocks if b.port}
        graph = self.program.graph
        found = [("", f"in{i}", n) for i, n in enumerate(graph.inputs)]
        found += [("const ", f"out{i}", n) for i, n in enumerate(graph.outputs)]
        return [(const + STORED[interface_type(n)], blocks[port], n) for const, port, n in found]

    def header(self) -> str:
        """Write ``<name>.h``."""
        name, upper = self.name, self.name.upper()
        lines = [
            f"#ifndef {upper}_H", f"#define {upper}_H", "", '#include "gw.h"', "", "#ifdef __cplusplus",
            'extern "C" {', "#endif", "",
            "/* Bytes of working memory, inputs and outputs among them. */",
            f"#define {upper}_ARENA_BYTES {max(self.program.arena, 1)}",
            f"#define {upper}_ALIGNMENT {self.program.machine.alignment}",
            f"extern unsigned char {name}_arena[{upper}_ARENA_BYTES];", "",
        ]  # fmt: skip
        for kind, block, node in self.surface():
            named = re.sub(r"[^\w .:()-]", "_", getattr(node.op, "name", ""), flags=re.ASCII)
            shape = surface_shape(node)
            what = "x".join(map(str, shape)) or "scalar"
            use = "fill before every run" if isinstance(node.op, Input) else "read after a run"
            lines += [
                f"/* {block.port}: {named}, {what} {TYPES[interface_type(node)]}, {meaning(node)}; {use}. */",
                f"#define {upper}_{block.port.upper()}_ELEMENTS {int(np.prod(shape))}",
                f"extern {kind} *const {name}_{block.port};", "",
            ]  # fmt: skip
        lines += [
            "/* Run the network once on what stands in the inputs.",
            " * Gives 0, 1 where an index lay outside of what it picks from, 2 where a divisor was zero. */",
            f"int {name}_run(void);", "", "#ifdef __cplusplus", "}", "#endif", "", "#endif", "",
        ]  # fmt: skip
        return "\n".join(lines)

    def weights(self) -> str:
        """Write ``<name>_weights.h``: every constant, as an array of its own type."""
        guard = f"{self.name.upper()}_WEIGHTS_H"
        used = dict(sorted(self.program.arrays.items()))
        arrays = "\n".join(array(f"{self.name}_w{offset}", data) for offset, data in used.items())
        return f'#ifndef {guard}\n#define {guard}\n\n#include "gw.h"\n\n{arrays}\n#endif\n'


COPY = """\
static void gw_copy(unsigned char *to, const unsigned char *from, int32_t bytes)
{
    for (int32_t i = 0; i < bytes; i++) to[i] = from[i];
}
""".splitlines()


def array(name: str, data: NDArray) -> str:
    """Write an array of constants."""
    dtype = str(data.dtype)
    words = [literal(v, dtype) for v in data.ravel().tolist()]
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) + 2 > PER_LINE:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{word},"
    lines.append(line)
    alignment = " GW_ALIGNED(4)" if dtype in ("int8", "uint8", "int16", "uint16") else ""
    return f"static const {TYPES[dtype]} {name}[{len(words)}]{alignment} = {{\n" + "\n".join(lines) + "\n};"


def _is_status(address: Address) -> bool:
    return address.block is not None and address.block.port == "status"


def _word(node: Node) -> str:
    """Give a layer's name as a part of a C name."""
    named = node.where or type(node.op).__name__
    return re.sub(r"\W+", "_", named, flags=re.ASCII).strip("_").lower()[-32:].strip("_") or "layer"


def _described(call: Call) -> str:
    node = call.node
    macs = f", {call.macs:,} products" if call.macs else ""
    where = re.sub(r"[^\w .:/()-]", "_", node.where or type(node.op).__name__, flags=re.ASCII)
    return f"{where}: {'x'.join(map(str, node.shape)) or 'scalar'}{macs}"


def _library(text: str) -> list[str]:
    """Declare the functions of the C library that kernels call: freestanding compilers have no math.h."""
    names: Mapping[str, int] = {"powf": 2, "fmodf": 2}
    single = {f"{n}f" for n in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")}
    found = sorted(n for n in {*names, *single} if re.search(rf"\b{n}\(", text))
    lines = [f"extern float {n}({', '.join(['float'] * names.get(n, 1))});" for n in found]
    return [*lines, ""] if lines else []

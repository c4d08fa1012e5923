"""The network's C: kernels, the sequence of layers, the arena, the header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent

from ...graph import Node
from ...graph.arrays import NDArray
from ..loops.names import walk
from ..loops.program import Call, Copy, Loop, Program, Statement
from ..loops.program import Pointer as Address
from .c import PER_LINE, STORED, TYPES, Pointer, kernel, literal, wrapped
from .interface import Layer, header, ports

DSP = r"\bgw_(dot|rows|smlad|sadd16|[su]xtb16)"
"""What gw_dsp.h has."""
MVE = r"\bgw_(v4|across|windows|move|fill|[a-z]+4(_|\())"
"""What gw_mve.h has."""


@dataclass(frozen=True)
class Sources:
    """The files of a network, by name: ``<name>.c``, ``<name>.h``, ``<name>_weights.h``; and its layers in order."""

    files: Mapping[str, bytes]
    layers: Sequence[Layer]


def sources(program: Program, name: str) -> Sources:
    """Write the C of a network."""
    writer = _Source(program, name)
    files = {
        f"{name}.c": writer.source().encode(),
        f"{name}.h": header(program, name, writer.steps).encode(),
        f"{name}_weights.h": writer.weights().encode(),
    }
    return Sources(files, writer.steps)


class _Source:
    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.loops: dict[Loop, str] = {}
        self.layers: list[str] = []
        self.steps: list[Layer] = []

    # Kernels

    def kernels(self) -> list[str]:
        """Write every kernel, with the layers that use it. What all of its calls pass from flash is constant."""
        calls: dict[str, list[Call]] = {}
        for call in walk(self.program.statements):
            calls.setdefault(call.kernel, []).append(call)
        found = []
        for name, those in calls.items():
            function = self.program.kernels[name]
            memories = [p.memory for p in function.parameters if p.memory is not None]
            passed = zip(*(call.arguments for call in those), strict=True)
            constant = [all(a.block is None for a in addresses) for addresses in passed]
            kinds = [Pointer(c, m in function.written) for c, m in zip(constant, memories, strict=True)]
            more = f" and {len(those) - 1} more" if len(those) > 1 else ""
            found.append(f"/* {_named(those[0].node)}{more} */\n{kernel(function, kinds, name, shared=len(those) > 1)}")
        return found

    # Layers

    def step(self, statement: Statement) -> str:
        """Write a statement of the whole network as one function, and give its call."""
        calls = walk([statement])
        if isinstance(statement, Copy):
            block = statement.target.block
            assert block is not None
            self.steps.append(Layer(self.steps[-1].name, "gw_copy", 0, (), block.offset, block.offset + block.bytes))
            return self.statements([statement])[0]
        if isinstance(statement, Loop):
            symbol = f"{self.name}_{len(self.layers)}_{_word(calls[-1].node)}_steps"
            body = "\n".join(self.statements([statement]))
            text = f"{symbol}({'status' if any(map(_flagged, calls)) else ''});"
            self.layers.append(f"{_head(symbol, *calls)}\n{{\n{indent(body, '    ')}\n}}")
        else:
            (text,) = self.statements([statement])
            symbol = text.partition("(")[0]
        places = [a.offset for c in calls for a in c.arguments if a.block is None]
        written = [a.block for c in calls if (a := c.arguments[-1]).block is not None]
        begin, end = min(b.offset for b in written), max(b.offset + b.bytes for b in written)
        named = calls[-1].node.where or type(calls[-1].node.op).__name__
        macs = sum(c.macs for c in calls) * (statement.steps if isinstance(statement, Loop) else 1)
        self.steps.append(Layer(named, symbol, macs, tuple(dict.fromkeys(places)), begin, end))
        return text

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
                const = "" if parameter.memory in function.written else "const "
                operands.append(f"({const}{STORED[dtype]} *)({self.pointer(address)})")
        if s.parts:
            operands += ["0", str(s.parts)]
        text = "\n".join(wrapped(f"{s.kernel}(", operands, ");", PER_LINE - 4))
        if any(a.loop is not None for a in s.arguments):
            return text
        layer = f"{self.name}_{len(self.layers)}_{_word(s.node)}"
        self.layers.append(f"/* {_described(s)} */\n{_head(layer, s)}\n{{\n{indent(text, '    ')}\n}}")
        return f"{layer}({'status' if _flagged(s) else ''});"

    def constant(self, address: Address, dtype: str) -> str:
        array = self.program.arrays[address.offset]
        text = f"{self.name}_w{address.offset}"
        return text if str(array.dtype) == dtype else f"(const {STORED[dtype]} *){text}"

    def pointer(self, p: Address) -> str:
        """Write an address."""
        assert p.block is not None
        begin = p.offset + p.block.offset
        text = f"{self.name}_arena + {begin}" if begin else f"{self.name}_arena"
        return f"{text} + {self.loops[p.loop]} * {p.stride}" if p.loop is not None else text

    # Files

    def source(self) -> str:
        """Write ``<name>.c``."""
        program, name = self.program, self.name
        kernels = self.kernels()
        steps = [self.step(s) for s in program.statements]
        begin = self.begin()
        text = "\n".join([*kernels, *self.layers, *begin])
        floats = re.search(r"\b(float|double|gw_f32|gw_b?float\w+)\b", text) is not None
        copies = "gw_copy(" in text
        return "\n".join([
            f'#include "{name}.h"', f'#include "{name}_weights.h"', *(['#include "gw_float.h"'] if floats else []),
            *(['#include "gw_dsp.h"'] if re.search(DSP, text) else []),
            *(['#include "gw_dot.h"'] if "gw_bytes" in text else []),
            *(['#include "gw_pairs.h"'] if re.search(r"\bgw_(pairs|apart)", text) else []),
            *(['#include "gw_fields.h"'] if "gw_fields" in text else []),
            *(['#include "gw_mve.h"'] if re.search(MVE, text) else []), "",
            *_library(text), *(COPY if copies else []), *(CLEAR if "gw_clear(" in text else []),
            f"unsigned char {name}_arena[{name.upper()}_ARENA_BYTES] GW_ALIGNED({name.upper()}_ALIGNMENT);", "",
            *self.ports(), "",
            "\n\n".join(kernels), "", "\n\n".join(self.layers), "",
            *begin, *self.whole(steps),
        ])  # fmt: skip

    def ports(self) -> list[str]:
        """Define the pointers to inputs and outputs."""
        return [
            f"{p.ctype} *const {self.name}_{p.name} = ({p.ctype} *)({self.name}_arena + {p.block.offset});"
            for p in ports(self.program)
        ]

    def begin(self) -> list[str]:
        """Write what sets the states to their beginning, and what takes them out and puts them back."""
        name, residents = self.name, self.program.residents
        begins, saves, loads, at = [], [], [], 0
        for r in residents:
            place, size = f"{name}_arena + {r.block.offset}", r.layout.bytes
            if r.initial is None:
                begins.append(f"gw_clear({place}, {size});")
            else:
                begins.append(f"gw_copy({place}, (const unsigned char *){name}_w{r.initial.offset}, {size});")
            saves.append(f"gw_copy(to + {at}, {place}, {size});")
            loads.append(f"gw_copy({place}, from + {at}, {size});")
            at += size
        found = _function(f"void {name}_init(void)", begins)
        if residents:
            found += _function(f"void {name}_save(unsigned char *to)", saves)
            found += _function(f"void {name}_restore(const unsigned char *from)", loads)
        return found

    def whole(self, steps: Sequence[str]) -> list[str]:
        """Write what runs the network, at once or step by step, and what finds its constants."""
        flagged = self.program.flagged
        status, result = (["int32_t status[1] = {0};"], "status[0]") if flagged else ([], "0")
        cases = [f"case {i}: {step} break;" for i, step in enumerate(steps)]
        arrays = list(dict.fromkeys(place for step in self.steps for place in step.weights))
        found = [
            f"case {i}: *bytes = (int32_t)sizeof {w}; return (const unsigned char *){w};"
            for i, w in enumerate(f"{self.name}_w{place}" for place in arrays)
        ]
        return [
            *_function(f"int {self.name}_run(void)", [*status, *steps, f"return {result};"]),
            *_function(
                f"int {self.name}_step(int32_t step)", [*status, "switch (step) {", *cases, "}", f"return {result};"]
            ),
            *_function(
                f"const unsigned char *{self.name}_constants(int32_t array, int32_t *bytes)",
                ["switch (array) {", *found, "}", "*bytes = 0;", "return 0;"],
            ),
        ]  # fmt: skip

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


CLEAR = """\
static void gw_clear(unsigned char *to, int32_t bytes)
{
    for (int32_t i = 0; i < bytes; i++) to[i] = 0;
}
""".splitlines()


def array(name: str, data: NDArray) -> str:
    """Write an array of constants."""
    dtype = str(data.dtype)
    short = dtype in ("int8", "uint8", "int16", "uint16")
    words = [str(v) if short else literal(v, dtype) for v in data.ravel().tolist()]
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


def _flagged(call: Call) -> bool:
    return any(map(_is_status, call.arguments))


def _head(symbol: str, *calls: Call) -> str:
    return f"GW_LAYER void {symbol}({'int32_t *status' if any(map(_flagged, calls)) else 'void'})"


def _function(head: str, body: Sequence[str]) -> list[str]:
    return [head, "{", *(indent(line, "    ") for line in body), "}", ""]


def _word(node: Node) -> str:
    """Give a layer's name as a part of a C name."""
    named = node.where or type(node.op).__name__
    return re.sub(r"\W+", "_", named, flags=re.ASCII).strip("_").lower()[-32:].strip("_") or "layer"


def _described(call: Call) -> str:
    node = call.node
    macs = f", {call.macs:,} products" if call.macs else ""
    return f"{_named(node)}: {'x'.join(map(str, node.shape)) or 'scalar'}{macs}"


def _named(node: Node) -> str:
    """Give a layer's name as a part of a comment."""
    return re.sub(r"[^\w .:/()-]", "_", node.where or type(node.op).__name__, flags=re.ASCII)


def _library(text: str) -> list[str]:
    """Declare the functions of the C library that kernels call: freestanding compilers have no math.h."""
    names: Mapping[str, int] = {"powf": 2, "fmodf": 2}
    single = {f"{n}f" for n in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")}
    found = sorted(n for n in {*names, *single} if re.search(rf"\b{n}\(", text))
    lines = [f"extern float {n}({', '.join(['float'] * names.get(n, 1))});" for n in found]
    return [*lines, ""] if lines else []

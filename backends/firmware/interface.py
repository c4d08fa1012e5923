"""What a network offers to C: its functions, its layers, its inputs and outputs as constants and comments."""

import re
from dataclasses import dataclass

import numpy as np

from ...graph import Affine, Fixed, Node
from ...graph.evaluate.run import surface_shape
from ...graph.ops import Input
from ..loops.layout import interface_type
from ..loops.names import meaning
from ..loops.program import Block, Program
from ..loops.widths import limits
from .c import STORED, TYPES, literal


@dataclass(frozen=True)
class Layer:
    """One step of a network: the layer's name in the model, the C function, its arrays of constants (offsets among the
    program's), and the bytes of the arena that it writes: from ``begin`` to ``end``.
    """

    name: str
    symbol: str
    macs: int
    weights: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Port:
    """An input or output: what C calls its pointer, its C type, its memory, its node."""

    name: str
    ctype: str
    block: Block
    node: Node


def ports(program: Program) -> list[Port]:
    """List inputs, then outputs."""
    blocks = {b.port: b for b in program.blocks if b.port}
    graph = program.graph
    found = [("", f"in{i}", n) for i, n in enumerate(graph.inputs)]
    found += [("const ", f"out{i}", n) for i, n in enumerate(graph.outputs)]
    return [Port(port, const + STORED[interface_type(n)], blocks[port], n) for const, port, n in found]


HEAD = """\
/* Set what the network remembers from run to run to its beginning: once before the first run, and to begin anew. */
void {name}_init(void);
{states}
/* Run the network once on what stands in the inputs.
 * Gives 0, 1 where an index lay outside of what it picks from, 2 where a divisor was zero. */
int {name}_run(void);

/* The same in parts: steps 0 to {upper}_STEPS - 1, in order, make one run. */
#define {upper}_STEPS {steps}
int {name}_step(int32_t step);

/* Whether this image computes what it was compiled to compute: weights, layers, outputs for three inputs that it
 * knows. Gives 0, or 1 + the first step that is wrong, {upper}_STEPS + 1 where only an output is.
 * Overwrites the arena, and what the network remembers begins anew; needs {name}_selftest.c. */
int {name}_selftest(void);
/* The layer of the model that a step belongs to. */
const char *{name}_layer_name(int32_t step);
/* Constants that steps use, one array after the other; gives 0 after the last. */
const unsigned char *{name}_constants(int32_t array, int32_t *bytes);
"""


STATES = """
/* What it remembers:
{states}
 * {upper}_STATE_BYTES bytes in all, which several streams can save and restore, each its own. */
#define {upper}_STATE_BYTES {bytes}
void {name}_save(unsigned char *to);
void {name}_restore(const unsigned char *from);
"""


def header(program: Program, name: str, layers: list[Layer]) -> str:
    """Write ``<name>.h``."""
    upper = name.upper()
    lines = [
        f"#ifndef {upper}_H", f"#define {upper}_H", "", '#include "gw.h"', "", "#ifdef __cplusplus",
        'extern "C" {', "#endif", "",
        "/* Bytes of working memory, inputs and outputs among them. */",
        f"#define {upper}_ARENA_BYTES {max(program.arena, 1)}",
        f"#define {upper}_ALIGNMENT {program.machine.alignment}",
        f"extern unsigned char {name}_arena[{upper}_ARENA_BYTES] GW_ALIGNED({upper}_ALIGNMENT);", "",
    ]  # fmt: skip
    for port in ports(program):
        lines += [*_port(port, name), ""]
    lines += [HEAD.format(name=name, upper=upper, steps=len(layers), states=_states(program, name))]
    return "\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])


def _states(program: Program, name: str) -> str:
    """Say what a network remembers, and declare what takes it out and puts it back; nothing where it is nothing."""
    residents = program.residents
    if not residents:
        return ""
    named = [(re.sub(r"[^\w .:()-]", "_", r.state.name, flags=re.ASCII), r) for r in residents]
    lines = [
        f" *   {title}: {'x'.join(map(str, r.layout.shape)) or 'scalar'} {TYPES[r.layout.dtype]}, "
        f"{meaning(r.state.entry)}"
        for title, r in named
    ]
    size = sum(r.layout.bytes for r in residents)
    return STATES.format(name=name, upper=name.upper(), states="\n".join(lines), bytes=size)


def _port(port: Port, name: str) -> list[str]:
    """Declare a port with what its numbers mean."""
    node, upper = port.node, f"{name}_{port.name}".upper()
    named = re.sub(r"[^\w .:()-]", "_", getattr(node.op, "name", ""), flags=re.ASCII)
    shape = surface_shape(node)
    what = "x".join(map(str, shape)) or "scalar"
    use = f"{_asked(node)}fill before every run" if isinstance(node.op, Input) else "read after a run"
    return [
        f"/* {port.name}: {named}, {what} {TYPES[interface_type(node)]}, {meaning(node)}; {use}. */",
        f"#define {upper}_ELEMENTS {int(np.prod(shape))}",
        *(f"#define {upper}_{word} {value}" for word, value in (*_format(node), *_range(node))),
        f"extern {port.ctype} *const {name}_{port.name};",
    ]


def _format(node: Node) -> list[tuple[str, str]]:
    """Give a port's format as constants, where it is one for all elements."""
    match node.type.format:
        case Fixed(fraction=int(fraction)):
            return [("FRACTION_BITS", f"({fraction})" if fraction < 0 else f"{fraction}")]
        case Affine(zero_point=int(zero)) as format if not hasattr(format.scale, "data"):
            scale = f"{float(format.scale):.9e}f"
            return [("SCALE", scale), ("ZERO_POINT", f"({zero})" if zero < 0 else f"{zero}")]
    return []


def _asked(node: Node) -> str:
    """Say what the numbers of an input have to be, where its type in C holds others."""
    if not node.type.is_integer or _bounds(node) == limits(interface_type(node)):
        return ""
    found = _bounds(node)
    return f"q from {found[0]} to {found[1]}; " if found is not None else "q that its format has; "


def _range(node: Node) -> list[tuple[str, str]]:
    """Give the least and the greatest number of an input as constants, where they are one for all elements."""
    found = _bounds(node) if node.type.is_integer and isinstance(node.op, Input) else None
    if found is None:
        return []
    small = found[0] >= -(1 << 31) and found[1] < 1 << 31
    values = (literal(end, "int32" if small else interface_type(node)) for end in found)
    return [(word, f"({v})" if v.startswith("-") else v) for word, v in zip(("MIN", "MAX"), values, strict=True)]


def _bounds(node: Node) -> tuple[int, int] | None:
    """Give the least and the greatest number that a format has; None where elements have their own."""
    low, high = (np.unique(b) for b in node.type.quantized.bounds)
    return (int(low[0]), int(high[0])) if low.size == high.size == 1 else None

"""The smallest script that shows a difference: one node of A and what stands for it in B, on one sample."""

from dataclasses import fields, is_dataclass
from enum import StrEnum
from fractions import Fraction

from ...graph import Array, Graph, Grid, NDArray, Node
from ...graph.ops import Constant, Input, Output
from .difference import Cut, TensorDifference

HEAD = '''"""{title}

{why}Run it where gatewright is installed. It needs {data} beside it.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Float, Graph, Grid, Node, Overflow, Rounding, evaluate, values_of
from gatewright.graph.ops import {ops}

data = np.load(Path(__file__).with_name("{data}"))

'''
TAIL = '''

def run(inputs, output):
    """Give the stored numbers of a node, for one sample of stored inputs."""
    graph = Graph(tuple(n for n, _ in inputs), (Node(Output("y"), (output,)),))
    return evaluate(graph, [data[key] for _, key in inputs], integers=True)[0]


a, b = (np.asarray(values_of(node, run(inputs, node)), np.float64) for inputs, node in ((a_inputs, a), (b_inputs, b)))
place = np.unravel_index(np.abs(a - b).argmax(), a.shape)
print(f"{name}: {{(a != b).sum()}} of {{a.size}} differ, most at {{tuple(map(int, place))}}")
print(f"  A: {{float(a[place])!r}}")
print(f"  B: {{float(b[place])!r}}")
'''


class Writer:
    """Collects lines of Python and the arrays that they refer to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrays: dict[str, NDArray] = {}
        self.ops: set[str] = {"Input", "Output"}

    def stored(self, values: NDArray, key: str) -> str:
        """Keep an array in the data file."""
        self.arrays[key] = values
        return f'data["{key}"]'

    def value(self, item: object, key: str) -> str:
        """Spell an attribute."""
        match item:
            case Grid() if item.data.dtype == object:
                cells = ", ".join(map(repr, item.data.ravel().tolist()))
                return f"Grid(np.array([{cells}], dtype=object).reshape({item.data.shape}))"
            case Array():
                return f"{type(item).__name__}({self.stored(item.data, key)})"
            case Graph():
                return self.body(item, key)
            case StrEnum():
                return f"{type(item).__name__}.{item.name}"
            case Fraction():
                return f"Fraction({item.numerator}, {item.denominator})"
            case tuple():
                inner = ", ".join(self.value(v, f"{key}_{i}") for i, v in enumerate(item))
                return f"({inner},)" if len(item) == 1 else f"({inner})"
        if is_dataclass(item) and not isinstance(item, type):
            parts = [f"{f.name}={self.value(getattr(item, f.name), f'{key}_{f.name}')}" for f in fields(item)]
            return f"{type(item).__name__}({', '.join(parts)})"
        return repr(item)

    def body(self, graph: Graph, key: str) -> str:
        """Write the nodes of a graph that an operation holds; spell the graph."""
        names = {node: f"{key}_{i}" for i, node in enumerate(graph.nodes)}
        for node, name in names.items():
            self.node(node, name, [names[i] for i in node.inputs])
        ends = ("".join(f"{names[n]}, " for n in side) for side in (graph.inputs, graph.outputs))
        return f"Graph({', '.join(f'({end})' for end in ends)})"

    def node(self, node: Node, name: str, inputs: list[str]) -> None:
        """Write the line that makes a node."""
        self.ops.add(type(node.op).__name__)
        enums = {type(v).__name__ for f in fields(node.op) if isinstance(v := getattr(node.op, f.name), StrEnum)}
        self.ops |= enums - {"Rounding", "Overflow"}
        read = f", ({', '.join(inputs)},)" if inputs else ""
        self.lines.append(f"{name} = Node({self.value(node.op, name)}{read})")


def reproducer(found: TensorDifference, data: str) -> tuple[str, dict[str, NDArray]]:
    """Give the script of a tensor that differs, and the arrays of its data file, which is called ``data``."""
    assert found.sides is not None
    writer = Writer()
    for letter, cut in zip("ab", found.sides, strict=True):
        writer.lines += [f"# {letter.upper()}: {found.reference if letter == 'a' else found.name}"]
        _side(writer, letter, cut)
        writer.lines.append("")
    why = "".join(f"{text}.\n" for text in found.why) + ("\n" if found.why else "")
    title = f"{found.name}: {found.op} gives {found.values[1]!r}, should give {found.values[0]!r}."
    head = HEAD.format(title=_plain(title), why=_plain(why), data=data, ops=", ".join(sorted(writer.ops)))
    return head + "\n".join(writer.lines) + TAIL.format(name=_plain(found.name)), writer.arrays


def _plain(text: str) -> str:
    """Make a text harmless within quotes."""
    return text.translate({ord("{"): "(", ord("}"): ")", ord('"'): "'", ord("\\"): "/"})


def _side(writer: Writer, letter: str, cut: Cut) -> None:
    names: dict[Node, str] = {}
    inputs: list[str] = []

    def named(node: Node) -> str:
        if node in names:
            return names[node]
        name = names[node] = f"{letter}{len(names)}"
        if isinstance(node.op, Constant):
            writer.node(node, name, [])
            return name
        key = f"{name}_in"
        writer.arrays[key] = cut.operands[node]
        format = writer.value(node.type.format, f"{name}_format")
        writer.lines.append(f'{name} = Node(Input("{name}", {node.shape!r}, {format}))')
        inputs.append(f'({name}, "{key}")')
        return name

    last = ""
    for node in cut.nodes:
        if isinstance(node.op, (Input, Constant)):
            last = named(node)
            continue
        read = [named(i) for i in node.inputs]
        if isinstance(node.op, Output):
            last = read[0]
            continue
        last = names[node] = f"{letter}{len(names)}"
        writer.node(node, last, read)
    writer.lines += [f"{letter}_inputs = [{', '.join(inputs)}]", f"{letter} = {last}"]

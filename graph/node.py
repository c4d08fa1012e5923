"""The intermediate graph.

A graph is its inputs and its outputs; a node knows the nodes that it reads; nothing is ever mutated. Building a node
infers its type, so a graph whose shapes or formats do not fit cannot exist.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, singledispatch
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from .errors import GatewrightError
from .state import State
from .tensor import Tensor

if TYPE_CHECKING:
    from .ops import Input, Output


@dataclass(frozen=True)
class Op:
    """Base of all operations; subclasses are frozen dataclasses whose fields are the attributes."""


def op_name(op: Op | type[Op]) -> str:
    """Name an operation as the text form writes it: ``ConvTranspose`` is ``conv_transpose``."""
    cls = op if isinstance(op, type) else type(op)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


@singledispatch
def infer(op: Op, *inputs: Tensor) -> Tensor:
    """Return the type that ``op`` produces; the rule stands next to each op."""
    raise NotImplementedError(f"{type(op).__name__} has no type rule")


@dataclass(frozen=True, eq=False)
class Node:
    """One application of an op. Compared by identity, because a graph is a DAG.

    ``where`` names the layer or operator of the source that it came from.
    """

    op: Op
    inputs: tuple["Node", ...] = ()
    where: str = ""
    type: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "type", infer(self.op, *(i.type for i in self.inputs)))
        except GatewrightError as error:
            if not error.where:
                raise type(error)(error.what, where=self.where, hint=error.hint) from None
            raise

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.type.shape


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: ``inputs`` are ``Input`` nodes in the order of the source, ``outputs`` are ``Output`` nodes.

    ``name`` is the model's, ``source`` says what it was read from ("keras", "onnx", ...), without any path. ``notes``
    are sentences for the user: where a stage could not keep the source's numbers exactly, and why. ``states`` are what
    an inference leaves to the next; their nodes are neither among the inputs nor among the outputs.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    name: str = "model"
    source: str = ""
    notes: tuple[str, ...] = ()
    states: tuple[State, ...] = ()

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node once, producers before consumers; the inputs come first, then what states begin with."""
        done: dict[Node, None] = dict.fromkeys((*self.inputs, *(s.entry for s in self.states)))
        stack = [(node, False) for node in reversed((*self.outputs, *(s.next for s in self.states)))]
        while stack:
            node, ready = stack.pop()
            if node in done:
                continue
            if ready:
                done[node] = None
            else:
                stack.append((node, True))
                stack.extend((i, False) for i in reversed(node.inputs))
        return tuple(done)

    @cached_property
    def users(self) -> dict[Node, tuple[Node, ...]]:
        """For each node, the nodes that read it (once per reader)."""
        table: dict[Node, dict[Node, None]] = {node: {} for node in self.nodes}
        for node in self.nodes:
            for i in node.inputs:
                table[i][node] = None
        return {node: tuple(users) for node, users in table.items()}

    def map(self, fn: Callable[[Node], Node]) -> "Graph":
        """Rebuild from the inputs on, letting ``fn`` replace each node after what it reads is done."""
        return self.rebuilt(lambda old, node: fn(node))

    def rebuilt(self, change: Callable[[Node, Node], Node]) -> "Graph":
        """The same for a function that is also given the node of this graph, before what it reads was replaced."""
        new: dict[Node, Node] = {}
        for old in self.nodes:
            inputs = tuple(new[i] for i in old.inputs)
            same = all(a is b for a, b in zip(inputs, old.inputs, strict=True))
            new[old] = change(old, old if same else replace(old, inputs=inputs))
        return self.renewed(new)

    def renewed(self, new: Mapping[Node, Node]) -> "Graph":
        """Give the graph of the nodes that ``new`` puts in the place of these."""
        inputs, outputs = tuple(new[i] for i in self.inputs), tuple(new[o] for o in self.outputs)
        states = tuple(s.renewed(new[s.entry], new[s.next]) for s in self.states)
        return replace(self, inputs=inputs, outputs=outputs, states=states)

    @cached_property
    def names(self) -> dict[Node, str]:
        """A name for each node, unique, an identifier of ASCII letters, from the source's name where there is one."""
        taken: set[str] = set()
        table: dict[Node, str] = {}
        for node in self.nodes:
            base = re.sub(r"[^0-9A-Za-z_]+", "_", node.where).strip("_") or op_name(node.op)
            base = f"n_{base}" if base[0].isdigit() else base
            if base in taken:
                base = f"{base}_{op_name(node.op)}"
            name, count = base, 1
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
            table[node] = name
        return table

    @property
    def input_ops(self) -> tuple["Input", ...]:
        """The ``Input`` operations, in order."""
        from .ops import Input

        return tuple(n.op for n in self.inputs if isinstance(n.op, Input))

    @property
    def output_ops(self) -> tuple["Output", ...]:
        """The ``Output`` operations, in order."""
        from .ops import Output

        return tuple(n.op for n in self.outputs if isinstance(n.op, Output))

    @property
    def is_integer(self) -> bool:
        """Whether every tensor is one of integers."""
        return all(node.type.is_integer and all(b.is_integer for b in bodies(node.op)) for node in self.nodes)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations per inference."""
        from .size import macs

        return sum(macs(node) for node in self.nodes)

    @property
    def parameters(self) -> int:
        """Trained numbers in the graph: the elements of all constants that enter products and sums."""
        from .size import parameters

        return parameters(self)

    def save(self, path: str | Path) -> None:
        """Write ``path``: one ``.gw`` file, or a directory that gets ``graph.json`` and ``weights.npz``."""
        from .file import save

        save(self, Path(path))

    def __str__(self) -> str:
        ids = {node: f"%{i}" for i, node in enumerate(self.nodes)}
        rows: list[str] = []
        for n in self.nodes:
            reads = ", ".join(ids[i] for i in n.inputs)
            rows.append(f"{ids[n]} = {describe(n.op)}({reads}) : {n.type}" + (f"  # {n.where}" if n.where else ""))
            rows += [indent(str(body), "    ") for body in bodies(n.op)]
        rows += [f"state {s.name} {s.initial}: {ids[s.entry]} <- {ids[s.next]}" for s in self.states]
        return "\n".join([*rows, f"return {', '.join(ids[o] for o in self.outputs)}"])


def bodies(op: Op) -> tuple[Graph, ...]:
    """Give the graphs that an operation holds: the body of a scan."""
    return tuple(value for f in fields(op) if isinstance(value := getattr(op, f.name), Graph))


def describe(op: Op) -> str:
    """One operation with the attributes that are not the default: ``conv[strides=(2, 2)]``."""
    shown = [
        f"{f.name}={_short(getattr(op, f.name))}"
        for f in fields(op)
        if f.name != "format" and getattr(op, f.name) != f.default and not isinstance(getattr(op, f.name), Graph)
    ]
    return op_name(op) + (f"[{', '.join(shown)}]" if shown else "")


def _short(value: object) -> str:
    return str(value) if isinstance(value, str) else repr(value)

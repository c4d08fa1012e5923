"""What a project says of itself: ``gatewright.json`` beside hls4ml's files, enough to simulate it without the graph."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...graph import FileError, Graph
from .layers import Wire
from .plan import Plan

FILE = "gatewright.json"
SCHEMA = 1
TRACE_CALL = re.compile(r'save_layer_output<[^>]*>\((\w+), "([^"]+)", ([\d*]+)\);')


@dataclass(frozen=True)
class Port:
    """An input, an output or a traced tensor: elements, and its place among the graph's nodes (-1 for a helper's)."""

    name: str
    size: int
    node: int


@dataclass(frozen=True)
class Description:
    """The top function ``name`` (in ``namespace``), its ports in order, and what its code can trace, in order of
    execution.

    ``variables`` are the C++ declarations of the ports, inputs first.
    """

    name: str
    io: str
    types: str
    namespace: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    traced: tuple[Port, ...]
    variables: tuple[str, ...]

    @property
    def text(self) -> bytes:
        """The file."""
        return (json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, sort_keys=True) + "\n").encode()


def describe(graph: Graph, plan: Plan, files: Mapping[str, bytes], name: str, options: Any) -> Description:
    """Build the description from the plan and from the code that hls4ml wrote."""
    places = {node: i for i, node in enumerate(graph.nodes)}
    code = files[f"firmware/{name}.cpp"].decode()
    wires = {layer.name: list(layer.outputs) for layer in plan.layers}
    found = [(wires[layer].pop(0), size) for _, layer, size in TRACE_CALL.findall(code)]

    def port(wire: Wire, size: int) -> Port:
        return Port(wire.name, size, places[wire.node] if wire.node is not None else -1)

    return Description(
        name, options.io, options.types, options.namespace,
        tuple(port(w, _size(w)) for w in plan.inputs), tuple(port(w, _size(w)) for w in plan.outputs),
        tuple(port(w, _product(size)) for w, size in found), _declarations(files[f"firmware/{name}.h"].decode(), name),
    )  # fmt: skip


def _size(wire: Wire) -> int:
    size = 1
    for n in wire.shape:
        size *= n
    return size


def _product(text: str) -> int:
    size = 1
    for factor in text.split("*"):
        size *= int(factor)
    return size


def _declarations(header: str, name: str) -> tuple[str, ...]:
    """Take the parameters of the top function from its prototype: ``input_t x[16]`` or ``hls::stream<input_t> x``."""
    found = re.search(rf"void {re.escape(name)}\((.*?)\);", header, re.DOTALL)
    assert found is not None
    return tuple(" ".join(part.replace("&", "").split()) for part in found.group(1).split(","))


def read(files: Mapping[str, bytes]) -> Description:
    """Read the description of a project. Raises FileError where it has none, or one of another version."""
    if FILE not in files:
        raise FileError(f"no {FILE}", hint="this is no project that Gatewright wrote")
    try:
        table = json.loads(files[FILE])
        if table.pop("schema") != SCHEMA:
            raise FileError(f"{FILE} is of another version of Gatewright", hint="compile the model again")
        for key in ("inputs", "outputs", "traced"):
            table[key] = tuple(Port(**each) for each in table[key])
        return Description(**{**table, "variables": tuple(table["variables"])})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{FILE} is damaged: {error}", hint="compile the model again") from None

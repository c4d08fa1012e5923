"""The manifest: what was compiled, by what, for what, and whether it is proved."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from json import loads
from typing import Any

from .graph import Graph, Node, State, op_name
from .graph.arrays import as_array
from .graph.evaluate.run import surface_shape
from .graph.node import describe
from .graph.ops import Constant, Input, Output, Quantize
from .graph.size import macs, parameters_of
from .lowering import Seen

SCHEMA = 1
PACKAGES = ("numpy", "h5py", "onnx", "hls4ml")


def own_version() -> str:
    """Gatewright's own version."""
    return _version("gatewright") or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def schema() -> dict[str, Any]:
    """The JSON schema that every manifest meets."""
    result: dict[str, Any] = loads(files("gatewright").joinpath("manifest.schema.json").read_text(encoding="utf-8"))
    return result


def build_manifest(
    graph: Graph,
    *,
    created_from: Mapping[str, Any],
    board: str,
    target: str,
    options: Mapping[str, Any],
    seen: Mapping[Node, Seen],
    verification: Mapping[str, Any],
    notes: Sequence[str],
    cost: Mapping[str, Any],
    hashes: Mapping[str, str],
) -> dict[str, Any]:
    """Put the manifest together; every figure in it comes from the arguments. ``hashes``: relative path -> SHA-256."""
    return {
        "schema": SCHEMA,
        "gatewright": own_version(),
        "created_from": dict(created_from),
        "board": board,
        "target": target,
        "options": dict(options),
        "versions": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "inputs": [_input(graph, n, seen) for n in graph.inputs],
        "outputs": [_output(graph, n) for n in graph.outputs],
        "states": [_state(graph, s, seen) for s in graph.states],
        "macs": graph.macs,
        "parameters": graph.parameters,
        "layers": layers(graph, seen),
        "notes": list(notes),
        "verification": dict(verification),
        "cost": dict(cost),
        "files": [{"path": path, "sha256": hashes[path]} for path in sorted(hashes)],
    }


def _input(graph: Graph, node: Node, seen: Mapping[Node, Seen]) -> dict[str, Any]:
    op = node.op
    assert isinstance(op, Input)
    return {
        "name": op.name,
        "shape": list(surface_shape(node)),
        "format": str(node.type.format),
        "rounding": str(op.rounding),
        "overflow": str(op.overflow),
        "inserted": op.inserted,
        "range": range_of(node, seen),
        "layer": graph.names[node],
    }


def _output(graph: Graph, node: Node) -> dict[str, Any]:
    op = node.op
    assert isinstance(op, Output)
    shape = list(surface_shape(node))
    return {"name": op.name, "shape": shape, "format": str(node.type.format), "layer": graph.names[node.inputs[0]]}


def _state(graph: Graph, state: State, seen: Mapping[Node, Seen]) -> dict[str, Any]:
    entry = state.entry
    zero = as_array(entry.type.quantized.zero) if entry.type.is_integer else 0.0
    return {
        "name": state.name, "shape": list(entry.shape), "format": str(entry.type.format),
        "initial": "zero" if (state.initial.data == zero).all() else "given",
        "range": range_of(entry, seen), "layer": graph.names[entry], "from": graph.names[state.next.inputs[0]],
    }  # fmt: skip


def layers(graph: Graph, seen: Mapping[Node, Seen]) -> list[dict[str, Any]]:
    """One entry per operation of the emitted network, in order of execution."""
    return [_layer(graph, n, seen) for n in graph.nodes if not isinstance(n.op, (Input, Constant, Output))]


def _layer(graph: Graph, node: Node, seen: Mapping[Node, Seen]) -> dict[str, Any]:
    weights = [i for i in node.inputs if isinstance(i.op, Constant)]
    entry: dict[str, Any] = {
        "name": graph.names[node],
        "source": node.where,
        "op": op_name(node.op),
        "attributes": describe(node.op),
        "inputs": [graph.names[i] for i in node.inputs if not isinstance(i.op, Constant)],
        "shape": list(node.shape),
        "format": str(node.type.format),
        "constants": [{"shape": list(w.shape), "format": str(w.type.format)} for w in weights],
        "macs": macs(node),
        "parameters": parameters_of(node),
        "range": range_of(node, seen),
        "inserted": node.op.inserted if isinstance(node.op, Quantize) else "",
    }
    if isinstance(node.op, Quantize):
        entry |= {"rounding": str(node.op.rounding), "overflow": str(node.op.overflow)}
    return entry


def range_of(node: Node, seen: Mapping[Node, Seen]) -> dict[str, Any]:
    """The proved range in real values, and what was seen on samples, with how many values overflowed."""
    result: dict[str, Any] = {} if node.type.real_range is None else {"proved": list(node.type.real_range)}
    if (found := seen.get(node)) is not None:
        result["seen"] = [found.low, found.high]
        if found.count:
            result |= {"clipped": found.clipped, "count": found.count}
    return result

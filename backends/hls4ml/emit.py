"""The project that the user gets: what hls4ml wrote, the same on every machine, with our kernels, our vectors and our
test bench.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...boards import Board
from ...graph import Graph, NDArray, ShapeError, evaluate
from ..project import Project
from . import convert, fifo
from .bridge import bench_source
from .description import FILE, Description, describe
from .guide import readme, script
from .kernel import to_carried
from .layers import HlsType, Layer
from .options import Options
from .plan import RESERVED, Plan, make_plan

HERE = Path(__file__).parent
SOURCES = ("kernels", "templates")
"""Folders with C++ headers of ours that go into the project, as firmware/gatewright/."""


def emit(graph: Graph, board: Board | None, options: Options, vectors: Sequence[NDArray] = ()) -> Project:
    """Write the HLS project of an integer graph.

    ``vectors``: stored integers [count, *shape] an input, for the test bench. ``board`` is what ``options`` were made
    for. Raises UnsupportedError for what cannot be emitted.
    """
    plan = make_plan(graph, options)
    name = project_name(graph)
    files = convert.write(plan, options, name)
    files = {**_normalised(files, plan, options, name), **_headers(plan)}
    if options.fifo_depths:
        top = f"firmware/{name}.cpp"
        files[top] = fifo.with_depths(files[top].decode(), plan, dict(options.fifo_depths)).encode()
    if options.verifiable:
        description = describe(graph, plan, files, name, options)
        files = {**files, FILE: description.text, **_bench(graph, description, vectors)}
        files |= {
            "README.md": readme(description, options, len(vectors[0]) if vectors else 0),
            "build.sh": script(options),
        }
    return Project(files, plan.notes)


def project_name(graph: Graph) -> str:
    """Give the top function's name: the graph's, as an identifier."""
    name = re.sub(r"\W+", "_", graph.name).strip("_").lower() or "model"
    ports = {op.name.lower() for op in graph.input_ops}
    if name[0].isdigit() or name in RESERVED | ports or re.fullmatch(r"[a-z]+\d+(_\w+)?|\w*_t", name):
        name = f"net_{name}"
    return name[:60]


def _headers(plan: Plan) -> dict[str, bytes]:
    """Collect the headers of the kernels in use, with those that they include, and the one of the test bench."""
    kernels = [layer.kernel for layer in plan.layers if layer.kernel]
    written = {name: text.encode() for kernel in kernels for name, text in kernel.sources.items()}
    pending = [kernel.header for kernel in kernels] + ["gw_port.h"]
    found: dict[str, bytes] = {}
    while pending:
        name = pending.pop()
        text = written[name] if name in written else _shipped(name)
        found[f"firmware/gatewright/{name}"] = text
        included = re.findall(r'#include "(gw_\w+\.h)"', text.decode())
        pending += [n for n in included if f"firmware/gatewright/{n}" not in found]
    return found


def _shipped(name: str) -> bytes:
    return next(p for p in (HERE / folder / name for folder in SOURCES) if p.is_file()).read_bytes()


def _normalised(files: Mapping[str, bytes], plan: Plan, options: Options, name: str) -> dict[str, bytes]:
    """Take out what differs from run to run: the stamp, the temporary directory; say the configuration in plain
    words.
    """
    kept = {path: data for path, data in files.items() if not path.endswith(".tar.gz")}
    kept["hls4ml_config.yml"] = _config_text(plan, options, name).encode()
    if "build_lib.sh" in kept:
        kept["build_lib.sh"] = re.sub(rb"(LIB_STAMP=)\w+", rb"\g<1>" + _stamp(kept), kept["build_lib.sh"])
    return kept


def _stamp(files: Mapping[str, bytes]) -> bytes:
    """Eight digits that follow from the network."""
    total = sha256()
    for path in sorted(files):
        if path.startswith("firmware/") and "/nnet_utils/" not in path and "/ap_types/" not in path:
            total.update(path.encode() + files[path])
    return total.hexdigest()[:8].encode()


def _config_text(plan: Plan, options: Options, name: str) -> str:
    layers = {w.name: {"Precision": {"result": spelled(w.type)}} for w in plan.inputs}
    layers |= {layer.name: _layer_text(layer, plan) for layer in plan.layers}
    table = {
        "Backend": options.backend, "Part": options.part, "ClockPeriod": options.clock_ns, "IOType": f"io_{options.io}",
        "ProjectName": name, "OutputDir": ".", "HLSConfig": {"LayerName": layers},
    }  # fmt: skip
    return json.dumps(table, indent=1, sort_keys=True) + "\n"  # JSON is YAML


def _layer_text(layer: Layer, plan: Plan) -> dict[str, Any]:
    types = {"result": layer.outputs[0].type, **layer.types}
    entry: dict[str, Any] = {"Precision": {key: spelled(kind) for key, kind in types.items()}}
    if chosen := plan.schedules.get(layer.name):
        entry |= {"Strategy": chosen.strategy, "ReuseFactor": chosen.reuse_factor}
    return entry


def spelled(kind: HlsType) -> str:
    """Write a type as hls4ml's configuration does."""
    modes = "" if (kind.rounding, kind.overflow) == ("TRN", "WRAP") else f",{kind.rounding},{kind.overflow}"
    return f"{'' if kind.signed else 'u'}fixed<{kind.width},{kind.integer}{modes}>"


def _bench(graph: Graph, description: Description, vectors: Sequence[NDArray]) -> dict[str, bytes]:
    """Give the test bench and its data: inputs and outputs as carried integers."""
    count = len(vectors[0]) if vectors else 0
    if vectors and (len(vectors) != len(graph.inputs) or any(len(v) != count for v in vectors)):
        raise ShapeError("the test vectors do not fit the graph's inputs")
    files = {f"{description.name}_test.cpp": bench_source(description, count).encode()}
    if count:
        files["tb_data/tb_input_features.dat"] = table_text(graph.inputs, vectors)
        files["tb_data/tb_output_predictions.dat"] = table_text(graph.outputs, expected(graph, vectors))
    return files


def expected(graph: Graph, vectors: Sequence[NDArray]) -> list[NDArray]:
    """Compute the graph's outputs for stored integers in its own layout."""
    plain = in_own_layout(graph)
    outputs = evaluate(plain, list(vectors), integers=True)
    return list(outputs) if isinstance(outputs, tuple) else [np.asarray(outputs)]


def in_own_layout(graph: Graph) -> Graph:
    """Give the graph with ports in its own layout, channels last, without the transposes of its source."""

    def strip(node: Any) -> Any:
        return (
            replace(node, op=replace(node.op, axes=None)) if getattr(node.op, "axes", None) and _is_port(node) else node
        )

    return graph.map(strip)


def _is_port(node: Any) -> bool:
    return type(node.op).__name__ in ("Input", "Output")


def table_text(nodes: Sequence[Any], arrays: Sequence[NDArray]) -> bytes:
    """Give a line of carried integers a vector: all tensors, row-major."""
    flat = [to_carried(n.type, a.astype(np.int64)).reshape(len(a), -1) for n, a in zip(nodes, arrays, strict=True)]
    rows = np.concatenate(flat, axis=1).tolist()
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()

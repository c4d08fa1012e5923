"""The graph's file: ``graph.json`` (structure) and ``weights.npz`` (numbers, no pickle), in a directory or zipped as
``.gw``.

The same graph gives the same bytes on every machine: keys are sorted, archives carry no time stamps, integers are
stored in the narrowest type that holds them.
"""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import MISSING, fields
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array, Grid, NDArray
from .errors import FileError, GatewrightError
from .formats import Affine, Fixed, Float, Format, Overflow, Rounding
from .node import Graph, Node, Op
from .ops import OPS, Input, Output, Reduction

SCHEMA = 1
JSON, WEIGHTS = "graph.json", "weights.npz"
ENUMS: dict[str, type[StrEnum]] = {"rounding": Rounding, "overflow": Overflow, "kind": Reduction}
MAX_BYTES = 4 << 30


def to_bytes(graph: Graph) -> dict[str, bytes]:
    """Give the two files of a graph: {``graph.json``: ..., ``weights.npz``: ...}."""
    arrays: dict[str, NDArray] = {}
    ids = {node: i for i, node in enumerate(graph.nodes)}
    nodes = [_node(node, ids, arrays) for node in graph.nodes]
    head = {
        "schema": SCHEMA,
        "name": graph.name,
        "source": graph.source,
        "notes": list(graph.notes),
        "nodes": nodes,
        "inputs": [ids[n] for n in graph.inputs],
        "outputs": [ids[n] for n in graph.outputs],
    }
    text = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return {JSON: text.encode(), WEIGHTS: archive({f"{k}.npy": npy(v) for k, v in arrays.items()})}


def archive(members: dict[str, bytes]) -> bytes:
    """Give a zip file with these members, stored, without time stamps."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as z:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            z.writestr(info, members[name])
    return buffer.getvalue()


def npy(array: NDArray) -> bytes:
    """Give an array as the content of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def save(graph: Graph, path: Path) -> None:
    """Write a ``.gw`` file, or the two files into a directory that exists or is made."""
    files = to_bytes(graph)
    try:
        if path.suffix == ".gw":
            path.write_bytes(archive(files))
        else:
            path.mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                (path / name).write_bytes(data)
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror}", where=str(path)) from None


def load(path: Path) -> Graph:
    """Read what ``save`` wrote. Raises FileError where the file is not that, or damaged."""
    try:
        return from_bytes(*_members(path))
    except GatewrightError as error:
        raise type(error)(error.what, where=error.where or str(path), hint=error.hint) from None
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        RecursionError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise FileError(f"not a graph that Gatewright wrote, or damaged ({error})", where=str(path)) from None


def _members(path: Path) -> tuple[bytes, bytes]:
    if path.is_dir():
        return (path / JSON).read_bytes(), (path / WEIGHTS).read_bytes()
    with zipfile.ZipFile(path) as z:
        return _read(z, JSON), _read(z, WEIGHTS)


def _read(z: zipfile.ZipFile, name: str) -> bytes:
    if z.getinfo(name).file_size > MAX_BYTES:
        raise FileError(f"{name} claims {z.getinfo(name).file_size} bytes", hint="a graph file holds at most 4 GiB")
    return z.read(name)


def from_bytes(text: bytes, weights: bytes) -> Graph:
    """Rebuild a graph from its two files."""
    head = json.loads(text)
    if head["schema"] != SCHEMA:
        raise FileError(f"written with schema {head['schema']}, this version reads {SCHEMA}")
    with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
        nodes: list[Node] = []
        for entry in head["nodes"]:
            op = _op(entry, lambda key: np.asarray(arrays[key]))
            nodes.append(Node(op, tuple(nodes[i] for i in entry["inputs"]), entry["where"]))
    inputs, outputs = (tuple(nodes[i] for i in head[key]) for key in ("inputs", "outputs"))
    if not all(isinstance(n.op, Input) for n in inputs) or not all(isinstance(n.op, Output) for n in outputs):
        raise FileError("inputs and outputs are not such nodes")
    return Graph(inputs, outputs, head["name"], head["source"], tuple(head["notes"]))


def _node(node: Node, ids: dict[Node, int], arrays: dict[str, NDArray]) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": type(node.op).__name__, "inputs": [ids[i] for i in node.inputs], "where": node.where}
    for f in fields(node.op):
        value = getattr(node.op, f.name)
        if f.default is MISSING or value != f.default:
            entry[f.name] = _encode(value, f"n{ids[node]}_{f.name}", arrays)
    return entry


def _encode(value: Any, key: str, arrays: dict[str, NDArray]) -> Any:
    match value:
        case Grid():
            return {"grid": list(value.data.shape), "values": [_number(v) for v in value.data.ravel().tolist()]}
        case Array():
            arrays[key] = narrow(value.data)
            return {"array": key}
        case Fraction():
            return _number(value)
        case Float():
            return {"float": value.bits}
        case Fixed():
            return {"fixed": [_encode(v, key, arrays) for v in (value.width, value.integer, value.signed)]}
        case Affine():
            return {
                "affine": [_encode(v, key, arrays) for v in (value.width, value.signed, value.scale, value.zero_point)]
            }
        case StrEnum():
            return value.value
        case tuple():
            return [_encode(v, key, arrays) for v in value]
    return value


def _number(value: Any) -> Any:
    return f"{value.numerator}/{value.denominator}" if isinstance(value, Fraction) else value


def narrow(values: NDArray) -> NDArray:
    """Store integers in the narrowest signed type that holds them; floats stay."""
    if values.dtype.kind not in "iu":
        return values
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return values.astype(next(k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max))


def _op(entry: dict[str, Any], array: Callable[[str], NDArray]) -> Op:
    cls = OPS[entry["op"]]
    given = {k: v for k, v in entry.items() if k not in ("op", "inputs", "where")}
    known = {f.name for f in fields(cls)}
    if given.keys() - known:
        raise FileError(f"{entry['op']} has no {', '.join(sorted(given.keys() - known))}")
    return cls(**{k: _decode(v, k, array) for k, v in given.items()})


def _decode(value: Any, name: str, array: Callable[[str], NDArray]) -> Any:
    match value:
        case {"grid": shape, "values": values}:
            return Grid(
                np.array([_exact(v) for v in values], dtype=object if isinstance(values[0], str) else None).reshape(
                    shape
                )
            )
        case {"array": key}:
            data = array(key)
            return Array(data.astype(np.int64) if data.dtype.kind == "i" else data)
        case {"float": bits}:
            return Float(bits)
        case {"fixed": parts}:
            return Fixed(*(_decode(p, "", array) for p in parts))
        case {"affine": [width, signed, scale, zero]}:
            return Affine(width, signed, _scale(scale, array), _decode(zero, "", array))
        case list():
            return tuple(_decode(v, "", array) for v in value)
        case str() if name in ENUMS:
            return ENUMS[name](value)
    return value


def _scale(value: Any, array: Callable[[str], NDArray]) -> Any:
    return Fraction(value) if isinstance(value, str) else _decode(value, "", array)


def _exact(value: Any) -> Any:
    return Fraction(value) if isinstance(value, str) else value


def is_format(value: object) -> bool:
    """Whether ``value`` is a number format."""
    return isinstance(value, Format)

"""The graph's file: ``graph.json`` (structure) and ``weights.npz`` (numbers, no pickle), in a directory or zipped as
``.gw``.

The same graph gives the same bytes on every machine: keys are sorted, archives carry no time stamps, integers are
stored in the narrowest type that holds them.
"""

import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import MISSING, fields
from enum import StrEnum
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from .arrays import Array, Grid, NDArray
from .errors import FileError, GatewrightError, ManyErrors
from .formats import FLOAT, FLOATS, Affine, Fixed, Float
from .node import Graph, Node, Op
from .ops import OPS, Input, Output
from .state import State

SCHEMA = 1
JSON, WEIGHTS = "graph.json", "weights.npz"
MAX_BYTES = 4 << 30


def to_bytes(graph: Graph) -> dict[str, bytes]:
    """Give the two files of a graph: {``graph.json``: ..., ``weights.npz``: ...}."""
    arrays: dict[str, NDArray] = {}
    head = {"schema": SCHEMA, **_graph(graph, "", arrays)}
    text = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return {JSON: text.encode(), WEIGHTS: archive({f"{k}.npy": npy(v) for k, v in arrays.items()})}


def _graph(graph: Graph, prefix: str, arrays: dict[str, NDArray]) -> dict[str, Any]:
    """Give a graph, or the body of an operation, as JSON; its arrays get names that begin with ``prefix``."""
    ids = {node: i for i, node in enumerate(graph.nodes)}
    return {
        "name": graph.name,
        "source": graph.source,
        "notes": list(graph.notes),
        "nodes": [_node(node, ids, arrays, prefix) for node in graph.nodes],
        "inputs": [ids[n] for n in graph.inputs],
        "outputs": [ids[n] for n in graph.outputs],
        **_states(graph, ids, arrays, prefix),
    }


def _states(graph: Graph, ids: dict[Node, int], arrays: dict[str, NDArray], prefix: str) -> dict[str, Any]:
    """Give the states, where there are any."""
    found = []
    for i, s in enumerate(graph.states):
        initial = _encode(s.initial, f"{prefix}s{i}_initial", arrays)
        found.append({"entry": ids[s.entry], "next": ids[s.next], "initial": initial})
    return {"states": found} if found else {}


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
    little = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
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
    """Read what ``save`` wrote. Raises FileError where the file is not that, damaged, or made up."""
    try:
        return from_bytes(*_members(path))
    except ManyErrors as error:
        raise FileError(str(error), where=str(path)) from None
    except GatewrightError as error:
        what = error.what if isinstance(error, FileError) else f"not a graph that can exist: {error.what}"
        raise FileError(f"{error.where}: {what}" if error.where else what, where=str(path), hint=error.hint) from None
    except DAMAGE as error:
        what = f"not a graph that Gatewright wrote, or damaged ({type(error).__name__}: {error})"
        raise FileError(what, where=str(path)) from None


DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What the standard library and numpy raise on files that are damaged or made up."""


def _members(path: Path) -> tuple[bytes, bytes]:
    if path.is_dir():
        return (path / JSON).read_bytes(), (path / WEIGHTS).read_bytes()
    with zipfile.ZipFile(path) as z:
        return _read(z, JSON), _read(z, WEIGHTS)


def _read(z: zipfile.ZipFile, name: str) -> bytes:
    """Read a member; stored ones only, so that no small file can grow into a huge one."""
    info = z.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise FileError(f"{name} is compressed", hint="Gatewright writes stored archives")
    if info.file_size > MAX_BYTES:
        raise FileError(f"{name} claims {info.file_size} bytes", hint="a graph file holds at most 4 GiB")
    return z.read(name)


def from_bytes(text: bytes, weights: bytes) -> Graph:
    """Rebuild a graph from its two files. Raises GatewrightError, or what DAMAGE lists, where they are not such."""
    head = json.loads(text)
    if head["schema"] != SCHEMA:
        raise FileError(f"written with schema {head['schema']}, this version reads {SCHEMA}")
    with zipfile.ZipFile(io.BytesIO(weights)) as arrays:
        return _rebuilt(head, lambda key: read_npy(_read(arrays, f"{key}.npy")))


def _rebuilt(head: dict[str, Any], array: Callable[[str], NDArray]) -> Graph:
    nodes: list[Node] = []
    for entry in head["nodes"]:
        nodes.append(Node(_op(entry, array), _pick(nodes, entry["inputs"]), _text(entry["where"])))
    inputs, outputs = (_pick(nodes, head[key]) for key in ("inputs", "outputs"))
    notes = tuple(_text(note) for note in head["notes"])
    states = tuple(_state(nodes, entry, array) for entry in head.get("states", ()))
    graph = Graph(inputs, outputs, _text(head["name"]), _text(head["source"]), notes, states)
    _check_ends(graph)
    return graph


def _state(nodes: list[Node], head: dict[str, Any], array: Callable[[str], NDArray]) -> State:
    entry, following = _pick(nodes, [head["entry"], head["next"]])
    initial = _decode(head["initial"], None, array)
    if not isinstance(entry.op, Input) or not isinstance(following.op, Output) or not isinstance(initial, Array):
        raise FileError("a state is not an input and an output with an array")
    return State(entry, following, initial)


def _check_ends(graph: Graph) -> None:
    entries = {n for n in graph.nodes if isinstance(n.op, Input)}
    ends = [*graph.inputs, *(s.entry for s in graph.states)]
    twice = len(ends) != len(set(ends))
    outputs = all(isinstance(n.op, Output) for n in graph.outputs) and graph.outputs
    if twice or set(ends) != entries or not outputs:
        raise FileError("the lists of inputs and outputs are not those of the nodes")
    states = [s.name for s in graph.states]
    for names in ([op.name for op in graph.input_ops], [op.name for op in graph.output_ops], states):
        if len(set(names)) != len(names):
            raise FileError(f"two inputs, outputs or states have one name: {', '.join(names)}")


def _pick(nodes: list[Node], ids: list[int]) -> tuple[Node, ...]:
    """Give the nodes of these numbers; each reads only what stands before it."""
    if not all(type(i) is int and 0 <= i < len(nodes) for i in ids):
        raise FileError(f"node {len(nodes)} reads {ids}", hint="nodes read those before them")
    return tuple(nodes[i] for i in ids)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FileError(f"{value!r} stands where a text should")
    return value


def read_npy(data: bytes) -> NDArray:
    """Give the array in a ``.npy`` file. Raises FileError, ValueError or EOFError where it is not all there."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise FileError("arrays are of another version of the npy format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if fortran or dtype.kind not in "fi" or min(shape, default=0) < 0:
        raise FileError(f"an array of {dtype}", hint="a graph holds integers and floats in rows")
    if len(data) - stream.tell() != prod(shape) * dtype.itemsize:
        raise FileError(f"an array of shape {shape} has {len(data) - stream.tell()} bytes")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def _node(node: Node, ids: dict[Node, int], arrays: dict[str, NDArray], prefix: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": type(node.op).__name__, "inputs": [ids[i] for i in node.inputs], "where": node.where}
    for f in fields(node.op):
        value = getattr(node.op, f.name)
        if f.default is MISSING or value != f.default:
            entry[f.name] = _encode(value, f"{prefix}n{ids[node]}_{f.name}", arrays)
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
        case Graph():
            return {"graph": _graph(value, f"{key}_", arrays)}
        case Float():
            return {"float": value.bits} if value == FLOAT else {"float": str(value)}
        case Fixed():
            signed = value.signed if isinstance(value.signed, Grid) else bool(value.signed)
            return {"fixed": [_encode(v, key, arrays) for v in (value.width, value.integer, signed)]}
        case Affine():
            return {
                "affine": [_encode(v, key, arrays) for v in (value.width, value.signed, value.scale, value.zero_point)]
            }
        case StrEnum():
            return value.value
        case np.generic():
            return value.item()
        case tuple():
            return [_encode(v, key, arrays) for v in value]
    return value


def _number(value: Any) -> Any:
    return f"{value.numerator}/{value.denominator}" if isinstance(value, Fraction) else value


def narrow(values: NDArray) -> NDArray:
    """Store integers in the narrowest signed type that holds them; floats stay."""
    if values.dtype.kind == "b":
        return values.astype(np.int8)
    if values.dtype.kind not in "iu":
        return values
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return values.astype(next(k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max))


def _op(entry: dict[str, Any], array: Callable[[str], NDArray]) -> Op:
    cls = OPS[entry["op"]]
    hints = get_type_hints(cls)
    given = {k: _decode(v, hints.get(k), array) for k, v in entry.items() if k not in ("op", "inputs", "where")}
    for key, value in given.items():
        if key not in hints:
            raise FileError(f"{entry['op']} has no {key}")
        if not conforms(value, hints[key]):
            raise FileError(f"{entry['op']}: {key} cannot be {str(value)[:80]}")
    return cls(**given)


def conforms(value: object, hint: Any) -> bool:
    """Whether a decoded value is what a field's annotation says; nothing is converted."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple and isinstance(value, tuple):
        each = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return len(each) == len(value) and all(map(conforms, value, each))
    if arguments:
        return get_origin(hint) is not tuple and any(conforms(value, a) for a in arguments)
    if hint in (int, float):
        return type(value) is int or type(value) is hint
    return isinstance(value, hint)


def _enumeration(hint: Any) -> type[StrEnum] | None:
    """Give the enumeration that a field's annotation allows, if any."""
    kinds = (kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, StrEnum))
    return next(kinds, None)


def _decode(value: Any, hint: Any, array: Callable[[str], NDArray]) -> Any:
    match value:
        case {"array": key}:
            data = array(_text(key))
            return Array(data.astype(np.int64) if data.dtype.kind == "i" else data)
        case {"graph": dict(head)}:
            return _rebuilt(head, array)
        case {"float": int(bits)}:
            return Float(bits)
        case {"float": str(name)}:
            return FLOATS[name]
        case {"fixed": [width, integer, signed]}:
            return Fixed(_whole(width), _whole(integer), signed if isinstance(signed, bool) else _grid(signed))
        case {"affine": [int(width), bool(signed), scale, zero]}:
            return Affine(width, signed, Fraction(scale) if isinstance(scale, str) else _grid(scale), _whole(zero))
        case list():
            return tuple(_decode(v, None, array) for v in value)
        case str() if (kind := _enumeration(hint)) is not None:
            return kind(value)
    return value


def _whole(value: Any) -> int | Grid:
    return value if type(value) is int else _grid(value)


def _grid(value: Any) -> Grid:
    values = value["values"]
    kinds = {type(v) for v in values}
    if len(kinds) != 1 or not kinds <= {int, bool, str}:
        raise FileError("the numbers of a format for each channel are not of one kind")
    exact = [Fraction(v) if isinstance(v, str) else v for v in values]
    return Grid(np.array(exact, dtype=object if str in kinds else np.int64).reshape(tuple(value["grid"])))

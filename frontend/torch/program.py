"""An exported program out of its JSON: inputs, operators with named arguments, outputs, the type of every tensor.

The schema is that of ``torch/_export/serde/schema.py``, major versions 5 to 8 (PyTorch 2.2 to 2.13).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...graph import FileError, UnsupportedError
from .archive import DAMAGED, DTYPES

MAJORS = range(5, 9)


@dataclass(frozen=True)
class Ref:
    """The name of a tensor, or of a number that depends on the length of the batch."""

    name: str


class Dtype(str):
    """An element type in an argument."""

    __slots__ = ()


@dataclass(frozen=True)
class Other:
    """An argument that says how memory is laid out, or where; it changes no number."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Type:
    """Element type and shape of a tensor; lengths that follow the batch are expressions."""

    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Step:
    """One operator: ``target`` (``torch.ops.aten.relu.default``), arguments by name, the names of its results."""

    target: str
    arguments: dict[str, Any]
    results: tuple[str | None, ...]
    name: str
    module: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """The library, the operator and its overload; for Python's own functions the module and the function."""
        words = self.target.removeprefix("torch.ops.").split(".")
        if self.target.startswith("torch.ops.") and len(words) == 3:
            return words[0], words[1], words[2]
        return ".".join(words[:-1]), words[-1], ""


@dataclass(frozen=True)
class Entry:
    """An input of the program: ``kind`` is input, parameter, buffer, constant or number; ``key`` names the weight."""

    kind: str
    name: str
    key: str = ""
    value: Any = None


@dataclass(frozen=True)
class Program:
    """A whole exported program."""

    entries: tuple[Entry, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Any, ...]
    types: dict[str, Type]
    notes: list[str] = field(default_factory=list)


def parse(document: dict[str, Any], where: str) -> Program:
    """Make a program of the JSON document.

    Raises FileError where it is damaged, UnsupportedError for what is not read.
    """
    try:
        return _program(document, where)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise FileError(f"the program is damaged: {type(error).__name__} {error}", where=where, hint=DAMAGED) from None


def _program(document: dict[str, Any], where: str) -> Program:
    major = document["schema_version"]["major"]
    if major not in MAJORS:
        what = f"version {major} of the format of exported programs is not known"
        raise UnsupportedError(what, where=where, hint="export with PyTorch 2.5 to 2.13")
    module = document["graph_module"]
    graph, signature = module["graph"], module["signature"]
    types = {name: _type(meta) for name, meta in graph["tensor_values"].items()}
    entries = tuple(_entry(spec, where) for spec in signature["input_specs"])
    steps = tuple(_step(node, where) for node in graph["nodes"])
    outputs = tuple(_output(spec, where) for spec in signature["output_specs"])
    return Program(entries, steps, outputs, types)


def _type(meta: dict[str, Any]) -> Type:
    sizes = tuple(s["as_int"] if s.get("as_int") is not None else str(s["as_expr"]["expr_str"]) for s in meta["sizes"])
    if any(isinstance(n, bool) or not isinstance(n, int | str) for n in sizes):
        raise ValueError(f"a shape {sizes}")
    if meta.get("layout", 7) != 7:
        return Type("sparse", sizes)
    return Type(DTYPES.get(meta["dtype"], "unknown"), sizes)


def only(union: dict[str, Any]) -> tuple[str, Any]:
    """Give the one member of a union that is set."""
    members = [(key, value) for key, value in union.items() if value is not None]
    if len(members) != 1:
        raise ValueError(f"a union with {len(members)} members")
    return members[0]


MUTATIONS = {
    "buffer_mutation": "it changes a buffer while it runs",
    "parameter_mutation": "it changes a parameter while it runs",
    "user_input_mutation": "it changes its input",
    "gradient_to_parameter": "it computes gradients",
    "gradient_to_user_input": "it computes gradients",
    "loss_output": "it computes a loss",
    "token": "it has side effects",
}


def _entry(spec: dict[str, Any], where: str) -> Entry:
    kind, body = only(spec)
    match kind:
        case "user_input":
            value = argument(body["arg"], where)
            return Entry("input", value.name) if isinstance(value, Ref) else Entry("number", "", value=value)
        case "parameter":
            return Entry("parameter", _text(body["arg"]["name"]), _text(body["parameter_name"]))
        case "buffer":
            return Entry("buffer", _text(body["arg"]["name"]), _text(body["buffer_name"]))
        case "tensor_constant":
            return Entry("constant", _text(body["arg"]["name"]), _text(body["tensor_constant_name"]))
        case "constant_input":
            return Entry("number", _text(body["name"]), value=only(body["value"])[1])
    what = f"the program takes a {kind.replace('_', ' ')}"
    raise UnsupportedError(what, where=where, hint="use plain tensors only: no script objects, no side effects")


def _output(spec: dict[str, Any], where: str) -> Any:
    kind, body = only(spec)
    if kind != "user_output":
        hint = "export the model for inference: model.eval(), and without statistics or caches that are updated"
        raise UnsupportedError(MUTATIONS.get(kind, f"it has an output of kind {kind}"), where=where, hint=hint)
    return argument(body["arg"], where)


def _step(node: dict[str, Any], where: str) -> Step:
    target, results = _text(node["target"]), _results(node["outputs"])
    name = _text(node.get("name") or next((r for r in results if r), "") or target.rsplit(".", 2)[-2])
    place = f"{where}: {target.removeprefix('torch.ops.')} {name!r}"
    arguments: dict[str, Any] = {}
    for i, item in enumerate(node["inputs"]):
        key = _text(item["name"]) or str(i)  # those of Python's functions and of control flow have no names
        if key in arguments:
            raise FileError(f"the argument {key!r} is given twice", where=place, hint=DAMAGED)
        arguments[key] = argument(item["arg"], place)
    return Step(target, arguments, results, name, _module(node.get("metadata") or {}))


def _results(outputs: list[dict[str, Any]]) -> tuple[str | None, ...]:
    names: list[str | None] = []
    for output in outputs:
        kind, body = only(output)
        if kind == "as_tensors":
            names += [_text(t["name"]) for t in body]
        elif kind in ("as_tensor", "as_custom_obj"):
            names.append(_text(body["name"]))
        elif kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
            names.append(body.get("as_name"))
        elif kind == "as_optional_tensor":
            names.append(only(body)[1]["name"] if only(body)[0] == "as_tensor" else None)
        else:
            names.append(None)
    return tuple(names)


def _module(metadata: dict[str, str]) -> str:
    """Give the module that an operator belongs to by its path in the model, for instance ``layer1.0.conv1``."""
    stack = str(metadata.get("nn_module_stack", "")).rpartition(";")[2].rsplit(",", 2)
    path = stack[1] if len(stack) == 3 else ""
    return "" if "_empty_nn_module_stack" in path else path.removeprefix("L['self'].").removeprefix("L['self']")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a name, got {value!r}")
    return value


def argument(union: dict[str, Any], where: str) -> Any:
    """Decode an argument: numbers, strings, lists, references. Raises UnsupportedError for graphs and objects."""
    kind, value = only(union)
    if kind not in _DECODE:
        what = {"as_graph": "control flow (a graph as an argument)", "as_complex": "a complex number"}.get(kind, kind)
        hint = "write the model without it; loops and branches with fixed counts unroll at export"
        raise UnsupportedError(f"{what} is not supported", where=where, hint=hint)
    return _DECODE[kind](value)


def _number(value: Any) -> float:
    return float(value)  # infinities are written as strings


def _symbol(value: dict[str, Any]) -> Any:
    kind, body = only(value)
    return Ref(_text(body)) if kind == "as_name" else body


def _tensor(value: dict[str, Any]) -> Ref | None:
    kind, body = only(value)
    return None if kind == "as_none" else Ref(_text(body["name"]))


def _checked(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TypeError(f"expected {kind.__name__}, got {value!r}")
        return value

    return check


def _each(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [decode(v) for v in values]


_DECODE: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda v: None,
    "as_tensor": lambda v: Ref(_text(v["name"])),
    "as_tensors": _each(lambda v: Ref(_text(v["name"]))),
    "as_int": _checked(int),
    "as_ints": _each(_checked(int)),
    "as_float": _number,
    "as_floats": _each(_number),
    "as_string": _checked(str),
    "as_strings": _each(_checked(str)),
    "as_sym_int": _symbol,
    "as_sym_ints": _each(_symbol),
    "as_sym_float": _symbol,
    "as_sym_floats": _each(_symbol),
    "as_sym_bool": _symbol,
    "as_sym_bools": _each(_symbol),
    "as_scalar_type": lambda v: Dtype(DTYPES[v]),
    "as_memory_format": lambda v: Other("memory format", v),
    "as_layout": lambda v: Other("layout", v),
    "as_device": lambda v: Other("device", v.get("type")),
    "as_bool": _checked(bool),
    "as_bools": _each(_checked(bool)),
    "as_optional_tensors": _each(_tensor),
    "as_optional_tensor": _tensor,
    "as_int_lists": _each(_each(_checked(int))),
}

"""Apply the layers of a configuration to each other: sequential, functional and nested models, shared layers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...graph import FileError, GatewrightError, Graph, Node, ShapeError, UnsupportedError
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from . import layers  # noqa: F401 - fills the tables
from .config import Entry
from .dtypes import check_dtype
from .ignored import ignore_common
from .registry import LAYERS, Dialect, Layer
from .weights import Arrays

REFUSED = {
    "Lambda": "its code is never run; write it with layers (Rescaling, Reshape, ...), or export to ONNX",
    "TFOpLambda": "write the function as a layer (Add, Multiply, Rescaling, ...), or export to ONNX",
    "SlicingOpLambda": "write the slice as a Cropping layer, or export to ONNX",
    "Masking": "masks are not carried; cut or pad the sequences to one length before the model",
}
"""Layers that are refused on purpose, and what to try."""
MAX_ELEMENTS = 1 << 28
Key = tuple[str, int]


def assemble(root: Entry, arrays: Arrays, dialect: Dialect, source: str) -> Graph:
    """Give the graph of a whole model. Raises UnsupportedError, ShapeError, FileError; ManyErrors for several."""
    check_classes(root)
    assembly = Assembly(root, arrays, dialect)
    inputs = tuple(assembly.input(entry) for entry in assembly.input_layers)
    results = assembly.model(root, list(inputs))
    raise_all(assembly.errors)
    names = assembly.output_names(len(results))
    outputs = tuple(Node(Output(name), (n,), name) for name, n in zip(names, results, strict=True) if n is not None)
    return settle_layout(Graph(inputs, outputs, root.name, source, tuple(dict.fromkeys(assembly.notes))))


def check_classes(root: Entry) -> None:
    """Raise UnsupportedError for each layer whose class cannot be imported, FileError where there is no model."""
    if not root.is_model:
        raise FileError(f"{root.class_name} is a layer, not a model", where=root.where, hint="put it into a Sequential")
    raise_all(_unknown(e) for e in root.walk() if not e.is_model and not known(e))


def known(entry: Entry) -> bool:
    """Whether the class can be imported. Functions of ``keras.ops`` share names with layers, but not their meaning."""
    return entry.class_name in LAYERS and ".ops" not in entry.module


def _unknown(entry: Entry) -> UnsupportedError:
    hint = REFUSED.get(entry.class_name, "see docs/keras.md for the layers that are; or export the model to ONNX")
    kind = f"the function {entry.module}.{entry.class_name}" if ".ops" in entry.module else f"layer {entry.class_name}"
    return UnsupportedError(f"{kind} is not supported", where=entry.where, hint=hint)


@dataclass
class Assembly:
    """What is shared while one model is imported. ``errors`` collects the problems of all layers."""

    root: Entry
    arrays: Arrays
    dialect: Dialect
    errors: list[GatewrightError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    caches: dict[Entry, dict[str, Node]] = field(default_factory=dict)
    output_layers: list[str] = field(default_factory=list)

    @property
    def input_layers(self) -> list[Entry]:
        """The layers that are inputs of the whole model, in its order; for a Sequential without, the model itself."""
        if self.root.class_name == "Sequential":
            first = self.root.children[0] if self.root.children else self.root
            return [first if first.class_name == "InputLayer" else self.root]
        by_name = {e.name: e for e in self.root.children}
        names = [ref[0] for ref in references(self.root.config.get("input_layers"), self.root)]
        missing = [n for n in names if n not in by_name]
        raise_all(
            FileError(f"no input layer {n!r}", where=self.root.where, hint="save the model again") for n in missing
        )
        return [by_name[n] for n in names]

    def input(self, entry: Entry) -> Node:
        """Make an input of the graph."""
        shape = input_shape(entry)
        if not isinstance(shape, list) or not shape:
            hint = "put an Input layer first, or build the model before saving it"
            raise ShapeError("the shape of the input is not in the file", where=entry.where, hint=hint)
        if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape[1:]):
            hint = "build the model with a fixed size for every axis but the batch"
            raise UnsupportedError(f"an input of shape {shape}", where=entry.where, hint=hint)
        size = 1
        for n in shape[1:]:
            size *= n
        if size > MAX_ELEMENTS:
            raise ShapeError(
                f"an input of {size:,} elements", where=entry.where, hint="build the model for smaller inputs"
            )
        name = f"{entry.children[0].name}_input" if entry.is_model and entry.children else entry.name
        return Node(Input(name, tuple(shape[1:])), (), name)

    def output_names(self, count: int) -> list[str]:
        """Name the outputs after the layers that give them; unique where a layer gives several."""
        names = self.output_layers if len(self.output_layers) == count else [self.root.name] * count
        return [n if names.count(n) == 1 else f"{n}_{names[:i].count(n)}" for i, n in enumerate(names)]

    # Models

    def model(self, entry: Entry, inputs: list[Node]) -> list[Node | None]:
        """Apply a model to its inputs; None stands for what could not be computed (an error is in ``errors``)."""
        with Attributes(entry.config, where=entry.where) as config:
            config.ignore("layers", "input_layers", "output_layers", why="read here and below")
            config.ignore("name", "trainable", "build_input_shape", "batch_input_shape", why="read with the file")
            check_dtype(config)
        return self.sequential(entry, inputs) if entry.class_name == "Sequential" else self.functional(entry, inputs)

    def sequential(self, entry: Entry, inputs: list[Node]) -> list[Node | None]:
        """Apply one layer after the other."""
        values: list[Node | None] = list(inputs)
        for child in entry.children:
            values = self.apply(child, values, {})
        if entry is self.root and entry.children:
            self.output_layers = [entry.children[-1].name] * len(values)
        return values

    def functional(self, entry: Entry, inputs: list[Node]) -> list[Node | None]:
        """Apply every call of every layer as soon as what it reads is there."""
        calls = Calls(entry, self.dialect)
        ins = references(entry.config.get("input_layers"), entry)
        if len(ins) != len(inputs):
            raise ShapeError(f"the model has {len(ins)} inputs, it is called with {len(inputs)}", where=entry.where)
        done: dict[Key, list[Node | None]] = {}
        for ref, node in zip(ins, inputs, strict=True):
            done[ref[0], 0] = [*self.apply(calls.layer(ref[0]), [node], {})]
        for key, call in calls.in_order(set(done)):
            flat = [_pick(done[r.key], r, entry) for r in call.tensors]
            done[key] = self.apply(calls.layer(key[0]), flat, call.options)
        outs = [calls.resolve(ref, output=True) for ref in references(entry.config.get("output_layers"), entry)]
        if entry is self.root:
            self.output_layers = [r.key[0] for r in outs]
        for r in outs:
            if r.key not in done:
                raise _dangling(r.key[0], entry)
        return [_pick(done[r.key], r, entry) for r in outs]

    # Layers

    def apply(self, entry: Entry, inputs: list[Node | None], options: Mapping[str, Any]) -> list[Node | None]:
        """Apply one layer once. A failure is noted and gives [None], so that the other layers are still looked at."""
        values = [v for v in inputs if v is not None]
        if len(values) != len(inputs):
            return [None]
        try:
            _check_options(entry, options)
            if entry.is_model:
                return self.model(entry, values)
            return [*self.layer(entry, values)]
        except GatewrightError as error:
            self.errors.append(_placed(error, entry))
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, ZeroDivisionError, MemoryError) as error:
            what = f"its configuration is not one that Keras writes ({type(error).__name__}: {str(error)[:200]})"
            self.errors.append(FileError(what, where=entry.where, hint="save the model again"))
        return [None]

    def layer(self, entry: Entry, inputs: list[Node]) -> list[Node]:
        """Apply a layer that is no model, and see that each of its attributes was read."""
        kind = LAYERS[entry.class_name]
        config = Attributes(entry.config, where=entry.where)
        ignore_common(config)
        check_dtype(config)
        layer = Layer(
            name=entry.path,
            class_name=entry.class_name,
            dialect=self.dialect,
            config=config,
            weights=self.arrays.get(entry, {}),
            place=entry.where,
            cache=self.caches.setdefault(entry, {}),
            inner=self._inner(entry),
            notes=self.notes,
        )
        result = kind.build(layer, inputs)
        try:
            config.done()
        except GatewrightError as error:
            self.errors.append(error)
        nodes = result if isinstance(result, list) else [result]
        for node in nodes:
            if node.type.size > MAX_ELEMENTS:
                raise ShapeError(
                    f"a tensor of {node.type.size:,} elements", where=entry.where, hint="use smaller sizes"
                )
        return nodes

    def _inner(self, entry: Entry) -> Any:
        """Give what applies the layer inside a wrapper."""
        if not entry.children:
            return None
        child = entry.children[0]

        def apply(node: Node) -> list[Node]:
            if child.is_model:
                return [n for n in self.model(child, [node]) if n is not None]
            return self.layer(child, [node])

        return Inner(child.class_name, child.config, apply)


@dataclass(frozen=True)
class Inner:
    """The layer inside a wrapper."""

    class_name: str
    config: Mapping[str, Any]
    apply: Any


def _placed(error: GatewrightError, entry: Entry) -> GatewrightError:
    """Say the file and the layer where an operation only knew the layer."""
    from ...graph import ManyErrors

    if isinstance(error, ManyErrors) or (error.where and error.where != entry.path):
        return error
    return type(error)(error.what, where=entry.where, hint=error.hint)


def _check_options(entry: Entry, options: Mapping[str, Any]) -> None:
    """Look at the arguments of a call that are no tensors: only those are right that leave inference as it is."""
    with Attributes(options, where=entry.where) as call:
        call.expect("training", None, False, hint="call the layer without training=True")
        call.expect("mask", None, hint="masks are not carried")


def input_shape(entry: Entry) -> Any:
    """Give the shape (with the batch) of what enters a model or layer, where the configuration says it; else None."""
    config = entry.config
    for key in ("batch_shape", "batch_input_shape", "build_input_shape"):
        if config.get(key) is not None:
            return config[key]
    if entry.class_name != "InputLayer" and entry.built is not None:
        return entry.built
    if entry.is_model and entry.children:
        return input_shape(entry.children[0])
    if isinstance(config.get("input_dim"), int):
        return [None, config["input_dim"]]
    return None


# How calls refer to tensors


@dataclass(frozen=True)
class Ref:
    """Output ``tensor`` of call ``key[1]`` of the layer ``key[0]``."""

    key: Key
    tensor: int


@dataclass(frozen=True)
class Call:
    """One call of a layer: the tensors that it reads, in order, and the other arguments."""

    tensors: tuple[Ref, ...]
    options: Mapping[str, Any]


class Calls:
    """All calls in a functional model.

    Calls of nested models may count from 1, because a model's own definition counts as its call 0: tf-keras does so for
    models that begin with an input layer, Keras 3 only where the outputs of the model are listed.
    """

    def __init__(self, entry: Entry, dialect: Dialect) -> None:
        self.entry, self.dialect = entry, dialect
        self.layers = {child.name: child for child in entry.children}
        self.calls: dict[Key, Call] = {
            (child.name, i): self._call(node, child) for child in entry.children for i, node in enumerate(child.inbound)
        }

    def layer(self, name: str) -> Entry:
        """Give the layer of a name."""
        if name not in self.layers:
            raise _dangling(name, self.entry)
        return self.layers[name]

    def resolve(self, ref: tuple[str, int, int], output: bool = False) -> Ref:
        """Give the call that a reference means."""
        name, index, tensor = ref
        layer = self.layer(name)
        return Ref((name, index - self._first(layer, output)), tensor)

    def _first(self, layer: Entry, output: bool) -> int:
        if not layer.is_model:
            return 0
        if self.dialect is Dialect.KERAS3:
            return int(output and layer.class_name != "Sequential")
        return int(bool(layer.children) and layer.children[0].class_name == "InputLayer")

    def _call(self, node: Any, layer: Entry) -> Call:
        where = layer.where
        if isinstance(node, Mapping) and "args" in node:
            return self._call_3(node, where)
        refs: list[Ref] = []
        options: dict[str, Any] = {}
        for item in legacy_items(node, where):
            refs.append(self.resolve(_reference(item[:3], where)))
            if len(item) > 3 and item[3]:
                if not isinstance(item[3], Mapping):
                    raise FileError(f"a call of the form {str(item)[:80]}", where=where, hint="save the model again")
                options.update(item[3])
        extra = [self.resolve(_reference(v, where)) for v in options.values() if _is_reference(v)]
        if extra:
            raise UnsupportedError(
                f"a call with tensors as {', '.join(options)}", where=where, hint="pass them as the input"
            )
        return Call(tuple(refs), options)

    def _call_3(self, node: Mapping[str, Any], where: str) -> Call:
        with Attributes(node, where=where) as call:
            args, kwargs = call.take("args"), dict(call.take("kwargs", {}))
        if not isinstance(args, list):
            raise FileError("the arguments of a call are no list", where=where, hint="save the model again")
        first, *rest = args if args else [kwargs.pop("inputs", None)]
        if any(v not in (None, False) for v in rest):
            raise UnsupportedError(
                f"a call with arguments {str(rest)[:80]}", where=where, hint="pass all inputs as one list"
            )
        return Call(tuple(self.resolve(r) for r in _tensors(first, where)), kwargs)

    def in_order(self, ready: set[Key]) -> Iterator[tuple[Key, Call]]:
        """Give the calls so that each comes after those it reads. Raises FileError for loops and loose ends."""
        readers: dict[Key, list[Key]] = {}
        left: dict[Key, int] = {}
        pending = list(ready)
        for key, call in self.calls.items():
            sources = {r.key for r in call.tensors}
            for source in sources:
                if source not in self.calls and source not in ready:
                    raise _dangling(source[0], self.layers[key[0]])
                readers.setdefault(source, []).append(key)
            left[key] = len(sources)
            if not sources:
                raise FileError(
                    "a call that reads nothing", where=self.layers[key[0]].where, hint="save the model again"
                )
        while pending:
            for reader in readers.get(pending.pop(0), ()):
                left[reader] -= 1
                if not left[reader]:
                    pending.append(reader)
                    yield reader, self.calls[reader]
        loop = [key[0] for key, count in left.items() if count]
        if loop:
            what = f"the layers {', '.join(dict.fromkeys(loop))} wait for each other"
            raise FileError(what, where=self.entry.where, hint="save the model again")


def references(value: Any, entry: Entry) -> list[tuple[str, int, int]]:
    """Read ``input_layers`` or ``output_layers``: one reference, or a list or dictionary of them, nested in any way."""
    if _is_reference(value):
        return [_reference(value, entry.where)]
    items = list(value.values()) if isinstance(value, Mapping) else value
    if not isinstance(items, list) or not items:
        raise FileError("the model does not say its inputs and outputs", where=entry.where, hint="save the model again")
    return [ref for item in items for ref in references(item, entry)]


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and all(_index(v) for v in value[1:])
    )


def _index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reference(value: Any, where: str) -> tuple[str, int, int]:
    if not _is_reference(value):
        raise FileError(f"{str(value)[:80]} does not name a tensor", where=where, hint="save the model again")
    return value[0], value[1], value[2]


def legacy_items(node: Any, where: str) -> list[list[Any]]:
    """Give the references ``[layer, call, tensor, options]`` of one call in the format of Keras 2."""
    if isinstance(node, list) and node and isinstance(node[0], str):
        return [node]
    items = [i for v in node.values() for i in legacy_items(v, where)] if isinstance(node, Mapping) else node
    if not isinstance(items, list) or not all(isinstance(i, list) for i in items):
        raise FileError(f"a call of the form {str(node)[:80]}", where=where, hint="save the model again")
    return items


def _tensors(value: Any, where: str) -> list[tuple[str, int, int]]:
    """Give the references of Keras 3's tensors in an argument, in order."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        return [_reference(config.get("keras_history") if isinstance(config, Mapping) else None, where)]
    if isinstance(value, Mapping):
        return [r for key in sorted(value) for r in _tensors(value[key], where)]
    if isinstance(value, list):
        return [r for v in value for r in _tensors(v, where)]
    raise UnsupportedError(
        f"a call with the constant {str(value)[:80]}", where=where, hint="use Rescaling, or a layer with weights"
    )


def _dangling(name: str, entry: Entry) -> FileError:
    return FileError(f"a tensor of layer {name!r} that does not exist", where=entry.where, hint="save the model again")


def _pick(values: list[Node | None], ref: Ref, entry: Entry) -> Node | None:
    if values == [None]:
        return None
    if not 0 <= ref.tensor < len(values):
        raise _dangling(ref.key[0], entry)
    return values[ref.tensor]

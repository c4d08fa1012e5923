"""Apply the layers of a configuration to each other: sequential, functional and nested models, shared layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...graph import FileError, Float, GatewrightError, Graph, ManyErrors, Node, ShapeError, State, UnsupportedError
from ...graph.formats import FLOAT
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from . import layers  # noqa: F401 - fills the tables
from .calls import Call, Calls, Key, Ref, dangling, exchanged, leaves, references
from .config import Entry
from .dtypes import check_dtype, input_operation, input_type
from .half import cast, common, rounded
from .ignored import ignore_common
from .masks import settle
from .refused import REFUSED
from .registry import LAYERS, Dialect, Kind, Layer, Masks, Parameter
from .weights import Arrays

NO_FRAMEWORK = ("BinaryDense",)
"""Layers that no framework has: each author defines the same class."""
TAKES_INTEGERS = (
    "InputLayer", "Embedding", "Dense", "Rescaling", "Normalization", "CategoryEncoding", "Discretization", "Flatten",
    "Reshape", "Permute", "RepeatVector", "Identity", "Dropout", "Resizing", "CenterCrop",
)  # fmt: skip
"""Layers that whole numbers may enter: they take them as they are, or as real numbers."""
QUANTIZED = ("Dense", "EinsumDense", "Embedding")
"""Layers whose weights Keras 3 may have quantized."""
OWN_TYPE = ("Discretization",)
"""Layers whose type is that of their result alone."""
MAX_ELEMENTS = 1 << 28
MAX_SIDE = 1 << 16


def assemble(
    root: Entry,
    arrays: Arrays | None,
    dialect: Dialect,
    source: str,
    problems: Sequence[GatewrightError] = (),
    parameters: Mapping[str, Parameter] | None = None,
) -> Graph:
    """Give the graph of a whole model. Raises UnsupportedError, ShapeError, FileError; ManyErrors for several.

    ``problems`` are those found before; ``arrays`` None where the weights cannot be read. The layers are then still
    looked at, so that all problems are told at once. ``parameters``: rules for the weights of all layers.
    """
    assembly = Assembly(root, arrays or {}, dialect, [*problems, *unknown(root)], blind=arrays is None)
    assembly.parameters = parameters or {}
    inputs: tuple[Node, ...] = ()
    results: list[Node] = []
    try:
        inputs = tuple(assembly.input(entry) for entry in assembly.input_layers)
        results = assembly.model(root, list(inputs))
    except GatewrightError as error:
        assembly.errors.append(error)
    raise_all(assembly.errors)
    names = assembly.output_names(len(results))
    outputs = tuple(Node(Output(name), (n,), name) for name, n in zip(names, results, strict=True))
    notes, states = tuple(dict.fromkeys(assembly.notes)), tuple(assembly.states)
    return settle_layout(Graph(inputs, outputs, root.name, source, notes, states))


def check_model(root: Entry) -> None:
    """Raise FileError where there is a layer and no model."""
    if not root.is_model:
        hint = "put a layer into a Sequential, build a subclassed model with the functional interface, or use ONNX"
        what = f"{root.class_name} is no Sequential or functional model: a layer, or a subclassed model"
        raise FileError(what, where=root.where, hint=hint)


def unknown(root: Entry) -> list[UnsupportedError]:
    """Give an error for each layer whose class cannot be imported."""
    return [_unknown(e) for e in root.walk() if not e.is_model and not known(e)]


def known(entry: Entry) -> bool:
    """Whether the class can be imported.

    Functions of ``keras.ops`` and classes of the author share names with layers, but not their meaning.
    """
    mine = entry.own and entry.class_name not in NO_FRAMEWORK
    return kind_of(entry) is not None and not mine


def kind_of(entry: Entry) -> Kind | None:
    """Give what is known of the class of a layer, or of a function of ``keras.ops``."""
    return LAYERS.get(entry.kind_name)


def _unknown(entry: Entry) -> UnsupportedError:
    hint = REFUSED.get(entry.class_name, "see docs/keras.md for the layers that are; or export the model to ONNX")
    kind = f"the function {entry.module}.{entry.class_name}" if entry.is_function else f"layer {entry.class_name}"
    if entry.own and entry.class_name in LAYERS:
        kind = f"a layer class of your own called {entry.class_name}"
    return UnsupportedError(f"{kind} is not supported", where=entry.where, hint=hint)


@dataclass
class Assembly:
    """What is shared while one model is imported. ``errors`` collects the problems of all layers.

    ``blind``: there are no weights. ``guesses`` are the values behind a layer that failed: of a shape that is only
    supposed, good enough to look at the attributes of the layers that follow.
    """

    root: Entry
    arrays: Arrays
    dialect: Dialect
    errors: list[GatewrightError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    caches: dict[Entry, dict[str, Node]] = field(default_factory=dict)
    output_layers: list[str] = field(default_factory=list)
    blind: bool = False
    guesses: set[Node] = field(default_factory=set)
    masks: Masks = field(default_factory=Masks)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)

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
        return Node(input_operation(name, tuple(shape[1:]), entry.config.get("dtype")), (), name)

    def output_names(self, count: int) -> list[str]:
        """Name the outputs after the layers that give them; unique where a layer gives several."""
        names = self.output_layers if len(self.output_layers) == count else [self.root.name] * count
        return [n if names.count(n) == 1 else f"{n}_{names[:i].count(n)}" for i, n in enumerate(names)]

    # Models

    def model(self, entry: Entry, inputs: list[Node]) -> list[Node]:
        """Apply a model to its inputs; what could not be computed is in ``guesses``, and why in ``errors``."""
        with Attributes(entry.config, where=entry.where) as config:
            config.ignore("layers", "input_layers", "output_layers", why="read here and below")
            config.ignore("name", "trainable", "build_input_shape", "batch_input_shape", why="read with the file")
            check_dtype(config)
        return self.sequential(entry, inputs) if entry.class_name == "Sequential" else self.functional(entry, inputs)

    def sequential(self, entry: Entry, inputs: list[Node]) -> list[Node]:
        """Apply one layer after the other."""
        values = list(inputs)
        for child in entry.children:
            values = self.apply(child, Call((values[0] if len(values) == 1 else values,), {}))
        if entry is self.root and entry.children:
            self.output_layers = [entry.children[-1].name] * len(values)
        return values

    def functional(self, entry: Entry, inputs: list[Node]) -> list[Node]:
        """Apply every call of every layer as soon as what it reads is there."""
        calls = Calls(entry, self.dialect)
        ins = references(entry.config.get("input_layers"), entry)
        if len(ins) != len(inputs):
            raise ShapeError(f"the model has {len(ins)} inputs, it is called with {len(inputs)}", where=entry.where)
        done: dict[Key, list[Node]] = {}
        for ref, node in zip(ins, inputs, strict=True):
            done[ref[0], 0] = [*self.apply(calls.layer(ref[0]), Call((node,), {}))]

        def value(ref: Ref) -> Node:
            return self._pick(done[ref.key], ref, entry)

        for key, call in calls.in_order(set(done)):
            given = Call(tuple(exchanged(call.args, value)), exchanged(call.options, value))
            done[key] = self.apply(calls.layer(key[0]), given)
        outs = [calls.resolve(ref, output=True) for ref in references(entry.config.get("output_layers"), entry)]
        if entry is self.root:
            self.output_layers = [r.key[0] for r in outs]
        for r in outs:
            if r.key not in done:
                raise dangling(r.key[0], entry)
        return [value(r) for r in outs]

    def _pick(self, values: list[Node], ref: Ref, entry: Entry) -> Node:
        if values[0] in self.guesses:
            return values[0]
        if not 0 <= ref.tensor < len(values):
            raise dangling(ref.key[0], entry)
        return values[ref.tensor]

    # Layers

    def apply(self, entry: Entry, call: Call) -> list[Node]:
        """Apply one layer once. A failure is noted and gives a guess, so that the other layers are still looked at."""
        inputs = nodes_of(call)
        guessed = any(v in self.guesses for v in inputs)
        if guessed and len(inputs) == 1:
            call = Call((self._supposed(entry, inputs[0]), *call.args[1:]), call.options)
        found = self._attempt(entry, call, guessed or self.blind)
        result = found if found is not None else [self._supposed(entry, *inputs[:1])]
        if guessed or found is None:
            self.guesses.update(result)
        return result

    def _supposed(self, entry: Entry, like: Node | None = None) -> Node:
        """Make up a value: of the shape that the file says the layer was built for, else that of another value."""
        built = entry.built[1:] if isinstance(entry.built, list) else None
        stated = bool(built) and all(isinstance(n, int) and 0 < n < MAX_SIDE for n in built or ())
        shape = tuple(built or ()) if stated else like.shape if like is not None else (1,)
        node = Node(Input(entry.path, shape), (), entry.path)
        self.guesses.add(node)
        return node

    def _attempt(self, entry: Entry, call: Call, guessed: bool) -> list[Node] | None:
        """Apply one layer; None where that fails. Behind a guess, only what is not supported at all is noted."""
        errors: list[GatewrightError] = []
        result = self._tried(entry, call, guessed, errors)
        flat = [one for e in errors for one in (e.errors if isinstance(e, ManyErrors) else (e,))]
        self.errors += [e for e in flat if not guessed or isinstance(e, UnsupportedError)]
        return result

    def _tried(self, entry: Entry, call: Call, guessed: bool, errors: list[GatewrightError]) -> list[Node] | None:
        try:
            if not entry.is_model and not known(entry):
                raise _unknown(entry)
            if entry.is_model:
                return self.called(entry, call)
            return [*self.layer(entry, call, guessed)]
        except GatewrightError as error:
            errors.append(_placed(error, entry))
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, ZeroDivisionError, MemoryError) as error:
            what = f"its configuration is not one that Keras writes ({type(error).__name__}: {str(error)[:200]})"
            errors.append(FileError(what, where=entry.where, hint="save the model again"))
        return None

    def called(self, entry: Entry, call: Call) -> list[Node]:
        """Apply a model inside of another; a mask that the call names becomes that of the input."""
        inputs, rest = bound(entry, ("inputs",), call)
        with rest:
            given = rest.take("mask", None)
            masks = given if isinstance(given, list) else [given] * len(inputs)
            if given is not None and not list(leaves(given, Node)):
                raise rest.refusal("mask", given, "masks are only taken as tensors of the model")
        for x, mask in zip(inputs, masks, strict=False):
            if isinstance(mask, Node):
                self.masks.of[x] = mask
        return self.model(entry, inputs)

    def layer(self, entry: Entry, call: Call, guessed: bool = False) -> list[Node]:
        """Apply a layer that is no model, and see that each of its attributes was read."""
        kind = kind_of(entry)
        if kind is None or not known(entry):
            raise _unknown(entry)
        inputs, rest = bound(entry, kind.arguments, call, kind.function)
        config = Attributes(entry.config, where=entry.where)
        ignore_common(config)
        integers = entry.class_name in TAKES_INTEGERS or kind.function
        format = FLOAT
        if entry.class_name == "InputLayer" and (kept := input_type(config)):
            self.masks.types.update(dict.fromkeys(inputs, kept))
        elif kind.function:
            format = common(nodes_of(call))
        elif entry.class_name not in OWN_TYPE:
            format = self._format(config, entry, kind)
        if not integers and any(x in self.masks.types for x in inputs):
            what = "whole numbers or truth values enter a layer of real numbers"
            raise UnsupportedError(what, where=entry.where, hint="give the input the dtype float32")
        layer = Layer(
            name=entry.path,
            class_name=entry.class_name,
            dialect=self.dialect,
            config=config,
            weights=self.arrays.get(entry, {}),
            place=entry.where,
            cache=self.caches.setdefault(entry, {}),
            inner=self._inner(entry, guessed),
            notes=self.notes,
            guessed=guessed,
            call=rest,
            reads=tuple(nodes_of(call)),
            masks=self.masks,
            parameters=self.parameters,
            states=self.states,
        )
        inputs = [self._cast(x, format) for x in inputs]
        result = kind.build(layer, inputs)
        results = rounded(result if isinstance(result, list) else [result], [*inputs, *nodes_of(call)], format)
        nodes = settle(layer, kind, inputs, results)
        for check in (config, rest):
            try:
                check.done()
            except GatewrightError as error:
                self.errors.append(error)
        for node in nodes:
            if node.type.size > MAX_ELEMENTS:
                raise ShapeError(
                    f"a tensor of {node.type.size:,} elements", where=entry.where, hint="use smaller sizes"
                )
        return nodes

    def _format(self, config: Attributes, entry: Entry, kind: Kind) -> Float:
        """Give what a layer computes in; those of QKeras and HGQ have quantizers for float32."""
        policy = config.peek("dtype")
        format = check_dtype(config, entry.class_name in QUANTIZED)
        if format != FLOAT and not kind.build.__module__.startswith(__package__ or ""):
            raise config.refusal("dtype", policy, "quantizers are defined in float32: set that policy for the layer")
        return format

    def _cast(self, x: Node, format: Float) -> Node:
        """Round what enters a layer; a mask goes with it."""
        found = cast(x, format)
        for table in (self.masks.of, self.masks.types) if found is not x else ():
            if x in table:
                table[found] = table[x]  # type: ignore[assignment]
        return found

    def _inner(self, entry: Entry, guessed: bool) -> Any:
        """Give what applies the layer inside a wrapper."""
        if not entry.children:
            return None
        child = entry.children[0]

        def apply(node: Node, mask: Node | None = None) -> list[Node]:
            if child.is_model:
                return self.called(child, Call((node,), {"mask": mask}))
            return self.layer(child, Call((node,), {} if mask is None else {"mask": mask}), guessed)

        return Inner(child.class_name, child.config, apply)


@dataclass(frozen=True)
class Inner:
    """The layer inside a wrapper."""

    class_name: str
    config: Mapping[str, Any]
    apply: Any


def _placed(error: GatewrightError, entry: Entry) -> GatewrightError:
    """Say the file and the layer where an operation only knew the layer."""
    if isinstance(error, ManyErrors) or (error.where and error.where != entry.path):
        return error
    return type(error)(error.what, where=entry.where, hint=error.hint)


def nodes_of(call: Call) -> list[Node]:
    """Give the tensors of a call."""
    return [*leaves(call.args, Node), *leaves(call.options, Node)]


def bound(entry: Entry, names: tuple[str, ...], call: Call, function: bool = False) -> tuple[list[Node], Attributes]:
    """Give the inputs of a call, and its other arguments by name; those that say nothing are left out.

    Of the arguments that are no tensors, only those are right that leave inference as it is.
    """
    if any(not _is_nothing(v) and v is not False for v in call.args[len(names) :]):
        what = f"a call with arguments {str(list(call.args[len(names) :]))[:80]}"
        raise UnsupportedError(what, where=entry.where, hint="pass all inputs as one list")
    values = {**dict(zip(names, call.args, strict=False)), **call.options}
    if not function and values.pop("training", None) not in (None, False, 0):
        what = "attribute 'training' of the call = True is not supported"
        raise UnsupportedError(what, where=entry.where, hint="call the layer without training=True")
    if function:
        return [], Attributes(values, where=entry.where)
    first = values.pop(names[0], None)
    inputs = list(leaves(first, Node))
    strange = [v for v in _plain_leaves(first) if v is not None]
    if strange or not inputs:
        what = f"a call with the constant {str(strange or None)[:80]}"
        raise UnsupportedError(what, where=entry.where, hint="use Rescaling, or a layer with weights")
    return inputs, Attributes({k: v for k, v in values.items() if not _is_nothing(v)}, where=entry.where)


def _plain_leaves(value: Any) -> list[Any]:
    """Give what is no tensor in nested arguments."""
    if isinstance(value, Mapping):
        return [leaf for v in value.values() for leaf in _plain_leaves(v)]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in _plain_leaves(v)]
    return [] if isinstance(value, Node) else [value]


def _is_nothing(value: Any) -> bool:
    """Whether a structure (the mask of each tensor, for instance) holds nothing but None."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    return all(map(_is_nothing, items)) if isinstance(items, list) else items is None


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

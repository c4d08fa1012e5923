"""Tables of what can be imported, layers and activations by class name; QKeras registers its own in the same tables.

Each module of layers fills them with ``@layer("Dense", weights=(Weight("kernel"), Weight("bias", when="use_bias")))``
above ``def dense(layer: Layer, inputs: list[Node]) -> Node`` and ``@activation("relu")`` above
``def relu(layer: Layer, x: Node, config: Attributes) -> Node``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph import Array, NDArray, Node, Op, ShapeError, State, UnsupportedError
from ...graph.formats import narrowest
from ...graph.ops import Constant, Output
from ...graph.state import in_format
from ..attributes import Attributes


class Dialect(StrEnum):
    """Whose definitions hold where the two differ (hard_sigmoid, defaults of missing attributes)."""

    KERAS3 = "keras 3"
    TF_KERAS = "tf-keras"


@dataclass(frozen=True)
class Weight:
    """A stored array of a layer.

    ``when``: a boolean attribute that has to be true for it to exist, or a function of the configuration.
    ``trainable``: frameworks store trainable weights before the others where several layers share one list.
    ``group``: the layer inside that owns it, as the newer file layout calls it. Where several of those have arrays of
    one name, ours says whose it is before a dot: ``backward.kernel``.
    """

    name: str
    when: str | Callable[[Mapping[str, Any]], bool] | None = None
    trainable: bool = True
    group: str = ""

    @property
    def leaf(self) -> str:
        """The name that the framework gives it."""
        return self.name.rpartition(".")[2]

    def exists(self, config: Mapping[str, Any]) -> bool:
        """Whether a layer of this configuration has it."""
        if callable(self.when):
            return self.when(config)
        return self.when is None or bool(config.get(self.when, True))


class Masking(StrEnum):
    """What becomes of the mask of what a layer reads: gone, that of the result, what the layer says, or an error."""

    DROP = "drop"
    PASS = "pass"
    OWN = "own"
    REFUSE = "refuse"


@dataclass
class Masks:
    """The masks of tensors: numbers 0 and 1 that say which steps count. Those of the author's calls are operands.

    ``lost``: tensors whose mask a layer took away while others may still want it, and the results of that layer.
    ``types``: what is not real numbers: ``int``, ``bool``.
    """

    types: dict[Node, str] = field(default_factory=dict)
    of: dict[Node, Node] = field(default_factory=dict)
    used: set[Node] = field(default_factory=set)
    lost: dict[Node, Node] = field(default_factory=dict)


MOST_GUESSED = 1 << 24
"""Elements of a weight that is made up, where something before its layer failed."""

Parameter = Callable[["Layer", str, NDArray], Node]
"""Makes the node of a weight from its name and stored array."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer while it is being applied.

    ``name`` is unique in the model (``inner/dense`` inside nested models) and becomes ``Node.where``; ``config`` must
    be read completely; ``weights`` maps the names that the layer registered to arrays; ``parameters`` replaces how a
    weight becomes a node (quantizers of QKeras); ``place`` is the file and the layer, for errors. ``cache`` holds what
    several calls of a shared layer have in common: the constants. ``inner``: what a wrapper wraps. ``notes``: those of
    the graph. ``guessed``: something before it failed, so that only its attributes are of interest.
    ``call``: the arguments of this call after the first, by name, tensors as nodes; ``reads``: all its tensors;
    ``masks``: those of all tensors of the model; ``states``: what an inference leaves to the next.
    """

    name: str
    class_name: str
    dialect: Dialect
    config: Attributes
    weights: Mapping[str, NDArray]
    place: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    cache: dict[str, Node] = field(default_factory=dict)
    inner: Any = None
    notes: list[str] = field(default_factory=list)
    guessed: bool = False
    call: Attributes = field(default_factory=lambda: Attributes({}))
    reads: tuple[Node, ...] = ()
    masks: Masks = field(default_factory=Masks)
    states: list[State] = field(default_factory=list)

    def remember(self, entries: Sequence[Node], nexts: Sequence[Node]) -> None:
        """Let what an inference computes, ``nexts``, be what ``entries``, inputs of this layer's own, are in the one
        after it; the first finds zeros. Raises UnsupportedError for a layer that has such states already.
        """
        if {e.where for e in entries} & {s.entry.where for s in self.states}:
            raise self.unsupported("a stateful layer that is called twice", "use a layer for each call")
        for entry, node in zip(entries, nexts, strict=True):
            zeros = Array(in_format(np.zeros(entry.shape), entry.type.format))
            end = Output(entry.op.name)  # type: ignore[attr-defined]
            self.states.append(State(entry, Node(end, (node,), entry.where), zeros))

    def node(self, op: Op, *inputs: Node) -> Node:
        """Apply an operation in the name of this layer."""
        return Node(op, inputs, self.name)

    def constant(self, values: npt.ArrayLike, key: str = "") -> Node:
        """Give a float32 constant; the same node for every call of the layer where ``key`` names it."""
        if key and key in self.cache:
            return self.cache[key]
        node = Node(Constant(Array(np.asarray(values, np.float32))), (), f"{self.name}/{key}" if key else self.name)
        if key:
            self.cache[key] = node
        return node

    def scalar(self, value: float, x: Node) -> Node:
        """Give a number that meets ``x``: fixed point where ``x`` is integers and a short one exists, else float32."""
        exact = Fraction(value)
        if not x.type.is_integer or exact.denominator > 1 << 24 or abs(exact.numerator) >= 1 << 24:
            return self.constant(value)
        format = narrowest(Fraction(1, exact.denominator), exact.numerator, exact.numerator)
        return Node(Constant(Array(np.int64(exact.numerator)), format), (), self.name)

    def array(self, name: str, shape: tuple[int, ...]) -> NDArray:
        """Give a stored weight, which must have this shape. Raises ShapeError where it does not or is missing."""
        if self.guessed and getattr(self.weights.get(name), "shape", None) != shape and prod(shape) <= MOST_GUESSED:
            return np.full(shape, 0.5, np.float32)
        if name not in self.weights:
            what, hint = f"the file has no weight {name!r} of shape {shape}", "save the weights again"
            raise ShapeError(what, where=self.place, hint=hint)
        value = self.weights[name]
        if value.shape != shape:
            what = f"weight {name!r} has shape {value.shape}, the layer needs {shape}"
            raise ShapeError(what, where=self.place, hint="configuration and weights are of different models")
        return value

    def parameter(self, name: str, shape: tuple[int, ...]) -> Node:
        """Give a stored weight of this shape as a node: a float32 constant, or what ``parameters`` makes of it."""
        if name not in self.cache:
            value = self.array(name, shape)
            make = self.parameters.get(name)
            self.cache[name] = make(self, name, value) if make else self.constant(value, name)
        return self.cache[name]

    def arranged(self, name: str, shape: tuple[int, ...], move: Callable[[NDArray], NDArray], to: str = "") -> Node:
        """Give a stored weight whose elements ``move`` brings into another order or shape (reshape, transpose)."""
        key = f"{name}/{to or 'arranged'}"
        if key not in self.cache:
            node = self.parameter(name, shape)
            if not isinstance(node.op, Constant):
                raise self.unsupported(f"weight {name!r} is computed, not stored", "quantize it with a fixed scale")
            value = Array(move(node.op.value.data))
            self.cache[key] = Node(Constant(value, node.op.format.map(shape, move)), (), node.where)
        return self.cache[key]

    def with_parameters(self, parameters: Mapping[str, Parameter]) -> "Layer":
        """Give the same layer with other rules for how weights become nodes."""
        return replace(self, parameters={**self.parameters, **parameters})

    def unsupported(self, what: str, hint: str = "") -> UnsupportedError:
        """Give an error about this layer."""
        return UnsupportedError(what, where=self.place, hint=hint)


Build = Callable[[Layer, list[Node]], Node | list[Node]]
Weights = tuple[Weight, ...] | Callable[[Mapping[str, Any]], tuple[Weight, ...]]
ActivationBuild = Callable[[Layer, Node, Attributes], Node]


@dataclass(frozen=True)
class Kind:
    """How a layer class is imported and which arrays its instances store, in the order of the framework.

    ``arguments``: the names of what its call takes by position; the first is the inputs, the others are in
    ``Layer.call``. ``function``: one of ``keras.ops``, whose arguments all are in ``Layer.call``.
    """

    build: Build
    weights: Weights = ()
    arguments: tuple[str, ...] = ("inputs",)
    masking: Masking = Masking.REFUSE
    function: bool = False

    def stored(self, config: Mapping[str, Any]) -> tuple[Weight, ...]:
        """The weights that a layer of this configuration stores."""
        weights = self.weights(config) if callable(self.weights) else self.weights
        return tuple(w for w in weights if w.exists(config))


LAYERS: dict[str, Kind] = {}
"""By class name (without the package)."""

ACTIVATIONS: dict[str, ActivationBuild] = {}
"""By function or class name. ``"quantized_relu(4,0)"`` is ``quantized_relu`` with ``arguments``: ``"4,0"``."""


def layer(
    *names: str, weights: Weights = (), arguments: tuple[str, ...] = ("inputs",), masking: Masking = Masking.DROP
) -> Callable[[Build], Build]:
    """Register how layers of these classes become nodes."""

    def register(build: Build) -> Build:
        for name in names:
            assert name not in LAYERS, name
            LAYERS[name] = Kind(build, weights, arguments, masking)
        return build

    return register


def function(*names: str, arguments: tuple[str, ...]) -> Callable[[Build], Build]:
    """Register what functions of ``keras.ops`` of these class names become."""

    def register(build: Build) -> Build:
        for name in names:
            assert f"ops.{name}" not in LAYERS, name
            LAYERS[f"ops.{name}"] = Kind(build, (), arguments, Masking.DROP, function=True)
        return build

    return register


def activation(*names: str) -> Callable[[ActivationBuild], ActivationBuild]:
    """Register what activations of these names (function or class) become."""

    def register(build: ActivationBuild) -> ActivationBuild:
        for name in names:
            assert name not in ACTIVATIONS, name
            ACTIVATIONS[name] = build
        return build

    return register

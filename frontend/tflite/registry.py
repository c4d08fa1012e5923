"""The table of operators, and what an operator's function sees: tensors, options, its place for errors.

A module of operators fills the table with ``@operator("RELU", versions=2)`` above ``def relu(call: Call) -> Results``.
What a function does not read (an option, an input) is an error, found by construction: see ``Call.done``.

Inside the graph a tensor leaves out axis 0 of the source where that is the batch. A model whose batch is 1 may lose
that axis on its way (a reshape to two axes of a picture): such a tensor keeps all its axes. ``Call.inside`` says which
shape the graph has for a shape of the source.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import numpy.typing as npt

from ...graph import Affine, Array, Fixed, Format, GatewrightError, NDArray, Node, Op, ShapeError, UnsupportedError
from ...graph.ops import Constant, Reshape
from ..attributes import Attributes, raise_all
from .model import MAX_ELEMENTS, Tensor
from .schema import ACTIVATIONS


@dataclass(frozen=True, eq=False)
class Flow:
    """A tensor that depends on an input of the model; ``node`` has the shape ``Call.inside(info.shape)``."""

    node: Node
    info: Tensor


@dataclass(frozen=True, eq=False)
class Known:
    """A constant: the stored numbers in the shape of the source."""

    array: NDArray
    info: Tensor


@dataclass(frozen=True, eq=False)
class Variable:
    """A tensor that keeps its value from one inference to the next; it starts as zero."""

    info: Tensor


Value = Flow | Known | Variable
Result = Node | NDArray
Results = Result | list[Result]
"""A node for each output, or an array of stored numbers for one that depends on no input."""


@dataclass(eq=False)
class Call:
    """One operator of the source while it is being imported.

    ``name`` is unique in the model and becomes ``Node.where``; ``place`` is the file, the operator and its output, for
    errors; ``results`` says what the file says of the outputs; ``batch`` is the length of axis 0 that the model is
    written for; ``notes`` collects sentences for the user.
    """

    op: str
    name: str
    place: str
    version: int
    inputs: Sequence[Value | None]
    results: list[Tensor]
    attributes: Attributes
    batch: int
    notes: list[str] = field(default_factory=list)
    intermediates: Sequence[Tensor] = ()
    _read: set[int] = field(default_factory=set)

    def refuse(self, what: str, hint: str = "") -> UnsupportedError:
        """Give the error that says what of this operator is not supported."""
        return UnsupportedError(what, where=self.place, hint=hint)

    def misfit(self, what: str, hint: str = "") -> ShapeError:
        """Give the error that says what does not fit together."""
        return ShapeError(what, where=self.place, hint=hint or "the file is damaged; convert the model again")

    # ---- inputs

    def has(self, i: int) -> bool:
        """Whether input ``i`` is there; counts as reading it where it is left out."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def value(self, i: int) -> Value:
        """Give input ``i``, which must be there."""
        self._read.add(i)
        value = self.inputs[i] if i < len(self.inputs) else None
        if value is None:
            raise self.misfit(f"input {i} is missing")
        return value

    def info(self, i: int) -> Tensor:
        """Give what the file says of input ``i``."""
        return self.value(i).info

    @property
    def result(self) -> Tensor:
        """What the file says of the first output."""
        return self.results[0]

    def known(self, i: int) -> NDArray | None:
        """Give an input that must be constant, as stored, in the source's shape; None where it is left out."""
        if not self.has(i):
            return None
        value = self.value(i)
        if not isinstance(value, Known):
            raise self.refuse(f"input {i} is computed at run time", "it must be a constant in the file")
        return value.array

    def array(self, i: int) -> NDArray:
        """Give an input that must be there and constant, as stored, in the source's shape."""
        array = self.known(i)
        if array is None:
            raise self.misfit(f"input {i} is missing")
        return array

    def integers(self, i: int) -> tuple[int, ...]:
        """Give a constant input of whole numbers (one axis, or one number)."""
        array = self.array(i)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise self.misfit(f"expected a list of whole numbers, got {array.dtype} of shape {array.shape}")
        return tuple(int(v) for v in array.ravel())

    def operand(self, i: int) -> Node:
        """Give input ``i`` as a node of shape ``inside(info.shape)``: what is computed, or a constant in its format."""
        match self.value(i):
            case Flow(node=node):
                return node
            case Known(array=array, info=info):
                return self.stored(self._sample(array), info.format)
            case Variable():
                raise self.refuse(f"input {i} is a variable", "state is supported in LSTM and SVDF only")

    def _sample(self, array: NDArray) -> NDArray:
        """Give the part of a constant that meets one sample."""
        if self.batch == 1 or not array.ndim or array.shape[0] != self.batch:
            return array.reshape(self.inside(array.shape))
        if not bool((array == array[:1]).all()):
            raise self.refuse("a constant differs along the batch", BATCH_HINT)
        first: NDArray = array[0]
        return first

    def flow(self, i: int = 0) -> Node:
        """Give an input that has a batch axis in the source, without it: [batch, *shape] as a node [*shape].

        Raises UnsupportedError where axis 0 is not the batch.
        """
        info = self.info(i)
        if not info.shape or info.shape[0] != self.batch:
            raise self.refuse(
                f"axis 0 of input {i} of shape {info.shape} is not the batch", f"the model's batch is {self.batch}"
            )
        return self.operand(i)

    def whole(self, i: int) -> Node:
        """Give input ``i`` with all the axes of the source, the batch of 1 too.

        Raises UnsupportedError where the batch is not 1: its axis cannot be told from others then.
        """
        if self.batch != 1:
            raise self.refuse(f"it mixes axis 0, the batch of {self.batch}", "convert the model with a batch of 1")
        return self.reshaped(self.operand(i), self.info(i).shape)

    # ---- shapes

    def inside(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Give the shape that the graph has for a shape of the source: without axis 0 where that is the batch."""
        shape = tuple(shape)
        return shape[1:] if shape and shape[0] in (1, self.batch) else shape

    def axis(self, axis: int, rank: int) -> int:
        """Give an axis of the source, which may be negative, counted from 0. Raises ShapeError where there is none."""
        if not -rank <= axis < rank:
            raise self.misfit(f"axis {axis} of a tensor of {rank} axes")
        return axis % rank

    def inside_axis(self, axis: int, info: Tensor) -> int | None:
        """Give an axis of the source as one of the node's; None for the batch."""
        axis = self.axis(axis, len(info.shape))
        return axis - (len(info.shape) - len(self.inside(info.shape))) if self._dropped(info, axis) else None

    def _dropped(self, info: Tensor, axis: int) -> bool:
        return axis > 0 or len(self.inside(info.shape)) == len(info.shape)

    def reshaped(self, node: Node, shape: tuple[int, ...]) -> Node:
        """Give the same elements in another shape."""
        if node.shape == shape:
            return node
        if prod(node.shape) != prod(shape):
            raise self.misfit(f"{node.shape} has not as many elements as {shape}")
        return self.node(Reshape(shape), node)

    def fitted(self, node: Node, k: int = 0) -> Node:
        """Bring a node with all axes of the source to the shape that output ``k`` has inside (batch of 1 only)."""
        info = self.results[k]
        if info.open and len(node.shape) == len(info.shape):  # the file does not say the lengths of open axes
            self.results[k] = info = replace(info, shape=node.shape)
        elif info.open and len(node.shape) == len(info.shape) - 1 and info.shape[0] in (1, self.batch):
            self.results[k] = info = replace(info, shape=(self.batch, *node.shape))
        return self.reshaped(node, self.inside(info.shape))

    def broadcast(self, *indices: int) -> list[Node]:
        """Give inputs that broadcast against each other; by numpy's rules also without the batch.

        Raises UnsupportedError where the batch would meet another axis.
        """
        rank = max(len(self.info(i).shape) for i in indices)
        return [self._broadcast(i, rank) for i in indices]

    def _broadcast(self, i: int, rank: int) -> Node:
        value, shape = self.value(i), self.info(i).shape
        if isinstance(value, Known) and len(shape) < rank:
            return self.stored(value.array, value.info.format)
        if self.batch != 1 and (len(shape) < rank or shape[0] not in (1, self.batch)):
            raise self.refuse(f"an operand of shape {shape} meets the batch of {self.batch}", BATCH_HINT)
        return self.operand(i)

    # ---- options

    def activation(self) -> str:
        """Read the fused activation: a name of ``schema.ACTIVATIONS``."""
        number = self.attributes.integer("fused_activation_function", 0)
        if not 0 <= number < len(ACTIVATIONS):
            raise self.attributes.refusal("fused_activation_function", number, "there is no such activation")
        return ACTIVATIONS[number]

    # ---- making nodes

    def node(self, op: Op, *inputs: Node) -> Node:
        """Apply an operation in the name of this operator."""
        node = Node(op, inputs, self.name)
        if node.type.size > MAX_ELEMENTS:
            raise self.refuse(f"a tensor of {node.type.size:,} elements ({node.shape})", f"at most {MAX_ELEMENTS:,}")
        return node

    def stored(self, values: npt.ArrayLike, format: Format, key: str = "") -> Node:
        """Give a constant of stored numbers in a format (floats become float32); ``key`` says which it is."""
        array = np.asarray(values)
        if not isinstance(format, Affine | Fixed):
            with np.errstate(all="ignore"):
                array = array.astype(np.float32)
        return Node(Constant(Array(array), format), (), f"{self.name}/{key}" if key else self.name)

    def real(self, value: npt.ArrayLike, key: str = "") -> Node:
        """Give a float32 constant."""
        return self.stored(np.asarray(value, np.float32), FLOAT_FORMAT, key)

    def done(self) -> None:
        """Raise UnsupportedError for each option and each input that nobody read."""
        unread = [i for i, v in enumerate(self.inputs) if v is not None and i not in self._read]
        errors: list[GatewrightError] = [self.refuse(f"input {i} is not one that Gatewright knows") for i in unread]
        try:
            self.attributes.done()
        except GatewrightError as error:
            errors.append(error)
        raise_all(errors)


BATCH_HINT = "convert the model with a batch of 1, or give the operand a leading axis of length 1"
FLOAT_FORMAT = Tensor(0, "", (), "FLOAT32").format

Build = Callable[[Call], Results]


@dataclass(frozen=True)
class Rule:
    """How an operator becomes nodes, and the newest version of it whose meaning that is."""

    build: Build
    versions: int


OPERATORS: dict[str, Rule] = {}
"""By the operator's name in the schema."""

CONSTANT: dict[str, Build] = {}
"""How operators of whole numbers that are all known are computed, where that is not what OPERATORS say."""

REFUSED: dict[str, str] = {}
"""Operators that are known and refused, with what to try."""


def operator(*names: str, versions: int) -> Callable[[Build], Build]:
    """Register how operators of these names become nodes, up to a version."""

    def register(build: Build) -> Build:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = Rule(build, versions)
        return build

    return register

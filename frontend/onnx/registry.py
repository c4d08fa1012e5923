"""The table of operators, and what an operator's function sees: values, attributes, its place for errors.

A module of operators fills the table with ``@operator("Relu")`` above ``def relu(call: Call) -> Results``. What a
function does not read (an attribute, an input) is an error, found by construction: see ``Call.done``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph import Array, GatewrightError, ManyErrors, NDArray, Node, Op, ShapeError, UnsupportedError
from ...graph.formats import FLOAT, narrowest
from ...graph.ops import BOOLEAN, Constant, Div, Reshape, Select
from ..attributes import Attributes, raise_all
from .formats import integer_constant
from .types import KEPT_FLOATS, WHOLE, type_of
from .values import (
    NO_BATCH,
    OPEN_BATCH,
    Absent,
    Batch,
    Coded,
    Flow,
    Known,
    Many,
    Moved,
    Results,
    Scaled,
    Value,
)

Move = Callable[[NDArray], NDArray]

MAX_ELEMENTS = 1 << 28
"""No tensor may be larger (per sample): 1 GiB of float32."""


@dataclass(eq=False)
class Call:
    """One operator of the source while it is being imported.

    ``name`` is unique in the model and becomes ``Node.where``; ``place`` is the file, the operator and its name, for
    errors;
    ``outputs`` counts the outputs, those without a name too; ``notes`` collects sentences for the user.
    """

    op: str
    name: str
    place: str
    opset: int
    inputs: Sequence[Value | None]
    attributes: Attributes
    outputs: int
    batch: Batch
    notes: list[str] = field(default_factory=list)
    wanted: tuple[bool, ...] = ()
    """Whether something reads each output."""
    inside: Callable[[Any, dict[str, Value]], list[Value]] = lambda graph, given: []
    """Imports a graph that is one of the attributes."""
    _read: set[int] = field(default_factory=set)

    @property
    def lead(self) -> int:
        """How many axes of the source stand before those of a sample: the batch, or none."""
        return 1 if self.batch.lengths else 0

    def full(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Give the source's shape of a sample of ``shape``: one for each length of the batch that is tried."""
        return [(length, *shape) for length in self.batch.lengths] or [shape]

    def shown(self, x: Node) -> tuple[object, ...]:
        """Give the source's shape of a tensor for an error's text."""
        return ("batch", *x.shape) if self.lead else x.shape

    def type(self, i: int = 0) -> str:
        """Give the element type of input ``i``, which must be there, without reading it."""
        value = self.inputs[i] if i < len(self.inputs) else None
        match value:
            case Flow() | Moved():
                return value.type
            case Coded():
                return value.dtype
            case Known():
                return type_of(value.variants[0])
        return ""

    def is_whole(self, i: int = 0) -> bool:
        """Whether input ``i`` is of a type of whole numbers or truth values."""
        return self.type(i) in WHOLE

    def number(self, value: npt.ArrayLike, i: int = 0) -> Node:
        """Give a constant of the operator's own in the type of input ``i``: whole numbers or float32."""
        return self.constant(np.asarray(value, np.int64 if self.is_whole(i) else np.float32))

    def refuse(self, what: str, hint: str = "") -> UnsupportedError:
        """Give the error that says what of this operator is not supported."""
        return UnsupportedError(what, where=self.place, hint=hint)

    def misfit(self, what: str, hint: str = "") -> ShapeError:
        """Give the error that says what does not fit together."""
        return ShapeError(what, where=self.place, hint=hint or "the file is damaged; onnx.checker may say more")

    def raw(self, i: int) -> Value | None:
        """Give input ``i``, whatever it is; None where it is left out."""
        self._read.add(i)
        return self.inputs[i] if i < len(self.inputs) else None

    def many(self, i: int) -> tuple[Value, ...]:
        """Give the tensors of input ``i``, which must be a sequence."""
        value = self.raw(i)
        if not isinstance(value, Many):
            raise self.misfit(f"input {i} is no sequence")
        return value.items

    def optional(self, i: int) -> Flow | Known | None:
        """Give input ``i``, None where it is left out."""
        value = self.raw(i)
        if isinstance(value, Many):
            raise self.refuse(f"input {i} is a sequence", "join its tensors first, or take one: SequenceAt")
        if isinstance(value, Absent):
            raise self.refuse(
                f"it reads an output that is not computed: {value.why}", "take that output out of the model"
            )
        if isinstance(value, Moved):
            raise self.refuse(
                f"axis 0 of input {i} is not the batch: a Transpose has moved it", "keep axis 0 where it is"
            )
        if isinstance(value, Coded):
            from .coding import numbers

            return Flow(numbers(self, value), value.dtype, min(value.lead, self.lead))
        return value

    def coded(self, i: int) -> Coded | None:
        """Give input ``i`` where it is a computed tensor of integers, None for any other."""
        value = self.inputs[i] if i < len(self.inputs) else None
        if isinstance(value, Flow) and value.type in WHOLE:
            value = Coded(value.node, value.type, Fraction(1), 0, value.lead)
        if not isinstance(value, Coded):
            return None
        self._read.add(i)
        return value

    def moved(self, i: int) -> Moved | None:
        """Give input ``i`` where its batch is another axis than 0; None for any other."""
        value = self.inputs[i] if i < len(self.inputs) else None
        if not isinstance(value, Moved):
            return None
        self._read.add(i)
        return value

    def value(self, i: int) -> Flow | Known:
        """Give input ``i``, which must be there."""
        value = self.optional(i)
        if value is None:
            raise self.misfit(f"input {i} is missing")
        return value

    def flow(self, i: int = 0) -> Node:
        """Give an input that must depend on the model's inputs, as a node."""
        value = self.value(i)
        if isinstance(value, Known):
            raise self.refuse(
                f"input {i} is a constant where a computed tensor is expected",
                "fold constants first (onnxslim, onnxsim)",
            )
        if value.lead != self.lead:
            raise self.refuse(f"input {i} is the same for every sample", "make it a constant, or give it the batch")
        return value.node

    def known(self, i: int) -> NDArray | None:
        """Give an input that must be a constant which no batch length enters; None where it is left out."""
        value = self.optional(i)
        if value is None:
            return None
        if isinstance(value, Flow):
            raise self.refuse(
                f"input {i} is computed at run time", "it must be a constant; make it one where the model is exported"
            )
        if len(value.variants) > 1:
            raise self.refuse(
                f"input {i} depends on the length of the batch", "export the model with a fixed batch of 1"
            )
        return value.variants[0]

    def array(self, i: int) -> NDArray:
        """Give an input that must be there and constant, as float32."""
        value = self.known(i)
        if value is None:
            raise self.misfit(f"input {i} is missing")
        return self.real(value)

    def integers(self, i: int) -> tuple[int, ...] | None:
        """Give a constant input of whole numbers (one axis, or one number); None where it is left out."""
        value = self.known(i)
        return None if value is None else self.whole(value)

    def whole(self, value: NDArray) -> tuple[int, ...]:
        """Give an array of whole numbers as a tuple."""
        if value.dtype.kind not in "iu" or value.ndim > 1:
            raise self.misfit(f"expected a list of whole numbers, got {value.dtype} of shape {value.shape}")
        return tuple(int(v) for v in value.ravel())

    def scalar(self, i: int) -> float | None:
        """Give a constant input of one number; None where it is left out."""
        value = self.known(i)
        if value is None:
            return None
        if value.size != 1:
            raise self.misfit(f"input {i} should be one number, its shape is {value.shape}")
        return float(self.real(value).ravel()[0])

    def real(self, value: NDArray) -> NDArray:
        """Give floating-point numbers of any width in float32."""
        if not value.dtype.name.startswith(("float", "bfloat")):
            raise self.refuse(f"a constant has type {value.dtype}", "convert the model to float32")
        with np.errstate(all="ignore"):
            return value.astype(np.float32)

    def weights(self, i: int, move: Move = np.asarray, factor: float = 1.0) -> Node:
        """Give constant weights, times ``factor``, their axes rearranged by ``move``.

        Integers of their format where the source dequantizes them, floats of 16 bits where it has them, else float32.
        """
        value = self.value(i)
        if isinstance(value, Scaled) and factor:
            sign = -1 if factor < 0 else 1
            stored, zero = (np.asarray(v, np.int64) * sign for v in (value.stored, value.zero))
            return self.scaled(Scaled(value.variants, stored, value.scale * abs(factor), zero), move, "weight")
        real = self.array(i)
        if factor != 1.0:
            return self.constant((move(real).astype(np.float64) * factor).astype(np.float32), "weight")
        return self.constant(move(value.variants[0] if isinstance(value, Known) else real), "weight")

    def scaled(self, value: Scaled, move: Move = np.asarray, key: str = "") -> Node:
        """Give constant integers with their format as a node."""
        where = f"{self.name}/{key}" if key else self.name
        return integer_constant(value.stored, value.scale, value.zero, move, where)

    def operand(self, i: int, rank: int) -> Node:
        """Give input ``i`` of an operator that broadcasts to ``rank`` axes (the batch included), without its batch
        axis.

        Raises UnsupportedError where something else than the batch would meet the batch.
        """
        value = self.value(i)
        if isinstance(value, Scaled) and len(value.variants) == 1:
            return self.scaled(value, lambda v: self._one_sample(v, rank, f"input {i}"))
        if isinstance(value, Known):
            own = self.sample(value, rank, f"input {i}")
            plain = own if own.dtype.kind in "fiub" else own.astype(np.float32)
            return self.constant(own) if np.isfinite(plain).all() else self._infinite(own)
        if value.lead < self.lead:
            return self._same_for_all(value.node, rank, i)
        if value.rank != rank and self.lead:
            raise self.refuse(
                f"input {i} has {value.rank} axes and another has {rank}: axis 0, the batch, would meet another axis",
                "reshape it to the same number of axes where the model is made",
            )
        return value.node

    def _same_for_all(self, x: Node, rank: int, i: int) -> Node:
        """Give a tensor that is the same for every sample, as it meets one."""
        if len(x.shape) < rank:
            return x
        if len(x.shape) > rank or x.shape[0] != 1:
            raise self.refuse(f"input {i} of shape {x.shape} would meet the batch", "give it fewer axes")
        return self.node(Reshape(x.shape[1:]), x)

    def sample(self, value: Known, rank: int, what: str) -> NDArray:
        """Give the part of a constant that meets one sample, if it broadcasts to ``rank`` axes with the batch first."""
        results = [self._one_sample(v, rank, what) for v in value.variants]
        if any(r.shape != results[0].shape or not np.array_equal(r, results[0]) for r in results[1:]):
            raise self.refuse(f"{what} depends on the length of the batch", "export the model with a fixed batch of 1")
        return results[0]

    def _one_sample(self, value: NDArray, rank: int, what: str) -> NDArray:
        if value.ndim < rank or not value.ndim or not self.lead:
            return value
        if value.ndim > rank:
            raise self.refuse(
                f"{what} of shape {value.shape} has more axes than the tensor with the batch", "reshape the constant"
            )
        if value.shape[0] != 1 and (value.shape[0] not in self.batch.lengths or not bool((value == value[:1]).all())):
            raise self.refuse(
                f"{what} of shape {value.shape} has a leading axis that would meet the batch",
                "axis 0 is the batch; give the constant a leading axis of length 1",
            )
        return value[0] if value.shape[0] else value

    def rank(self, *indices: int) -> int:
        """Give the most axes that any of these inputs has."""
        return max(_rank(self.value(i)) for i in indices)

    def node(self, op: Op, *inputs: Node) -> Node:
        """Apply an operation in the name of this operator."""
        node = Node(op, inputs, self.name)
        if node.type.size > MAX_ELEMENTS:
            raise self.refuse(f"a tensor of {node.type.size:,} elements ({node.shape})", f"at most {MAX_ELEMENTS:,}")
        return node

    def constant(self, value: npt.ArrayLike, key: str = "") -> Node:
        """Give a constant, floats of 32 or 16 bits or whole numbers; ``key`` says which of the operator's."""
        array, where = np.asarray(value), f"{self.name}/{key}" if key else self.name
        if type_of(array) not in WHOLE:
            format = KEPT_FLOATS.get(type_of(array), FLOAT)
            return Node(Constant(Array(self.real(array)), format), (), where)
        if array.size and int(array.max()) >= 2**63:
            raise self.refuse(f"a constant of {array.dtype} beyond 63 bits", "use smaller numbers")
        whole = array.astype(np.int64)
        low, high = (int(f(initial=0)) for f in (whole.min, whole.max))
        return Node(Constant(Array(whole), narrowest(Fraction(1), low, high)), (), where)

    def _infinite(self, array: NDArray) -> Node:
        """Give a constant that holds infinite numbers, which are no weights: they are written as divisions by zero."""
        finite, where = ~np.isinf(array), self.name
        value = np.where(finite, self.real(np.where(finite, array, 0).astype(array.dtype)), array.astype(np.float32))
        parts = np.sign(np.where(finite, 0, value)), finite, np.where(finite, value, 0)  # finite: 1, infinite: 0
        signs, divisors, rest = (Node(Constant(Array(part.astype(np.float32))), (), where) for part in parts)
        chosen = Node(Constant(Array(finite.astype(np.int64)), BOOLEAN), (), where)
        return Node(Select(), (chosen, rest, Node(Div(), (signs, divisors), where)), where)

    def axis(self, axis: int, rank: int) -> int:
        """Give an axis of the source, which may be negative, counted from 0. Raises ShapeError where there is none."""
        if not -rank <= axis < rank:
            raise self.misfit(f"axis {axis} of a tensor of {rank} axes")
        return axis % rank

    def sample_axis(self, axis: int, rank: int) -> int:
        """Give an axis counted without the batch, if there is one. Raises UnsupportedError for the batch itself."""
        axis = self.axis(axis, rank)
        if axis < self.lead:
            raise self.refuse("it works along axis 0, the batch", "samples are independent; give another axis")
        return axis - self.lead

    def done(self) -> None:
        """Raise UnsupportedError for each attribute and each input that nobody read."""
        unread = [i for i, v in enumerate(self.inputs) if v is not None and i not in self._read]
        errors: list[GatewrightError] = [self.refuse(f"input {i} is not one that Gatewright knows") for i in unread]
        try:
            self.attributes.done()
        except GatewrightError as error:
            errors.append(error)
        raise_all(errors)


def listed(results: Results) -> list[Node | Value]:
    """Give what an operator's function gave as a list."""
    return [results] if isinstance(results, (Node, Flow, Known, Coded, Absent, Moved, Many)) else list(results)


def _rank(value: Flow | Known) -> int:
    return value.rank if isinstance(value, Flow) else value.variants[0].ndim


Build = Callable[[Call], Results]

OPERATORS: dict[str, Build] = {}
"""By operator type, of the default domain."""

DOMAINS: dict[tuple[str, str], Build] = {}
"""By domain and operator type, of other domains."""

REFUSED: dict[str, str] = {}
"""Operators that are known and refused, with what to try."""


def operator(*names: str, domains: Sequence[str] = ("",)) -> Callable[[Build], Build]:
    """Register how operators of these types become nodes, in ONNX's own domain or others."""

    def register(build: Build) -> Build:
        for name, domain in product(names, domains):
            table: dict[Any, Build] = DOMAINS if domain else OPERATORS
            key = (domain, name) if domain else name
            assert key not in table, key
            table[key] = build
        return build

    return register


def located(error: GatewrightError, place: str) -> GatewrightError:
    """Give the same error with the full place, where it names less."""
    if isinstance(error, ManyErrors):
        return ManyErrors(located(e, place) for e in error.errors)
    return error if error.where.startswith(place) else type(error)(error.what, where=place, hint=error.hint)


__all__ = [
    "DOMAINS", "MAX_ELEMENTS", "NO_BATCH", "OPEN_BATCH", "OPERATORS", "REFUSED", "Absent", "Batch", "Build", "Call",
    "Coded", "Flow", "Known", "Many", "Move", "Moved", "Results", "Scaled", "Value", "listed", "located", "operator",
]  # fmt: skip

"""The table of operators, and what an operator's function sees: values, arguments, its place for errors.

A module of operators fills the table with ``@operator("relu")`` above ``def relu(call: Call) -> Results``. An argument
that a function does not read is an error, found by construction: see ``Attributes.done``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph import Array, GatewrightError, ManyErrors, NDArray, Node, Op, ShapeError, UnsupportedError
from ...graph.formats import narrowest
from ...graph.ops import Constant, Reshape
from ..attributes import REQUIRED, Attributes
from ..onnx.formats import integer_constant
from ..onnx.types import KEPT_FLOATS
from .values import MAX_ELEMENTS, Absent, Batch, Coded, Flow, Known, Place, Scaled, Shape, Value

Results = Node | Value | Sequence[Node | Value]
REAL = ("float32", "float64", "float16", "bfloat16")
WHOLE = ("int64", "int32", "int16", "int8", "uint8", "bool")
ANY = (*REAL, *WHOLE)


@dataclass(eq=False)
class Call:
    """One operator of the source while it is being imported.

    ``op`` is the operator without its library and overload, ``name`` is unique and becomes ``Node.where``; ``place``
    is the file and the operator, for errors; ``dtypes`` are those of the results as the program says; ``notes``
    collects sentences for the user. ``folding``: no argument depends on an input.
    """

    op: str
    overload: str
    name: str
    place: str
    arguments: Attributes
    batch: Batch
    dtypes: tuple[str, ...] = ()
    shapes: tuple[tuple[int | None, ...], ...] = ()
    folding: bool = False
    notes: list[str] = field(default_factory=list)
    wanted: tuple[bool, ...] = ()
    """Whether anything reads each of the results."""
    main: Flow | None = None
    """The flow that was read last: a result that is given as a node has its batch where this has it."""

    def refuse(self, what: str, hint: str = "") -> UnsupportedError:
        """Give the error that says what of this operator is not supported."""
        return UnsupportedError(what, where=self.place, hint=hint or "write the model without it")

    def misfit(self, what: str, hint: str = "") -> ShapeError:
        """Give the error that says what does not fit together."""
        return ShapeError(what, where=self.place, hint=hint or "the file is damaged; export the model again")

    # Tensors

    def optional(self, key: str, default: Any = None) -> Flow | Known | None:
        """Give a tensor (or a number as one), None where it is left out."""
        return self.tensor(self.arguments.take(key, default), key)

    def tensor(self, value: Any, key: str) -> Flow | Known | None:
        """Give what stands in a list of tensors, or in an argument, as a tensor."""
        if isinstance(value, Absent):
            raise self.refuse(f"{key} is an output that is not computed: {value.why}", "use the other outputs only")
        if isinstance(value, bool | int | float):
            kind = "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "float32"
            try:
                return Known((np.asarray(value, np.float64 if kind == "float32" else kind),), kind)
            except OverflowError:
                raise self.misfit(f"{key} is {value}") from None
        if isinstance(value, Coded):
            hint = "dequantize it first; PyTorch computes on real numbers between the two"
            raise self.refuse(f"{key} holds quantized integers", hint)
        if value is None or isinstance(value, Flow | Known):
            return value
        raise self.misfit(f"{key} is {type(value).__name__}, expected a tensor")

    def value(self, key: str) -> Flow | Known:
        """Give a tensor that must be there."""
        value = self.optional(key, REQUIRED)
        if value is None:
            raise self.misfit(f"{key} is missing")
        return value

    def tensors(self, key: str) -> list[Flow | Known]:
        """Give a list of tensors."""
        items = self.arguments.take(key)
        if not isinstance(items, list) or not items:
            raise self.misfit(f"{key} is no list of tensors")
        values = [self.tensor(item, key) for item in items]
        if any(v is None for v in values):
            raise self.misfit(f"{key} has a gap")
        return [v for v in values if v is not None]

    def flow(self, key: str = "self", *, of: Sequence[str] = REAL) -> Flow:
        """Give a computed tensor of real numbers; a known one where everything is known and is being folded."""
        return self.as_flow(self.value(key), key, of)

    def as_flow(self, value: Flow | Known, key: str, of: Sequence[str] = REAL) -> Flow:
        """Check a tensor's type, and that it is computed from an input."""
        if isinstance(value, Known):
            if not self.folding:
                hint = "compute it before the export, or from an input"
                raise self.refuse(f"{key} is a constant where a computed tensor is expected", hint)
            value = Flow(self.constant(self.fixed(value, key)), None, value.dtype)
        if value.dtype not in of:
            wanted = "real numbers" if of == REAL else " or ".join(of)
            raise self.refuse(f"{key} has type {value.dtype} where {wanted} are expected", "convert it: x.float()")
        self.main = value
        return value

    def fixed(self, value: Flow | Known | None, key: str) -> NDArray:
        """Give the array of a tensor that no input and no length of a batch enters."""
        if value is None:
            raise self.misfit(f"{key} is missing")
        if isinstance(value, Flow):
            if value.place is None and value.node.type.value is not None:
                return value.node.type.value.data
            raise self.refuse(f"{key} is computed at run time", "it must be a parameter, a buffer or a constant")
        if len(value.variants) > 1:
            raise self.refuse(
                f"{key} depends on the length of the batch", "export the model for one batch of fixed length"
            )
        return value.variants[0]

    def array(self, key: str) -> NDArray:
        """Give a constant that must be there, as float32."""
        return self.real(self.fixed(self.value(key), key))

    def optional_array(self, key: str) -> NDArray | None:
        """Give a constant as float32, None where it is left out."""
        value = self.optional(key)
        return None if value is None else self.real(self.fixed(value, key))

    def whole_array(self, key: str) -> NDArray:
        """Give a constant of whole numbers."""
        value = self.fixed(self.value(key), key)
        if value.dtype.kind not in "iub":
            raise self.misfit(f"{key} has type {value.dtype}, expected whole numbers")
        return value.astype(np.int64)

    def real(self, value: NDArray) -> NDArray:
        """Give numbers in float32."""
        if value.dtype.kind not in "fiub":
            raise self.refuse(f"a constant has type {value.dtype}", "convert the model to float32")
        with np.errstate(all="ignore"):
            return value.astype(np.float32)

    # Numbers

    def number(self, key: str, default: Any = REQUIRED) -> float:
        """Give a finite number; infinite ones are refused."""
        value = self.arguments.take(key, default)
        if isinstance(value, Known):
            value = self.fixed(value, key).item()
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise self.arguments.refusal(key, value, "give a finite number")
        return float(value)

    def integer(self, key: str, default: Any = REQUIRED) -> int:
        """Give a whole number that no batch enters."""
        value = self.arguments.take(key, default)
        if isinstance(value, Known):
            value = self.fixed(value, key).item()
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.arguments.refusal(key, value, "give a whole number")
        return value

    def numbers(self, key: str, length: int, default: Any = REQUIRED, *, low: int | None = None) -> tuple[int, ...]:
        """Give ``length`` whole numbers; one stands for all of them."""
        value = self.arguments.take(key, default)
        items = [value] if isinstance(value, int | Known) else value
        if isinstance(items, list | tuple) and not items and default is not REQUIRED:
            items = [default] if isinstance(default, int) else default
        plain = [self.fixed(v, key).item() if isinstance(v, Known) else v for v in items or ()]
        plain = plain * length if len(plain) == 1 else plain
        if len(plain) != length or not all(isinstance(v, int) and (low is None or v >= low) for v in plain):
            raise self.arguments.refusal(
                key, value, f"give {length} whole numbers" + (f" from {low} on" * (low is not None))
            )
        return tuple(plain)

    def sizes(self, key: str) -> list[tuple[int, ...]]:
        """Give whole numbers into which the length of the batch may enter: one tuple for each length."""
        items = self.arguments.take(key)
        if not isinstance(items, list | tuple):
            raise self.arguments.refusal(key, items, "give a list of whole numbers")
        return [tuple(self._one_size(v, i, key) for v in items) for i in range(len(self.batch.lengths))]

    def _one_size(self, value: Any, i: int, key: str) -> int:
        if isinstance(value, Known):
            value = value.at(i).item()
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.misfit(f"{key} holds {value!r}, expected whole numbers")
        return value

    def count(self, key: str, default: Any = REQUIRED) -> list[Any]:
        """Give a number into which the length of the batch may enter: one for each length."""
        value = self.arguments.take(key, default)
        if isinstance(value, Known):
            return [value.at(i).item() for i in range(len(self.batch.lengths))]
        return [value] * len(self.batch.lengths)

    # Axes and the batch

    def front(self, x: Flow) -> Flow:
        """Give a tensor whose axis 0 is the batch. Raises UnsupportedError where another axis is."""
        if x.place is None or (x.place.axis == 0 and x.place.pure):
            return x
        if self.batch.is_one and x.shape(1)[:1] == (1,):  # one sample: any axis of length 1 may be the batch
            x = Flow(self.node(Reshape(x.shape(1)[1:]), x.node), Place(0), x.dtype)
            self.main = x
            return x
        raise self.refuse("its axis 0 is not the batch", "keep axis 0 the batch (batch_first=True), or permute it back")

    def free(self, x: Flow) -> bool:
        """Whether a sample has every axis of the source: of a batch of 1 that is folded into another axis."""
        return self.batch.is_one and x.place is not None and not x.place.pure

    def axis(self, x: Flow, axis: int) -> int:
        """Give the axis of a sample that an axis of the source is. Raises UnsupportedError for the batch."""
        i = self.position(axis, x.rank)
        if x.place is None or self.free(x):
            return i
        if i == x.place.axis:
            raise self.refuse(f"it works along axis {i}, the batch", "samples are independent; use another axis")
        return i - (x.place.pure and i > x.place.axis)

    def position(self, axis: int, rank: int) -> int:
        """Give an axis of the source, which may be negative, counted from 0. Raises ShapeError where there is none."""
        if not -max(rank, 1) <= axis < max(rank, 1):
            raise self.misfit(f"axis {axis} of a tensor of {rank} axes")
        return axis % max(rank, 1)

    def shape(self, x: Flow) -> str:
        """Write the shape in the source, for messages."""
        length = self.batch.lengths[0]
        shape: list[object] = list(x.shape(length))
        if x.place is not None and (self.batch.is_open or x.place.pure):
            more = x.place.outer * x.place.inner
            shape[x.place.axis] = "batch" if x.place.pure else f"{more} batch"
        return f"[{', '.join(map(str, shape))}]"

    # Nodes

    def node(self, op: Op, *inputs: Node) -> Node:
        """Apply an operation in the name of this operator."""
        node = Node(op, inputs, self.name)
        if node.type.size > MAX_ELEMENTS:
            raise self.refuse(f"a tensor of {node.type.size:,} elements ({node.shape})", f"at most {MAX_ELEMENTS:,}")
        return node

    def constant(self, value: npt.ArrayLike, key: str = "") -> Node:
        """Give a constant, float32 or whole numbers; ``key`` says which of the operator's."""
        array, where = np.asarray(value), f"{self.name}/{key}" if key else self.name
        if array.dtype.kind not in "iub":
            return Node(Constant(Array(self.real(array))), (), where)
        whole = array.astype(np.int64)
        low, high = (int(f(initial=0)) for f in (whole.min, whole.max))
        return Node(Constant(Array(whole), narrowest(Fraction(1), low, high)), (), where)

    def weights(self, value: Flow | Known, key: str, move: Callable[[NDArray], NDArray] = np.asarray) -> Node:
        """Give constant weights, their axes rearranged by ``move``.

        Integers of their format where the source dequantizes them, floats of 16 bits where it has them, else float32.
        """
        array = self.real(self.fixed(value, key))
        if isinstance(value, Scaled):
            return integer_constant(value.stored, value.scale, value.zero, move, f"{self.name}/{key}")
        if (format := KEPT_FLOATS.get(value.dtype)) is not None and np.isfinite(array).all():
            return Node(Constant(Array(format.rounded(move(array))), format), (), f"{self.name}/{key}")
        return self.constant(move(array), key)

    def reshape(self, x: Node, shape: Shape) -> Node:
        """Bring a sample into another shape of as many elements."""
        return x if x.shape == shape else self.node(Reshape(shape), x)


Build = Callable[[Call], Results]

OPERATORS: dict[str, Build] = {}
"""By name without library and overload: ``conv2d``; with the library where it is not aten."""

REFUSED: dict[str, str] = {}
"""Operators that are known and refused, with what to try."""


def operator(*names: str) -> Callable[[Build], Build]:
    """Register how operators of these names become nodes."""

    def register(build: Build) -> Build:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = build
        return build

    return register


def located(error: GatewrightError, place: str) -> GatewrightError:
    """Give the same error with the full place, where it names less."""
    if isinstance(error, ManyErrors):
        return ManyErrors(located(e, place) for e in error.errors)
    return error if error.where.startswith(place) else type(error)(error.what, where=place, hint=error.hint)

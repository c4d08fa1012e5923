"""The walk over a model: inputs, constants, operators in the order of the file, outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...graph import (
    FileError,
    Float,
    GatewrightError,
    Graph,
    ManyErrors,
    NDArray,
    Node,
    ShapeError,
    UnsupportedError,
)
from ...graph.evaluate.kernel import Value as Operand
from ...graph.evaluate.kernel import run
from ...graph.formats import HALF, Rounding
from ...graph.ops import Constant, Input, Mul, Output
from ..attributes import Attributes, raise_all
from . import operators  # noqa: F401 - fills the table
from .flatbuffer import DAMAGED
from .model import Model, Operator, Tensor
from .registry import CONSTANT, OPERATORS, REFUSED, Call, Flow, Known, Result, Value, Variable
from .resources import ASSIGN, HANDLE, ONCE, READ, RESOURCES, Key, Resources, assigned, key_of


def import_model(model: Model, name: str) -> Graph:
    """Make a graph of a model. Raises FileError, UnsupportedError or ShapeError; ManyErrors for several problems."""
    return _Walk(model).run(name)


@dataclass(eq=False)
class _Walk:
    model: Model
    values: dict[int, Value | None] = field(default_factory=dict)
    """By tensor; None for what could not be imported, whose error is in ``errors``."""
    errors: list[GatewrightError] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    resources: Resources = field(default_factory=Resources)

    def run(self, name: str) -> Graph:
        model = self.model
        if len(set(model.inputs)) != len(model.inputs):
            raise self._damaged("one tensor is two inputs")
        self.batch = self._batch()
        inputs = tuple(self._input(model.tensors[i], i) for i in model.inputs)
        self._begin()
        for operator in model.operators:
            self._operator(operator)
        names: set[str] = set()
        outputs = tuple(o for o in (self._output(i, names) for i in model.outputs) if o is not None)
        raise_all(self.errors)
        states = self.resources.states(self._reader)
        return Graph(inputs, outputs, name, "tflite", tuple(dict.fromkeys(self.notes)), states)

    def _begin(self) -> None:
        """Find what variables hold when the first inference begins."""
        initial: dict[Key, Known] = {}
        for operator in self.model.operators:
            found = self.model.initializers.get(operator.options.get("init_subgraph_index", 0))
            if operator.name == ONCE and found is not None:
                initial |= _Walk(found).initial()
        self.resources.begin(initial, assigned(self.model.operators))

    def initial(self) -> dict[Key, Known]:
        """Run an initializer; give what its variables hold at its end. Raises UnsupportedError, FileError."""
        self.batch = 1
        for operator in self.model.operators:
            self._operator(operator)
        raise_all(self.errors)
        held = {key: kept.now for key, kept in self.resources.kept.items()}
        return {key: value for key, value in held.items() if isinstance(value, Known)}

    def _reader(self, value: Value) -> Call:
        """Give what reads what a variable holds at the end."""
        return self._call(ASSIGN, value.info.name, self.model.place, [value], [value.info], {})

    def _damaged(self, what: str) -> FileError:
        return FileError(what, where=self.model.place, hint=DAMAGED)

    def _batch(self) -> int:
        """The length of axis 0 of the inputs, where all have one; else 1 where one has that."""
        shapes = [self.model.tensors[i].shape for i in self.model.inputs]
        lengths = {s[0] if s else 0 for s in shapes}
        if len(lengths) == 1 and lengths != {0}:
            return lengths.pop()
        if 1 in lengths or not shapes or lengths == {0}:
            return 1
        hint = "convert the model with a batch of 1"
        raise UnsupportedError(
            f"axis 0, the batch, differs between inputs: {shapes}", where=self.model.place, hint=hint
        )

    def _input(self, info: Tensor, index: int) -> Node:
        place = f"{self.model.place}: input {info.name!r}"
        self._check_tensor(info, place)
        beyond = [a for a in info.open if a > 0]
        if beyond:
            raise UnsupportedError(f"axis {beyond[0]} of shape {info.shape} is open", where=place, hint=FIXED)
        call = self._call("INPUT", info.name, place, [], [info], {})
        shape = call.inside(info.shape)
        node = Node(Input(_fresh(info.name, self.names), shape, info.format, Rounding.RND_INF), (), info.name)
        self.values[index] = Flow(node, info)
        return node

    def _check_tensor(self, info: Tensor, place: str) -> None:
        info.dtype(place)
        if info.problem:
            raise UnsupportedError(f"tensor {info.name!r}: {info.problem}", where=place)
        if 0 in info.shape:
            raise UnsupportedError(f"tensor {info.name!r} of shape {info.shape} is empty", where=place)

    def _call(
        self,
        op: str,
        name: str,
        place: str,
        inputs: list[Value | None],
        results: list[Tensor],
        options: Mapping[str, object],
        version: int = 1,
        intermediates: tuple[Tensor, ...] = (),
    ) -> Call:
        attributes = Attributes(options, where=place)
        return Call(op, name, place, version, inputs, results, attributes, self.batch, self.notes, intermediates)

    def _operator(self, operator: Operator) -> None:
        tensors = self.model.tensors
        results = [tensors[i] for i in operator.outputs]
        title = results[0].name.split(";")[0] if results else operator.name
        place = f"{self.model.place}: {operator.name} {operator.index} {title!r}"
        made: list[Value] | None = None
        try:
            if operator.name in RESOURCES:
                self._resource(operator, results, title, place)
                return
            made = self._results(operator, results, title, place)
        except GatewrightError as error:
            self.errors.append(_located(error, place))
        for k, i in enumerate(operator.outputs):
            if i in self.values and not isinstance(self.values[i], Variable):
                raise self._damaged(f"tensor {tensors[i].name!r} is made twice")
            self.values[i] = made[k] if made is not None and k < len(made) else None

    def _resource(self, operator: Operator, results: list[Tensor], title: str, place: str) -> None:
        """Make a handle, read or assign a variable; what runs once has run before."""
        own, inputs, outputs = self.resources, operator.inputs, operator.outputs
        counts = {HANDLE: (0, 1), READ: (1, 1), ASSIGN: (2, 0), ONCE: (0, 0)}
        if (len(inputs), len(outputs)) != counts[operator.name]:
            raise FileError(f"{len(inputs)} inputs and {len(outputs)} outputs", where=place, hint=DAMAGED)
        if operator.name == HANDLE:
            own.handles[outputs[0]] = key_of(operator)
        elif operator.name == READ:
            self._check_tensor(results[0], place)
            call = self._call(READ, title, place, [], results, {})
            self.values[outputs[0]] = own.read(own.key_of(inputs[0], place), call, lambda n: _fresh(n, self.names))
        elif operator.name == ASSIGN:
            value = None if inputs[1] is None else self._read(inputs[1], place)
            if value is not None:  # else its error has been told
                own.assign(own.key_of(inputs[0], place), value)

    def _results(self, operator: Operator, results: list[Tensor], title: str, place: str) -> list[Value] | None:
        """Import one operator; None where it reads something that could not be imported."""
        rule = OPERATORS.get(operator.name)
        if rule is None:
            name = f"{operator.name} {operator.custom!r}" if operator.custom else operator.name
            hint = REFUSED.get(operator.name, "use operators of the list in docs/tflite.md")
            raise UnsupportedError(f"the operator {name} is not supported", where=place, hint=hint)
        if operator.version > rule.versions:
            what = f"version {operator.version} of {operator.name} is newer than {rule.versions}"
            raise UnsupportedError(what, where=place, hint="convert with TensorFlow 2.21 or older")
        inputs = [None if i is None else self._read(i, place) for i in operator.inputs]
        if any(v is None and i is not None for v, i in zip(inputs, operator.inputs, strict=True)):
            return None
        if not results:
            raise FileError("makes nothing", where=place, hint=DAMAGED)
        for info in results:
            self._check_tensor(info, place)
        inner = tuple(self.model.tensors[i] for i in operator.intermediates)
        unique = _fresh(title, self.names)
        call = self._call(operator.name, unique, place, inputs, results, operator.options, operator.version, inner)
        constant = all(v is None or isinstance(v, Known) for v in inputs)
        whole = constant and all(v is None or v.info.type in ("INT32", "INT64") for v in inputs)
        built = (CONSTANT.get(operator.name, rule.build) if whole else rule.build)(call)
        call.done()
        made = built if isinstance(built, list) else [built]
        if len(made) < len(results):
            raise FileError(f"{len(results)} outputs, {operator.name} has {len(made)}", where=place, hint=DAMAGED)
        return [_value(call, r, k, constant) for k, r in enumerate(made[: len(results)])]

    def _read(self, i: int, place: str) -> Value | None:
        if i in self.values:
            return self.values[i]
        info = self.model.tensors[i]
        if info.data is not None:
            self._check_tensor(info, place)
            self.values[i] = Known(info.read(place), info)
        elif info.variable:
            self.values[i] = Variable(info)
        else:
            raise FileError(f"reads {info.name!r}, which nothing before it makes", where=place, hint=DAMAGED)
        return self.values[i]

    def _output(self, i: int, names: set[str]) -> Node | None:
        info = self.model.tensors[i]
        place = f"{self.model.place}: output {info.name!r}"
        try:
            value = self._read(i, place)
        except GatewrightError as error:
            self.errors.append(error)
            return None
        if value is None:
            return None
        call = self._call("OUTPUT", info.name, place, [value], [info], {})
        try:
            node = _undone(call.operand(0))
        except GatewrightError as error:
            self.errors.append(_located(error, place))
            return None
        return Node(Output(_fresh(info.name, names)), (node,), info.name)


FIXED = "convert the model with a fixed input shape (an input_signature); only axis 0, the batch, may be open"


def _fresh(name: str, taken: set[str]) -> str:
    unique, count = name, 1
    while unique in taken:
        unique, count = f"{name}_{count}", count + 1
    taken.add(unique)
    return unique


def _located(error: GatewrightError, place: str) -> GatewrightError:
    """Give the same error with the full place, where it names less."""
    if isinstance(error, ManyErrors):
        return ManyErrors(_located(e, place) for e in error.errors)
    return error if error.where.startswith(place) else type(error)(error.what, where=place, hint=error.hint)


def _value(call: Call, result: Result, k: int, constant: bool) -> Value:
    """Check what an operator made against what the file says of it."""
    info = call.results[k]
    if isinstance(result, Node) and info.open and result.shape != call.inside(info.shape):
        info = _opened(call, result, info)
    if not isinstance(result, Node):
        array = np.asarray(result).astype(info.dtype(call.place))
        if info.open and _agrees(array.shape, info):
            info = replace(info, shape=array.shape)
        if array.shape != info.shape:
            raise call.misfit(f"the file says its shape is {info.shape}, the operator gives {array.shape}")
        return Known(array, info)
    said = call.inside(info.shape)
    if result.shape != said:
        raise call.misfit(f"the file says its shape is {said}, the operator gives {result.shape} (without the batch)")
    if result.type.is_integer == isinstance(info.format, Float) or (
        result.type.is_integer and result.type.format != info.format
    ):
        raise call.refuse(f"its result has format {result.type.format}, the file says {info.format}")
    if constant:
        info = replace(info, half=result.type.format == HALF)
        return Known(np.broadcast_to(_folded(result), info.shape).astype(info.dtype(call.place)), info)
    return Flow(result, info)


def _agrees(shape: tuple[int, ...], info: Tensor) -> bool:
    """Whether a shape differs from what the file says in open axes only."""
    pairs = zip(shape, info.shape, strict=False)
    return len(shape) == len(info.shape) and all(a in info.open or n == m for a, (n, m) in enumerate(pairs))


def _opened(call: Call, result: Node, info: Tensor) -> Tensor:
    """Take the lengths of axes that the file leaves open from the operator's result."""
    rank = len(result.shape)
    shape = result.shape if rank == len(info.shape) else (call.batch, *result.shape)
    fits = len(shape) == len(info.shape) and all(
        n == s or i in info.open for i, (n, s) in enumerate(zip(shape, info.shape, strict=True))
    )
    return replace(info, shape=shape) if fits else info


def _folded(node: Node) -> NDArray:
    """Compute a node that depends on no input: stored numbers [*shape]."""
    done: dict[Node, NDArray] = {}
    graph = Graph((), (Node(Output("y"), (node,)),))
    for n in graph.nodes:
        done[n] = run(n.op, n.type, *(Operand(i.type, done[i]) for i in n.inputs))
    result: NDArray = done[graph.outputs[0]][0]
    return result


def _undone(node: Node) -> Node:
    """What a DEQUANTIZE at the very end reads: the same values, as integers."""
    match node:
        case Node(op=Mul(), inputs=(x, Node(op=Constant() as c))) if x.type.is_integer and not x.type.value:
            if isinstance(c.format, Float) and c.value.data.ndim == 0 and float(c.value.data) == 1.0:
                return x
    return node


__all__ = ["ShapeError", "import_model"]

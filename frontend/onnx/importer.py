"""The walk over a model: inputs, stored tensors, operators in the order of the file, outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...graph import FileError, GatewrightError, Graph, ManyErrors, NDArray, Node, ShapeError, UnsupportedError
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from . import operators  # noqa: F401 - fills the table
from .codes import READERS, coded_input, move_codes, moves_codes
from .coding import stored_as
from .fold import NEVER, fold
from .frame import OWN, batch_of, check_known, input_type, plain, sample_shape, settle_batch
from .functions import as_graph, definition, onnx_attributes, opset_of_function
from .moved import run_moved, takes_moved
from .one import all_axes, has_all_axes, one_batch, one_sample
from .reader import DAMAGED, opset_of
from .registry import (
    DOMAINS,
    NO_BATCH,
    OPERATORS,
    REFUSED,
    Absent,
    Batch,
    Call,
    Coded,
    Flow,
    Known,
    Many,
    Moved,
    Value,
    listed,
    located,
)
from .tensors import read_sparse, read_tensor
from .types import KEPT_FLOATS, READ_AS, WHOLE, as_type, result_types

WITH_GRAPHS = ("If", "Loop", "Scan")
WHOLE_NOTE = "the model has no batch axis: a sample is the whole of each input; put an axis before it, x[None]"


def import_model(model: Any, *, source: str, folder: Path | None, name: str) -> Graph:
    """Make a graph of a sound ``ModelProto``. ``folder`` is where external data may lie.

    Axis 0 of every input is the batch. Where the file fixes it and the model does not treat it as a batch, a sample is
    the whole of each input; the inputs and the graph's notes then say so.

    Raises FileError, UnsupportedError or ShapeError; ManyErrors where several operators have problems.
    """
    opset = opset_of(model, source)
    try:
        return settle_layout(_Walk(model.graph, source, folder, opset).run(name))
    except FileError:
        raise
    except GatewrightError as error:
        if not _fixed(model.graph):
            raise
        try:
            return settle_layout(_Walk(model.graph, source, folder, opset, whole=True).run(name))
        except GatewrightError as other:
            raise (other if _says_more(other, error) else error) from None


def _says_more(other: GatewrightError, error: GatewrightError) -> bool:
    """Whether the attempt without a batch came closer: fewer problems, or another one in the same place."""
    counts = _count(other), _count(error)
    return counts[0] < counts[1] or (counts[0] == counts[1] == 1 and other.where == error.where)


def _count(error: GatewrightError) -> int:
    return len(error.errors) if isinstance(error, ManyErrors) else 1


def _fixed(graph: Any) -> bool:
    """Whether the file fixes every length of every input."""
    stored = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    infos = [i.type.tensor_type for i in graph.input if i.name not in stored]
    return all(t.HasField("shape") and all(d.dim_value > 0 for d in t.shape.dim) for t in infos)


@dataclass(eq=False)
class _Walk:
    proto: Any
    source: str
    folder: Path | None
    opset: int
    whole: bool = False
    """Whether there is no batch: a sample is the whole of each input."""
    one: bool = False
    """Whether the batch is one sample that any operator may take as another axis."""
    values: dict[str, Value | None] = field(default_factory=dict)
    """By name; None for what could not be imported, whose error is in ``errors``."""
    errors: list[GatewrightError] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def run(self, name: str) -> Graph:
        self._stored()
        infos = [i for i in self.proto.input if i.name not in self.values]
        self.quantized = any(node.op_type in READERS or node.domain not in OWN for node in self.proto.node)
        self.read = _read_names(self.proto)
        self.batch = NO_BATCH if self.whole else batch_of(infos, self.source)
        self.one = self.batch.lengths == (1,)
        inputs = tuple(self._input(info) for info in infos)
        for node in self.proto.node:
            self._node(node)
        self._check_outputs([info.name for info in self.proto.output])
        outputs = tuple(o for o in map(self._output, self.proto.output) if o is not None)
        raise_all(self.errors)
        if self.whole and inputs:
            self.notes.insert(0, WHOLE_NOTE)
        return Graph(inputs, outputs, name, "onnx", tuple(self.notes))

    def _by_definition(self, proto: Any, inputs: list[Value | None], place: str) -> list[Value] | None:
        """Import the function that ONNX defines an operator as; None where there is none."""
        function = definition(proto, self.opset, inputs, 1 - self.whole)
        if function is None:
            return None
        known = set(onnx_attributes(proto, self.opset))
        for attribute in proto.attribute:
            if attribute.name not in known:
                raise Attributes({}).refusal(attribute.name, "?", "leave it out")
        pairs = zip(function.input, [*inputs, *[None] * len(function.input)], strict=False)
        child = self._child(as_graph(function, proto, self.opset), dict(pairs), {})
        child.one, child.source, child.opset = self.one, place, opset_of_function(function, self.opset)
        made = dict(zip((o.name for o in child.proto.output), child.results(), strict=True))
        return [made.get(name, Absent(f"output {name!r} of {proto.op_type}")) for name in function.output]

    def inside(self, proto: Any, given: dict[str, Value]) -> list[Value]:
        """Import a graph inside of an operator, which sees what is around it. ``given``: what its inputs are."""
        return self._child(proto, given, self._around(proto, given)).results()

    def _inside_whole(self, proto: Any, given: dict[str, Value]) -> list[Value]:
        """Do the same where all axes of the source are there."""
        read = _read_names(proto)
        around = {k: all_axes(v, k) for k, v in self._around(proto, given).items() if k in read}
        child = self._child(proto, given, around)
        child.whole, child.batch = True, NO_BATCH
        return child.results()

    def _around(self, proto: Any, given: dict[str, Value]) -> dict[str, Value | None]:
        own = {*given, *(t.name for t in proto.initializer), *(name for node in proto.node for name in node.output)}
        return {name: value for name, value in self.values.items() if name not in own}

    def _child(self, proto: Any, given: Mapping[str, Value | None], around: dict[str, Value | None]) -> "_Walk":
        child = _Walk(proto, self.source, self.folder, self.opset, self.whole, values=around)
        child.names, child.notes, child.batch, child.quantized = self.names, self.notes, self.batch, self.quantized
        child.read = _read_names(proto)
        child._stored()
        for name, value in given.items():
            child._define(name, value)
        return child

    def results(self) -> list[Value]:
        """Import the operators of a graph inside of another, and give its outputs."""
        for node in self.proto.node:
            self._node(node)
        found = [self._read(info.name, self.source) for info in self.proto.output]
        raise_all(self.errors)
        return [r for r in found if r is not None]

    def _check_outputs(self, names: list[str]) -> None:
        if not names:
            raise self._damaged("it has no outputs")
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise self._damaged(f"two outputs are called {twice!r}")

    def _damaged(self, what: str) -> FileError:
        return FileError(what, where=self.source, hint=DAMAGED)

    def _stored(self) -> None:
        for tensor in self.proto.initializer:
            self._define(tensor.name, Known((read_tensor(tensor, self.folder, self.source),)))
        for sparse in self.proto.sparse_initializer:
            self._define(sparse.values.name, Known((read_sparse(sparse, self.folder, self.source),)))

    def _define(self, name: str, value: Value | None) -> None:
        if name in self.values:
            raise self._damaged(f"two tensors are called {name!r}")
        if not name:
            raise self._damaged("a tensor has no name")
        self.values[name] = value

    def _input(self, info: Any) -> Node:
        place = f"{self.source}: input {info.name!r}"
        kind, format = input_type(info, place)
        shape = sample_shape(info, place, whole=self.whole)
        if self.quantized and not self.whole and (value := coded_input(self.proto, info, shape, self.values)):
            self._define(info.name, value)
            return value.node
        strict = kind in WHOLE
        node = Node(Input(info.name, shape, format, strict=strict, whole=self.whole), (), info.name)
        if kind in READ_AS:
            self.notes.append(f"the input {info.name!r} is {kind}; numbers that do not fit {format} are refused")
        elif kind in KEPT_FLOATS:
            self.notes.append(f"the input {info.name!r} is {kind}: sums are float32, each result is rounded to it once")
        elif kind not in ("float32", *WHOLE):
            self.notes.append(f"the input {info.name!r} is {kind}; everything is computed in float32")
        self._define(info.name, Flow(node, kind, int(not self.whole)))
        return node

    def _node(self, proto: Any) -> None:
        place = f"{self.source}: {proto.op_type} {self._title(proto)!r}"
        try:
            results = self._results(proto, place)
        except GatewrightError as error:
            self.errors.append(located(error, place))
            results = None
        for i, name in enumerate(proto.output):
            if name:
                self._define(name, None if results is None else self._result(results, i, proto))

    def _result(self, results: list[Value], i: int, proto: Any) -> Value:
        return results[i] if i < len(results) else Absent(f"output {i} of {proto.op_type} {self._title(proto)!r}")

    def _title(self, proto: Any) -> str:
        return str(proto.name or next((o for o in proto.output if o), "") or proto.op_type)

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.names:
            unique, count = f"{name}_{count}", count + 1
        self.names.add(unique)
        return unique

    def _results(self, proto: Any, place: str) -> list[Value] | None:
        """Import one operator; None where it reads something that could not be imported."""
        check_known(proto, self.opset, place)
        inputs = [self._read(name, place) for name in proto.input]
        if any(v is None and name for v, name in zip(inputs, proto.input, strict=True)):
            return None
        attributes, name = self._attributes(proto, place), self._unique(self._title(proto))

        def apply(operands: list[Value | None], batch: Batch) -> list[Value]:
            return self._apply(proto, self._call(proto, place, name, operands, attributes, batch))

        if not self.one or not any(isinstance(v, Flow | Coded | Moved | Many) for v in inputs):
            return apply(inputs, self.batch)
        around = self.values.values() if proto.op_type in WITH_GRAPHS else ()
        whole = any(has_all_axes(v) for v in around)
        return one_sample(apply, inputs, self.batch, self.notes, name, whole=whole)

    def _call(
        self, proto: Any, place: str, name: str, inputs: list[Value | None], attributes: dict[str, Any], batch: Batch
    ) -> Call:
        return Call(
            proto.op_type,
            name,
            place,
            self.opset,
            inputs,
            Attributes(attributes, where=place),
            len(proto.output),
            batch,
            self.notes,
            tuple(name in self.read for name in proto.output),
            self.inside if batch is self.batch else self._inside_whole,
        )

    def _apply(self, proto: Any, call: Call) -> list[Value]:
        settle_batch(call)
        own, inputs = proto.domain in OWN, list(call.inputs)
        folds = own and proto.input and proto.op_type not in NEVER
        if folds and all(v is None or isinstance(v, Known) for v in inputs):
            return fold(proto, call)
        build = OPERATORS.get(proto.op_type) if own else DOMAINS.get((proto.domain, proto.op_type))
        if own and build is None and (results := self._by_definition(proto, inputs, call.place)) is not None:
            return results
        if build is None:
            hint = REFUSED.get(proto.op_type, "use operators of the list in docs/onnx.md")
            raise UnsupportedError(f"the operator {proto.op_type} is not supported", where=call.place, hint=hint)
        types = result_types(proto, self.opset, [call.type(i) or None for i in range(len(inputs))]) if own else []
        if takes_moved(call):
            results = self._typed(run_moved(call, build), types, call)
        elif moves_codes(call, proto.op_type):
            results = move_codes(call, build)
        else:
            results = self._typed(listed(build(call)), types, call)
        call.done()
        return results

    def _typed(self, results: list[Node | Value], types: list[str | None], call: Call) -> list[Value]:
        """Bring what an operator gave to the element types of the source."""
        kinds = [*types, *[None] * (len(results) - len(types))]
        return [_as_type(r, kind or "float32", call) for r, kind in zip(results, kinds, strict=False)]

    def _read(self, name: str, place: str) -> Value | None:
        if name and name not in self.values:
            raise FileError(f"reads {name!r}, which nothing before it makes", where=place, hint=DAMAGED)
        return self.values[name] if name else None

    def _attributes(self, proto: Any, place: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in proto.attribute:
            if attribute.name in values:
                raise FileError(f"two attributes are called {attribute.name!r}", where=place, hint=DAMAGED)
            values[attribute.name] = plain(attribute, self.folder, f"{place}: attribute {attribute.name!r}")
        return values

    def _output(self, info: Any) -> Node | None:
        place = f"{self.source}: output {info.name!r}"
        value = self._read(info.name, place)
        try:
            return None if value is None else Node(Output(info.name), (self._final(value, info, place),), info.name)
        except GatewrightError as error:
            self.errors.append(located(error, place))
            return None

    def _check_constant(self, value: NDArray, place: str) -> None:
        """Refuse a constant output whose axis 0 is not the batch that the file fixes."""
        if not self.whole and not self.batch.is_open and value.shape[:1] != self.batch.lengths:
            what = f"is a constant of shape {value.shape}, which has no batch"
            raise UnsupportedError(what, where=place, hint="leave it out of the model's outputs")

    def _final(self, value: Value, info: Any, place: str) -> Node:
        if isinstance(value, Absent):
            raise UnsupportedError(
                f"is not computed: {value.why}", where=place, hint="take it out of the model's outputs"
            )
        if isinstance(value, Many):
            raise UnsupportedError("it is a sequence", where=place, hint="join its tensors, or give each as an output")
        if self.one:
            value = one_batch(all_axes(value, info.name) if isinstance(value, Moved) else value, info.name)
        if isinstance(value, Absent | Moved | Many) or (self.one and has_all_axes(value)):
            raise UnsupportedError("its axis 0 is not the batch", where=place, hint="leave out the Transpose before it")
        dims = [d.dim_value for d in info.type.tensor_type.shape.dim]
        if isinstance(value, Known):
            self._check_constant(value.variants[0], place)
            call = Call("Output", info.name, place, self.opset, [value], Attributes({}), 1, self.batch)
            node = call.constant(call.sample(value, value.variants[0].ndim, "a constant output"))
        elif isinstance(value, Coded):
            node = stored_as(info.name, value)
        else:
            node = value.node
        shape = node.shape if self.whole or (isinstance(value, (Flow, Coded)) and not value.lead) else (0, *node.shape)
        if info.type.tensor_type.HasField("shape") and not _agree(dims, shape):
            said, got = ["?" if d <= 0 else d for d in dims], tuple(n or "batch" for n in shape)
            raise ShapeError(f"the file says its shape is {said}, the operators give {got}", where=place, hint=DAMAGED)
        return node


def _read_names(graph: Any) -> set[str]:
    """Collect the tensors that are read: by operators, the graphs inside of them, and as outputs."""
    names = {o.name for o in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= _read_names(inner)
    return names


def _agree(said: list[int], got: tuple[int, ...]) -> bool:
    return len(said) == len(got) and all(s <= 0 or g in (0, s) for s, g in zip(said, got, strict=True))


def _as_type(result: Node | Value, kind: str, call: Call) -> Value:
    if not isinstance(result, Node):
        return result
    return Flow(as_type(result, kind), kind, call.lead)


__all__ = ["import_model"]

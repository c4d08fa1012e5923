"""The walk over a model: inputs, stored tensors, operators in the order of the file, outputs."""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ...graph import FileError, Format, GatewrightError, Graph, ManyErrors, NDArray, Node, ShapeError, UnsupportedError
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from . import operators  # noqa: F401 - fills the table
from .codes import READERS, coded_input, move_codes, moves_codes
from .coding import stored_as
from .fold import NEVER, fold
from .moved import run_moved, takes_moved
from .reader import DAMAGED, opset_of
from .registry import (
    DOMAINS,
    MAX_ELEMENTS,
    NO_BATCH,
    OPEN_BATCH,
    OPERATORS,
    REFUSED,
    Absent,
    Batch,
    Call,
    Coded,
    Flow,
    Known,
    Moved,
    Value,
    listed,
    located,
)
from .tensors import read_sparse, read_tensor
from .types import READ_AS, WHOLE, kept, result_types, storage, type_name

WHOLE_NOTE = "the model has no batch axis: a sample is the whole of each input; put an axis before it, x[None]"

OWN = ("", "ai.onnx")
QUANTIZED_DOMAINS = ("qonnx", "finn", "onnx.brevitas")


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
        self.batch = NO_BATCH if self.whole else _batch(infos, self.source)
        inputs = tuple(self._input(info) for info in infos)
        for node in self.proto.node:
            self._node(node)
        self._check_outputs([info.name for info in self.proto.output])
        outputs = tuple(o for o in map(self._output, self.proto.output) if o is not None)
        raise_all(self.errors)
        if self.whole and inputs:
            self.notes.insert(0, WHOLE_NOTE)
        return Graph(inputs, outputs, name, "onnx", tuple(self.notes))

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
        kind, format = _input_type(info, place)
        shape = _sample_shape(info, place, whole=self.whole)
        if self.quantized and not self.whole and (value := coded_input(self.proto, info, shape, self.values)):
            self._define(info.name, value)
            return value.node
        strict = kind in WHOLE
        node = Node(Input(info.name, shape, format, strict=strict, whole=self.whole), (), info.name)
        if kind in READ_AS:
            self.notes.append(f"the input {info.name!r} is {kind}; numbers that do not fit {format} are refused")
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
        _check_known(proto, self.opset, place)
        inputs = [self._read(name, place) for name in proto.input]
        if any(v is None and name for v, name in zip(inputs, proto.input, strict=True)):
            return None
        attributes = Attributes(self._attributes(proto, place), where=place)
        call = Call(
            proto.op_type,
            self._unique(self._title(proto)),
            place,
            self.opset,
            inputs,
            attributes,
            len(proto.output),
            self.batch,
            self.notes,
            tuple(name in self.read for name in proto.output),
        )
        own = proto.domain in OWN
        folds = own and proto.input and proto.op_type not in NEVER
        if folds and all(v is None or isinstance(v, Known) for v in inputs):
            return fold(proto, call)
        build = OPERATORS.get(proto.op_type) if own else DOMAINS.get((proto.domain, proto.op_type))
        if build is None:
            hint = REFUSED.get(proto.op_type, "use operators of the list in docs/onnx.md")
            raise UnsupportedError(f"the operator {proto.op_type} is not supported", where=place, hint=hint)
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
            values[attribute.name] = _plain(attribute, self.folder, f"{place}: attribute {attribute.name!r}")
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
        if isinstance(value, Moved):
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
        shape = node.shape if self.whole or (isinstance(value, Flow) and not value.lead) else (0, *node.shape)
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
    return Flow(kept(result, kind) if kind in WHOLE else result, kind, call.lead)


def _check_known(proto: Any, opset: int, place: str) -> None:
    """Refuse operators that are not ONNX's own in this opset, and numbers of inputs that they cannot have."""
    import onnx

    if (proto.domain, proto.op_type) in DOMAINS:
        return
    if proto.domain not in OWN:
        hint = "only the operators of ONNX itself are supported; export without custom ones"
        if proto.domain.startswith(QUANTIZED_DOMAINS):
            known = "of QONNX: Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, channels-last Conv and MaxPool"
            hint = REFUSED.get(proto.op_type, known)
        raise UnsupportedError(
            f"the operator {proto.op_type} of domain {proto.domain!r} is not supported", where=place, hint=hint
        )
    try:
        schema = onnx.defs.get_schema(proto.op_type, opset, "")
    except onnx.defs.SchemaError:
        hint = REFUSED.get(proto.op_type, "check the name and the model's opset_import")
        raise UnsupportedError(f"opset {opset} has no operator {proto.op_type}", where=place, hint=hint) from None
    if schema.deprecated and proto.op_type == "Upsample":
        raise UnsupportedError(f"Upsample does not exist in opset {opset}", where=place, hint="use Resize")
    if not schema.min_input <= len(proto.input) <= schema.max_input:
        most = "" if schema.max_input == schema.min_input else f" to {schema.max_input}"
        raise FileError(f"{len(proto.input)} inputs, it has {schema.min_input}{most}", where=place, hint=DAMAGED)


def _plain(attribute: Any, folder: Path | None, place: str) -> Any:
    """Give an attribute as a plain number, string, list or array."""
    import onnx

    kinds = onnx.AttributeProto
    if attribute.ref_attr_name:
        raise FileError("refers to an attribute of a function that is not there", where=place, hint=DAMAGED)
    if attribute.type == kinds.TENSOR:
        return read_tensor(attribute.t, folder, place)
    if attribute.type == kinds.SPARSE_TENSOR:
        return read_sparse(attribute.sparse_tensor, folder, place)
    try:
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.type == kinds.STRING:
            return value.decode()
        if attribute.type == kinds.STRINGS:
            return [v.decode() for v in value]
    except ValueError as error:
        raise FileError(f"cannot be read: {error}", where=place, hint=DAMAGED) from None
    return list(value) if attribute.type in (kinds.FLOATS, kinds.INTS) else value


def _batch(infos: list[Any], source: str) -> Batch:
    """Find out how long axis 0 of the inputs is; it is the batch, whatever stands there."""
    lengths = set()
    for info in infos:
        dims = info.type.tensor_type.shape.dim
        if dims:
            lengths.add(max(int(dims[0].dim_value), 0))
    if len(lengths) > 1:
        what = " and ".join(str(n) if n else "open" for n in sorted(lengths))
        raise ShapeError(
            f"axis 0, the batch, is {what} in different inputs",
            where=source,
            hint="give every input the same batch (a name or 1)",
        )
    length = lengths.pop() if lengths else 0
    return Batch((length,)) if length else OPEN_BATCH


def _input_type(info: Any, place: str) -> tuple[str, Format]:
    """Give the name of an input's element type, and its format. Raises UnsupportedError for what is no number."""
    kind = info.type.WhichOneof("value")
    name = type_name(info.type.tensor_type.elem_type) if kind == "tensor_type" else str(kind)
    format = storage(name)
    if format is None:
        raise UnsupportedError(f"its type is {name}", where=place, hint="inputs have to be tensors of numbers")
    return name, format


def _sample_shape(info: Any, place: str, *, whole: bool) -> tuple[int, ...]:
    """Give an input's shape without the batch (with all axes for ``whole``). Raises UnsupportedError for open axes."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape") or not (tensor.shape.dim or whole):
        raise UnsupportedError(
            "it has no shape, or no axis", where=place, hint="axis 0 is the batch; give it a shape such as [N, 16]"
        )
    dims = [(d.dim_value, d.dim_param) for d in tensor.shape.dim][0 if whole else 1 :]
    if any(value <= 0 for value, _ in dims):
        shown = ["batch", *(param or (value if value > 0 else "?") for value, param in dims)]
        raise UnsupportedError(
            f"its shape {shown} is open beyond the batch",
            where=place,
            hint="fix it: export with a fixed size, or onnx.tools.update_model_dims.update_inputs_outputs_dims",
        )
    shape = tuple(int(value) for value, _ in dims)
    if prod(shape) > MAX_ELEMENTS:
        raise ShapeError(f"its shape is {shape}", where=place, hint=f"a sample has at most {MAX_ELEMENTS:,} elements")
    return shape


__all__ = ["import_model"]

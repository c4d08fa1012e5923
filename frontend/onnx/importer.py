"""The walk over a model: inputs, stored tensors, operators in the order of the file, outputs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ...graph import FileError, GatewrightError, Graph, Node, ShapeError, UnsupportedError
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from . import operators  # noqa: F401 - fills the table
from .codes import INPUTS, coded_input, move_codes, moves_codes
from .coding import stored_as
from .fold import NEVER, fold
from .reader import DAMAGED, opset_of
from .registry import (
    DOMAINS,
    MAX_ELEMENTS,
    OPEN_BATCH,
    OPERATORS,
    REFUSED,
    Absent,
    Batch,
    Call,
    Coded,
    Flipped,
    Flow,
    Known,
    Results,
    Value,
    located,
)
from .tensors import read_sparse, read_tensor

OWN = ("", "ai.onnx")
QUANTIZED_DOMAINS = ("qonnx", "finn", "onnx.brevitas")


def import_model(model: Any, *, source: str, folder: Path | None, name: str) -> Graph:
    """Make a graph of a sound ``ModelProto``. ``folder`` is where external data may lie.

    Raises FileError, UnsupportedError or ShapeError; ManyErrors where several operators have problems.
    """
    return settle_layout(_Walk(model.graph, source, folder, opset_of(model, source)).run(name))


@dataclass(eq=False)
class _Walk:
    proto: Any
    source: str
    folder: Path | None
    opset: int
    values: dict[str, Value | None] = field(default_factory=dict)
    """By name; None for what could not be imported, whose error is in ``errors``."""
    errors: list[GatewrightError] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def run(self, name: str) -> Graph:
        self._stored()
        infos = [i for i in self.proto.input if i.name not in self.values]
        self.batch = _batch(infos, self.source)
        inputs = tuple(self._input(info) for info in infos)
        for node in self.proto.node:
            self._node(node)
        self._check_outputs([info.name for info in self.proto.output])
        outputs = tuple(o for o in map(self._output, self.proto.output) if o is not None)
        raise_all(self.errors)
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
        shape = _sample_shape(info, f"{self.source}: input {info.name!r}")
        value = coded_input(self.proto, info, shape, self.values)
        node = Node(Input(info.name, shape), (), info.name) if value is None else value.node
        self._define(info.name, Flow(node) if value is None else value)
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
        )
        own = proto.domain in OWN
        folds = own and proto.input and proto.op_type not in NEVER
        if folds and all(v is None or isinstance(v, Known) for v in inputs):
            return fold(proto, call)
        build = OPERATORS.get(proto.op_type) if own else DOMAINS.get((proto.domain, proto.op_type))
        if build is None:
            hint = REFUSED.get(proto.op_type, "use operators of the list in docs/onnx.md")
            raise UnsupportedError(f"the operator {proto.op_type} is not supported", where=place, hint=hint)
        results = _values(build(call)) if not moves_codes(call, proto.op_type) else move_codes(call, build)
        call.done()
        return results

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

    def _final(self, value: Value, info: Any, place: str) -> Node:
        if isinstance(value, Absent):
            raise UnsupportedError(
                f"is not computed: {value.why}", where=place, hint="take it out of the model's outputs"
            )
        if isinstance(value, Flipped):
            raise UnsupportedError("its axis 0 is not the batch", where=place, hint="leave out the Transpose before it")
        dims = [d.dim_value for d in info.type.tensor_type.shape.dim]
        if isinstance(value, Known):
            call = Call("Output", info.name, place, self.opset, [value], Attributes({}), 1, self.batch)
            node = call.constant(call.sample(value, value.variants[0].ndim, "a constant output"))
        elif isinstance(value, Coded):
            node = stored_as(info.name, value)
        else:
            node = value.node
        shape = (0, *node.shape)
        if info.type.tensor_type.HasField("shape") and not _agree(dims, shape):
            said, got = ["?" if d <= 0 else d for d in dims], ("batch", *node.shape)
            raise ShapeError(f"the file says its shape is {said}, the operators give {got}", where=place, hint=DAMAGED)
        return node


def _agree(said: list[int], got: tuple[int, ...]) -> bool:
    return len(said) == len(got) and all(s <= 0 or g == s for s, g in zip(said[1:], got[1:], strict=True))


def _values(results: Results) -> list[Value]:
    items: Iterable[Node | Value] = results if isinstance(results, list) else [results]
    return [Flow(r) if isinstance(r, Node) else r for r in items]


def _check_known(proto: Any, opset: int, place: str) -> None:
    """Refuse operators that are not ONNX's own in this opset, and numbers of inputs that they cannot have."""
    import onnx

    if (proto.domain, proto.op_type) in DOMAINS:
        return
    if proto.domain not in OWN:
        hint = "only the operators of ONNX itself are supported; export without custom ones"
        if proto.domain.startswith(QUANTIZED_DOMAINS):
            hint = "of QONNX: Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, channels-last Conv and pools"
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


def _sample_shape(info: Any, place: str) -> tuple[int, ...]:
    """Give an input's shape without the batch. Raises UnsupportedError for open axes and other types than float."""
    import onnx

    kind = info.type.WhichOneof("value")
    tensor = info.type.tensor_type
    allowed = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, *(getattr(onnx.TensorProto, n.upper()) for n in INPUTS))
    if kind != "tensor_type" or tensor.elem_type not in allowed:
        names = {number: name for name, number in onnx.TensorProto.DataType.items()}
        got = names.get(tensor.elem_type, str(tensor.elem_type)).lower() if kind == "tensor_type" else str(kind)
        raise UnsupportedError(
            f"its type is {got}",
            where=place,
            hint="inputs have to be float tensors or 8- or 16-bit integers; move casts out of the model",
        )
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise UnsupportedError(
            "it has no shape, or no axis", where=place, hint="axis 0 is the batch; give it a shape such as [N, 16]"
        )
    dims = [(d.dim_value, d.dim_param) for d in tensor.shape.dim][1:]
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

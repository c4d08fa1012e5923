"""What a model says about itself: its inputs' types and shapes, its batch, its operators' attributes."""

from math import prod
from pathlib import Path
from typing import Any

from ...graph import FileError, Format, ShapeError, UnsupportedError
from .reader import DAMAGED
from .registry import DOMAINS, MAX_ELEMENTS, NO_BATCH, OPEN_BATCH, REFUSED, Batch, Call, Coded, Flow, Moved
from .tensors import read_sparse, read_tensor
from .types import storage, type_name

OWN = ("", "ai.onnx")
QUANTIZED_DOMAINS = ("qonnx", "finn", "onnx.brevitas")
INSIDE = ("If", "Loop", "Scan")
"""Operators that hold graphs, whose operators are looked at one by one."""

MIXED = {
    "Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Equal", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "And", "Or", "Xor", "Where", "Mod", "QuantizeLinear", "DequantizeLinear", "MatMulInteger",
    "ConvInteger", "MatMulIntegerToFloat", *INSIDE,
}  # fmt: skip
"""Operators that read tensors with and without a batch axis together."""


def check_known(proto: Any, opset: int, place: str) -> None:
    """Refuse operators that are not ONNX's own in this opset, and numbers of inputs that they cannot have."""
    import onnx

    if (proto.domain, proto.op_type) in DOMAINS:
        return
    if proto.domain not in OWN:
        hint = "export without custom operators; docs/models.md lists the domains that are read"
        if proto.domain.startswith(QUANTIZED_DOMAINS):
            known = "of QONNX: Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, channels-last Conv and MaxPool"
            hint = REFUSED.get(proto.op_type, known)
        if proto.domain == "com.microsoft":
            hint = REFUSED.get(proto.op_type, hint)
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


def plain(attribute: Any, folder: Path | None, place: str) -> Any:
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


def batch_of(infos: list[Any], source: str) -> Batch:
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


def settle_batch(call: Call) -> None:
    """Let an operator whose computed operands all have no batch axis (the scale of a tensor) work without one.

    Raises UnsupportedError where an operator does not know how the two meet.
    """
    leads = {1 if isinstance(v, Moved) else v.lead for v in call.inputs if isinstance(v, (Flow, Coded, Moved))}
    if not call.lead or 0 not in leads or call.op in INSIDE:
        return
    if leads == {0}:
        call.batch = NO_BATCH
    elif call.op not in MIXED:
        raise call.refuse("it reads tensors with and without the batch axis", "give each an axis for the batch")


def input_type(info: Any, place: str) -> tuple[str, Format]:
    """Give the name of an input's element type, and its format. Raises UnsupportedError for what is no number."""
    kind = info.type.WhichOneof("value")
    name = type_name(info.type.tensor_type.elem_type) if kind == "tensor_type" else str(kind)
    format = storage(name)
    if format is None:
        raise UnsupportedError(f"its type is {name}", where=place, hint="inputs have to be tensors of numbers")
    return name, format


def sample_shape(info: Any, place: str, *, whole: bool) -> tuple[int, ...]:
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

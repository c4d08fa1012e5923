"""Sequences of tensors, as PyTorch's exporter writes chunk and split: which tensor is where is known at import."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ....graph import NDArray, Node
from ...attributes import Attributes
from ..codes import move_codes, moves_codes
from ..frame import settle_batch
from ..moved import run_moved, takes_moved
from ..registry import Absent, Build, Call, Coded, Flow, Known, Many, Moved, Value, listed, operator
from ..types import as_type
from .moves import concat, squeeze, unsqueeze
from .slicing import split

OPSET = 18
"""The version of the operators by which sequences are cut and joined here: axes and lengths are inputs."""


@operator("SequenceConstruct")
def construct(call: Call) -> Many:
    """Collect tensors."""
    return Many(tuple(_tensor(call, i) for i in range(len(call.inputs))))


@operator("SequenceEmpty")
def empty(call: Call) -> Many:
    """Collect nothing yet."""
    call.attributes.take("dtype", 1)
    return Many(())


@operator("SequenceInsert")
def insert(call: Call) -> Many:
    """Put a tensor before the one at a position, or at the end."""
    items, new = call.many(0), _tensor(call, 1)
    at = _position(call, 2, len(items) + 1, len(items))
    return Many((*items[:at], new, *items[at:]))


@operator("SequenceErase")
def erase(call: Call) -> Many:
    """Leave out the tensor at a position, or the last one."""
    items = call.many(0)
    at = _position(call, 1, len(items), len(items) - 1)
    return Many((*items[:at], *items[at + 1 :]))


@operator("SequenceAt")
def at(call: Call) -> Value:
    """Pick one tensor."""
    items = call.many(0)
    return items[_position(call, 1, len(items), None)]


@operator("SequenceLength")
def length(call: Call) -> Known:
    """Count the tensors."""
    return Known((np.array(len(call.many(0)), np.int64),))


@operator("ConcatFromSequence")
def joined(call: Call) -> Value:
    """Join the tensors along an axis, which may be a new one."""
    items, axis = call.many(0), call.attributes.integer("axis")
    if not items:
        raise call.refuse("it joins a sequence without tensors", "give it one")
    if call.attributes.boolean("new_axis", 0):
        axis = call.axis(axis, _rank(call, items[0]) + 1)
        items = tuple(_run(call, "Unsqueeze", unsqueeze, [item, _ints(axis)], {})[0] for item in items)
    return _run(call, "Concat", concat, items, {"axis": axis})[0]


@operator("SplitToSequence")
def split_to_sequence(call: Call) -> Many:
    """Cut an axis into parts of given lengths, of one length (the last may be shorter), or of length 1."""
    x, keep = _tensor(call, 0), call.attributes.boolean("keepdims", 1)
    axis = call.axis(call.attributes.integer("axis", 0), _rank(call, x))
    whole, given = _length(call, x, axis), call.known(1)
    lengths = (1,) if given is None else call.whole(given)
    if given is None or not given.ndim:
        step = lengths[0]
        if step < 1:
            raise call.misfit(f"parts of length {step}")
        lengths = tuple(min(step, whole - k) for k in range(0, whole, step))
    if sum(lengths) != whole or min(lengths, default=1) < 1:
        raise call.misfit(f"parts of {lengths} of an axis of length {whole}")
    parts = _run(call, "Split", split, [x, _ints(*lengths)], {"axis": axis}, len(lengths))
    if given is None and not keep:
        parts = [_run(call, "Squeeze", squeeze, [p, _ints(axis)], {})[0] for p in parts]
    return Many(tuple(parts))


def _tensor(call: Call, i: int) -> Value:
    value = call.raw(i)
    if value is None or isinstance(value, Absent | Many):
        raise call.misfit(f"input {i} is no tensor", "give sequences of tensors")
    return value


def _position(call: Call, i: int, count: int, default: int | None) -> int:
    given = call.integers(i)
    if given is None and default is not None:
        given = (default,)
    if given is None or len(given) != 1 or not -count <= given[0] < count:
        raise call.misfit(f"position {given} in a sequence of {count}")
    return given[0] % count


def _ints(*values: int) -> Known:
    return Known((np.array(values, np.int64),))


def _rank(call: Call, value: Value) -> int:
    if isinstance(value, Known):
        return value.variants[0].ndim
    if isinstance(value, Absent | Many):
        raise call.misfit("it reads no tensor")
    return value.rank


def _length(call: Call, value: Value, axis: int) -> int:
    """Give the length of an axis of the source. Raises UnsupportedError for the batch."""
    if isinstance(value, Known):
        lengths = {int(v.shape[axis]) for v in value.variants}
        if len(lengths) == 1:
            return lengths.pop()
        raise call.refuse("it cuts along the batch", "cut another axis")
    assert isinstance(value, Flow | Coded | Moved)
    batch = value.axis if isinstance(value, Moved) else 0 if value.lead else -1
    if axis == batch:
        raise call.refuse(f"it works along axis {axis}, the batch", "samples are independent; give another axis")
    return value.node.shape[axis - (0 <= batch < axis)]


def _run(
    call: Call, op: str, build: Build, inputs: Sequence[Value], attributes: dict[str, Any], outputs: int = 1
) -> list[Value]:
    """Apply another operator of ONNX in the place of this one."""
    if all(isinstance(v, Known) for v in inputs):
        return _known(call, op, [v for v in inputs if isinstance(v, Known)], attributes)
    own = Attributes(attributes, where=call.place)
    one = replace(call, op=op, opset=OPSET, inputs=list(inputs), attributes=own, outputs=outputs, _read=set())
    settle_batch(one)
    first = next(v for v in inputs if isinstance(v, Flow | Coded | Moved))
    kind = first.dtype if isinstance(first, Coded) else first.type
    if takes_moved(one):
        results = run_moved(one, build)
    else:
        results = list(move_codes(one, build)) if moves_codes(one, op) else listed(build(one))
    one.done()
    return [_typed(r, kind, one.lead) for r in results]


def _typed(result: Node | Value, kind: str, lead: int) -> Value:
    if not isinstance(result, Node):
        return result
    return Flow(as_type(result, kind), kind, lead)


def _known(call: Call, op: str, inputs: Sequence[Known], attributes: dict[str, Any]) -> list[Value]:
    """Do the same to constants, for each length of the batch on which they depend."""
    count = max(len(v.variants) for v in inputs)
    runs = [_arrays(op, [v.variants[k % len(v.variants)] for v in inputs], attributes) for k in range(count)]
    return [Known.of(*same) for same in zip(*runs, strict=True)]


def _arrays(op: str, inputs: list[NDArray], attributes: dict[str, Any]) -> list[NDArray]:
    if op == "Concat":
        return [np.concatenate(inputs, attributes["axis"])]
    if op == "Unsqueeze":
        return [np.expand_dims(inputs[0], int(inputs[1][0]))]
    if op == "Squeeze":
        return [np.squeeze(inputs[0], int(inputs[1][0]))]
    return list(np.split(inputs[0], np.cumsum(inputs[1])[:-1].tolist(), attributes["axis"]))

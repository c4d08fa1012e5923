"""Recurrence: the body's operations, one step after the other."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..arrays import NDArray
from ..errors import GatewrightError
from ..formats import Float
from ..node import Node
from ..ops import Input, Scan
from ..tensor import Tensor
from .kernel import Value, run

Step = tuple[int, dict[Node, NDArray]]
Change = Callable[[Node, NDArray], NDArray]


@run.register
def _(op: Scan, out: Tensor, *operands: Value) -> NDArray:
    return emissions(op, operands)


def emissions(op: Scan, operands: Sequence[Value], change: Change | None = None) -> NDArray:
    """Give what a scan gives, stored. ``operands`` and ``change``: as for ``steps_of``."""
    emitted: list[NDArray] = [np.zeros(0)] * op.steps
    last = 0
    for last, values in steps_of(op, operands, change):
        emitted[last] = values[op.body.outputs[-1]]
    if op.last:
        return emitted[last]
    batch = max(len(v) for v in emitted)
    return np.stack([np.broadcast_to(v, (batch, *v.shape[1:])) for v in emitted], axis=1)


def steps_of(op: Scan, operands: Sequence[Value], change: Change | None = None) -> Iterator[Step]:
    """Run the body; give for each step its place along the sequences and the value of every node of the body.

    ``operands``: data [batch, *shape] each, a batch of 1 for what depends on no input. Values are stored integers or
    float32 [batch, *shape]. ``change`` may put another value in the place of each node's.
    """
    fed = [_fed(value, entry.type) for value, entry in zip(operands, op.body.inputs, strict=True)]
    fixed = _constants(op, change)
    states = slice(op.sequences, op.sequences + op.states)
    for step in reversed(range(op.steps)) if op.reverse else range(op.steps):
        now = [v[:, step] if i < op.sequences else v for i, v in enumerate(fed)]
        values = dict(fixed) | dict(zip(op.body.inputs, now, strict=True))
        for node in op.body.nodes:
            if node not in values:
                values[node] = _value(node, values, change)
        yield step, values
        nexts = zip(op.body.outputs[: op.states], op.body.inputs[states], strict=True)
        fed[states] = [_fed(Value(o.type, values[o]), entry.type) for o, entry in nexts]


def _fed(value: Value, entry: Tensor) -> NDArray:
    """Bring an operand to what the body reads: its integers as they are stored, or real values of its format."""
    return entry.format.rounded(value.real) if isinstance(entry.format, Float) else value.data


def _constants(op: Scan, change: Change | None) -> dict[Node, NDArray]:
    """Compute once what in the body depends on none of its inputs."""
    values: dict[Node, NDArray] = {}
    for node in op.body.nodes:
        if not isinstance(node.op, Input) and all(i in values for i in node.inputs):
            values[node] = _value(node, values, change)
    return values


def _value(node: Node, values: dict[Node, NDArray], change: Change | None) -> NDArray:
    try:
        made = run(node.op, node.type, *(Value(i.type, values[i]) for i in node.inputs))
        return made if change is None else change(node, made)
    except GatewrightError as error:
        raise type(error)(error.what, where=error.where or node.where, hint=error.hint) from None

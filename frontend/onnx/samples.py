"""Operators whose axis 0 is the batch by definition, in models that have none: sample by sample."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import wraps

from ...graph import Node
from ...graph.ops import Concat, Reshape, Slice
from .registry import Absent, Batch, Build, Call, Coded, Flow, Known, Results, Value, listed

MOST = 64
"""Samples that are taken apart."""


def per_sample(*along: int) -> Callable[[Build], Build]:
    """Let an operator see one sample where the model has no batch; ``along``: the inputs whose axis 0 is the batch."""

    def wrap(build: Build) -> Build:
        @wraps(build)
        def run(call: Call) -> Results:
            return build(call) if call.lead else _apart(call, build, along)

        return run

    return wrap


def _apart(call: Call, build: Build, along: tuple[int, ...]) -> Results:
    coded = call.coded(along[0])
    shape = call.flow(along[0]).shape if coded is None else coded.node.shape
    if not shape:
        raise call.misfit("it reads a batch, got a single number")
    if shape[0] > MOST:
        raise call.refuse(f"it works on {shape[0]} samples side by side", "export the model with an open batch axis")
    results = [listed(build(_one(call, k, shape[0], along))) for k in range(shape[0])]
    return [_joined(call, parts) for parts in zip(*results, strict=True)]


def _one(call: Call, k: int, count: int, along: tuple[int, ...]) -> Call:
    """See the k-th sample of the inputs that have a batch; the others are the same for every sample."""
    inputs = list(call.inputs)
    for i in along:
        value = inputs[i] if i < len(inputs) else None
        if isinstance(value, Flow):
            if not value.node.shape or value.node.shape[0] != count:
                raise call.misfit(f"input {i} of shape {value.node.shape} for {count} samples")
            inputs[i] = Flow(sample(call, value.node, k), value.type, 1)
        elif isinstance(value, Coded):
            if not isinstance(value.scale, Fraction) or not isinstance(value.zero, int):
                raise call.refuse(f"input {i} has several scales", "export the model with an open batch axis")
            inputs[i] = Coded(sample(call, value.node, k), value.dtype, value.scale, value.zero, 1)
        elif isinstance(value, Known):
            inputs[i] = Known(tuple(v[k : k + 1] for v in value.variants))
    return replace(call, inputs=inputs, batch=Batch((1,)))


def sample(call: Call, x: Node, k: int) -> Node:
    """Give ``x[k]``."""
    shape = x.shape
    if shape[0] > 1:
        rest = (0,) * (len(shape) - 1)
        x = call.node(Slice((k, *rest), (k + 1, *shape[1:]), (1,) * len(shape)), x)
    return call.node(Reshape(shape[1:]), x)


def _joined(call: Call, parts: tuple[Node | Value, ...]) -> Node | Value:
    nodes = [part.node if isinstance(part, Coded) else part for part in parts if isinstance(part, (Node, Coded))]
    if len(nodes) < len(parts):
        assert isinstance(parts[0], (Absent, Known))
        return parts[0]
    rows = [call.node(Reshape((1, *node.shape)), node) for node in nodes]
    whole = rows[0] if len(rows) == 1 else call.node(Concat(0), *rows)
    return replace(parts[0], node=whole, lead=0) if isinstance(parts[0], Coded) else whole

"""If, Loop and Scan: conditions and counts are constants; what remains of them is choices and repeated operators."""

from typing import Any

import numpy as np

from ....graph import Node
from ....graph.ops import Concat, Reshape, Select
from ..registry import Call, Flow, Known, Moved, Value, operator
from .slicing import sliced

MOST_STEPS = 512
"""Of a loop that is written out."""


@operator("If")
def if_(call: Call) -> list[Node | Value]:
    """One branch by a constant condition; else both, and a choice between what they give."""
    branches = [call.attributes.take(key) for key in ("then_branch", "else_branch")]
    condition = call.value(0)
    if isinstance(condition, Known):
        truths = {bool(np.all(v)) for v in condition.variants}
        if len(truths) > 1:
            raise call.refuse("the condition depends on the length of the batch", "export with a fixed batch of 1")
        return list(call.inside(branches[0 if truths.pop() else 1], {}))
    if call.lead or condition.node.type.size != 1:
        raise call.refuse("the condition is computed for each sample", "use Where, which chooses by value")
    truth = call.node(Reshape(()), condition.node) if condition.node.shape else condition.node
    pairs = zip(*(call.inside(branch, {}) for branch in branches), strict=True)
    return [_chosen(call, truth, a, b) for a, b in pairs]


def _chosen(call: Call, truth: Node, a: Value, b: Value) -> Flow:
    nodes, kinds = zip(*(_tensor(call, v) for v in (a, b)), strict=True)
    if nodes[0].shape != nodes[1].shape or kinds[0] != kinds[1]:
        raise call.refuse(f"its branches give {nodes[0].shape} and {nodes[1].shape}", "give both the same shape")
    return Flow(call.node(Select(), truth, *nodes), kinds[0], call.lead)


def _tensor(call: Call, value: Value) -> tuple[Node, str]:
    if isinstance(value, Flow):
        return value.node, value.type
    if isinstance(value, Known) and len(value.variants) == 1:
        from ..types import type_of

        return call.constant(value.variants[0]), type_of(value.variants[0])
    raise call.refuse("a branch gives no plain tensor", "give tensors of one shape in both")


def _truth(call: Call, value: Value | None, what: str) -> bool:
    """Give a condition that must be constant; one that is left out holds."""
    if value is None:
        return True
    if not isinstance(value, Known) or any(bool(np.any(v != value.variants[0])) for v in value.variants):
        raise call.refuse(f"{what} is computed at run time", "export the model with a constant number of rounds")
    return bool(np.all(value.variants[0]))


@operator("Loop")
def loop(call: Call) -> list[Node | Value]:
    """Write out a constant number of rounds."""
    body = call.attributes.take("body")
    count = call.optional(0)
    rounds = None if count is None else call.integers(0)
    if rounds is not None and len(rounds) != 1:
        raise call.misfit("the number of rounds is one number")
    holds = _truth(call, call.optional(1), "the condition of the loop")
    carried: list[Value] = [call.value(i) for i in range(2, len(call.inputs))]
    names = [i.name for i in body.input]
    if len(names) != len(carried) + 2:
        raise call.misfit(f"a body of {len(names)} inputs for {len(carried)} values that are carried")
    rows: list[list[Value]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
    k = 0
    while holds and (rounds is None or k < rounds[0]):
        if k >= MOST_STEPS:
            raise call.refuse(f"over {MOST_STEPS} rounds", "write fewer, or a recurrent layer")
        entries: list[Value] = [Known((np.array(k, np.int64),)), Known((np.array(True),)), *carried]
        after, *results = _inside(call, body, dict(zip(names, entries, strict=True)))
        holds = _truth(call, after, "the condition of the loop")
        carried = results[: len(carried)]
        for row, value in zip(rows, results[len(carried) :], strict=True):
            row.append(value)
        k += 1
    return [*carried, *(_stacked(call, row, 0) for row in rows)]


def _inside(call: Call, body: Any, given: dict[str, Value]) -> list[Value]:
    results = call.inside(body, given)
    if len(results) != len(body.output):
        raise call.refuse("its body could not be imported", "see the other errors")
    return results


def _stacked(call: Call, row: list[Value], axis: int) -> Node | Value:
    """Stack what the rounds gave along a new axis."""
    if not row:
        raise call.refuse("no rounds: what it collects is empty", "leave the loop out")
    if all(isinstance(v, Known) and len(v.variants) == 1 for v in row):
        return Known((np.stack([v.variants[0] for v in row if isinstance(v, Known)], axis),))
    pairs = [_tensor(call, v) for v in row]
    nodes = [node for node, _ in pairs]
    rank = len(nodes[0].shape) + call.lead
    place = call.axis(axis, rank + 1)
    along = max(place - call.lead, 0)
    rows = [call.node(Reshape((*n.shape[:along], 1, *n.shape[along:])), n) for n in nodes]
    joined = rows[0] if len(rows) == 1 else call.node(Concat(along), *rows)
    if call.lead and place == 0:
        return Moved(joined, pairs[0][1], 1)
    return Flow(joined, pairs[0][1], call.lead)


@operator("Scan")
def scan(call: Call) -> list[Node | Value]:
    """Write out the steps over sequences of a constant length (opset 9 on)."""
    if call.opset < 9:
        raise call.refuse("Scan of opset 8 counts samples itself", "export with opset 9 or newer")
    body, count = call.attributes.take("body"), call.attributes.integer("num_scan_inputs", low=1)
    states: list[Value] = [call.value(i) for i in range(len(call.inputs) - count)]
    emissions = len(body.output) - len(states)
    ways = [_integers(call, f"scan_{k}_directions", n) for k, n in (("input", count), ("output", emissions))]
    axes = [_integers(call, f"scan_{k}_axes", n) for k, n in (("input", count), ("output", emissions))]
    sequences = [_steps(call, len(states) + i, axes[0][i], backwards=bool(ways[0][i])) for i in range(count)]
    lengths = {len(s) for s in sequences}
    if len(lengths) != 1 or max(lengths) > MOST_STEPS:
        raise call.refuse(f"sequences of {sorted(lengths)} steps", f"at most {MOST_STEPS}, and equally many")
    names = [i.name for i in body.input]
    rows: list[list[Value]] = [[] for _ in range(emissions)]
    for parts in zip(*sequences, strict=True):
        results = _inside(call, body, dict(zip(names, [*states, *parts], strict=True)))
        states = results[: len(states)]
        for row, value in zip(rows, results[len(states) :], strict=True):
            row.append(value)
    ordered = [row[::-1] if back else row for row, back in zip(rows, ways[1], strict=True)]
    return [*states, *(_stacked(call, row, axis) for row, axis in zip(ordered, axes[1], strict=True))]


def _integers(call: Call, key: str, count: int) -> tuple[int, ...]:
    return call.attributes.integers(key, count, [0] * count)


def _steps(call: Call, i: int, axis: int, *, backwards: bool) -> list[Value]:
    """Cut a sequence into its steps."""
    moved = call.moved(i)
    value = moved or call.value(i)
    if isinstance(value, Known):
        if len(value.variants) > 1:
            raise call.refuse("a sequence depends on the length of the batch", "export with a fixed batch of 1")
        parts: list[Value] = [Known((v,)) for v in np.moveaxis(value.variants[0], axis, 0)]
        return parts[::-1] if backwards else parts
    batch = value.axis if isinstance(value, Moved) else 0 if value.lead else -1
    place = call.axis(axis, value.rank)
    if place == batch:
        raise call.refuse("it steps along the batch", "transpose the sequence to [time, batch, ...]")
    along, x = place - (0 <= batch < place), value.node
    found = [sliced(call, x, {along: slice(k, k + 1)}) for k in range(x.shape[along])]
    rest = (*x.shape[:along], *x.shape[along + 1 :])
    nodes = [call.node(Reshape(rest), part) for part in found]
    left = batch - (place < batch)
    made: list[Value] = [
        Moved(n, value.type, left) if left > 0 else Flow(n, value.type, int(batch >= 0)) for n in nodes
    ]
    return made[::-1] if backwards else made

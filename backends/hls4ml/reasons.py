"""Operations that have no rule here, and why."""

from ...graph import Node, Op, UnsupportedError, op_name
from ...graph.ops import (
    Activation,
    Div,
    GatherND,
    Power,
    Quotient,
    Remainder,
    ScatterND,
    Softmax,
    TakeAlong,
    TopK,
)
from .kernel import refuse

LOWERED: tuple[type[Op], ...] = (Activation, Softmax, Div, Power)
"""What lowering turns into tables and arithmetic."""

_PLACES = "reads and writes at computed places have no HLS kernel"
_DIVISION = "whole division at run time has no HLS kernel"

REASONS: dict[type[Op], str] = (
    dict.fromkeys(LOWERED, "lowering turns it into tables and arithmetic")
    | {TopK: "sorting has no HLS kernel"}
    | dict.fromkeys((TakeAlong, GatherND, ScatterND), _PLACES)
    | dict.fromkeys((Quotient, Remainder), _DIVISION)
)
"""Why an operation has no rule here."""


def unlowered(node: Node) -> UnsupportedError:
    """Give the error that says why a node cannot be emitted."""
    hint = "lower the graph first" if isinstance(node.op, LOWERED) else "leave it to the host, or to another back end"
    return refuse(node, f"{op_name(node.op)}: {REASONS[type(node.op)]}", hint)

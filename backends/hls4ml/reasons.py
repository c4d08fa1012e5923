"""Operations that have no rule here, and why."""

from ...graph import Node, Op, UnsupportedError, op_name
from ...graph.ops import Activation, Cast, Div, DynamicScale, Power, Softmax
from .kernel import refuse

REASONS: dict[type[Op], str] = dict.fromkeys(
    (Activation, Softmax, Div, Power), "lowering turns it into tables and arithmetic"
) | {
    DynamicScale: "a scale that is computed at run time is a real number",
    Cast: "lowering leaves the rounding of floats to quantizers",
}
"""Why an operation has no rule here."""


def unlowered(node: Node) -> UnsupportedError:
    """Give the error that says why a node cannot be emitted."""
    return refuse(node, f"{op_name(node.op)}: {REASONS[type(node.op)]}", "lower the graph first")

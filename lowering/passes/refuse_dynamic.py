"""Refuse what quantizes by the range that its data have at run time."""

from ...graph import Graph, ManyErrors, UnsupportedError
from ...graph.ops import DynamicScale

HINT = "quantize the model statically: QuantizeLinear / DequantizeLinear (QDQ), or load it before it was quantized"


def refuse_dynamic(graph: Graph) -> Graph:
    """Give the graph as it is. Raises UnsupportedError (ManyErrors for several) where a scale is computed at run time.

    Its numbers are defined by that scale: a table or a fixed scale in its place would be another model.

    %3 = dynamic_scale[operator='DynamicQuantizeLinear'](%2)      ->      refused
    """
    found = [node for node in graph.nodes if isinstance(node.op, DynamicScale)]
    errors = [UnsupportedError(_text(node.op), where=node.where, hint=HINT) for node in found]
    if errors:
        raise ManyErrors(errors) if len(errors) > 1 else errors[0]
    return graph


def _text(op: object) -> str:
    assert isinstance(op, DynamicScale)
    return f"{op.operator} takes its scale from the data at run time, which has no integer form"

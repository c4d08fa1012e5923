"""Leave floats of 16 bits to the quantizers, where everything becomes integers."""

from dataclasses import replace

from ...graph import Float, Graph, Node
from ...graph.formats import FLOAT
from ...graph.ops import Cast, Constant, Input
from ..rewrite import again, note, rebuild


def widen_floats(graph: Graph) -> Graph:
    """Take the rounding to 16 bits out: fixed point comes in its place.

    %2 = dense(%0, %1) : 10 float32
    %3 = cast(%2) : 10 float16            ->      %2 = dense(%0, %1) : 10 float32
    """
    short = {str(n.type.format) for n in graph.nodes if isinstance(n.type.format, Float)} - {str(FLOAT)}
    if not short:
        return graph
    what = f"numbers of {', '.join(sorted(short))} become fixed point: the rounding of floats is not kept"
    return note(rebuild(graph, _wide), what)


def _wide(old: Node, inputs: tuple[Node, ...]) -> Node:
    match old.op:
        case Cast():
            return inputs[0]
        case Input(format=Float()) | Constant(format=Float()):
            return replace(old, op=replace(old.op, format=FLOAT))
    return again(old, inputs)

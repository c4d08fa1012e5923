"""Leave the last softmax out, for users who only want the class or the logits."""

from dataclasses import replace

from ...graph import Graph, Node, OptionError
from ...graph.ops import Output, Quantize, Softmax


def drop_softmax(graph: Graph) -> Graph:
    """Make the logits the outputs. Raises OptionError where no output is a softmax.

    %5 = softmax(%4)
    %6 = output(%5)        ->      %5 = output(%4)
    """
    outputs = tuple(_logits(o) for o in graph.outputs)
    if all(a is b for a, b in zip(outputs, graph.outputs, strict=True)):
        raise OptionError("no output of the model is a softmax", hint="leave --output logits out")
    return replace(graph, outputs=outputs)


def _logits(output: Node) -> Node:
    node = output.inputs[0]
    if isinstance(node.op, Quantize) and isinstance(node.inputs[0].op, Softmax):
        node = node.inputs[0]
    return Node(Output(*_fields(output)), (node.inputs[0],), output.where) if isinstance(node.op, Softmax) else output


def _fields(output: Node) -> tuple[str, tuple[int, ...] | None]:
    assert isinstance(output.op, Output)
    return output.op.name, output.op.axes

"""Give functions that integers cannot compute their integer form: tables, and programs over tables."""

from ...graph import Graph, Node
from ..config import Config
from ..rewrite import again, note, rebuild
from ..softmax import softmax_rule
from ..tables import table_rule


def make_tables(graph: Graph, config: Config) -> Graph:
    """Replace each quantized function by a table, each quantized softmax by a program (``tables``, ``softmax``).

    Both in one walk, so that every table is as long as the proved range of what it reads, and no longer.

    %2 = activation[sigmoid](%1) : 8 float32
    %3 = quantize(%2) : 8 ufixed<8,0>             ->    %3 = lookup[offset=-2048](%1, table) : 8 ufixed<8,0>
    """
    notes: list[str] = []

    def integer(old: Node, inputs: tuple[Node, ...]) -> Node:
        return softmax_rule(table_rule(again(old, inputs), config), config, notes)

    return note(rebuild(graph, integer), *notes)

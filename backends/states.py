"""What back ends that keep nothing between inferences say of networks that remember."""

from ..graph import Graph, UnsupportedError


def without_states(graph: Graph, what: str) -> None:
    """Raise UnsupportedError where a network has states; ``what`` cannot keep them."""
    if graph.states:
        named = ", ".join(repr(s.name) for s in graph.states)
        hint = "leave states as inputs and outputs of the model (no --state, stateful=False), and hand them on outside"
        raise UnsupportedError(f"{what} keeps nothing between inferences: the states {named}", hint=hint)

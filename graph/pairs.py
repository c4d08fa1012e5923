"""States that the user names: an input and an output of a model that has them on its surface."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .arrays import Array, NDArray
from .errors import FileError, OptionError, ShapeError, unknown
from .evaluate.run import source_shape, surface_shape
from .node import Graph, Node
from .ops import Input, Output, Transpose
from .state import State, in_format

Pairs = Mapping[str, "str | tuple[str, npt.ArrayLike | str | Path]"]
"""The output of each input that is a state; with an initial value: an array in the source's layout, or its file."""


def with_states(graph: Graph, pairs: Pairs) -> Graph:
    """Make states of inputs and outputs: what one inference gives as the output, the next reads as the input.

    with_states(graph, {"h_in": "h_out", "c_in": ("c_out", np.ones(64))})

    They are inputs and outputs no longer; where no other output would be left they stay outputs too. Initial values,
    zeros by default, are real values [*shape] in the source's layout, or the name of a ``.npy`` file of them. Raises
    OptionError for names that do not exist, ShapeError for pairs and values that do not fit, FileError.
    """
    entries, ends = ({n.op.name: n for n in nodes} for nodes in (graph.inputs, graph.outputs))  # type: ignore[attr-defined]
    new: dict[Node, Node] = {}
    states = []
    for name, given in pairs.items():
        output, initial = (given, None) if isinstance(given, str) else given
        if name not in entries:
            raise unknown("input", name, entries, where="state")
        if output not in ends:
            raise unknown("output", output, ends, where=f"state {name!r}")
        states.append((entries[name], ends[output], _initial(entries[name], initial)))
        new[entries[name]] = _plain(entries[name])
    if not set(graph.inputs) - set(new):
        raise OptionError("every input is a state", hint="an inference needs an input that is none")
    rebuilt = _rebuilt(graph, new)
    left = tuple(o for o in graph.outputs if o not in {end for _, end, _ in states})
    made = tuple(_state(entry, end, initial, rebuilt) for entry, end, initial in states)
    return replace(
        graph,
        inputs=tuple(rebuilt[i] for i in graph.inputs if i not in new),
        outputs=tuple(rebuilt[o] for o in left or graph.outputs),
        states=(*(s.renewed(rebuilt[s.entry], rebuilt[s.next]) for s in graph.states), *made),
    )


def parse_pairs(texts: "list[str] | tuple[str, ...]") -> Pairs:
    """Read pairs as the command line has them: ``h_in=h_out``, ``h_in=h_out:initial.npy``. Raises OptionError."""
    found: dict[str, str | tuple[str, str]] = {}
    for text in texts:
        name, equal, rest = text.partition("=")
        output, _, file = rest.rpartition(":") if rest.endswith(".npy") else (rest, "", "")
        if not (name and equal and output) or name in found:
            what = "is named twice" if name in found else "is no pair of an input and an output"
            raise OptionError(f"{text!r} {what}", where="--state", hint="--state h_in=h_out or h_in=h_out:initial.npy")
        found[name] = (output, file) if file else output
    return found


def _plain(entry: Node) -> Node:
    """Give the input of a state: in the graph's layout, as it is nobody's to feed."""
    op = entry.op
    assert isinstance(op, Input)
    return Node(Input(op.name, op.shape, op.format), (), entry.where)


def _rebuilt(graph: Graph, new: Mapping[Node, Node]) -> dict[Node, Node]:
    rebuilt = dict(new)
    for node in graph.nodes:
        if node not in rebuilt:
            rebuilt[node] = replace(node, inputs=tuple(rebuilt[i] for i in node.inputs))
    return rebuilt


def _state(entry: Node, end: Node, initial: Array, rebuilt: Mapping[Node, Node]) -> State:
    """Join both ends; their layouts in the graph may differ where those in the source agree."""
    before, after = entry.op, end.op
    assert isinstance(before, Input)
    assert isinstance(after, Output)
    here, there = surface_shape(entry), surface_shape(end)
    if here != there:
        what = f"state {before.name!r} has shape {here}, its output {after.name!r} has {there}"
        raise ShapeError(what, hint="name an output of the same shape")
    node = rebuilt[end.inputs[0]]
    outward = after.axes or tuple(range(len(there)))
    inward = before.axes or tuple(range(len(here)))
    axes = tuple(outward[a] for a in inward)
    if axes != tuple(range(len(axes))):
        node = Node(Transpose(axes), (node,), end.where)
    return State(rebuilt[entry], Node(Output(before.name), (node,), end.where), initial)


def _initial(entry: Node, given: "npt.ArrayLike | str | Path | None") -> Array:
    """Give the initial value of a state, in the format and the layout of its input."""
    op = entry.op
    assert isinstance(op, Input)
    shape = source_shape(op.shape, op.axes)
    values = np.zeros(shape) if given is None else _read(given) if isinstance(given, str | Path) else np.asarray(given)
    if values.shape != shape or values.dtype.kind not in "fiub":
        what = f"state {op.name!r} of shape {shape} begins with {values.dtype} of shape {values.shape}"
        raise ShapeError(what, where=str(given) if isinstance(given, str | Path) else "")
    values = values if op.axes is None else values.transpose(op.axes)
    return Array(in_format(values, op.format))


def _read(file: str | Path) -> NDArray:
    try:
        found: NDArray = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"cannot read an initial value: {error}", where=str(file), hint="numpy.save(file, x)") from None
    if not isinstance(found, np.ndarray):
        raise FileError("is not one array", where=str(file), hint="numpy.save(file, x)")
    return found


__all__ = ["Pairs", "parse_pairs", "with_states"]

"""What a graph gives, inference by inference: independent ones, or the steps of a stream that remembers."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import NDArray
from ..errors import ShapeError, unknown
from ..node import Graph, Node
from ..state import State, in_format
from .run import (
    Inputs,
    Outputs,
    all_of,
    as_real,
    by_input,
    ends_of,
    fed_of,
    feed,
    give,
    outputs_of,
    surface_shape,
    values_of,
)


def evaluate(graph: Graph, x: Inputs, *, integers: bool = False) -> Outputs:
    """Compute the graph's outputs.

    ``x``: an array [batch, *shape] (one input), a sequence of them in the order of the inputs, or a mapping by name;
    in the layout of the source model. Gives an array for one output, a tuple for several, a dictionary by name where
    ``x`` is a mapping. With ``integers`` both sides are the stored integers of integer tensors instead of real
    values. Raises ShapeError where samples do not fit, GatewrightError for NaN and infinite values that would have to
    be quantized.

    A graph with states takes [steps, *shape], in order, from its initial state on, or [streams, steps, *shape]: every
    stream by itself. ``Stream`` goes on where it stopped.
    """
    return Stream(graph)(x, integers=integers)


def trace(graph: Graph, x: Inputs, *, integers: bool = False) -> dict[Node, NDArray]:
    """Compute every node: stored integers (or float32) [batch, *shape], in the graph's own layout.

    Of a graph with states: [steps, *shape], or [streams * steps, *shape].
    """
    return Stream(graph).trace(x, integers=integers)


class Stream:
    """A graph and what it remembers: every call goes on where the one before it stopped.

    stream = gw.Stream(graph)
    y = stream(frames)                     # as ``evaluate``: [steps, *shape] or [streams, steps, *shape]
    saved = stream.state                   # {name: real values [*shape]}, [streams, *shape] of several streams
    stream.reset()                         # the initial state
    stream.state = saved

    A graph without states remembers nothing: its calls are as those of ``evaluate``.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._stored: dict[State, NDArray] = {}
        self._many = False
        self.reset()

    def reset(self) -> None:
        """Begin anew, with the initial state."""
        self._stored = {s: s.initial.data[None] for s in self.graph.states}
        self._many = False

    @property
    def state(self) -> dict[str, NDArray]:
        """What is remembered now, by the states' names, as real values (float32, or float64 where that is exact)."""
        real = {s.name: as_real(s.entry, v) for s, v in self._stored.items()}
        return {name: v if self._many else v[0] for name, v in real.items()}

    @state.setter
    def state(self, values: Mapping[str, npt.ArrayLike]) -> None:
        """Put real values in place of some states; they are rounded to the states' formats. Raises OptionError,
        ShapeError.
        """
        known = {s.name: s for s in self.graph.states}
        for name, value in values.items():
            if name not in known:
                raise unknown("state", name, known)
            state, array = known[name], np.asarray(value)
            self._many = array.ndim > len(state.entry.shape)
            if array.dtype.kind not in "fiub" or array.shape[int(self._many) :] != state.entry.shape:
                raise ShapeError(f"state {name!r} has shape {state.entry.shape}, not {array.shape}")
            self._stored[state] = in_format(array if self._many else array[None], state.entry.type.format)

    def __call__(self, x: Inputs, *, integers: bool = False) -> Outputs:
        """Compute the outputs of the next steps; arguments, result and errors are those of ``evaluate``."""
        graph = self.graph
        if not graph.states:
            return give(graph, outputs_of(graph, feed(graph, x, integers=integers)), x, integers=integers)
        ends = (*graph.outputs, *(s.next for s in graph.states))
        fed, streams = self.streams(x, integers=integers)
        rows: list[list[NDArray]] = []
        for entries, batch in self._steps(fed):
            found = ends_of(graph, entries, ends, batch)
            rows.append(found[: len(graph.outputs)])
            self._remember(found[len(graph.outputs) :])
        self._many = streams is not None
        stored = [_flat([row[k] for row in rows]) for k in range(len(graph.outputs))]
        return _unflat(give(graph, stored, x, integers=integers), streams)

    def trace(self, x: Inputs, *, integers: bool = False) -> dict[Node, NDArray]:
        """Compute every node in the next steps, as ``trace`` does."""
        graph = self.graph
        if not graph.states:
            fed = feed(graph, x, integers=integers)
            return all_of(graph, dict(zip(graph.inputs, fed, strict=True)), len(fed[0]))
        fed, streams = self.streams(x, integers=integers)
        found = self.nodes(fed)
        self._many = streams is not None
        return found

    def nodes(self, fed: Sequence[NDArray]) -> dict[Node, NDArray]:
        """Compute every node in the next steps of a graph with states, from stored numbers [streams, steps, *shape] an
        input in the graph's own layout: [streams * steps, *shape].
        """
        rows: list[dict[Node, NDArray]] = []
        for entries, batch in self._steps(fed):
            rows.append(all_of(self.graph, entries, batch))
            self._remember([rows[-1][s.next] for s in self.graph.states])
        return {node: _flat([row[node] for row in rows]) for node in self.graph.nodes}

    def feed(self, x: Inputs, *, integers: bool = False) -> list[NDArray]:
        """Check what a user passed, and give it as ``evaluate.feed`` does, [count, *shape] an input."""
        if not self.graph.states:
            return feed(self.graph, x, integers=integers)
        return [v.reshape(-1, *v.shape[2:]) for v in self.streams(x, integers=integers)[0]]

    def streams(self, x: Inputs, *, integers: bool = False) -> tuple[list[NDArray], int | None]:
        """Bring inputs to [streams, steps, *shape] in the graph's layout; also how many streams were asked for."""
        graph, given = self.graph, by_input(self.graph, x)
        if not several(graph, x):
            fed, streams = [v[None] for v in fed_of(graph, given, integers=integers)], None
        else:
            arrays = [np.asarray(v) for v in given]
            leads = {v.shape[:2] for v in arrays}
            if len(leads) != 1:
                raise ShapeError(f"the inputs have {sorted(leads)} streams and steps")
            lead = leads.pop()
            flat = fed_of(graph, [v.reshape(-1, *v.shape[2:]) for v in arrays], integers=integers)
            fed, streams = [v.reshape(*lead, *v.shape[1:]) for v in flat], lead[0]
        held = max(len(v) for v in self._stored.values())
        if self._many and held != len(fed[0]):
            raise ShapeError(f"{held} streams are remembered, {len(fed[0])} given", hint="reset() before others begin")
        return fed, streams

    def _steps(self, fed: Sequence[NDArray]) -> Iterator[tuple[dict[Node, NDArray], int]]:
        """Give what every ``Input`` node reads in each step, and for how many streams."""
        for k in range(fed[0].shape[1]):
            given = {node: v[:, k] for node, v in zip(self.graph.inputs, fed, strict=True)}
            yield given | {s.entry: v for s, v in self._stored.items()}, len(fed[0])

    def _remember(self, ends: Sequence[NDArray]) -> None:
        for state, stored in zip(self.graph.states, ends, strict=True):
            real = not state.entry.type.is_integer
            self._stored[state] = values_of(state.next, stored).astype(np.float32) if real else stored


def several(graph: Graph, x: Inputs) -> bool:
    """Whether ``x`` is of several streams, [streams, steps, *shape] an input, by its axes."""
    given = by_input(graph, x)
    return all(_rank(v) == len(surface_shape(n)) + 2 for v, n in zip(given, graph.inputs, strict=True))


def run_streams(
    graph: Graph, x: Inputs, run: Callable[[list[NDArray]], Sequence[NDArray]], *, integers: bool = False
) -> Outputs:
    """Let ``run`` do what ``evaluate`` does: it computes the outputs from all inputs, stored numbers [steps, *shape],
    of one stream at a time.
    """
    if not graph.states:
        return give(graph, run(feed(graph, x, integers=integers)), x, integers=integers)
    fed, streams = Stream(graph).streams(x, integers=integers)
    made = [run([v[k] for v in fed]) for k in range(len(fed[0]))]
    stored = [np.concatenate(column) for column in zip(*made, strict=True)]
    return _unflat(give(graph, stored, x, integers=integers), streams)


def _rank(value: npt.ArrayLike) -> int:
    try:
        return np.ndim(value)
    except ValueError:  # ragged; what is wrong with it is said where it is fed
        return -1


def _flat(steps: Sequence[NDArray]) -> NDArray:
    """Join steps [streams, *shape] to [streams * steps, *shape]."""
    joined = np.stack(steps, axis=1)
    return joined.reshape(-1, *joined.shape[2:])


def _unflat(outputs: Outputs, streams: int | None) -> Outputs:
    """Give the streams their axis back, where there is one."""
    if streams is None:
        return outputs
    if isinstance(outputs, dict):
        return {name: v.reshape(streams, -1, *v.shape[1:]) for name, v in outputs.items()}
    if isinstance(outputs, tuple):
        return tuple(v.reshape(streams, -1, *v.shape[1:]) for v in outputs)
    return outputs.reshape(streams, -1, *outputs.shape[1:])

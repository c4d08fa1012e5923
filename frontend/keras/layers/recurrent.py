"""Recurrent layers, each one scan: SimpleRNN, LSTM, GRU, RNN, ConvLSTM, and Bidirectional.

A step that the mask leaves out keeps the states, and repeats the output of the step before it (0 at first), or gives 0
with ``zero_output_for_mask``. Source: ``rnn`` of Keras 3 (backend/tensorflow/rnn.py) and of tf-keras (backend.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from ....graph import Array, Fixed, Format, Graph, Grid, Node, ShapeError
from ....graph.formats import FLOAT
from ....graph.ops import BOOLEAN, Add, Concat, Constant, Input, Mul, Output, Scan, Select, Slice, Transpose
from ...attributes import Attributes
from ..calls import leaves
from ..dtypes import check_dtype
from ..ignored import ignore_common
from ..masks import differs, mask_of, single_mask
from ..registry import Dialect, Layer, Masking, Weight, layer
from .cells import Cell, Shape, cell_of, class_of, convolutional_cell, dense_cell, weights_of
from .common import reshape, to_last

CALL = ("sequences", "initial_state", "mask", "training", "constants")
DENSE = ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")
CONVOLUTIONAL = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
READERS: dict[str, Callable[[Layer, Shape, str], Cell]] = {}
"""How the cells of layers of other packages are read, by class name: from the layer, the shape of a step, a prefix."""
STATEFUL_HINT = "build it with stateful=False"


def recurrent_weights(class_name: str) -> Any:
    """Give the function from a configuration to the arrays that a recurrent layer of this class stores."""

    def weights(config: Mapping[str, Any]) -> tuple[Weight, ...]:
        return tuple(stored_by(class_name, config))

    return weights


def stored_by(class_name: str, config: Mapping[str, Any], prefix: str = "", group: str = "") -> list[Weight]:
    """Give the stored arrays of a recurrent layer, in order."""
    own = "" if class_name.startswith("CuDNN") else "cell"
    at = f"{group}/{own}" if group and own else group or own
    if class_name == "RNN":
        name, inner = class_of(config.get("cell"))
        return weights_of(name, inner, prefix, at)
    return weights_of(class_name, config, prefix, at)


@dataclass(frozen=True)
class Run:
    """One run of a cell over a sequence: what the layer says about its results."""

    cell: Cell
    sequences: bool
    states: bool
    backwards: bool
    zeros: bool
    unrolled: bool = False
    stateful: bool = False

    @classmethod
    def read(cls, layer: Layer, x: Node, prefix: str = "") -> "Run":
        """Read the attributes of a recurrent layer."""
        config = layer.config
        stateful = bool(config.choice("stateful", False, True, None, default=False, hint=STATEFUL_HINT))
        config.ignore("use_cudnn", why="a speed option with the same results")
        unrolled = config.boolean("unroll", False)
        config.expect("time_major", False, None, hint="put the batch first")
        config.expect("num_constants", None, 0, hint="build the layer without constants")
        step = x.shape[1:]
        match layer.class_name:
            case "RNN":
                cell = cell_of(layer, _as_cell(config.take("cell")), step, prefix)
            case name if name in READERS:
                cell = READERS[name](layer, step, prefix)
            case name if name in CONVOLUTIONAL:
                cell = convolutional_cell(layer, step, prefix)
            case _:
                cell = dense_cell(layer, step, prefix)
        sequences, states, backwards, zeros = (
            config.boolean(key, False)
            for key in ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
        )
        return cls(cell, sequences, states, backwards, zeros, unrolled, stateful)

    def remembering(self, layer: Layer, x: Node, mask: Node | None) -> list[Node]:
        """Give what a stateful layer gives: its states begin where those of the inference before ended."""
        if mask is not None:
            raise layer.unsupported("a mask on a stateful layer", STATEFUL_HINT)
        formats: list[Format] = [n.type.format for n in self._started(layer, x)]
        while True:
            entries = [self._entry(layer, i, f) for i, f in enumerate(formats)]
            output, *after = self._once(layer, x, entries)
            kept = [FLOAT if f != n.type.format else f for f, n in zip(formats, after, strict=True)]
            if kept == formats or all(f == FLOAT for f in formats):
                layer.remember(entries, after)
                return [output, *after] if self.states else [output]
            formats = kept

    def _entry(self, layer: Layer, i: int, format: Format) -> Node:
        name = f"{layer.name}/state{i}"
        return Node(Input(name, self.cell.states[i], format), (), name)

    def _once(self, layer: Layer, x: Node, states: list[Node]) -> list[Node]:
        """Give the output and the states after a sequence; a sequence of one step needs no scan."""
        if x.shape[0] > 1:
            return replace(self, states=True).over(layer, x, states, None)
        output, after = self.cell.step(reshape(layer, x, x.shape[1:]), states)
        return [reshape(layer, output, (1, *output.shape)) if self.sequences else output, *after]

    def over(self, layer: Layer, x: Node, start: Sequence[Node], mask: Node | None) -> list[Node]:
        """Give what the layer gives: the outputs or the last one, then the states where they are asked for."""
        if mask is not None and self.zeros and self.sequences and self.backwards and self.unrolled:
            what = "unroll and go_backwards with outputs of 0 for masked steps: Keras puts the 0 at other steps"
            raise layer.unsupported(what, "build it with unroll=False")
        steps = x.shape[0]
        shapes = self.cell.states
        given = list(start) or [layer.constant(np.zeros(s)) for s in shapes]
        if [n.shape for n in given] != list(shapes):
            what = f"initial states of shapes {[n.shape for n in given]}, the layer has {list(shapes)}"
            raise ShapeError(what, where=layer.place)
        repeats = mask is not None and not self.zeros and bool(start)
        held = [*given, *([layer.constant(np.zeros(shapes[self.cell.output]))] if repeats else [])]
        if not start and mask is None:
            held = self._started(layer, x)
        body = self._body(layer, x, held, mask, repeats)
        sequences = [x] if mask is None else [x, mask]
        last = not self.sequences
        scan = Scan(body, steps, len(sequences), len(held), reverse=self.backwards, last=last)
        emitted = layer.node(scan, *sequences, *held)
        return self._results(layer, emitted)

    def _started(self, layer: Layer, x: Node) -> list[Node]:
        """Give states of 0: integers where every step gives them in one format that no state changes, else floats."""
        value = _element(layer, x)
        zeros = [layer.constant(np.zeros(s)) for s in self.cell.states]
        formats: list[Format | None] = [n.type.format for n in self.cell.step(value, _entries(layer, zeros))[1]]
        while True:
            held = [_zeros_in(layer, z, f) for z, f in zip(zeros, formats, strict=True)]
            after = [n.type.format for n in self.cell.step(value, _entries(layer, held))[1]]
            kept = [f if f == g else None for f, g in zip(formats, after, strict=True)]
            if kept == formats:
                return held
            formats = kept

    def _body(self, layer: Layer, x: Node, held: list[Node], mask: Node | None, repeats: bool) -> Graph:
        """Build one step: its inputs are an element, its mask, the states (and the last output where it repeats)."""
        value = _element(layer, x)
        counts = [] if mask is None else [Node(Input("mask", (), BOOLEAN), (), layer.name)]
        states = _entries(layer, held)
        mine = states[: len(self.cell.states)]
        output, after = self.cell.step(value, mine)
        if counts:
            asked = counts[0]
            after = [layer.node(Select(), asked, n, o) for n, o in zip(after, mine, strict=True)]
            if self.zeros:
                output = layer.node(Mul(), output, asked)
            else:
                output = layer.node(Select(), asked, output, states[-1]) if repeats else after[self.cell.output]
            after += [output] if repeats else []
        flat = [reshape(layer, n, (n.type.size,)) for n in (output, *after[: len(mine)])]
        emission = layer.node(Concat(0), *flat) if self.states else output
        ends = [*after, emission]
        names = [*(f"state{i}" for i in range(len(after))), "out"]
        outputs = tuple(Node(Output(n), (e,), layer.name) for n, e in zip(names, ends, strict=True))
        return Graph((value, *counts, *states), outputs, layer.name)

    def _results(self, layer: Layer, emitted: Node) -> list[Node]:
        """Take the emissions apart, and turn them where the steps ran backwards."""
        shape = self.cell.states[self.cell.output]
        if self.backwards and self.sequences:
            emitted = turned(layer, emitted)
        if not self.states:
            return [emitted]
        sizes = [int(np.prod(s)) for s in (shape, *self.cell.states)]
        edges = [0, *accumulate(sizes)]
        ends = (
            emitted if not self.sequences else reshape(layer, cut(layer, emitted, 0, len_of(emitted) - 1), (edges[-1],))
        )
        states = [
            reshape(layer, _columns(layer, ends, a, b), s)
            for a, b, s in zip(edges[1:-1], edges[2:], self.cell.states, strict=True)
        ]
        first = _columns(layer, emitted, 0, sizes[0])
        lead = emitted.shape[:1] if self.sequences else ()
        return [reshape(layer, first, (*lead, *shape)), *states]


def _element(layer: Layer, x: Node) -> Node:
    """Give the input of a step that stands for one element of the sequence."""
    format = x.type.format
    one = isinstance(format, Fixed) and not any(
        isinstance(part, Grid) for part in (format.width, format.integer, format.signed)
    )
    return Node(Input("x", x.shape[1:], format) if one else Input("x", x.shape[1:]), (), layer.name)


def _entries(layer: Layer, held: Sequence[Node]) -> list[Node]:
    """Give the inputs of a step that stand for its states: real numbers, or integers of the states' format."""
    return [Node(Input(f"state{i}", n.shape, n.type.format), (), layer.name) for i, n in enumerate(held)]


def _zeros_in(layer: Layer, zeros: Node, format: Format | None) -> Node:
    if not isinstance(format, Fixed):
        return zeros
    return Node(Constant(Array(np.zeros(zeros.shape, np.int64)), format), (), layer.name)


def len_of(x: Node) -> int:
    """Give the number of steps."""
    return x.shape[0]


def cut(layer: Layer, x: Node, axis: int, start: int) -> Node:
    """Give the rest of an axis from a place on."""
    starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
    return layer.node(Slice(starts, x.shape, (1,) * len(x.shape)), x)


def _columns(layer: Layer, x: Node, start: int, stop: int) -> Node:
    lead = x.shape[:-1]
    return layer.node(Slice((*(0 for _ in lead), int(start)), (*lead, int(stop)), (1,) * len(x.shape)), x)


def turned(layer: Layer, x: Node) -> Node:
    """Give the steps in the opposite order."""
    rest = x.shape[1:]
    return layer.node(Slice((len_of(x) - 1, *(0 for _ in rest)), (None, *rest), (-1, *(1 for _ in rest))), x)


def _as_cell(value: Any) -> Any:
    """Give a list of cells as the cell that has them on top of each other."""
    return {"class_name": "StackedRNNCells", "config": {"cells": value}} if isinstance(value, list) else value


def operands(layer: Layer, inputs: list[Node]) -> tuple[Node, list[Node], Node | None]:
    """Give the sequence, the initial states (none for zeros) and the mask."""
    if layer.call.take("constants", None) is not None:
        raise layer.unsupported("constants of a recurrent layer", "concatenate them to each step")
    x, *more = inputs
    given = layer.call.take("initial_state", None)
    states = more or list(leaves(given, Node))
    if given is not None and len(states) != len(list(_flat(given))):
        raise layer.call.refusal("initial_state", given, "give tensors of the model, or none")
    if len(x.shape) < 2:
        raise ShapeError(f"a recurrent layer reads sequences, it is given {x.shape}", where=layer.place)
    mask = single_mask(layer, x)
    if mask is not None and mask.shape != x.shape[:1]:
        raise layer.unsupported(f"a mask {mask.shape} for {x.shape}", "use one truth value for each step")
    if mask is not None and mask.type.format != BOOLEAN:
        mask = differs(layer, mask, 0.0)
    return x, states, mask


def _flat(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _flat(v)] if isinstance(value, list) else [value]


def passed(layer: Layer, x: Node) -> Node | None:
    """Give the mask that goes on to the results: of Keras 3, even where the layer itself did not use it."""
    given = layer.call.peek("mask")
    if given is not None:
        return next(leaves(given, Node), None)
    return mask_of(layer, x)


def recurrent(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import a recurrent layer."""
    x, start, mask = operands(layer, inputs)
    first = layer.class_name in CONVOLUTIONAL and layer.config.peek("data_format") == "channels_first"
    wide = _spatial(layer, x, 1) if first else x
    run = Run.read(layer, wide)
    if run.stateful and not start:
        found = run.remembering(layer, wide, mask)
    else:
        _check_given(layer, run)
        found = run.over(layer, wide, [to_last(layer, s) for s in start] if first else start, mask)
    if first:
        found = [_unspatial(layer, n, int(run.sequences and not i)) for i, n in enumerate(found)]
    if run.sequences and (onward := passed(layer, x)) is not None:
        layer.masks.of[found[0]] = onward
    return found


def _check_given(layer: Layer, run: Run) -> None:
    """Refuse initial states of a stateful layer where the framework does not simply begin with them every time."""
    if run.stateful and layer.dialect is Dialect.TF_KERAS:
        what = "initial states of a stateful layer, which tf-keras reads only while its states are zero"
        raise layer.unsupported(what, STATEFUL_HINT)


for _name in (*DENSE, "RNN", *CONVOLUTIONAL):
    layer(_name, weights=recurrent_weights(_name), arguments=CALL, masking=Masking.OWN)(recurrent)


def _spatial(layer: Layer, x: Node, lead: int) -> Node:
    """Move the channels behind the spatial axes; ``lead`` axes (the steps) stay."""
    axes = (*range(lead), *range(lead + 1, len(x.shape)), lead)
    return layer.node(Transpose(axes), x)


def _unspatial(layer: Layer, x: Node, lead: int) -> Node:
    last = len(x.shape) - 1
    return layer.node(Transpose((*range(lead), last, *range(lead, last))), x)


# Both directions


def both_weights(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    """Give the arrays that a layer over both directions stores."""
    forward = class_of(config.get("layer"))
    backward = class_of(config.get("backward_layer")) if config.get("backward_layer") else forward
    found = []
    for side, (name, inner) in (("forward", forward), ("backward", backward)):
        found += stored_by(name, inner, f"{side}.", f"{side}_layer")
    return tuple(found)


def both_directions(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import two recurrent layers over one sequence, the second backwards, and what is made of both."""
    config = layer.config
    x, start, mask = operands(layer, inputs)
    mode = config.choice("merge_mode", "concat", "sum", "ave", "mul", None, default="concat")
    forward, backward = config.take("layer"), config.take("backward_layer", None)
    half = len(start) // 2
    one = _side(layer, forward, x, "forward.", False, backward is not None)
    two = _side(layer, backward or forward, x, "backward.", True, backward is not None)
    if one[1].stateful or two[1].stateful:
        raise layer.unsupported("a stateful layer in both directions", STATEFUL_HINT)
    if (one[1].sequences, one[1].states) != (two[1].sequences, two[1].states):
        raise layer.unsupported("two directions that give different results", "use the same return_sequences")
    a, *states_a = one[1].over(one[0], x, start[:half], mask)
    b, *states_b = two[1].over(two[0], x, start[half:], mask)
    b = turned(layer, b) if one[1].sequences else b
    merged = _merged(layer, a, b, mode)
    if one[1].sequences and (onward := passed(layer, x)) is not None:
        layer.masks.of.update(dict.fromkeys(merged, onward))
    return [*merged, *states_a, *states_b]


layer("Bidirectional", weights=both_weights, arguments=CALL, masking=Masking.OWN)(both_directions)


def _side(layer: Layer, value: Any, x: Node, prefix: str, turn: bool, given: bool) -> tuple[Layer, Run]:
    """Read one direction: without a backward layer the second is the first, turned. Masked steps give 0."""
    name, config = class_of(value)
    name = name.removeprefix("qkeras>")
    if name not in (*DENSE, "RNN", *READERS):
        raise layer.unsupported(f"Bidirectional of {name or value!r}", "use LSTM, GRU, SimpleRNN or RNN")
    where = f"{layer.place}: {prefix[:-1]} {name}"
    inner = replace(layer, class_name=name, config=Attributes(config, where=where))
    with inner.config:
        ignore_common(inner.config)
        check_dtype(inner.config)
        run = Run.read(inner, x, prefix)
    backwards = run.backwards if given or not turn else not run.backwards
    return inner, replace(run, backwards=backwards, zeros=run.sequences)


def _merged(layer: Layer, a: Node, b: Node, mode: Any) -> list[Node]:
    match mode:
        case "concat":
            return [layer.node(Concat(len(a.shape) - 1), a, b)]
        case "sum":
            return [layer.node(Add(), a, b)]
        case "ave":
            total = layer.node(Add(), a, b)
            return [layer.node(Mul(), total, layer.scalar(0.5, total))]
        case "mul":
            return [layer.node(Mul(), a, b)]
        case _:
            return [a, b]

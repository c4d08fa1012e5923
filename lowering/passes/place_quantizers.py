"""Give every tensor a fixed-point format: that of the model where it has quantizers, else one chosen and reported."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...graph import Affine, Fixed, Float, Graph, Grid, Inputs, Node, Quantized, RangeError, State, UnsupportedError
from ...graph.arrays import as_array
from ...graph.formats import FLOAT
from ...graph.ops import (
    Activation,
    Add,
    Broadcast,
    Concat,
    Constant,
    Div,
    Gather,
    GatherND,
    Input,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    Output,
    Pad,
    Power,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Scan,
    Select,
    Slice,
    Softmax,
    Step,
    Sub,
    Take,
    TakeAlong,
    TopK,
    Transpose,
    Upsample,
    pad_value,
)
from ...graph.state import converted
from ...graph.tensor import grids
from ..config import Config, Precision
from ..grids import aligned, beside, biased
from ..inside import closed
from ..ranges import Seen, observe
from ..rewrite import STATE, again, in_format, is_flat, note, plain_width, rebuild
from ..steps import exact_step
from ..weights import coarsened, quantized_constant

KEEPS = (
    Relu, MaxPool, Maximum, Minimum, Reshape, Transpose, Slice, Gather, Broadcast, Upsample, Pad, Concat, Output,
    Select, TopK, Take, TakeAlong, GatherND,
)  # fmt: skip
POINTWISE = (Add, Sub, Mul, Maximum, Minimum)
TABLES = (Activation, Softmax, Div, Power)


def place_quantizers(graph: Graph, config: Config, samples: Inputs | None = None) -> Graph:
    """Quantize inputs, weights, and the results that the model leaves in floating point.

    A result needs no quantizer of ours where everything that reads it ends in one of the model's, or where it only
    picks among values that have a format. Integer bits come from ``samples`` where there are any and the user named no
    format for the layer.

    %0 = input() : 16 float32                      %0 = input() : 16 fixed<16,6>
    %2 = dense(%0, %1) : 64 float32        ->      %2 = dense(%0, %1) : 64 fixed<28,13>
                                                   %3 = quantize[inserted=...](%2) : 64 fixed<16,6>
    """
    seen = observe(graph, samples) if samples is not None else {}
    return _Placer(graph, config, seen).run()


class _Placer:
    """``formats``: those that are given from outside, of a body's inputs and of what becomes its next states."""

    def __init__(
        self, graph: Graph, config: Config, seen: Mapping[Node, Seen], formats: Mapping[Node, Quantized] | None = None
    ) -> None:
        self.graph, self.config, self.seen = graph, config, seen
        self.formats: Mapping[Node, Quantized] = formats or {}
        self.notes: list[str] = []
        self._settled: dict[Node, bool] = {}

    def run(self) -> Graph:
        formats = dict(self.formats)
        for state in self.graph.states:
            self.settle_state(formats, state.entry, state.next.inputs[0])
            self.tell_rounded(state, formats[state.entry])
        self.formats = formats
        return note(rebuild(self.graph, self.place), *self.notes)

    def place(self, old: Node, inputs: tuple[Node, ...]) -> Node:
        match old.op:
            case Input() as op if old in self.formats:
                return Node(replace(op, format=self.formats[old]), (), old.where)
            case Scan() as op:
                return self.scan(old, op, inputs)
            case Input():
                return self.input(old)
            case Constant():
                return self.constant(old)
            case Quantize() as op if isinstance(old.inputs[0].op, Input) and inputs[0].type.format == op.format:
                return self.insert(old, inputs[0]) if self.splits(old) else inputs[0]
            case Step():
                return exact_step(old, inputs)
            case Pad() as op:
                return Node(replace(op, value=self.padding(old, op.value, inputs[0])), inputs, old.where)
        if old.type.is_integer and _same_formats(old, inputs) and not self.splits(old):
            return again(old, inputs)
        node = self.integer(old, inputs)
        if isinstance(old.op, TABLES) or _plain_scale(node):
            return node if self.settled(old) else self.insert(old, node)
        return node if self.passes(old) or self.stays(old, node) else self.insert(old, node)

    def splits(self, old: Node) -> bool:
        """Whether a function reads values whose scale differs by channel: a table needs one scale."""
        tables = any(isinstance(u.op, TABLES) for u in self.graph.users[old])
        return tables and old.type.is_integer and isinstance(old.type.quantized.scale, Grid)

    def stays(self, old: Node, node: Node) -> bool:
        """Whether a value whose scale is no power of two is passed on as it is: the model gave it that format, or it is
        exact there and either leaves the graph or has few bits and one scale.
        """
        users = self.graph.users[old]
        if not old.type.is_integer or self.splits(old) or any(isinstance(u.op, (Scan, Div, Power)) for u in users):
            return False
        few = is_flat(node.type.format) and plain_width(node.type.quantized) <= self.config.table_bits_of(old.where)
        return few or isinstance(old.op, Quantize) or all(isinstance(u.op, (Output, Quantize)) for u in users)

    def scan(self, old: Node, op: Scan, inputs: tuple[Node, ...]) -> Node:
        """Place quantizers in the body: its inputs have the formats of the operands, its states one of their own."""
        states = range(op.sequences, op.sequences + op.states)
        formats: dict[Node, Quantized] = {}
        for i, entry in enumerate(op.body.inputs):
            if i in states:
                self.settle_state(formats, entry, op.body.outputs[i - op.sequences].inputs[0])
            else:
                inputs = (*inputs[:i], self.flat(old.inputs[i], inputs[i], entry), *inputs[i + 1 :])
                formats[entry] = inputs[i].type.quantized
        inner = _Placer(op.body, self.config, self.seen, formats)
        body = closed(inner.run(), op)
        self.notes += [text for text in body.notes if text not in self.notes]
        operands = (in_format(x, entry, old.where) for x, entry in zip(inputs, body.inputs, strict=True))
        return Node(replace(op, body=body), tuple(operands), old.where)

    def flat(self, old: Node, operand: Node, entry: Node) -> Node:
        """Give a sequence one format for all steps."""
        ranks = [as_array(grid).ndim for grid in grids(operand.type.format)]
        return self.insert(old, operand) if max(ranks, default=0) > len(entry.shape) else operand

    def settle_state(self, formats: dict[Node, Quantized], entry: Node, producer: Node) -> None:
        """Choose the format of a state, which what computes its next value gets too."""
        formats[entry] = self.state_format(entry, producer)
        if not isinstance(producer.op, Input):
            formats.setdefault(producer, formats[entry])

    def tell_rounded(self, state: State, format: Quantized) -> None:
        """Note an initial value that a state's format does not hold."""
        kept = converted(converted(state.initial, state.entry.type.format, format), format, FLOAT)
        away = np.abs(kept.data - converted(state.initial, state.entry.type.format, FLOAT).data)
        if away.max(initial=0.0) > 0:
            self.notes.append(f"state {state.name!r} begins with values rounded to {format}, by {away.max():g} at most")

    def state_format(self, entry: Node, producer: Node) -> Quantized:
        """Take the format that the model gives a state, else choose one that holds it before and after every step."""
        if entry.type.is_integer:
            return entry.type.quantized
        if isinstance(producer.op, Quantize):
            return producer.op.format
        if producer.type.is_integer and is_flat(producer.type.format):
            return producer.type.quantized
        before, after = self.seen.get(entry), self.seen.get(producer)
        seen = before.join(after) if before is not None and after is not None else None
        named = self.config.precision_of(producer.where)[1]
        return self.chosen(producer if named else entry, seen)[0].format

    def input(self, old: Node) -> Node:
        op = old.op
        assert isinstance(op, Input)
        if not isinstance(op.format, Float):
            return old
        quantizers = {u.op for u in self.graph.users[old]}
        if len(quantizers) == 1 and isinstance(only := next(iter(quantizers)), Quantize):
            return Node(replace(op, format=only.format, rounding=only.rounding, overflow=only.overflow), (), old.where)
        precision, reason = self.precision(old)
        return Node(
            replace(
                op, format=precision.format, rounding=precision.rounding, overflow=precision.overflow, inserted=reason
            ),
            (),
            old.where,
        )

    def constant(self, old: Node) -> Node:
        if not isinstance(old.type.format, Float) or all(isinstance(u.op, Step) for u in self.graph.users[old]):
            return old
        layer = next((u.where for u in self.graph.users[old] if u.where), old.where)
        return quantized_constant(old, *self.config.weights_of(layer))

    def integer(self, old: Node, inputs: tuple[Node, ...]) -> Node:
        """Rebuild on integers; where the exact result would be too wide, quantize the operands first."""
        bits = self.config.precision_of(old.where)[0].width
        inputs = biased(old, inputs, bits)
        if isinstance(old.op, (Add, Sub, Maximum, Minimum)):
            inputs = beside(old, self.on_grid(old, inputs), bits)
        node = again(old, inputs)
        if node.type.is_integer or isinstance(node.op, TABLES) or not all(i.type.is_integer for i in inputs):
            return node
        if isinstance(old.op, (Add, Sub, Maximum, Minimum)):
            for together in (beside(old, inputs, bits, every=True), aligned(inputs, bits)):
                node = again(old, together)
                if node.type.is_integer:
                    return node
        narrowed = tuple(self.narrow(o, i) for o, i in zip(old.inputs, inputs, strict=True))
        node = Node(old.op, narrowed, old.where)
        if not node.type.is_integer:
            reason = getattr(node.type.format, "note", "")
            what = f"{type(node.op).__name__} has no exact integer form{': ' + reason if reason else ''}"
            raise UnsupportedError(what, where=node.where)
        return node

    def on_grid(self, old: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """Round constants that are far finer than what they are added to or compared with (an epsilon of 1e-12)."""
        finest = max((_fraction(i) for i in inputs if not isinstance(i.op, Constant)), default=0)
        limit = finest + self.config.precision_of(old.where)[0].width
        return tuple(coarsened(i, limit) for i in inputs)

    def padding(self, old: Node, value: float, x: Node) -> float:
        """Bring a padding value to the format of what it pads, as any constant is."""
        if value == 0 or not isinstance(x.type.format, Fixed) or pad_value(x.type, value) is not None:
            return value
        low, high = (int(np.max(end)) for end in x.type.format.bounds)
        unit = float(x.type.format.scale)
        units = min(max(value / unit, low), high)
        if units != value / unit:
            taken = f"{round(units) * unit:g}, the nearest value of {x.type.format}"
            self.notes.append(f"{old.where}: padding with {value:g} becomes {taken}")
        return round(units) * unit

    def narrow(self, old: Node, node: Node) -> Node:
        limit = self.config.precision_of(old.where)[0].width
        wide = plain_width(node.type.quantized) > limit or not _plain_scale(node)
        return self.insert(old, node) if wide and not isinstance(node.op, Constant) else node

    def insert(self, old: Node, node: Node) -> Node:
        precision, reason = self.precision(old)
        kept = old in self.formats or self.config.precision_of(old.where)[1]
        format = precision.format if kept else _without_sign(node, precision.format)
        return Node(Quantize(format, precision.rounding, precision.overflow, reason), (node,), old.where)

    def precision(self, old: Node) -> tuple[Precision, str]:
        """Choose the format of an inserted quantizer, and say why it is that."""
        if isinstance(given := self.formats.get(old), Fixed):
            return replace(self.config.precision, format=given), STATE
        return self.chosen(old, self.seen.get(old))

    def chosen(self, old: Node, seen: Seen | None) -> tuple[Precision, str]:
        """Choose a format from the configuration and from what was seen."""
        precision, named = self.config.precision_of(old.where)
        if named:
            return precision, "the configuration names it"
        if isinstance(old.op, Softmax):
            return replace(precision, format=Fixed(precision.width, 1, False)), "softmax lies in 0..1"
        if seen is None:
            return precision, "default precision"
        if not (np.isfinite(seen.low) and np.isfinite(seen.high)):
            raise RangeError(
                "the samples give NaN or infinity here", where=old.where,
                hint="leave those samples out, or keep the operand of the logarithm, root or quotient in its range",
            )  # fmt: skip
        integer = integer_bits(seen.low, seen.high, precision)
        return replace(precision, format=Fixed(precision.width, integer, True)), "integer bits from the samples"

    def settled(self, old: Node) -> bool:
        """Whether a result needs no quantizer of ours."""
        if old not in self._settled:
            self._settled[old] = self._decide(old)
        return self._settled[old]

    def _decide(self, old: Node) -> bool:
        if isinstance(old.op, (*KEEPS, Quantize, Step, Scan)) or old.type.is_integer:
            return True
        if isinstance(old.op, Reduce) and old.op.kind in (Reduction.MAX, Reduction.MIN):
            return True
        if isinstance(old.op, TABLES):
            return all(isinstance(u.op, Quantize) for u in self.graph.users[old])
        return self.passes(old)

    def passes(self, old: Node) -> bool:
        """Whether everything that reads a result ends in a quantizer."""
        users = self.graph.users[old]
        return bool(users) and all(self.ends(u) for u in users)

    def ends(self, user: Node) -> bool:
        """Whether a reader passes its operand on, exactly, until a quantizer: then the operand may stay wide."""
        if isinstance(user.op, (Quantize, Step)):
            return True
        chained = isinstance(user.op, POINTWISE) and any(isinstance(i.op, Constant) for i in user.inputs)
        if chained and not isinstance(user.op, (Maximum, Minimum)):
            return True  # it gets a quantizer itself, or its readers do
        if isinstance(user.op, KEEPS) and not isinstance(user.op, Output):
            return self.passes(user)
        return False


def _same_formats(old: Node, inputs: tuple[Node, ...]) -> bool:
    """Whether an operation that was one of integers reads what it read: it stays as the model has it."""
    if isinstance(old.op, Quantize) and isinstance(old.op.format, Affine):
        return True
    return all(i.type.format == o.type.format for i, o in zip(inputs, old.inputs, strict=True))


def _fraction(node: Node) -> int:
    return node.type.format.common_fraction if isinstance(node.type.format, Fixed) else 0


def _without_sign(node: Node, format: Fixed) -> Fixed:
    """Drop the sign bit where the value is proved never to be negative: the same numbers in one bit less."""
    assert isinstance(format.width, int)
    assert isinstance(format.integer, int)
    if not format.signed or format.width == 1 or not node.type.is_integer or int(node.type.interval[0].min()) < 0:
        return format
    return Fixed(format.width - 1, format.integer - 1, False)


def _plain_scale(node: Node) -> bool:
    """Whether the scale is one power of two, which costs an FPGA nothing."""
    return isinstance(node.type.format, Fixed)


def integer_bits(low: float, high: float, precision: Precision) -> int:
    """Fewest integer bits (sign included) of a signed format of ``precision.width`` bits that hold low to high."""
    largest = max(-low, high)
    largest = max(largest, 2.0**-400) if largest > 0 else 2.0**-30  # the format of nothing but zeros is free
    bits = int(np.floor(np.log2(largest))) + 2
    unit = 2.0 ** (bits - precision.width)
    return bits + (high > 2.0 ** (bits - 1) - unit)

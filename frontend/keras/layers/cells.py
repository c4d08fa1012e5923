"""One step of recurrent layers: simple, LSTM (plain and by convolution), GRU, and cells on top of each other.

A cell gives the shapes of its states and the nodes of a step. One of the states is its output.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....graph import NDArray, Node, ShapeError
from ....graph.ops import Add, Conv, Dense, Mul, Slice, Sub, window_shape
from ...attributes import Attributes
from ...padding import same_padding
from ..dtypes import check_dtype
from ..ignored import ignore_common, ignore_training
from ..registry import Dialect, Layer, Weight
from ..weights import snake_case
from .activations import apply_activation
from .common import channels_first, read_padding

Shape = tuple[int, ...]
States = list[Node]
Bend = Callable[[Node], Node]
"""An activation function."""
StepOf = Callable[[Node, States], tuple[Node, States]]
"""From one step of the sequence and the states: the output, the next states."""
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4, "CuDNNGRU": 3, "CuDNNLSTM": 4}
TRAINING = ("dropout", "recurrent_dropout", "seed")


@dataclass(frozen=True)
class Cell:
    """The shapes of the states that a cell keeps, its step, and which of the states is its output."""

    states: tuple[Shape, ...]
    step: StepOf
    output: int = 0


def kind_of(class_name: str) -> str:
    """Give the kind of a cell or layer: ``LSTMCell`` and ``LSTM`` compute the same."""
    return class_name.removesuffix("Cell")


def weights_of(class_name: str, config: Mapping[str, Any], prefix: str, group: str) -> list[Weight]:
    """Give the stored arrays of a cell (of cells on top of each other), in order."""
    if class_name == "StackedRNNCells":
        found, counts = [], dict[str, int]()
        for i, (inner, its) in enumerate(inner_cells(config)):
            base = snake_case(inner)
            number = counts[base] = counts.get(base, -1) + 1
            name = f"{base}_{number}" if number else base
            found += weights_of(inner, its, f"{prefix}{i}.", f"{group}/cells/{name}")
        return found
    biased = config.get("use_bias", True) or class_name.startswith("CuDNN")
    names = ("kernel", "recurrent_kernel", "bias") if biased else ("kernel", "recurrent_kernel")
    return [Weight(f"{prefix}{name}", group=group) for name in names]


def inner_cells(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Give class and configuration of cells that stand on top of each other."""
    cells = config.get("cells")
    return [class_of(cell) for cell in cells] if isinstance(cells, list) else []


def class_of(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Give class and configuration of a serialized layer or cell; a class of the author's own keeps its package."""
    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        return "", {}
    name, registered = str(value.get("class_name")), value.get("registered_name")
    own = registered and registered != name and ">" in str(registered)
    return (str(registered) if own else name), value["config"]


def cell_of(layer: Layer, value: Any, x: Shape, prefix: str = "") -> Cell:
    """Read a serialized cell; one of the author's own is refused."""
    name, config = class_of(value)
    if name not in ("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"):
        raise layer.unsupported(f"the cell {name or value!r}", "use LSTMCell, GRUCell or SimpleRNNCell")
    inner = replace(layer, class_name=name, config=Attributes(config, where=f"{layer.place}: {name}"))
    with inner.config:
        ignore_common(inner.config)
        check_dtype(inner.config)
        return _stacked(inner, x, prefix) if name == "StackedRNNCells" else dense_cell(inner, x, prefix)


def _stacked(layer: Layer, x: Shape, prefix: str) -> Cell:
    """Feed each cell what the one below gives."""
    layer.config.expect("reverse_state_order", False, hint="use the order of the cells")
    given = layer.config.take("cells")
    if not isinstance(given, list) or not given:
        raise layer.config.refusal("cells", given, "give a list of cells")
    cells: list[Cell] = []
    for i, value in enumerate(given):
        cells.append(cell_of(layer, value, cells[-1].states[cells[-1].output] if cells else x, f"{prefix}{i}."))

    def step(value: Node, states: States) -> tuple[Node, States]:
        rest, after = list(states), []
        for cell in cells:
            mine, rest = rest[: len(cell.states)], rest[len(cell.states) :]
            value, new = cell.step(value, mine)
            after += new
        return value, after

    states = [s for cell in cells for s in cell.states]
    return Cell(tuple(states), step, len(states) - len(cells[-1].states) + cells[-1].output)


def dense_cell(layer: Layer, x: Shape, prefix: str = "", make: "Callable[..., Gates] | None" = None) -> Cell:
    """Read a cell of matrix products: simple, LSTM or GRU; ``make`` makes the gates of another package."""
    config, kind = layer.config, kind_of(layer.class_name)
    units = config.integer("units", low=1)
    if len(x) != 1:
        raise ShapeError(f"{layer.class_name} reads vectors, step by step; it is given {x}", where=layer.place)
    ignore_training(config, *TRAINING)
    config.ignore("unit_forget_bias", why="where the bias started; the trained one is in the file")
    if kind.startswith("CuDNN"):
        return _cudnn(layer, kind.removeprefix("CuDNN"), x[0], units, prefix)
    gates = (make or Gates)(layer, kind, x[0], units, prefix, biased=config.boolean("use_bias", True))
    return gates.cell()


@dataclass(frozen=True)
class Gates:
    """The products of a cell of ``units`` units that reads ``width`` numbers, and what it does with them."""

    layer: Layer
    kind: str
    width: int
    units: int
    prefix: str
    biased: bool
    activations: tuple[Any, Any] | None = None
    """Those of a layer that cannot choose them."""

    def cell(self) -> Cell:
        """Read the activations and give the cell."""
        shape, (bent, gate) = (self.units,), self.functions()
        match self.kind:
            case "LSTM":
                return Cell((shape, shape), self._lstm(bent, gate))
            case "GRU":
                return Cell((shape,), self._gru(bent, gate, self.resets_after()))
            case _:
                return Cell((shape,), self._simple(bent))

    def functions(self) -> tuple[Bend, Bend]:
        """Read the functions of the results and of the gates."""
        config = self.layer.config
        activation, recurrent = self.activations or (
            config.take("activation", "tanh"),
            None if self.kind == "SimpleRNN" else config.take("recurrent_activation", self._default()),
        )

        def bent(x: Node) -> Node:
            return apply_activation(self.layer, x, activation)

        def gate(x: Node) -> Node:
            return apply_activation(self.layer, x, recurrent, "recurrent_activation")

        return bent, gate

    def resets_after(self) -> bool:
        """Read whether a GRU multiplies the state before it resets it."""
        return self.layer.config.boolean("reset_after", True) if self.activations is None else True

    def held(self, state: Node) -> Node:
        """Give a state as a step reads it."""
        return state

    def _default(self) -> str:
        return "hard_sigmoid" if self.layer.dialect is Dialect.TF_KERAS else "sigmoid"

    def weight(self, name: str, shape: Shape, move: Callable[[NDArray], NDArray] | None = None, to: str = "") -> Node:
        """Give a weight, or a rearranged part of it."""
        full = f"{self.prefix}{name}"
        if move is None:
            return self.layer.parameter(full, shape)
        return self.layer.arranged(full, shape, move, to)

    @property
    def wide(self) -> int:
        """How many columns the kernels have: ``units`` for each gate."""
        return self.units * GATES[self.kind]

    def inputs(self, x: Node, bias: list[Node]) -> Node:
        """Multiply what the cell reads."""
        return self.layer.node(Dense(), x, self.weight("kernel", (self.width, self.wide)), *bias)

    def recurrent(self, h: Node, bias: Sequence[Node] = (), columns: tuple[int, int] | None = None) -> Node:
        """Multiply the state, by all columns or by some."""
        shape = (self.units, self.wide)
        if columns is None:
            kernel = self.weight("recurrent_kernel", shape)
        else:
            first, last = columns
            kernel = self.weight("recurrent_kernel", shape, lambda w: w[:, first:last], f"{first}-{last}")
        return self.layer.node(Dense(), h, kernel, *bias)

    def sums(self, x: Node, h: Node) -> list[Node]:
        """Give the sums of both products and the bias, gate by gate."""
        bias = [self.weight("bias", (self.wide,))] if self.biased else []
        total = self.layer.node(Add(), self.inputs(x, bias), self.recurrent(h))
        return parts(self.layer, total, GATES[self.kind])

    def _lstm(self, bent: Bend, gate: Bend) -> StepOf:
        def step(x: Node, states: States) -> tuple[Node, States]:
            h, carry = (self.held(s) for s in states)
            return lstm_step(self.layer, self.sums(x, h), carry, bent, gate)

        return step

    def _simple(self, bent: Bend) -> StepOf:
        def step(x: Node, states: States) -> tuple[Node, States]:
            h = bent(self.sums(x, self.held(states[0]))[0])
            return h, [h]

        return step

    def _gru(self, bent: Bend, gate: Bend, after: bool) -> StepOf:
        shape, units = ((2, self.wide) if after else (self.wide,)), self.units
        layer = self.layer

        def row(i: int) -> list[Node]:
            return [self.weight("bias", shape, lambda b: b[i], f"row {i}")] if self.biased else []

        def step(x: Node, states: States) -> tuple[Node, States]:
            h = self.held(states[0])
            z, r, c = parts(layer, self.inputs(x, row(0) if after else self._flat(shape)), 3)
            if after:
                hz, hr, hc = parts(layer, self.recurrent(h, row(1)), 3)
            else:
                hz, hr = parts(layer, self.recurrent(h, (), (0, 2 * units)), 2)
            update, reset = gate(layer.node(Add(), z, hz)), gate(layer.node(Add(), r, hr))
            if after:
                inner = layer.node(Mul(), reset, hc)
            else:
                inner = self.recurrent(layer.node(Mul(), reset, h), (), (2 * units, 3 * units))
            candidate = bent(layer.node(Add(), c, inner))
            kept = layer.node(Mul(), update, h)
            taken = layer.node(Mul(), layer.node(Sub(), layer.scalar(1.0, update), update), candidate)
            new = layer.node(Add(), kept, taken)
            return new, [new]

        return step

    def _flat(self, shape: Shape) -> list[Node]:
        return [self.weight("bias", shape)] if self.biased else []


def parts(layer: Layer, x: Node, count: int) -> list[Node]:
    """Cut the last axis into equal parts."""
    if count == 1:
        return [x]
    lead, size = x.shape[:-1], x.shape[-1] // count
    zeros, ones = (0,) * len(lead), (1,) * len(x.shape)
    return [layer.node(Slice((*zeros, i * size), (*lead, (i + 1) * size), ones), x) for i in range(count)]


def lstm_step(layer: Layer, sums: list[Node], carry: Node, bent: Bend, gate: Bend) -> tuple[Node, States]:
    """Give output and states of an LSTM from its four sums: input, forget, candidate, output."""
    i, f, c, o = sums
    kept, taken = layer.node(Mul(), gate(f), carry), layer.node(Mul(), gate(i), bent(c))
    new = layer.node(Add(), kept, taken)
    h = layer.node(Mul(), gate(o), bent(new))
    return h, [h, new]


def _cudnn(layer: Layer, kind: str, width: int, units: int, prefix: str) -> Cell:
    """Read a cell in the layout of cuDNN: each gate's kernel in column order, two biases one after the other.

    Source: ``_convert_rnn_weights`` of tf-keras (saving/legacy/hdf5_format.py).
    """
    count = GATES[kind]
    halves = layer.array(f"{prefix}bias", (2 * count * units,)).reshape(2, count * units)
    kernels = layer.array(f"{prefix}kernel", (width, count * units))
    recurrent = layer.array(f"{prefix}recurrent_kernel", (units, count * units))
    stored = {
        f"{prefix}kernel": np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernels, count)]),
        f"{prefix}recurrent_kernel": np.hstack([k.T for k in np.hsplit(recurrent, count)]),
        f"{prefix}bias": halves if kind == "GRU" else halves.sum(axis=0),
    }
    plain = replace(layer, weights=stored)
    return Gates(plain, kind, width, units, prefix, biased=True, activations=("tanh", "sigmoid")).cell()


def convolutional_cell(layer: Layer, x: Shape, prefix: str = "") -> Cell:
    """Read an LSTM whose products are convolutions; ``x`` is one step, channels last."""
    config, rank = layer.config, len(x) - 1
    filters, kernel = config.integer("filters", low=1), config.integers("kernel_size", rank, low=1)
    strides, dilation = (config.integers(key, rank, 1, low=1) for key in ("strides", "dilation_rate"))
    if max(strides) > 1 and max(dilation) > 1:
        raise config.refusal("dilation_rate", list(dilation), "use either strides or dilation")
    channels_first(config)
    padding = read_padding(layer, x[:-1], kernel, strides, dilation, False)
    ignore_training(config, *TRAINING)
    config.ignore("unit_forget_bias", why="where the bias started; the trained one is in the file")
    activation = config.take("activation", "tanh")
    recurrent = config.take("recurrent_activation", "hard_sigmoid")
    biased, one = config.boolean("use_bias", True), (1,) * rank

    def operands(name: str, channels: int) -> list[Node]:
        return [layer.parameter(f"{prefix}{name}", (*kernel, channels, 4 * filters))]

    forward = Conv(strides, padding, dilation)
    weights = operands("kernel", x[-1])
    weights += [layer.parameter(f"{prefix}bias", (4 * filters,))] if biased else []
    space = window_shape(x[:-1], kernel, strides, padding, dilation)
    same = tuple(same_padding(n, k, 1) for n, k in zip(space, kernel, strict=True))

    def step(value: Node, states: States) -> tuple[Node, States]:
        product = layer.node(Conv(one, same, one), states[0], *operands("recurrent_kernel", filters))
        sums = parts(layer, layer.node(Add(), layer.node(forward, value, *weights), product), 4)
        return lstm_step(
            layer, sums, states[1], lambda n: apply_activation(layer, n, activation),
            lambda n: apply_activation(layer, n, recurrent, "recurrent_activation"),
        )  # fmt: skip

    state = (*space, filters)
    return Cell((state, state), step)

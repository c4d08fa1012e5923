"""Recurrent layers of HGQ2, each one scan over integers: the input's part of every step is computed before it.

Source: hgq/layers/rnn/simple_rnn.py and gru.py of HGQ2 0.2.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Array, Fixed, Graph, Node, Overflow, Rounding, ShapeError
from ...graph.formats import narrowest
from ...graph.ops import Add, Constant, Dense, Input, Mul, Output, Quantize, Scan, Slice, Sub
from ..attributes import Attributes
from ..keras.layers.activations import activate
from ..keras.layers.common import single
from ..keras.registry import Layer, Masking, Weight, layer
from .config import read_quantizer, variables
from .frame import TRAINING, Config, ebops, weight_rule
from .quantizer import Quantizer

QUANTIZERS = {"hgq>QSimpleRNN": ("iq", "sq", "kq", "rkq", "bq", "paq"),
              "hgq>QGRU": ("iq", "sq", "kq", "rkq", "bq", "paq", "praq", "rhq")}  # fmt: skip
Step = Callable[[Node, Node], Node]
"""One step: what the inputs give, the state -> the next state."""


def _stored(names: tuple[str, ...]) -> Callable[[Config], tuple[Weight, ...]]:
    def weights(config: Config) -> tuple[Weight, ...]:
        biased = bool(config.get("use_bias", True))
        own = ("kernel", "recurrent_kernel", *(("bias",) if biased else ()))
        kept = [n for n in names if (n != "iq" or config.get("enable_iq", True)) and (n != "bq" or biased)]
        return (
            *ebops(config),
            *(Weight(f"cell/{n}", group="cell") for n in own),
            *(w for n in kept for w in variables(config.get(f"{n}_conf"), f"cell/{n}")),
        )

    return weights


def _read(layer: Layer) -> dict[str, Quantizer | None]:
    """Read what is common, and the quantizers of the cell."""
    config = layer.config
    config.ignore_all(TRAINING)
    config.ignore("dropout", "recurrent_dropout", "seed", why="noise of training, absent at inference")
    config.ignore("unroll", "use_cudnn", why="a speed option with the same results")
    config.expect("enable_oq", False, hint="HGQ2's cells cannot have an output quantizer; add a Quantizer layer")
    config.ignore("oq_conf", why="without effect where enable_oq is false")
    config.expect("stateful", False, None, hint="build it with stateful=False")
    config.expect("zero_output_for_mask", False, None, hint="masks are not carried")
    enabled, biased = config.boolean("enable_iq", True), bool(config.peek("use_bias", True))
    found: dict[str, Quantizer | None] = {}
    for name in QUANTIZERS[layer.class_name]:
        conf = config.take(f"{name}_conf", None)
        used = (name != "iq" or enabled) and (name != "bq" or biased)
        found[name] = read_quantizer(layer, conf, f"cell/{name}") if used else None
    return found


def _weight(layer: Layer, name: str, quantizer: Quantizer | None, shape: tuple[int, ...]) -> Node:
    return weight_rule(quantizer)(layer, name, layer.array(f"cell/{name}", shape))


def _over_steps(layer: Layer, quantizer: Quantizer | None, x: Node) -> Node:
    """Quantize every step of a sequence by the quantizer of one."""
    if quantizer is None:
        return x
    k, i, f = (v[:, None] if v.ndim == 2 else v for v in (quantizer.k, quantizer.i, quantizer.f))
    return replace(quantizer, k=k, i=i, f=f).tensor(layer, x)


def _quantized(layer: Layer, quantizer: Quantizer | None, x: Node) -> Node:
    return quantizer.tensor(layer, x) if quantizer else x


def _columns(layer: Layer, x: Node, start: int, stop: int) -> Node:
    return layer.node(Slice((start,), (stop,), (1,)), x)


@layer("hgq>QSimpleRNN", weights=_stored(QUANTIZERS["hgq>QSimpleRNN"]), masking=Masking.REFUSE,
       arguments=("sequences", "initial_state"))  # fmt: skip
def simple_rnn(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import state' = activation(q(x @ kernel + bias + state @ recurrent))."""
    quantizers, x = _read(layer), single(layer, inputs)
    units = layer.config.integer("units", low=1)
    fed, recurrent = _fed(layer, quantizers, x, units, units)
    act = layer.config.take("activation", "linear")

    def step(part: Node, state: Node) -> Node:
        state = _quantized(layer, quantizers["sq"], state)
        total = layer.node(Add(), part, layer.node(Dense(), state, recurrent))
        return _activated(layer, _quantized(layer, quantizers["paq"], total), act)

    return _scan(layer, fed, units, step)


def _activated(layer: Layer, x: Node, value: Any) -> Node:
    return activate(replace(layer, config=Attributes({"activation": value}, where=layer.config.where)), x)


def _fed(
    layer: Layer, quantizers: Mapping[str, Quantizer | None], x: Node, units: int, width: int, rows: int = 0
) -> tuple[Node, Node]:
    """Give x @ kernel + bias for every step, and the recurrent kernel. ``rows``: the bias has that many."""
    if len(x.shape) != 2:
        raise ShapeError(f"a recurrent layer reads sequences, it is given {x.shape}", where=layer.place)
    x = _over_steps(layer, quantizers["iq"], x)
    kernel = _weight(layer, "kernel", quantizers["kq"], (x.shape[-1], width))
    recurrent = _weight(layer, "recurrent_kernel", quantizers["rkq"], (units, width))
    operands = [x, kernel]
    if layer.config.boolean("use_bias", True):
        bias = _weight(layer, "bias", quantizers["bq"], (rows, width) if rows else (width,))
        operands.append(_row(bias, 0) if rows else bias)
        if rows:
            layer.cache["recurrent bias"] = _row(bias, 1)
    return layer.node(Dense(), *operands), recurrent


def _row(node: Node, row: int) -> Node:
    assert isinstance(node.op, Constant)
    return Node(Constant(Array(node.op.value.data[row]), node.op.format), (), node.where)


@layer("hgq>QGRU", weights=_stored(QUANTIZERS["hgq>QGRU"]), masking=Masking.REFUSE,
       arguments=("sequences", "initial_state"))  # fmt: skip
def gru(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import a gated recurrent unit: gates z and r, a candidate, the state a mean of itself and the candidate."""
    quantizers, x, config = _read(layer), single(layer, inputs), layer.config
    units, after = config.integer("units", low=1), config.boolean("reset_after", True)
    biased = bool(config.peek("use_bias", True))
    fed, recurrent = _fed(layer, quantizers, x, units, 3 * units, 2 if after else 0)
    outer, inner = config.take("activation", "linear"), config.take("recurrent_activation", "linear")
    gates, candidate = _part(recurrent, 0, 2 * units), _part(recurrent, 2 * units, 3 * units)
    added = layer.cache.get("recurrent bias") if biased and after else None
    one = Node(Constant(Array(np.int64(1)), Fixed(1, 1, False)), (), f"{layer.name}/one")

    def product(x: Node, kernel: Node, start: int, stop: int) -> Node:
        bias = [] if added is None else [_part(added, start, stop)]
        return layer.node(Dense(), x, kernel, *bias)

    def step(part: Node, state: Node) -> Node:
        state = _quantized(layer, quantizers["sq"], state)
        sums = layer.node(Add(), _columns(layer, part, 0, 2 * units), product(state, gates, 0, 2 * units))
        both = _quantized(layer, quantizers["praq"], _activated(layer, sums, inner))
        z, r = _columns(layer, both, 0, units), _columns(layer, both, units, 2 * units)
        if after:
            held = _quantized(layer, quantizers["rhq"], product(state, candidate, 2 * units, 3 * units))
            held = layer.node(Mul(), r, held)
        else:
            held = _quantized(layer, quantizers["rhq"], layer.node(Mul(), r, state))
            held = layer.node(Dense(), held, candidate)
        total = layer.node(Add(), _columns(layer, part, 2 * units, 3 * units), held)
        new = _quantized(layer, quantizers["paq"], _activated(layer, total, outer))
        rest = layer.node(Mul(), layer.node(Sub(), one, z), new)
        return layer.node(Add(), layer.node(Mul(), z, state), rest)

    return _scan(layer, fed, units, step)


def _part(node: Node, start: int, stop: int) -> Node:
    assert isinstance(node.op, Constant)
    return Node(Constant(Array(node.op.value.data[..., start:stop]), node.op.format), (), node.where)


def _scan(layer: Layer, fed: Node, units: int, step: Step) -> list[Node]:
    """Run a step over all; the state has the narrowest format that holds whatever a step can give."""
    config = layer.config
    if layer.call.take("initial_state", None) is not None:
        raise layer.unsupported("a call with initial_state", "states begin at 0")
    probe = step(Node(Input("x", fed.shape[1:])), Node(Input("state", (units,))))
    if not (fed.type.is_integer and probe.type.is_integer):
        raise layer.unsupported("a recurrent layer whose state is not quantized", "quantize it; use linear or relu")
    low, high = (int(min(v.min(), 0) if n == 0 else max(v.max(), 0)) for n, v in enumerate(probe.type.interval))
    format = narrowest(probe.type.quantized.scale, low, high)
    part = Node(Input("x", fed.shape[1:], fed.type.format), (), layer.name)
    state = Node(Input("state", (units,), format), (), layer.name)
    after = layer.node(Quantize(format, Rounding.TRN, Overflow.SAT), step(part, state))
    ends = tuple(Node(Output(n), (after,), layer.name) for n in ("state", "out"))
    body = Graph((part, state), ends, layer.name)
    sequences, states = config.boolean("return_sequences", False), config.boolean("return_state", False)
    backwards = config.boolean("go_backwards", False)
    zero = Node(Constant(Array(np.zeros(units, np.int64)), format), (), f"{layer.name}/zero")
    emitted = layer.node(Scan(body, fed.shape[0], 1, 1, backwards, last=not sequences), fed, zero)
    results = [_turned(layer, emitted) if backwards and sequences else emitted]
    if states:
        last = emitted if not sequences else layer.node(
            Scan(body, fed.shape[0], 1, 1, backwards, last=True), fed, zero)  # fmt: skip
        results.append(last)
    return results


def _turned(layer: Layer, x: Node) -> Node:
    """Give the steps in the opposite order, as Keras does."""
    return layer.node(Slice((x.shape[0] - 1, 0), (None, x.shape[1]), (-1, 1)), x)

"""What is searched: io, strategy, reuse factors, bits of values and weights by layer; points as configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log2
from typing import Any

from ..backends.hls4ml.plan import make_plan
from ..backends.hls4ml.reuse import valid_factors
from ..boards import Board
from ..graph import GatewrightError, Graph, Inputs
from ..graph.ops import Constant
from ..lowering import lower, make_config, observe

LEAST_BITS, MOST_BITS = 3, 16
UNIFORM = (16, 12, 10, 8, 7, 6, 5, 4)
"""Widths at which whole networks are tried first."""
REUSE = (1, 2, 4, 8, 16, 32, 64, 128)
STRATEGIES = ("latency", "resource")

Point = Mapping[str, Any]


@dataclass(frozen=True)
class LayerSpace:
    """A layer of the source: integer bits that its values and its weights need (sign included); ``product``: rows and
    columns of its matrix, () for none. ``quantized``: the model brings its formats, which stay.
    """

    name: str
    value_integer: int
    weight_integer: int
    product: tuple[int, ...] = ()
    quantized: bool = False


@dataclass(frozen=True)
class Space:
    """The layers, and the io types that the design can have on the board. ``fixed``: what the user chose for all."""

    layers: tuple[LayerSpace, ...]
    ios: tuple[str, ...]
    boards: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Let Optuna choose a point."""
        point: dict[str, Any] = {"io": trial.suggest_categorical("io", list(self.ios))}
        if len(self.boards) > 1:
            point["board"] = trial.suggest_categorical("board", list(self.boards))
        point["strategy"] = trial.suggest_categorical("strategy", list(STRATEGIES))
        for layer in self.layers:
            if not layer.quantized:
                point[f"values:{layer.name}"] = trial.suggest_int(f"values:{layer.name}", LEAST_BITS, MOST_BITS)
                if layer.weight_integer > -MOST_BITS:
                    point[f"weights:{layer.name}"] = trial.suggest_int(f"weights:{layer.name}", LEAST_BITS, MOST_BITS)
            if layer.product:
                name = f"reuse:{layer.name}"
                point[name] = REUSE[trial.suggest_int(name, 0, len(REUSE) - 1)]
        return point

    def start(self) -> list[dict[str, Any]]:
        """Give the points that are tried first: uniform widths, unrolled and with reuse, in each io type."""
        found = []
        for io in self.ios:
            for strategy, reuse in (("latency", 0), ("resource", 3), ("resource", 5)):
                for bits in UNIFORM if any(not y.quantized for y in self.layers) else UNIFORM[:1]:
                    found.append(self._uniform(io, strategy, reuse, bits))
        order = sorted(range(len(found)), key=lambda i: (i % len(UNIFORM), i))
        return [found[i] for i in order]

    def _uniform(self, io: str, strategy: str, reuse: int, bits: int) -> dict[str, Any]:
        point: dict[str, Any] = {"io": io, "strategy": strategy}
        if len(self.boards) > 1:
            point["board"] = self.boards[0]
        for layer in self.layers:
            if not layer.quantized:
                point[f"values:{layer.name}"] = bits
                if layer.weight_integer > -MOST_BITS:
                    point[f"weights:{layer.name}"] = bits
            if layer.product:
                point[f"reuse:{layer.name}"] = reuse
        return point

    def config(self, point: Point) -> dict[str, Any]:
        """Give the configuration that ``compile`` takes for a point."""
        tables = []
        for layer in self.layers:
            entry: dict[str, Any] = {"name": layer.name}
            if f"values:{layer.name}" in point:
                entry["precision"] = f"fixed<{point[f'values:{layer.name}']},{layer.value_integer}>"
            if f"weights:{layer.name}" in point:
                entry["weights"] = f"fixed<{point[f'weights:{layer.name}']},{layer.weight_integer}>"
            if f"reuse:{layer.name}" in point and point["strategy"] == "resource":
                entry["reuse_factor"] = _valid(layer, int(point[f"reuse:{layer.name}"]))
            if len(entry) > 1:
                tables.append(entry)
        return {"io": point["io"], "strategy": point["strategy"], **self.fixed, "layer": tables}


def _valid(layer: LayerSpace, wanted: int) -> int:
    rows, columns = layer.product
    return min(valid_factors(rows, columns), key=lambda f: (abs(f - wanted), f))


def make_space(graph: Graph, boards: Sequence[Board], samples: Inputs, choices: Any) -> Space:
    """Look at a model: what each layer's values and weights need, which io types can be emitted.

    ``choices``: the options of the project as the user wrote them. Raises GatewrightError where no io type can be.
    """
    integer = lower(graph, board=boards[0], samples=samples)
    seen = observe(integer, samples)
    spans: dict[str, float] = {}
    for node, found in seen.items():
        if node.where:
            spans[node.where] = max(spans.get(node.where, 0.0), abs(found.low), abs(found.high))
    weights = _weights(integer)
    settings, products, ios = make_config(), _products(integer, boards[0], choices), []
    first: GatewrightError | None = None
    for io in ("parallel", "stream") if choices.io is None else (choices.io,):
        try:
            options = _with_io(choices, io).options(boards[0], settings)
            make_plan(integer, options)
            ios.append(io)
        except GatewrightError as error:
            first = first or error
    if not ios and first is not None:
        raise first
    names = [n for n in dict.fromkeys(node.where for node in integer.nodes) if n and n in products]
    free = _not_quantized(graph)
    layers = tuple(
        LayerSpace(
            name, _integer_bits(spans.get(name, 1.0)), _integer_bits(weights[name]) if name in weights else -MOST_BITS,
            products.get(name, ()), name not in free,
        )
        for name in names
    )  # fmt: skip
    fixed = {name: getattr(choices, name) for name in ("hls", "clock_ns") if getattr(choices, name) is not None}
    return Space(layers, tuple(ios), tuple(b.name for b in boards), fixed)


def _with_io(choices: Any, io: str) -> Any:
    from dataclasses import replace

    return replace(choices, io=io)


def _weights(graph: Graph) -> dict[str, float]:
    """The greatest weight of each layer of the lowered model, biases included: norms are folded into it."""
    found: dict[str, float] = {}
    for node in graph.nodes:
        for operand in node.inputs:
            if isinstance(operand.op, Constant) and node.where and node.type.real_range:
                low, high = operand.type.real_range or (0.0, 0.0)
                found[node.where] = max(found.get(node.where, 0.0), abs(low), abs(high))
    return found


def _not_quantized(graph: Graph) -> set[str]:
    """Layers whose weights are floating point still: of these the formats can be chosen."""
    return {
        node.where
        for node in graph.nodes
        if node.where and not node.type.is_integer
        and any(isinstance(i.op, Constant) and not i.type.is_integer for i in node.inputs)
    }  # fmt: skip


def _products(graph: Graph, board: Board, choices: Any) -> dict[str, tuple[int, ...]]:
    """Rows and columns of the matrices, by the source's layers."""
    try:
        plan = make_plan(graph, _with_io(choices, choices.io or "parallel").options(board, make_config()))
    except GatewrightError:
        plan = make_plan(graph, _with_io(choices, "stream").options(board, make_config()))
    found: dict[str, tuple[int, ...]] = {}
    for layer in plan.layers:
        node = layer.outputs[0].node
        if layer.product and node is not None and node.where:
            found[node.where] = layer.product
    return found


def _integer_bits(largest: float) -> int:
    """Bits before the point that hold numbers up to ``largest`` in magnitude, the sign included."""
    if largest <= 0:
        return 1
    whole = floor(log2(largest)) + 2
    return whole if largest < 2.0 ** (whole - 1) else ceil(log2(largest)) + 2


__all__ = ["LayerSpace", "Point", "Space", "make_space"]

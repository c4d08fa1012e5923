"""Overrides per layer, compared with the layers that there are: a pattern that matches none is a mistake, one without
effect is said.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np

from .graph import Float, GatewrightError, Graph, NDArray, Node, OptionError, trace, unknown
from .graph.formats import HALF
from .graph.ops import Cast, Constant, Conv, ConvTranspose, Dense, Input, Lookup, Quantize
from .lowering import Config

LONGEST_HINT = 300
REASONS = {
    "precision": "no quantizer is inserted there; the values are the model's own, or exact",
    "weights": "no weights there are left in floating point by the model",
    "table_bits": "no table is there",
    "strategy": "nothing is multiplied by weights there",
    "reuse_factor": "nothing is multiplied by weights there",
}


def unmatched(config: Config, source: Graph) -> list[GatewrightError]:
    """Give an error for each override whose pattern matches no layer of the model."""
    names = sorted({n.where for n in source.nodes if n.where and not isinstance(n.op, Constant)})
    missed = [r.pattern for r in config.rules if not any(fnmatchcase(name, r.pattern) for name in names)]
    return [_unmatched(pattern, names) for pattern in missed]


def _unmatched(pattern: str, names: list[str]) -> OptionError:
    hint = unknown("layer", pattern, names).hint
    hint = f"{hint[:LONGEST_HINT]} ..." if len(hint) > LONGEST_HINT else hint
    return OptionError(f"no layer matches {pattern!r}", where="configuration", hint=hint)


def without_effect(config: Config, source: Graph, integer: Graph) -> Iterator[str]:
    """Give a sentence for each key of an override that changes nothing, because the model itself decides it."""
    for rule in config.rules:
        for key in rule.values:
            graph = source if key == "weights" else integer
            if not any(fnmatchcase(n.where, rule.pattern) and _applies(n, key) for n in graph.nodes):
                yield f"configuration: {key} for {rule.pattern!r} has no effect: {REASONS[key]}"


def _applies(node: Node, key: str) -> bool:
    match key:
        case "precision":
            return isinstance(node.op, (Input, Quantize)) and bool(node.op.inserted)
        case "weights":
            return any(isinstance(i.op, Constant) and isinstance(i.op.format, Float) for i in node.inputs)
        case "table_bits":
            return isinstance(node.op, Lookup)
    return isinstance(node.op, (Dense, Conv, ConvTranspose))


LOOKED_AT = 4
"""Vectors on which numbers beyond float16 are looked for."""


def beyond_float16(graph: Graph, vectors: Sequence[NDArray]) -> list[str]:
    """Name the layers whose results become infinite in float16; ``vectors`` are in the graph's own layout."""
    short = [n for n in graph.nodes if isinstance(n.op, Cast) and n.op.format == HALF]
    if not short or graph.states:
        return []
    axes = [op.axes if op.axes is not None else tuple(range(len(op.shape))) for op in graph.input_ops]
    given = [
        v[:LOOKED_AT].transpose(0, *(int(i) + 1 for i in np.argsort(a))) for v, a in zip(vectors, axes, strict=True)
    ]
    with np.errstate(all="ignore"):
        values = trace(graph, given if len(given) > 1 else given[0], integers=True)
    hint = "bf16 has the range of float32"
    return [
        f"{n.where}: numbers up to {float(np.abs(values[n.inputs[0]]).max()):.3g} become infinite in float16; {hint}"
        for n in short
        if np.isinf(values[n]).any() and np.isfinite(values[n.inputs[0]]).all()
    ]

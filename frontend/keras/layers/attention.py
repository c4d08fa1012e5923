"""Attention: MultiHeadAttention, GroupQueryAttention, Attention, AdditiveAttention.

Masked scores become -1e9, so that their exponential is 0; where all of a row is masked, its weights are equal, as the
frameworks have it.
"""

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from ....graph import Node, ShapeError
from ....graph.ops import Activation, Add, Constant, Gather, MatMul, Mul, Reduce, Reduction, Softmax, Sub, Transpose
from ...einsum import Equation, product
from ..ignored import ignore_training
from ..masks import bits, both, constant_mask, differs, kept, mask_of, masks_of, one
from ..registry import Dialect, Layer, Masking, Weight, layer
from .common import reshape
from .projection import project

FAR = 1e9
"""What is taken from the scores of masked positions."""
CALL = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask", "return_attention_scores")


def hidden(layer: Layer, scores: Node, mask: Node) -> Node:
    """Give the scores with -1e9 where a mask is 0; masks broadcast from the right."""
    away = layer.node(Mul(), layer.node(Sub(), mask, one(layer)), layer.scalar(FAR, scores))
    return layer.node(Add(), layer.node(Mul(), scores, mask), away)


def erased(layer: Layer, weights: Node, mask: Node) -> Node:
    """Give 0 where a mask is 0: Keras 3 does so in its softmax, which matters where all of a row is masked."""
    known = isinstance(mask.op, Constant) and bool(mask.op.value.data.max(axis=-1).all())
    return weights if known or layer.dialect is Dialect.TF_KERAS else layer.node(Mul(), weights, mask)


def _scored(layer: Layer) -> bool:
    """Whether Keras 3 normalizes by its layer Softmax, and not by its fused attention."""
    asked = layer.call.peek("return_attention_scores", False) or layer.config.peek("dropout", 0.0)
    return bool(asked or len(layer.reads[0].shape) != 2)


def _projections(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    names = ["query", "key", *(["gate"] if config.get("use_gate") else []), "value", "output"]
    kinds = ("kernel", "bias") if config.get("use_bias", True) else ("kernel",)
    return tuple(Weight(f"{name}.{kind}", group=f"{name}_dense") for name in names for kind in kinds)


@layer("MultiHeadAttention", weights=_projections, arguments=CALL, masking=Masking.OWN)
def multi_head_attention(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention with several heads, over any axes."""
    config, (q, v, k) = layer.config, _operands(layer, inputs)
    heads, size = config.integer("num_heads", low=1), config.integer("key_dim", low=1)
    value_size = config.integer("value_dim", low=1) if config.peek("value_dim") is not None else size
    config.take("value_dim", None)
    for key in ("query_shape", "key_shape", "value_shape"):
        config.ignore(key, why="shapes are computed from the inputs")
    config.ignore("softmax_robust_masking", why="masked scores have the weight 0 with and without")
    axes = _attention_axes(layer, len(q.shape) + 1)
    out = config.take("output_shape", None)
    onto = [q.shape[-1]] if not out else [out] if isinstance(out, int) else list(out)
    biased, gated = config.boolean("use_bias", True), config.boolean("use_gate", False)
    mask = _attention_mask(layer, q, v, k, axes)
    gate = _gate(layer, q, (heads, value_size), biased) if gated else None
    qs, ks = (project(layer, t, n, (heads, size), biased=biased) for t, n in ((q, "query"), (k, "key")))
    vs = project(layer, v, "value", (heads, value_size), biased=biased)
    y, weights = _attend(layer, _Heads(qs, ks, vs, axes), 1 / sqrt(size), mask)
    y = y if gate is None else layer.node(Mul(), y, gate)
    return _finished(layer, q, project(layer, y, "output", onto, over=2, biased=biased), weights)


@layer("GroupQueryAttention", "GroupedQueryAttention", weights=_projections, arguments=CALL, masking=Masking.OWN)
def group_query_attention(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention in which several heads of queries share keys and values."""
    config, (q, v, k) = layer.config, _operands(layer, inputs)
    size, heads = config.integer("head_dim", low=1), config.integer("num_query_heads", low=1)
    shared = config.integer("num_key_value_heads", low=1)
    if heads % shared or len(q.shape) != 2:
        raise ShapeError(f"{heads} heads of {q.shape} do not share {shared}", where=layer.place)
    biased, gated = config.boolean("use_bias", True), config.boolean("use_gate", False)
    mask = _attention_mask(layer, q, v, k, (0,))
    gate = _gate(layer, q, (heads, size), biased) if gated else None
    qs = project(layer, q, "query", (heads, size), biased=biased)
    picks = tuple(i // (heads // shared) for i in range(heads))
    few = (project(layer, t, n, (shared, size), biased=biased) for t, n in ((k, "key"), (v, "value")))
    ks, vs = (layer.node(Gather(1, picks), t) if shared != heads else t for t in few)
    y, weights = _attend(layer, _Heads(qs, ks, vs, (0,)), 1 / sqrt(size), mask)
    y = y if gate is None else layer.node(Mul(), y, gate)
    return _finished(layer, q, project(layer, y, "output", (q.shape[-1],), over=2, biased=biased), weights)


def _gate(layer: Layer, q: Node, onto: tuple[int, int], biased: bool) -> Node:
    return layer.node(Activation("sigmoid"), project(layer, q, "gate", onto, biased=biased))


def _operands(layer: Layer, inputs: list[Node]) -> tuple[Node, Node, Node]:
    """Give query, value and key."""
    ignore_training(layer.config, "dropout", "seed")
    value = layer.call.take("value", None)
    key = layer.call.take("key", None)
    key = value if key is None else key
    if len(inputs) != 1 or not isinstance(value, Node) or not isinstance(key, Node):
        raise ShapeError("attention reads a query and a value, and a key or none", where=layer.place)
    ranks = {len(t.shape) for t in (inputs[0], value, key)}
    if len(ranks) != 1 or min(ranks) < 2 or value.shape[:-1] != key.shape[:-1]:
        what = f"query {inputs[0].shape}, value {value.shape} and key {key.shape} do not go together"
        raise ShapeError(what, where=layer.place)
    return inputs[0], value, key


def _attention_axes(layer: Layer, rank: int) -> tuple[int, ...]:
    """Read over which axes to attend, as ours; the batch is none of them, nor are the features."""
    value = layer.config.take("attention_axes", None)
    items = list(range(1, rank - 1)) if value is None else value if isinstance(value, list) else [value]
    axes = [rank + a if a < 0 and layer.dialect is Dialect.KERAS3 else a for a in items]
    if not axes or not all(1 <= a < rank - 1 for a in axes) or sorted(set(axes)) != axes:
        raise layer.config.refusal("attention_axes", value, f"give axes of 1 to {rank - 2}, ascending")
    return tuple(a - 1 for a in axes)


class _Heads:
    """Queries, keys and values [..., head, feature], and the axes over which they attend."""

    def __init__(self, query: Node, key: Node, value: Node, axes: tuple[int, ...]) -> None:
        self.query, self.key, self.value = query, key, value
        free = len(query.shape) - 2
        targets = "abcdefgh"[:free]
        sources = "".join(c.upper() if i in axes else c for i, c in enumerate(targets))
        lead = "".join(c for i, c in enumerate(targets) if i not in axes) + "n"
        self.to, self.over = ("".join(t[i] for i in axes) for t in (targets, sources))
        self.scores = Equation(f"{targets}nx", f"{sources}nx", lead + self.to + self.over)
        self.mixed = Equation(self.scores.out, f"{sources}nx", f"{targets}nx")


def _attend(layer: Layer, heads: _Heads, scale: float, mask: Node | None) -> tuple[Node, Node]:
    """Give what attention makes of the values, and its weights."""
    query = layer.node(Mul(), heads.query, layer.scalar(float(np.float32(scale)), heads.query))
    scores = product(heads.scores, query, heads.key, layer.name)
    if mask is not None:
        least = 2 * len(heads.over) + 1
        missing = len(scores.shape) - len(mask.shape)
        if missing and len(mask.shape) >= least - 1:
            at = len(mask.shape) - least + 1
            mask = reshape(layer, mask, (*mask.shape[:at], *(1,) * missing, *mask.shape[at:]))
        scores = hidden(layer, scores, mask)
    count = len(scores.shape) - len(heads.over)
    lead, last = scores.shape[:count], scores.shape[count:]
    flat = reshape(layer, scores, (*lead, prod(last)))
    weights = reshape(layer, layer.node(Softmax(len(lead)), flat), scores.shape)
    if mask is not None and _scored(layer):
        weights = erased(layer, weights, mask)
    return product(heads.mixed, weights, heads.value, layer.name), weights


def _attention_mask(layer: Layer, q: Node, v: Node, k: Node, axes: tuple[int, ...]) -> Node | None:
    """Give the mask over [query, key]: what the call names, what goes with the tensors, causality, the window."""
    window = layer.config.take("sliding_window", None)
    masks = _masks_beside(layer, q, v, k)
    rows, columns = q.shape[0], v.shape[0]
    if layer.call.boolean("use_causal_mask", False):
        masks.append(constant_mask(layer, np.tril(np.ones((rows, columns)))))
    if window is not None:
        apart = np.abs(np.arange(rows)[:, None] - np.arange(columns))
        masks.append(constant_mask(layer, apart < layer.config.integer("sliding_window", low=1)))
    if (masks and axes != (0,)) or (masks and len(q.shape) != 2):
        raise layer.unsupported("a mask over other axes than the first", "give attention_mask= for all of them")
    given = layer.call.take("attention_mask", None)
    if given is not None:
        masks.append(_truth(layer, given, strict=bool(masks)))
    return both(layer, masks) if masks else None


def _masks_beside(layer: Layer, q: Node, v: Node, k: Node) -> list[Node]:
    """Give the masks of query [T, 1], value and key [1, S], and take them away, as Keras 3 does."""
    for key in ("query_mask", "value_mask", "key_mask"):
        if layer.call.take(key, None) is not None:
            raise layer.unsupported(f"{key} as an argument", "give attention_mask=")
    found = []
    sources = {id(t): t for t in ((q, v, k) if k is not v else (q, v))}
    given = {id(t): mask_of(layer, t) for t in sources.values()}
    for tensor, column in ((q, True), (v, False), *(((k, False),) if k is not v else ())):
        mask = given[id(tensor)]
        if mask is not None:
            found.append(reshape(layer, mask, (*mask.shape, 1) if column else (1, *mask.shape)))
    return found


def _truth(layer: Layer, mask: Any, *, strict: bool) -> Node:
    """Give an attention mask as 0 and 1: of numbers, what is not 0, or, in the softmax alone, what is above 0.5."""
    if not isinstance(mask, Node):
        raise layer.call.refusal("attention_mask", mask, "give a tensor of the model")
    if layer.masks.types.get(mask) == "bool":
        return mask
    if strict or not _scored(layer) or (layer.dialect is Dialect.TF_KERAS and layer.masks.types.get(mask) == "int"):
        return differs(layer, mask, 0.0)
    if layer.dialect is Dialect.TF_KERAS:
        raise layer.unsupported("an attention mask of real numbers", "give truth values")
    return bits(layer, mask, [float(np.nextafter(np.float32(0.5), np.float32(1)))], [0, 1])


def _finished(layer: Layer, q: Node, y: Node, weights: Node) -> list[Node]:
    """Give the results, with the mask of the query."""
    mask = layer.masks.of.get(q)
    if mask is not None:
        layer.masks.of[y] = mask
    if layer.dialect is Dialect.KERAS3 and layer.class_name == "MultiHeadAttention":
        for tensor in layer.reads:
            if tensor in layer.masks.of:
                layer.masks.lost[tensor] = y
                del layer.masks.of[tensor]
    scores = layer.call.boolean("return_attention_scores", False)
    return [y, weights] if scores else [y]


# Without projections


@layer(
    "Attention", masking=Masking.OWN, arguments=("inputs", "mask"),
    weights=(Weight("scale", when=lambda c: bool(c.get("use_scale", False))),
             Weight("concat_score_weight", when=lambda c: c.get("score_mode") == "concat")),
)  # fmt: skip
def attention(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention by products of queries and keys, or by sums of hyperbolic tangents."""
    q, v, k = _three(layer, inputs)
    mode = layer.config.choice("score_mode", "dot", "concat", default="dot")
    scale = layer.parameter("scale", ()) if layer.config.boolean("use_scale", False) else None
    if mode == "dot":
        scores = layer.node(MatMul(), q, layer.node(Transpose((1, 0)), k))
        scores = scores if scale is None else layer.node(Mul(), scores, scale)
    else:
        pairs = _pairs(layer, q, k)
        pairs = pairs if scale is None else layer.node(Mul(), pairs, scale)
        total = layer.node(Reduce(Reduction.SUM, (2,)), layer.node(Activation("tanh"), pairs))
        scores = layer.node(Mul(), total, layer.parameter("concat_score_weight", ()))
    return _applied(layer, inputs, scores, v)


@layer(
    "AdditiveAttention", masking=Masking.OWN, arguments=("inputs", "mask"),
    weights=(Weight("scale", when="use_scale"),),
)  # fmt: skip
def additive_attention(layer: Layer, inputs: list[Node]) -> list[Node]:
    """Import attention by scaled sums of hyperbolic tangents."""
    q, v, k = _three(layer, inputs)
    bent = layer.node(Activation("tanh"), _pairs(layer, q, k))
    if layer.config.boolean("use_scale", True):
        bent = layer.node(Mul(), bent, layer.parameter("scale", (q.shape[-1],)))
    return _applied(layer, inputs, layer.node(Reduce(Reduction.SUM, (2,)), bent), v)


def _three(layer: Layer, inputs: Sequence[Node]) -> tuple[Node, Node, Node]:
    ignore_training(layer.config, "dropout", "seed")
    if len(inputs) not in (2, 3) or any(len(t.shape) != 2 for t in inputs):
        what = f"attention reads two or three sequences of vectors, it is given {[t.shape for t in inputs]}"
        raise ShapeError(what, where=layer.place)
    return inputs[0], inputs[1], inputs[-1]


def _pairs(layer: Layer, q: Node, k: Node) -> Node:
    """Give the sum of each query and each key, [query, key, feature]."""
    rows, columns = (q.shape[0], 1, q.shape[1]), (1, *k.shape)
    return layer.node(Add(), reshape(layer, q, rows), reshape(layer, k, columns))


def _applied(layer: Layer, inputs: list[Node], scores: Node, v: Node) -> list[Node]:
    """Mask, normalize, multiply, and put 0 where a query does not count."""
    masks = masks_of(layer, inputs)
    query, value = [*masks, None][:2]
    rules = [] if value is None else [reshape(layer, value, (1, *value.shape))]
    if layer.call.boolean("use_causal_mask", False) or layer.config.boolean("causal", False):
        rules.append(constant_mask(layer, np.tril(np.ones(scores.shape))))
    shown = hidden(layer, scores, both(layer, rules)) if rules else scores
    weights = layer.node(Softmax(1), shown)
    y = layer.node(MatMul(), weights, v)
    if query is not None:
        y = kept(layer, query, y)
        layer.masks.of[y] = query
    return [y, weights] if layer.call.boolean("return_attention_scores", False) else [y]

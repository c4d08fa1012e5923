"""Scaled dot product attention."""

from math import sqrt

import numpy as np

from ....graph.ops import Add, MatMul, Softmax, Transpose, Upsample
from ..broadcast import operands
from ..registry import Call, Results, operator
from ..values import Absent, Flow, Known
from .activations import scaled
from .linear import product_of

LOWEST = -1e9
"""Stands for minus infinity in a mask: exp of it is 0 in float32, whatever is added."""


@operator("scaled_dot_product_attention")
def attention(call: Call) -> Results:
    """``softmax(q @ k.T * scale + mask) @ v`` (torch.nn.functional.scaled_dot_product_attention)."""
    if call.number("dropout_p", 0.0):
        raise call.refuse("dropout_p is not 0", "export the model for inference: model.eval()")
    return attended(call, call.optional("attn_mask"))


@operator("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
def flash(call: Call) -> Results:
    """What attention decomposes to for a CPU; the logarithms that training keeps are not computed."""
    if call.number("dropout_p", 0.0):
        raise call.refuse("dropout_p is not 0", "export the model for inference: model.eval()")
    call.arguments.expect("dropout_mask", None)
    return [attended(call, call.optional("attn_mask")), Absent("what training keeps of attention")]


def attended(call: Call, mask: Flow | Known | None) -> Flow:
    """Attend; batch and heads are the axes before the last two."""
    q, k, v = (call.flow(key) for key in ("query", "key", "value"))
    causal, scale = call.arguments.boolean("is_causal", False), call.arguments.take("scale", None)
    if call.arguments.boolean("enable_gqa", False):
        k, v = (_repeated(call, x, q) for x in (k, v))
    for x in (q, k, v):
        if x.rank < 3 or (x.from_right in (1, 2) and not call.free(x)) or x.rank != q.rank:
            raise call.refuse(f"attention over {call.shape(x)}", "give [batch, heads, length, features]")
    length, width = q.node.shape[-2:]
    factor = 1.0 / sqrt(width) if scale is None else float(scale)
    order = (*range(len(k.node.shape) - 2), len(k.node.shape) - 1, len(k.node.shape) - 2)
    logits = product_of(call, q, k.on(call.node(Transpose(order), k.node)))
    logits = logits.on(scaled(call, logits.node, factor))
    if causal:
        if mask is not None:
            raise call.refuse("a mask and is_causal", "put both into the mask")
        mask = Known((np.tril(np.ones((length, k.node.shape[-2]), bool)),), "bool")
    if mask is not None:
        logits = _masked(call, logits, mask)
    weights = logits.on(call.node(Softmax(len(logits.node.shape) - 1), logits.node))
    return product_of(call, weights, v)


def _masked(call: Call, logits: Flow, mask: Flow | Known) -> Flow:
    """Add a mask of numbers, or keep where a mask of truth values is true."""
    if isinstance(mask, Flow):
        if mask.dtype == "bool":
            raise call.refuse("a mask of truth values is computed at run time", "give a mask of numbers to add")
        mask = call.as_flow(mask, "attn_mask")
    else:
        mask = Known.of([additive(call, m) for m in mask.variants])
    nodes, place = operands(call, logits, mask)
    return Flow(call.node(Add(), *nodes), place)


def additive(
    call: Call, mask: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Give a mask as finite numbers to add. Raises UnsupportedError where a row keeps nothing."""
    if mask.dtype.kind == "b":
        mask = np.where(mask, np.float32(0.0), np.float32(LOWEST))
    mask = call.real(mask)
    if np.isnan(mask).any() or (mask == np.inf).any():
        raise call.refuse("a mask holds NaN or infinity", "use 0 and minus infinity")
    mask = np.maximum(mask, np.float32(LOWEST))
    if mask.ndim and bool((mask <= LOWEST).all(axis=-1).any()):
        raise call.refuse("a mask leaves nothing to attend to", "keep at least one position in each row")
    return mask


def _repeated(call: Call, x: Flow, q: Flow) -> Flow:
    """Repeat heads of keys and values so that there are as many as of queries."""
    if x.rank < 3 or q.rank != x.rank:
        raise call.misfit("grouped heads need [batch, heads, length, features]")
    have, want = x.node.shape[-3], q.node.shape[-3]
    call.axis(x, -3)
    if want % have:
        raise call.misfit(f"{want} heads of queries for {have} of keys")
    factors = tuple(want // have if i == len(x.node.shape) - 3 else 1 for i in range(len(x.node.shape)))
    return x if want == have else x.on(call.node(Upsample(factors), x.node))


__all__ = ["MatMul", "additive", "attended"]

"""Operators that only change the shape."""

from math import prod

import numpy as np

from ....graph import NDArray, Node
from ..arithmetic import recast
from ..registry import CONSTANT, Call, Flow, operator


def copied(call: Call, x: Node, k: int = 0) -> Node:
    """Give ``x`` with the meaning that the file gives to output ``k``: the kernels copy the stored numbers."""
    info = call.results[k]
    if info.type != call.info(0).type:
        raise call.misfit(f"it copies {call.info(0).type} to {info.type}")
    format = info.format
    return recast(call, x, format) if x.type.is_integer else x  # type: ignore[arg-type]


@operator("RESHAPE", versions=1)
def reshape(call: Call) -> Node:
    """The shape comes from input 1, else from the options; one -1 stands for the rest."""
    said = call.attributes.take("new_shape", None)
    info = call.info(0)
    if call.has(1):
        shape = _shape_input(call)
    elif said is not None:
        shape = tuple(said)
    else:
        raise call.misfit("nothing says the new shape")
    shape = _completed(call, shape, info.shape)
    if call.batch != 1 and (not shape or shape[0] != call.batch):
        raise call.refuse(f"{info.shape} to {shape} mixes the batch of {call.batch}", "use a batch of 1")
    return copied(call, call.reshaped(call.operand(0), call.inside(shape)))


def _shape_input(call: Call) -> tuple[int, ...]:
    if isinstance(call.value(1), Flow):
        raise call.refuse("its shape is computed at run time", "convert the model with a fixed input shape")
    return call.integers(1)


def _completed(call: Call, shape: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    if shape.count(-1) > 1 or any(n < -1 for n in shape):
        raise call.misfit(f"a shape of {shape}")
    rest = prod(n for n in shape if n != -1)
    if -1 in shape:
        if not rest or prod(old) % rest:
            raise call.misfit(f"{old} does not reshape to {shape}")
        shape = tuple(prod(old) // rest if n == -1 else n for n in shape)
    if prod(shape) != prod(old):
        raise call.misfit(f"{old} does not reshape to {shape}")
    return shape


@operator("SHAPE", versions=1)
def shape_of(call: Call) -> NDArray:
    """The lengths of the axes, which are known."""
    call.attributes.choice("out_type", 2, 4)
    return np.array(call.info(0).shape, np.int64)


def known_product(call: Call) -> NDArray:
    """REDUCE_PROD of known lengths."""
    keep = call.attributes.boolean("keep_dims", False)
    axes = tuple(call.axis(a, call.array(0).ndim) for a in call.integers(1))
    return np.asarray(np.prod(call.array(0).astype(np.int64), axis=axes, keepdims=keep))


CONSTANT["REDUCE_PROD"] = known_product

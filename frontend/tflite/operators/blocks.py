"""Blocks of pictures that become channels, or entries of the batch, and back. Kernels: ``space_to_depth.cc``,
``depth_to_space.cc``, ``space_to_batch_nd.cc``, ``batch_to_space_nd.cc``.
"""

import numpy as np

from ....graph import Node
from ....graph.ops import Pad, Slice, Transpose
from ..registry import Call, operator
from .moves import Axes, copied


@operator("SPACE_TO_DEPTH", versions=2)
def space_to_depth(call: Call) -> Node:
    """Blocks of a picture become channels."""
    block, (h, w, c) = _block(call)
    if h % block or w % block:
        raise call.misfit(f"blocks of {block} of {h} by {w}")
    x = call.reshaped(call.flow(0), (h // block, block, w // block, block, c))
    return copied(call, call.node(Transpose((0, 2, 1, 3, 4)), x), 0)


@operator("DEPTH_TO_SPACE", versions=2)
def depth_to_space(call: Call) -> Node:
    """Channels become blocks of a picture."""
    block, (h, w, c) = _block(call)
    if c % block**2:
        raise call.misfit(f"blocks of {block} of {c} channels")
    x = call.reshaped(call.flow(0), (h, w, block, block, c // block**2))
    return copied(call, call.node(Transpose((0, 2, 1, 3, 4)), x), 0)


def _block(call: Call) -> tuple[int, Axes]:
    shape = call.info(0).shape
    if len(shape) != 4:
        raise call.misfit(f"blocks of shape {shape}", "a picture has 4 axes")
    return call.attributes.integer("block_size", low=1), shape[1:]


@operator("SPACE_TO_BATCH_ND", versions=4)
def space_to_batch(call: Call) -> Node:
    """Blocks of space become entries of the batch, which has to be 1 before."""
    x, blocks, pads = call.whole(0), call.integers(1), call.array(2).tolist()
    space, rank = call.info(0).shape[1:-1], len(blocks)
    if len(space) < rank or len(pads) != rank or len(call.info(0).shape) not in (3, 4):
        raise call.misfit(f"blocks {blocks} and padding {pads} for shape {call.info(0).shape}")
    padding = ((0, 0), *((int(a), int(b)) for a, b in pads), *((0, 0),) * (len(x.shape) - 1 - rank))
    if any(a or b for a, b in padding):
        x = call.node(Pad(padding), x)
    lengths = x.shape[1 : 1 + rank]
    if any(n % b for n, b in zip(lengths, blocks, strict=True)):
        raise call.misfit(f"blocks {blocks} of {lengths}")
    pairs = [v for n, b in zip(lengths, blocks, strict=True) for v in (n // b, b)]
    x = call.reshaped(x, (*pairs, *x.shape[1 + rank :]))
    order = (*range(1, 2 * rank, 2), *range(0, 2 * rank, 2), *range(2 * rank, len(x.shape)))
    moved = call.node(Transpose(order), x)
    return copied(call, call.reshaped(moved, (int(np.prod(blocks)), *moved.shape[rank:])), 0)


@operator("BATCH_TO_SPACE_ND", versions=4)
def batch_to_space(call: Call) -> Node:
    """Entries of the batch become blocks of space; the batch has to be 1 after."""
    info, blocks, crops = call.info(0), call.integers(1), call.array(2).tolist()
    rank = len(blocks)
    if len(info.shape) not in (3, 4) or len(crops) != rank or len(info.shape) < rank + 2 - (len(info.shape) == 3):
        raise call.misfit(f"blocks {blocks} and crops {crops} for shape {info.shape}")
    if info.shape[0] != int(np.prod(blocks)) or call.batch != 1:
        raise call.refuse(f"a batch of {info.shape[0]} in blocks of {blocks}", "convert the model with a batch of 1")
    x = call.reshaped(call.whole(0), (*blocks, *info.shape[1:]))
    order = [v for k in range(rank) for v in (rank + k, k)]
    x = call.node(Transpose((*order, *range(2 * rank, len(x.shape)))), x)
    lengths = tuple(n * b for n, b in zip(info.shape[1:], blocks, strict=False))
    x = call.reshaped(x, (1, *lengths, *info.shape[1 + rank :]))
    ends = [(int(a), n - int(b)) for (a, b), n in zip(crops, lengths, strict=True)]
    starts = (0, *(a for a, _ in ends), *(0 for _ in info.shape[1 + rank :]))
    stops = (1, *(b for _, b in ends), *info.shape[1 + rank :])
    return copied(call, call.node(Slice(starts, stops, (1,) * len(stops)), x), 0)

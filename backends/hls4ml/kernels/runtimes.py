"""Kernels of the arithmetic that quantized runtimes define."""

from ....graph import Node
from ....graph.ops import FixedSoftmax
from ..kernel import Kernel, kernel_rule, numbers, refuse
from .common import Config, channels


@kernel_rule(FixedSoftmax)
def fixed_softmax(node: Node) -> Kernel:
    """One row of the last axis after the other: a table, a sum, a reciprocal, products."""
    op, (x, *tables) = node.op, node.inputs
    assert isinstance(op, FixedSoftmax)
    if op.axis != len(x.shape) - 1:
        raise refuse(node, f"a softmax along axis {op.axis} of {len(x.shape)}", "transpose that axis to the end")
    low, high = (int(b) for b in op.format.bounds)
    config: Config = {
        "c_out": channels(node.shape), "entries": tables[0].type.size, "width": op.format.width, "low": low,
        "high": high,
    }  # fmt: skip
    constants = dict(zip(("table", "reciprocals"), map(numbers, tables), strict=False))
    return Kernel("fixed_softmax", "gw_softmax.h", (x,), node, config, constants)

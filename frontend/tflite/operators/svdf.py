"""SVDF: a layer of rank-one filters over time. Kernels: ``svdf.cc``, ``reference/svdf.h``.

The state of an inference is zero but for the newest column, so only the newest column of the weights over time counts.
"""

import numpy as np

from ....graph import Affine, Fixed, Node
from ....graph.ops import Add, Dense, Mul, MultiplyShift, Reduce, Reduction, Scaling
from ..arithmetic import quantize_multiplier, quantized_format
from ..registry import Call, operator
from .recurrent import HYBRID, STATE_NOTE, activated, read_state

f32 = np.float32


@operator("SVDF", versions=4)
def svdf(call: Call) -> Node:
    """``activation(sum over the rank of time * (feature . x) + bias)``."""
    call.attributes.ignore("asymmetric_quantize_inputs", why="only hybrid kernels read it, and those are refused")
    rank, activation = call.attributes.integer("rank", low=1), call.activation()
    feature, time = call.array(1), call.array(2)
    read_state(call, 4)
    units, rest = divmod(feature.shape[0], rank)
    if rest or time.ndim != 2 or time.shape[0] != feature.shape[0]:
        raise call.misfit(f"filters of shapes {feature.shape} and {time.shape} with rank {rank}")
    call.notes.append(f"{call.op} {call.name!r}: {STATE_NOTE}")
    x = call.flow(0)
    if call.info(0).is_float:
        if call.info(1).type != "FLOAT32" or call.info(2).type != "FLOAT32":
            raise call.refuse(f"weights of {call.info(1).type} with float activations", HYBRID)
        y = call.node(Dense(), x, call.real(feature.T, "feature"))
        y = call.reshaped(call.node(Mul(), y, call.real(time[:, -1], "time")), (units, rank))
        y = call.node(Reduce(Reduction.SUM, (1,)), y)
        if call.has(3):
            y = call.node(Add(), y, call.real(call.array(3), "bias"))
        return activated(call, y, activation)
    return _integers(call, x, (units, rank), activation)


def _integers(call: Call, x: Node, shape: tuple[int, int], activation: str) -> Node:
    info, weights, times, state, result = call.info(0), call.info(1), call.info(2), call.info(4), call.result
    kinds = (info.type, weights.type, times.type, state.type, result.type)
    if kinds != ("INT8", "INT8", "INT16", "INT16", "INT8"):
        raise call.refuse(f"types {kinds}", "int8 with weights over time and a state of int16 is supported")
    if activation != "RELU":
        hint = "the integer kernel insists on RELU, and clamps to the range of int8"
        raise call.attributes.refusal("fused_activation_function", activation, hint)
    for tensor in (weights, times):
        if len(tensor.scales) != 1 or any(tensor.zero_points):
            raise call.refuse("weights with several scales or a zero point", "the kernel has one scale")
    unit, format = quantized_format(call, state), quantized_format(call, result)
    y = call.node(Dense(), x, call.stored(call.array(1).T, quantized_format(call, weights), "feature"))
    y = _scaled(call, y, float(f32(info.scale) * f32(weights.scale) / f32(state.scale)), unit, (-32768, 32767))
    newest = call.stored(call.array(2)[:, -1], quantized_format(call, times), "time")
    y = call.reshaped(call.node(Mul(), y, newest), shape)
    y = call.node(Reduce(Reduction.SUM, (1,)), y)
    if call.has(3):
        scale = y.type.quantized.scale
        y = call.node(Add(), y, call.stored(call.array(3), Affine(32, True, scale), "bias"))
    return _scaled(call, y, float(f32(state.scale) * f32(times.scale) / f32(result.scale)), format, (-128, 127))


def _scaled(call: Call, x: Node, factor: float, format: Affine | Fixed, clamp: tuple[int, int]) -> Node:
    multiplier, shift = quantize_multiplier(factor)
    return call.node(MultiplyShift(format, (multiplier,), (shift,), *clamp, Scaling.DOUBLE), x)

"""UNIDIRECTIONAL_SEQUENCE_LSTM. Of int8 activations with a cell of 16 bits (8x8_16), in the kernel's own arithmetic.

Kernels: ``unidirectional_sequence_lstm.cc``, ``lstm_eval.cc`` (CalculateLstmGateInteger8x8_16, UpdateLstmCellInteger,
CalculateLstmOutputInteger8x8_16), ``internal/reference/portable_tensor_utils.cc``.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ....graph import Affine, Fixed, Node, Overflow, Rounding
from ....graph.ops import Add, Dense, Input, Lookup, Maximum, Minimum, Mul, MultiplyShift, Quantize, Scaling, Sub
from ..arithmetic import quantize_multiplier, quantized_format, recast
from ..gates import sigmoid16, tanh16
from ..registry import Call, operator
from ..tables import power_of_two
from .recurrent import HYBRID, body_of, float_lstm, read_state, scanned, sequence

GATE = Affine(16, True, Fraction(1, 1 << 12))
"""What the activations of the gates read: three integer bits."""
PART = Fixed(16, 1)
"""Gates: from -1 to 1 in units of 2^-15."""
f32 = np.float32


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM", versions=4)
def lstm(call: Call) -> Node:
    """A sequence through one LSTM, with peepholes, projection, layer normalization and a coupled input gate."""
    attributes = call.attributes
    attributes.ignore("asymmetric_quantize_inputs", why="only hybrid kernels read it, and those are refused")
    if attributes.boolean("diagonal_recurrent_tensors", False):
        raise attributes.refusal("diagonal_recurrent_tensors", True, "full recurrent matrices are supported")
    clips = attributes.real("cell_clip"), attributes.real("proj_clip")
    x = sequence(call, time_major=attributes.boolean("time_major"))
    activation = call.activation()
    read_state(call, 18)
    read_state(call, 19)
    if not call.info(0).is_float:
        if activation != "TANH":
            raise attributes.refusal("fused_activation_function", activation, "the integer kernel always takes TANH")
        return _Integers(call).run(x, clips)
    if call.info(2).type != "FLOAT32":
        raise call.refuse(f"weights of {call.info(2).type} with float activations", HYBRID)
    return float_lstm(call, x, clips, activation)


@dataclass(frozen=True)
class _Integers:
    call: Call

    def run(self, x: Node, clips: tuple[float, float]) -> Node:
        call = self.call
        self._check()
        state, cell = call.info(18), call.info(19)
        cell_format = quantized_format(call, cell)
        step = Node(Input("x", x.shape[1:], x.type.quantized), (), "x")
        hidden = Node(Input("h", state.shape[1:], quantized_format(call, state)), (), "h")
        memory = Node(Input("c", cell.shape[1:], cell_format), (), "c")
        forget = self._gate(1, step, hidden, memory)
        enter = self._rest(forget) if not call.has(1) else self._gate(0, step, hidden, memory)
        kept = self._kept(memory, forget, enter, self._gate(2, step, hidden, memory), clips[0])
        leave = self._gate(3, step, hidden, kept)
        made = self._made(leave, kept, clips[1])
        starts = [
            call.stored(np.full(n.shape, n.type.quantized.zero), n.type.quantized, f"state {i}")
            for i, n in enumerate((hidden, memory))
        ]
        shown = recast(call, made, quantized_format(call, call.result))  # the kernel copies the state's numbers
        return scanned(call, body_of((step, hidden, memory), (made, kept, shown)), x, starts)

    def _check(self) -> None:
        call = self.call
        kinds = {call.info(i).type for i in (0, 18)} | {call.result.type}
        weights = {call.info(i).type for i in (*range(1, 9), 16) if call.has(i)}
        if kinds != {"INT8"} or weights != {"INT8"} or call.info(19).type != "INT16":
            raise call.refuse(f"activations of {kinds}, weights of {weights}", "int8 with a cell of int16 is supported")
        if call.has(11) and call.info(18).shape[1:] != call.info(19).shape[1:]:
            raise call.refuse("peepholes with a projection to another length", "the kernel reads beyond one of them")
        if len(call.intermediates) != 5:
            raise call.refuse(f"{len(call.intermediates)} intermediate tensors", "the integer LSTM of 8x8_16 has 5")
        if any(call.has(20 + k) for k in range(4)):
            raise call.refuse("layer normalization in integers", "leave it out, or keep the layer in floating point")
        if not call.has(1) and any(call.has(i) for i in (5, 9, 12)):
            raise call.misfit("weights of an input gate that is coupled to the forget gate")
        exponent = power_of_two(call.info(19).scale)
        if exponent is None or not -15 <= exponent <= -9 or call.info(19).zero_point:
            raise call.refuse(f"a cell of scale {call.info(19).scale:g}", "a power of two from 2^-15 to 2^-9")

    def _scaled(self, x: Node, factor: float, format: Affine, low: int = -(2**31), high: int = 2**31 - 1) -> Node:
        multiplier, shift = quantize_multiplier(factor)
        return self.call.node(MultiplyShift(format, (multiplier,), (shift,), low, high, Scaling.DOUBLE), x)

    def _gate(self, k: int, step: Node, hidden: Node, memory: Node) -> Node:
        """Each product is rescaled on its own and added to what is there, in 16 bits."""
        call = self.call
        total: Node | None = None
        for i, x, source, bias in ((1 + k, step, 0, [self._bias(12 + k, step)]), (5 + k, hidden, 18, [])):
            product = call.node(Dense(), x, self._matrix(i), *bias)
            factor = float(f32(call.info(i).scale) * f32(call.info(source).scale) / f32(2.0**-12))
            total = self._added(total, self._scaled(product, factor, WIDE))
        peep = {0: 9, 1: 10, 3: 11}.get(k)
        if peep is not None and call.has(peep):
            if call.info(peep).type != "INT16":
                raise call.refuse(f"peepholes of {call.info(peep).type}", "int16 is what the kernel reads")
            weights = call.stored(call.array(peep), Affine(16, True, Fraction(1)), f"peephole {k}")
            cell = f32(2.0 ** (power_of_two(call.info(19).scale) or 0))
            factor = float(cell * f32(call.info(peep).scale) / f32(2.0**-12))
            total = self._added(total, self._scaled(call.node(Mul(), memory, weights), factor, WIDE))
        assert total is not None
        table = tanh16(3) if k == 2 else sigmoid16()
        return call.node(Lookup(-32768), total, call.stored(table, PART, "tanh" if k == 2 else "sigmoid"))

    def _added(self, total: Node | None, part: Node) -> Node:
        x = part if total is None else self.call.node(Add(), total, part)
        return self.call.node(Quantize(GATE, Rounding.TRN, Overflow.SAT), x)

    def _matrix(self, i: int) -> Node:
        call = self.call
        if len(call.info(i).scales) != 1 or any(call.info(i).zero_points):
            raise call.refuse(f"input {i}, weights, with several scales or a zero point", "the kernel has one scale")
        return call.stored(call.array(i).T, Affine(8, True, Fraction(1)), f"weights {i}")

    def _bias(self, i: int, x: Node) -> Node:
        call = self.call
        if call.info(i).type != "INT32":
            raise call.refuse(f"a bias of {call.info(i).type}", "int32 is what the kernel reads")
        scale = x.type.quantized.scale
        assert isinstance(scale, Fraction)
        return call.stored(call.array(i), Affine(32, True, scale), f"bias {i}")

    def _rest(self, forget: Node) -> Node:
        most = self.call.stored(np.int64(32767), PART, "one")
        return self.call.node(Quantize(PART, Rounding.TRN, Overflow.SAT), self.call.node(Sub(), most, forget))

    def _kept(self, memory: Node, forget: Node, enter: Node, new: Node, clip: float) -> Node:
        call = self.call
        format = memory.type.quantized
        parts = [
            call.node(Quantize(format, Rounding.RND_INF, Overflow.SAT), call.node(Mul(), *pair))
            for pair in ((forget, memory), (enter, new))
        ]
        kept = call.node(Quantize(format, Rounding.TRN, Overflow.SAT), call.node(Add(), *parts))
        if clip <= 0:
            return kept
        bound = int(min(f32(clip) / f32(call.info(19).scale), f32(32767)))
        return self._clipped(kept, bound)

    def _clipped(self, x: Node, bound: int) -> Node:
        call, format = self.call, x.type.quantized
        ends = [call.stored(np.int64(v), format, f"bound {v}") for v in (-bound, bound)]
        inside = call.node(Minimum(), call.node(Maximum(), x, ends[0]), ends[1])
        return call.node(Quantize(format, Rounding.TRN, Overflow.SAT), inside)

    def _made(self, leave: Node, kept: Node, clip: float) -> Node:
        call, middle = self.call, self.call.intermediates[4]
        bits = 15 + (power_of_two(call.info(19).scale) or 0)
        shown = call.node(Lookup(-32768), kept, call.stored(tanh16(bits), PART, "tanh of the cell"))
        factor = float(f32(2.0**-15 / float(f32(middle.scale)) * 2.0**-15))
        product = call.node(Mul(), leave, shown)
        result = quantized_format(call, call.info(18))
        assert isinstance(result, Affine)
        if not call.has(16):
            same = Affine(8, True, result.scale, middle.zero_point)
            return recast(call, self._scaled(product, factor, same, -128, 127), result)
        scale = quantized_format(call, middle).scale
        assert isinstance(scale, Fraction)
        between = Affine(8, True, scale, -middle.zero_point)  # the kernel subtracts the zero point, and takes it back
        return self._projected(self._scaled(product, factor, between, -128, 127), result, clip)

    def _projected(self, x: Node, result: Affine, clip: float) -> Node:
        call, middle = self.call, self.call.intermediates[4]
        bias = [self._bias(17, x)] if call.has(17) else []
        product = call.node(Dense(), x, self._matrix(16), *bias)
        factor = float(f32(call.info(16).scale) * f32(middle.scale) / f32(call.info(18).scale))
        made = self._scaled(product, factor, result, -128, 127)
        if clip <= 0:
            return made
        bound = int(min(f32(clip) / f32(call.result.scale), f32(127)))
        ends = [call.stored(np.int64(v), result, f"bound {v}") for v in (-bound, bound)]
        inside = call.node(Minimum(), call.node(Maximum(), made, ends[0]), ends[1])
        return call.node(Quantize(result, Rounding.TRN, Overflow.SAT), inside)


WIDE = Affine(33, True, GATE.scale)
"""Parts of a gate before they are added."""

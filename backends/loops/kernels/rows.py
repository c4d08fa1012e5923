"""Softmax, in floating point and in the fixed point of quantized runtimes: one row after the other."""

from collections.abc import Mapping

from ....graph import Node
from ....graph.arrays import NDArray
from ....graph.ops import FixedSoftmax, Softmax
from ..code import Code, Index, Memory, Value, cast, clip, const, lanes_from, maximum, minimum, select
from ..functions import exp, exp_below
from ..layout import Layout, stored_ends, working_type
from ..machine import Machine
from ..numbers import real
from ..scope import Place, Scope, place
from .folds import MAXIMUM, SUM, fold_along
from .frame import MOVE, SPLIT_ABOVE, Written, axes, put, vectors, written


def softmax(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Written:
    """Write exp(x - max) / sum, along any axis; along the last one with vectors."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Softmax)
    length = x.shape[op.axis]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        last = op.axis == len(x.shape) - 1
        width, full, rest = vectors(length, lanes if last else 1)
        power = exp_below if width > 1 else exp
        shape = [n for a, n in enumerate(x.shape) if a != op.axis]
        split = x.type.size * 5 * MOVE > SPLIT_ABOVE and bool(shape)
        with scope.outer(shape[0] if shape else 1, split=split) as first, axes(code, shape[1:]) as others:
            own: list[Index] = [first, *others][: len(shape)]

            def at(k: Index) -> Place:
                return (*own[: op.axis], k, *own[op.axis :])

            most = fold_along(scope, length, width, MAXIMUM, lambda k: real(scope, x, at(k)))

            def exponential(k: Index) -> Value:
                e = power(code, code.let(real(scope, x, at(k)) - most))
                put(scope, memory, out, at(k), e)
                return e

            share = code.let(const(1.0, "float32") / fold_along(scope, length, width, SUM, exponential))
            with code.loop(full) as k:
                where = place(out, at(lanes_from(k * width, width)))
                code.store(memory, where, memory.load(where) * share)
            if rest:
                with code.loop(length - full * width, full * width) as left:
                    where = place(out, at(left))
                    code.store(memory, where, memory.load(where) * share)

    return written(machine, layouts, out, build, (99,))


def fixed_softmax(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Written:
    """Write the softmax of TensorFlow Lite's reference kernels."""
    op, (x, *tables) = node.op, node.inputs
    assert isinstance(op, FixedSoftmax)
    low, high = (int(b) for b in op.format.bounds)
    entries = tables[0].type.quantized.centre(tables[0].type.value.data)  # type: ignore[union-attr]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        table = scope.table(entries, "int32")
        shape = [n for a, n in enumerate(x.shape) if a != op.axis]
        length = x.shape[op.axis]
        with axes(code, shape) as own:

            def at(k: Index) -> Place:
                return (*own[: op.axis], k, *own[op.axis :])

            best = code.local("int32", 1, "best")
            code.store(best, 0, const(stored_ends(x)[0]))
            with code.loop(length) as k:
                code.store(best, 0, maximum(best.load(0), cast(scope.at(x, at(k)), "int32")))
            most = code.let(best.load(0))

            def entry(k: Value) -> Value:
                away = cast(scope.at(x, at(k)), "int32") - most
                return code.let(cast(table.load(away + (len(entries) - 1)), "int64"))

            total = code.local("int64", 1, "total")
            code.store(total, 0, const(0, "int64"))
            newton = len(tables) == 1
            with code.loop(length) as k:
                e = entry(k)
                code.store(total, 0, total.load(0) + (_shift_round(e, 12) if newton else e))
            kind = working_type(low, high)
            if newton:
                share, over = _reciprocal(code, code.let(total.load(0)), 12)
                with code.loop(length) as k:
                    v = _shift_round_by(code, _multiply_high(code, share, entry(k)), over + (31 - op.format.width))
                    put(scope, memory, out, at(k), cast(clip(v + low, low, high), kind))
            else:
                others = tables[1].type.quantized.centre(tables[1].type.value.data)  # type: ignore[union-attr]
                scale, right = _tabled(scope, code.let(total.load(0)), others)
                half = code.let(const(1, "int64") << maximum(right - 1, 0))
                with code.loop(length) as k:
                    v = (entry(k) * scale + half) >> right
                    put(scope, memory, out, at(k), cast(clip(v, 0, high), kind))

    return written(machine, layouts, out, build, (99,))


LEAST, GREATEST = -(2**31), 2**31 - 1


def _shift_round(v: Value, n: int) -> Value:
    """V / 2^n of what is not negative, halves up."""
    return (v + (1 << (n - 1))) >> n


def _shift_round_by(code: Code, v: Value, n: Value) -> Value:
    """V / 2^n, to nearest, halves away from zero; n may be anything from 0 to 62."""
    n = code.let(n)
    mask = code.let((const(1, "int64") << n) - 1)
    rest = code.let(v & mask)
    bound = (mask >> 1) + select(v < 0, const(1, "int64"), 0)
    return code.let((v >> n) + select(rest > bound, const(1, "int64"), 0))


def _multiply_high(code: Code, a: Value, b: Value) -> Value:
    """A * b / 2^31, to nearest, halves away from zero, saturated."""
    product = code.let(a * b)
    total = code.let(product + select(product >= 0, const(1 << 30, "int64"), 1 - (1 << 30)))
    high = select(total >= 0, total >> 31, const(0, "int64") - ((const(0, "int64") - total) >> 31))
    return code.let(minimum(high, GREATEST))


def _leading_zeros(code: Code, v: Value) -> Value:
    """Count the zero bits above the highest one of a positive number of 32 bits."""
    zeros = code.local("int64", 1, "zeros")
    rest = code.local("int64", 1, "rest")
    code.store(zeros, 0, const(0, "int64"))
    code.store(rest, 0, v)
    for step in (16, 8, 4, 2, 1):
        held = code.let(rest.load(0))
        short = held < (1 << (32 - step))
        code.store(zeros, 0, zeros.load(0) + select(short, const(step, "int64"), 0))
        code.store(rest, 0, select(short, held << step, held))
    return code.let(zeros.load(0))


def _saturated(v: Value) -> Value:
    return clip(v, LEAST, GREATEST)


def _reciprocal(code: Code, v: Value, integer_bits: int) -> tuple[Value, Value]:
    """1 / v as ``graph.fixedpoint.reciprocal`` gives it: three steps of Newton's."""
    zeros = _leading_zeros(code, v)
    a = code.let((v << zeros) - (1 << 31))
    half = code.let((a + (GREATEST + 1)) >> 1)
    x = code.let(_multiply_high(code, half, const(-1010580540, "int64")) + 1515870810)
    for _ in range(3):
        rest = code.let(const(1 << 29, "int64") - _multiply_high(code, half, x))
        x = code.let(x + _saturated(_multiply_high(code, x, rest) << 2))
    return code.let(_saturated(x << 1)), code.let(const(integer_bits, "int64") - zeros)


def _tabled(scope: Scope, total: Value, others: NDArray) -> tuple[Value, Value]:
    code = scope.code
    zeros = _leading_zeros(code, total)
    part = code.let(((total << (zeros - 1)) + (1 << 13)) >> 14)
    q = code.let(clip(part - (2**15 + 2**16), -(2**15), 2**15 - 1))
    table = scope.table(others, "int32")
    at = code.let(cast((q >> 7) + 256, "int32"))
    base = code.let(cast(table.load(at), "int64"))
    slope = cast(table.load(at + 1), "int64") - base
    slope = code.let(((slope + 2**15) & 0xFFFF) - 2**15)
    delta = (slope * (q & 127) + 64) >> 7
    scale = code.let(((base + delta + 2**15) & 0xFFFF) - 2**15)
    return scale, code.let(const(31, "int64") - zeros)

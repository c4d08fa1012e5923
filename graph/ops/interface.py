"""What enters and leaves a graph, and what changes a format."""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, NDArray, as_array
from ..errors import RangeError, ShapeError, UnsupportedError
from ..formats import FLOAT, Affine, Fixed, Float, Format, Overflow, Quantized, Rounding
from ..node import Op, infer
from ..numerics import requantize
from ..tensor import Bounded, Tensor, align, check_grids, check_size, constant, exact, floats, full, grids, moved


@dataclass(frozen=True)
class Input(Op):
    """A model input. ``shape`` and ``format`` are those inside the graph (channels last, no batch).

    ``axes`` says how the source's tensor becomes ours: ``ours = source.transpose(axes)``, counted without the batch;
    None where the layouts agree. Real numbers that are fed in are brought to ``format`` by ``rounding`` and
    ``overflow``; ``inserted`` says why, where it is not the model that asks for that format. A ``strict`` input, one
    that the source declares as integers, refuses numbers that the format does not hold. ``whole``: the source has no
    batch axis, a sample is the whole of its tensor.
    """

    name: str
    shape: tuple[int, ...]
    format: Format = FLOAT
    rounding: Rounding = Rounding.RND
    overflow: Overflow = Overflow.SAT
    axes: tuple[int, ...] | None = None
    inserted: str = ""
    strict: bool = False
    whole: bool = False


@infer.register
def _(op: Input) -> Tensor:
    check_size(op.shape)
    check_grids(op.format, op.shape)
    if op.axes is not None and sorted(op.axes) != list(range(len(op.shape))):
        raise ShapeError(f"axes {op.axes} are no order of those of {op.shape}")
    return full(op.shape, op.format)


@dataclass(frozen=True)
class Constant(Op):
    """Stored numbers: float32, or the stored integers (int64) of ``format``."""

    value: Array
    format: Format = FLOAT


@infer.register
def _(op: Constant) -> Tensor:
    data = op.value.data
    check_size(data.shape)
    check_grids(op.format, data.shape)
    if data.dtype.kind not in ("fiub" if isinstance(op.format, Float) else "iub"):
        raise ShapeError(f"a constant of {op.format} holds {data.dtype}")
    if not isinstance(op.format, Float):
        low, high = op.format.bounds
        if (data < low).any() or (data > high).any():
            raise ShapeError(f"a constant does not fit its format {op.format}")
    elif not np.isfinite(data).all():
        raise ShapeError("NaN or infinite weights", hint="the training diverged; load an earlier checkpoint")
    elif op.format.bits < 32 and (op.format.rounded(data) != data).any():
        raise ShapeError(f"a constant does not fit its format {op.format}", hint="numbers that the format has")
    return constant(op.value, op.format)


@dataclass(frozen=True)
class Output(Op):
    """A model output.

    ``axes``: ``source = ours.transpose(axes)``, counted without the batch; None where the layouts agree.
    """

    name: str
    axes: tuple[int, ...] | None = None


@infer.register
def _(op: Output, x: Tensor) -> Tensor:
    if op.axes is not None and sorted(op.axes) != list(range(len(x.shape))):
        raise ShapeError(f"axes {op.axes} are no order of those of {x.shape}")
    return x


@dataclass(frozen=True)
class Quantize(Op):
    """Bring values (floats, or integers of another format) to ``format``: round, then handle overflow. Exact.

    ``inserted`` is empty for a quantizer of the model's own, else it says why Gatewright put it there.
    """

    format: Quantized
    rounding: Rounding = Rounding.RND
    overflow: Overflow = Overflow.SAT
    inserted: str = ""


@infer.register
def _(op: Quantize, x: Tensor) -> Tensor:
    check_grids(op.format, x.shape)
    if not x.is_integer:
        return full(x.shape, op.format)
    (low, high), scale = x.interval, x.quantized.scale
    if op.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        ends = [requantize(v, scale, op.format, op.rounding, op.overflow) for v in (low, high)]
        a, b = (np.asarray(op.format.centre(e)) for e in ends)
        low, high = np.broadcast_arrays(a, b)
        return Tensor(x.shape, op.format, low, high)
    return _quantize_other(op, x)


def _quantize_other(op: Quantize, x: Tensor) -> Tensor:
    """WRAP and SAT_ZERO are not monotone: exact only where nothing overflows."""
    (low, high), scale = x.interval, x.quantized.scale
    a, b = (requantize(v, scale, op.format, op.rounding, op.overflow) for v in (low, high))
    c, d = (requantize(v, scale, op.format, op.rounding, Overflow.SAT) for v in (low, high))
    if np.array_equal(a, c) and np.array_equal(b, d) and not _edge(op.format, c, d):
        low, high = np.broadcast_arrays(op.format.centre(c), op.format.centre(d))
        return Tensor(x.shape, op.format, low, high)
    return full(x.shape, op.format)


def _edge(format: Quantized, low: NDArray, high: NDArray) -> bool:
    """Whether an end lies on the format's bound, where saturating and wrapping cannot be told apart."""
    least, greatest = format.bounds
    return bool((low <= least).any() or (high >= greatest).any())


@dataclass(frozen=True)
class Cast(Op):
    """Bring real values to a format in floating point: the nearest, halves to even; infinite beyond the largest.

    Every other operation computes in float32, whatever floats it reads, and gives float32, or what it picked as it was.
    """

    format: Float


@infer.register
def _(op: Cast, x: Tensor) -> Tensor:
    return Tensor(x.shape, op.format)


@dataclass(frozen=True)
class DynamicScale(Op):
    """``x``: a scale of quantization that ``operator`` of the source computes from the sample itself, at run time.

    Floating point, and never anything else: integers need a scale that is known before. Lowering refuses it by name.
    """

    operator: str


@dataclass(frozen=True)
class Lookup(Op):
    """``table[x - offset]``: a unary function of few bits.

    Inputs: ``x`` [...], taken as stored; ``table`` [entries].
    """

    offset: int


@infer.register
def _(op: DynamicScale, x: Tensor) -> Tensor:
    return floats(x.shape)


@infer.register
def _(op: Lookup, x: Tensor, table: Tensor) -> Tensor:
    if isinstance(x.format, Float) or not flat_index(x.format) or not table.is_integer or table.value is None:
        raise UnsupportedError("a table needs an index of one integer format, and constant entries of integers")
    if len(table.shape) != 1 or grids(table.format):
        raise ShapeError(f"a table of shape {table.shape} in {table.format}", hint="one row of entries in one format")
    low, high = (_as_stored(v, x.format) for v in x.interval)
    if int(low.min()) < op.offset or int(high.max()) - op.offset >= table.size:
        raise ShapeError(f"a table of {table.size} entries from {op.offset} does not cover {low.min()}..{high.max()}")
    entries = table.interval[0][int(low.min()) - op.offset : int(high.max()) - op.offset + 1]
    return Tensor(x.shape, table.format, np.asarray(entries.min()), np.asarray(entries.max()))


def flat_index(format: Quantized) -> bool:
    """Whether stored integers mean the same for each element, but for the place of the point."""
    return isinstance(format.width, int) if isinstance(format, Fixed) else not grids(format)


def _as_stored(v: NDArray, format: Quantized) -> NDArray:
    """Centred integers -> stored ones."""
    if isinstance(format, Fixed):
        return np.asarray(v >> (format.common_fraction - as_array(format.fraction)))
    return np.asarray(v + as_array(format.zero_point))


def _span(x: Tensor) -> Bounded:
    """The scale, and the least and greatest integer of any element."""
    low, high = x.interval
    return x.quantized.scale, np.asarray(low.min()), np.asarray(high.max())


@dataclass(frozen=True)
class Step(Op):
    """A piecewise constant function: ``values[k]`` with k the number of thresholds t for which ``x >= t``.

    Inputs: ``x`` [...], ``thresholds`` [n] ascending, ``values`` [n + 1]. What binary, ternary and power-of-two
    quantizers and multi-threshold activations are.
    """


@infer.register
def _(op: Step, x: Tensor, thresholds: Tensor, values: Tensor) -> Tensor:
    if thresholds.value is None or values.value is None or values.shape != (thresholds.size + 1,):
        raise ShapeError(f"{thresholds.size} thresholds need {thresholds.size + 1} values, got {values.shape}")
    if len(thresholds.shape) != 1 or grids(thresholds.format) or grids(values.format):
        raise ShapeError("thresholds and values of a step stand in one row and have one format")
    if x.is_integer and thresholds.is_integer and align(_span(x), _span(thresholds)) is None:
        raise RangeError("the thresholds of a step have no common unit with its operand within 63 bits")
    if (np.diff(thresholds.value.data) < 0).any():
        raise ShapeError("the thresholds are not ascending")
    if not values.is_integer:
        return Tensor(x.shape, FLOAT)
    low, high = values.interval
    return Tensor(x.shape, values.format, np.asarray(low.min()), np.asarray(high.max()))


def real_constant(values: Array) -> Constant:
    """Give a float32 constant."""
    return Constant(Array(values.data.astype(np.float32)))


def flat_scale(x: Tensor) -> bool:
    """Whether one scale serves the whole tensor."""
    return isinstance(x.format, Fixed) or (isinstance(x.format, Affine) and as_array(x.format.scale).ndim == 0)


__all__ = ["Constant", "Input", "Lookup", "Output", "Quantize", "Step", "exact", "flat_scale", "moved", "real_constant"]

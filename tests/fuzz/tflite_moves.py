"""Makers of operators that move numbers, and of recurrent layers."""

from itertools import pairwise

import numpy as np

from .tflite_draw import MAKERS, Maker, maker

BEFORE = frozenset(MAKERS)

ANY = ("FLOAT32", "INT8", "UINT8", "INT16")
Axes = tuple[int, ...]


def copy(m: Maker, x: int, shape: Axes) -> int:
    """A result with the meaning of the operand; sometimes with another, which the kernels do not mind."""
    spec = m.spec(x)
    if spec.type == "FLOAT32" or m.ask.pick((True, True, True, False)):
        return m.value(shape, spec.type, spec.scale, spec.zero)
    return m.value(shape, spec.type)


@maker("SLICE")
def slices(m: Maker) -> bool:
    x = m.flow(types=ANY)
    if x is None:
        return False
    shape = m.spec(x).shape
    begin = [m.ask.whole(0, n - 1) for n in shape]
    size = [m.ask.whole(1, n - b) for n, b in zip(shape, begin, strict=True)]
    said = [m.ask.pick((s, -1)) if b + s == n else s for n, b, s in zip(shape, begin, size, strict=True)]
    return m.step("SLICE", [x, m.constant(begin, "INT32"), m.constant(said, "INT32")], copy(m, x, tuple(size)))


@maker("STRIDED_SLICE")
def strided(m: Maker) -> bool:
    x = m.flow(types=ANY)
    if x is None:
        return False
    shape = m.spec(x).shape
    begin, end, strides, index = [], [], [], []
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    axis = 0
    while axis < len(shape):
        kind = m.ask.pick(("cut", "cut", "open", "shrink", "new", "ellipsis"))
        if kind == "ellipsis" and masks["ellipsis_mask"]:
            kind = "cut"
        n, bit = shape[axis], 1 << len(begin)
        low, step = m.ask.whole(-n, n - 1), m.ask.pick((1, 1, 2, -1, -2, 3))
        high = m.ask.whole(-n - 2, n + 2)
        begin, end, strides = [*begin, low], [*end, high], [*strides, 1 if kind == "shrink" else step]
        match kind:
            case "new":
                masks["new_axis_mask"] |= bit
                index.append(None)
                continue
            case "ellipsis":
                masks["ellipsis_mask"] |= bit
                index.append(Ellipsis)
                axis += m.ask.whole(1, len(shape) - axis)
                continue
            case "shrink":
                masks["shrink_axis_mask"] |= bit
                index.append(low)
            case "open":
                masks["begin_mask"] |= bit
                masks["end_mask"] |= bit
                index.append(slice(None, None, step))
            case _:
                index.append(slice(low, high, step))
        axis += 1
        if masks["ellipsis_mask"] == 0 and m.ask.pick((False, False, False, True)):
            break
    try:
        result = np.zeros(shape, np.int8)[tuple(index)].shape
    except IndexError:
        return False
    if 0 in result or len(result) > 5 or len(begin) > 5:
        return False
    inputs = [x, *(m.constant(v, "INT32") for v in (begin, end, strides))]
    return m.step("STRIDED_SLICE", inputs, copy(m, x, result), **masks)


@maker("SPLIT", "SPLIT_V", "UNPACK")
def parts(m: Maker, op: str) -> bool:
    x = m.flow(types=ANY)
    if x is None:
        return False
    shape = m.spec(x).shape
    axis = m.ask.whole(0, len(shape) - 1)
    n = shape[axis]
    if op == "SPLIT_V":
        cuts = sorted({0, n, *(m.ask.whole(0, n) for _ in range(2))})
        sizes = [b - a for a, b in pairwise(cuts)]
    else:
        count = n if op == "UNPACK" else m.ask.pick([d for d in range(1, n + 1) if n % d == 0])
        sizes = [n // count] * count
    shapes = [(*shape[:axis], *((s,) if op != "UNPACK" else ()), *shape[axis + 1 :]) for s in sizes]
    spec = m.spec(x)
    made = [m.value(s, spec.type, spec.scale, spec.zero) if op == "UNPACK" else copy(m, x, s) for s in shapes]
    said = m.ask.pick((axis, axis - len(shape)))
    if op == "UNPACK":
        return m.step(op, [x], made, num=len(sizes), axis=said)
    if op == "SPLIT":
        return m.step(op, [m.constant(said, "INT32"), x], made, num_splits=len(sizes))
    inputs = [x, m.constant(sizes, "INT32"), m.constant(said, "INT32")]
    return m.step(op, inputs, made, num_splits=len(sizes))


@maker("PACK")
def pack(m: Maker) -> bool:
    x = m.flow(types=ANY)
    if x is None or len(m.spec(x).shape) > 3:
        return False
    spec = m.spec(x)
    axis, count = m.ask.whole(0, len(spec.shape)), m.ask.whole(1, 3)
    shape = (*spec.shape[:axis], count, *spec.shape[axis:])
    said = m.ask.pick((axis, axis - len(shape)))
    return m.step("PACK", [x] * count, m.value(shape, spec.type, spec.scale, spec.zero), values_count=count, axis=said)


@maker("TILE", "BROADCAST_TO", "REVERSE_V2", "EXPAND_DIMS", "SQUEEZE")
def spread(m: Maker, op: str) -> bool:
    x = m.flow(types=ANY if op != "BROADCAST_TO" else ("FLOAT32", "INT8", "UINT8"))
    if x is None:
        return False
    shape = m.spec(x).shape
    rank = len(shape)
    match op:
        case "TILE":
            times = [m.ask.whole(1, 3) for _ in shape]
            given, made = m.constant(times, "INT32"), tuple(n * t for n, t in zip(shape, times, strict=True))
        case "BROADCAST_TO":
            made = tuple(m.ask.whole(1, 4) if n == 1 else n for n in shape)
            m.step(op, [x, m.constant(made, "INT32")], copy(m, x, made))
            m.model.steps[-1].version = 2
            return True
        case "REVERSE_V2":
            given, made = m.constant([m.ask.whole(0, rank - 1)], "INT32"), shape
        case "EXPAND_DIMS":
            axis = m.ask.whole(0, rank)
            given, made = m.constant(m.ask.pick((axis, axis - rank - 1)), "INT32"), (*shape[:axis], 1, *shape[axis:])
        case _:
            axes = [a for a, n in enumerate(shape) if n == 1 and a and m.ask.pick((True, False))]
            made = tuple(n for a, n in enumerate(shape) if a not in axes)
            return bool(axes) and m.step(op, [x], copy(m, x, made), squeeze_dims=axes)
    return m.step(op, [x, given], copy(m, x, made))


@maker("GATHER", "GATHER_ND")
def gather(m: Maker, op: str) -> bool:
    x = m.flow(types=ANY)
    if x is None:
        return False
    shape, rng = m.spec(x).shape, m.rng
    if op == "GATHER":
        axis = m.ask.whole(0, len(shape) - 1)
        places = tuple(m.ask.whole(1, 3) for _ in range(m.ask.whole(0, 2)))
        indices = m.constant(rng.integers(0, shape[axis], places), "INT32")
        made = (*shape[:axis], *places, *shape[axis + 1 :])
        if len(made) > 5:
            return False
        return m.step(op, [x, indices], copy(m, x, made), axis=m.ask.pick((axis, axis - len(shape))))
    depth, count = m.ask.whole(1, len(shape)), m.ask.whole(1, 4)
    places = np.stack([rng.integers(0, n, count) for n in shape[:depth]], axis=-1)
    return m.step(op, [x, m.constant(places, "INT32")], copy(m, x, (count, *shape[depth:])))


@maker("SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND")
def blocks(m: Maker, op: str) -> bool:
    x = m.flow(rank=4, types=ANY)
    if x is None:
        return False
    n, h, w, c = m.spec(x).shape
    b = m.ask.pick((1, 2, 3))
    if op == "SPACE_TO_DEPTH":
        fits, made = h % b == w % b == 0, (n, h // b, w // b, c * b * b)
    elif op == "DEPTH_TO_SPACE":
        fits, made = c % (b * b) == 0, (n, h * b, w * b, c // (b * b))
    else:
        before = [m.ask.whole(0, 2), m.ask.whole(0, 2)]
        pads = [[p, (-(k + p)) % b] for p, k in zip(before, (h, w), strict=True)]
        lengths = [(k + sum(p)) // b for k, p in zip((h, w), pads, strict=True)]
        given = [m.constant([b, b], "INT32"), m.constant(pads, "INT32")]
        spec = m.spec(x)
        return m.step(op, [x, *given], m.value((n * b * b, *lengths, c), spec.type, spec.scale, spec.zero))
    return bool(fits) and m.step(op, [x], copy(m, x, made), block_size=b)


@maker("UNIDIRECTIONAL_SEQUENCE_RNN")
def rnn(m: Maker) -> bool:
    x = m.flow(rank=3, types=("FLOAT32",))
    if x is None:
        return False
    (batch, steps, features), units, rng = m.spec(x).shape, m.ask.whole(1, 5), m.rng
    shapes = ((units, features), (units, units), (units,))
    weights = [m.constant(rng.normal(0, 0.5, s), "FLOAT32") for s in shapes]
    state = m.value((batch, units), "FLOAT32")
    m.spec(state).variable = True
    options = {"time_major": False, "fused_activation_function": m.ask.pick((4, 1, 0, 3))}
    result = m.value((batch, steps, units), "FLOAT32")
    return m.step("UNIDIRECTIONAL_SEQUENCE_RNN", [x, *weights, state], result, **options)


@maker("SVDF")
def svdf(m: Maker) -> bool:
    x = m.flow(rank=2, types=("FLOAT32", "INT8"))
    if x is None:
        return False
    spec, rng = m.spec(x), m.rng
    rank, units, memory = m.ask.whole(1, 3), m.ask.whole(1, 4), m.ask.whole(1, 4)
    filters, (batch, depth) = rank * units, spec.shape
    if spec.type == "FLOAT32":
        shapes = ((filters, depth), (filters, memory), (units,))
        weights = [m.constant(rng.normal(0, 0.5, s), "FLOAT32") for s in shapes]
        state, result = m.value((batch, filters * memory), "FLOAT32"), m.value((batch, units), "FLOAT32")
    else:
        own = float(np.float32(spec.scale * 0.5))
        weights = [
            m.constant(rng.integers(-127, 128, (filters, depth)), "INT8", scales=[0.01], zeros=[0]),
            m.constant(rng.integers(-9000, 9000, (filters, memory)), "INT16", scales=[1e-4], zeros=[0]),
            m.constant(rng.integers(-(10**6), 10**6, units), "INT32", scales=[own * 1e-4], zeros=[0]),
        ]
        state = m.value((batch, filters * memory), "INT16", own)
        result = m.value((batch, units), "INT8", spec.scale * 30)
    m.spec(state).variable = True
    activation = 1 if spec.type == "INT8" else m.activation()
    return m.step("SVDF", [x, *weights, state], result, rank=rank, fused_activation_function=activation)


@maker("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(m: Maker) -> bool:
    """Peepholes, projection, coupled gates, layer normalization (of floats), clips."""
    x = m.flow(rank=3, types=("FLOAT32", "INT8"))
    if x is None:
        return False
    spec, rng = m.spec(x), m.rng
    (batch, steps, features), cells = spec.shape, m.ask.whole(1, 5)
    floats, coupled, peep, projected, clipped = spec.type == "FLOAT32", *(m.ask.pick((False, True)) for _ in range(4))
    units = m.ask.whole(1, 4) if projected and not peep else cells
    normalized = floats and m.ask.pick((False, False, True))

    def weights(shape: Axes, kind: str, scale: float) -> int:
        if floats:
            return m.constant(rng.normal(0, 0.5, shape), "FLOAT32")
        high = {"INT8": 127, "INT16": 32767, "INT32": 20000}[kind]
        return m.constant(rng.integers(-high, high + 1, shape), kind, scales=[scale], zeros=[0])

    inputs = [x, *[-1] * 23]
    for k in range(1 if coupled else 0, 4):
        inputs[1 + k] = weights((cells, features), "INT8", float(rng.uniform(0.002, 0.02)))
        inputs[5 + k] = weights((cells, units), "INT8", float(rng.uniform(0.002, 0.02)))
        inputs[12 + k] = weights((cells,), "INT32", 1e-4)
        if peep and k != 2:
            inputs[{0: 9, 1: 10, 3: 11}[k]] = weights((cells,), "INT16", 3e-5)
        if normalized:
            inputs[20 + k] = weights((cells,), "INT16", 1e-4)
    if projected:
        inputs[16] = weights((units, cells), "INT8", 0.01)
        inputs[17] = weights((units,), "INT32", 1e-4) if m.ask.pick((False, True)) else -1
    scale, zero = (0.01, m.zero("INT8")) if projected else (1 / 128, m.zero("INT8"))
    inputs[18] = m.value((batch, units), spec.type, scale, zero)
    inputs[19] = m.value((batch, cells), "FLOAT32" if floats else "INT16", 2.0 ** -m.ask.whole(9, 15))
    for i in (18, 19):
        m.spec(inputs[i]).variable = True
    result = m.value((batch, steps, units), spec.type, scale, zero)
    options = {"cell_clip": 0.5 if clipped else 0.0, "proj_clip": 0.3 if clipped and projected else 0.0}
    m.step("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, result, fused_activation_function=4, time_major=False, **options)
    if not floats:
        middle = [m.value((1,), "INT16", 2.0**-12) for _ in range(4)]
        hidden = m.value((1,), "INT8", 1 / 127, m.zero("INT8")) if projected else m.value((1,), "INT8", scale, zero)
        m.model.steps[-1].intermediates = [*middle, hidden]
    return True


NAMES = tuple(name for name in MAKERS if name not in BEFORE)
"""The operators whose makers this file holds."""

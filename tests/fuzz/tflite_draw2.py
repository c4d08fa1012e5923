"""Makers of the operators that are no convolutions, sums or pads: functions, softmax, reductions, moves, choices."""

from math import prod

import numpy as np

from .tflite_draw import BOUNDS, MAKERS, Maker, maker

BEFORE = frozenset(MAKERS)

QUANTIZED = ("INT8", "UINT8", "INT16")
FUNCTIONS = {
    "LOGISTIC": QUANTIZED, "TANH": QUANTIZED, "RELU": QUANTIZED, "RELU6": QUANTIZED, "RELU_N1_TO_1": ("INT8", "UINT8"),
    "RELU_0_TO_1": ("INT8", "UINT8"), "LEAKY_RELU": QUANTIZED, "GELU": ("INT8", "UINT8"),
    "HARD_SWISH": ("INT8", "UINT8"), "EXP": ("INT8", "INT16"), "ABS": ("INT8", "INT16"), "NEG": ("INT8", "INT16"),
    "LOG": ("INT8", "INT16"), "SIN": (), "COS": (), "SQUARE": (), "FLOOR": (), "SIGN": (),
}  # fmt: skip
"""The quantized types that have a kernel."""
UNITS = {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0), "INT16": (1 / 32768, 0)}


@maker(*FUNCTIONS)
def function(m: Maker, op: str) -> bool:
    x = m.flow(types=("FLOAT32", *FUNCTIONS[op]))
    if x is None or (op == "LOG" and m.spec(x).type == "FLOAT32"):
        return False
    spec = m.spec(x)
    result = m.value(spec.shape, spec.type, spec.scale * m.ask.pick((1.0, 0.5, 2.0, 0.7, 3.0)))
    if (op == "LOGISTIC" and spec.type != "FLOAT32") or (op == "TANH" and spec.type == "INT16"):
        scale, zero = UNITS[spec.type]
        result = m.value(spec.shape, spec.type, scale, zero if spec.type == "INT16" else m.ask.pick((zero, 7)))
    if op == "EXP" and spec.type != "FLOAT32":  # beyond 32 bits the kernel's results are undefined
        reach = spec.scale * max(abs(b - spec.zero) for b in BOUNDS[spec.type])
        if reach > 40:
            return False
        result = m.value(spec.shape, spec.type, float(np.exp(reach)) / 2**20)
    options = {"LEAKY_RELU": {"alpha": m.ask.pick((0.5, 0.1, -0.3, 1.7))}}.get(op, {})
    if op == "GELU":
        options = {"approximate": m.ask.pick((False, True))}
    return m.step(op, [x], result, **options)


@maker("PRELU")
def prelu(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", "INT8", "UINT8"))
    if x is None or len(m.spec(x).shape) < 2:
        return False
    spec = m.spec(x)
    shape = tuple(m.ask.pick((1, n)) for n in spec.shape[1:])
    rng = m.rng
    if spec.type == "FLOAT32":
        alpha = m.constant(rng.normal(0, 1, shape), "FLOAT32")
    else:
        low, high = BOUNDS[spec.type]
        quantization = {"scales": [m.scale(-6, -3)], "zeros": [m.zero(spec.type)]}
        alpha = m.constant(rng.integers(low, high + 1, shape), spec.type, **quantization)
    return m.step("PRELU", [x, alpha], m.value(spec.shape, spec.type, spec.scale * m.ask.pick((1.0, 0.7, 2.0))))


@maker("SOFTMAX")
def softmax(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", *QUANTIZED))
    if x is None or m.spec(x).shape[-1] > 500:
        return False
    spec = m.spec(x)
    kind = m.ask.pick((spec.type, "INT16")) if spec.type in ("INT8", "UINT8") else spec.type
    result = m.value(spec.shape, kind, *UNITS.get(kind, ()))
    return m.step("SOFTMAX", [x], result, beta=m.ask.pick((1.0, 0.5, 2.0)))


@maker("LOG_SOFTMAX")
def log_softmax(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32",))
    return x is not None and m.step("LOG_SOFTMAX", [x], m.value(m.spec(x).shape, "FLOAT32"))


@maker("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
def reduction(m: Maker, op: str) -> bool:
    kinds = {"SUM": ("FLOAT32", "UINT8"), "REDUCE_PROD": ("FLOAT32",)}.get(op, ("FLOAT32", *QUANTIZED))
    x = m.flow(types=kinds)
    if x is None:
        return False
    spec = m.spec(x)
    rank = len(spec.shape)
    axes = [a for a in range(rank) if m.ask.pick((False, True))] or [rank - 1]
    keep = m.ask.pick((True, False))
    shape = tuple(1 if a in axes else n for a, n in enumerate(spec.shape) if keep or a not in axes)
    negative = m.ask.pick((False, True))
    given = m.constant([a - rank if negative else a for a in axes], "INT32")
    same = op.startswith("REDUCE_M")
    scale = spec.scale * (1.0 if same else m.ask.pick((1.0, 0.5, 0.3, 2.0)) * (prod(spec.shape) if op == "SUM" else 1))
    result = m.value(shape, spec.type, scale, spec.zero if same else None)
    return m.step(op, [x, given], result, keep_dims=keep)


@maker("ARG_MAX", "ARG_MIN")
def place(m: Maker, op: str) -> bool:
    x = m.flow(types=("FLOAT32", "INT8", "UINT8"))
    if x is None:
        return False
    shape = m.spec(x).shape
    axis = m.ask.whole(0, len(shape) - 1)
    wide = m.ask.pick((False, True))
    result = m.value((*shape[:axis], *shape[axis + 1 :]), "INT64" if wide else "INT32")
    given = m.constant(m.ask.pick((axis, axis - len(shape))), "INT32")
    return m.step(op, [x, given], result, output_type=4 if wide else 2)


@maker("CUMSUM")
def cumsum(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32",))
    if x is None:
        return False
    shape = m.spec(x).shape
    axis = m.constant(m.ask.whole(-len(shape), len(shape) - 1), "INT32")
    flags = {name: m.ask.pick((False, True)) for name in ("exclusive", "reverse")}
    return m.step("CUMSUM", [x, axis], m.value(shape, "FLOAT32"), **flags)


@maker("TOPK_V2")
def top(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", "INT8", "UINT8"))
    if x is None:
        return False
    spec = m.spec(x)
    k = m.ask.whole(1, spec.shape[-1])
    shape = (*spec.shape[:-1], k)
    values = m.value(shape, spec.type, spec.scale, spec.zero)
    return m.step("TOPK_V2", [x, m.constant(k, "INT32")], [values, m.value(shape, "INT32")])


@maker("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def resize(m: Maker, op: str) -> bool:
    x = m.flow(rank=4, types=("FLOAT32", "INT8", "INT16", *(("UINT8",) if op[7] == "N" else ())))
    if x is None:
        return False
    spec = m.spec(x)
    size = [m.ask.whole(1, 13), m.ask.whole(1, 13)]
    corners, half = m.ask.pick(((False, False), (True, False), (False, True)))
    result = m.value((spec.shape[0], *size, spec.shape[3]), spec.type, spec.scale, spec.zero)
    given = m.constant(size, "INT32")
    return m.step(op, [x, given], result, align_corners=corners, half_pixel_centers=half)


@maker("BATCH_MATMUL")
def batch_matmul(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", "INT8", "INT16"))
    if x is None or len(m.spec(x).shape) < 3:
        return False
    spec, rng = m.spec(x), m.rng
    adj_x, adj_y = m.ask.pick((False, True)), m.ask.pick((False, True))
    lead, (a, b) = spec.shape[:-2], spec.shape[-2:]
    rows, depth = (b, a) if adj_x else (a, b)
    columns = m.ask.whole(1, 5)
    shape = (*lead, *((columns, depth) if adj_y else (depth, columns)))
    if spec.type == "FLOAT32":
        y = m.constant(rng.normal(0, 1, shape), "FLOAT32")
    else:
        low, high = BOUNDS[spec.type]
        quantization = {"scales": [m.scale(-8, -4)], "zeros": [m.zero(spec.type)]}
        y = m.constant(rng.integers(low, high + 1, shape), spec.type, **quantization)
    if m.ask.pick((False, True)):
        m.spec(y).data = None
        m.model.inputs.append(y)
    width = 1.0 if spec.type == "FLOAT32" else spec.scale * m.spec(y).scale * (60 if spec.type == "INT8" else 2e4)
    result = m.value((*lead, rows, columns), spec.type, width * m.ask.pick((1.0, 0.3, 4.0)))
    return m.step("BATCH_MATMUL", [x, y], result, adj_x=adj_x, adj_y=adj_y)


@maker("TRANSPOSE_CONV")
def transpose_conv(m: Maker) -> bool:
    x = m.flow(rank=4, types=("FLOAT32", "INT8", "INT16"))
    if x is None:
        return False
    spec, rng = m.spec(x), m.rng
    (high, wide), channels = spec.shape[1:3], spec.shape[3]
    filters, kernel = m.ask.whole(1, 4), (m.ask.whole(1, 4), m.ask.whole(1, 4))
    strides, valid = (m.ask.whole(1, 3), m.ask.whole(1, 3)), m.ask.pick((False, True))
    space = tuple(
        (n - 1) * s + k + m.ask.whole(0, s - 1) if valid else n * s - m.ask.whole(0, s - 1)
        for n, s, k in zip((high, wide), strides, kernel, strict=True)
    )
    shape, inputs = (filters, *kernel, channels), [m.constant([spec.shape[0], *space, filters], "INT32")]
    options = {"stride_h": strides[0], "stride_w": strides[1], "padding": int(valid)}
    biased = m.ask.pick((True, False))
    if spec.type == "FLOAT32":
        inputs += [m.constant(rng.normal(0, 1, shape), "FLOAT32"), x]
        inputs += [m.constant(rng.normal(0, 1, filters), "FLOAT32")] if biased else []
        return m.step("TRANSPOSE_CONV", inputs, m.value((spec.shape[0], *space, filters), "FLOAT32"), **options)
    scales = (2.0 ** rng.uniform(-9, -4, filters)).astype(np.float32).tolist()
    zeros = [0] * filters
    inputs += [m.constant(rng.integers(-127, 128, shape), "INT8", scales=scales, zeros=zeros), x]
    if biased:
        units = [float(np.float32(spec.scale * s)) for s in scales]
        kind = "INT64" if spec.type == "INT16" else "INT32"
        inputs.append(m.constant(rng.integers(-9000, 9000, filters), kind, scales=units, zeros=zeros))
    scale = spec.scale * float(np.mean(scales)) * (100 if spec.type == "INT8" else 60) * m.ask.pick((1.0, 0.3, 3.0))
    activation = m.activation()
    result = m.value((spec.shape[0], *space, filters), spec.type, scale)
    return m.step("TRANSPOSE_CONV", inputs, result, fused_activation_function=activation, **options)


COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


@maker(*COMPARISONS)
def comparison(m: Maker, op: str) -> bool:
    x = m.flow(types=("FLOAT32", "INT8"))
    if x is None:
        return False
    spec, rng = m.spec(x), m.rng
    shape = tuple(m.ask.pick((1, n)) for n in spec.shape[1:])
    data = rng.integers(-3, 4, shape)
    quantization = {} if spec.type == "FLOAT32" else {"scales": spec.scales, "zeros": spec.zeros}
    if quantization and m.ask.pick((False, True)):
        quantization = {"scales": [m.scale()], "zeros": [m.zero(spec.type)]}
    y = m.constant(data, spec.type, **quantization)
    return m.step(op, m.ask.pick(([x, y], [y, x])), m.value(spec.shape, "BOOL"))


@maker("SELECT_V2", "SELECT")
def select(m: Maker, op: str) -> bool:
    truths = [i for i in m.flows if m.spec(i).type == "BOOL"]
    x = m.flow(types=("FLOAT32", "INT8", "UINT8", "INT16"))
    if x is None:
        return False
    spec, rng = m.spec(x), m.rng
    if truths and m.spec(truths[-1]).shape == spec.shape:
        truth = truths[-1]
    else:
        truth = m.constant(rng.integers(0, 2, spec.shape), "BOOL")
        m.spec(truth).data = None
        m.model.inputs.append(truth)
    shape = spec.shape if op == "SELECT" else tuple(m.ask.pick((1, n)) for n in spec.shape)
    data = rng.integers(0, 100, shape)
    quantization = {} if spec.type == "FLOAT32" else {"scales": spec.scales, "zeros": spec.zeros}
    y = m.constant(data, spec.type, **quantization)
    result = m.value(spec.shape, spec.type, spec.scale, spec.zero)
    return m.step(op, [truth, *m.ask.pick(([x, y], [y, x]))], result)


@maker("CAST")
def cast(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", "INT8", "UINT8", "INT16", "BOOL", "INT32"))
    if x is None:
        return False
    kind = m.ask.pick({"FLOAT32": ("INT32", "BOOL"), "BOOL": ("FLOAT32", "INT32")}.get(m.spec(x).type, ("FLOAT32",)))
    return m.step("CAST", [x], m.value(m.spec(x).shape, kind))


@maker("L2_NORMALIZATION")
def l2(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32",))
    return x is not None and m.step("L2_NORMALIZATION", [x], m.value(m.spec(x).shape, "FLOAT32"))


@maker("ONE_HOT")
def one_hot(m: Maker) -> bool:
    batch = m.spec(m.model.inputs[0]).shape[0]
    shape, kind = (batch, *(m.ask.whole(1, 4) for _ in range(m.ask.whole(0, 2)))), m.ask.pick(("FLOAT32", "INT32"))
    depth, axis = m.ask.whole(1, 6), m.ask.whole(-1, len(shape))
    x = m.value(shape, m.ask.pick(("INT32", "INT64")))
    m.model.inputs.append(x)
    at = len(shape) if axis < 0 else axis
    values = [m.constant(np.array(v), kind) for v in (3, 1)]
    result = m.value((*shape[:at], depth, *shape[at:]), kind)
    return m.step("ONE_HOT", [x, m.constant(depth, "INT32"), *values], result, axis=axis)


NAMES = tuple(name for name in MAKERS if name not in BEFORE)
"""The operators whose makers this file holds."""

"""Random TFLite models: answers of a ``Choices`` decide everything, so that fewer answers make a simpler model.

A maker adds one operator to a model under way, or returns False where it has no place there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from gatewright.frontend.tflite.schema import TYPES

from .choices import Choices
from .tflite_build import DTYPES, ModelSpec, Spec, Step

INTEGERS = ("INT8", "UINT8", "INT16")
BOUNDS = {
    "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "INT4": (-7, 7),
    "INT32": (-(2**31), 2**31 - 1), "INT64": (-(2**63), 2**63 - 1),
}  # fmt: skip


@dataclass
class Maker:
    """A model under way. ``flows``: tensors computed so far, the last ones first choice."""

    ask: Choices
    model: ModelSpec = field(default_factory=ModelSpec)
    flows: list[int] = field(default_factory=list)

    @property
    def rng(self) -> np.random.Generator:
        """Numbers of weights: from one answer, so that they shrink away together."""
        return np.random.default_rng(self.ask.whole(0, 1 << 16))

    def spec(self, number: int) -> Spec:
        return self.model.tensors[number]

    def scale(self, low: int = -8, high: int = 0) -> float:
        """A scale: a power of two, or any float32."""
        power = 2.0 ** self.ask.whole(low, high)
        return power if self.ask.pick((False, False, True)) else float(np.float32(power * self.rng.uniform(0.5, 1.0)))

    def zero(self, type: str) -> int:
        if type == "INT16":
            return 0
        low, high = BOUNDS[type]
        return int(self.ask.pick((0, low, high, 3, -5, 17, low // 2 + high // 3)) if type == "INT8"
                   else self.ask.pick((128, low, high, 3, 17, 200)))  # fmt: skip

    def value(self, shape: tuple[int, ...], type: str, scale: float | None = None, zero: int | None = None) -> int:
        """A tensor that an operator makes."""
        if type not in INTEGERS:
            return self.model.add(Spec(shape, type))
        scales = (self.scale() if scale is None else float(np.float32(scale)),)
        return self.model.add(Spec(shape, type, scales, (self.zero(type) if zero is None else zero,)))

    def constant(self, data: Any, type: str, **quantization: Any) -> int:
        array = np.asarray(data, np.int8 if type == "INT4" else DTYPES[type])
        return self.model.add(Spec(array.shape, type, data=array, **quantization))

    def step(self, op: str, inputs: list[int], result: int | list[int], **options: Any) -> bool:
        outputs = result if isinstance(result, list) else [result]
        self.model.steps.append(Step(op, inputs, outputs, options))
        self.flows.extend(outputs)
        return True

    def flow(self, *, rank: int | None = None, types: tuple[str, ...] = ()) -> int | None:
        """A tensor to go on from."""
        found = [
            i for i in reversed(self.flows)
            if (len(self.spec(i).shape) == rank if rank else self.spec(i).shape)
            and (not types or self.spec(i).type in types)
        ]  # fmt: skip
        return self.ask.pick(found) if found else None

    def activation(self) -> int:
        return int(self.ask.pick((0, 0, 1, 3, 2)))

    def samples(self, count: int, seed: int) -> list[np.ndarray]:
        """Stored numbers for each input, [count, *shape]; the ends more often than others."""
        rng = np.random.default_rng(seed)
        return [drawn(rng, (count, *self.spec(i).shape), self.spec(i).type) for i in self.model.inputs]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], type: str) -> np.ndarray:
    if type == "FLOAT32":
        return rng.normal(0, 2, shape).astype(np.float32)
    if type == "BOOL":
        return rng.integers(0, 2, shape).astype(np.bool_)
    low, high = BOUNDS[type] if type not in ("INT32", "INT64") else (-1000, 1000)
    inner = rng.integers(low, high + 1, shape)
    kind = rng.random(shape)
    smooth = np.clip(np.rint(rng.normal(0, high / 4, shape)), low, high)
    return np.select([kind < 0.05, kind < 0.1, kind < 0.5], [low, high, smooth], inner).astype(DTYPES[type])


MAKERS: dict[str, Callable[[Maker], bool]] = {}


def maker(*names: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    """Register a maker; with several names it gets the name too."""

    def register(make: Callable[..., bool]) -> Callable[..., bool]:
        for name in names:
            MAKERS[name] = make if len(names) == 1 else (lambda m, n=name: make(m, n))
        return make

    return register


def drawn_model(numbers: list[int], only: tuple[str, ...] = ()) -> Maker:
    """Make a model of a recipe's answers."""
    m = Maker(Choices(numbers))
    wanted = m.ask.whole(1, 5) if not only else 1
    kind = m.ask.pick(("INT8", "INT8", "INT8", "FLOAT32", "INT16", "UINT8"))
    rank = m.ask.pick((4, 4, 4, 2, 3))
    batch = m.ask.pick((1, 1, 1, 1, 1, 1, 2, 3))
    for _ in range(m.ask.pick((1, 1, 1, 2))):
        first = m.value((batch, *(m.ask.whole(1, 7) for _ in range(rank - 1))), kind)
        m.model.inputs.append(first)
        m.flows.append(first)
    names = list(only or MAKERS)
    for _ in range(8 * wanted):
        if len(m.model.steps) >= wanted:
            break
        MAKERS[m.ask.pick(names)](m)
    read = {i for s in m.model.steps for i in s.inputs}
    m.model.inputs = [i for i in m.model.inputs if i in read] or m.model.inputs[:1]
    made = [i for s in m.model.steps for i in s.outputs]
    m.model.outputs = [i for i in made if i not in read] or made[-1:]
    return m


def _weights(m: Maker, shape: tuple[int, ...], type: str, axis: int, channels: int, symmetric: bool) -> int:
    rng = m.rng
    if type == "FLOAT32":
        return m.constant(rng.normal(0, 1, shape), type)
    kind = {"UINT8": "UINT8"}.get(type, m.ask.pick(("INT8", "INT8", "INT8", "INT4")))
    low, high = BOUNDS[kind]
    data = rng.integers(low + (kind == "INT8"), high + 1, shape)
    if m.ask.pick((False, False, False, True)):  # filters without a weight
        gone = np.broadcast_to(rng.random(channels) < 0.5, shape) if axis == len(shape) - 1 else rng.random(shape) < 0.5
        data[gone] = 0 if kind != "UINT8" else 128
    if kind != "UINT8" and channels > 1 and m.ask.pick((True, True, False)):
        scales = (2.0 ** rng.uniform(-10, -2, channels)).astype(np.float32)
        return m.constant(data, kind, scales=scales.tolist(), zeros=[0] * channels, axis=axis)
    zero = 0 if symmetric and kind != "UINT8" else m.zero("UINT8" if kind == "UINT8" else "INT8") % 6
    return m.constant(data, kind, scales=[m.scale(-9, -3)], zeros=[128 if kind == "UINT8" else zero])


def _linear(m: Maker, op: str, x: int, weights: int, axis: int, depth: int, shape: tuple[int, ...], **o: Any) -> bool:
    """Bias, output scale and step of something weighted."""
    kind, channels, w = m.spec(x).type, shape[-1], m.spec(weights)
    rng = m.rng
    bias = -1
    if op != "FULLY_CONNECTED" or m.ask.pick((True, True, False)):
        if kind == "FLOAT32":
            bias = m.constant(rng.normal(0, 1, channels), kind)
        else:
            unit = [m.spec(x).scale * s for s in w.scales]
            wide = "INT64" if kind == "INT16" and m.ask.pick((True, True, False)) else "INT32"
            reach = 2000 * 30 if kind != "INT16" else 2**20
            data = rng.integers(-reach, reach + 1, channels)
            bias = m.constant(data, wide, scales=[float(np.float32(u)) for u in unit], zeros=[0] * len(unit))
    scale = None
    if kind != "FLOAT32":
        spread = {"INT16": 2000.0}.get(kind, 60.0) * np.sqrt(depth) * 40 * m.spec(x).scale * float(np.mean(w.scales))
        scale = spread / {"INT16": 8000}.get(kind, 60) * m.ask.pick((1.0, 0.5, 0.1, 3.0, 0.7))
    result = m.value(shape, kind, scale)
    inputs = [x, weights, bias] if bias >= 0 or m.ask.pick((True, False)) else [x, weights]
    if kind == "INT16" and op != "DEPTHWISE_CONV_2D":
        said = TYPES.index(m.spec(bias).type) if bias >= 0 else m.ask.pick((2, 4))
        o["quantized_bias_type"] = m.ask.pick((said, 0))
    return m.step(op, inputs, result, fused_activation_function=m.activation(), **o)


Axes = tuple[int, ...]


def _window(m: Maker, space: Axes, *, dilated: bool = True) -> tuple[dict[str, int], Axes, Axes]:
    """Options of a window, its kernel, and the space that it leaves."""
    valid = m.ask.pick((0, 1))
    kernel = tuple(m.ask.whole(1, 4) for _ in space)
    strides = tuple(m.ask.pick((1, 1, 2, 3)) for _ in space)
    dilation = tuple(m.ask.pick((1, 1, 1, 2, 3)) if dilated else 1 for _ in space)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    out = tuple(
        (n - r) // s + 1 if valid else -(-n // s) for n, r, s in zip(space, reach, strides, strict=True)
    )  # fmt: skip
    names = "hw" if len(space) == 2 else "dhw"
    options = {"padding": valid} | {f"stride_{n}": s for n, s in zip(names, strides, strict=True)}
    if dilated:
        options |= {f"dilation_{n}_factor": d for n, d in zip(names, dilation, strict=True)}
    return options, kernel, out


@maker("CONV_2D")
def conv_2d(m: Maker) -> bool:
    x = m.flow(rank=4, types=("INT8", "UINT8", "INT16", "FLOAT32"))
    if x is None:
        return False
    s = m.spec(x)
    options, kernel, out = _window(m, s.shape[1:3])
    groups = m.ask.pick((1, 1, 1, *(g for g in (2, 3) if s.shape[3] % g == 0 and s.type == "INT8")))
    filters = groups * m.ask.whole(1, 4)
    if min(out) < 1:
        return False
    w = _weights(m, (filters, *kernel, s.shape[3] // groups), s.type, 0, filters, True)
    return _linear(m, "CONV_2D", x, w, 0, prod(kernel) * s.shape[3], (s.shape[0], *out, filters), **options)


@maker("CONV_3D")
def conv_3d(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32",))
    if x is None or len(m.spec(x).shape) < 3:
        return False
    if len(m.spec(x).shape) != 5:
        s = m.spec(x).shape
        shape = (s[0], 1, *s[1:]) if len(s) == 4 else (s[0], 1, 1, *s[1:])
        y = m.value(shape, "FLOAT32")
        m.step("RESHAPE", [x, m.constant(shape, "INT32")], y)
        x = y
    s = m.spec(x)
    options, kernel, out = _window(m, s.shape[1:4])
    filters = m.ask.whole(1, 4)
    if min(out) < 1:
        return False
    w = m.constant(m.rng.normal(0, 1, (*kernel, s.shape[4], filters)), "FLOAT32")
    return _linear(m, "CONV_3D", x, w, 4, 1, (s.shape[0], *out, filters), **options)


@maker("DEPTHWISE_CONV_2D")
def depthwise(m: Maker) -> bool:
    x = m.flow(rank=4, types=("INT8", "UINT8", "INT16", "FLOAT32"))
    if x is None:
        return False
    s = m.spec(x)
    options, kernel, out = _window(m, s.shape[1:3])
    times = m.ask.pick((1, 1, 2, 3))
    filters = times * s.shape[3]
    if min(out) < 1:
        return False
    w = _weights(m, (1, *kernel, filters), s.type, 3, filters, True)
    options["depth_multiplier"] = times
    return _linear(m, "DEPTHWISE_CONV_2D", x, w, 3, prod(kernel), (s.shape[0], *out, filters), **options)


@maker("FULLY_CONNECTED")
def fully_connected(m: Maker) -> bool:
    x = m.flow(types=("INT8", "UINT8", "INT16", "FLOAT32"))
    if x is None or not m.spec(x).shape:
        return False
    s = m.spec(x)
    units, keep = m.ask.whole(1, 9), m.ask.pick((False, True))
    depth = s.shape[-1] if keep else m.ask.pick((s.shape[-1], prod(s.shape)))
    shape = (*s.shape[:-1], units) if keep else (prod(s.shape) // depth, units)
    w = _weights(m, (units, depth), s.type, 0, units, False)
    return _linear(m, "FULLY_CONNECTED", x, w, 0, depth, shape, keep_num_dims=keep)


@maker("QUANTIZE")
def quantize(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", *INTEGERS))
    if x is None:
        return False
    s = m.spec(x)
    kind = m.ask.pick({"FLOAT32": INTEGERS, "INT8": INTEGERS, "UINT8": ("INT8", "UINT8"), "INT16": INTEGERS}[s.type])
    scale = m.scale() if s.type == "FLOAT32" else s.scale * m.ask.pick((1.0, 0.37, 2.7, 1.01, 100.0, 0.01))
    return m.step("QUANTIZE", [x], m.value(s.shape, kind, scale))


@maker("DEQUANTIZE")
def dequantize(m: Maker) -> bool:
    x = m.flow(types=INTEGERS)
    return x is not None and m.step("DEQUANTIZE", [x], m.value(m.spec(x).shape, "FLOAT32"))


def _other(m: Maker, x: int) -> int:
    """A second operand: another tensor, the same one, or a constant that broadcasts."""
    s = m.spec(x)
    kind = m.ask.pick(("constant", "flow", "self", "scalar"))
    if kind == "self":
        return x
    if kind == "flow":
        found = [i for i in m.flows if m.spec(i).type == s.type and _broadcasts(m.spec(i).shape, s.shape)]
        return int(m.ask.pick(found))
    shape: Axes = ()
    if kind != "scalar" and s.shape:
        shape = tuple(m.ask.pick((n, 1)) for n in s.shape)[m.ask.whole(0, len(s.shape) - 1) :]
    data = drawn(m.rng, shape, s.type)
    if s.type not in INTEGERS:
        return m.constant(data, s.type)
    return m.constant(data, s.type, scales=[m.scale()], zeros=[m.zero(s.type)])


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(1 in (p, q) or p == q for p, q in zip(a[::-1], b[::-1], strict=False))


def _pair(m: Maker, types: tuple[str, ...]) -> tuple[int, int, tuple[int, ...], str] | None:
    x = m.flow(types=types)
    if x is None:
        return None
    y = _other(m, x)
    if m.ask.pick((False, True)):
        x, y = y, x
    return x, y, np.broadcast_shapes(m.spec(x).shape, m.spec(y).shape), m.spec(x).type


@maker("ADD", "SUB")
def add(m: Maker, op: str) -> bool:
    pair = _pair(m, ("FLOAT32", *INTEGERS))
    if pair is None:
        return False
    x, y, shape, kind = pair
    scale = max(m.spec(x).scale, m.spec(y).scale) * m.ask.pick((1.0, 2.0, 0.3, 1.5, 0.01))
    pot = m.ask.pick((False, False, True))
    result = m.value(shape, kind, scale)
    return m.step(op, [x, y], result, fused_activation_function=m.activation(), pot_scale_int16=pot)


@maker("MUL")
def mul(m: Maker) -> bool:
    pair = _pair(m, ("FLOAT32", *INTEGERS))
    if pair is None:
        return False
    x, y, shape, kind = pair
    typical = 60.0 if kind != "INT16" else 10000.0
    scale = m.spec(x).scale * m.spec(y).scale * typical * m.ask.pick((1.0, 2.0, 0.3, 1.5, 0.02))
    return m.step("MUL", [x, y], m.value(shape, kind, scale), fused_activation_function=m.activation())


@maker("SQUARED_DIFFERENCE")
def squared_difference(m: Maker) -> bool:
    pair = _pair(m, ("FLOAT32", "INT8"))
    if pair is None:
        return False
    x, y, shape, kind = pair
    scale = max(m.spec(x).scale, m.spec(y).scale) ** 2 * 100 * m.ask.pick((1.0, 2.0, 0.3, 1.5))
    return m.step("SQUARED_DIFFERENCE", [x, y], m.value(shape, kind, scale))


@maker("MAXIMUM", "MINIMUM")
def extreme(m: Maker, op: str) -> bool:
    pair = _pair(m, ("FLOAT32", *INTEGERS))
    if pair is None:
        return False
    x, y, shape, kind = pair
    same = m.ask.pick((True, True, False))
    s = m.spec(x)
    result = m.value(shape, kind, s.scale, s.zero) if same else m.value(shape, kind)
    if same and s.scales and m.spec(y).data is not None:
        m.spec(y).scales, m.spec(y).zeros = s.scales, s.zeros
    return m.step(op, [x, y], result)


@maker("DIV")
def div(m: Maker) -> bool:
    pair = _pair(m, ("FLOAT32",))
    if pair is None:
        return False
    x, y, shape, kind = pair
    return m.step("DIV", [x, y], m.value(shape, kind), fused_activation_function=m.activation())


@maker("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
def pool(m: Maker, op: str) -> bool:
    x = m.flow(rank=4, types=("FLOAT32",) if op == "L2_POOL_2D" else ("INT8", "UINT8", "INT16", "FLOAT32"))
    if x is None:
        return False
    s = m.spec(x)
    options, kernel, out = _window(m, s.shape[1:3], dilated=False)
    if min(out) < 1:
        return False
    options |= {"filter_height": kernel[0], "filter_width": kernel[1], "fused_activation_function": m.activation()}
    return m.step(op, [x], m.value((s.shape[0], *out, s.shape[3]), s.type, s.scale, s.zero), **options)


@maker("PAD", "PADV2", "MIRROR_PAD")
def pad(m: Maker, op: str) -> bool:
    x = m.flow(types=("FLOAT32", *INTEGERS) if op != "MIRROR_PAD" else ("FLOAT32", "INT8", "INT16", "UINT8"))
    if x is None:
        return False
    s = m.spec(x)
    mode = m.ask.pick((0, 1))
    most = [3] * len(s.shape) if op != "MIRROR_PAD" else [min(3, n - (mode == 0)) for n in s.shape]
    first = m.ask.pick((False, False, False, True))
    table = [[m.ask.whole(0, k) * (i > 0 or first) for _ in "ab"] for i, k in enumerate(most)]
    shape = tuple(n + sum(t) for n, t in zip(s.shape, table, strict=True))
    if prod(shape) > 3000:
        return False
    inputs = [x, m.constant(table, m.ask.pick(("INT32", "INT64")))]
    if op == "PADV2":
        q = {"scales": s.scales, "zeros": s.zeros} if s.scales else {}
        inputs.append(m.constant(drawn(m.rng, (1,) if m.ask.pick((True, False)) else (), s.type), s.type, **q))
    result = m.value(shape, s.type, s.scale, s.zero)
    return m.step(op, inputs, result, **({"mode": mode} if op == "MIRROR_PAD" else {}))


@maker("CONCATENATION")
def concatenation(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", *INTEGERS))
    if x is None or not m.spec(x).shape:
        return False
    s = m.spec(x)
    axis = m.ask.whole(-len(s.shape), len(s.shape) - 1)
    parts = [x]
    for _ in range(m.ask.whole(0, 2)):
        shape = tuple(m.ask.whole(1, 3) if i == axis % len(s.shape) else n for i, n in enumerate(s.shape))
        q: dict[str, Any] = {"scales": s.scales, "zeros": s.zeros} if s.scales else {}
        if s.type == "UINT8":
            q = {"scales": [m.scale()], "zeros": [m.zero("UINT8")]}
        parts.insert(m.ask.pick((0, len(parts))), m.constant(drawn(m.rng, shape, s.type), s.type, **q))
    shape = tuple(
        sum(m.spec(p).shape[i] for p in parts) if i == axis % len(s.shape) else n for i, n in enumerate(s.shape)
    )
    same = s.type != "UINT8" or m.ask.pick((True, False))
    result = m.value(shape, s.type, s.scale if same else None, s.zero if same else None)
    return m.step("CONCATENATION", parts, result, axis=axis)


@maker("TRANSPOSE")
def transpose(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", *INTEGERS))
    if x is None:
        return False
    s = m.spec(x)
    order = m.rng.permutation(len(s.shape)).tolist()
    if m.ask.pick((True, True, False)):
        order = [0, *(a for a in order if a)]
    shape = tuple(s.shape[a] for a in order)
    return m.step("TRANSPOSE", [x, m.constant(order, "INT32")], m.value(shape, s.type, s.scale, s.zero))


@maker("RESHAPE")
def reshape(m: Maker) -> bool:
    x = m.flow(types=("FLOAT32", *INTEGERS))
    if x is None:
        return False
    s = m.spec(x)
    size = prod(s.shape)
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    a = m.ask.pick(divisors)
    shape = m.ask.pick(((1, size), (1, a, size // a), (1, a, 1, size // a), (a, size // a), (size,)))
    said = [-1 if m.ask.pick((False, True)) and i == 0 else n for i, n in enumerate(shape)]
    result = m.value(shape, s.type, s.scale, s.zero)
    if m.ask.pick((True, False)):
        return m.step("RESHAPE", [x, m.constant(said, "INT32")], result, new_shape=list(shape))
    return m.step("RESHAPE", [x], result, new_shape=said)

"""Draws ONNX models: a chain of operators, each with attributes and constants that fit what was made before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BATCH = 3
OPSETS = (13, 17, 18, 19, 20, 21, 22, 23)
PLAIN = ("Abs", "Atan", "Ceil", "Cos", "Erf", "Floor", "Identity", "Mish", "Neg", "Relu", "Round", "Sigmoid", "Sign",
         "Sin", "Softplus", "Softsign", "Tanh", "HardSwish")  # fmt: skip
NUMBERS: dict[str, tuple[str, ...]] = {
    "LeakyRelu": ("alpha",), "Elu": ("alpha",), "Celu": ("alpha",), "ThresholdedRelu": ("alpha",),
    "Selu": ("alpha", "gamma"), "HardSigmoid": ("alpha", "beta"), "Shrink": ("lambd", "bias"),
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A model, and what its inputs are fed."""

    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]


@dataclass
class Tensor:
    """A tensor that was made: name, whole shape, type."""

    name: str
    shape: tuple[int, ...]
    kind: str = "float32"


@dataclass
class Builder:
    """Everything follows from the seed; ``steps`` counts the operators that were tried."""

    rng: np.random.Generator
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    made: list[Tensor] = field(default_factory=list)
    open_batch: bool = True

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def upto(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def real(self, low: float = 0.1, high: float = 1.5) -> float:
        return float(np.float32(self.rng.uniform(low, high)))

    def constant(self, value: Any) -> str:
        name = f"c{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def floats(self, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        return self.constant(self.rng.uniform(low, high, shape).astype(np.float32))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def node(self, op: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names

    def axis(self, x: Tensor, low: int = 1) -> int:
        axis = self.upto(low, len(x.shape) - 1)
        return axis - len(x.shape) if self.upto(0, 1) else axis

    def proto(self, outputs: list[str]) -> onnx.ModelProto:
        infos = []
        for t in self.inputs:
            shape: list[Any] = ["N" if self.open_batch else t.shape[0], *t.shape[1:]]
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(t.kind))
            infos.append(helper.make_tensor_value_info(t.name, kind, shape))
        ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "drawn", infos, ends, self.stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)


def draw_model(seed: int, count: int, skip: list[int]) -> Drawn:
    """Draw a model of about ``count`` operators; those whose number is in ``skip`` are left out."""
    rng = np.random.default_rng(seed)
    b = Builder(rng, int(rng.choice(OPSETS)))
    b.open_batch = bool(rng.random() < 0.7)
    rank = int(rng.choice([1, 2, 2, 3, 3, 3]))
    shape = (BATCH, *(int(rng.integers(1, 6)) for _ in range(rank)))
    b.inputs = [Tensor("x", shape)]
    if rng.random() < 0.3:
        b.inputs.append(Tensor("z", shape if rng.random() < 0.7 else (BATCH, *(1 for _ in range(rank)))))
    b.made = list(b.inputs)
    for k in range(count):
        seeds = int(rng.integers(1 << 30))
        if k not in skip:
            _grow(b, np.random.default_rng(seeds))
    used = {name for node in b.nodes for name in node.input}
    ends = [t for t in b.made if t.name not in used and t not in b.inputs] or [_identity(b)]
    fed = {t.name: rng.uniform(-2, 2, t.shape).astype(t.kind) for t in b.inputs}
    return Drawn(b.proto([t.name for t in ends]), fed)


def _identity(b: Builder) -> Tensor:
    (name,) = b.node("Identity", ["x"])
    return Tensor(name, b.inputs[0].shape)


def _grow(b: Builder, rng: np.random.Generator) -> None:
    """Add an operator; taken back where onnx finds no shape for it."""
    before = len(b.nodes), len(b.stored)
    own, b.rng = b.rng, rng
    try:
        x = b.made[-1] if rng.random() < 0.8 else b.made[int(rng.integers(len(b.made)))]
        names = _make(b, x)
        shapes = _shapes(b, names)
        b.made += [Tensor(n, *shapes[n]) for n in names]
    except (ValueError, onnx.shape_inference.InferenceError, IndexError, KeyError):
        del b.nodes[before[0] :], b.stored[before[1] :]
    finally:
        b.rng = own


def _shapes(b: Builder, names: list[str]) -> dict[str, tuple[tuple[int, ...], str]]:
    open_batch, b.open_batch = b.open_batch, False
    proto = onnx.shape_inference.infer_shapes(b.proto(names), strict_mode=True, data_prop=True)
    b.open_batch = open_batch
    found = {}
    for info in proto.graph.output:
        tensor = info.type.tensor_type
        shape = tuple(d.dim_value for d in tensor.shape.dim)
        if not tensor.HasField("shape") or min(shape, default=1) < 1 or np.prod(shape) > 4000 or len(shape) > 5:
            raise ValueError(f"a shape of {shape}")
        found[info.name] = shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return found


def _make(b: Builder, x: Tensor) -> list[str]:
    if x.kind == "bool":
        return b.pick(_boolean, _cast)(b, x)
    if x.kind != "float32":
        return b.pick(_cast, _integers, _moved, _shaped)(b, x)
    makers: list[Callable[[Builder, Tensor], list[str]]] = [
        _plain,
        _numbers,
        _binary,
        _binary,
        _reduced,
        _along,
        _moved,
        _shaped,
        _picked,
        _products,
        _asked,
        _sorted,
    ]
    if len(x.shape) >= 3:
        makers += [_window, _window, _normalized, _resized, _recurrent if len(x.shape) == 3 else _space, _scattered]
    return b.pick(*makers)(b, x)


def _plain(b: Builder, x: Tensor) -> list[str]:
    op = b.pick(*PLAIN, "Gelu", "Clip", "Pow", "Mod", "Exp", "Sqrt", "Log", "Reciprocal")
    if op == "Clip":
        return b.node(op, [x.name, b.pick("", b.constant(np.float32(-0.5))), b.constant(np.float32(b.real()))])
    if op in ("Pow", "Mod"):
        more = {"fmod": 1} if op == "Mod" else {}
        base = b.node("Abs", [x.name])[0] if op == "Pow" else x.name
        return b.node(op, [base, b.constant(np.float32(b.pick(0.5, 1.5, 2.0, 3.0)))], **more)
    if op in ("Sqrt", "Log", "Reciprocal"):
        inner = b.node("Add", [b.node("Abs", [x.name])[0], b.constant(np.float32(0.5))])[0]
        return b.node(op, [inner])
    if op == "Exp":
        return b.node(op, [b.node("Tanh", [x.name])[0]])
    return b.node(op, [x.name], **({"approximate": b.pick("none", "tanh")} if op == "Gelu" else {}))


def _numbers(b: Builder, x: Tensor) -> list[str]:
    op = b.pick(*NUMBERS)
    return b.node(op, [x.name], **{key: b.real() for key in NUMBERS[op] if b.upto(0, 2)})


def _like(b: Builder, x: Tensor) -> str:
    """Another operand of the same rank: computed, or a constant that broadcasts."""
    same = [t for t in b.made if t.kind == x.kind and len(t.shape) == len(x.shape) and t is not x
            and all(n == m or 1 in (n, m) for n, m in zip(t.shape, x.shape, strict=True))]  # fmt: skip
    if same and b.upto(0, 1):
        return same[b.upto(0, len(same) - 1)].name
    shape = tuple(b.pick(1, n) for n in x.shape[1:])
    return b.floats(*shape[b.upto(0, max(len(shape) - 1, 0)) :])


def _binary(b: Builder, x: Tensor) -> list[str]:
    op = b.pick("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Where", "Mean", "Sum")
    y = _like(b, x)
    if op == "Div":
        return b.node(op, [x.name, b.node("Add", [b.node("Abs", [y])[0], b.constant(np.float32(0.5))])[0]])
    if op == "PRelu":
        return b.node(op, [x.name, b.floats(*(b.pick(1, n) for n in x.shape[1:]))])
    if op == "Where":
        asked = b.node(b.pick("Greater", "LessOrEqual"), [x.name, y])[0]
        return b.node(op, [asked, *b.pick((x.name, y), (y, x.name))])
    return b.node(op, [x.name, y] if b.upto(0, 1) else [y, x.name])


def _reduced(b: Builder, x: Tensor) -> list[str]:
    kind = b.pick("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")
    axes = sorted({b.upto(0 if b.upto(0, 9) == 0 else 1, len(x.shape) - 1) for _ in range(2)})
    attributes: dict[str, Any] = {"keepdims": b.upto(0, 1)}
    if kind == "Sum" or b.opset >= 18:
        return b.node(f"Reduce{kind}", [x.name, b.ints(*axes)], **attributes)
    return b.node(f"Reduce{kind}", [x.name], axes=axes, **attributes)


def _along(b: Builder, x: Tensor) -> list[str]:
    op = b.pick("Softmax", "LogSoftmax", "LpNormalization", "CumSum", "Hardmax")
    axis = b.axis(x)
    if op == "CumSum":
        return b.node(op, [x.name, b.constant(np.int64(axis))], exclusive=b.upto(0, 1), reverse=b.upto(0, 1))
    name = _untied(b, x) if op == "Hardmax" else x.name
    return b.node(op, [name], axis=axis, **({"p": 2} if op == "LpNormalization" else {}))


def _moved(b: Builder, x: Tensor) -> list[str]:
    rank = len(x.shape)
    match b.pick("Transpose", "Slice", "Concat", "Split", "Tile", "Trilu", "Gather", "Pad"):
        case "Transpose":
            kept, any_order = b.rng.permutation(rank - 1) + 1, b.rng.permutation(rank)
            order = [0, *kept] if b.upto(0, 9) else any_order
            return b.node("Transpose", [x.name], perm=[int(a) for a in order])
        case "Slice":
            axis = b.axis(x)
            n = x.shape[axis]
            start, stop, step = b.pick((0, n, 2), (1, n, 1), (-1, -n - 1, -1), (0, max(n - 1, 1), 1), (n, 0, -2))
            return b.node("Slice", [x.name, b.ints(start), b.ints(stop), b.ints(axis), b.ints(step)])
        case "Concat":
            return b.node("Concat", [x.name, x.name] if b.upto(0, 1) else [x.name], axis=b.axis(x))
        case "Split" if b.opset < 18:
            axis = b.axis(x)
            n = x.shape[axis]
            return b.node("Split", [x.name, b.ints(1, n - 1)], 2, axis=axis)
        case "Tile":
            return b.node("Tile", [x.name, b.ints(1, *(b.upto(1, 2) for _ in range(rank - 1)))])
        case "Trilu" if b.opset >= 14:
            return b.node("Trilu", [x.name, b.constant(np.int64(b.upto(-2, 2)))], upper=b.upto(0, 1))
        case "Gather":
            axis = b.axis(x)
            picks = b.rng.integers(-x.shape[axis], x.shape[axis], b.pick((), (2,), (2, 2)))
            return b.node("Gather", [x.name, b.constant(np.asarray(picks, np.int64))], axis=axis)
    mode = b.pick("constant", "edge", "reflect") if x.kind == "float32" else "constant"
    most = [0 if mode == "reflect" and n < 3 else min(2, n - 1) if mode == "reflect" else 2 for n in x.shape[1:]]
    pads = [b.upto(0, m) for m in most], [b.upto(0, m) for m in most]
    value = [] if x.kind != "float32" else [b.constant(np.float32(b.real()))]
    return b.node("Pad", [x.name, b.ints(0, *pads[0], 0, *pads[1]), *value], mode=mode)


def _shaped(b: Builder, x: Tensor) -> list[str]:
    rank = len(x.shape)
    match b.pick("Reshape", "Flatten", "Unsqueeze", "Squeeze", "Expand"):
        case "Flatten":
            return b.node("Flatten", [x.name], axis=b.pick(1, 1 - rank))
        case "Unsqueeze":
            return b.node("Unsqueeze", [x.name, b.ints(b.upto(1, rank))])
        case "Squeeze":
            ones = [i for i, n in enumerate(x.shape) if n == 1 and i]
            return b.node("Squeeze", [x.name, b.ints(*ones)]) if ones else b.node("Identity", [x.name])
        case "Expand":
            return b.node("Expand", [x.name, b.ints(*(2 if n == 1 and i else 1 for i, n in enumerate(x.shape)))])
    rest = list(x.shape[1:])
    return b.node("Reshape", [x.name, b.ints(*b.pick((0, -1), (-1, *rest), (0, *rest, 1), (0, *rest[:1], -1)))])


def _picked(b: Builder, x: Tensor) -> list[str]:
    """Places that are computed: ArgMax of one tensor picks in another."""
    axis = b.upto(1, len(x.shape) - 1)
    at = b.node(b.pick("ArgMax", "ArgMin"), [_untied(b, x)], axis=axis, keepdims=1, select_last_index=b.upto(0, 1))[0]
    match b.pick("elements", "embedding", "onehot", "index"):
        case "elements":
            return b.node("GatherElements", [x.name, at], axis=axis)
        case "embedding":
            return b.node("Gather", [b.floats(x.shape[axis], 2), at], axis=0)
        case "onehot":
            return b.node("OneHot", [at, b.constant(np.int64(x.shape[axis])), b.floats(2)], axis=b.pick(1, -1))
    return [at]


def _products(b: Builder, x: Tensor) -> list[str]:
    n = x.shape[-1]
    match b.pick("MatMul", "Gemm", "own", "Einsum"):
        case "Gemm" if len(x.shape) == 2:
            trans = b.upto(0, 1)
            shape = (4, n) if trans else (n, 4)
            return b.node("Gemm", [x.name, b.floats(*shape), b.floats(b.pick(1, 4))], transB=trans, alpha=b.real(),
                          beta=b.real())  # fmt: skip
        case "own" if len(x.shape) > 2:
            order = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
            return b.node("MatMul", [x.name, b.node("Transpose", [x.name], perm=order)[0]])
        case "Einsum" if len(x.shape) == 3:
            equation = b.pick("bij,jk->bik", "bij,jk->bki", "bij,jk->bk")
            return b.node("Einsum", [x.name, b.floats(n, 2)], equation=equation)
    return b.node("MatMul", [x.name, b.floats(n, b.upto(1, 4))])


def _untied(b: Builder, x: Tensor) -> str:
    """Add numbers of its own to each element: equal ones, of which rounding decides the order, become rare."""
    return b.node("Add", [x.name, b.floats(*x.shape[1:])])[0]


def _asked(b: Builder, x: Tensor) -> list[str]:
    return b.node(b.pick("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), [x.name, _like(b, x)])


def _sorted(b: Builder, x: Tensor) -> list[str]:
    axis = b.axis(x)
    count = b.ints(b.upto(1, x.shape[axis]))
    return b.node("TopK", [_untied(b, x), count], 2, axis=axis, largest=b.upto(0, 1), sorted=1)


def _boolean(b: Builder, x: Tensor) -> list[str]:
    op = b.pick("Not", "And", "Or", "Xor")
    return b.node(op, [x.name] if op == "Not" else [x.name, b.constant(b.rng.random(x.shape[1:]) < 0.5)])


def _cast(b: Builder, x: Tensor) -> list[str]:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64)
    return b.node("Cast", [x.name], to=b.pick(*kinds))


def _integers(b: Builder, x: Tensor) -> list[str]:
    op = b.pick("Add", "Mul", "Mod", "Div", "Max")
    low, high = (1, 3) if op in ("Mod", "Div") else (-3, 3)
    return b.node(op, [x.name, b.constant(b.rng.integers(low, high, x.shape[1:], endpoint=True).astype(x.kind))])


def _window(b: Builder, x: Tensor) -> list[str]:
    space, rank = x.shape[2:], len(x.shape) - 2
    kernel = [b.upto(1, min(3, n)) for n in space]
    strides = [b.upto(1, 2) for _ in space]
    op = b.pick("Conv", "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")
    pads = [b.upto(0, k - 1) for k in kernel * 2]
    more: dict[str, Any] = {"strides": strides, "pads": [min(p, k // 2) for p, k in zip(pads, kernel * 2, strict=True)]}
    if op in ("Conv", "ConvTranspose"):
        channels = x.shape[1]
        group = b.pick(1, channels)
        filters = group * b.upto(1, 2)
        shape = (filters, channels // group, *kernel) if op == "Conv" else (channels, filters // group, *kernel)
        inputs = [x.name, b.floats(*shape), *([b.floats(filters)] if b.upto(0, 1) else [])]
        if op == "ConvTranspose" and b.upto(0, 1):
            more["output_padding"] = [b.upto(0, s - 1) for s in strides]
        if not b.upto(0, 3):
            more = {"strides": [1] * rank, "auto_pad": b.pick("SAME_UPPER", "SAME_LOWER", "VALID")}
        return b.node(op, inputs, group=group, **more)
    if op == "AveragePool":
        more["count_include_pad"] = b.upto(0, 1)
    if op == "LpPool":
        more["p"] = b.upto(1, 3)
    elif b.upto(0, 1):
        more["ceil_mode"] = 1
    return b.node(op, [x.name], kernel_shape=kernel, **more)


def _normalized(b: Builder, x: Tensor) -> list[str]:
    c = x.shape[1]
    match b.pick("BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN", "GlobalAveragePool"):
        case "BatchNormalization":
            return b.node("BatchNormalization", [x.name, *(b.floats(c) for _ in range(3)), b.floats(c, low=0.2)])
        case "InstanceNormalization":
            return b.node("InstanceNormalization", [x.name, b.floats(c), b.floats(c)], epsilon=0.01)
        case "LayerNormalization" if b.opset >= 17:
            axis = b.upto(1, len(x.shape) - 1)
            return b.node("LayerNormalization", [x.name, b.floats(*x.shape[axis:])], axis=axis, epsilon=0.01)
        case "LRN" if len(x.shape) == 4:
            return b.node("LRN", [x.name], size=b.pick(1, 3, 5), alpha=b.real())
    return b.node(b.pick("GlobalAveragePool", "GlobalMaxPool"), [x.name])


def _resized(b: Builder, x: Tensor) -> list[str]:
    if b.open_batch:
        scales = np.float32([1, 1, *(b.pick(1.0, 2.0, 0.5, 1.5) for _ in x.shape[2:])])
        return b.node("Resize", [x.name, "", b.constant(scales)], mode=b.pick("nearest", "linear"))
    sizes = [x.shape[0], x.shape[1], *(b.upto(1, 7) for _ in x.shape[2:])]
    mode = b.pick("nearest", "linear", "cubic") if len(x.shape) == 4 else "nearest"
    how = b.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    nearest = b.pick("round_prefer_floor", "floor", "ceil", "round_prefer_ceil")
    more = {"nearest_mode": nearest} if mode == "nearest" else {}
    return b.node("Resize", [x.name, "", "", b.ints(*sizes)], mode=mode, coordinate_transformation_mode=how, **more)


def _recurrent(b: Builder, x: Tensor) -> list[str]:
    op, units = b.pick("LSTM", "GRU", "RNN"), b.upto(1, 3)
    way = b.pick("forward", "reverse", "bidirectional")
    d, gates = 1 + (way == "bidirectional"), {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    turned = b.node("Transpose", [x.name], perm=[1, 0, 2])[0]
    inputs = [turned, b.floats(d, gates * units, x.shape[-1]), b.floats(d, gates * units, units)]
    inputs += [b.floats(d, 2 * gates * units)] if b.upto(0, 1) else []
    more = {"linear_before_reset": b.upto(0, 1)} if op == "GRU" else {}
    y = b.node(op, inputs, 2, hidden_size=units, direction=way, **more)
    if b.upto(0, 1):
        return b.node("Transpose", [y[1]], perm=[1, 0, 2])
    return b.node("Transpose", [y[0]], perm=[2, 0, 1, 3])


def _space(b: Builder, x: Tensor) -> list[str]:
    if b.opset >= 16 and b.upto(0, 1) and len(x.shape) == 4:
        grid = b.floats(1, 2, 3, 2, low=-1.4, high=1.4)
        scaled = b.node("Mul", [grid, b.node("Tanh", [_one(b, x)])[0]])[0]
        names = ("linear", "nearest") if b.opset >= 20 else ("bilinear", "nearest")
        return b.node("GridSample", [x.name, scaled], mode=b.pick(*names), align_corners=b.upto(0, 1),
                      padding_mode=b.pick("zeros", "border", "reflection"))  # fmt: skip
    fits = all(n % 2 == 0 for n in x.shape[2:]) and len(x.shape) == 4
    return b.node("SpaceToDepth", [x.name], blocksize=2) if fits else b.node("Identity", [x.name])


def _one(b: Builder, x: Tensor) -> str:
    """A number for each sample, [batch, 1, 1, 1]."""
    axes = list(range(1, len(x.shape)))
    return b.node("ReduceSum", [x.name, b.ints(*axes)], keepdims=1)[0]


def _scattered(b: Builder, x: Tensor) -> list[str]:
    axis = b.upto(1, len(x.shape) - 1)
    at = b.node("ArgMax", [_untied(b, x)], axis=axis, keepdims=1)[0]
    update = b.node("ReduceSum", [x.name, b.ints(axis)], keepdims=1)[0]
    kind = b.pick("none", "add", "mul") if b.opset < 18 else b.pick("none", "add", "mul", "max", "min")
    more = {} if b.opset < 16 else {"reduction": kind}
    return b.node("ScatterElements", [x.name, at, update], axis=axis, **more)

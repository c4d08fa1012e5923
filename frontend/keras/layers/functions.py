"""Functions of ``keras.ops`` in functional models: arithmetic, comparisons, reductions, products.

Their tensors have the batch as first axis; ours do not. Where a function would mix the batch with another axis it is
refused.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ....graph import Array, Fixed, Node, Op
from ....graph.formats import Overflow, Rounding
from ....graph.ops import (
    Activation,
    Add,
    ArgMax,
    Compare,
    Comparison,
    Constant,
    Div,
    MatMul,
    Maximum,
    Minimum,
    Mul,
    Power,
    Quantize,
    Reduce,
    Reduction,
    Select,
    Sub,
)
from ...einsum import Equation, product
from ..masks import constant_mask, opposite
from ..registry import ACTIVATIONS, Layer, function
from .activations import apply_activation
from .common import axes_of, axis_of, reshape

INTEGER = Fixed(32, 32)
CONSTANT_HINT = "give one number per channel: its first axis would meet the batch"


def argument(layer: Layer, name: str, default: Any = None) -> Any:
    """Give an argument, which may be in the call or in the configuration."""
    if name in layer.call:
        return layer.call.take(name)
    return layer.config.take(name, default)


def tensor(layer: Layer, name: str) -> Node:
    """Give an argument that must be a tensor of the model."""
    value = argument(layer, name)
    if not isinstance(value, Node):
        raise layer.unsupported(f"{name} = {str(value)[:80]}, not a tensor", "write it with layers")
    return value


def real(layer: Layer, name: str) -> Node:
    """Give an argument that must be a tensor of real numbers."""
    x = tensor(layer, name)
    if x in layer.masks.types:
        raise layer.unsupported(f"{layer.class_name} of {layer.masks.types[x]} values", "cast to float32 first")
    return x


def operands(layer: Layer, *names: str) -> list[Node]:
    """Give arguments that broadcast against each other: tensors of the model, numbers, arrays."""
    values = [argument(layer, n) for n in names]
    ranks = {len(v.shape) for v in values if isinstance(v, Node)}
    if len(ranks) != 1:
        what = f"tensors of shapes {[v.shape for v in values if isinstance(v, Node)]}"
        raise layer.unsupported(what, "their batches would not meet; reshape to the same number of axes")
    return [v if isinstance(v, Node) else _constant(layer, v, min(ranks), values) for v in values]


def _constant(layer: Layer, value: Any, rank: int, others: list[Any]) -> Node:
    array = np.asarray(value, np.float64)
    if array.ndim > rank + 1 or (array.ndim == rank + 1 and array.shape[0] != 1):
        raise layer.unsupported(f"an array of shape {array.shape}", CONSTANT_HINT)
    array = array[0] if array.ndim == rank + 1 else array
    types = [layer.masks.types.get(v) for v in others if isinstance(v, Node)]
    if "bool" in types and np.isin(array, (0, 1)).all():
        return constant_mask(layer, array)
    if "int" in types and (array == np.round(array)).all() and np.abs(array).max(initial=0) < 1 << 31:
        return Node(Constant(Array(array.astype(np.int64)), INTEGER), (), layer.name)
    return (
        layer.scalar(float(array), next(v for v in others if isinstance(v, Node)))
        if array.ndim == 0
        else (layer.constant(array))
    )


# Arithmetic


def _pointwise(op: Op, kept: bool) -> Callable[[Layer, list[Node]], Node]:
    def build(layer: Layer, inputs: list[Node]) -> Node:
        x, y = operands(layer, "x1", "x2")
        types = {layer.masks.types.get(v, "int" if v.type.is_integer and _whole(v) else "") for v in (x, y)}
        if "bool" in types:
            raise layer.unsupported(f"{layer.class_name} of truth values", "cast to float32 first")
        result = layer.node(op, x, y)
        if kept and types == {"int"} and any(v in layer.masks.types for v in (x, y)):
            layer.masks.types[result] = "int"
        return result

    return build


def _whole(x: Node) -> bool:
    return isinstance(x.op, Constant) and x.type.format == INTEGER


for _names, _op, _kept in [
    (("Add",), Add(), True), (("Subtract",), Sub(), True), (("Multiply",), Mul(), True),
    (("Maximum", "Fmax"), Maximum(), True), (("Minimum", "Fmin"), Minimum(), True),
    (("Divide", "TrueDivide"), Div(), False), (("Power",), Power(), False),
]:  # fmt: skip
    function(*_names, arguments=("x1", "x2"))(_pointwise(_op, _kept))


def _unary(name: str, *parameters: float) -> Callable[[Layer, list[Node]], Node]:
    def build(layer: Layer, inputs: list[Node]) -> Node:
        return layer.node(Activation(name, parameters), real(layer, "x"))

    return build


for _names, _function in {
    ("Exp",): "exp", ("Log",): "log", ("Sqrt",): "sqrt", ("Rsqrt",): "rsqrt", ("Reciprocal",): "reciprocal",
    ("Erf",): "erf", ("Sin",): "sin", ("Cos",): "cos", ("Tan",): "tan", ("Arcsin",): "asin", ("Arccos",): "acos",
    ("Arctan",): "atan", ("Sinh",): "sinh", ("Cosh",): "cosh", ("Arcsinh",): "asinh", ("Arccosh",): "acosh",
    ("Arctanh",): "atanh", ("Absolute", "Abs", "Fabs"): "abs", ("Sign",): "sign", ("Floor",): "floor",
    ("Ceil",): "ceil", ("Tanh",): "tanh",
}.items():  # fmt: skip
    function(*_names, arguments=("x",))(_unary(_function))


@function("Round", arguments=("x",))
def round_(layer: Layer, inputs: list[Node]) -> Node:
    """Import rounding to whole numbers, halves to even."""
    if argument(layer, "decimals", 0) != 0:
        raise layer.config.refusal("decimals", argument(layer, "decimals"), "round to whole numbers")
    return layer.node(Activation("round"), real(layer, "x"))


@function("Negative", arguments=("x",))
def negative(layer: Layer, inputs: list[Node]) -> Node:
    """Import -x."""
    x = real(layer, "x")
    return layer.node(Sub(), layer.scalar(0.0, x), x)


@function("Square", arguments=("x",))
def square(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * x."""
    x = real(layer, "x")
    return layer.node(Mul(), x, x)


@function("Clip", arguments=("x", "x_min", "x_max"))
def clip(layer: Layer, inputs: list[Node]) -> Node:
    """Import min(max(x, least), greatest)."""
    x, least, most = real(layer, "x"), argument(layer, "x_min"), argument(layer, "x_max")
    if not all(isinstance(v, (int, float)) for v in (least, most)):
        raise layer.unsupported(f"bounds {least}, {most}", "give numbers")
    return layer.node(Minimum(), layer.node(Maximum(), x, layer.scalar(least, x)), layer.scalar(most, x))


ACTIVATION_CLASSES = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "SparseSigmoid": "sparse_sigmoid",
    "Softplus": "softplus", "Softsign": "softsign", "SparsePlus": "sparse_plus", "Silu": "silu",
    "LogSigmoid": "log_sigmoid", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Selu": "selu",
    "Gelu": "gelu", "TanhShrink": "tanh_shrink", "HardTanh": "hard_tanh", "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
}  # fmt: skip
"""Functions with the name of an activation, and its arguments."""
PARAMETERS = {
    "LeakyRelu": ("leaky_relu", "negative_slope", 0.2), "Elu": ("elu", "alpha", 1.0), "Celu": ("celu", "alpha", 1.0),
    "Squareplus": ("squareplus", "b", 4.0), "HardShrink": ("hard_shrink", "threshold", 0.5),
}  # fmt: skip


@function(*ACTIVATION_CLASSES, arguments=("x", "axis"))
def activated(layer: Layer, inputs: list[Node]) -> Node:
    """Import a function that is an activation, too."""
    keys = {"Gelu": ("approximate",), "Softmax": ("axis",), "LogSoftmax": ("axis",)}.get(layer.class_name, ())
    config = {key: argument(layer, key) for key in keys if key in layer.config or key in layer.call}
    name = ACTIVATION_CLASSES[layer.class_name]
    if name == "gelu" and not config:
        config = {"approximate": True}
    x = real(layer, "x")
    if config.get("axis", -1) is None or isinstance(config.get("axis"), list):
        raise layer.config.refusal("axis", config["axis"], "give one axis")
    assert name in ACTIVATIONS
    return apply_activation(layer, x, {"class_name": name, "config": config}, layer.class_name)


@function(*PARAMETERS, arguments=("x",))
def with_parameter(layer: Layer, inputs: list[Node]) -> Node:
    """Import a function of one value with a parameter."""
    name, key, default = PARAMETERS[layer.class_name]
    value = argument(layer, key, default)
    return layer.node(Activation(name, (float(value),)), real(layer, "x"))


# Comparisons and truth values

COMPARISONS = {
    "Equal": (Comparison.EQUAL, False, False), "NotEqual": (Comparison.EQUAL, False, True),
    "Less": (Comparison.LESS, False, False), "LessEqual": (Comparison.LESS_EQUAL, False, False),
    "Greater": (Comparison.LESS, True, False), "GreaterEqual": (Comparison.LESS_EQUAL, True, False),
}  # fmt: skip


@function(*COMPARISONS, arguments=("x1", "x2"))
def compare(layer: Layer, inputs: list[Node]) -> Node:
    """Import a comparison, which gives truth values."""
    kind, exchanged, negated = COMPARISONS[layer.class_name]
    x, y = operands(layer, "x1", "x2")
    result = layer.node(Compare(kind), *((y, x) if exchanged else (x, y)))
    return truth(layer, opposite(layer, result) if negated else result)


def truth(layer: Layer, x: Node) -> Node:
    """Note that a tensor is one of truth values."""
    layer.masks.types[x] = "bool"
    return x


def condition(layer: Layer, name: str) -> Node:
    """Give an argument that must be truth values."""
    x = tensor(layer, name)
    if layer.masks.types.get(x) != "bool":
        raise layer.unsupported(f"{layer.class_name} of numbers", "compare with something first")
    return x


@function("LogicalAnd", "LogicalOr", "LogicalXor", arguments=("x1", "x2"))
def logical(layer: Layer, inputs: list[Node]) -> Node:
    """Import and, or, exclusive or."""
    x, y = condition(layer, "x1"), condition(layer, "x2")
    if len(x.shape) != len(y.shape):
        raise layer.unsupported(f"truth values {x.shape} and {y.shape}", "reshape to the same number of axes")
    if layer.class_name == "LogicalXor":
        return truth(layer, opposite(layer, layer.node(Compare(Comparison.EQUAL), x, y)))
    return truth(layer, layer.node(Minimum() if layer.class_name == "LogicalAnd" else Maximum(), x, y))


@function("LogicalNot", arguments=("x",))
def logical_not(layer: Layer, inputs: list[Node]) -> Node:
    """Import not."""
    return truth(layer, opposite(layer, condition(layer, "x")))


@function("Where", arguments=("condition", "x1", "x2"))
def where(layer: Layer, inputs: list[Node]) -> Node:
    """Import a choice by truth values."""
    asked = condition(layer, "condition")
    x, y = (argument(layer, n) for n in ("x1", "x2"))
    if x is None or y is None:
        raise layer.unsupported("where without values", "give both values")
    nodes = [v for v in (x, y) if isinstance(v, Node)]
    if any(len(v.shape) != len(asked.shape) or v in layer.masks.types for v in nodes):
        raise layer.unsupported("a choice among tensors of other shapes or types", "reshape, or cast to float32")
    like = nodes[0] if nodes else asked
    values = [v if isinstance(v, Node) else _constant(layer, v, len(asked.shape), [like]) for v in (x, y)]
    return layer.node(Select(), asked, *values)


@function("Cast", arguments=("x",))
def cast(layer: Layer, inputs: list[Node]) -> Node:
    """Import a change of type: to float32 nothing, to whole numbers a cut toward zero."""
    x, dtype = tensor(layer, "x"), argument(layer, "dtype")
    kind = layer.masks.types.get(x)
    name = str(dtype)
    if name in ("float32", "float64"):
        return _untyped(layer, x) if kind else x
    if name == "bool":
        return x if kind == "bool" else truth(layer, opposite(layer, layer.node(_equal(), x, layer.scalar(0.0, x))))
    if name in ("int32", "int64"):
        y = layer.node(Quantize(INTEGER, Rounding.TRN_ZERO, Overflow.SAT, "a cast to whole numbers"), x)
        layer.masks.types[y] = "int"
        return y
    raise layer.config.refusal("dtype", dtype, "cast to float32, int32 or bool")


def _equal() -> Op:
    return Compare(Comparison.EQUAL)


def _untyped(layer: Layer, x: Node) -> Node:
    """Give the same numbers as a tensor of real numbers."""
    return layer.node(Add(), x, Node(Constant(Array(np.array(0)), Fixed(1, 1)), (), layer.name))


# Reductions and products

REDUCTIONS = {
    "Sum": Reduction.SUM, "Mean": Reduction.MEAN, "Max": Reduction.MAX, "Amax": Reduction.MAX, "Min": Reduction.MIN,
    "Amin": Reduction.MIN, "Prod": Reduction.PROD,
}  # fmt: skip


@function(*REDUCTIONS, "Any", "All", arguments=("x", "axis", "keepdims"))
def reduce(layer: Layer, inputs: list[Node]) -> Node:
    """Import a reduction over axes other than the batch."""
    logic = layer.class_name in ("Any", "All")
    x = condition(layer, "x") if logic else real(layer, "x")
    for key in ("initial", "dtype"):
        layer.config.expect(key, None)
    value, keep = argument(layer, "axis"), bool(argument(layer, "keepdims", False))
    if value is None:
        raise layer.config.refusal("axis", None, "name the axes; all of them would count the batch")
    axes = axes_of(layer, "axis", value, len(x.shape))
    if logic:
        kind = Reduction.MAX if layer.class_name == "Any" else Reduction.MIN
        return truth(layer, layer.node(Reduce(kind, axes, keep), x))
    return layer.node(Reduce(REDUCTIONS[layer.class_name], axes, keep), x)


@function("Argmax", "Argmin", arguments=("x", "axis", "keepdims"))
def arg_max(layer: Layer, inputs: list[Node]) -> Node:
    """Import the index of the greatest value, the first of equal ones."""
    x, value = real(layer, "x"), argument(layer, "axis")
    if value is None:
        raise layer.config.refusal("axis", None, "name the axis; all of them would count the batch")
    axis = axis_of(layer, "axis", value, len(x.shape))
    keep = bool(argument(layer, "keepdims", False))
    y = layer.node(ArgMax(axis, keep=keep, minimum=layer.class_name == "Argmin"), x)
    layer.masks.types[y] = "int"
    return y


@function("Matmul", arguments=("x1", "x2"))
def matmul(layer: Layer, inputs: list[Node]) -> Node:
    """Import products of matrices; the batch is an axis before them."""
    x, y = (argument(layer, n) for n in ("x1", "x2"))
    if isinstance(x, Node) and not isinstance(y, Node):
        right = np.asarray(y, np.float32)
        if right.ndim == 2 and len(x.shape) >= 2:
            return layer.node(MatMul(), x, layer.constant(right))
        if right.ndim == 2 and len(x.shape) == 1:
            row = layer.node(MatMul(), reshape(layer, x, (1, *x.shape)), layer.constant(right))
            return reshape(layer, row, row.shape[1:])
    nodes = all(isinstance(v, Node) and v not in layer.masks.types for v in (x, y))
    if not nodes or len(x.shape) != len(y.shape) or len(x.shape) < 2:
        raise layer.unsupported("a product of these operands", "multiply tensors of matrices, or use Dot")
    return layer.node(MatMul(), x, y)


@function("Einsum", arguments=("a", "b", "c"))
def einsum(layer: Layer, inputs: list[Node]) -> Node:
    """Import sums of products over named axes; the batch must be the first one of all."""
    text = str(argument(layer, "subscripts")).replace(" ", "")
    x, y = (real(layer, n) for n in ("a", "b"))
    source, _, out = text.partition("->")
    parts = source.split(",")
    batch = text[:1]
    if len(parts) != 2 or not batch.isalpha() or not all(p.startswith(batch) for p in (*parts, out)):
        raise layer.config.refusal("subscripts", text, "two operands, the batch first in both and in the result")
    bare = f"{parts[0][1:]},{parts[1][1:]}->{out[1:]}"
    if batch in bare:
        raise layer.config.refusal("subscripts", text, "the batch stands twice")
    return product(Equation.parse(bare, len(x.shape), len(y.shape)), x, y, layer.name)


@function("OnesLike", "ZerosLike", arguments=("x",))
def filled(layer: Layer, inputs: list[Node]) -> Node:
    """Import a constant of the shape of a tensor."""
    x, dtype = tensor(layer, "x"), argument(layer, "dtype")
    kind = layer.masks.types.get(x, "") if dtype is None else str(dtype)
    value = 1 if layer.class_name == "OnesLike" else 0
    if kind == "bool":
        return truth(layer, constant_mask(layer, np.full(x.shape, value)))
    if kind not in ("", "float32", "float64"):
        raise layer.config.refusal("dtype", dtype, "use float32 or bool")
    return layer.constant(np.full(x.shape, value))

"""Weights that Keras 3 quantized itself (``model.quantize("int8")``, ``"int4"``): what they mean at inference.

int8: the inputs are quantized, too, each vector by its own greatest magnitude: q = round(x s), s = 127 / (max|x| + e),
and the result is divided by s and by the scale of the kernel. int4: weights only. Source: ``_int8_call``,
``_int4_call`` and ``abs_max_quantize`` of Keras 3.15.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ....graph import NDArray, Node, UnsupportedError
from ....graph.ops import Activation, Add, Div, DynamicScale, Mul, Reduce, Reduction
from ..registry import Layer, Weight

WEIGHTS = {
    "int8": ("{}_scale",),
    "int4": ("{}_scale", "{}_zero", "g_idx"),
}
LIMIT = 127
HINT = "load the model before it was quantized, or quantize it with int8 or int4"


def mode_of(config: Mapping[str, Any]) -> tuple[str, int | None]:
    """Give how a layer was quantized (nothing where it was not), and the size of a block of its weights."""
    value = config.get("dtype")
    if isinstance(value, Mapping):
        inner = value.get("config") if isinstance(value.get("config"), Mapping) else {}
        mode = str((inner or {}).get("mode") or "")
    else:
        mode = str(value or "").partition("_from_")[0] if "_from_" in str(value or "") else ""
    name, _, block = mode.partition("/")
    given = config.get("quantization_config")
    stated = (given.get("config") or {}).get("block_size") if isinstance(given, Mapping) else None
    size = int(block) if block.lstrip("-").isdigit() else stated
    return name, size if isinstance(size, int) and size > 0 else None


def weights(name: str, *, biased: str | Callable[[Mapping[str, Any]], bool] | None) -> Any:
    """Give the stored arrays of a layer whose kernel is called ``name``, for every mode."""

    def stored(config: Mapping[str, Any]) -> tuple[Weight, ...]:
        mode, block = mode_of(config)
        more = [w.format(name) for w in WEIGHTS.get(mode, ())]
        if mode == "int4" and block is None:
            more = more[:1]
        kernel = Weight(name, trainable=not mode)
        bias = [] if biased is None else [Weight("bias", when=biased)]
        return (kernel, *bias, *(Weight(w, trainable=False) for w in more))

    return stored


def check(layer: Layer) -> str:
    """Read how the layer was quantized. Raises UnsupportedError for what is not supported."""
    mode, _ = mode_of({"dtype": layer.config.peek("dtype"), "quantization_config": None})
    if mode not in ("", *WEIGHTS):
        raise UnsupportedError(f"weights quantized by {mode}", where=layer.place, hint=HINT)
    if not mode:
        layer.config.expect("quantization_config", None, hint=HINT)
    layer.config.take("quantization_config", None)
    return mode


def activation_quantizer(layer: Layer, mode: str) -> float | None:
    """Give the epsilon of the quantizer of the inputs; None where there is none."""
    given = layer.config.peek("quantization_config")
    if given is None:
        return 1e-7 if mode == "int8" else None
    config = given.get("config") if isinstance(given, Mapping) else None
    value = (config or {}).get("activation_quantizer")
    if value is None:
        return None
    inner = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(inner, Mapping) or value.get("class_name") != "AbsMaxQuantizer":
        raise layer.config.refusal("quantization_config", given, HINT)
    if list(inner.get("value_range", [])) != [-LIMIT, LIMIT] or inner.get("output_dtype") != "int8":
        raise layer.config.refusal("quantization_config", given, HINT)
    return float(inner.get("epsilon", 1e-7))


def divisor(layer: Layer, x: Node, axes: tuple[int, ...], epsilon: float) -> Node:
    """Give the factor that brings each vector along ``axes`` to -127 .. 127; the axes stay, of length 1."""
    most = layer.node(Reduce(Reduction.MAX, axes, keep=True), layer.node(Activation("abs"), x))
    ratio = layer.node(Div(), layer.constant(LIMIT), layer.node(Add(), most, layer.constant(epsilon)))
    return layer.node(DynamicScale(f"{layer.class_name} quantized by Keras (int8)"), ratio)


def rounded(layer: Layer, x: Node, factor: Node) -> Node:
    """Give the integers that ``x`` becomes, and tell the user."""
    layer.notes.append(
        f"{layer.name}: Keras quantizes its inputs by the greatest value of each vector, which evaluates but has no "
        "integer form: lowering refuses it. For integers throughout, load the model before it was quantized"
    )
    return layer.node(Activation("round"), layer.node(Mul(), x, factor))


def unpacked(packed: NDArray, columns: int) -> NDArray:
    """Give the numbers of four bits that stand two in a byte along the last axis, the lower half first."""
    data = packed.astype(np.int64) & 0xFF
    halves = np.stack([data & 15, data >> 4], axis=-1).reshape(*packed.shape[:-1], -1)[..., :columns]
    return np.where(halves >= 8, halves - 16, halves)


def grouped(layer: Layer, name: str, rows: int, columns: int, *, along_rows: bool) -> NDArray:
    """Give weights of four bits as real numbers, float32 [rows, columns].

    ``along_rows``: the groups of one scale run along the rows (kernels), else along the columns (tables).
    """
    _, block = mode_of({"dtype": layer.config.peek("dtype")})
    numbers = unpacked(layer.array(name, (rows, (columns + 1) // 2)), columns).astype(np.float32)
    if block is None:
        scale = layer.array(f"{name}_scale", (columns,) if along_rows else (rows,))
        return numbers / (scale if along_rows else scale[:, None])
    groups = -(-(rows if along_rows else columns) // block)
    shape = (groups, columns) if along_rows else (rows, groups)
    scale, zero = layer.array(f"{name}_scale", shape), layer.array(f"{name}_zero", shape).astype(np.float32)
    index = layer.array("g_idx", (rows if along_rows else columns,)).astype(np.int64)
    if (index < 0).any() or (index >= groups).any():
        raise layer.unsupported("groups of weights that do not exist", "save the model again")
    axis = 0 if along_rows else 1
    return (numbers - zero.take(index, axis=axis)) * scale.take(index, axis=axis)

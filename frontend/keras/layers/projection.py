"""EinsumDense, and projections onto several axes as attention layers have them."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from ....graph import Node, ShapeError
from ....graph.ops import Add, Dense, Div, Mul
from ...einsum import Equation, weighted
from ...rearrange import transposed
from ..registry import Layer, layer
from . import quantized
from .activations import activate
from .common import reshape, single

UNQUANTIZED = ("quantization_mode", "lora_rank", "lora_alpha", "gptq_unpacked_column_size")


def expect_plain(layer: Layer) -> None:
    """Refuse what Keras makes of the weights of a layer after training."""
    for key in UNQUANTIZED:
        hint = "merge the LoRA weights and save again" if "lora" in key else "load the model before it was quantized"
        layer.config.expect(key, None, hint=hint)


def _biased(config: Mapping[str, Any]) -> bool:
    return config.get("bias_axes") is not None


@layer("EinsumDense", weights=quantized.weights("kernel", biased=_biased))
def einsum_dense(layer: Layer, inputs: list[Node]) -> Node:
    """Import a sum of products with a kernel along named axes."""
    x, config = single(layer, inputs), layer.config
    expect_plain(layer)
    equation, lengths = read_equation(layer, x)
    shape = tuple(lengths[c] for c in equation.right)
    match mode := quantized.check(layer):
        case "":
            y = weighted(equation, x, shape, lambda move, _: layer.arranged("kernel", shape, move), layer.name)
        case "int8":
            y = _scaled(layer, x, equation, shape, lengths)
        case _:
            y = _unpacked(layer, x, equation, shape, mode)
    axes = config.take("bias_axes", None)
    if axes is not None:
        full = _bias_shape(layer, axes, equation.out, lengths)
        y = layer.node(Add(), y, layer.parameter("bias", full))
    return activate(layer, y)


def _scaled(layer: Layer, x: Node, equation: Equation, shape: tuple[int, ...], lengths: Mapping[str, int]) -> Node:
    """Multiply by integers, and divide by the scales of both operands, aligned to the axes of the result."""
    along = [c in equation.left and c not in equation.right for c in equation.out]
    stored = (1, *(1 if only else lengths[c] for c, only in zip(equation.out, along, strict=True)))
    scale = layer.constant(layer.array("kernel_scale", stored)[0], "kernel_scale")
    inner = tuple(i for i, c in enumerate(equation.left) if c in equation.right and c not in equation.out)
    epsilon = quantized.activation_quantizer(layer, "int8")
    if epsilon is not None:
        factor = quantized.divisor(layer, x, inner, epsilon)
        kept = [c for i, c in enumerate(equation.left) if i not in inner]
        if sorted(kept) != sorted(c for c in equation.out if c in equation.left) or not inner:
            raise layer.config.refusal("equation", layer.config.peek("equation"), quantized.HINT)
        x = quantized.rounded(layer, x, factor)
        flat = reshape(layer, factor, [lengths[c] for c in kept])
        order = [c for c in equation.out if c in equation.left]
        moved = transposed(flat, tuple(kept.index(c) for c in order))
        wide = [lengths[c] if c in equation.left else 1 for c in equation.out]
        scale = layer.node(Mul(), reshape(layer, moved, wide), scale)
    y = weighted(equation, x, shape, lambda move, _: layer.arranged("kernel", shape, move), layer.name)
    return layer.node(Div(), y, scale)


def _unpacked(layer: Layer, x: Node, equation: Equation, shape: tuple[int, ...], mode: str) -> Node:
    """Multiply by weights of four bits, which are stored with the axes of the sum first."""
    inner = [c in equation.left and c not in equation.out for c in equation.right]
    if inner != sorted(inner, reverse=True) or quantized.mode_of({"dtype": layer.config.peek("dtype")})[1] is None:
        raise layer.unsupported(f"weights quantized by {mode} in this equation", quantized.HINT)
    if quantized.activation_quantizer(layer, mode) is not None:
        raise layer.unsupported("quantized inputs with weights of four bits", quantized.HINT)
    rows = prod(n for n, i in zip(shape, inner, strict=True) if i)
    weights = quantized.grouped(layer, "kernel", rows, prod(shape) // rows, along_rows=True).reshape(shape)
    return weighted(equation, x, shape, lambda move, _: layer.constant(move(weights), "kernel/real"), layer.name)


def read_equation(layer: Layer, x: Node) -> tuple[Equation, dict[str, int]]:
    """Read the equation without its batch, and how long each axis is; an ellipsis gets letters."""
    config = layer.config
    text, given = config.text("equation").replace(" ", ""), config.take("output_shape")
    stated = [given] if isinstance(given, int) else list(given)
    source, _, rest = text.partition(",")
    kernel, _, out = rest.partition("->")
    rank, free = len(x.shape) + 1, [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    elided = rank - len(source.replace("...", ""))
    more = "".join(free[:elided]) if "..." in source else ""
    if elided != len(more) or "..." in kernel or ("..." in out) != ("..." in source):
        raise config.refusal("equation", text, f"it does not fit an input of {rank} axes with the batch")
    source, out = source.replace("...", more), out.replace("...", more)
    batch = source[0]
    if not out.startswith(batch) or batch in source[1:] + kernel + out[1:]:
        raise config.refusal("equation", text, "the first axis is the batch, which must stay the first")
    equation = Equation(source[1:], kernel, out[1:])
    equation.check(text)
    lengths = dict(zip(source[1:], x.shape, strict=True))
    own = [c for c in out[1:] if c not in more]
    if len(stated) != len(own):
        raise config.refusal("output_shape", given, f"the equation says {len(own)} axes")
    for letter, n in zip(own, stated, strict=True):
        if n is not None and lengths.setdefault(letter, int(n)) != n:
            raise ShapeError(f"axis {letter} is {lengths[letter]} long, not {n}", where=layer.place)
    if missing := [c for c in kernel + out[1:] if c not in lengths]:
        raise config.refusal("output_shape", given, f"the length of {missing[0]} is not known")
    return equation, lengths


def _bias_shape(layer: Layer, axes: Any, out: str, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """Give the shape of a bias: from its first axis on, 1 for what it does not have."""
    if not isinstance(axes, str) or not axes or not set(axes) <= set(out):
        raise layer.config.refusal("bias_axes", axes, "name axes of the result")
    first = min(out.index(c) for c in axes)
    return tuple(lengths[c] if c in axes else 1 for c in out[first:])


def project(layer: Layer, x: Node, name: str, onto: Sequence[int], *, over: int = 1, biased: bool = True) -> Node:
    """Multiply the last ``over`` axes by the kernel ``name.kernel`` and add ``name.bias``; gives [..., *onto]."""
    inner, lead = x.shape[len(x.shape) - over :], x.shape[: len(x.shape) - over]
    flat, units = reshape(layer, x, (*lead, prod(inner))), prod(onto)
    operands = [flat, layer.arranged(f"{name}.kernel", (*inner, *onto), lambda w: w.reshape(prod(inner), units))]
    if biased:
        operands.append(layer.arranged(f"{name}.bias", tuple(onto), lambda b: b.reshape(units)))
    return reshape(layer, layer.node(Dense(), *operands), (*lead, *onto))

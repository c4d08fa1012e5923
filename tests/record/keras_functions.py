"""Small functional Keras models with functions of ``keras.ops``. See ``keras_models``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Pick = Callable[[Sequence[Any]], Any]
Build = Callable[[Any, Pick], Any]
KINDS: dict[str, Build] = {}
ACTIVATIONS = [
    "relu", "relu6", "gelu", "silu", "softplus", "elu", "selu", "leaky_relu", "hard_sigmoid", "celu", "softmax",
    "log_softmax", "softsign", "hard_silu", "log_sigmoid", "squareplus", "hard_tanh", "sigmoid",
]  # fmt: skip
UNARY = ["exp", "sin", "cos", "tanh", "floor", "ceil", "round", "sign", "erf", "arctan"]


def kind(build: Build) -> Build:
    """Register a kind of model."""
    KINDS[build.__name__] = build
    return build


def flag(pick: Pick) -> bool:
    """Draw a truth value."""
    return bool(pick([False, True]))


def moved(k: Any, pick: Pick, x: Any) -> Any:
    """Draw a function that moves values, of [batch, 4, 6]."""
    ops = k.ops
    choices: dict[str, Callable[[], Any]] = {
        "reshape": lambda: ops.reshape(x, pick([(-1, 24), (-1, 2, 3, 4), (-1, 6, 4)])),
        "transpose": lambda: ops.transpose(x, (0, 2, 1)),
        "getitem": lambda: x[pick([(slice(None), slice(1, 3)), (slice(None), -1), (..., 0), (slice(None), None, 2),
                                   (slice(None), slice(None, None, -1)), (slice(None), slice(None), slice(0, 6, 2)),
                                   (slice(None), ..., slice(-3, None))])],
        "expand": lambda: ops.expand_dims(x, pick([1, -1, 2, (1, 2)])),
        "squeeze": lambda: ops.squeeze(ops.expand_dims(x, 1), pick([1, -3])),
        "swap": lambda: ops.swapaxes(x, 1, pick([2, -1])),
        "moveaxis": lambda: ops.moveaxis(x, 1, -1),
        "concatenate": lambda: ops.concatenate([x, x * 2], axis=pick([1, -1])),
        "stack": lambda: ops.stack([x, x], axis=pick([1, 2, -1])),
        "split": lambda: ops.split(x, pick([2, [1, 3]]), axis=1)[1],
        "unstack": lambda: ops.unstack(x, axis=1)[2],
        "flip": lambda: ops.flip(x, axis=pick([1, -1, (1, 2)])),
        "repeat": lambda: ops.repeat(x, 2, axis=pick([1, -1])),
        "tile": lambda: ops.tile(x, (1, 2, pick([1, 3]))),
        "pad": lambda: ops.pad(x, ((0, 0), (1, 0), (0, 2)), constant_values=pick([None, 1.5])),
        "take": lambda: ops.take(x, pick([[0, 2], 1, [-1, 0, 0]]), axis=pick([1, -1])),
    }  # fmt: skip
    return choices[pick(sorted(choices))]()


def computed(k: Any, pick: Pick, x: Any, y: Any) -> Any:
    """Draw a function that computes, of two tensors [batch, 4, 6]."""
    ops = k.ops
    halves, positive = x * 0.5, ops.abs(y) + 1.0
    joined = pick([ops.logical_and, ops.logical_or, ops.logical_xor])(x > 0, y < 1)
    choices: list[Callable[[], Any]] = [
        lambda: getattr(ops, pick(["add", "subtract", "multiply", "maximum", "minimum"]))(x, y),
        lambda: x / positive,
        lambda: pick([x + 1.5, x - 2, halves, x / 4.0, -x, ops.square(x), ops.abs(x)]),
        lambda: pick([1.5 + x, 2 - x, 0.5 * x, 3.0 / positive, 2.0 ** (x * 0.1)]),
        lambda: x + np.arange(6, dtype="float32") * pick([1.0, -0.5]),
        lambda: getattr(ops, pick(UNARY))(x),
        lambda: getattr(ops, pick(ACTIVATIONS))(x),
        lambda: getattr(ops, pick(["sum", "mean", "max", "min", "prod"]))(
            halves, axis=pick([1, -1, (1, 2)]), keepdims=flag(pick)
        ),
        lambda: getattr(ops, pick(["argmax", "argmin"]))(x, axis=pick([1, -1])),
        lambda: ops.matmul(x, ops.transpose(y, (0, 2, 1))),
        lambda: ops.einsum(pick(["bij,bkj->bik", "bij,bij->bi", "bij,bij->bji"]), x, y),
        lambda: ops.where(pick([x > y, x <= 0.5, ops.logical_not(x > 0)]), x, pick([y, 0.0])),
        lambda: ops.cast(pick([joined, ops.any(joined, axis=1), ops.all(joined, axis=-1)]), "float32"),
        lambda: ops.clip(x, -0.5, pick([0.5, 2])),
        lambda: ops.cast(ops.cast(x, "int32") + 1, "float32"),
    ]
    return choices[pick(range(len(choices)))]()


@kind
def functions(k: Any, pick: Pick) -> Any:
    x, y = k.layers.Input((4, 6)), k.layers.Input((4, 6))
    first = computed(k, pick, x, y)
    more = [moved(k, pick, x), moved(k, pick, k.layers.Dense(6)(y))]
    return k.Model([x, y], [first, *more])

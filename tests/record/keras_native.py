"""Small Keras 3 models that Keras quantized itself. See ``keras_models``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Pick = Callable[[Sequence[Any]], Any]
Build = Callable[[Any, Pick], Any]


def flag(pick: Pick) -> bool:
    """Draw a truth value."""
    return bool(pick([False, True]))


def native(k: Any, pick: Pick) -> Any:
    """Draw a model with random weights and quantize it."""
    name = pick(["dense", "dense", "sequence", "equation", "embedding"])
    match name:
        case "dense":
            layers = [k.layers.Input(pick([(5,), (3, 4)])), k.layers.Dense(3, activation="relu", use_bias=flag(pick))]
        case "sequence":
            layers = [k.layers.Input((3, 4)), k.layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")]
        case "equation":
            equation, shape, out = pick(
                [("abc,cde->abde", (3, 4), (None, 2, 3)), ("abde,dec->abc", (3, 2, 4), (None, 5)),
                 ("...x,xy->...y", (2, 3, 4), (3,))]
            )  # fmt: skip
            layers = [k.layers.Input(shape), k.layers.EinsumDense(equation, out)]
        case _:
            layers = [k.layers.Input((4,), name="tokens_8"), k.layers.Embedding(9, 6)]
    model = k.Sequential([*layers, k.layers.Dense(2)])
    rng = np.random.default_rng(pick(range(100)))
    model.set_weights([rng.uniform(-1, 1, w.shape) for w in model.get_weights()])
    mode = pick(["int8", "int4"])
    q = k.quantizers
    config = {
        "int8": [None, q.Int8QuantizationConfig(activation_quantizer=None)],
        "int4": [None, q.Int4QuantizationConfig(block_size=pick([2, 3, -1])), q.Int4QuantizationConfig(block_size=128)],
    }[mode]  # fmt: skip
    chosen = pick(config)
    model.quantize(mode) if chosen is None else model.quantize(mode, config=chosen)
    return model


KINDS: dict[str, Build] = {"native": native}

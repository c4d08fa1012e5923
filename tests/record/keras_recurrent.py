"""Small recurrent Keras models. See ``keras_models``."""

from collections.abc import Callable, Sequence
from typing import Any

Pick = Callable[[Sequence[Any]], Any]
Build = Callable[[Any, Pick], Any]
KINDS: dict[str, Build] = {}


def kind(build: Build) -> Build:
    """Register a kind of model."""
    KINDS[build.__name__] = build
    return build


def is_3(k: Any) -> bool:
    """Whether it is Keras 3."""
    return k.__name__ == "keras"


def flag(pick: Pick) -> bool:
    """Draw a truth value."""
    return bool(pick([False, True]))


def cell_options(k: Any, pick: Pick, name: str) -> dict[str, Any]:
    """Draw the arguments that a cell and its layer share."""
    found: dict[str, Any] = {"use_bias": flag(pick), "activation": pick(["tanh", "tanh", "relu", "softsign", None])}
    found |= {"dropout": pick([0.0, 0.1]), "recurrent_dropout": pick([0.0, 0.0, 0.1])}
    if name != "SimpleRNN":
        found["recurrent_activation"] = pick(["sigmoid", "sigmoid", "hard_sigmoid"])
    if name == "LSTM":
        found["unit_forget_bias"] = flag(pick)
    if name == "GRU":
        found["reset_after"] = flag(pick)
    if not is_3(k):
        found["implementation"] = pick([1, 2])
    return found


def layer_options(pick: Pick) -> dict[str, Any]:
    """Draw the arguments of a recurrent layer about its results."""
    return {
        "return_sequences": flag(pick), "return_state": flag(pick), "go_backwards": flag(pick),
        "unroll": pick([False, False, True]), "zero_output_for_mask": flag(pick),
    }  # fmt: skip


def source(k: Any, pick: Pick, width: int | None = None) -> tuple[Any, Any]:
    """Draw a sequence: plain, masked, or out of an embedding; give the input and the sequence."""
    n, c = pick([1, 3, 4, 5]), width or pick([1, 2, 3])
    match pick(["plain", "plain", "tokens", "masked"]):
        case "plain":
            x = k.layers.Input((n, c), name="plain")
            return x, x
        case "tokens":
            x = k.layers.Input((n,), name="tokens_3", dtype="int32")
            return x, k.layers.Embedding(4, c, mask_zero=flag(pick))(x)
        case _:
            value = pick([0, 1])
            x = k.layers.Input((n, c), name=f"masked_{value}")
            return x, k.layers.Masking(float(value))(x)


def results(value: Any) -> list[Any]:
    """Give what a layer gives as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


@kind
def recurrent(k: Any, pick: Pick) -> Any:
    name, (x, h) = pick(["SimpleRNN", "LSTM", "GRU"]), source(k, pick)
    layer = getattr(k.layers, name)(pick([1, 2, 3]), **cell_options(k, pick, name), **layer_options(pick))
    return k.Model(x, layer(h))


@kind
def recurrent_chain(k: Any, pick: Pick) -> Any:
    x, h = source(k, pick)
    name = pick(["SimpleRNN", "LSTM", "GRU"])
    first = getattr(k.layers, name)(2, **cell_options(k, pick, name), return_sequences=True)
    between = pick([k.layers.Dropout(0.1), k.layers.Dense(3), k.layers.LayerNormalization(), k.layers.Conv1D(3, 1)])
    h = between(first(h))
    second = getattr(k.layers, pick(["SimpleRNN", "LSTM", "GRU"]))(2, go_backwards=flag(pick))
    return k.Model(x, k.layers.Dense(2)(second(h)))


@kind
def recurrent_sequential(k: Any, pick: Pick) -> Any:
    masked = flag(pick)
    first = [k.layers.Input((4, 2), name="masked_0"), k.layers.Masking()] if masked else [k.layers.Input((4, 2))]
    name = pick(["SimpleRNN", "LSTM", "GRU"])
    return k.Sequential(
        [*first, getattr(k.layers, name)(3, return_sequences=True, zero_output_for_mask=flag(pick)),
         pick([k.layers.Dropout(0.2), k.layers.TimeDistributed(k.layers.Dense(2)), k.layers.Activation("relu")]),
         k.layers.Bidirectional(k.layers.GRU(2)), k.layers.Dense(2)]
    )  # fmt: skip


@kind
def initial_states(k: Any, pick: Pick) -> Any:
    name, (x, h) = pick(["SimpleRNN", "LSTM", "GRU"]), source(k, pick)
    units = pick([2, 3])
    starts = [k.layers.Input((units,), name=f"start{i}") for i in range(2 if name == "LSTM" else 1)]
    layer = getattr(k.layers, name)(units, **cell_options(k, pick, name), **layer_options(pick))
    y = layer(h, initial_state=starts if len(starts) > 1 or flag(pick) else starts[0])
    return k.Model([x, *starts], y)


@kind
def encoder_decoder(k: Any, pick: Pick) -> Any:
    name, (x, h) = pick(["SimpleRNN", "LSTM", "GRU"]), source(k, pick)
    y = k.layers.Input((3, 2), name="plain_y")
    _, *states = results(getattr(k.layers, name)(2, return_state=True)(h))
    z = getattr(k.layers, name)(2, return_sequences=True)(y, initial_state=states)
    return k.Model([x, y], k.layers.TimeDistributed(k.layers.Dense(2))(z))


def cell(k: Any, pick: Pick) -> Any:
    """Draw a cell."""
    name = pick(["SimpleRNN", "LSTM", "GRU"])
    return getattr(k.layers, f"{name}Cell")(pick([1, 2, 3]), **cell_options(k, pick, name))


@kind
def cells(k: Any, pick: Pick) -> Any:
    x, h = source(k, pick)
    count = pick([1, 1, 2, 3])
    inner = cell(k, pick) if count == 1 and flag(pick) else [cell(k, pick) for _ in range(count)]
    if isinstance(inner, list) and flag(pick):
        inner = k.layers.StackedRNNCells(inner)
    return k.Model(x, k.layers.RNN(inner, **layer_options(pick))(h))


@kind
def both_directions(k: Any, pick: Pick) -> Any:
    name, (x, h) = pick(["SimpleRNN", "LSTM", "GRU", "RNN"]), source(k, pick)
    common = {"return_sequences": flag(pick), "return_state": flag(pick)}

    def made(**more: Any) -> Any:
        if name == "RNN":
            return k.layers.RNN([k.layers.GRUCell(2), k.layers.SimpleRNNCell(2)], **common, **more)
        return getattr(k.layers, name)(2, **cell_options(k, pick, name), **common, **more)

    backward = made(go_backwards=True) if flag(pick) and name != "RNN" else None
    mode = pick(["concat", "sum", "ave", "mul", None])
    layer = k.layers.Bidirectional(made(go_backwards=pick([False, False, True]) if backward is None else False),
                                   merge_mode=mode, backward_layer=backward)  # fmt: skip
    states = 4 if name == "LSTM" else 2
    if name != "RNN" and pick([False, False, True]):
        starts = [k.layers.Input((2,), name=f"start{i}") for i in range(states)]
        return k.Model([x, *starts], layer(h, initial_state=starts))
    return k.Model(x, layer(h))


@kind
def convolutional(k: Any, pick: Pick) -> Any:
    rank = pick([1, 2, 2, 3])
    space = [pick([3, 4, 5]) for _ in range(rank)]
    channels, filters = pick([1, 2]), pick([1, 2])
    fmt = pick(["channels_last", "channels_last", "channels_first"]) if rank < 3 else "channels_last"
    step = (channels, *space) if fmt == "channels_first" else (*space, channels)
    what = {pick(["strides", "dilation_rate"]): pick([1, 1, 2])}
    options = {
        key: value for key, value in layer_options(pick).items() if key not in ("unroll", "zero_output_for_mask")
    }
    if not is_3(k):
        options.pop("unroll", None)
    layer = getattr(k.layers, f"ConvLSTM{rank}D")(
        filters, tuple(pick([1, 2, 3]) for _ in range(rank)), padding=pick(["valid", "same"]), data_format=fmt,
        use_bias=flag(pick), activation=pick(["tanh", "relu"]), recurrent_activation=pick(["hard_sigmoid", "sigmoid"]),
        **what, **options,
    )  # fmt: skip
    x = k.layers.Input((pick([1, 3]), *step))
    return k.Model(x, layer(x))


@kind
def each_step_recurrent(k: Any, pick: Pick) -> Any:
    name = pick(["SimpleRNN", "LSTM", "GRU"])
    inner = getattr(k.layers, name)(2, return_sequences=flag(pick))
    return k.Sequential([k.layers.Input((2, 3, 2)), k.layers.TimeDistributed(inner)])

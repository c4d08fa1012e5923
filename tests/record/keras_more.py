"""More kinds of small Keras models: three axes, attention, indices. See ``keras_models``."""

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


def one(k: Any, shape: tuple[int, ...], *layers: Any, name: str | None = None, dtype: str | None = None) -> Any:
    """Give a sequential model. The name of an input may say what to feed: ``tokens_9``, ``masked_0``."""
    return k.Sequential([k.layers.Input(shape, name=name, dtype=dtype), *layers])


def flag(pick: Pick) -> bool:
    """Draw a truth value."""
    return bool(pick([False, True]))


def volume(pick: Pick, channels: int | None = None) -> tuple[int, ...]:
    """Draw the shape of a small volume, channels last: Keras on TensorFlow computes no others on a CPU."""
    return (pick([3, 4, 5]), pick([2, 4, 5]), pick([3, 4, 6]), channels or pick([1, 2, 3]))


@kind
def conv3d(k: Any, pick: Pick) -> Any:
    groups = pick([1, 1, 2]) if is_3(k) else 1
    what, step = pick(["strides", "dilation_rate"]), tuple(pick([1, 1, 2]) for _ in range(3))
    kernel = tuple(pick([1, 2, 3]) for _ in range(3))
    layer = k.layers.Conv3D(
        groups * pick([1, 2]), kernel, padding=pick(["valid", "same"]), groups=groups, use_bias=flag(pick),
        activation=pick([None, "relu"]), **{what: step},
    )  # fmt: skip
    return one(k, volume(pick, groups * pick([1, 2])), layer)


@kind
def transposed3d(k: Any, pick: Pick) -> Any:
    strides = tuple(pick([1, 2, 3]) for _ in range(3))
    layer = k.layers.Conv3DTranspose(
        pick([1, 2]), tuple(pick([1, 2, 3]) for _ in range(3)), strides, padding=pick(["valid", "same"]),
        output_padding=pick([None, None, tuple(pick(range(s)) for s in strides)]), use_bias=flag(pick),
    )  # fmt: skip
    return one(k, volume(pick), layer)


@kind
def pool3d(k: Any, pick: Pick) -> Any:
    which = pick(["Max", "Average"])
    if pick([True, False, False]):
        return one(k, volume(pick), getattr(k.layers, f"Global{which}Pooling3D")(keepdims=flag(pick)))
    layer = getattr(k.layers, f"{which}Pooling3D")
    size = tuple(pick([1, 2, 3]) for _ in range(3))
    return one(k, volume(pick), layer(size, pick([None, 1, (2, 1, 2)]), pick(["valid", "same"])))


@kind
def moves3d(k: Any, pick: Pick) -> Any:
    fmt, name = pick(["channels_last", "channels_first"]), pick(["ZeroPadding3D", "Cropping3D", "UpSampling3D"])
    amount = pick([1, (1, 0, 1), ((0, 1), (1, 0), (0, 0))])
    if name == "UpSampling3D":
        amount = pick([2, (1, 2, 3)])
    return one(k, (3, 4, 3, 4), getattr(k.layers, name)(amount, data_format=fmt))


@kind
def adaptive(k: Any, pick: Pick) -> Any:
    rank, which, fmt = pick([1, 2, 3]), pick(["Max", "Average"]), pick(["channels_last", "channels_first"])
    shape = tuple(pick([3, 5, 6, 7]) for _ in range(rank + 1))
    space = shape[:rank] if fmt == "channels_last" else shape[1:]
    sizes = [2, 3, 4, 5] if which == "Max" else [1, 2, 3, 4, 5]  # TensorFlow ends the process for maxima of size 1
    size = tuple(min(pick(sizes), n) for n in space)
    return one(k, shape, getattr(k.layers, f"Adaptive{which}Pooling{rank}D")(size, data_format=fmt))


@kind
def einsum_dense(k: Any, pick: Pick) -> Any:
    equation, shape, out, biases = pick(
        [
            ("ab,bc->ac", (5,), 3, ["c"]), ("abc,cd->abd", (4, 5), (None, 3), ["d", "bd", "b"]),
            ("...x,xy->...y", (2, 4, 5), 3, ["y"]), ("abc,cde->abde", (4, 6), (None, 2, 3), ["de", "e", "d", "bde"]),
            ("abde,dec->abc", (4, 2, 3), (None, 5), ["c"]), ("abc,bcd->abd", (4, 5), (None, 3), ["d", "b"]),
            ("abc,bd->acd", (4, 5), (None, 3), ["cd", "d"]), ("abc,cd->adb", (4, 5), (3, None), ["d", "db"]),
            ("ab...,bc->ac...", (4, 5), (3,), ["c"]), ("abc,c->ab", (4, 5), (None,), ["b"]),
            ("abc,b->abc", (4, 5), (None, None), ["c", "b"]), ("abc,d->ad", (4, 5), (2,), ["d"]),
        ]
    )  # fmt: skip
    layer = k.layers.EinsumDense(
        equation, output_shape=out, bias_axes=pick([None, *biases]), activation=pick([None, "relu"])
    )
    return one(k, shape, layer)


@kind
def spatial_dropout(k: Any, pick: Pick) -> Any:
    name, shape = pick([("SpatialDropout2D", (3, 4, 2)), ("SpatialDropout3D", (2, 3, 4, 2))])
    return one(k, shape, getattr(k.layers, name)(0.3), k.layers.Dense(2))


def sequences(k: Any, pick: Pick, count: int, *, width: int | None = None) -> list[Any]:
    """Draw sequences of vectors, each as an input of its own or out of an embedding with a mask."""
    made = []
    for i in range(count):
        n, c = pick([3, 4, 5]), width or pick([2, 3, 4])
        match pick(["plain", "plain", "tokens", "masked"]):
            case "plain":
                made.append((k.layers.Input((n, c), name=f"plain{i}"),) * 2)
            case "tokens":
                x = k.layers.Input((n,), name=f"tokens{i}_7", dtype=pick(["int32", "float32", "int64"]))
                made.append((x, k.layers.Embedding(8, c, mask_zero=flag(pick))(x)))
            case _:
                value = pick([0, 1])
                x = k.layers.Input((n, c), name=f"masked{i}_{value}")
                made.append((x, k.layers.Masking(float(value))(x)))
    return made


@kind
def multi_head(k: Any, pick: Pick) -> Any:
    made = sequences(k, pick, 2)
    (a, q), (b, v) = made
    own = flag(pick)
    options: dict[str, Any] = {"use_bias": flag(pick), "value_dim": pick([None, 2, 4]), "dropout": pick([0.0, 0.2])}
    options["output_shape"] = pick([None, None, 3, (2, 3)])
    if is_3(k):
        options |= {"use_gate": flag(pick), "sliding_window": pick([None, None, 1, 2])}
    layer = k.layers.MultiHeadAttention(pick([1, 2, 3]), pick([2, 3]), **options)
    call: dict[str, Any] = {"use_causal_mask": flag(pick), "return_attention_scores": flag(pick)}
    if flag(pick):
        call["key"] = q if own else v
    y = layer(q, q if own else v, **call)
    return k.Model([a] if own else [a, b], y)


@kind
def attention_over_axes(k: Any, pick: Pick) -> Any:
    axes = pick([None, (1,), (2,), (1, 2), 1])
    layer = k.layers.MultiHeadAttention(2, 3, attention_axes=axes, use_bias=flag(pick))
    x, y = k.layers.Input((3, 4, 5)), k.layers.Input((3, 4, 2))
    if axes is None or axes == (1, 2):
        y = k.layers.Input((2, 3, 2))
    return k.Model([x, y], layer(x, y, return_attention_scores=flag(pick)))


@kind
def masked_attention(k: Any, pick: Pick) -> Any:
    x, y = k.layers.Input((4, 3)), k.layers.Input((5, 3))
    kind_of_mask = pick(["bool", "int32"])
    m = k.layers.Input(pick([(4, 5), (1, 5), (2, 4, 5)]), dtype=kind_of_mask, name="tokens_1")
    layer = k.layers.MultiHeadAttention(2, 2)
    call = {"attention_mask": m, "use_causal_mask": flag(pick), "return_attention_scores": flag(pick)}
    return k.Model([x, y, m], layer(x, y, **call))


@kind
def group_query(k: Any, pick: Pick) -> Any:
    heads, shared = pick([(2, 1), (4, 2), (2, 2), (3, 1)])
    made = sequences(k, pick, 2, width=4)
    (a, q), (b, v) = made
    layer = k.layers.GroupQueryAttention(
        pick([2, 3]), heads, shared, use_bias=flag(pick), use_gate=flag(pick), sliding_window=pick([None, 2])
    )
    y = layer(q, v, use_causal_mask=flag(pick), return_attention_scores=flag(pick))
    return k.Model([a, b], y)


@kind
def plain_attention(k: Any, pick: Pick) -> Any:
    (a, q), (b, v) = sequences(k, pick, 2, width=3)
    if flag(pick):
        layer = k.layers.AdditiveAttention(use_scale=flag(pick))
    else:
        layer = k.layers.Attention(use_scale=flag(pick), score_mode=pick(["dot", "concat"]), dropout=pick([0.0, 0.1]))
    third = [k.layers.Dense(3)(v)] if flag(pick) else []
    y = layer([q, v, *third], use_causal_mask=flag(pick), return_attention_scores=flag(pick))
    return k.Model([a, b], y)


@kind
def transformer(k: Any, pick: Pick) -> Any:
    x = k.layers.Input((5,), name="tokens_9", dtype="int32")
    h = k.layers.Embedding(10, 4, mask_zero=flag(pick))(x)
    if flag(pick):
        h = k.layers.Dropout(0.1)(h)
    y = k.layers.MultiHeadAttention(2, 2)(h, h, use_causal_mask=flag(pick))
    h = k.layers.LayerNormalization()(k.layers.Add()([h, y]))
    y = k.layers.Dense(4)(k.layers.Dense(8, activation="gelu")(h))
    h = k.layers.LayerNormalization()(k.layers.Add()([h, y]))
    return k.Model(x, k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(h)))


@kind
def embedding(k: Any, pick: Pick) -> Any:
    shape, dtype = pick([(4,), (2, 3), (1,)]), pick(["int32", "float32", "uint8", "int64"])
    layers = [k.layers.Embedding(pick([5, 8, 9]), pick([1, 3]), mask_zero=flag(pick))]
    if len(shape) == 1 and flag(pick):
        layers.append(k.layers.GlobalAveragePooling1D(keepdims=flag(pick)))
    return one(k, shape, *layers, name="tokens_4", dtype=dtype)


@kind
def masked_mean(k: Any, pick: Pick) -> Any:
    (a, x), (b, y) = sequences(k, pick, 2, width=3)
    between = [k.layers.Dropout(0.2), k.layers.Dense(3), k.layers.Activation("tanh"), k.layers.LayerNormalization(),
               k.layers.BatchNormalization(), k.layers.Identity(), k.layers.Rescaling(0.5),
               k.layers.Conv1D(3, 1)]  # fmt: skip
    for _ in range(pick([0, 1, 2])):
        x = pick(between)(x)
    if flag(pick) and tuple(x.shape) == tuple(y.shape):
        x = getattr(k.layers, pick(["Add", "Multiply", "Maximum"]))()([x, y])
    elif flag(pick):
        x = k.layers.Concatenate(axis=1)([x, y])
    return k.Model([a, b], [k.layers.GlobalAveragePooling1D()(x), k.layers.Flatten()(y)])


@kind
def categories(k: Any, pick: Pick) -> Any:
    mode = pick(["one_hot", "multi_hot", "count"])
    shape = pick([(1,), (3,)]) if mode == "one_hot" and is_3(k) else (1,) if mode == "one_hot" else (3,)
    layer = k.layers.CategoryEncoding(5, output_mode=mode)
    return one(k, shape, layer, name="tokens_4", dtype=pick(["int32", "int64"]))


@kind
def bins(k: Any, pick: Pick) -> Any:
    mode = pick(["int", "one_hot", "multi_hot", "count"])
    shape = (1,) if mode == "one_hot" and not is_3(k) else pick([(1,), (4,)])
    layer = k.layers.Discretization(pick([[0.0, 0.5, 2.0], [-1.0], [0.1, 0.2, 0.3]]), output_mode=mode)
    more = [k.layers.Embedding(4, 2)] if mode == "int" and flag(pick) else []
    return one(k, shape, layer, *more)


@kind
def softmax_masked(k: Any, pick: Pick) -> Any:
    x = k.layers.Input((5,), name="tokens_4", dtype="int32")
    h = k.layers.Embedding(5, 1, mask_zero=True)(x)
    m = k.layers.Input(pick([(3, 4), (1, 4), (4,)]), dtype="bool", name="tokens0_1")
    y = k.layers.Input((3, 4))
    z = k.layers.Softmax(axis=pick([-1, 1, 2, [1, 2]] if is_3(k) else [-1, 1, 2]))(y, mask=m)
    return k.Model([x, y, m], [k.layers.Flatten()(h), z])


@kind
def group_norm(k: Any, pick: Pick) -> Any:
    shape = pick([(6,), (4, 6), (2, 6, 4), (6, 2, 4)])
    axis = pick([-1, *range(1, len(shape) + 1)])
    channels = shape[axis - 1] if axis > 0 else shape[axis]
    groups = pick([g for g in (1, 2, 3, 6) if channels % g == 0] + [-1])
    return one(
        k, shape, k.layers.GroupNormalization(groups, axis, pick([1e-3, 1e-1]), center=flag(pick), scale=flag(pick))
    )


@kind
def spectral(k: Any, pick: Pick) -> Any:
    inner = pick([lambda: k.layers.Dense(3, activation="relu", use_bias=flag(pick)),
                  lambda: k.layers.Conv2D(2, 2, padding="same"), lambda: k.layers.Conv2DTranspose(2, 2)])  # fmt: skip
    return one(k, (4, 3, 2), k.layers.SpectralNormalization(inner(), power_iterations=pick([1, 2])))


@kind
def local(k: Any, pick: Pick) -> Any:
    fmt, rank = pick(["channels_last", "channels_first"]), pick([1, 2])
    shape = (6, 3) if rank == 1 else (5, 4, 2)
    options = {"data_format": fmt, "use_bias": flag(pick), "activation": pick([None, "relu"])}
    options["implementation"] = pick([1, 1, 1, 2])
    size, step = (pick([1, 2]), pick([1, 2])) if rank == 1 else ((pick([1, 2]), 2), (1, pick([1, 2])))
    return one(k, shape, getattr(k.layers, f"LocallyConnected{rank}D")(pick([1, 2]), size, step, **options))


@kind
def images(k: Any, pick: Pick) -> Any:
    shape, name = (pick([4, 5, 7]), pick([4, 6, 9]), 2), pick(["Resizing", "Resizing", "CenterCrop", "Random"])
    if name == "Random":
        which = pick(["RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"])
        arguments = {"RandomFlip": (), "RandomTranslation": (0.1, 0.2)}.get(which, (0.2,))
        return one(k, shape, getattr(k.layers, which)(*arguments), k.layers.Dense(2))
    if name == "CenterCrop":
        return one(k, shape, k.layers.CenterCrop(pick([1, 2, 3, 4]), pick([2, 3, 4])))
    options: dict[str, Any] = {"interpolation": pick(["bilinear", "nearest"]), "crop_to_aspect_ratio": flag(pick)}
    if is_3(k):
        options["data_format"] = pick(["channels_last", "channels_first"])
    return one(k, shape, k.layers.Resizing(pick([2, 3, 5, 8]), pick([3, 4, 10]), **options))


@kind
def application_scales(k: Any, pick: Pick) -> Any:
    """The layer classes of keras.applications."""
    from importlib import import_module

    where = f"{'keras' if is_3(k) else 'tf_keras'}.src.applications"
    x = k.layers.Input((4, 3, 2))
    y = k.layers.Dense(pick([3, 1]))(x)
    z = import_module(f"{where}.convnext").LayerScale(1e-6, y.shape[-1])(y)
    z = import_module(f"{where}.inception_resnet_v2").CustomScaleLayer(pick([0.17, 1.0, -2]))([y, z])
    return k.Model(x, z)

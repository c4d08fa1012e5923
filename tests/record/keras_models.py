"""Small Keras models over all supported layers and arguments. ``pick`` is a seeded generator, or Hypothesis.

Each kind is a function of the framework (the module ``keras`` or ``tf_keras``) and ``pick``, and gives a built model.
Not every draw is a model that the framework accepts; it raises then, and the caller draws again.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

Pick = Callable[[Sequence[Any]], Any]
Build = Callable[[Any, Pick], Any]
KINDS: dict[str, Build] = {}
"""Those of this file, then those of ``MORE``."""
MORE = ("keras_more", "keras_recurrent", "keras_functions", "keras_native")

FUNCTIONS = [
    "relu", "sigmoid", "tanh", "softplus", "softsign", "selu", "elu", "exponential", "hard_sigmoid", "linear", "swish",
    "gelu", "softmax", "mish", "leaky_relu", "relu6", "silu", "log_softmax",
]  # fmt: skip
FUNCTIONS_3 = [
    "celu", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus",
    "sparse_plus", "sparse_sigmoid", "log_sigmoid",
]  # fmt: skip


def kind(build: Build) -> Build:
    """Register a kind of model."""
    KINDS[build.__name__] = build
    return build


def is_3(k: Any) -> bool:
    """Whether it is Keras 3."""
    return k.__name__ == "keras"


def one(k: Any, shape: tuple[int, ...], *layers: Any) -> Any:
    """Give a sequential model."""
    return k.Sequential([k.layers.Input(shape), *layers])


def image(pick: Pick, data_format: str, channels: int | None = None) -> tuple[int, ...]:
    """Draw the shape of a small image in a layout."""
    space = (pick([5, 6, 7, 8]), pick([4, 5, 7, 9]))
    c = channels or pick([1, 2, 3, 4])
    return (c, *space) if data_format == "channels_first" else (*space, c)


def series(pick: Pick, data_format: str = "channels_last", channels: int | None = None) -> tuple[int, ...]:
    """Draw the shape of a short series."""
    c, n = channels or pick([1, 2, 3, 4]), pick([6, 7, 8, 11])
    return (c, n) if data_format == "channels_first" else (n, c)


def layout(pick: Pick) -> str:
    """Draw a data format."""
    return str(pick(["channels_last"] * 3 + ["channels_first"]))


def steps(pick: Pick, *, both: bool = True) -> dict[str, Any]:
    """Draw strides or dilation, which exclude each other; equal along both axes unless ``both``."""
    what, value = pick(["strides", "dilation_rate"]), pick([1, 2, 3])
    other = pick([1, 2, 3]) if both else value
    return {what: (value, other)}


@kind
def dense(k: Any, pick: Pick) -> Any:
    shape = pick([(5,), (3, 4), (2, 3, 4)])
    return one(
        k, shape, k.layers.Dense(pick([1, 3]), activation=pick([None, "relu", "tanh"]), use_bias=pick([True, False]))
    )


@kind
def conv1d(k: Any, pick: Pick) -> Any:
    fmt, groups = layout(pick), pick([1, 1, 2])
    step = {name: value[0] for name, value in steps(pick).items()}
    padding = pick(["valid", "same", "causal"]) if fmt == "channels_last" else pick(["valid", "same"])
    return one(
        k,
        series(pick, fmt, groups * pick([1, 2])),
        k.layers.Conv1D(
            groups * pick([1, 2]), pick([1, 2, 3, 4]), padding=padding, groups=groups, data_format=fmt,
            activation=pick([None, "relu"]), use_bias=pick([True, False]), **step,
        ),
    )  # fmt: skip


@kind
def conv2d(k: Any, pick: Pick) -> Any:
    fmt, groups = layout(pick), pick([1, 1, 2])
    return one(
        k,
        image(pick, fmt, groups * pick([1, 2])),
        k.layers.Conv2D(
            groups * pick([1, 3]), (pick([1, 2, 3]), pick([1, 3, 4])), padding=pick(["valid", "same"]), groups=groups,
            data_format=fmt, activation=pick([None, "relu", "softmax"]), use_bias=pick([True, False]), **steps(pick),
        ),
    )  # fmt: skip


@kind
def depthwise1d(k: Any, pick: Pick) -> Any:
    fmt, step = layout(pick), {name: value[0] for name, value in steps(pick).items()}
    return one(
        k,
        series(pick, fmt),
        k.layers.DepthwiseConv1D(
            pick([1, 2, 3]), padding=pick(["valid", "same"]), depth_multiplier=pick([1, 2, 3]), data_format=fmt,
            activation=pick([None, "relu"]), use_bias=pick([True, False]), **step,
        ),
    )  # fmt: skip


@kind
def depthwise2d(k: Any, pick: Pick) -> Any:
    fmt = layout(pick)
    return one(
        k,
        image(pick, fmt),
        k.layers.DepthwiseConv2D(
            (pick([1, 2, 3]), pick([2, 3])), padding=pick(["valid", "same"]), depth_multiplier=pick([1, 2, 3]),
            data_format=fmt, activation=pick([None, "relu"]), use_bias=pick([True, False]), **steps(pick, both=False),
        ),
    )  # fmt: skip


@kind
def separable1d(k: Any, pick: Pick) -> Any:
    fmt, step = layout(pick), {name: value[0] for name, value in steps(pick).items()}
    padding = pick(["valid", "same", "causal"]) if not is_3(k) and fmt == "channels_last" else pick(["valid", "same"])
    return one(
        k,
        series(pick, fmt),
        k.layers.SeparableConv1D(
            pick([1, 3]), pick([1, 2, 3]), padding=padding, depth_multiplier=pick([1, 2]), data_format=fmt,
            use_bias=pick([True, False]), activation=pick([None, "relu"]), **step,
        ),
    )  # fmt: skip


@kind
def separable2d(k: Any, pick: Pick) -> Any:
    fmt = layout(pick)
    return one(
        k,
        image(pick, fmt),
        k.layers.SeparableConv2D(
            pick([1, 3]), (pick([1, 3]), pick([2, 3])), padding=pick(["valid", "same"]), depth_multiplier=pick([1, 2]),
            data_format=fmt, use_bias=pick([True, False]), **steps(pick, both=False),
        ),
    )  # fmt: skip


def transposed(k: Any, pick: Pick, rank: int) -> dict[str, Any]:
    """Draw the arguments of a transposed convolution."""
    strides = tuple(pick([1, 2, 3]) for _ in range(rank))
    extra = pick([None, None, tuple(pick(range(s)) for s in strides)])
    dilation = pick([1, 1, 2]) if max(strides) == 1 and is_3(k) else 1
    return {
        "filters": pick([1, 2]), "kernel_size": tuple(pick([1, 2, 3, 4]) for _ in range(rank)), "strides": strides,
        "padding": pick(["valid", "same"]), "output_padding": extra, "dilation_rate": dilation,
        "use_bias": pick([True, False]), "activation": pick([None, "relu"]),
    }  # fmt: skip


@kind
def transposed1d(k: Any, pick: Pick) -> Any:
    arguments = transposed(k, pick, 1)
    if not is_3(k) and arguments["output_padding"]:
        arguments["output_padding"] = arguments["output_padding"][0]
    return one(k, series(pick), k.layers.Conv1DTranspose(**arguments))


@kind
def transposed2d(k: Any, pick: Pick) -> Any:
    fmt = layout(pick)
    return one(k, image(pick, fmt), k.layers.Conv2DTranspose(**transposed(k, pick, 2), data_format=fmt))


@kind
def pool(k: Any, pick: Pick) -> Any:
    fmt, which = layout(pick), pick(["Max", "Average"])
    padding = pick(["valid", "same"])
    if pick([True, False]):
        size, strides = pick([1, 2, 3]), pick([None, 1, 2, 3])
        return one(
            k, series(pick, fmt), getattr(k.layers, f"{which}Pooling1D")(size, strides, padding, data_format=fmt)
        )
    size, strides = (pick([1, 2, 3]), pick([2, 3])), pick([None, (1, 2), (2, 2), (3, 1)])
    return one(k, image(pick, fmt), getattr(k.layers, f"{which}Pooling2D")(size, strides, padding, data_format=fmt))


@kind
def global_pool(k: Any, pick: Pick) -> Any:
    fmt, which, keep = layout(pick), pick(["Max", "Average"]), pick([True, False])
    if pick([True, False]):
        return one(k, series(pick, fmt), getattr(k.layers, f"Global{which}Pooling1D")(data_format=fmt, keepdims=keep))
    return one(k, image(pick, fmt), getattr(k.layers, f"Global{which}Pooling2D")(data_format=fmt, keepdims=keep))


@kind
def borders(k: Any, pick: Pick) -> Any:
    fmt, which = layout(pick), pick(["ZeroPadding", "Cropping"])
    if pick([True, False]):
        return one(k, series(pick), getattr(k.layers, f"{which}1D")(pick([0, 1, (1, 2), (0, 2)])))
    amount = pick([0, 1, (1, 0), ((1, 0), (0, 2)), ((0, 1), (2, 1))])
    return one(k, image(pick, fmt), getattr(k.layers, f"{which}2D")(amount, data_format=fmt))


@kind
def upsampling(k: Any, pick: Pick) -> Any:
    fmt = layout(pick)
    if pick([True, False, False]):
        return one(k, series(pick), k.layers.UpSampling1D(pick([1, 2, 3])))
    size, how = pick([2, (2, 3), (1, 2), (3, 3)]), pick(["nearest", "bilinear", "bilinear"])
    return one(k, image(pick, fmt), k.layers.UpSampling2D(size, data_format=fmt, interpolation=how))


@kind
def batch_norm(k: Any, pick: Pick) -> Any:
    shape = pick([(5,), (4, 3), (3, 4, 2)])
    axis = pick([-1, *range(1, len(shape) + 1)])
    flags = {"center": pick([True, False]), "scale": pick([True, False]), "epsilon": pick([1e-3, 1e-2])}
    return one(k, shape, k.layers.BatchNormalization(axis=axis, **flags))


@kind
def layer_norm(k: Any, pick: Pick) -> Any:
    shape = pick([(5,), (4, 3), (3, 4, 2)])
    axis = pick([-1, 1, len(shape), *([[1, 2], [-1, -2]] if len(shape) > 1 else [])])
    flags = {"center": pick([True, False]), "scale": pick([True, False]), "epsilon": pick([1e-3, 1e-2])}
    if is_3(k) and pick([True, False, False]):
        flags = {"epsilon": flags["epsilon"], "rms_scaling": True}
    return one(k, shape, k.layers.LayerNormalization(axis=axis, **flags))


@kind
def other_norm(k: Any, pick: Pick) -> Any:
    shape = pick([(5,), (4, 3)])
    if is_3(k) and pick([True, False]):
        return one(k, shape, k.layers.RMSNormalization(axis=pick([-1, 1]), epsilon=pick([1e-6, 1e-2])))
    return one(k, shape, k.layers.UnitNormalization(axis=pick([-1, 1])))


@kind
def function(k: Any, pick: Pick) -> Any:
    name = pick(FUNCTIONS + (FUNCTIONS_3 if is_3(k) else []))
    shape = pick([(6,), (3, 4)])
    return one(k, shape, k.layers.Activation(name) if pick([True, False]) else k.layers.Dense(4, activation=name))


@kind
def relu(k: Any, pick: Pick) -> Any:
    return one(
        k,
        (12,),
        k.layers.ReLU(pick([None, 1.0, 6.0]), pick([0.0, 0.1, 0.25]), pick([0.0, 0.5, 1.5])),
    )


@kind
def advanced(k: Any, pick: Pick) -> Any:
    names = ["LeakyReLU", "ELU", "PReLU", "Softmax", "activation"] + ([] if is_3(k) else ["ThresholdedReLU"])
    name, shape = pick(names), pick([(6,), (4, 3), (3, 4, 2)])
    if name == "PReLU":
        shared = pick([None, [1], list(range(1, len(shape))) or [1]])
        return one(k, shape, k.layers.PReLU(shared_axes=shared))
    if name == "Softmax":
        return one(k, shape, k.layers.Softmax(axis=pick([-1, 1, len(shape), *([[1, 2]] if len(shape) > 1 else [])])))
    if name == "activation":
        return one(k, shape, k.layers.Dense(3, activation=k.layers.LeakyReLU(0.125)))
    return one(k, shape, getattr(k.layers, name)(pick([0.5, 1.5])))


@kind
def merge(k: Any, pick: Pick) -> Any:
    name = pick(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"])
    shapes = pick(
        [[(4,), (4,)], [(3, 4), (3, 4)], [(3, 4), (4,)], [(3, 4), (1, 4)], [(2, 1, 4), (3, 1)], [(4,), (2, 3, 4)]]
    )
    inputs = [k.layers.Input(s) for s in shapes]
    if name != "Subtract" and pick([True, False]):
        inputs.append(k.layers.Input(shapes[0]))
    return k.Model(inputs, getattr(k.layers, name)()(inputs))


@kind
def concatenate(k: Any, pick: Pick) -> Any:
    axis = pick([1, 2, -1, -2])
    shapes = [[3, 4], [3, 4], [3, 4]][: pick([2, 3])]
    shapes[-1][axis - 1 if axis > 0 else axis] = 2
    inputs = [k.layers.Input(s) for s in shapes]
    return k.Model(inputs, k.layers.Concatenate(axis=axis)(inputs))


@kind
def dot(k: Any, pick: Pick) -> Any:
    shapes, axes = pick(
        [
            (((4,), (4,)), 1), (((4,), (4,)), -1), (((3, 4), (5, 4)), 2), (((3, 4), (4, 5)), (2, 1)),
            (((4, 3), (4, 2)), 1), (((3, 4), (4,)), (2, 1)), (((4,), (3, 4)), (1, 2)), (((3, 4), (5, 4)), (-1, -1)),
        ]
    )  # fmt: skip
    inputs = [k.layers.Input(s) for s in shapes]
    return k.Model(inputs, k.layers.Dot(axes, normalize=pick([True, False]))(inputs))


@kind
def moves(k: Any, pick: Pick) -> Any:
    name = pick(["Flatten", "Reshape", "Permute", "RepeatVector"])
    if name == "RepeatVector":
        return one(k, (4,), k.layers.RepeatVector(pick([1, 3])))
    if name == "Flatten":
        return one(k, pick([(5,), (3, 4), (2, 3, 4)]), k.layers.Flatten(data_format=layout(pick)))
    if name == "Permute":
        return one(k, (2, 3, 4), k.layers.Permute(pick([(1, 2, 3), (3, 1, 2), (2, 1, 3), (3, 2, 1)])))
    return one(k, (4, 6), k.layers.Reshape(pick([(24,), (-1,), (3, -1), (2, 3, 4), (-1, 2, 2)])))


@kind
def statistics(k: Any, pick: Pick) -> Any:
    if pick([True, False, False]):
        scale, offset = pick([(0.5, 0.0), (1 / 127.5, -1.0), (2, 1), ([0.5, 2.0, 3.0], [1.0, 0.0, -1.0])])
        return one(k, (4, 3), k.layers.Rescaling(scale, offset))
    axis, invert = pick([-1, 1, None, (1, 2)]), pick([True, False])
    if pick([True, False]):
        layer = k.layers.Normalization(axis=axis, invert=invert)
        model = one(k, (4, 3), layer)
        return model
    given = {"mean": 0.5, "variance": 2.0} if axis != -1 else {"mean": [0.5, 0.25, -1.0], "variance": [1.0, 2.0, 0.5]}
    return one(k, (4, 3), k.layers.Normalization(axis=axis, invert=invert, **given))


@kind
def time_distributed(k: Any, pick: Pick) -> Any:
    name = pick(["Dense", "Conv1D", "Conv2D", "BatchNormalization", "Flatten", "Model", "Pool"])
    shape = (3, 6, 2) if name != "Conv2D" else (3, 5, 4, 2)
    inner = {
        "Dense": lambda: k.layers.Dense(2, activation="relu"),
        "Conv1D": lambda: k.layers.Conv1D(2, 3, padding="causal"),
        "Conv2D": lambda: k.layers.Conv2D(2, 3, padding="same", strides=2),
        "BatchNormalization": lambda: k.layers.BatchNormalization(),
        "Flatten": lambda: k.layers.Flatten(),
        "Model": lambda: k.Sequential([k.layers.Input((6, 2)), k.layers.Flatten(), k.layers.Dense(2)]),
        "Pool": lambda: k.layers.GlobalMaxPooling1D(),
    }[name]()
    return one(k, shape, k.layers.TimeDistributed(inner))


@kind
def identities(k: Any, pick: Pick) -> Any:
    names = ["Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"]
    return one(
        k, (5, 3), getattr(k.layers, pick(names))(0.2), k.layers.ActivityRegularization(0.1, 0.2), k.layers.Dense(2)
    )


@kind
def chain(k: Any, pick: Pick) -> Any:
    last = k.layers.Dense(3, activation="softmax", trainable=pick([True, False]))
    first = k.layers.Conv2D(2, 3, padding="same", trainable=pick([True, False]))
    norm = k.layers.BatchNormalization(trainable=pick([True, False]))
    return one(k, (6, 5, 2), first, norm, k.layers.ReLU(6.0), k.layers.MaxPooling2D(), k.layers.Flatten(), last)


def inner_models(k: Any, pick: Pick) -> tuple[Any, Any]:
    """Give a sequential model and a functional one that uses it; both map 4 numbers to 4, the second also to 2."""
    frozen = pick([True, False])
    inner = one(k, (4,), k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Dense(4, trainable=not frozen))
    start = k.layers.Input((4,))
    return inner, k.Model(start, [k.layers.Dense(2)(start), inner(start)])


def joined(k: Any, pick: Pick, inner: Any, both: Any) -> Any:
    """Give a model that calls two others several times."""
    if pick([True, False]):
        inner.trainable = False
    a, b = k.layers.Input((4,)), k.layers.Input((4,))
    p, q = both(inner(a))
    r, s = both(b)
    t = k.layers.Subtract()([inner(q), s])
    return k.Model([b, a], [k.layers.Concatenate()([p, r, t]), q])


@kind
def nested(k: Any, pick: Pick) -> Any:
    return joined(k, pick, inner_models(k, pick)[0], inner_models(k, pick)[1])


@kind
def shared_between_models(k: Any, pick: Pick) -> Any:
    return joined(k, pick, *inner_models(k, pick))


@kind
def shared(k: Any, pick: Pick) -> Any:
    a, b = k.layers.Input((4,)), k.layers.Input((4,))
    layer = k.layers.Dense(4, activation="tanh")
    x, y = layer(a), layer(b)
    for _ in range(pick([0, 1, 2])):
        x, y = layer(y), x
    order = [x, y] if pick([True, False]) else [y, x]
    return k.Model([a, b], [k.layers.Subtract()(order), k.layers.Dense(2)(x)])


@kind
def residual(k: Any, pick: Pick) -> Any:
    start = k.layers.Input((6, 6, 2))
    x = k.layers.Conv2D(3, 3, padding="same", strides=pick([1, 2]))(start)
    y = k.layers.BatchNormalization()(x)
    y = k.layers.Activation("relu")(y)
    y = k.layers.DepthwiseConv2D(3, padding="same")(y)
    z = (
        k.layers.Add()([x, y])
        if pick([True, False])
        else k.layers.Multiply()([y, k.layers.GlobalAveragePooling2D(keepdims=True)(x)])
    )
    return k.Model(start, k.layers.GlobalAveragePooling2D()(z))


def randomize(model: Any, seed: int) -> None:
    """Give every weight a random value; variances are positive."""
    rng = np.random.default_rng(seed)

    def value(variable: Any) -> np.ndarray:
        shape = tuple(variable.shape)
        if "variance" in variable.name:
            return rng.uniform(0.25, 2.0, shape)
        return rng.uniform(-1, 1, shape) * (0.5 if len(shape) > 1 else 1.0)

    if not any("int8" in str(v.dtype) for v in model.weights):  # what Keras quantized has its weights already
        model.set_weights([value(v) for v in model.weights])
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization computes with a copy of its weights
            layer.finalize_state()


def refuse_ambiguous(model: Any) -> None:
    """Raise ValueError where Keras 3 on TensorFlow adds a bias of C numbers along the wrong axis.

    With channels_first it does so if the last axis, too, has C elements (``add`` in its backend/tensorflow/numpy.py).
    Other backends of Keras, and other sizes, do what the layer says.
    """
    for layer in model.layers:
        first = getattr(layer, "data_format", "") == "channels_first"
        if first and getattr(layer, "use_bias", False) and layer.output.shape[1] == layer.output.shape[-1]:
            raise ValueError("ambiguous bias")


def samples(model: Any, seed: int, batch: int = 2) -> list[np.ndarray]:
    """Give inputs for a model, float32; some values are exactly 0 or beyond every cap."""
    rng = np.random.default_rng(seed)
    inputs = model.inputs if isinstance(model.inputs, list) else [model.inputs]
    return [_sample(rng, (batch, *i.shape[1:]), i.name) for i in inputs]


def _sample(rng: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Give numbers for one input: whole ones up to 9 for ``tokens_9``, with steps of one value for ``masked_0``."""
    what, _, number = name.partition(":")[0].rpartition("_")
    if what.startswith("tokens"):
        return rng.integers(0, int(number) + 1, shape).astype(np.float32)
    array = (rng.normal(size=shape) * 2).astype(np.float32).round(3)
    if what.startswith("masked"):
        array[rng.random(shape[:-1]) < 0.4] = float(number)
        return array
    array.flat[0] = 0.0
    array.flat[-1] = 8.0
    return array


def answers(model: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    """Run the model."""
    types = [i.dtype if isinstance(i.dtype, str) else i.dtype.name for i in model.inputs]
    given = [x.astype(t) for x, t in zip(xs, types, strict=True)]
    results = model(given if len(given) > 1 else given[0], training=False)
    return [np.asarray(r) for r in _flat(results)]


def _flat(results: Any) -> list[Any]:
    """Give the arrays of a nested structure: the states of stacked cells."""
    return [one for r in results for one in _flat(r)] if isinstance(results, (list, tuple)) else [results]


for _name in MORE:
    KINDS.update(import_module(f".{_name}" if __package__ else _name, __package__).KINDS)

"""Models of HGQ2, drawn: ``KINDS[name](pick)`` builds one; ``pick(options)`` chooses, the simplest option first.

Imported inside the functions: keras, hgq. For recordings, live tests and the fuzzer.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Pick = Callable[[Sequence[Any]], Any]
ROUNDING = ("RND", "RND_CONV", "TRN", "S_RND", "S_RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF")
OVERFLOW = ("WRAP", "SAT", "SAT_SYM")


def conf(pick: Pick, place: str = "datalane", rank: int = 2, batch: bool = True) -> Any:
    """Draw a configuration of a quantizer for tensors of ``rank`` axes, the batch counted."""
    from hgq.config import HardSigmoidConfig, HardTanhConfig, QuantizerConfig

    kind = pick(("kif", "kbi"))
    if place == "datalane" and pick(range(12)) == 11:
        return pick((HardTanhConfig, HardSigmoidConfig))(round_mode=pick(ROUNDING), f0=4)
    if pick(range(24)) == 23:
        return QuantizerConfig("dummy", place)
    bits = {"i0": pick((2, 1, 3)), **({"f0": pick((4, 2, 5))} if kind == "kif" else {"b0": pick((6, 3, 7))})}
    lowest = int(batch)
    shared = pick((None, "all", "last", "first"))
    axes = {
        None: {},
        "all": {"heterogeneous_axis": ()},
        "last": {"heterogeneous_axis": (rank - 1,)} if rank > lowest else {},
        "first": {"homogeneous_axis": (0,) if batch else ()} if rank < 3 else {"homogeneous_axis": (0, rank - 1)},
    }[shared]
    more: dict[str, Any] = {"scaler": pick((None,) * 6 + (0.5, 4.0))}
    if place == "datalane":
        more["affine"] = pick((None,) * 7 + ((0.25, 0.5),))
        more["k0"] = pick((True, True, True, False))
    return QuantizerConfig(kind, place, round_mode=pick(ROUNDING), overflow_mode=pick(OVERFLOW), **bits, **axes, **more)


def common(pick: Pick, rank: int) -> dict[str, Any]:
    """Draw the quantizers of input and output of a layer of one input."""
    oq = pick((False, True))
    counts = pick((True, False))
    return {
        "iq_conf": conf(pick, rank=rank),
        "enable_oq": oq,
        "oq_conf": conf(pick, rank=rank) if oq else None,
        **({} if counts else {"enable_ebops": False}),
    }


def weights(pick: Pick, rank: int) -> dict[str, Any]:
    """Draw the quantizers of a kernel of ``rank`` axes, and of a bias."""
    return {"kq_conf": conf(pick, "weight", rank, False), "bq_conf": conf(pick, "bias", 1, False)}


def one(shape: tuple[int, ...], layer: Callable[[], Any]) -> Any:
    """Make a model of one layer."""
    import keras

    x = keras.Input(shape)
    return keras.Model(x, layer()(x))


def dense(pick: Pick) -> Any:
    from hgq import layers

    shape = pick(((5,), (3, 4), (2, 3, 4)))
    activation = pick((None, "relu", "leaky_relu"))
    bias = pick((True, False))
    options = {**common(pick, len(shape) + 1), **weights(pick, 2)}
    return one(shape, lambda: layers.QDense(pick((3, 1, 6)), activation=activation, use_bias=bias, **options))


def conv(pick: Pick) -> Any:
    from hgq import layers

    rank = pick((2, 1))
    shape = (*((7, 6)[:rank]), pick((2, 4)))
    strides, dilation = pick(((1, 1), (2, 1), (1, 2)))
    options: dict[str, Any] = {
        "strides": strides,
        "dilation_rate": dilation,
        "padding": pick(("valid", "same", "causal") if rank == 1 else ("valid", "same")),
        "groups": pick((1, 2)),
        "activation": pick((None, "relu")),
        "use_bias": pick((True, False)),
    }
    frame = {**common(pick, rank + 2), **weights(pick, rank + 2)}
    if options["padding"] == "causal":
        from hgq.config import QuantizerConfig

        frame["iq_conf"] = QuantizerConfig("kif", homogeneous_axis=(0, 1))
    layer = layers.QConv1D if rank == 1 else layers.QConv2D
    return one(shape, lambda: layer(4, pick((2, 3, 1)), **options, **frame))


EQUATIONS: tuple[tuple[str, tuple[int, ...], Any, str | None], ...] = (
    ("bnc,cd->bnd", (4, 3), (4, 5), "d"),
    ("bc,cd->bd", (3,), 5, None),
    ("bnc,nm->bmc", (4, 3), (2, 3), "m"),
    ("bnc,ncd->bnd", (4, 3), (4, 2), "nd"),
    ("...ab,bc->...ac", (4, 3), (4, 2), "c"),
    ("...x,xy->...y", (2, 4, 3), 5, "y"),
    ("bnc,nc->bnc", (4, 3), (4, 3), None),
    ("bnc,ncde->bed", (2, 3), (4, 2), "de"),
)


def einsum_dense(pick: Pick) -> Any:
    from hgq import layers

    equation, shape, out, axes = pick(EQUATIONS)
    rank = len(equation.split(",")[1].split("->")[0].replace("...", ""))
    frame = {**common(pick, len(shape) + 1), **weights(pick, rank)}
    activation = pick((None, "relu"))
    return one(shape, lambda: layers.QEinsumDense(equation, out, bias_axes=axes, activation=activation, **frame))


def einsum_norm(pick: Pick) -> Any:
    from hgq import layers

    equation, shape, out, axes = pick((EQUATIONS[0], EQUATIONS[3], EQUATIONS[5]))
    rank = len(equation.split(",")[1].split("->")[0].replace("...", ""))
    frame = {**common(pick, len(shape) + 1), **weights(pick, rank)}
    return one(shape, lambda: layers.QEinsumDenseBatchnorm(equation, out, bias_axes=axes, **frame))


def dense_norm(pick: Pick) -> Any:
    from hgq import layers

    shape = pick(((5,), (3, 4)))
    frame = {**common(pick, len(shape) + 1), **weights(pick, 2)}
    return one(shape, lambda: layers.QBatchNormDense(3, scale=pick((True, False)), epsilon=pick((1e-3, 0.1)), **frame))


def norm(pick: Pick) -> Any:
    from hgq import layers

    shape = pick(((5,), (3, 4), (4, 3, 2)))
    axis = pick((-1, 1))
    options = {"center": pick((True, False)), "scale": pick((True, False)), "epsilon": pick((1e-3, 0.1))}
    frame = {
        **common(pick, len(shape) + 1),
        "kq_conf": conf(pick, "weight", 1, False),
        "bq_conf": conf(pick, "bias", 1, False),
    }
    return one(shape, lambda: layers.QBatchNormalization(axis=axis, **options, **frame))


def merge(pick: Pick) -> Any:
    import keras
    from hgq import layers

    name = pick(("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2"))
    count = 2 if name in ("QSubtract", "QMultiply") else pick((2, 3))
    shapes = [(3, 4), *([pick(((3, 4), (4,), (1, 4)))] * (count - 1))]
    xs = [keras.Input(s) for s in shapes]
    oq = pick((False, True))
    frame = {"enable_oq": oq, "oq_conf": conf(pick, rank=3) if oq else None}
    confs = [conf(pick, rank=len(s) + 1) for s in shapes]
    return keras.Model(xs, getattr(layers, name)(iq_confs=confs, **frame)(xs))


def dot(pick: Pick) -> Any:
    import keras
    from hgq import layers

    xs = [keras.Input((3, 4)), keras.Input((5, 4))]
    return keras.Model(xs, layers.QDot(axes=(2, 2), iq_confs=[conf(pick, rank=3), conf(pick, rank=3)])(xs))


def einsum(pick: Pick) -> Any:
    import keras
    from hgq import layers

    equation, shapes = pick(
        (
            ("bnc,bmc->bnm", ((4, 3), (5, 3))),
            ("bnc,bnc->bn", ((4, 3), (4, 3))),
            ("...c,...c->...", ((4, 3), (4, 3))),
            ("bhtd,bhsd->bhts", ((2, 3, 2), (2, 4, 2))),
            ("bn,bm->bnm", ((4,), (3,))),
        )
    )
    xs = [keras.Input(s) for s in shapes]
    return keras.Model(xs, layers.QEinsum(equation, iq_confs=[conf(pick, rank=len(s) + 1) for s in shapes])(xs))


def total(pick: Pick) -> Any:
    from hgq import layers

    shape, axes = (4, 3, 2), pick(((1,), (-1,), (1, 3), (1, 2, 3)))
    keep = pick((False, True))
    frame = {"iq_conf": conf(pick, rank=4)}
    if pick((False, True)):
        return one(shape, lambda: layers.QMeanPow2(axes=axes, keepdims=keep, **frame))
    return one(shape, lambda: layers.QSum(axes=axes, keepdims=keep, scale=pick((1.0, 0.25)), **frame))


def pool(pick: Pick) -> Any:
    from hgq import layers

    kind, rank = pick(("Max", "Average")), pick((2, 1))
    shape = (*((7, 6)[:rank]), 2)
    frame = common(pick, rank + 2)
    if pick((False, True)):
        layer = getattr(layers, f"QGlobal{kind}Pooling{rank}D")
        frame = {**frame, "enable_oq": False, "oq_conf": None}
        return one(shape, lambda: layer(keepdims=pick((False, True)), **frame))
    layer = getattr(layers, f"Q{kind}Pooling{rank}D")
    options = {"pool_size": pick((2, 3)), "strides": pick((None, 1, 2)), "padding": pick(("valid", "same"))}
    return one(shape, lambda: layer(**options, **frame))


def quantizer(pick: Pick) -> Any:
    from hgq.layers import Quantizer

    shape = pick(((5,), (3, 4), (2, 3, 4)))
    return one(shape, lambda: Quantizer(conf(pick, rank=len(shape) + 1)))


FUNCTIONS = ("tanh", "sigmoid", "relu", "gelu", "silu", "exponential", "softplus", "elu", "hard_sigmoid", "softsign")


def lut(pick: Pick) -> Any:
    from hgq import layers

    shape = pick(((5,), (3, 4)))
    affine, name = pick((False, True)), pick(FUNCTIONS)
    layer = layers.QAffinedUnaryFunctionLUT if affine else layers.QUnaryFunctionLUT
    frame = {"iq_conf": conf(pick, rank=len(shape) + 1), "oq_conf": conf(pick, "table", len(shape) + 1)}
    return one(shape, lambda: layer(name, **frame))


def softmax(pick: Pick) -> Any:
    from hgq import layers

    shape, axes = pick((((4,), -1), ((3, 4), -1), ((3, 4), 1), ((3, 4), (1, 2))))
    stable, rank = pick((True, False)), len(shape) + 1
    names = ("exp_iq_conf", "exp_oq_conf", "inv_iq_conf", "inv_oq_conf")
    confs = {n: conf(pick, "table" if "oq" in n else "datalane", rank) for n in names}
    confs = {n: c if c.q_type != "dummy" else None for n, c in confs.items()}
    frame = {**common(pick, rank), "allow_heterogeneous_table": pick((False, True)), **confs}
    options = {"stable": stable, "enable_iq": not stable or pick((True, False)), "input_scaler": pick((1.0, 0.5, 0.3))}
    return one(shape, lambda: layers.QSoftmax(axis=axes, **options, **frame))


def attention(pick: Pick) -> Any:
    import keras
    from hgq import layers

    fuse = pick(("none", "qkv", "kv"))
    x = keras.Input((4, 3))
    y = x if fuse == "qkv" else keras.Input(pick(((4, 3), (5, 2))))
    options = {"value_dim": pick((None, 2)), "use_bias": pick((True, False)), "output_shape": pick((None, 5))}
    call = {"use_causal_mask": pick((False, True)), "return_attention_scores": pick((False, True))}
    layer = layers.QMultiHeadAttention(pick((1, 2)), pick((2, 3)), fuse=fuse, **options, **_attention_confs(pick))
    return keras.Model([x] if y is x else [x, y], layer(x, y, **call))


def _attention_confs(pick: Pick) -> dict[str, Any]:
    from hgq.config import QuantizerConfig

    small = {"b0": 5, "i0": 2, "heterogeneous_axis": pick((None, ()))}
    if small["heterogeneous_axis"] is None:
        del small["heterogeneous_axis"]
    return {
        "qkvo_iq_conf": QuantizerConfig("kbi", **small, overflow_mode=pick(OVERFLOW)),
        "qkvo_oq_conf": QuantizerConfig("kbi", **small, round_mode=pick(ROUNDING)),
        "qkvo_kq_conf": QuantizerConfig("kbi", "weight", b0=4, i0=1, round_mode=pick(ROUNDING)),
    }


def linformer(pick: Pick) -> Any:
    import keras
    from hgq import layers

    x = keras.Input((5, 3))
    shared = pick((False, True))
    layer = layers.QLinformerAttention(2, pick((3, 2)), 2, share_kv_proj=shared, **_attention_confs(pick))
    return keras.Model(x, layer(x, x))


def recurrent(pick: Pick) -> Any:
    from hgq import layers
    from hgq.config import QuantizerConfig

    options = {
        "return_sequences": pick((False, True)),
        "go_backwards": pick((False, True)),
        "use_bias": pick((True, False)),
        "iq_conf": conf(pick, rank=2),
        "kq_conf": QuantizerConfig("kbi", "weight", b0=4, i0=1, round_mode=pick(ROUNDING)),
        "rkq_conf": QuantizerConfig("kbi", "weight", b0=4, i0=1),
        "sq_conf": QuantizerConfig("kif", i0=1, f0=4, overflow_mode=pick(OVERFLOW)),
    }
    if pick((False, True)):
        gates = {"reset_after": pick((True, False)), "rhq_conf": QuantizerConfig("kif", i0=2, f0=4)}
        return one((5, 3), lambda: layers.QGRU(3, **gates, **options))
    enable_sq = pick((False, True))
    return one(
        (5, 3), lambda: layers.QSimpleRNN(3, activation=pick(("linear", "relu")), enable_sq=enable_sq, **options)
    )


def jet_tagger(pick: Pick) -> Any:
    """A classifier of jets: dense layers, 16 inputs, 5 classes; WRAP or SAT."""
    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope

    mode = pick(("WRAP", "SAT"))
    with QuantizerConfigScope(place="datalane", overflow_mode=mode, f0=4), QuantizerConfigScope(place="weight", b0=6):
        x = keras.Input((16,))
        y = x
        for width in (32, 16):
            y = layers.QDense(width, activation="relu")(y)
        return keras.Model(x, layers.QDense(5, enable_oq=True)(y))


def conv_net(pick: Pick) -> Any:
    """Images: convolutions, pooling, dense; plain Keras layers between."""
    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope

    with QuantizerConfigScope(place="datalane", f0=3, overflow_mode=pick(OVERFLOW)), QuantizerConfigScope(b0=5):
        x = keras.Input((10, 10, 1))
        y = layers.QConv2D(4, 3, activation="relu")(x)
        y = pick((keras.layers.MaxPooling2D, layers.QMaxPooling2D))(2)(y)
        y = layers.QConv2D(4, 3, padding="same")(y)
        y = layers.QBatchNormalization()(y)
        y = keras.layers.ReLU()(y)
        y = keras.layers.Dropout(0.2)(keras.layers.Flatten()(y))
        return keras.Model(x, layers.QDense(3)(y))


def transformer(pick: Pick) -> Any:
    """One block: attention and a network of two dense layers, each with a sum around it, then a mean."""
    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope

    with QuantizerConfigScope(place="datalane", f0=3), QuantizerConfigScope(place="weight", b0=5):
        x = keras.Input((5, 4))
        attend = pick((layers.QMultiHeadAttention, layers.QLinformerAttention))
        arguments = (2, 3) if attend is layers.QMultiHeadAttention else (2, 3, 3)
        y = layers.QAdd()([x, attend(*arguments)(x, x)])
        y = layers.QBatchNormalization()(y)
        z = layers.QEinsumDense("bnc,cd->bnd", (5, 6), bias_axes="d", activation="relu")(y)
        z = layers.QEinsumDense("bnc,cd->bnd", (5, 4), bias_axes="d")(z)
        y = layers.QAdd()([y, z])
        return keras.Model(x, layers.QDense(3)(layers.QMeanPow2(axes=(1,))(y)))


def deep_sets(pick: Pick) -> Any:
    """A network over the particles of a jet, one sum over them, a network over that."""
    import keras
    from hgq import layers
    from hgq.config import QuantizerConfigScope

    with QuantizerConfigScope(place="datalane", f0=3), QuantizerConfigScope(place="weight", b0=5):
        x = keras.Input((6, 3))
        y = layers.QEinsumDenseBatchnorm("bnc,cd->bnd", (6, 8), bias_axes="d", activation="relu")(x)
        y = layers.QEinsumDense("bnc,cd->bnd", (6, 8), bias_axes="d", activation="relu")(y)
        y = layers.QSum(axes=(1,), scale=0.125)(y)
        y = layers.QDense(8, activation="relu")(y)
        return keras.Model(x, layers.QSoftmax(enable_iq=True)(layers.QDense(4)(y)))


KINDS: dict[str, Callable[[Pick], Any]] = {
    f.__name__: f
    for f in (
        dense, conv, einsum_dense, einsum_norm, dense_norm, norm, merge, dot, einsum, total, pool, quantizer, lut,
        softmax, attention, linformer, recurrent, jet_tagger, conv_net, transformer, deep_sets,
    )
}  # fmt: skip


def randomize(model: Any, seed: int) -> None:
    """Give every number of bits a value of its own, some none, and every other variable one that is not its first."""
    from hgq.quantizer.internal import FixedPointQuantizerBase

    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, FixedPointQuantizerBase) and layer.built:
            for name in ("_b", "_f", "_i"):
                if (variable := getattr(layer, name, None)) is not None:
                    value = np.asarray(variable.value) + rng.uniform(-1.2, 1.2, variable.shape)
                    none = (rng.random(variable.shape) < 0.06) & (name != "_i")
                    variable.assign(np.where(none, -2.0, value).astype(np.float32))
    for variable in model.variables:
        name = variable.path.rpartition("/")[2]
        scales = {"bias": 0.5, "bn_beta": 0.5, "moving_mean": 0.5, "beta": 0.5}
        if name in scales and variable.shape:
            variable.assign(rng.normal(0, scales[name], variable.shape).astype(np.float32))
        elif name in ("moving_variance", "bn_gamma", "gamma", "scale") and variable.shape:
            variable.assign(rng.uniform(0.4, 2, variable.shape).astype(np.float32))


def samples(model: Any, seed: int, batch: int = 24) -> list[np.ndarray]:
    """Draw inputs on a grid of 2^-8, half of them beyond what the quantizers hold, and corner cases."""
    rng = np.random.default_rng(seed)
    result = []
    for x in model.inputs:
        shape = (batch, *x.shape[1:])
        values = rng.normal(0, 1, shape) * rng.choice([0.5, 1.5, 5.0], (batch, *(1 for _ in shape[1:])))
        values[0], values[1], values[2] = 0, 2.0, -2.0
        values[3] = rng.integers(-8, 8, shape[1:]) / 8 + 1 / 16
        result.append((np.rint(values * 256) / 256).astype(np.float32))
    return result


def answers(model: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    """Give what the model computes, called as a function: each operation rounded by itself."""
    result = model(xs if len(xs) > 1 else xs[0], training=False)
    many = result if isinstance(result, (list, tuple)) else [result]
    return [np.asarray(y) for y in many]

"""Networks from TensorFlow's converter, in each of its ways to quantize, against its reference kernels."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatewright as gw

from ...fuzz.tflite_build import Reference, quiet

pytestmark = pytest.mark.live
RNG = np.random.default_rng(0)


def keras() -> Any:
    quiet()
    pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorflow import keras as module
    return module


def residual(k: Any) -> Any:
    x = k.Input((12, 12, 3))
    y = k.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    y = k.layers.BatchNormalization()(y)
    y = k.layers.ReLU(6.0)(y)
    z = k.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(y)
    z = k.layers.Conv2D(8, 1, activation="relu")(k.layers.ReLU()(z))
    y = k.layers.Add()([y, z])
    y = k.layers.Concatenate()([y, k.layers.MaxPooling2D(3, 1, "same")(y)])
    y = k.layers.AveragePooling2D(2)(k.layers.ZeroPadding2D(1)(y))
    return k.Model(x, k.layers.Dense(5, activation="softmax")(k.layers.Flatten()(y)))


def attention(k: Any) -> Any:
    x = k.Input((6, 8))
    q, v = k.layers.Dense(8)(x), k.layers.Dense(8)(x)
    y = k.layers.Multiply()([q, k.layers.Activation("sigmoid")(v)])
    y = k.layers.Subtract()([k.layers.Dense(8, activation="tanh")(y), x])
    y = k.layers.Maximum()([y, k.layers.Permute((1, 2))(x)])
    y = k.layers.Reshape((4, 12))(y)
    return k.Model(x, [k.layers.GlobalAveragePooling1D()(y), k.layers.Conv1D(4, 3, padding="same")(y)])


def dense(k: Any) -> Any:
    x = k.Input((16,))
    y = k.layers.Dense(12, activation="relu")(x)
    y = k.layers.LeakyReLU()(k.layers.Dense(9)(y))
    return k.Model(x, k.layers.Dense(4)(y))


def dilated(k: Any) -> Any:
    x = k.Input((14, 10, 2))
    y = k.layers.Conv2D(6, (3, 2), dilation_rate=2, activation="relu")(x)
    y = k.layers.Conv2DTranspose(4, 3, strides=2, padding="same")(y)
    y = k.layers.UpSampling2D(2)(y)
    y = k.layers.Cropping2D(1)(y)
    return k.Model(x, k.layers.GlobalMaxPooling2D()(y))


NETWORKS: dict[str, Callable[[Any], Any]] = {f.__name__: f for f in (residual, attention, dense, dilated)}


def converted(network: str, way: str) -> bytes:
    """Convert a network of random weights: float, float16, int8 (inputs and outputs too), int8 inside, 16x8."""
    k = keras()
    import tensorflow as tf

    k.utils.set_random_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NETWORKS[network](k)
        for w in model.weights:
            if "moving" in str(getattr(w, "path", w.name)) or "gamma" in str(w.name):
                w.assign(RNG.uniform(0.5, 1.5, w.shape).astype(np.float32))
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if way != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if way == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if way in ("int8", "uint8", "inside", "int16"):
            shape = model.inputs[0].shape[1:]
            samples = [RNG.normal(0, 1, (1, *shape)).astype(np.float32) for _ in range(40)]
            converter.representative_dataset = lambda: ([s] for s in samples)
            ops = tf.lite.OpsSet
            wide = ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [wide if way == "int16" else ops.TFLITE_BUILTINS_INT8]
            if way != "inside":
                kind = {"int8": tf.int8, "uint8": tf.uint8, "int16": tf.int16}[way]
                converter.inference_input_type = converter.inference_output_type = kind
        return bytes(converter.convert())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["float", "float16", "int8", "uint8", "inside", "int16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_converted(network: str, way: str, tmp_path: Path) -> None:
    data = converted(network, way)
    (tmp_path / "x.tflite").write_bytes(data)
    graph = gw.load(tmp_path / "x.tflite")
    reference = Reference(data)
    detail = reference.interpreter.get_input_details()[0]
    shape = tuple(int(n) for n in detail["shape"])
    if detail["dtype"] == np.float32:
        x = RNG.normal(0, 1, (50, *shape)).astype(np.float32)
    else:
        info = np.iinfo(detail["dtype"])
        x = RNG.integers(info.min, info.max + 1, (50, *shape)).astype(detail["dtype"])
    wanted = reference([x])
    given = gw.evaluate(graph, x.reshape(-1, *shape[1:]), integers=x.dtype != np.float32)
    for got, y in zip(given if isinstance(given, tuple) else (given,), wanted, strict=True):
        got = np.asarray(got).reshape(y.shape)
        if y.dtype == np.float32 and way != "inside":
            np.testing.assert_allclose(got, y, rtol=1e-4, atol=1e-5 * (1 + np.abs(y).max()))
        else:
            np.testing.assert_array_equal(got, y)
    lowered = gw.lower(graph)
    assert lowered.is_integer

"""Record small qkeras models, their weights and what they answer, into tests/data/qkeras. Needs the extra `tensorflow`.

    python tests/record/qkeras_layers.py

The tests compare with these files; `pytest -m live` checks that they are still what qkeras says.
"""

import json
import sys
import tempfile
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "qkeras"


def quantizer_script():
    """The neighbouring script, which starts qkeras."""
    spec = spec_from_file_location("qkeras_quantizers", HERE / "qkeras_quantizers.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models(q, keras):
    """{name: (input shape, layers)}: each layer of qkeras, with one or two more around it."""
    bits = q.quantized_bits
    one, free = bits(4, 0, alpha=1), bits(4, 0)
    relu = q.QActivation("quantized_relu(4,1)")
    first = lambda shape, **more: {"input_shape": shape, **more}  # noqa: E731
    line, image = (12, 3), (7, 6, 4)
    return {
        "dense": [
            q.QDense(5, kernel_quantizer=one, bias_quantizer=one, **first((6,))),
            relu,
            q.QDense(3, kernel_quantizer="ternary()"),
        ],
        "dense_auto_po2": [
            q.QDense(
                5,
                kernel_quantizer=free,
                bias_quantizer=bits(6, 1, alpha=1),
                activation="quantized_tanh(5)",
                **first((6,)),
            )
        ],
        "dense_no_alpha_bias": [
            q.QDense(
                5, kernel_quantizer=one, bias_quantizer=bits(5, 1), activation=q.quantized_relu(6, 2), **first((6,))
            )
        ],
        "dense_unquantized_bias": [q.QDense(4, kernel_quantizer=one, **first((6,)))],
        "dense_po2": [
            q.QDense(5, kernel_quantizer=q.quantized_po2(4), bias_quantizer=q.quantized_po2(4), **first((6,)))
        ],
        "dense_binary": [
            q.QDense(5, kernel_quantizer="binary(alpha=1)", use_bias=False, activation="binary", **first((6,)))
        ],
        "dense_auto": [q.QDense(5, kernel_quantizer=bits(4, 0, alpha="auto"), bias_quantizer=one, **first((6,)))],
        "dense_hard_sigmoid": [q.QDense(5, kernel_quantizer=one, activation="hard_sigmoid", **first((6,)))],
        "dense_3d": [q.QDense(5, kernel_quantizer=one, bias_quantizer=one, **first((3, 6)))],
        "conv1d": [
            q.QConv1D(
                4, 3, kernel_quantizer=free, bias_quantizer=one, padding="causal", dilation_rate=2, **first(line)
            ),
            relu,
        ],
        "conv1d_strided": [
            q.QConv1D(4, 3, kernel_quantizer=one, strides=2, padding="same", use_bias=False, **first(line))
        ],
        "conv2d": [
            q.QConv2D(
                5,
                (3, 2),
                kernel_quantizer=one,
                bias_quantizer=one,
                padding="same",
                strides=2,
                activation="relu",
                **first(image),
            ),
            relu,
        ],
        "conv2d_groups": [
            q.QConv2D(6, 3, kernel_quantizer=free, bias_quantizer=one, groups=2, dilation_rate=2, **first(image))
        ],
        "transpose": [
            q.QConv2DTranspose(
                3, 3, kernel_quantizer=one, bias_quantizer=one, strides=2, padding="same", **first(image)
            )
        ],
        "transpose_po2": [q.QConv2DTranspose(3, 2, kernel_quantizer=free, strides=3, use_bias=False, **first(image))],
        "depthwise": [
            q.QDepthwiseConv2D(
                3, depthwise_quantizer=one, bias_quantizer=one, depth_multiplier=2, padding="same", **first(image)
            ),
            relu,
        ],
        "depthwise_po2": [
            q.QDepthwiseConv2D((2, 3), depthwise_quantizer=free, bias_quantizer=one, depth_multiplier=2, **first(image))
        ],
        "separable1d": [
            q.QSeparableConv1D(
                4,
                3,
                depthwise_quantizer=one,
                pointwise_quantizer=free,
                bias_quantizer=one,
                depth_multiplier=2,
                padding="same",
                **first(line),
            )
        ],
        "separable2d": [
            q.QSeparableConv2D(
                4,
                3,
                depthwise_quantizer=free,
                pointwise_quantizer=one,
                bias_quantizer=one,
                strides=2,
                padding="same",
                activation="quantized_bits(6,2,1)",
                **first(image),
            )
        ],
        "activation": [
            q.QActivation(bits(6, 2, 1, alpha=1), **first(image)),
            keras.layers.Flatten(),
            q.QDense(3, kernel_quantizer=one),
        ],
        "keras_activation": [
            keras.layers.Activation(q.quantized_relu(5, 1), **first((6,))),
            q.QDense(3, kernel_quantizer=one),
        ],
        "batchnorm": [q.QBatchNormalization(**first(image))],
        "batchnorm_bits": [
            q.QDense(5, kernel_quantizer=one, **first((6,))),
            q.QBatchNormalization(
                gamma_quantizer=bits(8, 2),
                beta_quantizer=bits(8, 2, alpha=1),
                mean_quantizer=bits(8, 2, alpha=1),
                variance_quantizer=bits(8, 3, keep_negative=False),
            ),
            relu,
        ],
        "batchnorm_plain": [
            q.QBatchNormalization(
                gamma_quantizer=None,
                beta_quantizer=None,
                mean_quantizer=None,
                variance_quantizer=None,
                center=False,
                **first((6,)),
            )
        ],
        "conv2d_batchnorm": [
            q.QConv2DBatchnorm(
                5, 3, kernel_quantizer=bits(8, 1, alpha=1), bias_quantizer=bits(10, 2, alpha=1), **first(image)
            ),
            relu,
        ],
        "conv2d_batchnorm_batch": [
            q.QConv2DBatchnorm(
                5,
                3,
                kernel_quantizer=bits(8, 1),
                bias_quantizer=bits(10, 2, alpha=1),
                use_bias=False,
                scale=False,
                folding_mode="batch_stats_folding",
                activation="quantized_relu(6,3)",
                **first(image),
            )
        ],
        "conv2d_batchnorm_pixel": [
            q.QConv2DBatchnorm(
                5,
                1,
                kernel_quantizer=bits(8, 1),
                bias_quantizer=bits(10, 2, alpha=1),
                activation="quantized_relu(6,3)",
                **first((1, 1, 6)),
            )
        ],
        "depthwise_batchnorm": [
            q.QDepthwiseConv2DBatchnorm(
                3,
                depthwise_quantizer=bits(8, 1, alpha=1),
                bias_quantizer=bits(10, 2, alpha=1),
                depth_multiplier=2,
                **first(image),
            )
        ],
        "average": [
            q.QActivation(bits(6, 2, alpha=1), **first(image)),
            q.QAveragePooling2D((2, 2), average_quantizer=bits(4, 0, alpha=1), activation="quantized_bits(5,2)"),
        ],
        "average_three": [
            q.QActivation(bits(6, 2, alpha=1), **first(image)),
            q.QAveragePooling2D((3, 2), strides=2, padding="same", average_quantizer=bits(8, 0, alpha=1)),
        ],
        "average_plain": [q.QAveragePooling2D((2, 2), **first(image))],
        "global_average": [
            q.QActivation(bits(6, 2, alpha=1), **first(image)),
            q.QGlobalAveragePooling2D(average_quantizer=bits(8, 0, alpha=1)),
        ],
        **recurrent_models(q),
    }


def recurrent_models(q):
    """{name: layers} of the recurrent layers of qkeras, with functions that float32 computes exactly."""
    bits, line = q.quantized_bits, {"input_shape": (5, 3)}
    tanh, gate = "quantized_tanh(5)", "quantized_sigmoid(5)"
    one, free, state = bits(4, 0, alpha=1), bits(4, 0), bits(6, 1, alpha=1)
    weights = {"kernel_quantizer": one, "recurrent_quantizer": free, "bias_quantizer": bits(6, 1, alpha=1)}
    held, gates = {**weights, "state_quantizer": state}, {"activation": tanh, "recurrent_activation": gate}
    return {
        "rnn_simple": [q.QActivation(state, **line), q.QSimpleRNN(4, activation=tanh, **weights)],
        "rnn_simple_states": [
            q.QSimpleRNN(3, activation="quantized_relu(5,2)", return_sequences=True, go_backwards=True, **held, **line),
            q.QSimpleRNN(2, kernel_quantizer="ternary(alpha=1)", use_bias=False, activation=tanh),
        ],
        "rnn_lstm": [q.QLSTM(4, **gates, **held, **line)],
        "rnn_lstm_sequences": [
            q.QActivation(state, **line),
            q.QLSTM(3, **gates, **weights, use_bias=False, implementation=2, return_sequences=True),
        ],
        "rnn_gru": [q.QGRU(4, **gates, **held, **line)],
        "rnn_gru_after": [
            q.QGRU(3, **gates, **held, reset_after=True, return_sequences=True, unroll=True, **line),
            q.QDense(2, kernel_quantizer=one),
        ],
        "rnn_gru_two": [
            q.QGRU(3, **gates, kernel_quantizer=free, recurrent_quantizer=one, state_quantizer=state, **line)
        ],
        "rnn_both": [
            q.QBidirectional(q.QLSTM(3, **gates, **held, return_sequences=True), **line),
            q.QBidirectional(q.QGRU(2, **gates, **held), merge_mode="sum"),
        ],
    }


def weights_of(model, rng):
    """Draw weights: kernels around the range of the quantizers, statistics that are possible, zeros among them."""
    values = []
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.name
        if "iteration" in name:
            values.append(np.array(-1, np.int64))
        elif "variance" in name or "gamma" in name:
            values.append(rng.uniform(0.3, 3.0, shape).astype(np.float32))
        else:
            drawn = rng.normal(0, 0.7, shape)
            values.append(np.where(rng.random(shape) < 0.05, 0.0, drawn).astype(np.float32))
    return values


def built(q, keras, layers, rng):
    """A model with drawn weights."""
    model = keras.Sequential(layers)
    model.set_weights(weights_of(model, rng))
    return model


def inputs(shape, rng, count=16):
    """Multiples of 1/256."""
    return (np.rint(rng.normal(0, 1.5, (count, *shape)) * 256) / 256).astype(np.float32)


def record():
    """Ask qkeras: {file name: bytes of the h5 file} and {array name: array} of inputs and outputs."""
    q = quantizer_script().start()
    import tf_keras as keras

    warnings.simplefilter("ignore")
    files, arrays = {}, {}
    for i, (name, layers) in enumerate(models(q, keras).items()):
        rng = np.random.default_rng(i)
        model = built(q, keras, layers, rng)
        x = inputs(model.input_shape[1:], rng)
        arrays[f"{name}/x"], arrays[f"{name}/y"] = x, np.asarray(model.predict(x, verbose=0))
        arrays[f"{name}/config"] = np.array(json.dumps(json.loads(model.to_json())))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.h5"
            model.save_weights(path, save_format="h5")
            files[name] = path.read_bytes()
    return files, arrays


def main():
    """Write one .npz: the configuration, the weights file as bytes, inputs and outputs of each model."""
    files, arrays = record()
    for name, content in files.items():
        arrays[f"{name}/h5"] = np.frombuffer(content, np.uint8)
    np.savez_compressed(DATA / "layers.npz", **arrays)
    sys.stdout.write(f"layers.npz: {(DATA / 'layers.npz').stat().st_size} bytes, {len(files)} models\n")


if __name__ == "__main__":
    main()

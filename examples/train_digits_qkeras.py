"""Train the quantized digits network, digits_qkeras.h5, with QKeras: less than a minute on one core.

    pip install '.[tensorflow,examples]'
    python examples/train_digits_qkeras.py

Every number before the softmax is a small fixed-point number: pixels of 5 bits, weights of 4, activations of 4. The
convolution has stride 2 and no padding, so that only 3x3 positions are computed, and the L1 penalty drives weights to
zero: both keep the unrolled circuit small.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # QKeras 0.9 is written for Keras 2
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # oneDNN sums in another order on another processor
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf
import tf_keras as keras
from digits import HERE, load, with_shifts
from qkeras import QActivation, QConv2D, QDense, quantized_bits

EPOCHS, BATCH = 100, 64


def network() -> keras.Sequential:
    """Give the untrained network: [8, 8, 1] pixels in [0, 1] -> 10 probabilities; 3,890 parameters."""

    def weights() -> quantized_bits:
        return quantized_bits(4, 0, alpha=1)  # -1 ... 0.875 in steps of 1/8

    def layer(**more: object) -> dict[str, object]:
        return {"kernel_quantizer": weights(), "bias_quantizer": weights(), **more}

    sparse = keras.regularizers.L1(1e-4)
    return keras.Sequential(
        [
            keras.layers.Input((8, 8, 1), name="pixels"),
            QActivation("quantized_relu(5, 1)", name="quantize"),  # 0 ... 31/16 in steps of 1/16: pixels are exact
            QConv2D(16, 3, strides=2, **layer(kernel_regularizer=sparse), name="conv"),
            QActivation("quantized_relu(4, 2)", name="conv_relu"),  # 0 ... 3.75 in steps of 1/4
            keras.layers.Flatten(name="flatten"),
            QDense(24, **layer(kernel_regularizer=sparse), name="hidden"),
            QActivation("quantized_relu(4, 2)", name="hidden_relu"),
            QDense(10, **layer(kernel_regularizer=sparse), name="logits"),
            keras.layers.Activation("softmax", name="probabilities"),
        ],
        name="digits_qkeras",
    )


def main() -> None:
    """Train, print the accuracy on the held-out third, write the file."""
    keras.utils.set_random_seed(2)
    tf.config.experimental.enable_op_determinism()
    (x, y), (x_test, y_test) = load()
    x, y = with_shifts(x, y)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, EPOCHS * len(x) // BATCH)
    model = network()
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    model.save(HERE / "digits_qkeras.h5", include_optimizer=False)
    print(f"digits_qkeras.h5: {model.count_params():,} parameters, {accuracy:.2%} of the held-out digits right")


if __name__ == "__main__":
    main()

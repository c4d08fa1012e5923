"""Train the float digits network, digits_cnn.keras, with Keras 3: less than a minute on one core.

    pip install '.[tensorflow,examples]'
    python examples/train_digits_cnn.py

A plain convolutional network with no quantizer in it: what Gatewright chooses the fixed-point formats of by itself.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # oneDNN sums in another order on another processor
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import tensorflow as tf
from digits import HERE, load, with_shifts
from keras import layers

EPOCHS, BATCH = 30, 64


def network() -> keras.Sequential:
    """Give the untrained network: [8, 8, 1] pixels in [0, 1] -> 10 probabilities."""
    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="pixels"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1"),
            layers.BatchNormalization(name="norm1"),
            layers.ReLU(name="relu1"),
            layers.MaxPooling2D(name="pool1"),  # 4x4x8
            layers.Conv2D(16, 3, padding="same", name="conv2"),
            layers.BatchNormalization(name="norm2"),
            layers.ReLU(name="relu2"),
            layers.MaxPooling2D(name="pool2"),  # 2x2x16
            layers.Conv2D(24, 3, padding="same", activation="relu", name="conv3"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="digits_cnn",
    )


def main() -> None:
    """Train, print the accuracy on the held-out third, write the file."""
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()
    (x, y), (x_test, y_test) = load()
    x, y = with_shifts(x, y)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, EPOCHS * len(x) // BATCH)
    model = network()
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    trained = network()  # never compiled, so the file holds no optimizer state, which would treble it
    trained.set_weights(model.get_weights())
    trained.save(HERE / "digits_cnn.keras")
    print(f"digits_cnn.keras: {trained.count_params():,} parameters, {accuracy:.2%} of the held-out digits right")


if __name__ == "__main__":
    main()

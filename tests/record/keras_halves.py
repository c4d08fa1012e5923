"""Record what Keras gives in floats of 16 bits: python tests/record/keras_halves.py (Keras 3 with any back end).

One network under each policy, and its answers, in tests/data/keras/halves.zip.
"""

import io
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

POLICIES = ("mixed_float16", "mixed_bfloat16", "bfloat16")
OUT = Path(__file__).parents[1] / "data/keras/halves.zip"


def network() -> keras.Model:
    """Convolutions, norms, attention: what computes in the policy, what in float32, and a layer that is told to."""
    layers = keras.layers
    x = given = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Reshape((16, 8))(layers.MaxPooling2D()(x))
    x = layers.LayerNormalization()(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.Dense(5)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(given, layers.Activation("softmax", dtype="float32")(x))


def main() -> None:
    """Write the archive."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (4, 8, 8, 3)).astype(np.float32)
    answers = {"x": x}
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        for policy in POLICIES:
            keras.config.set_dtype_policy(policy)
            model = network()
            for weight in model.weights:
                if "variance" in weight.path:
                    weight.assign(rng.uniform(0.5, 1.5, weight.shape))
            model.save(Path(folder) / "model.keras")
            archive.write(Path(folder) / "model.keras", f"{policy}.keras")
            answers[policy] = keras.ops.convert_to_numpy(keras.ops.cast(model(x), "float32"))
        stream = io.BytesIO()
        np.savez(stream, **answers)
        archive.writestr("answers.npz", stream.getvalue())


if __name__ == "__main__":
    main()

"""Record what HGQ 0.2.6 answers: ``python tests/record/hgq1.py`` writes ``tests/data/hgq/hgq1.zip``.

Needs HGQ 0.2.6, Keras 2 and TensorFlow 2.15. Models with random bits are traced and converted by ``to_proxy_model``;
recorded are the proxies (``.h5`` and ``.keras`` in turn) and their answers, which for inputs within the traced ranges
are those of the models themselves: that is checked here.
"""

import io
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent.parent / "data" / "hgq"
EPOCH = (1980, 1, 1, 0, 0, 0)


def models() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Build each model; with the arguments of its conversion."""
    from HGQ import layers as h
    from tensorflow import keras

    x = keras.Input((16,))
    y = h.HQuantize()(x)
    for width in (24, 12):
        y = h.HDense(width, activation="relu")(y)
    tagger = keras.Model(x, h.HDense(5)(y))

    x = keras.Input((8, 8, 2))
    y = h.HConv2D(4, 3, padding="same", strides=2, activation="relu")(h.HQuantize()(x))
    y = h.PFlatten()(h.PAveragePooling2D(2)(y))
    images = keras.Model(x, h.HDense(3, use_bias=False)(y))

    x = keras.Input((9, 3))
    y = h.HConv1DBatchNorm(4, 3, activation="relu")(h.HQuantize()(x))
    y = h.HConv1D(3, 2)(h.PMaxPooling1D(2)(y))
    sequences = keras.Model(x, h.HDense(2)(h.PReshape((6,))(y)))

    x = keras.Input((6,))
    y = h.HQuantize()(x)
    a, b = h.HDenseBatchNorm(5)(y), h.HDense(5)(y)
    y = h.HActivation("tanh")(h.HAdd()([a, b]))
    y = h.PConcatenate()([y, h.HActivation("relu")(a)])
    branches = keras.Model(x, h.HDense(3)(y))
    floor = {"paq_conf": {**h.HQuantize().paq_config, "rnd_strategy": "floor"}}
    x = keras.Input((6,))
    y = h.HDense(8, activation="relu", **floor)(h.HQuantize(**floor)(x))
    rounding = keras.Model(x, h.HDense(3, **floor)(y))
    return {
        "jet_tagger": (tagger, {}),
        "jet_tagger_sat": (tagger, {"aggressive": False}),
        "images": (images, {}),
        "sequences": (sequences, {"aggressive": False}),
        "branches": (branches, {"unary_lut_max_table_size": 4096}),
        "rounding": (rounding, {}),
    }


def randomize(model: Any, rng: np.random.Generator) -> None:
    """Give each element bits of its own, some none, and every other weight a value."""
    for layer in model.layers:
        for weight in layer.weights:
            name, value = weight.name.rpartition("/")[2], weight.numpy()
            if name.startswith(("kernel_bw", "activation_bw")):
                few = rng.random(value.shape) < 0.08
                weight.assign(np.where(few, -9, rng.uniform(1, 5, value.shape)))
            elif name.startswith(("bias", "bn_beta", "moving_mean")):
                weight.assign(rng.normal(0, 0.4, value.shape))
            elif name.startswith(("bn_gamma", "moving_variance")):
                weight.assign(rng.uniform(0.5, 2, value.shape))


def saved(model: Any, suffix: str) -> bytes:
    """Save a model and give the bytes, without dates."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        if suffix != ".keras":
            return path.read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
            for info in old.infolist():
                put(new, info.filename, old.read(info))
        return buffer.getvalue()


def put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Write a member with a fixed date."""
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data, compress_type=archive.compression)


def main() -> None:
    """Record every model."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.setrecursionlimit(10000)
    from HGQ import to_proxy_model, trace_minmax
    from tensorflow import keras

    keras.utils.set_random_seed(3)
    HERE.mkdir(parents=True, exist_ok=True)
    rng, numbers = np.random.default_rng(3), {}
    with zipfile.ZipFile(HERE / "hgq1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n, (name, (model, options)) in enumerate(models().items()):
            randomize(model, rng)
            inside = np.rint(rng.normal(0, 1, (64, *model.input_shape[1:])) * 256).astype(np.float32) / 256
            trace_minmax(model, inside)
            proxy, suffix = to_proxy_model(model, **options), (".h5", ".keras")[n % 2]
            np.testing.assert_array_equal(proxy(inside).numpy(), model(inside).numpy())
            xs = np.concatenate([inside[:24], inside[:8] * 4])
            numbers |= {f"{name}/x0": xs, f"{name}/y0": proxy(xs).numpy()}
            put(archive, f"{name}{suffix}", saved(proxy, suffix))
            if name == "images":
                (HERE / "untraced.h5").write_bytes(saved(model, ".h5"))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **numbers)
        put(archive, "answers.npz", buffer.getvalue())
    print(f"{HERE / 'hgq1.zip'}: {(HERE / 'hgq1.zip').stat().st_size / 1024:.0f} KB")  # noqa: T201


if __name__ == "__main__":
    main()

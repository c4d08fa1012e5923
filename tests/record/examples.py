"""Record what the frameworks answer for the example networks: tests/data/examples/*.npz.

    pip install '.[tensorflow]'
    python tests/record/examples.py

Each file holds ``inputs`` (float32, the first held-out samples) and ``layers/<name>`` (float32) for every layer, batch
first. The frameworks run in float32 on the CPU, without oneDNN, whose sums depend on the processor.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # QKeras 0.9 is written for Keras 2; `import keras` stays Keras 3
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
EXAMPLES, RECORDED = ROOT / "examples", ROOT / "tests" / "data" / "examples"
# network -> (its samples, how many of them are recorded)
NETWORKS = {
    "digits_qkeras.h5": ("digits_test_x.npy", 48),
    "digits_cnn.keras": ("digits_test_x.npy", 24),
    "jet_tagger.h5": ("jet_test_x.npy", 64),
}


def load(path: Path) -> tuple[ModuleType, Any]:
    """Give (the Keras that the file is for, the model)."""
    if "qkeras" in path.name:
        import tf_keras
        from qkeras.utils import load_qmodel

        return tf_keras, load_qmodel(str(path), compile=False)
    import keras

    return keras, keras.models.load_model(path, compile=False)


def answers(path: Path, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Give every layer's output for the samples, in inference mode, by layer name."""
    keras, model = load(path)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    spy = keras.Model(model.inputs[0], [layer.output for layer in layers])
    outputs = spy(samples, training=False)
    return {layer.name: np.asarray(y, np.float32) for layer, y in zip(layers, outputs, strict=True)}


def record(network: str) -> dict[str, NDArray[np.float32]]:
    """Give the arrays of one network's recording."""
    file, count = NETWORKS[network]
    samples = np.load(EXAMPLES / file)[:count]
    return {"inputs": samples, **{f"layers/{k}": v for k, v in answers(EXAMPLES / network, samples).items()}}


def main() -> None:
    """Write every recording."""
    RECORDED.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        path = RECORDED / f"{Path(network).stem}.npz"
        np.savez_compressed(path, **record(network))
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
